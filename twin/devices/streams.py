"""Random numbers of devices: a stream for each, so that no device's draws depend on another's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hil.types import FloatArray


class DeviceStreams:
    """Normal numbers, from a stream for each device.

    Args:
        seed: of the twin.
        use: what they are for; streams for different uses are independent.
        numbers: of the devices in their station.
    """

    def __init__(self, seed: int, use: str, numbers: Sequence[int]) -> None:
        self._entropy = [seed, *use.encode()]
        self._numbers = numbers
        self._open: dict[int, np.random.Generator] = {}

    def normals(self, k: int, n: int) -> FloatArray:
        """Return the next ``n`` standard normal numbers of the device at place ``k``."""
        if k not in self._open:
            self._open[k] = np.random.default_rng([*self._entropy, int(self._numbers[k])])
        return self._open[k].standard_normal(n)

    def all_normals(self, n: int) -> FloatArray:
        """Return the next ``n`` numbers of every device, shape (n_devices, n)."""
        return np.array([self.normals(k, n) for k in range(len(self._numbers))])
