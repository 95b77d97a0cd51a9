"""Compiled pulsed updates: only rows and columns that fire are visited, row by row.

Rows do not know of each other once the trains are drawn: each goes through all samples with its
weights in the cache, and rows are shared among threads. Draws depend on the place, not on the
order, so results are the same for any number of threads and equal to ``reference``.

A row is taken in one of four ways: few columns fire (a list of them), one slot (one vector loop),
folded, and otherwise in blocks of columns whose pulses are stepped together, two normal numbers
from each draw.
"""

# mypy: disable-error-code="no-untyped-call, untyped-decorator, no-untyped-def, type-arg"
from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np

from twin.tiles.responses import Law
from twin.tiles.streams import NORMAL_LEVELS

_BLOCK = 32
_FEW = 8  # columns fire if their number is below this part of all: a list is quicker than vectors
WRITE_PLACE = 33  # pulses of a sample have places up to 31
_LEVELS = NORMAL_LEVELS  # a constant to the compiler: nothing that is written can alias it
_u32, _u64, _f32 = np.uint32, np.uint64, np.float32
_LINEAR, _EXPONENTIAL, _POWER = int(Law.LINEAR), int(Law.EXPONENTIAL), int(Law.POWER)


N_THREADS = numba.get_num_threads()
"""That large updates are shared among."""


def use_threads(are_worth_it: bool) -> None:
    """Let the updates that follow use all threads, or only the one that calls."""
    numba.set_num_threads(N_THREADS if are_worth_it else 1)


@numba.njit(inline="always")
def _mix64(value):
    z = _u64(value) + _u64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> _u64(30))) * _u64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> _u64(27))) * _u64(0x94D049BB133111EB)
    return z ^ (z >> _u64(31))


@numba.njit(inline="always")
def _draw(place, key):
    h = _u32(place)
    h = _u32(h ^ _u32(h >> _u32(16)))
    h = _u32(h * _u32(0x7FEB352D))
    h = _u32(h ^ key)
    h = _u32(h ^ _u32(h >> _u32(15)))
    h = _u32(h * _u32(0x846CA68B))
    return _u32(h ^ _u32(h >> _u32(16)))


@numba.njit(inline="always")
def _count(bits):
    v = _u32(bits - (_u32(bits >> _u32(1)) & _u32(0x55555555)))
    v = _u32((v & _u32(0x33333333)) + (_u32(v >> _u32(2)) & _u32(0x33333333)))
    v = _u32(_u32(v + _u32(v >> _u32(4))) & _u32(0x0F0F0F0F))
    return _u32(_u32(v * _u32(0x01010101)) >> _u32(24))


@numba.njit(fastmath={"nnan", "nsz"}, inline="never")
def _largest(values):
    """Return the largest magnitude, as one vector loop; any number if one of them is none."""
    most = _f32(0)
    for value in values:
        size = abs(value)
        most = size if size > most else most
    return np.float64(most)


@numba.njit(cache=True)
def plan_trains(x, d, rate, dw_min, max_slots, fits_slots, balances, n_slots, x_scales, d_scales):
    """Plan the trains of samples as ``Management.plan`` does, into the last three arrays, (k,)."""
    for s in range(x.shape[0]):
        x_most, d_most = _largest(x[s]), _largest(d[s])
        n_pulses = rate * x_most * d_most / dw_min
        n_slots[s], x_scales[s], d_scales[s] = 0, 0, 0
        if not n_pulses > 0:
            continue
        n = max_slots
        if fits_slots:
            n = np.int64(min(max(np.ceil(n_pulses), 1.0), np.float64(max_slots)))
        share = rate / (dw_min * n)
        x_scale = np.sqrt(share)
        if balances:
            x_scale = np.sqrt(share * d_most / x_most)
            if n_pulses > max_slots:
                x_scale = 1 / x_most
        n_slots[s], x_scales[s], d_scales[s] = n, _f32(x_scale), _f32(share / x_scale)


@numba.njit(cache=True)
def draw_trains(values, scales, n_slots, key, trains, fired):
    """Draw when each line fires: bit q of a train is slot q.

    Args:
        values: on the lines, (k, n).
        scales: chance to fire for a value of 1, (k,).
        n_slots: of each sample, (k,).
        key: of these lines in this update.
        trains: to write to, (k, n).
        fired: how many lines fire in each slot, to write to, (k, most slots).
    """
    for s in range(values.shape[0]):
        key64 = _mix64(key + _u64(s))
        low, high = _u32(key64), _u32(key64 >> _u64(32))
        line, chances, scale = trains[s], values[s], scales[s]
        for j in range(len(line)):
            line[j] = 0
        for q in range(n_slots[s]):
            first, bit, n = _u32(low + _u32(q * len(line))), _u32(1) << _u32(q), 0
            for j in range(len(line)):
                share = _f32(_draw(_u32(first + _u32(j)), high) >> _u32(8)) * _f32(2.0**-24)
                fires = share < abs(chances[j]) * scale
                n += fires
                line[j] |= bit if fires else _u32(0)
            fired[s, q] = n


