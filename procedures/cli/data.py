"""``hil data``: data sets that do not come with the package."""

from __future__ import annotations

from pathlib import Path

import click

from hil.store import to_json
from procedures.cli.exits import FAILED, FINISHED
from procedures.reports.data_sets import as_text, knowm, mnist


@click.command()
@click.option("--check", is_flag=True, help="Compare MNIST with its published checksums.")
@click.option(
    "--mnist-folder",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="The only folder to look for MNIST in.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def data(check: bool, mnist_folder: Path | None, as_json: bool) -> int:
    """Say which data sets are there, where they were looked for, and how to get them.

    Exits with 0; with --check, with 1 if a file of MNIST is missing or wrong.
    """
    digits = mnist(mnist_folder, check)
    found = [digits, knowm()]
    if as_json:
        click.echo(to_json({"data_sets": [one.as_json_object() for one in found]}))
    else:
        click.echo("\n\n".join(map(as_text, found)))
    return FAILED if check and not digits.is_right else FINISHED
