"""Any table of voltage, current and time with a heading."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration.imports.checks import check_resistor
from calibration.imports.columns import find_columns
from calibration.imports.facts import (
    ALWAYS_NEEDED,
    FILE_NAME,
    Column,
    Facts,
    TableFacts,
    read_facts,
    require,
)
from calibration.imports.measurement import Measurement, SourceFile
from calibration.imports.text_tables import numbers, read_lines, split_rows
from hil.errors import UsageError
from hil.types import FloatArray, Source

MIN_ROWS = 8
"""Fewer rows are no loop."""

_DELIMITERS = ("\t", ";", ",")
_STEP_TOLERANCE_RATIO = 0.01


def read_table(
    path: Path, metadata: Path | None = None, settings: Facts | None = None
) -> Measurement:
    """Read and check one table; writes nothing.

    Lines before the heading that begin with ``#`` are passed over. Columns are separated by comma,
    semicolon or tab; numbers have a decimal point. One of the two voltages is enough: the series
    resistor gives the other. Time comes from its column, from ``step_s``, or, for exactly one
    period of a steady state (``periodic = true``), from ``frequency_hz``.

    Args:
        path: of the table.
        metadata: a TOML file of facts about it; ``metadata.toml`` beside it is read before.
        settings: facts that win over all others.

    Raises:
        UsageError: the file is wrong, something about it is not told, or its numbers disagree with
            what is told.
    """
    path = path.absolute()
    beside = path.parent / FILE_NAME
    layers: list[Facts] = [read_facts(beside, TableFacts)] if beside.exists() else []
    layers += [read_facts(metadata, TableFacts)] if metadata else []
    layers += [settings] if settings else []
    facts = TableFacts.merged(layers)
    table = _read(path, facts)
    require(facts, ALWAYS_NEEDED, str(path), path.parent)
    t_s = _times(table, facts)
    i_a = table.columns["current"]
    v_source_v, v_device_v, seen = _voltages(table, facts, i_a)
    periodic = bool(facts.periodic)
    if periodic:
        _check_period(path, t_s, facts.frequency_hz)
    return Measurement(
        "table", facts, (table.file,), t_s, v_source_v, v_device_v, i_a, periodic, seen
    )


@dataclass(frozen=True)
class _Table:
    """A table that was read: its quantities in SI units; the current is among them."""

    path: Path
    file: SourceFile
    columns: dict[Column, FloatArray]


def _read(path: Path, facts: TableFacts) -> _Table:
    lines, file = read_lines(path, path.name)
    n_comments = next((k for k, line in enumerate(lines) if not line.startswith("#")), len(lines))
    if n_comments == len(lines):
        raise UsageError(f"{path}: no heading and no rows, only comments")
    heading = lines[n_comments]
    delimiter = next((d for d in _DELIMITERS if d in heading), ",")
    headings = [cell.strip() for cell in next(csv.reader([heading], delimiter=delimiter))]
    first_line = n_comments + 2
    cells = split_rows(lines[n_comments + 1 :], len(headings), path, first_line, delimiter)
    if len(cells) < MIN_ROWS:
        raise UsageError(f"{path}: {len(cells)} rows are no loop; {MIN_ROWS} are the least")
    _check_measured(path, headings, cells)
    places = find_columns(headings, facts.columns or {}, facts.units or {}, path)
    if "current" not in places:
        raise UsageError(
            f"{path}: no column is the current; name it in columns.current of the metadata"
        )
    rows = numbers(cells, [place.index for place in places.values()], path, first_line)
    columns = {name: rows[:, k] * place.factor for k, (name, place) in enumerate(places.items())}
    return _Table(path, file, columns)


def _check_measured(path: Path, headings: list[str], cells: list[list[str]]) -> None:
    """Refuse what an export of ours calls simulated: an import is stored as measured."""
    if "source" not in headings:
        return
    for row in cells:
        source = row[headings.index("source")].strip()
        if source in (Source.TWIN, Source.REPLAY):
            raise UsageError(
                f"{path}: its column 'source' says {source!r}; only measured data can be imported"
            )


def _times(table: _Table, facts: TableFacts) -> FloatArray:
    t_s = table.columns.get("time")
    n = len(table.columns["current"])
    if t_s is None:
        if facts.step_s:
            return np.arange(n, dtype=float) * facts.step_s
        if facts.frequency_hz and facts.periodic:
            return np.arange(n) / (n * facts.frequency_hz)
        raise UsageError(
            f"{table.path}: nothing tells the time; add a column 'time (s)', or step_s to the "
            "metadata, or frequency_hz with periodic = true"
        )
    steps_s = np.diff(t_s)
    if (steps_s <= 0).any():
        row = int(np.argmax(steps_s <= 0)) + 2
        raise UsageError(f"{table.path}: time does not rise from row {row - 1} to row {row}")
    since_start_s: FloatArray = t_s - t_s[0]
    return since_start_s


def _voltages(
    table: _Table, facts: TableFacts, i_a: FloatArray
) -> tuple[FloatArray, FloatArray, dict[str, float]]:
    """Return both voltages, and the series resistance that they show if both were measured."""
    assert facts.series_resistor_ohm  # required before
    drop_v = i_a * facts.series_resistor_ohm
    source_v = table.columns.get("source_voltage")
    device_v = table.columns.get("device_voltage")
    if source_v is None and device_v is None:
        raise UsageError(
            f"{table.path}: no column is the source or the device voltage; name one in "
            "columns.source_voltage or columns.device_voltage of the metadata"
        )
    if source_v is None:
        assert device_v is not None
        return device_v + drop_v, device_v, {}
    if device_v is None:
        return source_v, source_v - drop_v, {}
    stated_ohm, what = facts.series_resistor_ohm, str(table.path)
    seen_ohm = check_resistor(source_v, device_v, i_a, stated_ohm, what)
    return source_v, device_v, {"series_resistor_ohm": seen_ohm}


def _check_period(path: Path, t_s: FloatArray, frequency_hz: float | None) -> None:
    if frequency_hz is None:
        raise UsageError(f"{path}: periodic = true needs frequency_hz")
    n = len(t_s)
    step_s = float(t_s[-1]) / (n - 1)
    if np.abs(t_s - step_s * np.arange(n)).max() > _STEP_TOLERANCE_RATIO * n * step_s:
        raise UsageError(f"{path}: periodic = true needs equal steps of time")
    n_periods = n * step_s * frequency_hz
    if abs(n_periods - 1) > 0.5 / n:
        raise UsageError(
            f"{path}: {n} rows are {n_periods:.4g} periods of {frequency_hz:g} Hz, not one; where "
            "the last row repeats the first, remove it"
        )
