"""Which columns of a procedure a window plots. No Qt in here."""

from __future__ import annotations

from dataclasses import dataclass

from procedures.base import BoardProcedure

TEXT_COLUMNS = frozenset({"Device", "Outcome"})
"""Columns that hold words: they are recorded, and cannot be an axis."""


@dataclass(frozen=True)
class Axes:
    """The columns that a window plots first.

    Attributes:
        x: column.
        y: column.
        joined: whether rows follow from each other, so that a line may join them.
    """

    x: str
    y: str
    joined: bool = True


_PREFERRED = (
    Axes("Device voltage (V)", "Current (A)"),
    Axes("Target (S)", "Conductance (S)", joined=False),
    Axes("Pulse", "Conductance (S)"),
    Axes("Time (s)", "Conductance (S)", joined=False),
)


def numeric_columns(procedure: type[BoardProcedure]) -> list[str]:
    """Return the columns that can be an axis."""
    return [column for column in procedure.DATA_COLUMNS if column not in TEXT_COLUMNS]


def first_axes(procedure: type[BoardProcedure]) -> Axes:
    """Return the first pair of well-known columns that the procedure has, or its outermost ones."""
    columns = numeric_columns(procedure)
    for axes in _PREFERRED:
        if axes.x in columns and axes.y in columns:
            return axes
    return Axes(columns[0], columns[-1])


def parameters_as_written(procedure: type[BoardProcedure]) -> list[str]:
    """Return the parameter names in the order of the source text, those of the base last."""
    known = set(procedure.parameter_names())
    written = [name for owner in procedure.__mro__ for name in vars(owner) if name in known]
    return list(dict.fromkeys(written))
