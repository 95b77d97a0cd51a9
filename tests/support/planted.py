"""Twins whose devices misbehave in a way that the test has planted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hil.types import FloatArray, Pulses, Readings
from twin.board import TwinBoard

Changed = Callable[[Readings], FloatArray]


def plant_readings(monkeypatch: pytest.MonkeyPatch, changed: Changed) -> None:
    """Make every direct twin report ``changed(readings)`` as conductances."""
    measure = TwinBoard._measure

    def measuring(self: TwinBoard, *given: Any) -> Readings:
        readings = measure(self, *given)
        return replace(readings, g_siemens=changed(readings))

    monkeypatch.setattr(TwinBoard, "_measure", measuring)


def plant_pulses(
    monkeypatch: pytest.MonkeyPatch, applied_v: Callable[[int, int, float], float]
) -> None:
    """Make every direct twin apply other amplitudes than it was asked for, and not tell.

    Args:
        monkeypatch: of the test.
        applied_v: of the column, the number of the pulse on it (from 1) in this direction, and the
            amplitude that was asked for.
    """
    pulse = TwinBoard._pulse
    n_seen: dict[tuple[int, bool], int] = {}

    def pulsing(self: TwinBoard, cells: Any, amplitude_v: Any, *given: Any) -> Pulses:
        really_v = np.empty(len(cells))
        for k, (column, asked_v) in enumerate(zip(cells[:, 1], amplitude_v, strict=True)):
            key = int(column), bool(asked_v > 0)
            n_seen[key] = n_seen.get(key, 0) + 1
            really_v[k] = applied_v(int(column), n_seen[key], float(asked_v))
        return replace(pulse(self, cells, really_v, *given), amplitude_v=amplitude_v)

    monkeypatch.setattr(TwinBoard, "_pulse", pulsing)
