"""``hil runs``, ``show``, ``export`` and ``plot``: what is in a database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeVar

import click

from hil.store import LATEST, RunDatabase, export_run, to_json
from procedures.reports.summary import as_text, headline, provenance, summarise

F = TypeVar("F", bound=Callable[..., object])


def _database_option(command: F) -> F:
    return click.option(
        "--db",
        "database",
        type=click.Path(path_type=Path),
        default="runs.sqlite",
        show_default=True,
        help="SQLite file.",
    )(command)


_MAX_EVENTS = 20  # of one kind; a run that differs from its twin has hundreds

_run_argument = click.argument("run", default=LATEST, metavar="[RUN]")
_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.command()
@_database_option
@click.option("-n", "--limit", type=click.IntRange(min=1), help="Only the latest so many.")
@_json_option
def runs(database: Path, limit: int | None, as_json: bool) -> None:
    """List the runs in a database, the latest first."""
    with RunDatabase(database) as opened:
        summaries = [headline(run) for run in opened.runs(limit)]
    if as_json:
        click.echo(to_json(summaries))
        return
    for summary in summaries:
        click.echo(
            f"{summary['run_id']}  {summary['started_at'][:19]}  {summary['procedure']:15}"
            f"{summary['status']:9}{summary['n_pulses']:7} pulses  {provenance(summary)}"
        )


@click.command()
@_run_argument
@_database_option
@_json_option
def show(run: str, database: Path, as_json: bool) -> None:
    """Show one run: its id, the beginning of it, or `latest`."""
    with RunDatabase(database) as opened:
        found = opened.find(run)
        summary = summarise(opened, found)
        details = opened.run(found.run_id)
    if as_json:
        click.echo(to_json(details | summary))
        return
    click.echo(as_text(summary))
    for title in ("parameters", "board_identity", "calibration", "versions"):
        click.echo(f"  {title.replace('_', ' ')}")
        for name, value in details[title].items():
            click.echo(f"    {name:24}{value}")
    shown: Counter[str] = Counter()
    for event in details["events"]:
        shown[event["kind"]] += 1
        if shown[event["kind"]] <= _MAX_EVENTS:
            click.echo(f"  {event['level']:8}{event['kind']}: {event['message']}")
    for kind, n in shown.items():
        if n > _MAX_EVENTS:
            click.echo(f"  and {n - _MAX_EVENTS} more events {kind!r}; --json shows all")


@click.command()
@_run_argument
@_database_option
@click.option("--csv", "file_format", flag_value="csv", default=True, help="CSV files (default).")
@click.option("--parquet", "file_format", flag_value="parquet", help="Parquet files.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder; the run's id if none is given."
)
def export(
    run: str, database: Path, file_format: Literal["csv", "parquet"], out: Path | None
) -> None:
    """Write the tables of a run to files, one for each table; never over an existing file."""
    with RunDatabase(database) as opened:
        run_id = opened.find(run).run_id
        for path in export_run(opened, run_id, out or Path(run_id), file_format):
            click.echo(path)


@click.command()
@_run_argument
@_database_option
@click.option("--out", type=click.Path(path_type=Path), help="PNG, SVG or PDF; RUN.png if none.")
def plot(run: str, database: Path, out: Path | None) -> None:
    """Draw a run."""
    from procedures.reports.picture import draw_run  # matplotlib is an extra

    with RunDatabase(database) as opened:
        found = opened.find(run)
        path = draw_run(opened, found, out or Path(f"{found.run_id}.png"))
    click.echo(f"picture: {path.resolve()}")
