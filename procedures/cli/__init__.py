"""The command line ``hil``."""

from procedures.cli.main import main

__all__ = ["main"]
