"""``hil run``: one command for each procedure, with an option for each of its parameters."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
from pymeasure.experiment import BooleanParameter, Parameter
from tqdm import tqdm

from hil.errors import HilError, UsageError
from hil.store import RunDatabase, to_json
from procedures.base import BoardProcedure, allowed, convert
from procedures.cli.exits import BY_STATUS
from procedures.registry import PROCEDURES, find_procedure, first_line
from procedures.reports.summary import as_text, summarise
from procedures.runner import STOPPING, Outcome
from procedures.runner import run as run_procedure

_SHORT = {"database": "--db"}


class ProcedureGroup(click.Group):
    """Makes the command of a procedure when it is asked for, by ``make_command``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the procedures."""
        return list(PROCEDURES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """Return the command of one; an unknown name is wrong usage."""
        return self.make_command(cmd_name, find_procedure(cmd_name))

    def make_command(self, name: str, procedure: type[BoardProcedure]) -> click.Command:
        """Return the command of a procedure."""
        return procedure_command(
            name, procedure, lambda as_json, **given: _run(procedure, given, as_json), []
        )


@click.group(cls=ProcedureGroup, subcommand_metavar="PROCEDURE [PARAMETERS]...")
def run() -> None:
    """Run a procedure on a station: `hil run PROCEDURE --help` lists its parameters."""


def parameter_options(procedure: type[BoardProcedure]) -> list[click.Option]:
    """Return one option for each parameter of a procedure."""
    return [_option(name, getattr(procedure, name)) for name in procedure.parameter_names()]


def parameter_values(
    procedure: type[BoardProcedure], given: dict[str, str | None]
) -> dict[str, object]:
    """Return the parameters that were given, converted.

    Raises:
        ParameterError: a value is out of range or of the wrong kind.
    """
    return {
        name: convert(name, getattr(procedure, name), value)
        for name, value in given.items()
        if value is not None
    }


def procedure_command(
    name: str,
    procedure: type[BoardProcedure],
    callback: Callable[..., int],
    more: list[click.Option],
) -> click.Command:
    """Return a command with an option for each parameter of a procedure, ``more``, and --json."""
    as_json = click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON document.")
    return click.Command(
        name,
        callback=callback,
        params=[*parameter_options(procedure), *more, as_json],
        help=procedure.__doc__,
        short_help=first_line(procedure),
    )


def _option(name: str, parameter: Parameter) -> click.Option:
    flag = _SHORT.get(name, f"--{name.replace('_', '-')}")
    says = [parameter.description or parameter.name, allowed(parameter)]
    if parameter.default is not None:
        says.append(f"default {parameter}")
    text = "; ".join(part for part in says if part and part != "text") + "."
    if isinstance(parameter, BooleanParameter):
        return click.Option(
            [flag, name],
            type=str,
            is_flag=False,
            flag_value="true",
            metavar="TRUE|FALSE",
            help=text,
        )
    unit = getattr(parameter, "units", None)
    return click.Option([flag, name], type=str, metavar=unit or "VALUE", help=text)


def _run(procedure_class: type[BoardProcedure], given: dict[str, Any], as_json: bool) -> int:
    procedure = procedure_class(**parameter_values(procedure_class, given))
    outcome = carry_out(procedure)
    print_run(Path(procedure.database), outcome, as_json)
    return BY_STATUS[outcome.status]


def carry_out(procedure: BoardProcedure) -> Outcome:
    """Run a procedure with a progress bar; from here on signals stop the run, and nothing else.

    Raises:
        HilError: the run never began.
    """
    _leave_signals_to_the_run()
    with _Progress() as progress:
        outcome = run_procedure(procedure, progress.listen)
    if not outcome.run_id:
        raise _never_began(outcome)
    return outcome


def _leave_signals_to_the_run() -> None:
    """From here to the end of the process a signal stops the run, and nothing else.

    Once the run is over it is only printed; an impatient second Ctrl-C must not spoil that.
    """
    for number in STOPPING:
        if signal.getsignal(number) not in (signal.SIG_IGN, None):
            signal.signal(number, lambda *_: None)


def _never_began(outcome: Outcome) -> BaseException:
    """Return what to raise for a run that ended before its first row."""
    if isinstance(outcome.cause, HilError | KeyboardInterrupt):
        return outcome.cause
    return HilError(outcome.error or "the run did not begin")


def print_run(
    path: Path,
    outcome: Outcome,
    as_json: bool,
    more: Mapping[str, object] | None = None,
    more_text: str = "",
) -> None:
    """Print what there is to say about a run that has ended, with more if there is more."""
    with RunDatabase(path) as database:
        summary = summarise(database, database.find(outcome.run_id))
    summary |= {"database": str(path.resolve())} | dict(more or {})
    if as_json:
        click.echo(to_json(summary))
    else:
        click.echo("\n".join(filter(None, (as_text(summary), more_text))))
        click.echo(f"database: {summary['database']}")
    if outcome.error:
        click.echo(f"hil: run {outcome.run_id} {outcome.status}: {outcome.error}", err=True)


class _Progress:
    """A bar on standard error, if a person is looking."""

    def __init__(self) -> None:
        self._bar = tqdm(
            total=100,
            unit="%",
            leave=False,
            disable=not sys.stderr.isatty(),
            bar_format="{l_bar}{bar}| {elapsed}<{remaining}",
        )

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def listen(self, topic: str, record: Any) -> None:
        if topic == "progress":
            self._bar.update(float(record) - self._bar.n)


def require_procedure(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """Check the name of a procedure in an argument."""
    try:
        find_procedure(value)
    except UsageError as error:
        raise click.BadParameter(str(error)) from error
    return value
