"""Readings of references: out of a run, or as a board gives them."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hil.applied import board_serial, smu_serial
from hil.correction import Circuit
from hil.errors import CalibrationError, UsageError
from hil.station import Station, parse_station
from hil.store import RunDatabase
from hil.types import Device, FloatArray, IndexArray


@dataclass(frozen=True)
class ReferenceReadings:
    """Readings as the instrument reported them, without any correction; arrays (n_readings,).

    Attributes:
        devices: the references, each (name and position) once.
        device_index: which of ``devices`` each reading is of.
        level_v: voltage that was asked for.
        v_v: voltage that the instrument reported.
        i_a: current that the instrument reported.
        circuit: what the station says of the paths to ``devices``.
        v_range_v: largest voltage of the range that the source was fixed to.
        nplc: integration time.
        smu_serial: serial number of the instrument.
        board_serial: UUID of the switch board.
        runs: that they are from; empty for none.
        measured: day of the first of them; None if it is not known.
    """

    devices: tuple[Device, ...]
    device_index: IndexArray
    level_v: FloatArray
    v_v: FloatArray
    i_a: FloatArray
    circuit: Circuit
    v_range_v: float
    nplc: float
    smu_serial: str
    board_serial: str
    runs: tuple[str, ...] = ()
    measured: datetime.date | None = None

    @classmethod
    def of(
        cls,
        station: Station,
        identity: Mapping[str, str],
        names: Sequence[str],
        level_v: FloatArray,
        v_v: FloatArray,
        i_a: FloatArray,
        run_id: str = "",
        measured: datetime.date | None = None,
    ) -> ReferenceReadings:
        """Return readings of one station; those of memristors are left out.

        Raises:
            CalibrationError: there is no reading of a reference.
        """
        devices = tuple(d for d in station.devices if d.reference_ohm is not None)
        index = {device.name: k for k, device in enumerate(devices)}
        kept = np.array([name in index for name in names], dtype=bool)
        if not kept.any():
            raise CalibrationError(
                f"{run_id or station.name}: no reading of a reference; run read-references on a "
                f"station whose devices have a reference_ohm"
            )
        circuit = station.circuit
        rows = [k for k, d in enumerate(station.devices) if d.reference_ohm is not None]
        return cls(
            devices,
            np.array([index[name] for name in names if name in index], dtype=np.intp),
            level_v[kept],
            v_v[kept],
            i_a[kept],
            Circuit(
                [circuit.positions[k] for k in rows],
                circuit.r_series_ohm[rows],
                circuit.r_switch_ohm[rows],
                circuit.load_siemens,
                circuit.tolerance_ratio,
            ),
            station.max_voltage_v,
            station.table.smu.read_nplc,
            smu_serial(identity),
            board_serial(identity),
            (run_id,) if run_id else (),
            measured,
        )

    @property
    def sha256(self) -> str:
        """Hash of what the instrument reported."""
        return hashlib.sha256(np.stack([self.v_v, self.i_a]).astype("<f8").tobytes()).hexdigest()


def read_runs(database: Path | str, runs: Sequence[str]) -> ReferenceReadings:
    """Return the readings of references in some runs of a database, as one.

    Args:
        database: file.
        runs: ids, unique beginnings of ids, or ``latest``.

    Raises:
        StoreError: there is no such run.
        CalibrationError: a run has no readings of references, or they are of different
            instruments, boards or circuits.
    """
    with RunDatabase(database) as opened:
        return join([_read_run(opened, key) for key in runs])


def join(parts: Sequence[ReferenceReadings]) -> ReferenceReadings:
    """Return several sets of readings as one.

    Raises:
        UsageError: there is none.
        CalibrationError: they are of different instruments, boards or circuits.
    """
    if not parts:
        raise UsageError("no run was named; name those of read-references")
    first = parts[0]
    for part in parts[1:]:
        for what in ("smu_serial", "board_serial", "nplc", "v_range_v"):
            here, there = getattr(part, what), getattr(first, what)
            if here != there:
                raise CalibrationError(
                    f"runs {', '.join(first.runs)} and {', '.join(part.runs)} differ in {what}: "
                    f"{there} and {here}; they cannot be fitted together"
                )
        if (part.circuit.load_siemens, part.circuit.tolerance_ratio) != (
            first.circuit.load_siemens,
            first.circuit.tolerance_ratio,
        ):
            raise CalibrationError("runs differ in [circuit]; they cannot be fitted together")
    starts = np.cumsum([0, *(len(part.devices) for part in parts)])
    return ReferenceReadings(
        tuple(device for part in parts for device in part.devices),
        np.concatenate([p.device_index + n for p, n in zip(parts, starts, strict=False)]),
        np.concatenate([part.level_v for part in parts]),
        np.concatenate([part.v_v for part in parts]),
        np.concatenate([part.i_a for part in parts]),
        Circuit(
            [position for part in parts for position in part.circuit.positions],
            np.concatenate([part.circuit.r_series_ohm for part in parts]),
            np.concatenate([part.circuit.r_switch_ohm for part in parts]),
            first.circuit.load_siemens,
            first.circuit.tolerance_ratio,
        ),
        first.v_range_v,
        first.nplc,
        first.smu_serial,
        first.board_serial,
        tuple(run for part in parts for run in part.runs),
        min((part.measured for part in parts if part.measured), default=None),
    )


def _read_run(database: RunDatabase, key: str) -> ReferenceReadings:
    summary = database.find(key)
    run = database.run(summary.run_id)
    station = parse_station(run["station_toml"], f"station of run {summary.run_id}")
    a = database.arrays(summary.run_id, "readings")
    return ReferenceReadings.of(
        station,
        run["board_identity"],
        list(a["device"]),
        a["v_read_v"],
        a["v_source_v"],
        a["i_a"],
        summary.run_id,
        datetime.datetime.fromisoformat(summary.started_at).date(),
    )
