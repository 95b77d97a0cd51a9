"""``hil compare`` and ``hil drift``: runs beside the twins of their devices."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from calibration.comparing.compare import compare_run
from calibration.comparing.drift import check_drift
from hil.station import CalibrationTable
from hil.store import LATEST, RunDatabase, to_json
from procedures.cli.exits import FAILED, FINISHED
from procedures.reports.comparison import drift_text, report_text

F = TypeVar("F", bound=Callable[..., object])

RECORDS = Path(CalibrationTable().folder)
"""Folder with the records of a bench, unless another one is given."""


def folders_or_default(folders: tuple[Path, ...]) -> tuple[Path, ...]:
    """Return the folders that were given, or the usual one if it is there."""
    return folders or ((RECORDS,) if RECORDS.is_dir() else ())


def _options(command: F) -> F:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
        click.option(
            "--model-uncertainty",
            "model_ratio",
            type=click.FloatRange(min=0),
            metavar="RATIO",
            help="Relative standard uncertainty of the models; what their records say if not "
            "given.",
        ),
        records_option,
        click.option(
            "--db",
            "database",
            type=click.Path(path_type=Path),
            default="runs.sqlite",
            show_default=True,
            help="SQLite file.",
        ),
    ):
        command = option(command)
    return command


records_option = click.option(
    "--records",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder with calibration records, beside those that ship; `records` if not given.",
)


@click.command()
@click.argument("run", default=LATEST, metavar="[RUN]")
@click.option(
    "--twin",
    is_flag=False,
    flag_value="",
    default="",
    metavar="[STATION|RECORD]",
    help="What the twin is made from; without a value, the newest record of each device, or else "
    "of its dopant.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Picture: PNG, SVG or PDF.")
@_options
def compare(
    run: str,
    twin: str,
    out: Path | None,
    database: Path,
    folder: Path | None,
    model_ratio: float | None,
    as_json: bool,
) -> int:
    """Compare a run with what the twins of its devices do.

    An imported loop: the model follows the same source voltage. A run of ours: every reading, pulse
    and sweep is done again, in order.

    Exit codes: 0 the twin agrees within its stated uncertainty, 1 it differs, 2 wrong usage.
    """
    with RunDatabase(database) as opened:
        report = compare_run(opened, run, twin, folder=folder, model_ratio=model_ratio)
    picture = None
    if out is not None:
        from procedures.reports.comparison_picture import draw_comparison  # matplotlib is an extra

        picture = draw_comparison(report, out)
    if as_json:
        more = {} if picture is None else {"picture": str(picture.resolve())}
        click.echo(to_json(report.as_json() | more))
    else:
        click.echo(report_text(report))
        if picture is not None:
            click.echo(f"picture: {picture.resolve()}")
    return FAILED if report.differing else FINISHED


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--against",
    default="",
    metavar="STATION|RECORD",
    help="What to check against; the newest record of each device if not given.",
)
@_options
def drift(
    runs: tuple[str, ...],
    against: str,
    database: Path,
    folder: Path | None,
    model_ratio: float | None,
    as_json: bool,
) -> int:
    """Check whether devices still do what their last records say, and name those that do not.

    Exit codes: 0 no device has drifted, 1 at least one has, 2 wrong usage.
    """
    with RunDatabase(database) as opened:
        checked = check_drift(opened, runs, against, folder=folder, model_ratio=model_ratio)
    click.echo(to_json(checked.as_json()) if as_json else drift_text(checked))
    return FAILED if checked.drifted else FINISHED
