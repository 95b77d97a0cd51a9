"""Everything that can go wrong in a procedure, and what is left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from hil.boards.smu import SmuBoard
from hil.errors import LinkError, RunAborted, StoreError
from hil.instruments.keithley2400 import Keithley2400Smu
from hil.instruments.switch_board import SwitchBoard
from hil.store import RunWriter
from hil.store.batches import BatchWriter
from procedures.base import BoardProcedure
from procedures.pulse_train import PulseTrain
from procedures.runner import Outcome, run
from tests.procedures.conftest import StationFile
from tests.support.runs import assert_switched_off, run_of, tables_of, work
from twin.opening import TwinInstruments

SHORT = {"set_pulses": 2, "reset_pulses": 2, "cycles": 1}
N_ROWS = 4


class FailsInStartup(PulseTrain):
    """Fails once the board is open."""

    def startup(self) -> None:
        super().startup()
        self.board.measure([[0, 0]], 0.1)
        raise ZeroDivisionError("in startup")


class FailsInExecute(PulseTrain):
    """Fails when all is done."""

    def execute(self) -> None:
        super().execute()
        raise ZeroDivisionError("in execute")


class FailsWhileDriving(PulseTrain):
    """Fails inside of an operation, with the source at a voltage."""

    def execute(self) -> None:
        super().execute()
        broken = ZeroDivisionError("at a voltage")
        with patch.object(Keithley2400Smu, "measure", side_effect=broken):
            self.board.pulse([[0, 0]], 0.5, 0.02)


class FailsInShutdown(PulseTrain):
    """Fails in shutdown and never calls that of the base."""

    def shutdown(self) -> None:
        raise ZeroDivisionError("in shutdown")


class FailsAfterBaseShutdown(PulseTrain):
    """Fails in shutdown after that of the base."""

    def shutdown(self) -> None:
        super().shutdown()
        raise ZeroDivisionError("in shutdown")


class FailsBeforeBaseShutdown(PulseTrain):
    """Would call shutdown of the base if it had not failed."""

    def shutdown(self) -> None:
        if self.outcome:
            raise ZeroDivisionError("in shutdown")
        super().shutdown()


class FailsTwice(FailsInExecute):
    """Fails in execute, then in shutdown: the first tells why."""

    def shutdown(self) -> None:
        raise KeyError("in shutdown")


class SaysItIsAborted(PulseTrain):
    """Aborts itself."""

    def execute(self) -> None:
        super().execute()
        raise RunAborted("seen enough")


class IsInterrupted(PulseTrain):
    """Ctrl-C in the middle."""

    def execute(self) -> None:
        super().execute()
        raise KeyboardInterrupt


CASES: dict[type[BoardProcedure], tuple[str, str, int]] = {
    FailsInStartup: ("failed", "ZeroDivisionError: in startup", 0),
    FailsInExecute: ("failed", "ZeroDivisionError: in execute", N_ROWS),
    FailsWhileDriving: ("failed", "ZeroDivisionError: at a voltage", N_ROWS),
    FailsInShutdown: ("failed", "in shutdown: ZeroDivisionError: in shutdown", N_ROWS),
    FailsAfterBaseShutdown: ("failed", "in shutdown: ZeroDivisionError: in shutdown", N_ROWS),
    FailsBeforeBaseShutdown: ("failed", "in shutdown: ZeroDivisionError: in shutdown", N_ROWS),
    FailsTwice: ("failed", "ZeroDivisionError: in execute", N_ROWS),
    SaysItIsAborted: ("aborted", "seen enough", N_ROWS),
    IsInterrupted: ("aborted", "interrupted: KeyboardInterrupt", N_ROWS),
}

Way = Callable[[BoardProcedure, Path], Outcome]


def in_worker(procedure: BoardProcedure, tmp_path: Path) -> Outcome:
    work(procedure, tmp_path / "results.csv")
    word = {
        procedure.FINISHED: "finished",
        procedure.FAILED: "failed",
        procedure.ABORTED: "aborted",
    }[procedure.status]
    return Outcome("latest", word, procedure.error)


def plainly(procedure: BoardProcedure, tmp_path: Path) -> Outcome:
    return run(procedure)


WAYS = pytest.mark.parametrize("way", [plainly, in_worker])


@WAYS
@pytest.mark.parametrize("procedure_class", CASES, ids=[c.__name__ for c in CASES])
def test_output_is_off_and_the_status_right_however_it_ends(
    procedure_class: type[BoardProcedure],
    way: Way,
    station_file: StationFile,
    database: Path,
    tmp_path: Path,
    benches: list[TwinInstruments],
) -> None:
    status, error, n_rows = CASES[procedure_class]
    procedure = procedure_class(station=station_file(), database=str(database), **SHORT)
    outcome = way(procedure, tmp_path)
    assert outcome.status == status
    (bench,) = benches
    assert_switched_off(bench)
    summary = run_of(database)
    assert summary.status == procedure.outcome == status
    assert summary.error.startswith(error)
    assert procedure.error == summary.error
    assert "\n" not in summary.error
    assert summary.n_rows["records"] == n_rows
    assert summary.n_rows["energy"] == summary.n_rows["pulses"] + summary.n_rows["readings"]


@WAYS
def test_a_board_that_cannot_be_made_safe_makes_a_failed_run(
    way: Way,
    station_file: StationFile,
    database: Path,
    tmp_path: Path,
    benches: list[TwinInstruments],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(self: SwitchBoard) -> None:
        raise LinkError("switch board: unplugged")

    monkeypatch.setattr(SwitchBoard, "open_all", broken)
    procedure = PulseTrain(station=station_file(), database=str(database), **SHORT)
    outcome = way(procedure, tmp_path)
    assert outcome.status == "failed"
    assert run_of(database).status == "failed"
    assert "could not be made safe" in run_of(database).error
    assert run_of(database).n_rows["records"] == N_ROWS
    assert not benches[0].smu.output_on, "the other step was tried"


@WAYS
def test_make_safe_that_raises_anything_ends_the_run_all_the_same(
    way: Way,
    station_file: StationFile,
    database: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(self: SmuBoard) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(SmuBoard, "make_safe", broken)
    procedure = PulseTrain(station=station_file(), database=str(database), **SHORT)
    assert way(procedure, tmp_path).status == "failed"
    assert run_of(database).status == "failed"
    assert "could not be made safe: ZeroDivisionError: a bug" in run_of(database).error


@WAYS
def test_a_store_that_fails_stops_the_run_with_the_output_off(
    way: Way,
    station_file: StationFile,
    database: Path,
    tmp_path: Path,
    benches: list[TwinInstruments],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    n_commits = 0
    commit = BatchWriter._commit

    def full(self: BatchWriter, *arguments: Any) -> None:
        nonlocal n_commits
        n_commits += 1
        if n_commits > 1:
            raise StoreError("runs.sqlite: the disk is full")
        commit(self, *arguments)

    monkeypatch.setattr(BatchWriter, "_commit", full)
    procedure = PulseTrain(
        station=station_file(), database=str(database), set_pulses=500, reset_pulses=500
    )
    outcome = way(procedure, tmp_path)
    assert outcome.status == "failed"
    assert_switched_off(benches[0])
    summary = run_of(database)
    assert summary.status == "failed"
    assert "disk is full" in summary.error
    assert 0 < summary.n_rows["records"] < 1000


@WAYS
def test_a_run_that_cannot_be_closed_is_not_called_finished(
    way: Way,
    station_file: StationFile,
    database: Path,
    tmp_path: Path,
    benches: list[TwinInstruments],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(self: RunWriter, status: str, error: str = "") -> None:
        self.flush()
        raise StoreError("runs.sqlite: locked")

    monkeypatch.setattr(RunWriter, "finish", broken)
    procedure = PulseTrain(station=station_file(), database=str(database), **SHORT)
    assert way(procedure, tmp_path).status == "failed"
    assert procedure.error == "runs.sqlite: locked"
    assert_switched_off(benches[0])
    assert run_of(database).status == "running"
    assert len(tables_of(database)["records"]) == N_ROWS


def test_nothing_is_left_open_when_the_run_cannot_begin(
    station_file: StationFile,
    database: Path,
    benches: list[TwinInstruments],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: Any) -> RunWriter:
        raise StoreError("runs.sqlite: locked")

    monkeypatch.setattr(RunWriter, "begin", broken)
    outcome = run(PulseTrain(station=station_file(), database=str(database), **SHORT))
    assert (outcome.run_id, outcome.status) == ("", "failed")
    assert not database.exists()
    assert not benches[0].smu.output_on
    assert list(benches[0].smu.commands_seen)[-2:] == ["OUTPUT 0", "*OPC?"]
