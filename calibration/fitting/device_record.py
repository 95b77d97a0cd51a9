"""From a fit to the calibration record of a device."""

from __future__ import annotations

import datetime
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from calibration.fitting import fit_words
from calibration.fitting.covariance import Uncertainty
from calibration.fitting.cross_validation import LeftOut, jackknife, r2_left_out
from calibration.fitting.fit import LoopFit
from calibration.fitting.fit_parameters import UNITS
from calibration.fitting.quality import r2_by_loop, r2_by_resistor
from calibration.loops import Loop
from calibration.references.record_parts import software
from hil.records import Conditions, Data, Head, Quantity, Record, Validity, make_record
from hil.store import RunDatabase
from hil.units import text

_DIGITS = 5
_LEAST_CORRELATION = 0.1
_NEARLY_OFF = 0.98
_UNITS = UNITS | {"r_init_ohm": "ohm", "tau_relax_s": "s", "tau_rise_s": "s"}

SWITCHED_OFF: dict[str, float] = {
    "fresh_ratio": 0.0,
    "tau_relax_s": 1.0,
    "x_rest": 0.0,
    "tau_rise_s": 3600.0,
    "c2c_v_on_v": 0.0,
    "c2c_v_off_v": 0.0,
    "c2c_r_off_ratio": 0.0,
    "d2d_r_on_ratio": 0.0,
    "d2d_r_off_ratio": 0.0,
    "d2d_v_on_v": 0.0,
    "d2d_v_off_v": 0.0,
}
"""What loops do not tell, where no other record does: the effect is left out."""


@dataclass(frozen=True)
class Provenance:
    """Where loops come from, as far as their runs tell.

    Attributes:
        facts: ``board``, ``instrument``, ``instrument_serial``, ``temperature_k``, ``measured``;
            what the runs do not tell, or tell differently, is left out.
        files: that were imported.
        attribution: who measured.
    """

    facts: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    attribution: str = ""


def provenance(database: RunDatabase, loops: Sequence[Loop]) -> Provenance:
    """Return what the runs of loops tell about how they were measured."""
    runs = [database.run(run_id) for run_id in dict.fromkeys(loop.run_id for loop in loops)]
    told = [run["parameters"] for run in runs]
    facts = {}
    for name in ("board", "instrument", "instrument_serial", "temperature_k", "measured"):
        values = {p.get(name) for p in told}
        if len(values) == 1 and (value := values.pop()) is not None:
            facts[name] = value
    if "measured" in facts:
        facts["measured"] = datetime.date.fromisoformat(str(facts["measured"])[:10])
    files = [f["name"] for p in told for f in p.get("files", []) if isinstance(f, dict)]
    own = [loop.run_id for loop in loops if not loop.attribution]
    said = list(dict.fromkeys(loop.attribution for loop in loops if loop.attribution))
    said += ["own measurement"] if own else []
    return Provenance(facts, tuple(dict.fromkeys(files)), "; ".join(said))


def data_sha256(loops: Sequence[Loop]) -> str:
    """Return the hash of the hashes of loops, in the order of their runs."""
    return hashlib.sha256("".join(loop.sha256 for loop in loops).encode()).hexdigest()


def device_record(
    fit: LoopFit,
    uncertain: Uncertainty,
    record_id: str,
    origin: Provenance,
    *,
    left_out: Sequence[LeftOut] = (),
    tests: Mapping[str, float] | None = None,
    base: Record | None = None,
    supersedes: str | None = None,
    created: datetime.date | None = None,
) -> Record:
    """Return the record of a device; nothing is written.

    Args:
        fit: to its loops.
        uncertain: of the fit.
        record_id: of the new record.
        origin: of the loops.
        left_out: leave-one-out predictions; their scatter makes the uncertainties larger where it
            is the larger one.
        tests: R2 of loops that were predicted and not fitted, by label.
        base: record that tells what loops do not (relaxation, spread from cycle to cycle and from
            device to device); without it these effects are left out.
        supersedes: id of the record that this one replaces.
        created: day of the fit; today if not given.

    Raises:
        StationError: the id is no id.
    """
    loops = fit.loops
    model = fit.problem.space.model
    conditions = Conditions.model_validate(
        {
            **origin.facts,
            "dopant": loops[0].dopant.value,
            "model": "gmss",
            "series_resistor_ohm": sorted({loop.r_series_ohm for loop in loops}),
        }
    )
    note = [*fit_words.identifiability(uncertain), *fit_words.weights(fit)]
    if model != "gmss":
        note.insert(0, f"Model {model}, written as the special case of gmss that it is.")
    return make_record(
        Head(
            id=record_id,
            kind="device",
            subject=loops[0].device,
            created=created or datetime.date.today(),
            software=software(),
            supersedes=supersedes,
            attribution=origin.attribution,
            note="\n".join(["", *note, ""]),
        ),
        _fitted(fit, uncertain, left_out) | _rest(fit, base),
        conditions=conditions,
        data=Data(
            sha256=data_sha256(loops),
            n_points=sum(len(loop.t_s) for loop in loops),
            runs=list(dict.fromkeys(loop.run_id for loop in loops)),
            files=list(origin.files),
        ),
        quality=_quality(fit, uncertain, left_out)
        | {f"predicted_r2_{_plain(k)}": _round(v) for k, v in (tests or {}).items()},
        validity=_validity(loops),
        correlations=_correlations(uncertain),
    )


