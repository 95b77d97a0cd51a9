"""Which column of a table is which quantity, and in which unit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from calibration.imports.facts import Column
from hil.errors import UsageError

UNITS: dict[Column, dict[str, float]] = {
    "time": {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9},
    "source_voltage": {"V": 1.0, "mV": 1e-3, "uV": 1e-6},
    "device_voltage": {"V": 1.0, "mV": 1e-3, "uV": 1e-6},
    "current": {"A": 1.0, "mA": 1e-3, "uA": 1e-6, "nA": 1e-9, "pA": 1e-12},
}
"""Units by quantity, each with its value in the SI unit."""

_USUAL: dict[Column, tuple[str, ...]] = {
    "time": ("t", "time"),
    "source_voltage": ("v_source", "source_voltage", "v_applied", "applied_voltage"),
    "device_voltage": ("v_device", "device_voltage", "v_memristor", "memristor_voltage"),
    "current": ("i", "current"),
}
_IN_BRACKETS = re.compile(r"^(.*?)\s*[\[(]\s*([^\])]*?)\s*[\])]$")


@dataclass(frozen=True)
class Place:
    """Where a quantity stands in a row, and what one of its unit is in the SI unit."""

    index: int
    factor: float


def find_columns(
    headings: Sequence[str],
    named: Mapping[Column, str],
    units: Mapping[Column, str],
    path: Path,
) -> dict[Column, Place]:
    """Return where each quantity stands that the table has.

    A heading is a name with a unit, ``Current (uA)``, ``current [uA]`` or ``i_ua``, or a bare name
    whose unit is told in ``units``. What is told wins over the heading.

    Args:
        headings: of all columns.
        named: headings that are not the usual ones, with or without their unit.
        units: where the headings do not tell them.
        path: of the table, for messages.

    Raises:
        UsageError: a heading is missing or stands twice, or a unit is missing or unknown.
    """
    split = [_split(heading) for heading in headings]
    places: dict[Column, Place] = {}
    for column in _USUAL:
        index = _index(column, headings, [name for name, _ in split], named, path)
        if index is not None:
            unit = units.get(column) or split[index][1]
            places[column] = Place(index, _factor(column, unit, headings[index], path))
    return places


def _index(
    column: Column,
    headings: Sequence[str],
    names: Sequence[str],
    named: Mapping[Column, str],
    path: Path,
) -> int | None:
    if column in named:
        wanted = named[column]
        found = [
            k for k, (h, n) in enumerate(zip(headings, names, strict=True)) if wanted in (h, n)
        ]
    else:
        usual = _USUAL[column]
        found = [k for k, name in enumerate(names) if _plain(name) in usual]
    if len(found) > 1:
        raise UsageError(
            f"{path}: {len(found)} columns may be the {_words(column)}; name the right one in "
            f"columns.{column} of the metadata"
        )
    if not found and column in named:
        raise UsageError(
            f"{path}: no column {named[column]!r} (columns.{column}); there are "
            f"{', '.join(map(repr, headings))}"
        )
    return found[0] if found else None


def _split(heading: str) -> tuple[str, str]:
    """Return name and unit of a heading; the unit is empty if it tells none."""
    if found := _IN_BRACKETS.match(heading):
        return found[1], found[2]
    name, _, last = heading.rpartition("_")
    by_suffix = {unit.lower(): unit for units in UNITS.values() for unit in units}
    return (name, by_suffix[last]) if name and last in by_suffix else (heading, "")


def _factor(column: Column, unit: str, heading: str, path: Path) -> float:
    known = UNITS[column]
    usual = next(iter(known))
    plain = unit.replace("µ", "u").replace("μ", "u")  # the micro sign and the Greek letter
    if plain in known:
        return known[plain]
    what = f"unit {unit!r} is not known" if unit else "no unit"
    raise UsageError(
        f"{path}: column {heading!r}: {what}; write one of {', '.join(known)} into the heading, "
        f"as in '{heading.split(' (')[0]} ({usual})', or into units.{column} of the "
        "metadata"
    )


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.strip().lower())


def _words(column: Column) -> str:
    return column.replace("_", " ")
