"""``hil gui``: a pymeasure window over a procedure."""

from __future__ import annotations

import logging
import os
from typing import Any

import click

from hil.errors import HilError
from procedures.base import BoardProcedure
from procedures.cli.run import parameter_options, parameter_values
from procedures.gui.packages import has_screen, how_to_install
from procedures.registry import PROCEDURES, find_procedure, first_line


class _Windows(click.Group):
    """Makes the command of a procedure when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(PROCEDURES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        procedure = find_procedure(cmd_name)
        return click.Command(
            cmd_name,
            callback=lambda **given: _open(procedure, given),
            params=list(parameter_options(procedure)),
            help=f"Open a window. {first_line(procedure)}",
            short_help=first_line(procedure),
        )


@click.group(cls=_Windows, subcommand_metavar="PROCEDURE [PARAMETERS]...")
def gui() -> None:
    """Open a window on a procedure; its parameters are the window's first values."""


def _open(procedure: type[BoardProcedure], given: dict[str, Any]) -> int:
    values = parameter_values(procedure, given)
    try:
        from procedures.gui.window import show_window  # Qt is an extra
    except ImportError as error:
        raise HilError(how_to_install(error)) from error
    if not has_screen(os.environ):
        raise HilError(
            "windows need a screen: set DISPLAY or WAYLAND_DISPLAY, or QT_QPA_PLATFORM=offscreen "
            "to do without; `hil run` needs none"
        )
    # The log tab of the window takes more than the terminal, which stays as quiet as it was asked.
    root = logging.getLogger()
    for handler in root.handlers:
        handler.setLevel(root.level)
    return show_window(procedure, values)
