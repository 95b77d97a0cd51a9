"""Tiki-Taka: a fast tile takes the gradients, a slow one what adds up in it.

Sources: v1, Gokmen and Haensch, Front. Neurosci. 14:103 (2020); v2, Gokmen, Front. Artif. Intell.
4:699148 (2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hil.errors import ParameterError
from hil.tiles import Tile, TileMaker, WeightArray
from procedures.learning.analog.weights import begin_with, transfer_column


@dataclass(frozen=True)
class TikiTakaSettings:
    """What both versions have in common.

    Attributes:
        fast_rate: learning rate of the fast tile.
        transfer_rate: of what is handed over, times the learning rate of the step.
        transfer_every: minibatches between two reads of a column.
        gamma: part of the fast tile in the weights; v1 only.
        threshold: what must add up in the buffer for a pulse, in steps of the slow tile; v2 only.
        kept_ratio: part of the buffer that is kept after a pulse; v2 only.

    Raises:
        ParameterError: a period below one minibatch.
    """

    fast_rate: float = 0.1
    transfer_rate: float = 1.0
    transfer_every: int = 1
    gamma: float = 0.0
    threshold: float = 1.0
    kept_ratio: float = 0.1

    def __post_init__(self) -> None:
        if self.transfer_every < 1:
            raise ParameterError(
                f"transfer_every = {self.transfer_every}: columns are read every minibatch or less "
                f"often"
            )


class TikiTaka:
    """Version 1: a column of the fast tile is read in turn and pulsed into the slow one.

    Args:
        make_tile: of the layer's shape, called twice.
        weights: to begin with, on the slow tile.
        seed: of the first tile; the second has the next one.
        settings: rates and periods.
    """

    def __init__(
        self,
        make_tile: TileMaker,
        weights: WeightArray,
        seed: int,
        settings: TikiTakaSettings | None = None,
    ) -> None:
        shape = (weights.shape[0], weights.shape[1])
        self._slow, self._fast = make_tile(shape, seed), make_tile(shape, seed + 1)
        begin_with([self._slow], [1.0], weights)
        self._settings = settings or TikiTakaSettings()
        self._n_batches = self._column = 0

    @property
    def tiles(self) -> Sequence[Tile]:
        """The slow tile and the fast one."""
        return (self._slow, self._fast)

    def forward(self, x: WeightArray) -> WeightArray:
        """Return x (C + gamma A)^T."""
        y = self._slow.matvec(x)
        gamma = self._settings.gamma
        return y + np.float32(gamma) * self._fast.matvec(x) if gamma else y

    def backward(self, d: WeightArray) -> WeightArray:
        """Return d (C + gamma A)."""
        back = self._slow.matvec_transposed(d)
        gamma = self._settings.gamma
        return back + np.float32(gamma) * self._fast.matvec_transposed(d) if gamma else back

    def update(self, x: WeightArray, d: WeightArray, rate: float) -> None:
        """Pulse the gradient into the fast tile; hand over a column when it is time."""
        self._fast.update(x, d, self._settings.fast_rate)
        self._n_batches += 1
        if self._n_batches % self._settings.transfer_every:
            return
        column, self._column = self._column, (self._column + 1) % self._fast.shape[1]
        self._hand_over(self._fast.read_column(column), column, rate)

    def snapshot(self) -> dict[str, Any]:
        """Return how many minibatches there were, and the next column."""
        return {"n_batches": self._n_batches, "column": self._column}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a snapshot."""
        self._n_batches, self._column = int(state["n_batches"]), int(state["column"])

    def _hand_over(self, read: WeightArray, column: int, rate: float) -> None:
        transfer_column(read, self._slow, column, self._settings.transfer_rate * rate)


class BufferedTikiTaka(TikiTaka):
    """Version 2: what is read adds up in floating point, and is handed over in whole pulses.

    The buffer has the size of the weights.
    """

    def __init__(
        self,
        make_tile: TileMaker,
        weights: WeightArray,
        seed: int,
        settings: TikiTakaSettings | None = None,
    ) -> None:
        super().__init__(make_tile, weights, seed, settings)
        self._buffer = np.zeros(weights.shape, np.float32)

    def snapshot(self) -> dict[str, Any]:
        """Return the buffer as well."""
        return super().snapshot() | {"buffer": self._buffer.copy()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a snapshot."""
        super().restore(state)
        self._buffer[...] = state["buffer"]

    def _hand_over(self, read: WeightArray, column: int, rate: float) -> None:
        settings, buffer = self._settings, self._buffer[:, column]
        buffer += np.float32(settings.transfer_rate * rate) * read
        step = np.float32(settings.threshold * self._slow.dw_min)
        n_pulses = np.clip(np.trunc(buffer / step), -1, 1).astype(np.int32)
        if not n_pulses.any():
            return
        buffer[n_pulses != 0] *= np.float32(settings.kept_ratio)
        self._slow.pulse_columns(np.array([column]), n_pulses[:, None])
