"""Procedures that somebody wrote without reading the rules: safe all the same, status right."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest
from pymeasure.experiment import Metadata

from hil import interrupts
from hil.errors import LinkError, RunAborted
from hil.store import RunDatabase, RunWriter
from procedures import PulseTrain, run
from procedures.base import BoardProcedure
from procedures.runner import Outcome
from tests.support.rigs import Rig
from twin.opening import TwinInstruments

CELL = [(0, 0)]


class One(BoardProcedure):
    """One pulse."""

    def execute(self) -> None:
        self.board.pulse(CELL, 0.3, 0.02)


class RaisesInShutdown:
    def shutdown(self) -> None:
        raise RuntimeError("boom")


class ShutdownOfAMixin(RaisesInShutdown, One):
    """A mixin's shutdown comes first and never calls that of the base."""


class ExecuteOfAMixin:
    def execute(self) -> None:
        self.board.pulse(CELL, 0.3, 0.02)  # type: ignore[attr-defined]


class Mixed(ExecuteOfAMixin, BoardProcedure):
    """The work is in a mixin that knows nothing of guards."""


class AbortsInStartup(One):
    """Changes its mind."""

    def startup(self) -> None:
        super().startup()
        raise RunAborted("changed its mind")


class BadMetadata(One):
    """Its metadata cannot be had."""

    sample = Metadata("Sample", fget="no_such_thing")


class ExitsInShutdown(One):
    """Leaves Python in its clean-up."""

    def shutdown(self) -> None:
        sys.exit("bye")


class GoesOnAfterAnAbort(One):
    """Swallows what a nested execute raises, and asks as it should."""

    def execute(self) -> None:
        for _ in range(50):
            try:
                super().execute()
                signal.raise_signal(signal.SIGTERM)
            except BaseException:
                pass
            self.stop_if_asked()


def ran(kind: type[BoardProcedure], database: Path) -> Outcome:
    return run(kind(station="twin-wire", database=str(database)))


@pytest.mark.parametrize(
    ("kind", "status", "error"),
    [
        (One, "finished", ""),
        (ShutdownOfAMixin, "failed", "boom"),
        (Mixed, "finished", ""),
        (AbortsInStartup, "aborted", "changed its mind"),
        (BadMetadata, "failed", "no_such_thing"),
        (ExitsInShutdown, "failed", "bye"),
        (GoesOnAfterAnAbort, "aborted", "stopped on request"),
    ],
)
def test_the_board_is_safe_and_outcome_and_database_agree(
    kind: type[BoardProcedure],
    status: str,
    error: str,
    database: Path,
    benches: list[TwinInstruments],
) -> None:
    outcome = ran(kind, database)
    assert (outcome.status, error in outcome.error) == (status, True)
    with RunDatabase(database) as opened:
        summary = opened.find(outcome.run_id)
    assert (summary.status, summary.error) == (outcome.status, outcome.error)
    (instruments,) = benches
    Rig("twin-wire", None, None, None, instruments).assert_is_safe()  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_every_pulse_before_a_signal_is_in_the_database(
    number: signal.Signals, database: Path, benches: list[TwinInstruments]
) -> None:
    """A signal that arrives while the board acts waits until the pulse is logged."""
    n_levels = 7

    class Interrupted(PulseTrain):
        """Is hit by a signal in the middle of a pulse."""

        def execute(self) -> None:
            firmware = benches[0].smu
            receive = firmware.receive

            def hit(data: bytes) -> bytes:
                answer = receive(data)
                if self.ups(firmware.commands_seen) == n_levels and b"READ" in data:
                    signal.raise_signal(number)
                return answer

            firmware.receive = hit  # type: ignore[method-assign]
            super().execute()

        @staticmethod
        def ups(commands: object) -> int:
            seen = [str(command) for command in commands]  # type: ignore[attr-defined]
            return sum(c.startswith(":SOURCE:VOLTAGE 0.5") for c in seen)

    outcome = run(Interrupted(station="twin-wire", database=str(database), set_v=0.5, cycles=1000))
    assert (outcome.status, number.name in outcome.error) == ("aborted", True)
    with RunDatabase(database) as opened:
        applied = opened.arrays(outcome.run_id, "pulses")["n_pulses"]
    assert applied.sum() == Interrupted.ups(benches[0].smu.commands_seen) == n_levels
    assert not benches[0].smu.output_on


def test_a_signal_as_the_run_begins_leaves_no_row_that_runs(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = RunWriter.begin

    def hit(path: object, start: object) -> RunWriter:
        writer = begin(path, start)  # type: ignore[arg-type]
        signal.raise_signal(signal.SIGINT)
        return writer

    monkeypatch.setattr(RunWriter, "begin", hit)
    outcome = ran(One, database)
    assert outcome.status == "aborted"
    with RunDatabase(database) as opened:
        (summary,) = opened.runs()
    assert (summary.run_id, summary.status) == (outcome.run_id, "aborted")


def test_a_signal_that_is_ignored_stays_ignored(database: Path) -> None:
    class HangsUp(One):
        """Loses its terminal, as under nohup."""

        def execute(self) -> None:
            signal.raise_signal(signal.SIGHUP)
            super().execute()

    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert ran(HangsUp, database).status == "finished"
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_a_stop_of_one_run_is_no_stop_of_the_next(database: Path) -> None:
    class Stopped(One):
        """Is hit while a board acts that fails at the same time."""

        def execute(self) -> None:
            with interrupts.held_back():
                signal.raise_signal(signal.SIGINT)
                raise LinkError("hiccup")

    assert ran(Stopped, database).status == "failed"
    assert ran(One, database).status == "finished"


def test_a_negative_number_is_no_option(hil: object, database: Path) -> None:
    for spelling in (["--reset-v", "-0.3"], ["--reset-v=-0.3"]):
        said = hil(  # type: ignore[operator]
            "run", "pulse-train", *spelling, "--cycles", 1, "--set-pulses", 1, "--db", database
        )
        assert said.code == 0, said.err
    with RunDatabase(database) as opened:
        assert opened.run(opened.find("latest").run_id)["parameters"]["reset_v"] == -0.3
