"""``hil list`` and ``hil stations``: what there is to run, and where."""

from __future__ import annotations

import click

from hil.station import load_station, shipped_stations
from procedures.registry import PROCEDURES, first_line


@click.command("list")
def list_procedures() -> None:
    """List the procedures."""
    width = max(map(len, PROCEDURES)) + 2
    for name, procedure in PROCEDURES.items():
        click.echo(f"{name:{width}}{first_line(procedure)}")


@click.command()
@click.argument("name", required=False)
def stations(name: str | None) -> None:
    """List the stations that come with the package, or print one to copy and edit."""
    if name is not None:
        click.echo(load_station(name).text, nl=False)
        return
    width = max(map(len, shipped_stations())) + 2
    for found in shipped_stations():
        station = load_station(found)
        click.echo(f"{found:{width}}{station.source.value:7}{station.table.description}")
