"""What ``hil calibrate device`` prints."""

from __future__ import annotations

from typing import Any

from calibration.fitting import fit_words
from calibration.fitting.cross_validation import r2_left_out
from calibration.fitting.device_calibration import DeviceCalibration
from calibration.fitting.pulse_fit import PulseFit
from calibration.fitting.pulse_levels import PulseLevels
from calibration.fitting.quality import r2_by_loop, r2_by_resistor
from hil.records import Quantity, Record
from hil.units import text


def parameter_lines(record: Record) -> list[str]:
    """Return one line for each parameter that a record's fit found."""
    found = {n: q for n, q in record.parameters.items() if q.status != "assumed"}
    width = max(map(len, found), default=0)
    return [f"{name:{width}}  {_value(quantity)}" for name, quantity in found.items()]


def as_text(done: DeviceCalibration) -> str:
    """Return parameters, what the loops cannot tell, and how well loops are described."""
    fit = done.fit
    left = {result.label: result.r2 for result in done.left_out}
    lines = [f"{fit.loops[0].device}: {fit.problem.space.model} fitted to {len(fit.loops)} loops"]
    width = max(map(len, fit.values))
    for name, quantity in done.record.parameters.items():
        if name in fit.values:
            lines.append(f"  {name:{width}}  {_value(quantity):36} {quantity.source}")
    lines += ["", "R2 of the current, residuals relative to the peak of each loop"]
    for loop, value in zip(fit.loops, r2_by_loop(fit.loops, fit.currents_a), strict=True):
        predicted = f"   left out: {left[loop.label]:.4f}" if loop.label in left else ""
        lines.append(f"  {loop.label:28} {value:.4f}{predicted}")
    for r_ohm, value in r2_by_resistor(fit.loops, fit.currents_a).items():
        lines.append(f"  all of {text(r_ohm, 'Ohm'):21} {value:.4f}")
    everything = f"   left out: {r2_left_out(done.left_out):.4f}" if left else ""
    lines.append(f"  {'all':28} {fit.r2:.4f}{everything}")
    lines += [
        f"  {loop.label:28} {value:.4f}   predicted, not fitted" for loop, value in done.tests
    ]
    lines.append("")
    for p in done.profiles:
        low, high = p.interval
        lines.append(f"profile of {p.name}: {low:.4g} to {high:.4g} (k = 2)")
    lines += fit_words.identifiability(done.uncertain) + fit_words.weights(fit)
    lines.append(
        f"{done.uncertain.independent_points:.0f} independent points; {fit.n_evaluations} "
        f"simulations in {fit.wall_s:.1f} s"
    )
    return "\n".join(lines)


def level_lines(data: PulseLevels, fit: PulseFit) -> list[str]:
    """Return one line for each level: what was measured, and what the fit makes of it."""
    lines = ["conductance after each train, mean and standard deviation over cycles"]
    rows = zip(data.levels, fit.means_siemens.tolist(), fit.sds_siemens.tolist(), strict=True)
    for level, mean, sd in rows:
        off = (mean - level.mean_siemens) / level.sd_siemens
        held_out = ", held out" if level.held_out else ""
        lines.append(
            f"  {level.amplitude_v:5.3g} V  measured {level.mean_siemens * 1e6:6.1f} +- "
            f"{level.sd_siemens * 1e6:.1f} uS, fit {mean * 1e6:6.1f} +- {sd * 1e6:.1f} uS "
            f"({off:+.2f} sd{held_out})"
        )
    return lines


def as_json_object(done: DeviceCalibration) -> dict[str, Any]:
    """Return the record and what is said about the fit, as JSON can hold it."""
    fit = done.fit
    return {
        "record": done.record.tables.model_dump(),
        "device": fit.loops[0].device,
        "r2": fit.r2,
        "r2_by_loop": dict(
            zip(
                (loop.label for loop in fit.loops),
                r2_by_loop(fit.loops, fit.currents_a),
                strict=True,
            )
        ),
        "left_out": {result.label: result.r2 for result in done.left_out},
        "predicted": {loop.label: value for loop, value in done.tests},
        "identifiability": dict(zip(done.uncertain.names, done.uncertain.verdicts, strict=True)),
        "trade_offs": done.uncertain.trade_offs(),
        "profiles": {
            p.name: {"values": p.values.tolist(), "rise": p.rise.tolist()} for p in done.profiles
        },
        "wall_s": fit.wall_s,
    }


def _value(quantity: Quantity) -> str:
    unit = "" if quantity.unit == "1" else f" {quantity.unit}"
    u = quantity.standard_uncertainty
    return f"{quantity.value:.4g}{unit}" + (
        f" +- {2 * u:.2g}{unit} (k = 2)" if u is not None else ""
    )
