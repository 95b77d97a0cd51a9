"""Running procedures in tests, and looking at what they left in the database."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from pymeasure.experiment import Results
from pymeasure.experiment.workers import Worker

from hil.store import RunDatabase, RunSummary
from procedures.base import BoardProcedure
from procedures.runner import Outcome
from tests.support.rigs import is_level, level_v
from twin.opening import TwinInstruments

TABLES = ("pulses", "readings", "sweep_points", "energy", "metrics", "snapshots", "records")


def tables_of(database: Path, run: str = "latest") -> dict[str, pd.DataFrame]:
    """Return all tables of a run."""
    with RunDatabase(database) as opened:
        run_id = opened.find(run).run_id
        return {name: opened.table(run_id, name) for name in TABLES}


def run_of(database: Path, run: str = "latest") -> RunSummary:
    """Return what is known of a run."""
    with RunDatabase(database) as opened:
        return opened.find(run)


def assert_switched_off(instruments: TwinInstruments) -> None:
    """Check that the source went to zero and off, in this order, and that no switch is closed."""
    seen = [message.upper() for message in instruments.smu.commands_seen]
    last_on = max(k for k, message in enumerate(seen) if message == "OUTPUT 1")
    last_off = max(k for k, message in enumerate(seen) if message == "OUTPUT 0")
    last_level = max(k for k, message in enumerate(seen) if is_level(message))
    assert last_on < last_level < last_off
    assert level_v(seen[last_level]) == 0
    assert not instruments.smu.output_on
    assert instruments.bench.switch.position is None


class StoppingWorker(Worker):
    """A worker that is asked to stop at the k-th time that anyone looks."""

    def __init__(self, results: Results, stop_at: int | None = None) -> None:
        super().__init__(results)
        self.n_looks = 0
        self.stop_at = stop_at

    def should_stop(self) -> bool:
        self.n_looks += 1
        if self.n_looks == self.stop_at:
            self.stop()
        return bool(super().should_stop())


def work(
    procedure: BoardProcedure, results_file: Path, stop_at: int | None = None
) -> tuple[StoppingWorker, pd.DataFrame]:
    """Run a procedure in a pymeasure worker; return it when its thread has ended, and its file."""
    results = Results(procedure, str(results_file))
    worker = StoppingWorker(results, stop_at)
    worker.start()
    threading.Thread.join(worker, timeout=60)  # Worker.join looks at the button as well
    assert not worker.is_alive(), "the worker hangs"
    data: pd.DataFrame = Results.load(str(results_file), procedure_class=type(procedure)).data
    return worker, data


def stopping_at(k: int, procedure_class: type[BoardProcedure]) -> type[BoardProcedure]:
    """Return the procedure with a stop button that is pressed at the k-th look at it.

    The runner sets ``should_stop`` on the instance; a property takes precedence over that.
    """
    looks = 0

    def should_stop() -> bool:
        nonlocal looks
        looks += 1
        return looks >= k

    button = property(lambda self: should_stop, lambda self, value: None)
    name = procedure_class.__name__
    return type(name, (procedure_class,), {"should_stop": button, "__doc__": "Stops."})


Runner = Callable[..., Outcome]
Parameters = dict[str, Any]
