"""Fit of a board: series and switch resistances, and its load, from readings of references."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from calibration.references import record_parts as parts
from calibration.references.fit import Fit, ReferenceModel
from calibration.references.readings import ReferenceReadings, read_runs
from hil.correction import Correction, path_name
from hil.errors import CalibrationError
from hil.instruments.accuracy import KEITHLEY_2400
from hil.records import Head, Quantity, Record, make_record

BETTER_RATIO = 0.5
"""A quantity goes into a record if the fit leaves at most this part of its uncertainty."""


def fit_board(
    database: Path | str,
    runs: Sequence[str],
    record_id: str,
    instrument: Record,
    *,
    supersedes: str | None = None,
    created: datetime.date | None = None,
    valid_days: int = parts.VALID_DAYS,
) -> Record:
    """Fit the board behind some runs of ``read-references``; takes about a second.

    A short in a socket tells the resistance of its path, an empty socket the load, and a short
    behind a wire in place of the series resistor that of the switch and its leads. Readings are
    corrected with ``instrument``; what that leaves uncertain goes into the result, with its
    correlation to the instrument.

    Args:
        database: file that the runs are in.
        runs: ids, unique beginnings of ids, or ``latest``.
        record_id: of the new record; nothing is written.
        instrument: record of the instrument that took the readings.
        supersedes: id of the record that it replaces.
        created: day of the fit; today if not given.
        valid_days: how long the record may be applied.

    Returns:
        A record with ``r_path_p*_ohm`` of each position that was read, with ``r_switch_ohm`` and
        ``load_siemens`` where a reference tells them.

    Raises:
        StoreError: no such run.
        CalibrationError: ``instrument`` is of another one, no references were read, the readings
            contradict what the station says is in the sockets, or they say nothing new.
    """
    return board_record(
        read_runs(database, runs),
        record_id,
        instrument,
        supersedes=supersedes,
        created=created,
        valid_days=valid_days,
    )


def board_record(
    readings: ReferenceReadings,
    record_id: str,
    instrument: Record,
    *,
    supersedes: str | None = None,
    created: datetime.date | None = None,
    valid_days: int = parts.VALID_DAYS,
) -> Record:
    """Return the record that follows from readings; see ``fit_board``."""
    created = created or datetime.date.today()
    _refuse_foreign(readings, instrument)
    tables = Correction.from_tables(KEITHLEY_2400, readings.v_range_v, readings.circuit)
    correction = tables.with_record(instrument)
    model = ReferenceModel(readings, correction)
    touched = model.touched()
    held = [name for name in touched if name.startswith(("v_offset", "i_offset", "gain"))]
    fit = model.fit([name for name in touched if name not in held], held)
    known = [
        name
        for name in fit.names
        if name.startswith(("r_path", "load"))
        and fit.u(name) <= BETTER_RATIO * model.priors[name].u
    ]
    if not known:
        raise CalibrationError(
            "the readings say no more of the board than its tolerances; put a short into a socket "
            "to learn its path, or leave it empty to learn the load"
        )
    of_record = [(name, correction.u(name)) for name in held if name in instrument.parameters]
    return make_record(
        Head(
            id=record_id,
            kind="board",
            subject=f"switch board {readings.board_serial}",
            created=created,
            software=parts.software(),
            supersedes=supersedes,
            attribution=parts.attribution(readings),
            note=f"Fitted with instrument record {instrument.record_id}; a station that names both "
            f"counts what they have in common once.",
        ),
        parts.quantities(fit, known) | _switch(readings, fit, known),
        conditions=parts.conditions(readings),
        data=parts.data(readings),
        quality={"chi2_ratio": fit.chi2_ratio},
        validity=parts.validity(readings, correction, created, valid_days),
        correlations=parts.correlations(fit, known, of_record, instrument.record_id),
    )


def _switch(readings: ReferenceReadings, fit: Fit, known: Sequence[str]) -> dict[str, Quantity]:
    """Return the mean of the paths that have a wire in place of a series resistor, if any."""
    wired = {
        path_name(position)
        for position, r_ohm in zip(
            readings.circuit.positions, readings.circuit.r_series_ohm.tolist(), strict=True
        )
        if r_ohm == 0
    }
    rows = [fit.names.index(name) for name in known if name in wired]
    if not rows:
        return {}
    u_mean_ohm = np.sqrt(fit.covariance[np.ix_(rows, rows)].sum()) / len(rows)
    source = f"mean of {len(rows)} paths without a series resistor"
    value_ohm = float(fit.values[rows].mean())
    return {"r_switch_ohm": parts.quantity("r_switch_ohm", value_ohm, u_mean_ohm, source)}


def _refuse_foreign(readings: ReferenceReadings, instrument: Record) -> None:
    serial = instrument.conditions.instrument_serial
    if instrument.head.kind != "instrument" or serial != readings.smu_serial:
        raise CalibrationError(
            f"{instrument.origin}: {instrument.head.kind} record {instrument.record_id!r} is of "
            f"{instrument.head.subject}; the readings are of the SMU with serial number "
            f"{readings.smu_serial!r}: fit that instrument first"
        )
