"""``hil import``: measurements of others, as runs."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TypeVar

import click

from calibration.imports import (
    Duplicate,
    Facts,
    Measurement,
    Stored,
    TableFacts,
    read_memristor_discovery,
    read_table,
    store_measurements,
)
from hil import interrupts
from hil.store import check_database, to_json
from procedures.cli.exits import ABORTED, FAILED, FINISHED
from procedures.runner import STOPPING

F = TypeVar("F", bound=Callable[..., object])

_metadata_option = click.option(
    "--metadata",
    type=click.Path(path_type=Path),
    help="TOML file that says what the files do not tell.",
)
_settings_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="One such fact, for example dopant=W; wins over all others. May be repeated.",
)


def _store_options(command: F) -> F:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
        click.option(
            "--skip-duplicates", is_flag=True, help="Leave duplicates out and still exit with 0."
        ),
        click.option(
            "--db",
            "database",
            type=click.Path(path_type=Path),
            default="runs.sqlite",
            show_default=True,
            help="SQLite file; made if there is none.",
        ),
        _settings_option,
        _metadata_option,
    ):
        command = option(command)
    return command


@click.group("import", subcommand_metavar="FORMAT FILE...")
def import_data() -> None:
    """Import measured loops: each becomes a run with source bench.

    All files are read and checked before anything is stored. Data that are in the database already
    are refused.
    """


@import_data.command("memristor-discovery")
@click.argument(
    "paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH..."
)
@_store_options
def memristor_discovery(
    paths: Sequence[Path],
    metadata: Path | None,
    settings: Sequence[str],
    database: Path,
    skip_duplicates: bool,
    as_json: bool,
) -> int:
    """Import CSV files of Memristor Discovery, or folders of them.

    Two files make one loop: NAME_memristor.csv and NAME_applied.csv, or Memristor.csv and
    Resistor+Memristor.csv in a folder NAME, with a NAME such as Rs5k_0p8V_10Hz_M1. What the name
    does not tell stands in metadata.toml in the folder, or in NAME.toml beside the files.
    """
    check_database(database)
    measurements = read_memristor_discovery(paths, metadata, Facts.of_settings(settings))
    return _store(database, measurements, skip_duplicates, as_json)


@import_data.command()
@click.argument("file", type=click.Path(path_type=Path))
@_store_options
def table(
    file: Path,
    metadata: Path | None,
    settings: Sequence[str],
    database: Path,
    skip_duplicates: bool,
    as_json: bool,
) -> int:
    """Import one CSV file with a heading, such as time (s), v_source (V), current (uA).

    Columns: time, v_source, v_device, current; one of the two voltages is enough. A unit stands in
    the heading or in the metadata.
    """
    check_database(database)
    measurement = read_table(file, metadata, TableFacts.of_settings(settings))
    return _store(database, [measurement], skip_duplicates, as_json)


def _store(
    database: Path, measurements: Sequence[Measurement], skip_duplicates: bool, as_json: bool
) -> int:
    stored: list[Stored] = []
    duplicates: list[Duplicate] = []
    aborted = False
    try:
        with _stopping_between_runs():
            for done in store_measurements(database, measurements):
                _note(done, stored, duplicates, as_json)
    except KeyboardInterrupt:
        aborted = True
    if as_json:
        click.echo(to_json(_summary(database, stored, duplicates)))
    else:
        click.echo(f"imported {len(stored)}, left out as duplicates {len(duplicates)}")
        click.echo(f"database: {database.resolve()}")
    if aborted:
        click.echo(
            f"hil: aborted: {len(stored)} of {len(measurements)} loops are stored; the same "
            "command with --skip-duplicates stores the rest",
            err=True,
        )
        return ABORTED
    return FAILED if duplicates and not skip_duplicates else FINISHED


def _note(
    done: Stored | Duplicate, stored: list[Stored], duplicates: list[Duplicate], as_json: bool
) -> None:
    if isinstance(done, Duplicate):
        duplicates.append(done)
        click.echo(f"hil: {done}", err=True)
        return
    stored.append(done)
    if not as_json:
        click.echo(f"{done.run_id}  {done.measurement.name}")


def _summary(
    database: Path, stored: Sequence[Stored], duplicates: Sequence[Duplicate]
) -> dict[str, object]:
    return {
        "database": str(database.resolve()),
        "imported": [
            {
                "run_id": done.run_id,
                "files": done.measurement.files,
                **done.measurement.facts.told(),
            }
            for done in stored
        ],
        "duplicates": [
            {"files": done.measurement.files, "same_as_run": done.run_id, "reason": str(done)}
            for done in duplicates
        ],
    }


@contextmanager
def _stopping_between_runs() -> Iterator[None]:
    """Let the first signal stop the import as soon as a run is whole, and further ones nothing."""
    asked = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if not asked:
            asked = True
            interrupts.interrupt(signal.Signals(number).name)

    interrupts.reset()
    before = {
        number: signal.signal(number, handle)
        for number in STOPPING
        if signal.getsignal(number) not in (signal.SIG_IGN, None)
    }
    try:
        yield
    finally:
        interrupts.reset()
        for number, handler in before.items():
            signal.signal(number, handler)
