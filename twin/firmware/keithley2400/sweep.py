"""Levels of the sweeps of a Keithley 2400.

Source: manual 2400S-900-01 Rev. K, sections 10 and 18 (SOURce1:SWEep, :LIST). Assumed: a sweep on a
fixed range puts out the full scale for points beyond it, as the manual says for its maximum level.
"""

from __future__ import annotations

import math

import numpy as np

from twin.firmware.keithley2400.model import OVERFLOW
from twin.firmware.keithley2400.settings import Setup, Source, Sweep
from twin.firmware.scpi import SETTINGS_CONFLICT, ScpiError


def step(source: Source, sweep: Sweep) -> float:
    """Return the step of a linear sweep."""
    return (source.stop - source.start) / (sweep.n_points - 1)


def points_for(source: Source, step_size: float) -> int:
    """Return how many points a linear sweep with this step has."""
    span = source.stop - source.start
    if not step_size or abs(step_size) > abs(span) * (1 + 1e-9):
        raise ScpiError(SETTINGS_CONFLICT)
    return math.floor(abs(span / step_size) * (1 + 1e-9)) + 1


def levels(setup: Setup) -> list[float] | None:
    """Return the levels of a sweep in turn; None where the level is fixed.

    Raises:
        ScpiError: a logarithmic sweep through zero.
    """
    source, sweep = setup.source, setup.sweep
    if source.mode == "FIX":
        return None
    if source.mode == "LIST":
        return source.points[source.first - 1 :] or source.points
    start, stop = source.start, source.stop
    if sweep.spacing == "LOG" and start * stop <= 0:
        raise ScpiError(SETTINGS_CONFLICT)
    spaced = np.linspace if sweep.spacing == "LIN" else np.geomspace
    points = [float(level) for level in spaced(start, stop, sweep.n_points)]
    return points if sweep.direction == "UP" else points[::-1]


def prepare_range(setup: Setup, points: list[float]) -> list[float]:
    """Choose the source range of a sweep; return what it can put out."""
    ranging = setup.source.range
    largest = max(map(abs, points))
    if setup.sweep.ranging == "FIX":
        top = ranging.full_scale
        return [math.copysign(min(abs(level), top), level) for level in points]
    fitting = ranging.fitting(largest)
    if fitting != OVERFLOW:
        ranging.full_scale = fitting
    return points
