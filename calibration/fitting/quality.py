"""How well a model describes loops."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calibration.loops import Loop
from hil.types import FloatArray


def r2(loops: Sequence[Loop], currents_a: Sequence[FloatArray]) -> float:
    """Return 1 - (residual sum of squares) / (total sum of squares) over several loops.

    Residuals and currents are taken relative to the peak of each loop, so that every loop counts;
    the total is about the mean of each loop. 1 is perfect; nan for no loops.
    """
    left = total = 0.0
    for loop, current_a in zip(loops, currents_a, strict=True):
        peak_a = float(np.abs(loop.i_a).max())
        left += float((((loop.i_a - current_a) / peak_a) ** 2).sum())
        total += float((((loop.i_a - loop.i_a.mean()) / peak_a) ** 2).sum())
    return 1 - left / total if total else float("nan")


def r2_by_loop(loops: Sequence[Loop], currents_a: Sequence[FloatArray]) -> list[float]:
    """Return R2 of each loop alone."""
    return [r2([loop], [i]) for loop, i in zip(loops, currents_a, strict=True)]


def r2_by_resistor(loops: Sequence[Loop], currents_a: Sequence[FloatArray]) -> dict[float, float]:
    """Return R2 over the loops of each series resistance, by its ohms."""
    values = {}
    for r_ohm in sorted({loop.r_series_ohm for loop in loops}):
        index = [k for k, loop in enumerate(loops) if loop.r_series_ohm == r_ohm]
        values[r_ohm] = r2([loops[k] for k in index], [currents_a[k] for k in index])
    return values
