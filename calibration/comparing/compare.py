"""A run beside its twin: loops under the same source voltage, pulses and readings done again."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from calibration.comparing.loop_replay import replay_loops
from calibration.comparing.run_replay import replay_run
from calibration.comparing.twin_choice import Choice, TwinChoice
from calibration.comparing.verdicts import (
    AGREES,
    DIFFERS,
    Overlay,
    Verdict,
    conductance_overlays,
    loop_overlay,
    loop_verdicts,
    tally_verdicts,
)
from calibration.imports import PROCEDURE
from calibration.loops import Loop, read_loops
from hil.boards.follower import Follower
from hil.boards.model_uncertainty import ModelUncertainty
from hil.opening import open_twins
from hil.records import load_record
from hil.station import DeviceTable, Station, load_station, parse_station
from hil.store import RunDatabase
from hil.types import Source
from twin.opening import open_direct

_VALIDITY_SLACK_RATIO = 0.02  # resistors and generators are not what is written on them


@dataclass(frozen=True)
class TwinOf:
    """What stands for a device.

    Attributes:
        record_id: device record of the twin.
        why: this record.
        model_ratio: relative standard uncertainty of its model.
    """

    record_id: str
    why: str
    model_ratio: float


@dataclass
class Report:
    """What a comparison came to.

    Attributes:
        run_id: run that was compared.
        procedure: of the run.
        source: of the run: bench, or itself a twin.
        station: of the run.
        twins: what stands for each device.
        verdicts: by device, loop and quantity.
        overlays: curves of both.
        notes: what has to be known of it.
        attribution: who measured, in the words in which it has to be shown; empty for our own runs.
    """

    run_id: str
    procedure: str
    source: str
    station: str
    twins: dict[str, TwinOf] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    overlays: list[Overlay] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    attribution: str = ""

    @property
    def differing(self) -> list[str]:
        """Devices that their twins do not describe: a quantity that decides differs."""
        return list(
            dict.fromkeys(v.device for v in self.verdicts if v.decides and v.verdict == DIFFERS)
        )

    @property
    def verdict(self) -> str:
        """``agrees`` or ``differs``, of the whole run."""
        return DIFFERS if self.differing else AGREES

    def as_json(self) -> dict[str, Any]:
        """Return all but the points of the curves, ready for JSON."""
        return {
            "run_id": self.run_id,
            "procedure": self.procedure,
            "source": self.source,
            "station": self.station,
            "verdict": self.verdict,
            "differing": self.differing,
            "twins": {device: asdict(twin) for device, twin in self.twins.items()},
            "curves": [overlay.figures() for overlay in self.overlays],
            "verdicts": [asdict(verdict) for verdict in self.verdicts],
            "notes": self.notes,
            "attribution": self.attribution,
        }


def compare_run(
    database: RunDatabase,
    run: str,
    twin: str = "",
    *,
    folder: Path | None = None,
    model_ratio: float | None = None,
    seed: int | None = None,
) -> Report:
    """Let a twin do what was done in a run, and compare the two.

    Imported loops: the device model follows the source voltage of the loop through its series
    resistor, in the steady state where the loop is periodic. Runs of ours: every operation is done
    again, in order, from the first reading of each device on.

    Args:
        database: open for reading.
        run: id, the beginning of one, or ``latest``.
        twin: a device record, a station, or empty for the newest record of each device.
        folder: with records, beside those that ship; None for that of the station given as
            ``twin``, or else ``records``.
        model_ratio: relative standard uncertainty of the models; as their records say if None.
        seed: of everything random in the twin; its station's own if None.

    Raises:
        UsageError: the run holds nothing to compare, or no record fits a device.
        StoreError: no such run.
        StationError: no such record or station.
    """
    details = database.run(database.find(run).run_id)
    report = Report(details["id"], details["procedure"], details["source"], details["station"])
    choice = TwinChoice(twin, folder)
    if details["procedure"] == PROCEDURE:
        (loop,) = read_loops(database, [report.run_id])
        _compare_loop(report, loop, choice, model_ratio, seed)
    else:
        _compare_operations(report, database, details, choice, model_ratio, seed)
    return report


def _compare_loop(
    report: Report, loop: Loop, choice: TwinChoice, model_ratio: float | None, seed: int | None
) -> None:
    station, chosen = choice.on(_station_of(loop), [loop.device])
    with open_direct(station, seed=seed, source_reason="comparison") as board:
        (twin,) = replay_loops([loop], board.plant.devices)
        (uncertainty,) = board.model_uncertainty(board.info.all_cells)
    ratio = _loop_ratio(uncertainty, loop.source) if model_ratio is None else model_ratio
    _note_twin(report, loop.device, chosen[loop.device], ratio)
    _add_loop(report, loop, twin, ratio)
    _note_validity(report, choice, loop)
    report.attribution = loop.attribution


def _compare_operations(
    report: Report,
    database: RunDatabase,
    details: dict[str, Any],
    choice: TwinChoice,
    model_ratio: float | None,
    seed: int | None,
) -> None:
    own = parse_station(details["station_toml"], f"station of run {report.run_id}")
    touched = {
        str(name)
        for table in ("readings", "pulses", "sweep_points")
        for name in database.arrays(report.run_id, table)["device"]
    }
    station, chosen = choice.on(own, touched)
    twins = open_twins(station, seed=seed, source_reason="comparison")
    source = Source(report.source)
    info = replace(twins[0].info, source=source)  # as if it were the board that was measured
    follower = Follower(twins, info, model_ratio=model_ratio)
    with closing(follower):
        replay = replay_run(database, report.run_id, follower, info)
    ratio_of = {
        device.name: _loop_ratio(uncertainty, source) if model_ratio is None else model_ratio
        for device, uncertainty in zip(
            info.devices, twins[0].model_uncertainty(info.all_cells), strict=True
        )
    }
    for device, found in chosen.items():
        _note_twin(report, device, found, ratio_of[device])
    for measured, twin in replay.loops:
        _add_loop(report, measured, twin, ratio_of[measured.device])
        _note_validity(report, choice, measured)
    report.verdicts += tally_verdicts(replay.tally)
    report.overlays += conductance_overlays(replay.comparisons)
    report.notes += replay.notes


def _loop_ratio(uncertainty: ModelUncertainty, source: Source) -> float:
    """Uncertainty of a whole loop: a fit to loops knows the spread of cycles already."""
    ratio = uncertainty.towards(source)
    return math.hypot(ratio, uncertainty.cycle_ratio) if source is Source.TWIN else ratio


def _note_twin(report: Report, device: str, choice: Choice, model_ratio: float) -> None:
    report.twins[device] = TwinOf(choice.record_id, choice.why, model_ratio)


def _add_loop(report: Report, measured: Loop, twin: Loop, model_ratio: float) -> None:
    report.overlays.append(loop_overlay(measured, twin, model_ratio))
    report.verdicts += loop_verdicts(measured, twin, model_ratio)


def _note_validity(report: Report, choice: TwinChoice, loop: Loop) -> None:
    """Say where a loop is outside of what the record of its device was fitted to."""
    record_id = report.twins[loop.device].record_id
    ranges = load_record(record_id, [choice.folder]).validity.ranges
    asked = {
        "v_source_v": (float(loop.v_source_v.min()), float(loop.v_source_v.max())),
        "series_resistor_ohm": (loop.r_series_ohm, loop.r_series_ohm),
        "frequency_hz": (loop.frequency_hz or np.nan, loop.frequency_hz or np.nan),
    }
    for name, (low, high) in ranges.items():
        least, most = asked.get(name, (np.nan, np.nan))
        slack = _VALIDITY_SLACK_RATIO * max(abs(low), abs(high))
        if least < low - slack or most > high + slack:
            note = f"{loop.device}: outside the validity range of record {record_id}: {name}"
            shown = f"{least:g}" if least == most else f"{least:g} to {most:g}"
            report.notes.append(f"{note} is {shown}, fitted from {low:g} to {high:g}")


def _station_of(loop: Loop) -> Station:
    """Return a twin station with the device of a loop, and nothing between it and its resistor."""
    usual = load_station("twin").table
    device = DeviceTable(
        dopant=loop.dopant, package_pin="-", position=0, series_resistor_ohm=loop.r_series_ohm
    )
    circuit = usual.circuit.model_copy(update={"switch_resistance_ohm": 0.0})
    changed = {"name": PROCEDURE, "circuit": circuit, "devices": {loop.device: device}}
    return Station(usual.model_copy(update=changed), "", "the station of an imported loop")
