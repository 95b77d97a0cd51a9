"""Pulsed updates in numpy: the same numbers as the compiled ones, some hundred times slower."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twin.tiles.responses import Cells, FloatArray, Law
from twin.tiles.streams import UintArray, draw, mix64, normals, uniforms

WRITE_PLACE = 33
_ONE = np.float32(1)


def draw_trains(
    values: FloatArray, scales: FloatArray, n_slots: NDArray[np.int64], key: int
) -> tuple[UintArray, NDArray[np.int32]]:
    """Draw when each line fires; see ``kernels.draw_trains``.

    Returns:
        Trains (k, n), and how many lines fire in each slot (k, most slots).
    """
    k, n = values.shape
    trains, fired = (
        np.zeros((k, n), np.uint32),
        np.zeros((k, int(n_slots.max(initial=1))), np.int32),
    )
    lines = np.arange(n, dtype=np.uint32)
    for s in range(k):
        key_s = mix64(key + s)
        chances = np.abs(values[s]) * scales[s]
        for q in range(int(n_slots[s])):
            fires = uniforms(draw(key_s, lines + np.uint32(q * n))) < chances
            trains[s] |= fires.astype(np.uint32) << np.uint32(q)
            fired[s, q] = fires.sum()
    return trains, fired


def update(
    cells: Cells,
    w: FloatArray,
    seen: FloatArray,
    lines: tuple[FloatArray, UintArray, FloatArray, UintArray],
    n_slots: NDArray[np.int64],
    key: int,
    is_folded: bool,
) -> None:
    """Pulse samples into weights, in place; see ``kernels.make_update``.

    Args:
        cells: the devices.
        w: weights that the devices hold, (n_rows, n_columns).
        seen: weights as they are seen, with write noise; otherwise unused.
        lines: values and trains of the columns, values and trains of the rows.
        n_slots: of each sample.
        key: of the update.
        is_folded: all pulses of a cell in one step, where there is more than one slot.
    """
    x, x_trains, d, d_trains = lines
    n_rows = len(w)
    for s in range(len(x)):
        for i in np.flatnonzero(d_trains[s]):
            key_i = mix64(key + s * n_rows + int(i))
            n = np.bitwise_count(d_trains[s, i] & x_trains[s]).astype(np.int64)
            is_up = (x[s] < 0) != (d[s, i] < 0)
            _pulse_row(cells, w[i], int(i), n, is_up, key_i, is_folded and n_slots[s] > 1)
            if cells.write_sigma:
                places = np.arange(w.shape[1], dtype=np.uint32)
                z = normals(draw(key_i, places + np.uint32(WRITE_PLACE * w.shape[1])))
                noisy = w[i] + np.float32(cells.write_sigma) * z
                seen[i] = np.where(n > 0, noisy, seen[i])


def _pulse_row(
    cells: Cells,
    w: FloatArray,
    i: int,
    n: NDArray[np.int64],
    is_up: NDArray[np.bool_],
    key: int,
    is_folded: bool,
) -> None:
    sigma, places = np.float32(cells.sigma), np.arange(len(w), dtype=np.uint32)
    low, high = cells.low[i], cells.high[i]
    noise = None
    if cells.noise_up is not None and cells.noise_down is not None:
        noise = np.where(is_up, cells.noise_up[i], cells.noise_down[i])
    if is_folded:
        many = n.astype(np.float32)
        z = normals(draw(key, places))
        step = mean_step(cells, i, w, is_up)
        over = step if noise is None else noise
        moved = w + (step * many + over * (sigma * (np.sqrt(many) * z)))
        w[...] = np.where(n > 0, np.minimum(high, np.maximum(low, moved)), w)
        return
    for q in range(int(n.max(initial=0))):
        bits = draw(key, places + np.uint32(q // 2 * 2 * len(w)))
        z = normals(bits, second=q % 2 == 1)
        step = mean_step(cells, i, w, is_up)
        moved = w + (step * (_ONE + sigma * z) if noise is None else step + noise * (sigma * z))
        w[...] = np.where(n > q, np.minimum(high, np.maximum(low, moved)), w)


def mean_step(cells: Cells, i: int, w: FloatArray, is_up: NDArray[np.bool_]) -> FloatArray:
    """Return the mean change of one pulse on each cell of a row, float32."""
    low, high, c = cells.low[i], cells.high[i], cells.constants
    share: FloatArray
    with np.errstate(divide="ignore", invalid="ignore"):
        if cells.law is Law.LINEAR:
            slope = np.where(is_up, cells.up_slope[i], cells.down_slope[i])
            size: FloatArray = np.where(is_up, cells.up[i], cells.down[i]) + slope * w
            return size
        if cells.law is Law.EXPONENTIAL:
            z = np.float32(2) * c[4] * w / (high - low) + c[5]
            y = np.where(is_up, _ONE - c[0] * np.exp(c[1] * z), _ONE - c[2] * np.exp(-c[3] * z))
            share = np.maximum(np.float32(0), y)
        elif cells.law is Law.POWER:
            left = np.where(is_up, high - w, w - low) / (high - low)
            share = np.maximum(np.float32(0), left) ** np.where(is_up, c[0], c[1])
        else:
            share = _from_table(c, (w - low) / (high - low), is_up)
    sizes: FloatArray = np.where(is_up, cells.up[i], cells.down[i])
    return sizes * share


def _from_table(c: FloatArray, at: FloatArray, is_up: NDArray[np.bool_]) -> FloatArray:
    n = len(c) // 2
    at = at * np.float32(n - 1)
    k = np.clip(at.astype(np.int64), 0, n - 2)
    part = at - k.astype(np.float32)
    first = np.where(is_up, 0, n)
    share: FloatArray = c[first + k] * (_ONE - part) + c[first + k + 1] * part
    return share
