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


@numba.njit(cache=True)
def plan_trains(x, d, rate, dw_min, max_slots, fits_slots, balances, n_slots, x_scales, d_scales):
    """Plan the trains of samples as ``Management.plan`` does, into the last three arrays, (k,)."""
    for s in range(x.shape[0]):
        x_most, d_most = 0.0, 0.0
        for value in x[s]:
            x_most = max(x_most, np.float64(abs(value)))
        for value in d[s]:
            d_most = max(d_most, np.float64(abs(value)))
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
        fired: how many lines fire in each slot, to write to, (k, 31).
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
            if trains[s, j] != 0:
                columns[s, n] = j
                n += 1
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

    @numba.njit(inline="always")
    def pulsed(w, is_up, size, slope, low, high, noise, constants, sigma, z):
        step = mean_step(is_up, w, size, slope, low, high, constants)
        if is_additive:
            moved = w + (step + noise * (sigma * z))
        else:
            moved = w + step * (_f32(1) + sigma * z)
        return min(high, max(low, moved))

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
        folded,
    ):
        n_rows, n_columns = w.shape
        for i in numba.prange(n_rows):
            counts = np.empty(_BLOCK, np.uint32)
            wi, upi, downi, lowi, highi = w[i], up[i], down[i], low[i], high[i]
            up_slopei = up_slope[i] if has_slope else up[i]
            down_slopei = down_slope[i] if has_slope else down[i]
            noise_upi = noise_up[i] if is_additive else up[i]
            noise_downi = noise_down[i] if is_additive else down[i]
            for s in range(x.shape[0]):
                train = d_trains[s, i]
                if train == 0:
                    continue
                key64 = _mix64(key + _u64(s * n_rows + i))
                k1, k2 = _u32(key64), _u32(key64 >> _u64(32))
                d_down = d[s, i] < 0
                xs, trains = x[s], x_trains[s]
                if n_fired[s] * _FEW < n_columns:
                    for t in range(n_fired[s]):
                        j = columns[s, t]
                        n = _count(train & trains[j])
                        if n == 0:
                            continue
                        is_up = (xs[j] < 0) != d_down
                        size = upi[j] if is_up else downi[j]
                        slope = up_slopei[j] if is_up else down_slopei[j]
                        noise = noise_upi[j] if is_up else noise_downi[j]
                        wj, bits = wi[j], _u32(0)
                        if folded and n_slots[s] > 1:
                            bits = _draw(_u32(k1 + _u32(j)), k2)
                            z, many = _LEVELS[bits >> _u32(20)], _f32(n)
                            step = mean_step(is_up, wj, size, slope, lowi[j], highi[j], constants)
                            over = noise if is_additive else step
                            wj = wj + (step * many + over * (sigma * (np.sqrt(many) * z)))
                            wj = min(highi[j], max(lowi[j], wj))
                        else:
                            for q in range(n):
                                if q % 2 == 0:
                                    bits = _draw(_u32(k1 + _u32(q * n_columns + j)), k2)
                                    z = _LEVELS[bits >> _u32(20)]
                                else:
                                    z = _LEVELS[_u32(bits >> _u32(8)) & _u32(4095)]
                                wj = pulsed(
                                    wj,
                                    is_up,
                                    size,
                                    slope,
                                    lowi[j],
                                    highi[j],
                                    noise,
                                    constants,
                                    sigma,
                                    z,
                                )
                        wi[j] = wj
                elif n_slots[s] == 1:
                    for j in range(n_columns):
                        is_up = (xs[j] < 0) != d_down
                        size = upi[j] if is_up else downi[j]
                        slope = up_slopei[j] if is_up else down_slopei[j]
                        noise = noise_upi[j] if is_up else noise_downi[j]
                        wj = wi[j]
                        z = _LEVELS[_draw(_u32(k1 + _u32(j)), k2) >> _u32(20)]
                        moved = pulsed(
                            wj, is_up, size, slope, lowi[j], highi[j], noise, constants, sigma, z
                        )
                        wi[j] = moved if trains[j] != 0 else wj
                elif folded:
                    for j in range(n_columns):
                        n = _f32(_count(train & trains[j]))
                        is_up = (xs[j] < 0) != d_down
                        size = upi[j] if is_up else downi[j]
                        slope = up_slopei[j] if is_up else down_slopei[j]
                        noise = noise_upi[j] if is_up else noise_downi[j]
                        wj = wi[j]
                        z = _LEVELS[_draw(_u32(k1 + _u32(j)), k2) >> _u32(20)]
                        step = mean_step(is_up, wj, size, slope, lowi[j], highi[j], constants)
                        over = noise if is_additive else step
                        moved = wj + (step * n + over * (sigma * (np.sqrt(n) * z)))
                        moved = min(highi[j], max(lowi[j], moved))
                        wi[j] = moved if n > 0 else wj
                else:
                    for first in range(0, n_columns, _BLOCK):
                        last = min(first + _BLOCK, n_columns)
                        most = _u32(0)
                        tb = trains[first:last]
                        for t in range(last - first):
                            n = _count(train & tb[t])
                            counts[t] = n
                            most = max(most, n)
                        wb, xb = wi[first:last], xs[first:last]
                        upb, downb = upi[first:last], downi[first:last]
                        up_slopeb = up_slopei[first:last]
                        down_slopeb = down_slopei[first:last]
                        noise_upb, noise_downb = noise_upi[first:last], noise_downi[first:last]
                        lowb, highb = lowi[first:last], highi[first:last]
                        for q in range(0, np.int64(most), 2):
                            place, q1 = _u32(k1 + _u32(q * n_columns + first)), _u32(q)
                            for t in range(last - first):
                                is_up = (xb[t] < 0) != d_down
                                size = upb[t] if is_up else downb[t]
                                slope = up_slopeb[t] if is_up else down_slopeb[t]
                                noise = noise_upb[t] if is_up else noise_downb[t]
                                bits = _draw(_u32(place + _u32(t)), k2)
                                wj, n = wb[t], counts[t]
                                moved = pulsed(
                                    wj,
                                    is_up,
                                    size,
                                    slope,
                                    lowb[t],
                                    highb[t],
                                    noise,
                                    constants,
                                    sigma,
                                    _LEVELS[bits >> _u32(20)],
                                )
                                wj = moved if n > q1 else wj
                                moved = pulsed(
                                    wj,
                                    is_up,
                                    size,
                                    slope,
                                    lowb[t],
                                    highb[t],
                                    noise,
                                    constants,
                                    sigma,
                                    _LEVELS[_u32(bits >> _u32(8)) & _u32(4095)],
                                )
                                wb[t] = moved if n > _u32(q1 + _u32(1)) else wj
                if has_write_noise:
                    seeni = seen[i]
                    place = _u32(k1 + _u32(WRITE_PLACE * n_columns))
                    for j in range(n_columns):
                        if train & trains[j]:
                            z = _LEVELS[_draw(_u32(place + _u32(j)), k2) >> _u32(20)]
                            seeni[j] = wi[j] + write_sigma * z

    return update
