"""Tables of numbers in text files, read strictly: a row that cannot be meant has its line named."""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from calibration.imports.measurement import SourceFile
from hil.errors import UsageError
from hil.types import FloatArray


def read_lines(path: Path, name: str) -> tuple[list[str], SourceFile]:
    """Read a text file once; return its lines, without empty ones at the end, and its hash.

    Raises:
        UsageError: it cannot be read, is no UTF-8 text, or holds nothing.
    """
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: no text file (byte {error.start} is not UTF-8)") from error
    lines = text.rstrip().splitlines()
    if not lines:
        raise UsageError(f"{path}: the file is empty")
    return lines, SourceFile(name, hashlib.sha256(content).hexdigest())


def split_rows(
    lines: Sequence[str], n_columns: int, path: Path, first_line: int = 1, delimiter: str = ","
) -> list[list[str]]:
    """Return the cells of a table as text, row by row.

    Raises:
        UsageError: a row has too few or too many cells.
    """
    rows = []
    for line, text in enumerate(lines, start=first_line):
        try:
            cells = next(csv.reader([text], delimiter=delimiter), [])
        except csv.Error as error:
            raise UsageError(f"{path}, line {line}: {error}") from error
        if len(cells) != n_columns:
            raise UsageError(
                f"{path}, line {line}: {len(cells)} columns where {n_columns} are expected: "
                f"{_short(text)!r}"
            )
        rows.append(cells)
    return rows


def numbers(
    rows: Sequence[Sequence[str]], columns: Sequence[int], path: Path, first_line: int = 1
) -> FloatArray:
    """Return some columns as numbers, shape (n_rows, n_columns); the others may hold anything.

    Raises:
        UsageError: a cell is no finite number.
    """
    found = [
        [_number(row[column], path, line) for column in columns]
        for line, row in enumerate(rows, start=first_line)
    ]
    return np.array(found, dtype=float).reshape(-1, len(columns))


def _number(cell: str, path: Path, line: int) -> float:
    try:
        value = float(cell.replace("_", "?"))  # Python reads 1_000, nobody else writes it
    except ValueError as error:
        raise UsageError(f"{path}, line {line}: {_short(cell)!r} is not a number") from error
    if not math.isfinite(value):
        raise UsageError(f"{path}, line {line}: {value:g} is not a finite number")
    return value


def _short(text: str) -> str:
    return text.strip() if len(text) <= 40 else f"{text.strip()[:37]}..."
