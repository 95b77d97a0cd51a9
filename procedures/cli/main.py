"""Commands, and what an error looks like: one line, and an exit code that says what happened."""

from __future__ import annotations

import errno
import logging
import os
import sys
import warnings

import click

from hil.errors import HilError, UsageError
from procedures.cli.browse import export, plot, runs, show
from procedures.cli.calibrate import calibrate
from procedures.cli.calibrations import calibrations
from procedures.cli.catalogue import list_procedures, stations
from procedures.cli.compare import compare, drift
from procedures.cli.data import data
from procedures.cli.exits import ABORTED, FAILED, FINISHED, USAGE
from procedures.cli.gui import gui
from procedures.cli.imports import import_data
from procedures.cli.report import report
from procedures.cli.run import run
from procedures.cli.shadow import shadow
from procedures.cli.study import study
from procedures.cli.twin import twin


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="memristor-hil", prog_name="hil")
@click.option("-v", "--verbose", is_flag=True, help="Log what is done.")
def hil(verbose: bool) -> None:
    """Run memristor experiments on a bench or on its twin.

    Every pulse, conductance and joule goes to an SQLite database. Start with

    \b
      hil run iv-sweep --station twin
      hil show latest
      hil plot latest

    Exit codes: 0 finished, 1 failed, 2 wrong usage, 3 aborted.
    """  # noqa: D301 (click reads the \\b)
    logging.basicConfig(
        level=logging.INFO if verbose else logging.CRITICAL,
        format="hil: %(levelname)s: %(message)s",
    )
    logging.getLogger("procedures").setLevel(logging.INFO if verbose else logging.WARNING)
    if not verbose:
        warnings.simplefilter("ignore")


for command in (
    run,
    study,
    report,
    shadow,
    compare,
    drift,
    calibrate,
    calibrations,
    list_procedures,
    runs,
    show,
    export,
    plot,
    import_data,
    data,
    gui,
    twin,
    stations,
):
    hil.add_command(command)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; ends the process.

    Exits with 0 if what was asked was done, 1 if it failed, 2 if the request was wrong, and 3 if
    it was aborted by Ctrl-C or SIGTERM.
    """
    try:
        code = hil.main(arguments, prog_name="hil", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "")
        code = USAGE
    except click.ClickException as error:
        code = _complain(error.format_message(), USAGE)
    except UsageError as error:
        code = _complain(str(error), USAGE)
    except HilError as error:
        code = _complain(str(error), FAILED)
    except (click.Abort, KeyboardInterrupt):
        code = _complain("aborted", ABORTED)
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.EIO):
            raise
        # Whoever read the output has gone; there is nobody to tell, and nothing may be flushed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = FAILED
    sys.exit(FINISHED if code is None else code)


def _complain(message: str, code: int) -> int:
    click.echo(f"hil: {' '.join(message.split())}", err=True)
    return code
