"""``hil study``: many runs on twins, in parallel, into one database."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import click

from hil.errors import ParameterError, UsageError
from procedures.cli.exits import ABORTED, FAILED, FINISHED
from procedures.cli.study_parts import Bar, print_end, signals_stop
from procedures.cli.study_residual import residual
from procedures.learning.mnist import find_mnist
from procedures.studies.cluster import DaskCluster
from procedures.studies.eslami import STUDY as ESLAMI
from procedures.studies.eslami.plan import needs_mnist, questions, seeds, with_mnist
from procedures.studies.study import Question, all_tasks, run_study
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
        with signals_stop(), Bar() as bar:
            end = run_study(database, ESLAMI, tasks, workers, bar.show)
    except KeyboardInterrupt:
        click.echo(f"hil: stopped; the same command goes on from there ({database})", err=True)
        return ABORTED
    print_end(ESLAMI, end, database, time.monotonic() - start_s, left_out, as_json)
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


study.add_command(residual)
