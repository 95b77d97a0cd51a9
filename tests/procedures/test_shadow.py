"""Runs with a twin beside the board: what is named, what is stored, and what can go wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from hil.boards.follower import Follower
from hil.boards.smu import SmuBoard
from hil.errors import LinkError, StationError, StoreError
from hil.store import RunDatabase, RunWriter
from procedures.base import BoardProcedure
from procedures.iv_sweep import IVSweep
from procedures.program_verify import ProgramVerify
from procedures.pulse_train import PulseTrain
from procedures.read_array import ReadArray
from procedures.runner import Outcome, run
from procedures.shadowing import Shadowing
from tests.support.runs import assert_switched_off, run_of, tables_of
from tests.support.twins import twin_file
from twin.board import TwinBoard
from twin.opening import TwinInstruments

SHORT = {"set_pulses": 3, "reset_pulses": 3, "cycles": 1}
CAUSES = [ZeroDivisionError("in the twin"), LinkError("no twin"), StoreError("disk full")]


def shadowed(
    procedure: type[BoardProcedure],
    station: str,
    database: Path,
    shadowing: Shadowing,
    **parameters: Any,
) -> Outcome:
    made = procedure(station=station, database=str(database), **parameters)
    made.shadowing = shadowing
    return run(made)


def events_of(database: Path, kind: str, run_id: str = "latest") -> list[dict[str, Any]]:
    with RunDatabase(database) as opened:
        events = opened.run(opened.find(run_id).run_id)["events"]
    return [event for event in events if event["kind"] == kind]


def conclusion(database: Path) -> dict[str, Any]:
    (event,) = events_of(database, "shadow")
    data: dict[str, Any] = event["data"]
    return data


@pytest.mark.parametrize("kind", ["twin", "twin-wire"])
@pytest.mark.parametrize("drifted", [(), (0, 2)])
def test_the_devices_that_have_drifted_are_named_and_no_others(
    tmp_path: Path, database: Path, kind: str, drifted: tuple[int, ...]
) -> None:
    board = twin_file(tmp_path, "board", drifted=drifted, board=kind, n=3)
    shadowing = Shadowing(twin_file(tmp_path, "twin", n=3), seed=11)
    outcome = shadowed(ProgramVerify, board, database, shadowing, devices="W")
    assert outcome.status == "finished"
    found = conclusion(database)
    assert found["drifted"] == [f"W{k + 1:02d}" for k in drifted]
    assert {row["device"] for row in found["scores"]} == {"W01", "W02", "W03"}
    assert [e["data"]["device"] for e in events_of(database, "drift")] == found["drifted"]
    seen = {event["data"]["device"] for event in events_of(database, "divergence")}
    assert seen >= set(found["drifted"])
    with RunDatabase(database) as opened:
        metrics = opened.run(outcome.run_id)["metrics"]
    assert metrics["shadow_drifted_devices"] == len(drifted)
    assert metrics["shadow_compared"] == sum(row["n_compared"] for row in found["scores"])


def test_a_divergence_says_what_was_apart(tmp_path: Path, database: Path) -> None:
    board = twin_file(tmp_path, "board", drifted=[0])
    shadowed(PulseTrain, board, database, Shadowing(twin_file(tmp_path, "twin")), **SHORT)
    first = events_of(database, "divergence")[0]
    data = first["data"]
    assert first["level"] == "warning"
    assert (data["device"], data["quantity"], data["unit"]) == ("W01", "end current", "A")
    assert data["difference"] == pytest.approx(data["board"] - data["twin"])
    assert abs(data["difference"]) > data["expanded"] > 0
    assert math.isfinite(data["t_s"])


@pytest.mark.parametrize("procedure", [IVSweep, ReadArray, PulseTrain])
def test_the_run_stays_that_of_the_board_and_the_twin_has_its_own(
    tmp_path: Path, database: Path, procedure: type[BoardProcedure]
) -> None:
    station = twin_file(tmp_path, "wire", board="twin-wire")
    plain = tmp_path / "plain.sqlite"
    few = {PulseTrain: SHORT, IVSweep: {"points": 16, "loops": 1}}.get(procedure, {})
    run(procedure(station=station, database=str(plain), **few))
    outcome = shadowed(procedure, station, database, Shadowing(), **few)
    with RunDatabase(database) as opened:
        board, twin = opened.runs()
        row = opened.run(board.run_id)
        twin_row = opened.run(twin.run_id)
    assert (board.run_id, board.status) == (outcome.run_id, "finished")
    assert row["board_kind"] == "twin-wire"
    assert row["source_reason"] == ""
    assert f"run {twin.run_id}" in row["board_identity"]["shadow"]
    assert (twin.procedure, twin.status) == (board.procedure, "finished")
    assert (twin_row["source"], twin_row["board_kind"]) == ("twin", "twin")
    assert twin_row["source_reason"] == "shadow of station 'wire'"
    for name, frame in tables_of(database, twin.run_id).items():
        if name in ("readings", "pulses", "sweep_points"):
            assert len(frame) == len(tables_of(database, board.run_id)[name])
    records, alone = tables_of(database)["records"], tables_of(plain)["records"]
    assert list(records.columns) == list(alone.columns)  # nothing of the twin among them
    assert len(records) == len(alone)


def test_a_device_is_read_once_before_it_is_written_and_the_reading_says_why(
    tmp_path: Path, database: Path
) -> None:
    station = twin_file(tmp_path, "a")
    shadowed(PulseTrain, station, database, Shadowing(), **SHORT)
    readings = tables_of(database)["readings"]
    assert readings["purpose"].tolist() == ["shadow"] + ["read"] * 6
    assert readings["seq"].iloc[0] == 0
    assert readings["v_read_v"].iloc[0] == pytest.approx(0.1)


def test_it_can_stop_the_run_and_the_outputs_are_off(
    tmp_path: Path, database: Path, benches: list[TwinInstruments]
) -> None:
    board = twin_file(tmp_path, "board", drifted=[1], board="twin-wire")
    shadowing = Shadowing(twin_file(tmp_path, "twin"), stop_on_divergence=True)
    outcome = shadowed(ProgramVerify, board, database, shadowing, devices="W")
    assert (outcome.status, outcome.error) == ("aborted", "stopped: W02 drifted from the twin")
    assert_switched_off(benches[0])
    touched = tables_of(database)["readings"]["device"].unique().tolist()
    assert touched == ["W01", "W02"]
    with RunDatabase(database) as opened:
        assert [r.status for r in opened.runs()] == ["aborted", "aborted"]
    assert conclusion(database)["drifted"] == ["W02"]


@pytest.mark.parametrize("cause", CAUSES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("stops", [False, True])
def test_a_twin_that_fails_is_left_behind(
    tmp_path: Path, database: Path, benches: list[TwinInstruments], cause: Exception, stops: bool
) -> None:
    station = twin_file(tmp_path, "a", board="twin-wire")
    with patch.object(TwinBoard, "_pulse", side_effect=cause):
        shadowing = Shadowing(stop_on_divergence=stops)
        outcome = shadowed(PulseTrain, station, database, shadowing, **SHORT)
    assert outcome.status == ("aborted" if stops else "finished")
    assert_switched_off(benches[0])
    assert len(tables_of(database)["pulses"]) == (1 if stops else 6)
    (lost,) = events_of(database, "shadow-lost")
    assert str(cause) in lost["message"]
    assert str(cause) in conclusion(database)["lost"]


def test_a_twin_that_cannot_be_made_safe_does_not_keep_the_board_from_it(
    tmp_path: Path, database: Path, benches: list[TwinInstruments]
) -> None:
    station = twin_file(tmp_path, "a", board="twin-wire")
    with patch.object(TwinBoard, "make_safe", side_effect=LinkError("not the twin")):
        outcome = shadowed(PulseTrain, station, database, Shadowing(), **SHORT)
    assert outcome.status == "finished"
    assert_switched_off(benches[0])


def test_a_board_that_cannot_be_made_safe_fails_the_run_and_the_twin_is_closed(
    tmp_path: Path, database: Path
) -> None:
    station = twin_file(tmp_path, "a", board="twin-wire")
    with (
        patch.object(SmuBoard, "make_safe", side_effect=LinkError("stuck")),
        patch.object(TwinBoard, "close") as closed,
    ):
        outcome = shadowed(PulseTrain, station, database, Shadowing(), **SHORT)
    assert outcome.status == "failed"
    assert "stuck" in outcome.error
    assert closed.called


@pytest.mark.parametrize("cause", [KeyboardInterrupt(), ZeroDivisionError()])
def test_whatever_ends_the_board_ends_both_runs_with_outputs_off(
    tmp_path: Path, database: Path, benches: list[TwinInstruments], cause: BaseException
) -> None:
    station = twin_file(tmp_path, "a", board="twin-wire")
    measured = SmuBoard._measure
    calls: list[int] = []

    def failing(self: SmuBoard, *args: Any) -> Any:
        calls.append(1)
        if len(calls) == 4:
            raise cause
        return measured(self, *args)

    with patch.object(SmuBoard, "_measure", failing):
        outcome = shadowed(PulseTrain, station, database, Shadowing(), **SHORT)
    assert outcome.status == ("aborted" if isinstance(cause, KeyboardInterrupt) else "failed")
    assert_switched_off(benches[0])
    with RunDatabase(database) as opened:
        assert [r.status for r in opened.runs()] == [outcome.status] * 2


def test_an_interrupt_in_the_twin_aborts_the_run_with_outputs_off(
    tmp_path: Path, database: Path, benches: list[TwinInstruments]
) -> None:
    station = twin_file(tmp_path, "a", board="twin-wire")
    with patch.object(Follower, "pulsed", side_effect=KeyboardInterrupt):
        outcome = shadowed(PulseTrain, station, database, Shadowing(), **SHORT)
    assert outcome.status == "aborted"
    assert_switched_off(benches[0])
    assert len(tables_of(database)["pulses"]) == 1  # what the board did is stored


@pytest.fixture
def second_begin_fails() -> Iterator[None]:
    begin, calls = RunWriter.begin, []

    def failing(*args: Any, **kwargs: Any) -> RunWriter:
        calls.append(1)
        if len(calls) == 2:
            raise StoreError("disk full")
        return begin(*args, **kwargs)

    with patch.object(RunWriter, "begin", failing):
        yield


@pytest.mark.usefixtures("second_begin_fails")
def test_a_run_that_cannot_begin_ends_that_of_the_twin(
    tmp_path: Path, database: Path, benches: list[TwinInstruments]
) -> None:
    station = twin_file(tmp_path, "a", board="twin-wire")
    outcome = shadowed(PulseTrain, station, database, Shadowing(), **SHORT)
    assert (outcome.run_id, outcome.error) == ("", "disk full")
    assert not benches[0].smu.output_on
    assert run_of(database).status == "failed"


def test_a_twin_of_other_devices_is_refused_before_the_run_begins(
    tmp_path: Path, database: Path
) -> None:
    shadowing = Shadowing(twin_file(tmp_path, "small-one", n=2))
    outcome = shadowed(PulseTrain, twin_file(tmp_path, "a"), database, shadowing)
    assert isinstance(outcome.cause, StationError)
    assert outcome.run_id == ""
    assert not database.exists()
