"""Half cycles of devices, and what they have been through."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hil.types import FloatArray, IndexArray
from twin.devices.base import Response, Waveform, Wear
from twin.waveforms import Constant

SET, RESET = 1, -1
_MAX_CORNERS = 10_000_000


class WearCounter:
    """Counts half cycles, charge and the largest current of each device.

    Args:
        v_dead_on_v: upper edge of the dead band of each device.
        v_dead_off_v: magnitude of its lower edge.
    """

    def __init__(self, v_dead_on_v: FloatArray, v_dead_off_v: FloatArray) -> None:
        n = len(v_dead_on_v)
        self._edges_v = {SET: v_dead_on_v, RESET: v_dead_off_v}
        self._n = {SET: np.zeros(n, np.int64), RESET: np.zeros(n, np.int64)}
        self._last = np.zeros(n, np.int8)
        self._charge_c = np.zeros(n)
        self._i_peak_a = np.zeros(n)

    def begin(
        self, index: IndexArray, waveform: Waveform, dt_s: FloatArray
    ) -> tuple[dict[int, IndexArray], NDArray[np.bool_]]:
        """Count the half cycles that begin with a drive.

        Within one drive of both polarities each begins at most once.

        Returns:
            The devices whose SET or RESET half cycle begins, and for each driven device whether its
            source leaves the dead band at all.
        """
        low_v, high_v = extremes_v(waveform, dt_s)
        beyond = {
            SET: (high_v > self._edges_v[SET][index]) & (dt_s > 0),
            RESET: (low_v < -self._edges_v[RESET][index]) & (dt_s > 0),
        }
        begun = {}
        for side, other in ((SET, RESET), (RESET, SET)):
            starts = beyond[side] & ((self._last[index] != side) | beyond[other])
            begun[side] = index[starts]
            self._n[side][begun[side]] += 1
        for side in (SET, RESET):
            self._last[index[beyond[side]]] = side
        leaves: NDArray[np.bool_] = beyond[SET] | beyond[RESET]
        return begun, leaves

    def is_inside(self, index: IndexArray, v_v: FloatArray) -> NDArray[np.bool_]:
        """Return whether each voltage is inside the dead band of its device."""
        inside: NDArray[np.bool_] = (v_v < self._edges_v[SET][index]) & (
            v_v > -self._edges_v[RESET][index]
        )
        return inside

    def add(self, index: IndexArray, response: Response, i_peak_a: FloatArray) -> None:
        """Count the charge and the largest current of a drive."""
        self._charge_c[index] += np.abs(response.charge_c)
        self._i_peak_a[index] = np.maximum(self._i_peak_a[index], i_peak_a)

    def of(self, index: IndexArray) -> Wear:
        """Return what some devices have been through."""
        return Wear(
            self._n[SET][index],
            self._n[RESET][index],
            self._charge_c[index],
            self._i_peak_a[index],
        )


def extremes_v(waveform: Waveform, dt_s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the lowest and the highest voltage of each source within its time."""
    t_s = np.zeros(len(dt_s))
    low_v = high_v = waveform.value_v(t_s)
    if isinstance(waveform, Constant):
        return low_v, high_v
    for _ in range(_MAX_CORNERS):
        if not (t_s < dt_s).any():
            break
        t_s = np.minimum(waveform.monotonic_until_s(t_s), dt_s)
        v_v = waveform.value_v(t_s)
        low_v, high_v = np.minimum(low_v, v_v), np.maximum(high_v, v_v)
    return low_v, high_v
