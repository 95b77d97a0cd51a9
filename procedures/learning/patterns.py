"""Patterns of 3 x 3 pixels that a user draws in a text file.

::

    ; lines that begin with ; are comments
    [cross]
    #.#
    .#.
    #.#

    [ring]
    ###
    #.#
    ###

Two headings name the two classes. ``#``, ``X`` or ``1`` is a lit pixel, ``.`` or ``0`` a dark one.
Patterns are three lines each, with an empty line between them. A pattern that is drawn twice in one
class counts twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hil.errors import ParameterError
from hil.types import FloatArray
from procedures.learning.images import Task

_SIDE = 3
_LIT, _DARK = "#X1", ".0"


@dataclass
class _Class:
    name: str
    line: int
    patterns: dict[int, FloatArray] = field(default_factory=dict)  # by their first line


@dataclass
class _Block:
    line: int
    rows: list[str] = field(default_factory=list)


def load_patterns(path: str | Path) -> Task:
    """Read a task from a text file, UTF-8; class 0 is the first in the file.

    Returns:
        The task; its test images are the training images.

    Raises:
        ParameterError: the file cannot be read or is not as the module says; names file and line.
    """
    classes = _Reader(Path(path)).read()
    images = np.array([image for found in classes for image in found.patterns.values()])
    labels = np.repeat([0, 1], [len(found.patterns) for found in classes])
    return Task(f"drawn {classes[0].name}/{classes[1].name}", images, labels.astype(np.int64))


class _Reader:
    """Reads one file; every complaint names it and a line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._classes: list[_Class] = []
        self._block: _Block | None = None

    def read(self) -> list[_Class]:
        lines = _text(self._path).removesuffix("\n").split("\n")
        for number, line in enumerate(lines, start=1):
            self._take(number, line.strip())
        self._end_block()
        if len(self._classes) != 2:
            raise self._wrong(
                len(lines), f"ends after {len(self._classes)} of 2 headings; add [name of class]"
            )
        self._check_class()
        self._check_overlap()
        return self._classes

    def _take(self, number: int, line: str) -> None:
        if line.startswith(";"):
            return
        if line.startswith("["):
            self._end_block()
            self._begin_class(number, line)
        elif line:
            self._add_row(number, line)
        else:
            self._end_block()

    def _begin_class(self, number: int, line: str) -> None:
        name = line[1:-1].strip()
        if not line.endswith("]") or not name:
            raise self._wrong(number, f"{_short(line)} is no heading; write [name of class]")
        if len(self._classes) == 2:
            raise self._wrong(number, "a third heading; there are exactly two classes, remove one")
        if name in (found.name for found in self._classes):
            raise self._wrong(number, f"heading [{name}] again; give the second class its own name")
        self._check_class()
        self._classes.append(_Class(name, number))

    def _add_row(self, number: int, line: str) -> None:
        if not self._classes:
            raise self._wrong(number, "a pattern before any heading; begin with [name of class]")
        if len(line) != _SIDE or set(line) - set(_LIT + _DARK):
            raise self._wrong(
                number,
                f"{_short(line)} is no row; write {_SIDE} of {_LIT} (lit) and {_DARK} (dark)",
            )
        if self._block is None:
            self._block = _Block(number)
        self._block.rows.append(line)
        if len(self._block.rows) > _SIDE:
            raise self._wrong(
                number, f"row {_SIDE + 1} of a pattern; put an empty line after each {_SIDE} rows"
            )

    def _end_block(self) -> None:
        block, self._block = self._block, None
        if block is None:
            return
        if len(block.rows) < _SIDE:
            raise self._wrong(
                block.line, f"a pattern of {len(block.rows)} rows; it needs {_SIDE} without a gap"
            )
        pixels = [float(char in _LIT) for row in block.rows for char in row]
        self._classes[-1].patterns[block.line] = np.array(pixels)

    def _check_class(self) -> None:
        """Refuse the latest class if it is empty."""
        if self._classes and not self._classes[-1].patterns:
            found = self._classes[-1]
            raise self._wrong(found.line, f"no pattern under [{found.name}]; draw at least one")

    def _check_overlap(self) -> None:
        first, second = self._classes
        lines = {image.tobytes(): line for line, image in first.patterns.items()}
        for line, image in second.patterns.items():
            if image.tobytes() in lines:
                raise self._wrong(
                    line,
                    f"the same pattern as in line {lines[image.tobytes()]}, "
                    f"but in the other class; remove one",
                )

    def _wrong(self, number: int, what: str) -> ParameterError:
        return ParameterError(f"{self._path}, line {number}: {what}")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ParameterError(
            f"{path}: cannot be read: {error.strerror}; give a text file of patterns"
        ) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ParameterError(
            f"{path}, line {line}: this is no UTF-8 text; save it as UTF-8"
        ) from error


def _short(line: str) -> str:
    return repr(line if len(line) <= 20 else f"{line[:20]}...")
