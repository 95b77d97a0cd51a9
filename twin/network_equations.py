"""Kirchhoff's laws of a crossbar, and the steps that linear and other cells are solved by."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from hil.errors import UnmodelledError
from hil.types import FloatArray
from twin.network_direct import DirectSolver
from twin.network_linear import Correction, Side, correct, dots
from twin.network_lines import Lines
from twin.network_state import Drops, NetworkState, Wires

Method = Literal["auto", "cg", "direct"]

_MAX_ROUNDS = 5
_LEAST_RATIO = 1e-15  # of the currents without wires; a smaller residual is round-off
_CLOSE_RATIO = 30.0  # currents with wires this much smaller than without call for another round

_DIRECT_FROM_K, _DIRECT_UP_TO_CELLS, _DIRECT_FROM_LOSS = 64, 4096, 0.5
"""From how many right-hand sides on, and for which arrays, a sparse factorisation pays.

Loss is that of a line with the mean conductance, over the voltage. Where it is small conjugate
gradients take 3 to 6 iterations; else, or with floating lines, 7 to 16. Measured, one thread,
devices of 5 to 100 kOhm, ms by conjugate gradients / by a factorisation. 16 x 16, floating, 16
right-hand sides: 1.5 / 1.9, 64: 3.5 / 2.6, and not floating 1.6 / 2.3. 64 x 64, 64 right-hand
sides, loss 0.1: 29 / 41, 1: 50 / 38, 12: 88 / 37. A single one of 128 x 128: 2.6 / 110.
"""


class Ports(NamedTuple):
    """The ports of k networks and the lines behind them.

    Attributes:
        rows_v: as asked, NaN where it floats, (1 or k, n).
        columns_v: as asked, (1 or k, m).
        rows_from_v: what the drops are counted from: the port, or any potential where it floats.
        columns_from_v: the same for the bit lines.
        words: the word lines.
        bits: the bit lines.
        wires: resistances.
    """

    rows_v: FloatArray
    columns_v: FloatArray
    rows_from_v: FloatArray
    columns_from_v: FloatArray
    words: Lines
    bits: Lines
    wires: Wires


class Conductances:
    """Linear cells behind the ports, factored when first needed.

    Args:
        g_siemens: (1 or k, n, m).
        ports: the ports.
    """

    def __init__(self, g_siemens: FloatArray, ports: Ports) -> None:
        self.g_siemens = g_siemens
        self._words, self._bits = ports.words, ports.bits
        self.dead_words, self.dead_bits = (x.dead(g_siemens) for x in (self._words, self._bits))
        self._sides: tuple[Side, Side] | None = None
        self._direct: list[DirectSolver] | None = None

    def correct(
        self, words_a: FloatArray, bits_a: FloatArray, target_a: FloatArray, method: Method
    ) -> Correction:
        """Return the drops that make these currents vanish: of the word lines, of the bit lines.

        Raises:
            UnmodelledError: conjugate gradients stagnate and the matrix is singular.
        """
        if method == "direct" or (method == "auto" and self._direct_is_better(len(words_a))):
            return self._by_factors(words_a, bits_a)
        words, bits = self._sides or self._factor()
        # Fewer unknowns are kept: lines without resistance are one node each.
        if words.lines.is_lumped and not bits.lines.is_lumped:
            found = correct(self.g_siemens, words, bits, (words_a, bits_a), target_a)
        else:
            x, y, n, ok = correct(self.g_siemens, bits, words, (bits_a, words_a), target_a)
            found = Correction(y, x, n, ok)
        if not found.converged and method == "auto":
            return self._by_factors(words_a, bits_a)
        return found

    def _factor(self) -> tuple[Side, Side]:
        g = self.g_siemens
        self._sides = (
            Side(self._words, self._words.factor(g, self.dead_words)),
            Side(self._bits, self._bits.factor(g, self.dead_bits)),
        )
        return self._sides

    def _direct_is_better(self, k: int) -> bool:
        words, bits = self._both()
        g = self.g_siemens
        is_one = len(g) == len(words.floating) == len(bits.floating) == 1
        if not (is_one and k >= _DIRECT_FROM_K and g.size <= _DIRECT_UP_TO_CELLS):
            return False
        loss = float(g.mean()) * (words.along_ohm + bits.along_ohm)
        return words.has_floating or bits.has_floating or loss >= _DIRECT_FROM_LOSS

    def _by_factors(self, words_a: FloatArray, bits_a: FloatArray) -> Correction:
        k = len(words_a)
        if self._direct is None:
            networks = max(len(self.g_siemens), *(len(x.floating) for x in self._both()))
            g = np.broadcast_to(self.g_siemens, (networks, *self.g_siemens.shape[1:]))
            try:
                self._direct = [DirectSolver(g[i], *self._both(), i) for i in range(networks)]
            except RuntimeError as error:
                raise UnmodelledError(f"crossbar equations are singular: {error}") from None
        if len(self._direct) == 1:
            return Correction(*self._direct[0].correct(words_a, bits_a), 1, True)
        found = [self._direct[i].correct(words_a[i][None], bits_a[i][None]) for i in range(k)]
        words, bits = (np.concatenate(part) for part in zip(*found, strict=True))
        return Correction(words, bits, 1, True)

    def _both(self) -> tuple[Lines, Lines]:
        return self._words, self._bits


class Equations:
    """Drops of k networks as unknowns, and what they have to fulfil.

    Args:
        ports: the ports.
        k: number of networks.
    """

    def __init__(self, ports: Ports, k: int) -> None:
        self.ports, self.k = ports, k
        self.v0_v = ports.rows_from_v[:, :, None] - ports.columns_from_v[:, None, :]
        self.word_v: FloatArray | None = None
        self.bit_v: FloatArray | None = None

    def begin(self, near: NetworkState | None) -> bool:
        """Start from a solution of the same wires; return whether there is one to start from."""
        if near is None:
            return False
        words, bits = self.ports.words, self.ports.bits
        drops = near.drops
        shapes = words.drops_shape(self.k), bits.drops_shape(self.k)
        if drops.word_v.shape[1:] != shapes[0][1:] or drops.bit_v.shape[1:] != shapes[1][1:]:
            return False
        if len(drops.word_v) not in (1, self.k):
            return False
        same = drops.words is words and drops.bits is bits
        word_v, bit_v = drops.word_v, drops.bit_v
        if not same:
            # Lines that float are where they were; the others have the drops that they had.
            here = self.ports.rows_from_v[:, :, None], self.ports.columns_from_v[:, None, :]
            there = drops.rows_v[:, :, None], drops.columns_v[:, None, :]
            word_v = np.where(words.floating[:, :, None], here[0] - there[0] + word_v, word_v)
            bit_v = np.where(bits.floating[:, None, :], there[1] - here[1] + bit_v, bit_v)
            word_v, bit_v = word_v * (words.free > 0), bit_v * (bits.free > 0)
        self.word_v = np.broadcast_to(word_v, shapes[0]).copy()
        self.bit_v = np.broadcast_to(bit_v, shapes[1]).copy()
        return True

    def residuals_a(self, i_cell_a: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the currents that are left over at every unknown of both sides."""
        words, bits = self.ports.words, self.ports.bits
        if self.word_v is None or self.bit_v is None:
            return words.gather(i_cell_a), bits.gather(i_cell_a)
        return words.residual_a(i_cell_a, self.word_v), bits.residual_a(i_cell_a, self.bit_v)

    def noise_a(self) -> FloatArray:
        """Return the 2-norm of what rounding of the drops may add to the residuals, (k,)."""
        floating = self.ports.words.has_floating or self.ports.bits.has_floating
        if self.word_v is None or self.bit_v is None or not floating:
            return np.zeros(self.k)
        words = norms(self.ports.words.noise_a(self.word_v))
        return np.hypot(words, norms(self.ports.bits.noise_a(self.bit_v)))

    def add(self, words_v: FloatArray, bits_v: FloatArray) -> None:
        """Change the drops."""
        if self.word_v is None or self.bit_v is None:
            self.word_v, self.bit_v = words_v, bits_v
        else:
            self.word_v += words_v
            self.bit_v += bits_v

    def drops_v(self) -> FloatArray | float:
        """Return what the wires take from the voltage of every cell."""
        if self.word_v is None or self.bit_v is None:
            return 0.0
        return self.word_v + self.bit_v

    def state(
        self, i_cell_a: FloatArray, ideal_a: FloatArray, n_iterations: int, at: Conductances
    ) -> NetworkState:
        """Return what has been found."""
        ports, k = self.ports, self.k
        rows_from, columns_from = ports.rows_from_v, ports.columns_from_v
        if at.dead_words is not None:
            rows_from = np.where(at.dead_words, 0.0, rows_from)
        if at.dead_bits is not None:
            columns_from = np.where(at.dead_bits, 0.0, columns_from)
        word_v, bit_v = self.word_v, self.bit_v
        if word_v is None or bit_v is None:
            word_v = np.zeros(ports.words.drops_shape(k))
            bit_v = np.zeros(ports.bits.drops_shape(k))
        spread = [ports.rows_v, ports.columns_v, rows_from, columns_from]
        if k > 1:
            spread = [np.broadcast_to(x, (k, x.shape[1])) for x in spread]
        rows_from, columns_from = spread[2:]
        drops = Drops(
            ports.words, ports.bits, rows_from, columns_from, word_v, bit_v, at.g_siemens, ideal_a
        )
        return NetworkState(i_cell_a, spread[0], spread[1], ports.wires, n_iterations, drops)


