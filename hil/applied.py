"""Which calibration records a station applies to the board that answered."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hil.correction import Circuit, Correction
from hil.errors import CalibrationError, StationError
from hil.instruments.accuracy import SmuAccuracy
from hil.records import Record, load_record, require_valid
from hil.station import Station
from hil.units import text


@dataclass(frozen=True)
class Applied:
    """What readings are corrected with.

    Attributes:
        correction: of every reading.
        calibration: the records in use, for the run that they are stored in.
    """

    correction: Correction
    calibration: dict[str, str]


def apply_records(
    station: Station,
    accuracy: SmuAccuracy,
    identity: Mapping[str, str],
    *,
    stands_in: bool = False,
    today: datetime.date | None = None,
) -> Applied:
    """Read and check the records of a station, and make a correction of them. Drives nothing.

    Args:
        station: names the records.
        accuracy: of its instrument, for what no record knows.
        identity: what the instruments said of themselves, as in ``BoardInfo``.
        stands_in: a twin stands in for the bench that the records are of: none is applied.
        today: decides what is expired; the date of this machine if not given.

    Raises:
        CalibrationError: a record is expired, of another instrument or board, or contradicts
            the station.
        StationError: a record is missing, malformed, or of a kind that no reading needs.
    """
    correction = Correction.from_tables(accuracy, station.max_voltage_v, station.circuit)
    records = sorted(_load(station), key=lambda record: record.head.kind, reverse=True)
    if stands_in:
        noted = {_title(record): "not applied: a twin stands in" for record in records}
        return Applied(correction, noted)
    for record in records:
        require_valid(record, today or datetime.date.today())
        if record.head.kind == "instrument":
            found, known = smu_serial(identity), record.conditions.instrument_serial
            _refuse_foreign(station, record, "SMU with serial number", found, known)
            _refuse_other_range(station, record, correction.volts.full_scale)
        else:
            found, known = board_serial(identity), record.conditions.board
            _refuse_foreign(station, record, "switch board with UUID", found, known)
            _refuse_other_resistors(record, station.circuit, correction)
        correction = correction.with_record(record)
    return Applied(correction, {_title(record): f"sha256 {record.sha256}" for record in records})


def smu_serial(identity: Mapping[str, str]) -> str:
    """Return the serial number in the SMU's answer to ``*IDN?``; empty for none."""
    return [*identity.get("smu", "").split(","), "", ""][2].strip()


def board_serial(identity: Mapping[str, str]) -> str:
    """Return the UUID in what the switch board said of itself; empty for none."""
    found = re.search(r"UUID ([0-9a-f-]{36})", identity.get("switch_board", ""))
    return found[1] if found else ""


def _load(station: Station) -> list[Record]:
    table = station.table.calibration
    records = [load_record(record_id, [station.records_folder]) for record_id in table.records]
    kinds = [record.head.kind for record in records]
    for record, kind in zip(records, kinds, strict=True):
        if kind == "device":
            raise StationError(
                f"{station.origin}: calibration.records: {record.record_id!r} is of a device; "
                f"those of the twin's devices are in [twin.records]"
            )
        if kinds.count(kind) > 1:
            raise StationError(
                f"{station.origin}: calibration.records: more than one {kind} record "
                f"({record.record_id!r} and another); name the one that supersedes the others"
            )
    return records


def _title(record: Record) -> str:
    return f"{record.head.kind} record {record.record_id}"


def _refuse_foreign(
    station: Station, record: Record, what: str, found: str, known: str | None
) -> None:
    if known != found:
        raise CalibrationError(
            f"{record.origin}: {_title(record)} is of the {what} {known!r}, but {found!r} "
            f"answered; correct calibration.records in {station.origin}"
        )


def _refuse_other_range(station: Station, record: Record, full_scale_v: float) -> None:
    low_v, high_v = record.validity.ranges.get("v_range_v", (full_scale_v, full_scale_v))
    if not low_v <= full_scale_v <= high_v:
        raise CalibrationError(
            f"{record.origin}: {_title(record)} is of the {text(high_v, 'V')} range, but for the "
            f"largest voltage of {station.origin} the source needs its {text(full_scale_v, 'V')} "
            f"range; calibrate on that range, or set max_voltage_v in [limits] as it was"
        )


def _refuse_other_resistors(record: Record, circuit: Circuit, correction: Correction) -> None:
    """Refuse a path outside the station's tolerance, from which the limits are worked out."""
    devices = np.arange(len(circuit.r_series_ohm))
    names = [correction.names[k] for k in correction.path(devices)]
    allowed_ohm = correction.r_path_ohm * circuit.tolerance_ratio
    for name, nominal_ohm, within_ohm in zip(
        names, correction.r_path_ohm.tolist(), allowed_ohm.tolist(), strict=True
    ):
        if name not in record.parameters:
            continue
        measured = record.parameters[name]
        spread_ohm = 3 * (measured.standard_uncertainty or 0.0)
        if abs(measured.value - nominal_ohm) > within_ohm + spread_ohm:
            raise CalibrationError(
                f"{record.origin}: {_title(record)} has {name} = {text(measured.value, 'ohm')}, "
                f"but the station says {text(nominal_ohm, 'ohm')} within "
                f"{text(within_ohm, 'ohm')}; correct resistors or tolerance_ratio there, or "
                f"calibrate again"
            )
