"""``hil study residual``: training on tiles, method by method."""

from __future__ import annotations

import time
from pathlib import Path

import click

from hil.errors import ParameterError, UsageError
from procedures.cli.exits import ABORTED, FAILED, FINISHED
from procedures.cli.study_parts import Bar, print_end, signals_stop
from procedures.learning.mnist import find_mnist
from procedures.studies.residual import STUDY
from procedures.studies.residual.plan import PRESETS, needs_mnist, plan, questions, with_places
from procedures.studies.study import run_study
from procedures.studies.tasks import StudyTask
from procedures.studies.workers import LocalProcesses

_NAMES = ", ".join(question.name for question in questions())


@click.command(STUDY)
@click.option(
    "--db",
    "database",
    type=click.Path(path_type=Path),
    default="study.sqlite",
    show_default=True,
    help="SQLite file; the study goes on from what it holds.",
)
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    default="quick",
    show_default=True,
    help="A group of questions.",
)
@click.option(
    "--question",
    "names",
    multiple=True,
    metavar="NAME",
    help=f"Only this question, in place of a preset; of {_NAMES}; may be given several times.",
)
@click.option("--seeds", "n_seeds", type=click.IntRange(1, 1000), help="The first N seeds of each.")
@click.option(
    "--workers",
    "n_workers",
    type=click.IntRange(1, 1024),
    help="Processes of this machine; one for each core if not given.",
)
@click.option(
    "--mnist",
    type=click.Path(path_type=Path),
    help="Folder of the MNIST files; `hil data` says where they are looked for.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def residual(
    database: Path,
    preset: str,
    names: tuple[str, ...],
    n_seeds: int | None,
    n_workers: int | None,
    mnist: Path | None,
    as_json: bool,
) -> int:
    """Multi-tile residual learning and its baselines (arXiv 2510.02516).

    Runs on MNIST leave a checkpoint after every epoch in the folder DB.checkpoints; the same
    command goes on from there.

    \b
      hil study residual                           3 minutes on 2 cores
      hil study residual --preset mnist-lenet      LeNet-5: hours
      hil report residual                          what came out
    """  # noqa: D301 (click reads the \\b)
    tasks, left_out = _tasks(_chosen(preset, names), n_seeds, mnist, database)
    if left_out and not as_json:
        click.echo(left_out, err=True)
    start_s = time.monotonic()
    try:
        with signals_stop(), Bar() as bar:
            end = run_study(database, STUDY, tasks, LocalProcesses(n_workers), bar.show)
    except KeyboardInterrupt:
        click.echo(f"hil: stopped; the same command goes on from there ({database})", err=True)
        return ABORTED
    print_end(STUDY, end, database, time.monotonic() - start_s, left_out, as_json)
    return FAILED if end.n_failed else FINISHED


def _chosen(preset: str, names: tuple[str, ...]) -> tuple[str, ...]:
    known = [question.name for question in questions()]
    for name in names:
        if name not in known:
            raise UsageError(f"no question {name!r}; there are {', '.join(known)}")
    return names or PRESETS[preset]


def _tasks(
    names: tuple[str, ...], n_seeds: int | None, mnist: Path | None, database: Path
) -> tuple[list[StudyTask], str]:
    """Return the tasks, each with the files it needs, or without those of MNIST and why."""
    tasks = [task for _, task in plan(names, n_seeds)]
    checkpoints = database.with_name(f"{database.name}.checkpoints").resolve()
    left_out = ""
    if any(needs_mnist(task) for task in tasks):
        try:
            folder = find_mnist(mnist).resolve()
        except ParameterError as error:
            if mnist is not None:
                raise
            tasks = [task for task in tasks if not needs_mnist(task)]
            left_out = f"MNIST is left out: {error}"
        else:
            return [with_places(task, folder, checkpoints) for task in tasks], ""
    return tasks, left_out
