"""``hil calibrations``: the calibration records that there are, and what uses them."""

from __future__ import annotations

import datetime
from pathlib import Path

import click

from hil.store import to_json
from procedures.cli.compare import RECORDS, records_option
from procedures.reports.calibrations import list_calibrations, show_calibration, table_text

_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
_database_option = click.option(
    "--db",
    "database",
    type=click.Path(path_type=Path),
    default="runs.sqlite",
    show_default=True,
    help="SQLite file, for the records in it and the runs that use them; need not exist.",
)


@click.group(invoke_without_command=True)
@records_option
@_database_option
@_json_option
@click.pass_context
def calibrations(ctx: click.Context, folder: Path | None, database: Path, as_json: bool) -> None:
    """List the calibration records: what of, how old, until when, and what uses them.

    Looks at the records that ship, those in the folder given, and those in the database. Stations
    are those that ship and the files in this folder.
    """
    folder = folder or RECORDS
    ctx.obj = (folder, database)
    if ctx.invoked_subcommand is not None:
        return
    found = list_calibrations(folder, database, datetime.date.today())
    click.echo(to_json(found) if as_json else table_text(found))


@calibrations.command()
@click.argument("record_id", metavar="ID")
@_json_option
@click.pass_context
def show(ctx: click.Context, record_id: str, as_json: bool) -> None:
    """Show one record: its text, and what uses it."""
    folder, database = ctx.obj
    found = show_calibration(record_id, folder, database, datetime.date.today())
    if as_json:
        click.echo(to_json(found))
        return
    click.echo(found.pop("toml").rstrip())
    click.echo("")
    for name in ("origin", "age_days", "state", "superseded_by", "stations", "runs"):
        value = found[name]
        click.echo(f"# {name}: {', '.join(value) if isinstance(value, list) else value}")
