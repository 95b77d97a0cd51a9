"""Chopped Tiki-Taka: gradients change sign on the fast tile, so its symmetric point averages out.

Source: c-TTv2 of Rasch, Carta, Fagbohungbe and Gokmen, Nat. Commun. 15:7133 (2024); details that
its text leaves open as in aihwkit (``ChoppedTransferCompound``), columns chopped, rows not.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hil.errors import ParameterError
from hil.tiles import PulseArray, Tile, TileMaker, WeightArray
from procedures.learning.analog.weights import begin_with


@dataclass(frozen=True)
class TransferSettings:
    """What both chopped algorithms have in common.

    Attributes:
        fast_pulses: that the largest product of a sample gives a cell of the fast tile, on
            average; its rate follows from a running mean of the largest |x| and |d|.
        fast_rate: a fixed rate of the fast tile instead; None to follow ``fast_pulses``.
        scale_kept: part of that running mean that is kept with a minibatch.
        transfer_rate: of what is handed over, times the learning rate of the step.
        transfer_every: minibatches between two transfers.
        n_reads: columns that are read in a transfer; all, if there are not as many.
        granularity: minibatches, times both rates, after which a cell of the fast tile that is
            always read as one step is worth a pulse, however often it is read.
        kept_ratio: part of the buffer that is kept after a pulse.
        max_pulses: that a cell of the slow tile gets in a transfer, at most.

    Raises:
        ParameterError: a value that cannot be.
    """

    fast_pulses: float = 0.5
    fast_rate: float | None = None
    scale_kept: float = 0.99
    transfer_rate: float = 1.0
    transfer_every: int = 1
    n_reads: int = 1
    granularity: float = 200.0
    kept_ratio: float = 0.0
    max_pulses: int = 1

    def __post_init__(self) -> None:
        for name in ("transfer_every", "n_reads", "max_pulses"):
            if getattr(self, name) < 1:
                raise ParameterError(f"{name} = {getattr(self, name)}: at least 1")
        for name in ("fast_pulses", "fast_rate", "transfer_rate", "granularity"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ParameterError(f"{name} = {value:g}: above 0")
        for name in ("scale_kept", "kept_ratio"):
            if not 0 <= getattr(self, name) < 1:
                raise ParameterError(f"{name} = {getattr(self, name):g}: a part in [0, 1)")


class ChoppedTransfer(ABC):
    """A fast tile with a sign for each column, read in turn into a buffer of whole pulses.

    The sign multiplies what goes in, and what is read. The buffer has the size of the weights.

    Args:
        make_tile: of the layer's shape, called twice.
        weights: to begin with, on the slow tile.
        seed: of the first tile; the second has the next one.
        settings: rates and periods.
    """

    def __init__(
        self, make_tile: TileMaker, weights: WeightArray, seed: int, settings: TransferSettings
    ) -> None:
        shape = (weights.shape[0], weights.shape[1])
        self._slow, self._fast = make_tile(shape, seed), make_tile(shape, seed + 1)
        begin_with([self._slow], [1.0], weights)
        self._settings = settings
        self._buffer = np.zeros(shape, np.float32)
        self._signs = np.ones(shape[1], np.float32)
        self._x_most = self._d_most = 0.0
        self._n_batches = self._n_columns_read = 0

    @property
    def tiles(self) -> Sequence[Tile]:
        """The slow tile and the fast one."""
        return (self._slow, self._fast)

    def forward(self, x: WeightArray) -> WeightArray:
        """Return x W^T of the slow tile."""
        return self._slow.matvec(x)

    def backward(self, d: WeightArray) -> WeightArray:
        """Return d W of the slow tile."""
        return self._slow.matvec_transposed(d)

    def update(self, x: WeightArray, d: WeightArray, rate: float) -> None:
        """Pulse the gradient into the fast tile, with signs; hand over what is due."""
        self._fast.update(x * self._signs, d, self._next_fast_rate(x, d))
        self._n_batches += 1
        if self._n_batches % self._settings.transfer_every == 0:
            self._hand_over(rate)

    def snapshot(self) -> dict[str, Any]:
        """Return buffer, signs, running means and counts."""
        return {
            "buffer": self._buffer.copy(),
            "signs": self._signs.copy(),
            "x_most": self._x_most,
            "d_most": self._d_most,
            "n_batches": self._n_batches,
            "n_columns_read": self._n_columns_read,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a snapshot."""
        self._buffer[...] = state["buffer"]
        self._signs[...] = state["signs"]
        self._x_most, self._d_most = float(state["x_most"]), float(state["d_most"])
        self._n_batches = int(state["n_batches"])
        self._n_columns_read = int(state["n_columns_read"])

    @abstractmethod
    def _signal(self, read: WeightArray, column: int) -> WeightArray:
        """Take a read of a column, (n_rows,), and return what of it is signal."""

    @abstractmethod
    def _is_to_flip(self, column: int) -> bool:
        """Return whether a column that has just been read changes its sign."""

    def _flip(self, column: int) -> None:
        self._signs[column] *= -1

    @property
    def _n_sweeps(self) -> int:
        """How often all columns have been read."""
        return self._n_columns_read // self._fast.shape[1]

    def _next_fast_rate(self, x: WeightArray, d: WeightArray) -> float:
        settings = self._settings
        if settings.fast_rate is not None:
            return settings.fast_rate
        self._x_most = _followed(self._x_most, x, settings.scale_kept)
        self._d_most = _followed(self._d_most, d, settings.scale_kept)
        product = self._x_most * self._d_most
        return settings.fast_pulses * self._fast.dw_min / product if product else 0.0

    def _hand_over(self, rate: float) -> None:
        """Read the next columns into the buffer, and pulse what has become whole pulses."""
        n_columns = self._fast.shape[1]
        n_reads = min(self._settings.n_reads, n_columns)
        n_batches = self._settings.transfer_every * n_columns / n_reads  # between reads of a column
        step = self._fast.dw_min * self._settings.granularity / n_batches
        gain = np.float32(self._settings.transfer_rate * rate / step)
        columns = (self._n_columns_read + np.arange(n_reads)) % n_columns
        n_pulses = np.stack([self._read(int(column), gain) for column in columns], axis=1)
        if n_pulses.any():
            self._slow.pulse_columns(columns, n_pulses)

    def _read(self, column: int, gain: np.float32) -> PulseArray:
        """Read a column into the buffer, and return the pulses that are due, (n_rows,)."""
        signal = self._signal(self._fast.read_column(column), column)
        self._buffer[:, column] += gain * self._signs[column] * signal
        n_pulses = self._taken(column)
        if self._is_to_flip(column):
            self._flip(column)
        self._n_columns_read += 1
        return n_pulses

    def _taken(self, column: int) -> PulseArray:
        """Return the whole pulses in a column of the buffer, (n_rows,); where any, it forgets."""
        most, buffer = self._settings.max_pulses, self._buffer[:, column]
        n_pulses = np.clip(np.trunc(buffer), -most, most).astype(np.int32)
        buffer[n_pulses != 0] *= np.float32(self._settings.kept_ratio)
        return n_pulses


