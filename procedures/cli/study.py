"""``hil study``: many runs on twins, in parallel, into one database."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

import click
from tqdm import tqdm

from hil.errors import ParameterError, UsageError
from hil.store import to_json
from procedures.cli.exits import ABORTED, FAILED, FINISHED
from procedures.learning.mnist import find_mnist
from procedures.runner import STOPPING
from procedures.studies.cluster import DaskCluster
from procedures.studies.eslami import STUDY as ESLAMI
from procedures.studies.eslami.plan import needs_mnist, questions, seeds, with_mnist
from procedures.studies.study import Progress, Question, all_tasks, run_study
from procedures.studies.tasks import StudyTask
from procedures.studies.workers import LocalProcesses, Workers

KEEPS = ("first", "all", "none")
_NAMES = ", ".join(question.name for question in questions())


@click.group()
def study() -> None:
    """Run a study: a grid of runs on twins. What is done already is not done again."""


@study.command(ESLAMI)
@click.option(
    "--db",
    "database",
    type=click.Path(path_type=Path),
    default="study.sqlite",
    show_default=True,
    help="SQLite file; the study goes on from what it holds.",
)
@click.option("--quick", is_flag=True, help="A part of the study, in minutes.")
@click.option(
    "--question",
    "names",
    multiple=True,
    metavar="NAME",
    help=f"Only this question, of {_NAMES}; may be given several times.",
)
@click.option("--seeds", "n_seeds", type=click.IntRange(1, 1000), help="Seeds 1 to N.")
@click.option(
    "--workers",
    "n_workers",
    type=click.IntRange(1, 1024),
    help="Processes of this machine; one for each core if not given.",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Dask scheduler to use instead of this machine, as tcp://HOST:PORT.",
)
@click.option(
    "--mnist",
    type=click.Path(path_type=Path),
    help="Folder of the MNIST files; `hil data` says where they are looked for.",
)
@click.option(
    "--rows",
    "keep",
    type=click.Choice(KEEPS),
    default="first",
    show_default=True,
    help="Runs of which every pulse and reading is kept: of the first seed, all, none.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def eslami(
    database: Path,
    quick: bool,
    names: tuple[str, ...],
    n_seeds: int | None,
    n_workers: int | None,
    scheduler: str | None,
    mnist: Path | None,
    keep: str,
    as_json: bool,
) -> int:
    """On-chip learning with 30 memristors and 4 neurons (arXiv 2408.14680, a reconstruction).

    \b
      hil study eslami --quick        about 2 minutes on 2 cores
      hil study eslami                the whole study, under an hour
      hil report eslami               what came out
    """  # noqa: D301 (click reads the \\b)
    chosen = _chosen(questions(quick=quick), names)
    used_seeds = tuple(range(1, n_seeds + 1)) if n_seeds else seeds(quick=quick)
    tasks, left_out = _with_handwriting(all_tasks(chosen, used_seeds), mnist)
    tasks = [replace(task, keeps_rows=_is_kept(task, keep)) for task in tasks]
    if scheduler is not None and n_workers:
        raise UsageError(
            "--workers counts processes of this machine; leave it out with --scheduler"
        )
    workers: Workers = LocalProcesses(n_workers) if scheduler is None else DaskCluster(scheduler)
    if left_out and not as_json:
        click.echo(left_out, err=True)
    start_s = time.monotonic()
    try:
        with _signals_stop(), _Bar() as bar:
            end = run_study(database, ESLAMI, tasks, workers, bar.show)
    except KeyboardInterrupt:
        click.echo(f"hil: stopped; the same command goes on from there ({database})", err=True)
        return ABORTED
    _print(end, database, time.monotonic() - start_s, left_out, as_json)
    return FAILED if end.n_failed else FINISHED


def _chosen(all_questions: list[Question], names: tuple[str, ...]) -> list[Question]:
    known = [question.name for question in all_questions]
    for name in names:
        if name not in known:
            raise UsageError(f"no question {name!r}; there are {', '.join(known)}")
    return [question for question in all_questions if not names or question.name in names]


def _with_handwriting(tasks: list[StudyTask], mnist: Path | None) -> tuple[list[StudyTask], str]:
    """Return the tasks with the folder of MNIST, or without those that need it and why."""
    if not any(needs_mnist(task) for task in tasks):
        return tasks, ""
    try:
        folder = find_mnist(mnist).resolve()
    except ParameterError as error:
        if mnist is not None:
            raise
        kept = [task for task in tasks if not needs_mnist(task)]
        return kept, f"handwriting is left out: {error}"
    return [with_mnist(task, folder) for task in tasks], ""


def _is_kept(task: StudyTask, keep: str) -> bool:
    return keep == "all" or (keep == "first" and task.seed == 1)


def _print(end: Progress, database: Path, wall_s: float, left_out: str, as_json: bool) -> None:
    told = {
        "study": ESLAMI,
        "tasks": end.n_tasks,
        "done_before": end.n_before,
        "done": end.n_done,
        "failed": end.n_failed,
        "wall_time_s": round(wall_s, 1),
        "left_out": left_out,
        "database": str(database.resolve()),
    }
    if as_json:
        click.echo(to_json(told))
        return
    click.echo(
        f"study {ESLAMI}: {end.n_tasks} runs, {end.n_before} done before, {end.n_done} now, "
        f"{end.n_failed} failed, {wall_s:.0f} s"
    )
    click.echo(f"database: {told['database']}")
    click.echo(f"next: hil report {ESLAMI} --db {database}")


class _Bar:
    """A bar on standard error if a person looks; a line for each failure in any case."""

    def __init__(self) -> None:
        self._bar = tqdm(unit="run", disable=not sys.stderr.isatty(), smoothing=0.05)
        self._n_failed = 0

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._bar.close()

    def show(self, progress: Progress) -> None:
        if self._bar.total is None:
            self._bar.reset(total=progress.n_tasks)
            self._bar.update(progress.n_before)
        if progress.n_failed > self._n_failed:
            self._n_failed = progress.n_failed
            self._bar.write(f"hil: failed: {progress.last}", file=sys.stderr)
        done = progress.n_before + progress.n_done + progress.n_failed
        self._bar.set_description(progress.last.split(":")[0], refresh=False)
        self._bar.update(done - self._bar.n)


@contextmanager
def _signals_stop() -> Iterator[None]:
    """SIGTERM and SIGHUP end the study as Ctrl-C does: workers are stopped, the file is closed.

    Signals that arrive while that happens change nothing any more.
    """
    is_stopping = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal is_stopping
        if not is_stopping:
            is_stopping = True
            raise KeyboardInterrupt

    before = {
        number: signal.signal(number, stop)
        for number in STOPPING
        if signal.getsignal(number) not in (signal.SIG_IGN, None)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
