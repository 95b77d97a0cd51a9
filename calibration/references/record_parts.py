"""Parts of a record that instrument and board calibrations have in common."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from importlib.metadata import version

import numpy as np

from calibration.references.fit import Fit
from calibration.references.readings import ReferenceReadings
from hil.correction import Correction
from hil.records import Conditions, Data, Quantity, Validity
from hil.types import FloatArray

INSTRUMENT = "Keithley 2400"

VALID_DAYS = 365
"""How long a record is valid unless the caller says otherwise: the interval of the data sheet."""

_METHOD = "weighted least squares to readings of references"
_DIGITS = 9  # of a correlation coefficient


def software() -> str:
    """Return what made the record."""
    return f"memristor-hil {version('memristor-hil')}"


def attribution(readings: ReferenceReadings) -> str:
    """Say where the data come from."""
    runs = f", run {', '.join(readings.runs)}" if readings.runs else ""
    return f"own measurement{runs}"


def quantity(name: str, value: float, u: float, source: str = _METHOD) -> Quantity:
    """Return a fitted parameter; its unit is the end of its name."""
    return Quantity(
        value=float(value),
        unit=_unit(name),
        source=source,
        status="fitted",
        standard_uncertainty=float(u),
    )


def quantities(fit: Fit, names: Sequence[str]) -> dict[str, Quantity]:
    """Return some estimates as parameters of a record."""
    return {name: quantity(name, fit.value(name), fit.u(name)) for name in names}


def correlations(
    fit: Fit, names: Sequence[str], held: Sequence[tuple[str, float]] = (), record_id: str = ""
) -> dict[str, dict[str, float]]:
    """Return the correlation coefficients of estimates, each pair once.

    Args:
        fit: that they are from.
        names: of the estimates.
        held: name and standard uncertainty of quantities of another record, which were held.
        record_id: of that record.
    """
    found: dict[str, dict[str, float]] = {}
    for k, name in enumerate(names):
        row = fit.names.index(name)
        pairs = {
            other: fit.covariance[row, fit.names.index(other)] / (fit.u(name) * fit.u(other))
            for other in names[:k]
        }
        for other, u in held:
            covariance = fit.cross[row, fit.held.index(other)]
            pairs[f"{record_id}:{other}"] = covariance / (fit.u(name) * u)
        rounded = {other: round(float(np.clip(r, -1, 1)), _DIGITS) for other, r in pairs.items()}
        kept = {other: r for other, r in rounded.items() if r}
        if kept:
            found[name] = kept
    return found


def conditions(readings: ReferenceReadings) -> Conditions:
    """Say which instrument and board took the readings, and when."""
    return Conditions(
        instrument=INSTRUMENT,
        instrument_serial=readings.smu_serial,
        board=readings.board_serial,
        measured=readings.measured,
    )


def data(readings: ReferenceReadings) -> Data:
    """Say which readings were fitted."""
    return Data(sha256=readings.sha256, n_points=len(readings.i_a), runs=list(readings.runs))


def validity(
    readings: ReferenceReadings, correction: Correction, created: datetime.date, valid_days: int
) -> Validity:
    """Return until when, on which voltage range, and for which voltages and currents."""
    full_scale_v = correction.volts.full_scale
    return Validity.of(
        created + datetime.timedelta(days=valid_days),
        {
            "v_range_v": (full_scale_v, full_scale_v),
            "v_source_v": _range(readings.v_v),
            "i_a": _range(readings.i_a),
        },
    )


def _range(values: FloatArray) -> tuple[float, float]:
    return float(values.min()), float(values.max())


def _unit(name: str) -> str:
    units = {"v": "V", "a": "A", "ohm": "ohm", "siemens": "S", "ratio": "1"}
    return units[name.rsplit("_", 1)[-1]]