@dataclass(frozen=True)
class ChoppedSettings(TransferSettings):
    """Settings of c-TTv2.

    Attributes:
        chop_probability: that a column changes its sign after a read; 0 for version 2 without
            choppers, but with its rates.

    Raises:
        ParameterError: a value that cannot be.
    """

    chop_probability: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.chop_probability <= 1:
            raise ParameterError(
                f"chop_probability = {self.chop_probability:g}: a probability is in [0, 1]"
            )


class ChoppedTikiTaka(ChoppedTransfer):
    """Chopped version 2 (c-TTv2): signs change at random, and reads count as they are.

    Args:
        make_tile: of the layer's shape, called twice.
        weights: to begin with, on the slow tile.
        seed: of the first tile and of the signs; the second tile has the next one.
        settings: rates, periods and the chance of a sign to change.
    """

    def __init__(
        self,
        make_tile: TileMaker,
        weights: WeightArray,
        seed: int,
        settings: ChoppedSettings | None = None,
    ) -> None:
        settings = settings or ChoppedSettings()
        super().__init__(make_tile, weights, seed, settings)
        self._chop_probability = settings.chop_probability
        self._rng = np.random.default_rng([seed, *b"choppers"])

    def snapshot(self) -> dict[str, Any]:
        """Return the state of the draws as well."""
        return super().snapshot() | {"rng": self._rng.bit_generator.state}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a snapshot."""
        super().restore(state)
        self._rng.bit_generator.state = state["rng"]

    def _signal(self, read: WeightArray, column: int) -> WeightArray:
        return read

    def _is_to_flip(self, column: int) -> bool:
        return bool(self._rng.random() < self._chop_probability)


def _followed(mean: float, values: WeightArray, kept: float) -> float:
    """Return a running mean of the largest of each sample; samples of zeros do not count."""
    most = np.abs(values).max(axis=1)
    most = most[most > 0]
    if not len(most):
        return mean
    new = float(most.mean())
    return kept * mean + (1 - kept) * new if mean else new
