"""The same equations by a sparse factorisation: the fallback, and for many right-hand sides."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from hil.types import FloatArray, IndexArray
from twin.network_lines import Lines

_CHUNK_VALUES = 1 << 22  # right-hand sides are solved in blocks of at most this many values


class DirectSolver:
    """All unknowns of both sides of one network, factored by SuperLU.

    Args:
        g_siemens: conductances, (n, m).
        words: the word lines.
        bits: the bit lines.
        network: which of the networks whose ports ``words`` and ``bits`` know.

    Raises:
        RuntimeError: the equations are singular.
    """

    def __init__(self, g_siemens: FloatArray, words: Lines, bits: Lines, network: int = 0) -> None:
        self._shapes = words.drops_shape(1)[1:], bits.drops_shape(1)[1:]
        n_words = int(np.prod(self._shapes[0]))
        n_all = n_words + int(np.prod(self._shapes[1]))
        nodes = np.arange(n_words).reshape(self._shapes[0])
        bit_nodes = np.arange(n_words, n_all).reshape(self._shapes[1])
        entries = [_ladder(words, nodes, network), _ladder(bits, bit_nodes, network)]
        word, bit = (np.broadcast_to(x, g_siemens.shape).ravel() for x in (nodes, bit_nodes))
        g = g_siemens.ravel()
        for a, b in ((word, word), (bit, bit), (word, bit), (bit, word)):
            entries.append((a, b, g))
        rows, columns, values = (np.concatenate(part) for part in zip(*entries, strict=True))
        both = list(zip((words, bits), self._shapes, strict=True))
        free = [np.broadcast_to(_of(x.free, network), s) for x, s in both]
        self._free = np.concatenate([part.ravel() for part in free])
        inside = (self._free[rows] * self._free[columns]) > 0
        to_fixed = np.bincount(rows[~inside], values[~inside], n_all) > 0
        to_ports = np.concatenate(
            [np.broadcast_to(_of(x.port_siemens, network) > 0, s).ravel() for x, s in both]
        )
        matrix = sparse.csc_matrix(
            (values[inside], (rows[inside], columns[inside])), shape=(n_all, n_all)
        )
        matrix.eliminate_zeros()  # open cells connect nothing
        tied = to_fixed | to_ports
        ties = sparse.diags_array(_ties(matrix, tied, self._free))
        self._factor = splu(
            sparse.csc_matrix(matrix + ties),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
        self._n_words = n_words

    def correct(self, words_a: FloatArray, bits_a: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the drops that make given currents vanish, (k, ...) for both sides."""
        k = len(words_a)
        currents = np.hstack([words_a.reshape(k, -1), bits_a.reshape(k, -1)]) * self._free
        drops = np.empty_like(currents)
        step = max(1, _CHUNK_VALUES // currents.shape[1])
        for first in range(0, k, step):
            part = slice(first, first + step)
            drops[part] = self._factor.solve(np.asfortranarray(currents[part].T)).T
        words, bits = drops[:, : self._n_words], drops[:, self._n_words :]
        return words.reshape(k, *self._shapes[0]), bits.reshape(k, *self._shapes[1])


def _ties(matrix: sparse.csc_matrix, tied: np.ndarray, free: FloatArray) -> FloatArray:
    """Return what to add to the diagonal: fixed nodes, and one node of each island without a port.

    No current leaves an island, so that its potential is free, and 0 as good as any.
    """
    n_islands, island = connected_components(matrix, directed=False)
    has_tie = np.bincount(island, tied, n_islands) > 0
    _, first = np.unique(island, return_index=True)
    added = 1.0 - free
    added[first[~has_tie]] = 1.0
    return added


def _of(values: FloatArray, network: int) -> FloatArray:
    one: FloatArray = values[network if len(values) > 1 else 0]
    return one


def _ladder(
    lines: Lines, nodes: IndexArray, network: int
) -> tuple[IndexArray, IndexArray, FloatArray]:
    """Return rows, columns and values of the Laplacian of one side; fixed nodes are left out."""
    port = np.where(_of(lines.free, network) > 0, _of(lines.port_siemens, network), 0.0).ravel()
    if lines.is_lumped:
        flat = nodes.ravel()
        return flat, flat, port
    along = np.moveaxis(nodes, lines.axis, 0)
    a, b = along[:-1].ravel(), along[1:].ravel()
    at_port = along[0 if lines.axis == -1 else -1]
    segments = np.full(a.size, lines.segment_siemens)
    rows = np.concatenate([a, b, a, b, at_port])
    columns = np.concatenate([b, a, a, b, at_port])
    return rows, columns, np.concatenate([-segments, -segments, segments, segments, port])
