"""How values that SQLite or JSON cannot hold are written: NaN, infinities, numpy, odd text."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from enum import Enum
from pathlib import PurePath
from typing import Any

import numpy as np

from hil.errors import StoreError
from hil.types import FloatArray

SqlValue = float | int | str | bytes | None

NAN = "NaN"
"""Stands for NaN in REAL columns, because SQLite turns a NaN into NULL. NULL means 'not given'."""

_FLOAT_KEY = "$float"
_NON_FINITE = {NAN: math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def sql_float(value: float) -> SqlValue:
    """Return ``value`` for a REAL column."""
    return float(value) if value == value else NAN


def sql_floats(values: FloatArray) -> list[SqlValue]:
    """Return a one-dimensional array for a REAL column."""
    plain: list[SqlValue] = values.tolist()
    total = sum(plain)  # type: ignore[arg-type]  # the array holds floats only
    # A NaN anywhere makes the sum one; so do two infinities, for which the slow way is right too.
    return plain if total == total else [sql_float(value) for value in values.tolist()]


def sql_text(value: str) -> str:
    r"""Return text that is valid UTF-8; what is not becomes a ``\udc80`` of six letters."""
    return value.encode("utf-8", "backslashreplace").decode("utf-8")


def float_array(values: list[SqlValue]) -> FloatArray:
    """Return what a REAL column gave; both NaN and NULL become NaN."""
    return np.array(values, dtype=np.float64)


def to_json(value: object) -> str:
    """Return ``value`` as strict JSON text; ``from_json`` gives it back.

    Non-finite floats become ``{"$float": "NaN"}``, ``{"$float": "Infinity"}`` and
    ``{"$float": "-Infinity"}``; numpy scalars and arrays become numbers and lists; enums, paths,
    dates and data classes become what they are made of.

    Raises:
        StoreError: ``value`` holds something that has no such form.
    """
    try:
        try:
            return _ENCODER.encode(value)
        except ValueError:
            return _ENCODER.encode(_tagged(value))
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(f"{type(value).__name__} cannot be stored as JSON: {error}") from error


def from_json(text: str) -> Any:
    """Return the value of a text that ``to_json`` made."""
    return json.loads(text, object_hook=_untagged)


def _tagged(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return {_FLOAT_KEY: NAN if value != value else "Infinity" if value > 0 else "-Infinity"}
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return {key: _tagged(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_tagged(item) for item in value]
    return _tagged(_plain(value))


def _untagged(found: dict[str, Any]) -> Any:
    if len(found) == 1 and found.get(_FLOAT_KEY) in _NON_FINITE:
        return _NON_FINITE[found[_FLOAT_KEY]]
    return found


def _plain(value: object) -> object:
    """Return ``value`` one step closer to what JSON knows."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"no JSON form of {type(value).__name__}")


_ENCODER = json.JSONEncoder(allow_nan=False, default=_plain)
