"""A study: questions, each a grid of tasks; what is done is never done again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hil.store import StudyResult, StudyStore, read_study, software_versions
from procedures.studies.tasks import StudyTask, failed_result, now
from procedures.studies.workers import Workers

_PACKAGE = "memristor-hil"

Point = Mapping[str, Any]
"""Values of the factors at a grid point, by name."""


@dataclass(frozen=True)
class Question:
    """Something to find out, and the runs that it takes.

    Attributes:
        name: short, as the command line uses it.
        text: the question as a person would ask it.
        points: task of each grid point for a seed; the point is what the report groups by.
    """

    name: str
    text: str
    points: Sequence[tuple[Point, Callable[[int], StudyTask]]]

    def tasks(self, seeds: Sequence[int]) -> Iterator[tuple[Point, StudyTask]]:
        """Yield all tasks with their points, seed by seed: a study cut short is balanced."""
        for seed in seeds:
            for point, make in self.points:
                shown = ", ".join(f"{k} {v}" for k, v in point.items())
                label = f"{self.name}: {shown}, seed {seed}"
                yield point, replace(make(seed), label=label)


@dataclass(frozen=True)
class Progress:
    """How far a study is.

    Attributes:
        n_tasks: different tasks of the plan.
        n_before: of these, done before it was started.
        n_done: of these, done now.
        n_failed: ended without a result.
        last: label of the latest.
    """

    n_tasks: int
    n_before: int
    n_done: int = 0
    n_failed: int = 0
    last: str = ""


def all_tasks(asked: Sequence[Question], seeds: Sequence[int]) -> list[StudyTask]:
    """Return the tasks of several questions, seed by seed: a study cut short is balanced."""
    return [task for seed in seeds for question in asked for _, task in question.tasks([seed])]


def run_study(
    path: Path | str,
    study: str,
    tasks: Sequence[StudyTask],
    workers: Workers,
    listen: Callable[[Progress], None] = lambda _: None,
) -> Progress:
    """Run the tasks that are not done yet; each result is on the disk before the next is taken.

    One process, this one, writes the database. Ctrl-C and errors of the store leave it at once;
    the same call goes on from there.

    Args:
        path: of the run database; created if needed.
        study: its name.
        tasks: of the whole plan; those with the same key are one.
        workers: where they run.
        listen: told of every result.

    Raises:
        HilError: the database or the workers cannot be used.
    """
    plan = _without_repeats(tasks)
    with StudyStore(path, study) as store:
        done = store.done()
        left = [task for key, task in plan.items() if key not in done]
        progress = Progress(len(plan), len(plan) - len(left))
        listen(progress)
        results = workers.run(left)
        try:
            for task, outcome in results:
                result = (
                    _checked(outcome)
                    if isinstance(outcome, StudyResult)
                    else failed_result(task, outcome, now())
                )
                store.add(replace(result, label=task.label))
                progress = _after(progress, result, task.label)
                listen(progress)
        finally:
            close = getattr(results, "close", None)
            if close is not None:
                close()
    return progress


def results_of(
    path: Path | str, study: str, question: Question, seeds: Sequence[int]
) -> list[dict[str, Any]]:
    """Return the results of a question that are there: rows with ``point``, ``seed`` and the rest.

    Raises:
        StoreError: there is no such database.
    """
    stored = read_study(path, study)
    return [
        {"point": dict(point), **stored[task.key]}
        for point, task in question.tasks(seeds)
        if task.key in stored and stored[task.key]["status"] == "done"
    ]


def _without_repeats(tasks: Sequence[StudyTask]) -> dict[str, StudyTask]:
    """Return the tasks by key; rows are kept if any task of a key asks for them."""
    plan: dict[str, StudyTask] = {}
    for task in tasks:
        first = plan.setdefault(task.key, task)
        if task.keeps_rows and not first.keeps_rows:
            plan[task.key] = replace(first, keeps_rows=True)
    return plan


def _after(progress: Progress, result: StudyResult, label: str) -> Progress:
    is_done = result.status == "done"
    return replace(
        progress,
        n_done=progress.n_done + is_done,
        n_failed=progress.n_failed + (not is_done),
        last=label if is_done else f"{label}: {result.error}",
    )


def _checked(result: StudyResult) -> StudyResult:
    """Return the result, or a failed one if other software than this made it."""
    ours, theirs = (versions.get(_PACKAGE) for versions in (software_versions(), result.versions))
    if ours == theirs:
        return result
    error = (
        f"host {result.host} runs {_PACKAGE} {theirs}, this is {ours}: "
        "install the same version there"
    )
    return replace(result, status="failed", error=error, results={}, rows=b"")
