"""Fit of an instrument's offsets and gains to readings of references."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from calibration.references import record_parts as parts
from calibration.references.fit import Fit, ReferenceModel
from calibration.references.readings import ReferenceReadings, read_runs
from hil.correction import Correction
from hil.errors import CalibrationError
from hil.instruments.accuracy import KEITHLEY_2400
from hil.records import Head, Quantity, Record, make_record

BETTER_RATIO = 0.5
"""A quantity goes into a record if the fit leaves at most this part of its uncertainty."""


def fit_instrument(
    database: Path | str,
    runs: Sequence[str],
    record_id: str,
    *,
    supersedes: str | None = None,
    created: datetime.date | None = None,
    valid_days: int = parts.VALID_DAYS,
) -> Record:
    """Fit the instrument that took some runs of ``read-references``; takes about a second.

    Readings are taken as the instrument reported them, so it does not matter which records their
    station applied.

    Args:
        database: file that the runs are in.
        runs: ids, unique beginnings of ids, or ``latest``.
        record_id: of the new record; nothing is written.
        supersedes: id of the record that it replaces.
        created: day of the fit; today if not given.
        valid_days: how long the record may be applied.

    Returns:
        A record with ``v_offset_v``, ``source_offset_v`` and ``source_gain_ratio``, and for each
        range of the current that a reference reached ``i_offset_*_a`` and ``gain_*_ratio``.

    Raises:
        StoreError: no such run.
        CalibrationError: no references were read, the readings contradict what the station says
            is in the sockets, or they say nothing that the data sheet does not.
    """
    return instrument_record(
        read_runs(database, runs),
        record_id,
        supersedes=supersedes,
        created=created,
        valid_days=valid_days,
    )


def instrument_record(
    readings: ReferenceReadings,
    record_id: str,
    *,
    supersedes: str | None = None,
    created: datetime.date | None = None,
    valid_days: int = parts.VALID_DAYS,
) -> Record:
    """Return the record that follows from readings; see ``fit_instrument``."""
    created = created or datetime.date.today()
    correction = Correction.from_tables(KEITHLEY_2400, readings.v_range_v, readings.circuit)
    model = ReferenceModel(readings, correction)
    fit = model.fit(model.touched())
    known = [
        name
        for name in fit.names
        if name.startswith(("v_offset", "i_offset", "gain"))
        and fit.u(name) <= BETTER_RATIO * model.priors[name].u
    ]
    if not known:
        raise CalibrationError(
            "the readings say no more of the instrument than its data sheet; read resistors of "
            "known value, at more levels"
        )
    return make_record(
        Head(
            id=record_id,
            kind="instrument",
            subject=f"{parts.INSTRUMENT} {readings.smu_serial}",
            created=created,
            software=parts.software(),
            supersedes=supersedes,
            attribution=parts.attribution(readings),
            note="Gains are relative to that of the voltage measurement.",
        ),
        parts.quantities(fit, known) | _source(readings, fit, correction),
        conditions=parts.conditions(readings),
        data=parts.data(readings),
        quality={"chi2_ratio": fit.chi2_ratio},
        validity=parts.validity(readings, correction, created, valid_days),
        correlations=parts.correlations(fit, known),
    )


def _source(readings: ReferenceReadings, fit: Fit, correction: Correction) -> dict[str, Quantity]:
    """Return offset and gain of the source: what it gives against what it was asked for."""
    v_v = readings.v_v - fit.value("v_offset_v")
    (gain, offset_v), covariance = np.polyfit(readings.level_v, v_v, 1, cov="unscaled")
    noise_v = correction.noise_v(readings.nplc)
    u_gain, u_offset_v = noise_v * np.sqrt(np.diag(covariance))
    source = "straight line through corrected voltages against levels"
    u_offset_v = np.hypot(u_offset_v, fit.u("v_offset_v"))
    return {
        "source_offset_v": parts.quantity("source_offset_v", offset_v, u_offset_v, source),
        "source_gain_ratio": parts.quantity("source_gain_ratio", gain, u_gain, source),
    }