def solve_linear(
    cells: Conductances,
    ports: Ports,
    injected_a: FloatArray | None,
    tolerance: float,
    near: NetworkState | None,
    method: Method,
) -> NetworkState:
    """Solve cells with i = g v + injected; see ``CrossbarNetwork.solve``."""
    g = cells.g_siemens
    k = max(len(x) for x in (g, ports.rows_v, ports.columns_v, *_given(injected_a)))
    equations = Equations(ports, k)
    ideal = g * equations.v0_v
    if injected_a is not None:
        ideal = ideal + injected_a
    if len(ideal) < k:
        ideal = np.repeat(ideal, k, axis=0)
    norm_a = norms(ideal)
    target = tolerance * norm_a
    i_cell = ideal - g * equations.drops_v() if equations.begin(near) else ideal
    n_iterations = 0
    for _ in range(_MAX_ROUNDS):
        residuals = equations.residuals_a(i_cell)
        words, bits, n, ok = cells.correct(*residuals, target, method)
        n_iterations += n
        equations.add(words, bits)
        i_cell = np.multiply(g, equations.drops_v())
        np.subtract(ideal, i_cell, i_cell)
        if not ok:
            raise UnmodelledError(
                f"crossbar: no convergence in {n_iterations} iterations to a residual of "
                f"{tolerance:g}; ask for less, or for the direct method"
            )
        # What flows with wires may be far less than without, and that is what counts.
        wanted = np.maximum(tolerance * norms(i_cell), _LEAST_RATIO * norm_a)
        if (target <= _CLOSE_RATIO * wanted).all():
            break
        target = np.minimum(target, wanted)
    return equations.state(i_cell, norm_a, n_iterations, cells)


def norms(values: FloatArray) -> FloatArray:
    """Return the 2-norm for each network."""
    return np.sqrt(dots(values, values))


def _given(values: FloatArray | None) -> tuple[FloatArray, ...]:
    return () if values is None else (values,)
