"""How well the currents of an array are known, beside a model of it with nominal devices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.array_model import Sensed
from calibration.sneak_readings import CellCurrents
from hil.correction import Correction
from hil.types import FloatArray

_LN_R_OFF = float(np.hypot(0.6, 0.22))
"""Standard deviation of ln R_off that records say, from device to device and cycle to cycle."""

_OFF_MEAN_RATIO = float(np.expm1(_LN_R_OFF**2 / 2))
"""How much more than by its record a device with such an R_off conducts when OFF, on average."""

_OFF_SCATTER_RATIO = (1 + _OFF_MEAN_RATIO) * float(np.sqrt(np.expm1(_LN_R_OFF**2)))
"""How far devices scatter around that."""


@dataclass(frozen=True)
class CurrentErrors:
    """What makes measured currents differ from those of the model.

    The gain of the source, some 0.02 % in the levels of other lines, is too small to matter.

    Attributes:
        currents: that were measured.
        correction: what is known of the instrument.
        nplc: integration time of the readings, in power line cycles.
        read_noise_ratio: of every device, from reading to reading; half-selected ones too.
        wires_ratio: relative tolerance of the resistances of the lines.
    """

    currents: CellCurrents
    correction: Correction
    nplc: float
    read_noise_ratio: float
    wires_ratio: float

    def covariance(self, sensed: Sensed, off_siemens: FloatArray) -> FloatArray:
        """Return the covariance of measured minus modelled currents, shape (k, k).

        Args:
            sensed: the currents of the model.
            off_siemens: how much of each conductance the model has for that of OFF switches.
        """
        shapes = sensed.by_off * off_siemens
        others = np.column_stack(
            [
                _OFF_SCATTER_RATIO * shapes,
                _OFF_MEAN_RATIO * shapes.sum(axis=1),
                self.wires_ratio / np.sqrt(3) * sensed.by_wires_a,
            ]
        )
        meters = self._by_meters(sensed)
        used = np.flatnonzero(meters.any(axis=0))
        known = self.correction.covariance[np.ix_(used, used)]
        covariance: FloatArray = others @ others.T + meters[:, used] @ known @ meters[:, used].T
        return covariance + np.diag(self._noise_a(sensed) ** 2)

    def _noise_a(self, sensed: Sensed) -> FloatArray:
        """Return the noise of the mean of all readings of each current."""
        ammeter_a = self.correction.noise_a(self.currents.i_a, self.nplc)
        devices_a = self.read_noise_ratio * np.sqrt((sensed.by_cells_a**2).sum(axis=1))
        noise_a: FloatArray = np.hypot(ammeter_a, devices_a) / np.sqrt(self.currents.n_repeats)
        return noise_a

    def _by_meters(self, sensed: Sensed) -> FloatArray:
        """Return the derivatives by all quantities of the correction, shape (k, n_quantities)."""
        currents, gain = self.currents, self.correction.values[self.currents.gain]
        each = np.arange(len(currents.i_a))
        by = np.zeros((len(each), len(self.correction.values)))
        by[:, 0] = self._by_offset(sensed)  # what the voltmeter adds, the lines do not have
        by[each, currents.offset] = -1 / gain
        by[each, currents.gain] = -currents.i_a / gain
        return by

    def _by_offset(self, sensed: Sensed) -> FloatArray:
        """Return the derivative of the currents by the one offset of all levels, shape (k,)."""
        driven = self.currents.driven
        sides = ((driven.rows_v, sensed.by_rows), (driven.columns_v, sensed.by_columns))
        by = [(np.nan_to_num(lines_v) != 0) * slope for lines_v, slope in sides]
        total: FloatArray = np.hstack(by).sum(axis=1)
        return total