@numba.njit(cache=True)
def list_fired(trains, columns, n_fired):
    """List the columns that fire at all in each sample: (k, n) and their number (k,)."""
    for s in range(trains.shape[0]):
        n = 0
        for j in range(trains.shape[1]):
            columns[s, n] = j  # without a branch that nobody can foresee
            n += trains[s, j] != 0
        n_fired[s] = n


def _step_of(law: int) -> Callable[..., Any]:
    """Return the function that gives the mean change of a pulse."""

    @numba.njit(inline="always")
    def linear(is_up, w, size, slope, low, high, constants):
        return size + slope * w

    @numba.njit(inline="always")
    def exponential(is_up, w, size, slope, low, high, constants):
        z = _f32(2) * constants[4] * w / (high - low) + constants[5]
        if is_up:
            y = _f32(1) - constants[0] * _f32(np.exp(constants[1] * z))
        else:
            y = _f32(1) - constants[2] * _f32(np.exp(-constants[3] * z))
        return size * max(_f32(0), y)

    @numba.njit(inline="always")
    def power(is_up, w, size, slope, low, high, constants):
        if is_up:
            share, exponent = (high - w) / (high - low), constants[0]
        else:
            share, exponent = (w - low) / (high - low), constants[1]
        return size * _f32(max(_f32(0), share) ** exponent)

    @numba.njit(inline="always")
    def table(is_up, w, size, slope, low, high, constants):
        n = len(constants) // 2
        at = (w - low) / (high - low) * _f32(n - 1)
        k = min(max(int(at), 0), n - 2)
        part = at - _f32(k)
        first = 0 if is_up else n
        return size * (constants[first + k] * (_f32(1) - part) + constants[first + k + 1] * part)

    steps: dict[int, Callable[..., Any]] = {
        _LINEAR: linear,
        _EXPONENTIAL: exponential,
        _POWER: power,
    }
    return steps.get(law, table)


