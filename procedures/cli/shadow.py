"""``hil shadow``: a procedure on a board, with its twin beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hil.store import RunDatabase
from procedures.base import BoardProcedure
from procedures.cli.exits import BY_STATUS, FAILED
from procedures.cli.run import (
    ProcedureGroup,
    carry_out,
    parameter_values,
    print_run,
    procedure_command,
)
from procedures.reports.comparison import scores_text
from procedures.shadowing import Shadowing

_EVENT = "shadow"


class _ShadowedProcedures(ProcedureGroup):
    """Makes the command of a procedure with the options of the twin."""

    def make_command(self, name: str, procedure: type[BoardProcedure]) -> click.Command:
        return procedure_command(
            name,
            procedure,
            lambda as_json, **given: _shadow(procedure, given, as_json),
            _twin_options(),
        )


@click.group(cls=_ShadowedProcedures, subcommand_metavar="PROCEDURE [PARAMETERS]...")
def shadow() -> None:
    """Run a procedure on a station while its twin does the same, and compare the two.

    The twin takes over the state of each device at the first reading of it. A difference beyond the
    uncertainty of both readings and of the twin's model is an event in the run; the devices that
    have drifted are named at the end.

    Exit codes: 0 finished and no device drifted, 1 failed or a device drifted, 2 wrong usage, 3
    aborted (also by --stop-on-divergence).
    """


def _twin_options() -> list[click.Option]:
    return [
        click.Option(
            ["--twin", "twin"],
            default="",
            metavar="STATION",
            help="Station whose twin follows; that of --station itself if not given.",
        ),
        click.Option(
            ["--twin-seed"],
            type=click.IntRange(min=0, max=2**31 - 1),
            help="Of everything random in the twin; that of --seed if not given: the same draws.",
        ),
        click.Option(
            ["--model-uncertainty"],
            type=click.FloatRange(min=0),
            metavar="RATIO",
            help="Relative standard uncertainty of the twin's models; what their records say if "
            "not given.",
        ),
        click.Option(
            ["--stop-on-divergence"],
            is_flag=True,
            help="End the run as soon as a device has drifted, or the twin can follow no longer.",
        ),
    ]


def _shadow(procedure_class: type[BoardProcedure], given: dict[str, Any], as_json: bool) -> int:
    shadowing = Shadowing(
        twin=given.pop("twin"),
        seed=given.pop("twin_seed"),
        model_ratio=given.pop("model_uncertainty"),
        stop_on_divergence=given.pop("stop_on_divergence"),
    )
    procedure = procedure_class(**parameter_values(procedure_class, given))
    procedure.shadowing = shadowing
    outcome = carry_out(procedure)
    path = Path(procedure.database)
    found = conclusion_of(path, outcome.run_id)
    print_run(path, outcome, as_json, {_EVENT: found["data"]}, scores_text(**found))
    code = BY_STATUS[outcome.status]
    return code or (FAILED if found["data"].get("drifted") else code)


def conclusion_of(path: Path, run_id: str) -> dict[str, Any]:
    """Return what the comparison came to, as the run has it."""
    with RunDatabase(path) as database:
        events = [e for e in database.run(run_id)["events"] if e["kind"] == _EVENT]
    if not events:
        return {"message": "the comparison with the twin was not stored", "data": {}}
    return {"message": events[-1]["message"], "data": events[-1]["data"]}
