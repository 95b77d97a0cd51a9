"""The levels that a run steps through, and the ranges that they need.

Source: command reference B2910-90030, "SOURce Subsystem".
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from twin.firmware.keysight_b2900.model import SOURCE_OVER_RANGE_RATIO, range_index
from twin.firmware.keysight_b2900.settings import LevelSettings, SourceSettings, Sweep
from twin.firmware.scpi import SETTINGS_CONFLICT, ScpiError


def levels_of(source: SourceSettings) -> list[float]:
    """Return the levels of one pass: one, those of the sweep, or those of the list."""
    active = source.active
    if active.mode == "FIX":
        return [active.triggered]
    if active.mode == "LIST":
        first = active.list_start - 1
        return active.values[first:] + active.values[:first]
    up = _staircase(active.sweep, source.points, source.spacing)
    levels = up if source.direction == "UP" else up[::-1]
    return levels + levels[::-1] if source.staircase == "DOUB" else levels


def range_for(source: SourceSettings, levels: Sequence[float]) -> int | None:
    """Return the source range for all levels of a run; None where every level chooses its own."""
    active = source.active
    used = [active.level, *levels] if source.shape == "PULS" else levels
    if not active.ranging.auto:
        return active.ranging.index
    if active.mode == "SWE":
        if source.ranging == "FIX":
            return active.ranging.index
        if source.ranging == "AUTO" or source.spacing == "LOG":
            return None
    return max(range_index(active.ranging.full_scales, _largest(used)), active.ranging.lowest)


def check_reach(active: LevelSettings, levels: Sequence[float], index: int | None) -> None:
    """Refuse levels beyond the range that they are put out on.

    Raises:
        ScpiError: -221.
    """
    if index is None:
        return
    if _largest(levels) > SOURCE_OVER_RANGE_RATIO * active.ranging.full_scales[index] * (1 + 1e-9):
        raise ScpiError(SETTINGS_CONFLICT, "Settings conflict; source level exceeds range")


def set_points(source: SourceSettings, points: int) -> None:
    """Set the number of points; the spans stay and the steps change."""
    source.points = points
    for settings in source.by_function.values():
        _set_step_to_points(settings.sweep, points)


def set_step(source: SourceSettings, sweep: Sweep, step: float) -> None:
    """Set the step; the span stays and the number of points changes."""
    span = sweep.stop - sweep.start
    if step == 0 or span == 0:
        source.points, sweep.step = 1, 0.0
        return
    sweep.step = math.copysign(step, span)
    source.points = int(abs(span / step) * (1 + 1e-12)) + 1


def set_span(source: SourceSettings, sweep: Sweep, start: float, stop: float) -> None:
    """Set both ends; the number of points stays and the step changes."""
    sweep.start, sweep.stop = start, stop
    _set_step_to_points(sweep, source.points)


def _set_step_to_points(sweep: Sweep, points: int) -> None:
    sweep.step = (sweep.stop - sweep.start) / (points - 1) if points > 1 else 0.0


def _staircase(sweep: Sweep, points: int, spacing: str) -> list[float]:
    if points == 1:
        return [sweep.start]
    if spacing == "LIN":
        return [sweep.start + k * sweep.step for k in range(points)]
    if sweep.start * sweep.stop <= 0:
        raise ScpiError(SETTINGS_CONFLICT, "Settings conflict; log sweep crosses zero")
    ratio = sweep.stop / sweep.start
    return [sweep.start * ratio ** (k / (points - 1)) for k in range(points)]


def _largest(values: Sequence[float]) -> float:
    return max(abs(value) for value in values)
