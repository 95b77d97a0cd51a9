"""Voltages, currents and powers of a solved crossbar."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from hil.types import FloatArray
from twin.network_lines import Lines

_NO_CURRENT_RATIO = 1e-7
"""Currents below this part of all that the cells would carry without wires count as none."""

_ROUNDING_RATIO = 8 * float(np.finfo(float).eps)


@dataclass(frozen=True)
class Wires:
    """Resistances of the wires of a crossbar, the same for all lines; 0 is exact.

    Attributes:
        r_word_ohm: of a segment of a word line, between neighbouring cells and before the first.
        r_bit_ohm: of a segment of a bit line.
        r_driver_ohm: between the port of a word line and its first segment.
        r_sense_ohm: between the last segment of a bit line and its port.
    """

    r_word_ohm: float
    r_bit_ohm: float
    r_driver_ohm: float = 0.0
    r_sense_ohm: float = 0.0


@dataclass(frozen=True)
class Drops:
    """Where the voltages of a state are counted from, and how far they are from there.

    Attributes:
        words: the word lines.
        bits: the bit lines.
        rows_v: voltage that each word line is counted down from, (k, n).
        columns_v: voltage that each bit line is counted up from, (k, m).
        word_v: drops along word lines, (k, n, m), or (k, n, 1) where a line is one node.
        bit_v: rises along bit lines, (k, n, m) or (k, 1, m).
        g_siemens: differential conductances, (1 or k, n, m).
        ideal_a: 2-norm of the currents of all cells if there were no drops, (k,).
    """

    words: Lines
    bits: Lines
    rows_v: FloatArray
    columns_v: FloatArray
    word_v: FloatArray
    bit_v: FloatArray
    g_siemens: FloatArray
    ideal_a: FloatArray

    @property
    def rounding_a(self) -> FloatArray:
        """What rounding of the voltages that drops are counted from does to ``ideal_a``, (k,)."""
        from_v = np.maximum(np.abs(self.rows_v).max(axis=1), np.abs(self.columns_v).max(axis=1))
        squares = (self.g_siemens**2).sum(axis=(1, 2))
        rounding_a: FloatArray = _ROUNDING_RATIO * np.sqrt(squares) * from_v
        return rounding_a


@dataclass(frozen=True)
class NetworkState:
    """A solved crossbar; all of it is for k networks. What is not asked for is not computed.

    Attributes:
        i_cell_a: current of every cell, from its word line to its bit line, (k, n, m).
        rows_v: voltage at the port of every word line, NaN where it floats, (k, n).
        columns_v: voltage at the port of every bit line, (k, m).
        wires: resistances.
        n_iterations: of conjugate gradients, all steps of Newton's method together.
        drops: what a warm start begins with.
    """

    i_cell_a: FloatArray
    rows_v: FloatArray
    columns_v: FloatArray
    wires: Wires
    n_iterations: int
    drops: Drops = field(repr=False)

    @cached_property
    def word_v(self) -> FloatArray:
        """Potential of every node on a word line, (k, n, m)."""
        return self._full(self.drops.rows_v[:, :, None] - self.drops.word_v)

    @cached_property
    def bit_v(self) -> FloatArray:
        """Potential of every node on a bit line, (k, n, m)."""
        return self._full(self.drops.columns_v[:, None, :] + self.drops.bit_v)

    @cached_property
    def v_cell_v(self) -> FloatArray:
        """Voltage over every cell, (k, n, m)."""
        drops = self.drops
        v0 = drops.rows_v[:, :, None] - drops.columns_v[:, None, :]
        return self._full(v0 - drops.word_v - drops.bit_v)

    @cached_property
    def i_rows_a(self) -> FloatArray:
        """Current into the array at every row port, 0 where it floats, (k, n)."""
        return _where_driven(self.drops.words, self.rows_v, np.add.reduce(self.i_cell_a, axis=2))

    @cached_property
    def i_columns_a(self) -> FloatArray:
        """Current out of the array at every column port, 0 where it floats, (k, m)."""
        total = np.add.reduce(self.i_cell_a, axis=1)
        return _where_driven(self.drops.bits, self.columns_v, total)

    @cached_property
    def word_segments_a(self) -> FloatArray:
        """Current away from the port in every segment of the word lines, (k, n, m).

        Segment [i, 0] is the one at the port.
        """
        after = np.cumsum(self.i_cell_a[:, :, ::-1], axis=2)[:, :, ::-1]
        after[:, :, 0] = self.i_rows_a
        return after

    @cached_property
    def bit_segments_a(self) -> FloatArray:
        """Current towards the port in every segment of the bit lines, (k, n, m).

        Segment [n - 1, j] is the one at the port.
        """
        before = np.cumsum(self.i_cell_a, axis=1)
        before[:, -1] = self.i_columns_a
        return before

    @cached_property
    def residual_ratio(self) -> float:
        """Largest violation of Kirchhoff's current law at any node, over the largest current.

        The currents of segments are those that the voltages drive through them; what rounding of
        these voltages, or of those of the cells, may do is no violation. Where next to no current
        flows, it is over 10^-7 of the 2-norm of what all cells would carry without wires.
        """
        worst = self.violations_a.copy()
        largest = _NO_CURRENT_RATIO * self.drops.ideal_a
        for currents in (self.i_cell_a, self.word_segments_a, self.bit_segments_a):
            largest = np.maximum(largest, np.abs(currents).max(axis=(1, 2)))
        return float(np.max(np.divide(worst, largest, out=worst, where=largest > 0)))

    @cached_property
    def violations_a(self) -> FloatArray:
        """Largest violation of Kirchhoff's current law in every network, (k,)."""
        drops = self.drops
        worst = np.zeros(len(self.i_cell_a))
        for lines, along_v in ((drops.words, drops.word_v), (drops.bits, drops.bit_v)):
            wrong = np.abs(lines.residual_a(self.i_cell_a, along_v)) - lines.noise_a(along_v)
            worst = np.maximum(worst, wrong.max(axis=(1, 2)))
        return np.maximum(worst - drops.rounding_a, 0.0)

    @property
    def cells_w(self) -> FloatArray:
        """Power dissipated in every cell, (k, n, m)."""
        return self.i_cell_a * self.v_cell_v

    @property
    def lines_w(self) -> FloatArray:
        """Power dissipated in all segments of all lines, (k,)."""
        words = _squares(self.word_segments_a) * self.wires.r_word_ohm
        return words + _squares(self.bit_segments_a) * self.wires.r_bit_ohm

    @property
    def ports_w(self) -> FloatArray:
        """Power dissipated in the resistors at the ports, (k,)."""
        rows = _squares(self.i_rows_a) * self.wires.r_driver_ohm
        return rows + _squares(self.i_columns_a) * self.wires.r_sense_ohm

    @property
    def source_w(self) -> FloatArray:
        """Power that all sources at the ports deliver, (k,)."""
        rows, columns = np.nan_to_num(self.rows_v), np.nan_to_num(self.columns_v)
        delivered: FloatArray = (rows * self.i_rows_a).sum(axis=1)
        delivered -= (columns * self.i_columns_a).sum(axis=1)
        return delivered

    def _full(self, values: FloatArray) -> FloatArray:
        shape = self.i_cell_a.shape
        return values if values.shape == shape else np.broadcast_to(values, shape).copy()


def _where_driven(lines: Lines, ports_v: FloatArray, i_a: FloatArray) -> FloatArray:
    if lines.has_floating:
        i_a[np.isnan(ports_v)] = 0.0
    return i_a


def _squares(values: FloatArray) -> FloatArray:
    squares: FloatArray = (values**2).reshape(len(values), -1).sum(axis=1)
    return squares
