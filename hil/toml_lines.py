"""Where in a TOML text a key stands, so that an error can name its line."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import ValidationError

_TABLE = re.compile(r"^\s*\[(?P<array>\[)?\s*(?P<name>[^\[\]]+?)\s*\]?\]")
_KEY = re.compile(r"^\s*(?P<key>[A-Za-z0-9_.\"'-]+)\s*=")


def find_line(toml_text: str, path: Sequence[str | int]) -> int | None:
    """Return the line (from 1) of the value at ``path``, or of its nearest parent.

    Args:
        toml_text: a text that parses as TOML.
        path: keys and list indices from the root, for example ``('device', 3, 'dopant')``.

    Returns:
        None if not even the first key was found: the path names something that is missing.
    """
    best_depth, best_line = 0, None
    for line, here in _positions(toml_text):
        depth = _common(here, path)
        if depth == len(here) and depth > best_depth:
            best_depth, best_line = depth, line
    return best_line


def explain(error: ValidationError, toml_text: str) -> str:
    """Say in one line what pydantic found first: ``, line 7: smu.address: this key is missing``."""
    first = error.errors(include_url=False)[0]
    found_at = first.get("ctx", {}).get("path", first["loc"])
    path = [part for part in found_at if part != "[key]"]
    line = find_line(toml_text, path)
    where = f", line {line}" if line else ""
    key = ".".join(str(part) for part in path)
    message = first["msg"]
    if first["type"] == "extra_forbidden":
        message = "no such key"
    elif first["type"] == "missing":
        message = "this key is missing"
    given = first["input"]
    shown = f" (got {given!r})" if isinstance(given, str | int | float) else ""
    return f"{where}: {key + ': ' if key else ''}{message}{shown}"


def _positions(toml_text: str) -> list[tuple[int, tuple[str | int, ...]]]:
    found: list[tuple[int, tuple[str | int, ...]]] = []
    table: tuple[str | int, ...] = ()
    counts: dict[tuple[str | int, ...], int] = {}
    for line, text in enumerate(toml_text.splitlines(), start=1):
        if header := _TABLE.match(text):
            table = _split(header["name"])
            if header["array"]:
                index = counts.get(table, -1) + 1
                counts[table] = index
                table = (*table, index)
            found.append((line, table))
        elif key := _KEY.match(text):
            found.append((line, (*table, *_split(key["key"]))))
    return found


def _split(dotted: str) -> tuple[str | int, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def _common(here: Sequence[str | int], path: Sequence[str | int]) -> int:
    depth = 0
    for a, b in zip(here, path, strict=False):
        if a != b:
            break
        depth += 1
    return depth
