"""The source voltage of measured loops, cut into the steps in which a simulation takes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.loops import Loop
from hil.types import FloatArray

_SETTLE_SHARES = (0.04, 0.16, 0.8)
_HELD_SHARES = (0.2, 0.8)


@dataclass(frozen=True)
class LoopDrive:
    """Loops of equal numbers of points and equal kind; step arrays have shape (n_steps, n_loops).

    Attributes:
        index: of these loops among all.
        n_points: of each loop.
        per_point: steps for each point.
        weights: share of each of these steps in the reading of the point, shape (per_point,).
        v_mid_v: source voltage in the middle of each step.
        rise_v: by how much the source rises within each step.
        dt_s: length of each step.
        r_series_ohm: shape (n_loops,).
        is_periodic: whether the last step leads back to the first.
        newton: iterations for the voltage in each step.
    """

    index: tuple[int, ...]
    n_points: int
    per_point: int
    weights: FloatArray
    v_mid_v: FloatArray
    rise_v: FloatArray
    dt_s: FloatArray
    r_series_ohm: FloatArray
    is_periodic: bool
    newton: int


def cut_into_steps(loops: list[Loop], steps_per_point: int) -> list[LoopDrive]:
    """Return the drives of loops, those that can be simulated together in one.

    A periodic loop follows its fitted sine, or straight lines from point to point where its source
    is no sine; so does a loop of unknown origin. A loop that tells its ``reading_window_s`` is a
    staircase: each level is held, and the current is averaged over that window.

    Args:
        loops: of any kind.
        steps_per_point: odd, so that a point lies in the middle of a step; staircases take more
            where they need them.
    """
    kinds: dict[tuple[int, bool, bool], list[int]] = {}
    for k, loop in enumerate(loops):
        stair = loop.reading_window_s is not None
        kinds.setdefault((len(loop.t_s), loop.is_periodic, stair), []).append(k)
    drives = []
    for (n, is_periodic, stair), index in kinds.items():
        part = [loops[k] for k in index]
        weights, columns = (_stairs if stair else _lines)(part, steps_per_point)
        v_mid_v, rise_v, dt_s = (np.stack(column, axis=1) for column in zip(*columns, strict=True))
        drives.append(
            LoopDrive(
                index=tuple(index),
                n_points=n,
                per_point=len(weights),
                weights=weights,
                v_mid_v=v_mid_v,
                rise_v=rise_v,
                dt_s=dt_s,
                r_series_ohm=np.array([loop.r_series_ohm for loop in part]),
                is_periodic=is_periodic,
                newton=3 if stair else 1,
            )
        )
    return drives


_Columns = list[tuple[FloatArray, FloatArray, FloatArray]]


def _lines(loops: list[Loop], per_point: int) -> tuple[FloatArray, _Columns]:
    weights = np.zeros(per_point)
    weights[(per_point - 1) // 2] = 1.0
    return weights, [_line(loop, per_point) for loop in loops]


def _line(loop: Loop, per_point: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Cells reach from half way to the point before to half way to the point after."""
    t_s, n = loop.t_s, len(loop.t_s)
    if loop.is_periodic and loop.frequency_hz:
        dt_s = np.full(n, 1 / (n * loop.frequency_hz))
        edges_s = np.append(t_s - dt_s / 2, t_s[-1] + dt_s[-1] / 2)
    else:
        middle_s = (t_s[1:] + t_s[:-1]) / 2
        first_s, last_s = 2 * t_s[0] - middle_s[0], 2 * t_s[-1] - middle_s[-1]
        edges_s = np.concatenate([[first_s], middle_s, [last_s]])
    before, after = (t_s - edges_s[:-1]) / per_point, (edges_s[1:] - t_s) / per_point
    half = (per_point - 1) // 2
    widths = np.stack([2 * before] * half + [before + after] + [2 * after] * half, axis=1)
    steps_s = widths.ravel()
    ends_s = edges_s[0] + np.cumsum(steps_s)
    starts_s = ends_s - steps_s
    middles_s = (starts_s + ends_s) / 2
    middles_s[half::per_point] = t_s
    return _source_v(loop, middles_s), _source_v(loop, ends_s) - _source_v(loop, starts_s), steps_s


def _source_v(loop: Loop, t_s: FloatArray) -> FloatArray:
    sine = loop.sine
    if sine is not None:
        angle_rad = 2 * np.pi * sine.frequency_hz * t_s
        return sine.offset_v + sine.amplitude_v * np.sin(angle_rad)
    period_s = 1 / loop.frequency_hz if loop.is_periodic and loop.frequency_hz else None
    return np.interp(t_s, loop.t_s, loop.v_source_v, period=period_s)


def _stairs(loops: list[Loop], per_point: int) -> tuple[FloatArray, _Columns]:
    n_window = max(2, per_point)
    weights = np.concatenate(
        [
            np.zeros(len(_SETTLE_SHARES)),
            np.full(n_window, 1 / n_window),
            np.zeros(len(_HELD_SHARES)),
        ]
    )
    return weights, [_stair(loop, n_window) for loop in loops]


def _stair(loop: Loop, n_window: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    assert loop.reading_window_s is not None
    opens_s, closes_s = loop.reading_window_s
    spacing_s = np.diff(loop.t_s)
    point_s = np.append(spacing_s, spacing_s[-1] if len(spacing_s) else closes_s)
    held_s = np.maximum(point_s - closes_s, 0.0)
    parts = [np.full(len(point_s), opens_s * share) for share in _SETTLE_SHARES]
    parts += [np.full(len(point_s), (closes_s - opens_s) / n_window)] * n_window
    parts += [held_s * share for share in _HELD_SHARES]
    dt_s = np.stack(parts, axis=1).ravel()
    v_v = np.repeat(loop.v_source_v, len(parts))
    return v_v, np.zeros_like(v_v), dt_s