def _fitted(
    fit: LoopFit, uncertain: Uncertainty, left_out: Sequence[LeftOut]
) -> dict[str, Quantity]:
    space = fit.problem.space
    deviations = dict(zip(uncertain.names, uncertain.standard.tolist(), strict=True))
    scatter = jackknife(left_out, space) if left_out else {}
    verdicts = dict(zip(uncertain.names, uncertain.verdicts, strict=True))
    quantities = {}
    for name, value in fit.values.items():
        leader = space.ties.get(name, name)
        if leader in deviations:
            spread = scatter.get(leader, 0.0)
            u = max(deviations[leader], spread)
            how = f"fit to {len(fit.loops)} loops; {fit_words.VERDICTS[verdicts[leader]]}"
            if spread > deviations[leader]:
                how += "; uncertainty from leaving out one condition at a time"
            if leader != name:
                how += f"; held equal to {leader}"
            quantities[name] = Quantity(
                value=_round(value),
                unit=_unit(name),
                source=how,
                status="fitted",
                standard_uncertainty=_round(u) if np.isfinite(u) else None,
            )
        else:
            quantities[name] = Quantity(
                value=value, unit=_unit(name), source="held during the fit", status="assumed"
            )
    return quantities


def _rest(fit: LoopFit, base: Record | None) -> dict[str, Quantity]:
    """What loops do not tell."""
    known = base.parameters if base else {}
    r_init = Quantity(
        value=_round(_NEARLY_OFF * fit.values["r_off_ohm"]),
        unit="ohm",
        source="nearly OFF, as after an erase; not fitted",
        status="assumed",
    )
    quantities = {"r_init_ohm": r_init}
    for name, value in SWITCHED_OFF.items():
        if base and name in known:
            taken = known[name]
            quantities[name] = taken.model_copy(
                update={"source": f"record {base.record_id}: {taken.source}"}
            )
        else:
            source = "not fitted: loops do not tell it, the effect is left out"
            quantities[name] = Quantity(
                value=value, unit=_unit(name), source=source, status="assumed"
            )
    return quantities


def _quality(fit: LoopFit, uncertain: Uncertainty, left_out: Sequence[LeftOut]) -> dict[str, float]:
    loops, misfit = fit.loops, fit.misfit
    quality = {"r2_all": fit.r2}
    for r_ohm, value in r2_by_resistor(loops, fit.currents_a).items():
        quality[f"r2_{_plain(text(r_ohm, 'Ohm'))}"] = value
    for loop, value in zip(loops, r2_by_loop(loops, fit.currents_a), strict=True):
        quality[f"r2_{_plain(loop.label)}"] = value
    if left_out:
        quality["left_out_r2_all"] = r2_left_out(left_out)
        quality |= {f"left_out_r2_{_plain(r.label)}": r.r2 for r in left_out}
    quality |= {
        "discrepancy_ratio": misfit.discrepancy_ratio,
        "noise_floor_a": float(np.sqrt(np.mean(misfit.noise_a**2))),
        "independent_points": uncertain.independent_points,
    }
    return {name: float(f"{value:.5g}") for name, value in quality.items()}


def _validity(loops: Sequence[Loop]) -> Validity:
    sources = np.concatenate([loop.v_source_v for loop in loops])
    resistors = [loop.r_series_ohm for loop in loops]
    ranges = {
        "v_source_v": (float(f"{sources.min():.3g}"), float(f"{sources.max():.3g}")),
        "series_resistor_ohm": (min(resistors), max(resistors)),
    }
    frequencies = [loop.frequency_hz for loop in loops if loop.frequency_hz]
    if frequencies:
        ranges["frequency_hz"] = (
            float(f"{min(frequencies):.4g}"),
            float(f"{max(frequencies):.4g}"),
        )
    return Validity.of(None, ranges)


def _correlations(uncertain: Uncertainty) -> dict[str, dict[str, float]]:
    matrix = uncertain.correlation
    found: dict[str, dict[str, float]] = {}
    for k, name in enumerate(uncertain.names):
        others = {
            other: round(float(matrix[k, j]), 3)
            for j, other in enumerate(uncertain.names[:k])
            if abs(matrix[k, j]) >= _LEAST_CORRELATION
        }
        if others:
            found[name] = others
    return found


def _unit(name: str) -> str:
    return _UNITS.get(name) or {"v": "V", "s": "s"}.get(name.rsplit("_", 1)[-1], "1")


def _plain(label: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", label.lower().replace(".", "p")).strip("_")


def _round(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
