"""What a generalised metastable-switch device does at rest: forgetting, and rising to its floor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hil.types import FloatArray
from twin.devices.formulas import PerDevice

_N_NODES = 16
_FAST_SPAN = 20.0  # after so many time constants the fast part is gone
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(_N_NODES)


@dataclass(frozen=True, slots=True)
class Memory(PerDevice):
    """Relaxation of the fresh share and rise of high-resistance states, in closed form.

    dY/dt = -Y / tau_relax, dX/dt = dY/dt + max(x_rest - X, 0) / tau_rise; arrays only.
    """

    tau_relax_s: FloatArray
    x_rest: FloatArray
    tau_rise_s: FloatArray

    def moves(self, x: FloatArray, fresh: FloatArray) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Whether each device changes at rest."""
        moving: np.ndarray[tuple[int], np.dtype[np.bool_]] = (fresh > 0) | (x < self.x_rest)
        return moving

    def after(
        self, x: FloatArray, fresh: FloatArray, dt_s: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return X and Y after some time; exact, whatever the time."""
        above = np.maximum(x - self.x_rest, 0.0)
        # A state above the floor that falls through it does so when the fresh share has lost this.
        falls = fresh > above
        lost = np.where(falls, above / np.where(falls, fresh, 1.0), 0.0)
        until_s = np.where(falls, -self.tau_relax_s * np.log1p(-lost), np.inf)
        first_s = np.where(x < self.x_rest, 0.0, np.minimum(until_s, dt_s))
        left = fresh * np.exp(-first_s / self.tau_relax_s)
        x = np.where(first_s > 0, np.maximum(x - (fresh - left), 0.0), x)
        return self._below(x, left, dt_s - first_s)

    def nodes_s(self, dt_s: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return times within a rest, and their weights in an integral over it, (n, n_nodes).

        Gauss-Legendre on two panels: while the fresh share is lost, and after that. The last time
        is the end, with no weight.
        """
        fast_s = np.minimum(dt_s, _FAST_SPAN * self.tau_relax_s)[:, None]
        slow_s = dt_s[:, None] - fast_s
        share, weight = 0.5 * (1 + _NODES), 0.5 * _WEIGHTS
        return (
            np.hstack([fast_s * share, fast_s + slow_s * share, dt_s[:, None]]),
            np.hstack([fast_s * weight, slow_s * weight, 0.0 * fast_s]),
        )

    def _below(
        self, x: FloatArray, fresh: FloatArray, dt_s: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """The same for states that are not above the floor; others have no time left."""
        fast, slow = 1 / self.tau_relax_s, 1 / self.tau_rise_s
        missing = np.maximum(self.x_rest - x, 0.0)
        gap = np.abs(fast - slow) * dt_s
        ratio = np.where(gap > 0, -np.expm1(-gap) / np.where(gap > 0, gap, 1.0), 1.0)
        overlap = dt_s * np.exp(-np.minimum(fast, slow) * dt_s) * ratio
        missing = missing * np.exp(-slow * dt_s) + fresh * fast * overlap
        moved = np.maximum(self.x_rest - missing, 0.0)
        return np.where((dt_s > 0) & (x <= self.x_rest), moved, x), fresh * np.exp(-fast * dt_s)