@cache
def make_update(law: int, is_additive: bool, has_write_noise: bool) -> Callable[..., None]:
    """Return the compiled update for one kind of device; compiling takes seconds, once."""
    mean_step = _step_of(law)
    has_slope = law == _LINEAR

    # A row is a tuple of arrays: weights, up, up_slope, down, down_slope, low, high, noise_up,
    # noise_down. A line is the values and trains of the columns in one sample.

    @numba.njit(inline="always")
    def pulsed(row, j, w, is_up, constants, sigma, z):
        size = row[1][j] if is_up else row[3][j]
        slope = row[2][j] if is_up else row[4][j]
        step = mean_step(is_up, w, size, slope, row[5][j], row[6][j], constants)
        if is_additive:
            noise = row[7][j] if is_up else row[8][j]
            moved = w + (step + noise * (sigma * z))
        else:
            moved = w + step * (_f32(1) + sigma * z)
        return min(row[6][j], max(row[5][j], moved))

    @numba.njit(inline="always")
    def folded_pulses(row, j, w, is_up, constants, sigma, z, n):
        size = row[1][j] if is_up else row[3][j]
        slope = row[2][j] if is_up else row[4][j]
        step = mean_step(is_up, w, size, slope, row[5][j], row[6][j], constants)
        over = step
        if is_additive:
            over = row[7][j] if is_up else row[8][j]
        moved = w + (step * n + over * (sigma * (np.sqrt(n) * z)))
        return min(row[6][j], max(row[5][j], moved))

    @numba.njit
    def pulse_few(row, values, trains, train, d_down, few, k1, k2, constants, sigma, is_folded):
        w, n_columns = row[0], len(row[0])
        for j in few:
            n = _count(train & trains[j])
            if n == 0:
                continue
            is_up, wj, bits = (values[j] < 0) != d_down, w[j], _u32(0)
            if is_folded:
                z = _LEVELS[_draw(_u32(k1 + _u32(j)), k2) >> _u32(20)]
                w[j] = folded_pulses(row, j, wj, is_up, constants, sigma, z, _f32(n))
                continue
            for q in range(n):
                if q % 2 == 0:
                    bits = _draw(_u32(k1 + _u32(q * n_columns + j)), k2)
                    z = _LEVELS[bits >> _u32(20)]
                else:
                    z = _LEVELS[_u32(bits >> _u32(8)) & _u32(4095)]
                wj = pulsed(row, j, wj, is_up, constants, sigma, z)
            w[j] = wj

    @numba.njit
    def pulse_once(row, values, trains, d_down, k1, k2, constants, sigma):
        w = row[0]
        for j in range(len(w)):
            wj, is_up = w[j], (values[j] < 0) != d_down
            z = _LEVELS[_draw(_u32(k1 + _u32(j)), k2) >> _u32(20)]
            moved = pulsed(row, j, wj, is_up, constants, sigma, z)
            w[j] = moved if trains[j] != 0 else wj

    @numba.njit
    def pulse_folded(row, values, trains, train, d_down, k1, k2, constants, sigma):
        w = row[0]
        for j in range(len(w)):
            wj, n, is_up = w[j], _f32(_count(train & trains[j])), (values[j] < 0) != d_down
            z = _LEVELS[_draw(_u32(k1 + _u32(j)), k2) >> _u32(20)]
            moved = folded_pulses(row, j, wj, is_up, constants, sigma, z, n)
            w[j] = moved if n > 0 else wj

    @numba.njit(inline="always")
    def pulse_block(row, values, counts, most, d_down, place, n_columns, k2, constants, sigma):
        w = row[0]
        for q in range(0, most, 2):
            first, q1 = _u32(place + _u32(q * n_columns)), _u32(q)
            for j in range(len(w)):
                wj, n, is_up = w[j], counts[j], (values[j] < 0) != d_down
                bits = _draw(_u32(first + _u32(j)), k2)
                moved = pulsed(row, j, wj, is_up, constants, sigma, _LEVELS[bits >> _u32(20)])
                wj = moved if n > q1 else wj
                z = _LEVELS[_u32(bits >> _u32(8)) & _u32(4095)]
                moved = pulsed(row, j, wj, is_up, constants, sigma, z)
                w[j] = moved if n > _u32(q1 + _u32(1)) else wj

    @numba.njit(inline="always")
    def part(row, first, last):
        return (
            row[0][first:last],
            row[1][first:last],
            row[2][first:last],
            row[3][first:last],
            row[4][first:last],
            row[5][first:last],
            row[6][first:last],
            row[7][first:last],
            row[8][first:last],
        )

    @numba.njit
    def pulse_blocks(row, values, trains, train, d_down, k1, k2, constants, sigma):
        counts, n_columns = np.empty(_BLOCK, np.uint32), len(row[0])
        for first in range(0, n_columns, _BLOCK):
            last, most = min(first + _BLOCK, n_columns), _u32(0)
            for t in range(last - first):
                counts[t] = _count(train & trains[first + t])
                most = max(most, counts[t])
            block, place = part(row, first, last), _u32(k1 + _u32(first))
            pulse_block(
                block,
                values[first:last],
                counts,
                np.int64(most),
                d_down,
                place,
                n_columns,
                k2,
                constants,
                sigma,
            )

    @numba.njit
    def see(row, seen, trains, train, k1, k2, write_sigma):
        w = row[0]
        place = _u32(k1 + _u32(WRITE_PLACE * len(w)))
        for j in range(len(w)):
            if train & trains[j]:
                z = _LEVELS[_draw(_u32(place + _u32(j)), k2) >> _u32(20)]
                seen[j] = w[j] + write_sigma * z

    @numba.njit(parallel=True)
    def update(
        w,
        seen,
        up,
        up_slope,
        down,
        down_slope,
        low,
        high,
        noise_up,
        noise_down,
        constants,
        x,
        x_trains,
        columns,
        n_fired,
        d,
        d_trains,
        n_slots,
        sigma,
        write_sigma,
        key,
        is_folded,
    ):
        n_rows, n_columns = w.shape
        for i in numba.prange(n_rows):
            slopes = (up_slope[i], down_slope[i]) if has_slope else (up[i], down[i])
            noises = (noise_up[i], noise_down[i]) if is_additive else (up[i], down[i])
            row = (
                w[i],
                up[i],
                slopes[0],
                down[i],
                slopes[1],
                low[i],
                high[i],
                noises[0],
                noises[1],
            )
            for s in range(x.shape[0]):
                train = d_trains[s, i]
                if train == 0 or n_fired[s] == 0:
                    continue
                key64 = _mix64(key + _u64(s * n_rows + i))
                k1, k2, d_down = _u32(key64), _u32(key64 >> _u64(32)), d[s, i] < 0
                values, trains = x[s], x_trains[s]
                if n_fired[s] * _FEW < n_columns:
                    pulse_few(
                        row,
                        values,
                        trains,
                        train,
                        d_down,
                        columns[s, : n_fired[s]],
                        k1,
                        k2,
                        constants,
                        sigma,
                        is_folded and n_slots[s] > 1,
                    )
                elif n_slots[s] == 1:
                    pulse_once(row, values, trains, d_down, k1, k2, constants, sigma)
                elif is_folded:
                    pulse_folded(row, values, trains, train, d_down, k1, k2, constants, sigma)
                else:
                    pulse_blocks(row, values, trains, train, d_down, k1, k2, constants, sigma)
                if has_write_noise:
                    see(row, seen[i], trains, train, k1, k2, write_sigma)

    return update
