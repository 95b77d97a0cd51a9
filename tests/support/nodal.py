"""Nodal analysis of a crossbar, written down naively: one conductance after the other."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

import numpy as np

from hil.types import FloatArray
from twin.network import Wires

Node = Hashable


class Solved(NamedTuple):
    """Potentials of all nodes and currents of all cells, (n, m)."""

    word_v: FloatArray
    bit_v: FloatArray
    i_cell_a: FloatArray


def nodal_solve(
    g_siemens: FloatArray,
    wires: Wires,
    rows_v: FloatArray,
    columns_v: FloatArray,
    injected_a: FloatArray | None = None,
) -> Solved:
    """Solve one crossbar by a dense matrix; islands without a port get the least potentials."""
    n, m = g_siemens.shape
    resistors: list[tuple[Node, Node, float]] = []
    known: dict[Node, float] = {}
    for i in range(n):
        if not np.isnan(rows_v[i]):
            known["row", i] = rows_v[i]
            resistors.append((("row", i), ("driver", i), wires.r_driver_ohm))
            resistors.append((("driver", i), ("word", i, 0), wires.r_word_ohm))
        for j in range(1, m):
            resistors.append((("word", i, j - 1), ("word", i, j), wires.r_word_ohm))
    for j in range(m):
        if not np.isnan(columns_v[j]):
            known["column", j] = columns_v[j]
            resistors.append((("bit", n - 1, j), ("sense", j), wires.r_bit_ohm))
            resistors.append((("sense", j), ("column", j), wires.r_sense_ohm))
        for i in range(1, n):
            resistors.append((("bit", i - 1, j), ("bit", i, j), wires.r_bit_ohm))
    same: dict[Node, Node] = {}

    def merged(node: Node) -> Node:
        while node in same:
            node = same[node]
        return node

    for a, b, r_ohm in resistors:
        if r_ohm == 0 and merged(a) != merged(b):
            same[merged(a)] = merged(b)
    fixed = {merged(node): v for node, v in known.items()}
    cells = [(("word", i, j), ("bit", i, j)) for i in range(n) for j in range(m)]
    nodes = [*(x for a, b, _ in resistors for x in (a, b)), *(x for pair in cells for x in pair)]
    index = {x: k for k, x in enumerate(dict.fromkeys(map(merged, nodes)))}
    matrix, current = np.zeros((len(index), len(index))), np.zeros(len(index))
    branches = [(a, b, 1 / r_ohm) for a, b, r_ohm in resistors if r_ohm > 0]
    branches += [(a, b, g) for (a, b), g in zip(cells, g_siemens.ravel(), strict=True)]
    for a, b, g in branches:
        p, q = index[merged(a)], index[merged(b)]
        matrix[[p, q], [p, q]] += g
        matrix[p, q] -= g
        matrix[q, p] -= g
    if injected_a is not None:
        for (a, b), i_a in zip(cells, injected_a.ravel(), strict=True):
            current[index[merged(a)]] -= i_a
            current[index[merged(b)]] += i_a
    v = np.zeros(len(index))
    at = np.array([index[x] for x in fixed], dtype=int)
    v[at] = list(fixed.values())
    free = np.setdiff1d(np.arange(len(index)), at)
    right = current[free] - matrix[np.ix_(free, at)] @ v[at]
    v[free] = np.linalg.pinv(matrix[np.ix_(free, free)], rcond=1e-14, hermitian=True) @ right
    word, bit = (
        np.array([[v[index[merged((x, i, j))]] for j in range(m)] for i in range(n)])
        for x in ("word", "bit")
    )
    flowing = g_siemens * (word - bit)
    return Solved(word, bit, flowing if injected_a is None else flowing + injected_a)
