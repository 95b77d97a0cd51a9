"""One side of a crossbar: its lines as resistor ladders, or as single nodes where they have no R.

Everything is in voltage drops from the port: for a line that hangs on its port through resistors,
drops are found to full relative accuracy however small the resistors are, and are zero without any.
The unknown drops u of a line obey (L + D) u = i, with L the Laplacian of its resistors and D the
cells' conductances as if their other ends were fixed.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from hil.types import FloatArray

BoolArray = NDArray[np.bool_]

_SWEEP_FROM = 128
"""Length of bit lines from which vectorised sweeps beat LAPACK's pttrs on a transposed copy.

Measured, one thread: 16: 20 us against 3, 128: 139 against 127, 256: 306 against 510, 1024: 3.0 ms
against 10.7 (sequential latency, and transposes that miss the cache).
"""

_ROUNDING = 8 * float(np.finfo(float).eps)


class Factor(Protocol):
    """(L + D) of one side, factored."""

    def bind(self, drops: FloatArray) -> Callable[[], object]:
        """Return what solves in place: ``drops`` holds currents before and voltages after."""
        ...


class Lines:
    """The lines of one side; arrays of cells have shape (k, n, m).

    Args:
        axis: along which a line runs: -1 for word lines, -2 for bit lines.
        shape: (n, m).
        r_segment_ohm: of each segment, the one at the port included.
        r_port_ohm: between the port and that segment.
        floating: which lines have no port, shape (1 or k, n_lines).
    """

    def __init__(
        self,
        axis: int,
        shape: tuple[int, int],
        r_segment_ohm: float,
        r_port_ohm: float,
        floating: BoolArray,
    ) -> None:
        length = shape[axis]
        self.axis, self.shape, self.length = axis, shape, length
        self.floating = floating
        self.has_floating = bool(floating.any())
        self.is_lumped = r_segment_ohm == 0 or length == 1
        with np.errstate(divide="ignore"):
            port = np.divide(1.0, r_segment_ohm + r_port_ohm)
        self.port_siemens = np.expand_dims(np.where(floating, 0.0, port), axis)
        self.has_fixed = bool(np.isinf(self.port_siemens).any())
        self.free = np.isfinite(self.port_siemens).astype(float)
        self.segment_siemens = 0.0 if self.is_lumped else 1 / r_segment_ohm
        self.along_ohm = 0.5 * r_segment_ohm * length**2
        self._at_port = 0 if axis == -1 else -1
        self._segments = np.empty(0)
        self._is_swept = axis == -2 and length >= _SWEEP_FROM
        if not (self.is_lumped or self._is_swept):
            self._diagonal = np.full((len(floating), *shape), 2 * self.segment_siemens)
            for end in (0, -1):
                self._node(self._diagonal, end)[...] -= self.segment_siemens
            # Floating lines are factored apart; here they must only not stop LAPACK.
            tie = np.where(self.port_siemens > 0, self.port_siemens, self.segment_siemens)
            self._port_node(self._diagonal)[...] += tie

    def _node(self, values: FloatArray, position: int) -> FloatArray:
        """Return the view on one position of every line, with a length of 1 along the axis."""
        part = slice(position, position + 1 or None)
        return values[..., part] if self.axis == -1 else values[..., part, :]

    def _port_node(self, values: FloatArray) -> FloatArray:
        return self._node(values, self._at_port)

    def drops_shape(self, k: int) -> tuple[int, int, int]:
        """Return the shape of the drops of ``k`` networks."""
        n, m = self.shape
        if self.is_lumped:
            return (k, n, 1) if self.axis == -1 else (k, 1, m)
        return k, n, m

    def gather(self, i_a: FloatArray, out: FloatArray | None = None) -> FloatArray:
        """Return the current into each unknown of the side from that of the cells (k, n, m)."""
        if not self.is_lumped:
            return i_a
        total = np.add.reduce(i_a, axis=self.axis, keepdims=True, out=out)
        if self.has_fixed:
            total *= self.free
        return total

    def couple(self, g_siemens: FloatArray, drops: FloatArray, out: FloatArray) -> None:
        """Write into ``out`` the currents that the drops of the other side cause on this one."""
        if self.is_lumped:
            self.gather(g_siemens * drops, out)
        else:
            np.multiply(g_siemens, drops, out)

    def residual_a(self, i_a: FloatArray, drops: FloatArray) -> FloatArray:
        """Return how far Kirchhoff's law is violated at every unknown: i - L u.

        Args:
            i_a: current of every cell, (k, n, m).
            drops: voltage drop at every unknown.
        """
        if self.is_lumped:
            port = np.where(self.free > 0, self.port_siemens, 0.0)
            return self.gather(i_a) - port * drops
        residual = i_a.copy()
        before, after = self._pairs(drops)
        through = self.segment_siemens * (before - after)
        before, after = self._pairs(residual)
        before -= through
        after += through
        self._port_node(residual)[...] -= self.port_siemens * self._port_node(drops)
        return residual

    def noise_a(self, drops: FloatArray) -> FloatArray:
        """Return how much of ``residual_a`` may come from rounding the drops alone.

        It counts on floating lines with tiny resistances: all of a line is far from what its drops
        are counted from, and the differences within it are not.
        """
        noise: FloatArray = np.abs(drops) * (_ROUNDING * self.segment_siemens)
        return noise

    def _pairs(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        if self.axis == -1:
            return values[..., :-1], values[..., 1:]
        return values[..., :-1, :], values[..., 1:, :]

    def dead(self, g_siemens: FloatArray) -> BoolArray | None:
        """Return which floating lines have no conducting cell, (k, n_lines); None if none has."""
        if not self.has_floating:
            return None
        dead = self.floating & ~g_siemens.any(axis=self.axis)
        return dead if dead.any() else None

    def factor(self, g_siemens: FloatArray, dead: BoolArray | None = None) -> Factor:
        """Return L + D, factored.

        Args:
            g_siemens: conductances, (k, n, m).
            dead: lines whose potential nothing determines; they are tied to their reference.
        """
        if self.is_lumped:
            total = np.add.reduce(g_siemens, axis=self.axis, keepdims=True) + self.port_siemens
            if dead is not None:
                total += np.expand_dims(dead, self.axis)
            return _Nodes(1 / total)
        if self._is_swept:
            pivots = self._pivots(g_siemens, dead, slice(None))
            return _Swept(np.divide(1.0, pivots, out=pivots), self.segment_siemens)
        diagonal = self._diagonal + g_siemens
        if self.axis == -2:
            diagonal = np.ascontiguousarray(diagonal.swapaxes(-1, -2))
        shape = diagonal.shape
        if self._segments.size != diagonal.size:
            segments = np.full(shape, -self.segment_siemens)
            segments[..., -1] = 0
            self._segments = segments.reshape(-1)
        flat = diagonal.reshape(-1)
        pivots, multipliers, _ = lapack.dpttrf(flat, self._segments[:-1], overwrite_d=1)
        if self.has_floating:
            lines = np.flatnonzero(self.floating.any(axis=0))
            exact = self._pivots(g_siemens, dead, lines)
            along = np.moveaxis(exact, self.axis, -1)
            pivots.reshape(shape)[:, lines] = along
            padded = np.append(multipliers, 0.0).reshape(shape)
            padded[:, lines, :-1] = -self.segment_siemens / along[..., :-1]
            multipliers = padded.reshape(-1)[:-1]
        return _Ladders(pivots, multipliers, self.axis == -2)

    def _pivots(
        self, g_siemens: FloatArray, dead: BoolArray | None, lines: np.ndarray | slice
    ) -> FloatArray:
        """Return the pivots of some lines, without any subtraction.

        A floating line is tied to the rest by its cells alone. In the usual recursion that little
        is the difference of large numbers, and lost where segments conduct 10^6 times better.
        """
        leak = np.empty((max(len(g_siemens), len(self.floating)), *self.shape))
        leak[...] = g_siemens
        self._port_node(leak)[...] += self.port_siemens
        if dead is not None:
            self._port_node(leak)[...] += np.expand_dims(dead, self.axis) * self.segment_siemens
        segment = self.segment_siemens
        leak = leak[:, lines] if self.axis == -1 else leak[:, :, lines]
        along = np.moveaxis(leak, self.axis, 0)
        excess = along[0].copy()
        ratio = np.empty_like(excess)
        for here, following in pairwise(along):
            np.add(excess, segment, here)
            np.divide(segment, here, ratio)
            excess *= ratio
            excess += following
        along[-1] = excess
        return leak


class _Nodes:
    """Lines that are one node each."""

    def __init__(self, r_ohm: FloatArray) -> None:
        self._r_ohm = r_ohm

    def bind(self, drops: FloatArray) -> Callable[[], object]:
        return lambda: np.multiply(drops, self._r_ohm, drops)


class _Ladders:
    """One tridiagonal of all lines one after the other; of the transposed array for bit lines."""

    def __init__(self, pivots: FloatArray, multipliers: FloatArray, is_transposed: bool) -> None:
        self._pivots, self._multipliers = pivots, multipliers
        self._is_transposed = is_transposed

    def bind(self, drops: FloatArray) -> Callable[[], object]:
        pivots, multipliers, solve = self._pivots, self._multipliers, lapack.dpttrs
        across = drops.swapaxes(-1, -2)
        buffer = np.empty(across.shape) if self._is_transposed else drops
        # As columns: many right-hand sides where one network is shared.
        columns = buffer.reshape(-1, pivots.size).T
        if not self._is_transposed:
            return lambda: solve(pivots, multipliers, columns, overwrite_b=1)

        def solve_transposed() -> None:
            np.copyto(buffer, across)
            solve(pivots, multipliers, columns, overwrite_b=1)
            np.copyto(across, buffer)

        return solve_transposed


class _Swept:
    """Bit lines, all of them at once, row after row."""

    def __init__(self, inverse: FloatArray, segment_siemens: float) -> None:
        self._inverse = inverse
        ratios = inverse * segment_siemens
        self._is_one = len(ratios) == 1
        self._ratios = list(ratios[0] if self._is_one else ratios.swapaxes(0, 1))

    def bind(self, drops: FloatArray) -> Callable[[], object]:
        inverse = self._inverse
        rows = list(drops[0] if len(drops) == 1 else drops.swapaxes(0, 1))
        scratch = np.empty_like(rows[0])
        down = list(zip(rows, self._ratios, rows[1:], strict=False))
        up = [(below, ratio, row) for row, ratio, below in reversed(down)]
        multiply, add = np.multiply, np.add

        def sweep() -> None:
            for known, ratio, row in down:
                multiply(known, ratio, scratch)
                add(row, scratch, row)
            multiply(drops, inverse, drops)
            for known, ratio, row in up:
                multiply(known, ratio, scratch)
                add(row, scratch, row)

        return sweep
