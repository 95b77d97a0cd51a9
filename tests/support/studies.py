"""Small studies, what may go wrong in their workers, and what they left."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hil.errors import StoreError
from hil.store import StudyResult, read_study, software_versions
from hil.types import Source
from procedures.pulse_train import PulseTrain
from procedures.studies.stations import StationVariant
from procedures.studies.study import Question, results_of
from procedures.studies.tasks import StudyTask, run_task
from procedures.studies.workers import Outcome

ROOT = Path(__file__).parents[2]
STUDY = "eslami"
PATIENCE_S = 60.0  # for what hangs
DIES = "dies"
N_RUNS = 6

NOT_COMPARED = {"run_id", "pid", "host", "started_at", "ended_at"}


def train(seed: int, *, cycles: int = 1, label: str = "", **more: Any) -> StudyTask:
    """Return a task of a fraction of a second: a few pulses on a station of two devices."""
    parameters = {"set_pulses": 2, "reset_pulses": 2, "cycles": cycles}
    return StudyTask("pulse-train", parameters, StationVariant(n_devices=2), seed, label, **more)


def trains(n: int, **more: Any) -> list[StudyTask]:
    """Return n tasks that differ by their seed."""
    return [train(seed, label=f"train {seed}", **more) for seed in range(1, n + 1)]


def question(name: str = "small", n: int = 4, cycles: int = 1) -> Question:
    """Return a question whose n points differ by the read voltage."""

    def make(k: int) -> Callable[[int], StudyTask]:
        v_read_v = round(0.05 + 0.001 * k, 6)
        parameters = {
            "set_pulses": 2,
            "reset_pulses": 2,
            "cycles": cycles,
            "v_read_v": v_read_v,
        }
        return lambda seed: StudyTask("pulse-train", parameters, StationVariant(n_devices=2), seed)

    return Question(name, "How does it look?", [({"k": k}, make(k)) for k in range(n)])


def result_of(task: StudyTask, **more: Any) -> StudyResult:
    """Return what a worker could have sent."""
    values: dict[str, Any] = {
        "key": task.key,
        "label": task.label,
        "task": task.as_json,
        "seed": task.seed,
        "source": Source.TWIN,
        "status": "done",
        "error": "",
        "results": {"metrics": {}},
        "run_id": "",
        "versions": software_versions(),
        "host": "here",
        "pid": 1,
        "started_at": "2026-11-25T12:00:00.000000+00:00",
        "ended_at": "2026-11-25T12:00:01.000000+00:00",
    }
    return StudyResult(**(values | more))


class InThisProcess:
    """Runs tasks here, one after the other; no processes are begun."""

    def __init__(self, function: Callable[[StudyTask], Outcome] = run_task) -> None:
        self.function = function
        self.asked: list[StudyTask] = []
        self.is_closed = False

    def run(self, tasks: Sequence[StudyTask]) -> Iterator[tuple[StudyTask, Outcome]]:
        try:
            for task in tasks:
                self.asked.append(task)
                yield task, self.function(task)
        finally:
            self.is_closed = True


def dies_at_label(folder: Path, task: StudyTask, n_deaths: int = 1) -> StudyResult:
    """Run a task; one whose label begins with ``dies`` kills its process the first times."""
    if task.label.startswith(DIES):
        died = folder / task.key
        before = len(died.read_text(encoding="utf-8")) if died.exists() else 0
        if before < n_deaths:
            died.write_text("x" * (before + 1), encoding="utf-8")
            os.kill(os.getpid(), signal.SIGKILL)
    return run_task(task)


def is_interrupted_at_label(folder: Path, task: StudyTask) -> StudyResult:
    """Run a task; one whose label begins with ``dies`` gets a SIGTERM in its first run."""
    mark = folder / task.key
    if not task.label.startswith(DIES) or mark.exists():
        return run_task(task)
    mark.touch()
    with patch.object(PulseTrain, "progress", lambda *_: os.kill(os.getpid(), signal.SIGTERM)):
        return run_task(task)


def rows_of(path: Path, study: str = STUDY) -> dict[str, dict[str, Any]]:
    """Return what is stored of a study by key, without what differs from run to run."""
    return {
        key: {name: value for name, value in row.items() if name not in NOT_COMPARED}
        for key, row in read_study(path, study).items()
    }


def table_of(path: Path, asked: Question, seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Return the results of a question, without what differs from run to run."""
    return [
        {name: value for name, value in row.items() if name not in NOT_COMPARED}
        for row in results_of(path, STUDY, asked, seeds)
    ]


def n_stored(path: Path) -> int:
    """Return how many tasks of the study are stored; 0 where there is no file yet."""
    with suppress(StoreError):
        return len(read_study(path, STUDY))
    return 0


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    """Look again and again until something is so."""
    end_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < end_s, f"waited in vain for {what}"
        time.sleep(0.02)


def below(pid: int) -> set[int]:
    """Return the processes that a process has begun, and theirs (from Linux's ``/proc``)."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            stat = (folder / "stat").read_text(encoding="utf-8", errors="replace")
            state, parent = stat.rpartition(")")[2].split()[:2]
            if state != "Z":
                parents[int(folder.name)] = int(parent)
    found, new = set[int](), {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new}
        found |= new
    return found


def lives(pid: int) -> bool:
    """Whether a process runs; one that has ended and is not waited for does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def main() -> None:
    """Be the command line, with one question of a few short runs for each seed."""
    import procedures.cli.study as command
    from procedures.cli import main as command_line

    setattr(command, "questions", lambda quick: [question(n=N_RUNS, cycles=3)])  # noqa: B010
    command_line(sys.argv[1:])


if __name__ == "__main__":
    main()
