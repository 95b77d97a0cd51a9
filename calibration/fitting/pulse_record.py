"""From a fit to pulse statistics to the calibration record of a device."""

from __future__ import annotations

import datetime

from calibration.fitting.pulse_fit import FROM_BASE, PulseFit
from calibration.fitting.pulse_levels import PulseLevels
from calibration.references.record_parts import software
from hil.records import Conditions, Data, Head, Quantity, Record, Validity, make_record

_DIGITS = 5


def pulse_record(
    data: PulseLevels,
    fit: PulseFit,
    record_id: str,
    *,
    supersedes: str | None = None,
    created: datetime.date | None = None,
) -> Record:
    """Return the record of a device that was measured with pulse trains; nothing is written.

    Args:
        data: that was fitted.
        fit: to it.
        record_id: of the new record.
        supersedes: id of the record that this one replaces.
        created: day of the fit; today if not given.
    """
    told = data.experiment
    amplitudes_v = [level.amplitude_v for level in data.levels]
    return make_record(
        Head(
            id=record_id,
            kind="device",
            subject=told.device,
            created=created or datetime.date.today(),
            software=software(),
            supersedes=supersedes,
            attribution=told.attribution,
            note=_note(data, fit),
        ),
        _parameters(data, fit),
        conditions=Conditions(
            dopant=told.dopant,
            model="gmss",
            instrument=told.instrument or None,
            series_resistor_ohm=[told.series_resistor_ohm],
        ),
        data=Data(sha256=data.sha256, n_points=2 * len(data.levels), files=[data.name]),
        quality=_quality(data, fit),
        validity=Validity.of(
            None,
            {
                "v_source_v": (told.reset_v, max(amplitudes_v)),
                "series_resistor_ohm": (told.series_resistor_ohm, told.series_resistor_ohm),
            },
        ),
    )


def _parameters(data: PulseLevels, fit: PulseFit) -> dict[str, Quantity]:
    parameters = {
        name: quantity.model_copy(
            update={
                "status": "assumed",
                "standard_uncertainty": None,
                "source": f"record {fit.base.record_id}, another device: {quantity.source}",
            }
        )
        for name, quantity in fit.base.parameters.items()
    }
    for name, value in fit.values.items():
        source = f"fit to means of pulse trains ({data.name})"
        if name.startswith("c2c_"):
            source = f"fit to standard deviations of pulse trains ({data.name})"
        elif name in FROM_BASE:
            source += f", with {FROM_BASE[name]:g} V about the value of record {fit.base.record_id}"
        parameters[name] = parameters[name].model_copy(
            update={
                "value": _round(value),
                "status": "fitted",
                "standard_uncertainty": _round(fit.standard[name])
                if name in fit.standard
                else None,
                "source": source,
            }
        )
    nearly_off = {"value": _round(0.98 * fit.values["r_off_ohm"])}
    parameters["r_init_ohm"] = parameters["r_init_ohm"].model_copy(
        update=nearly_off | {"source": "nearly OFF, as after an erase; not fitted"}
    )
    parameters["tau_relax_s"] = parameters["tau_relax_s"].model_copy(
        update={
            "value": 0.1 * data.experiment.wait_s if data.experiment.wait_s else 0.01,
            "source": "a tenth of the wait before the read: what is fresh was gone by then",
        }
    )
    return parameters


def _quality(data: PulseLevels, fit: PulseFit) -> dict[str, float]:
    """Deviation of each mean in measured standard deviations, and each predicted spread."""
    quality = {}
    rows = zip(data.levels, fit.means_siemens.tolist(), fit.sds_siemens.tolist(), strict=True)
    for level, mean, sd in rows:
        name = f"{level.amplitude_v:g}v".replace(".", "p")
        off = (mean - level.mean_siemens) / level.sd_siemens
        quality[f"off_by_sd_{name}"] = float(f"{off:.3g}")
        quality[f"sd_siemens_{name}"] = float(f"{sd:.3g}")
    return quality


def _note(data: PulseLevels, fit: PulseFit) -> str:
    assumed = ", ".join(data.experiment.assumed) or "nothing"
    return (
        "\nFitted to pulse statistics of one chip; every parameter that is not called fitted is of "
        f"another device.\nNot noted by whoever measured, and assumed: {assumed}.\n"
        "The uncertainties take one cycle's scatter as that of each mean.\n"
    )


def _round(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
