"""What a person means by a text such as ``80e-6``, ``uniform 40e-6 120e-6`` or a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hil.errors import ParameterError
from hil.types import FloatArray

HOW = "one conductance, 'uniform LOW HIGH', 'ramp LOW HIGH' (all in S), or a CSV file of them"


def target_matrix(text: str, shape: tuple[int, int], seed: int) -> FloatArray:
    """Return a target for every cell, shape (rows, columns).

    Args:
        text: a number for all; ``uniform LOW HIGH`` for even chances in between; ``ramp LOW HIGH``
            for equal steps row by row; or the path of a CSV file with one line per row.
        shape: of the board.
        seed: of the random ones.

    Raises:
        ParameterError: none of these, a file of another shape, or a conductance that is not
            positive.
    """
    words = text.split()
    n_cells = shape[0] * shape[1]
    if len(words) == 3 and words[0] in ("uniform", "ramp"):
        low, high = (_number(word) for word in words[1:])
        if not low < high:
            raise ParameterError(f"targets {text!r}: {low:g} S is not below {high:g} S")
        if words[0] == "uniform":
            rng = np.random.default_rng([seed, *b"targets"])
            targets = rng.uniform(low, high, n_cells)
        else:
            targets = np.linspace(low, high, n_cells)
    elif len(words) == 1 and not Path(text).is_file():
        targets = np.full(n_cells, _number(text))
    else:
        targets = _from_file(Path(text), shape)
    targets = targets.reshape(shape)
    bad = np.argwhere(~((targets > 0) & np.isfinite(targets)))
    if len(bad):
        row, column = bad[0]
        raise ParameterError(
            f"target of cell ({row}, {column}) is {targets[row, column]:g} S: conductances are "
            f"positive"
        )
    return targets


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise ParameterError(f"targets: {word!r} is no number and no file; give {HOW}") from None


def _from_file(path: Path, shape: tuple[int, int]) -> FloatArray:
    try:
        targets = np.loadtxt(path, delimiter=",", ndmin=2)
    except (OSError, ValueError) as error:
        raise ParameterError(f"targets: {path}: {error}; give {HOW}") from error
    if targets.shape != shape:
        raise ParameterError(
            f"targets: {path} has {targets.shape[0]} lines of {targets.shape[1]}; the board has "
            f"{shape[0]} rows and {shape[1]} columns"
        )
    return np.asarray(targets, dtype=float)
