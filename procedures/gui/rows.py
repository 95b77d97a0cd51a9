"""The rows behind a plot: pymeasure draws out of a CSV file, so every run has a temporary one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pymeasure.experiment import Results
from pymeasure.experiment.results import CSVFormatter

from procedures.base import BoardProcedure


class QuotingFormatter(CSVFormatter):
    """pymeasure's formatter, with words in quotes: a comma in a name does not shift the columns."""

    def format(self, record: Mapping[str, Any]) -> str:
        """Return one row as text."""
        line: str = super().format({column: _quoted(value) for column, value in record.items()})
        return line


class PlotRows(Results):
    """What a window draws a run from. The record of the run is in the database.

    Args:
        procedure: about to run.
        path: of the CSV file to make.
    """

    def __init__(self, procedure: BoardProcedure, path: Path) -> None:
        super().__init__(procedure, str(path))
        self.formatter = QuotingFormatter(columns=procedure.DATA_COLUMNS)


def _quoted(value: object) -> object:
    if not isinstance(value, str):
        return value
    in_one_line = " ".join(value.split())
    return '"' + in_one_line.replace('"', '""') + '"'
