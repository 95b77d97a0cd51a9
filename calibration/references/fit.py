"""What readings of references say about the quantities of a ``Correction``: weighted least squares.

The current that a reading should have given follows from Ohm's law and the voltage that it gave.
What was known before (accuracy table, tolerances, certificates) enters as one more observation of
each quantity, so that nothing is undetermined, and a quantity that the readings say nothing about
keeps the uncertainty that it had.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from calibration.references.readings import ReferenceReadings
from hil.correction import Correction, path_name
from hil.errors import CalibrationError
from hil.types import FloatArray, IndexArray
from hil.units import text

_UNKNOWN_LOAD_SIEMENS = 1e-5
"""Standard deviation of a leakage about which a station says nothing, before it is measured."""

_FAR = 6.0
"""Standard deviations that a quantity may be from what was known of it."""

_CHI2_MAX = 9.0
"""Mean square of residuals, in units of the expected noise, that is no noise any more."""


@dataclass(frozen=True)
class Prior:
    """What was known of a quantity: value and standard uncertainty."""

    value: float
    u: float


@dataclass(frozen=True)
class Fit:
    """Estimates of the quantities that were free, and how they hang together.

    Attributes:
        names: of the free quantities.
        values: estimates.
        covariance: of them, with what comes from the quantities that were held.
        held: names of the quantities that were held at uncertain values.
        cross: covariance of free (rows) and held (columns) quantities.
        chi2_ratio: mean square of the residuals over what the noise should give.
    """

    names: tuple[str, ...]
    values: FloatArray
    covariance: FloatArray
    held: tuple[str, ...]
    cross: FloatArray
    chi2_ratio: float

    def value(self, name: str) -> float:
        """Return the estimate of a quantity."""
        return float(self.values[self.names.index(name)])

    def u(self, name: str) -> float:
        """Return the standard uncertainty of a quantity."""
        k = self.names.index(name)
        return float(np.sqrt(self.covariance[k, k]))


class ReferenceModel:
    """Ohm's law for readings of references, and what is known beforehand."""

    def __init__(self, readings: ReferenceReadings, correction: Correction) -> None:
        self._readings = readings
        self._correction = correction
        index = readings.device_index
        self._offset = correction.i_offset(readings.i_a)
        self._gain = correction.gain(readings.i_a)
        paths = [path_name(device.position) for device in readings.devices]
        names = list(correction.names)
        self._path: IndexArray = np.array([names.index(name) for name in paths])[index]
        self._load = names.index("load_siemens")
        self._r_nominal = np.array([device.reference_ohm for device in readings.devices])[index]
        resistors = {
            f"reference {d.name}": d for d in readings.devices if _is_resistor(d.reference_ohm)
        }
        self._names = (*names, *resistors)
        of_device = [
            self._names.index(f"reference {d.name}") if _is_resistor(d.reference_ohm) else -1
            for d in readings.devices
        ]
        self._reference: IndexArray = np.array(of_device)[index]
        known = [d.reference_ohm or 0.0 for d in resistors.values()]
        u_known = [
            (d.reference_ohm or 0.0) * d.reference_expanded_ratio / 2 for d in resistors.values()
        ]
        self._values = np.concatenate([correction.values, known])
        u = np.concatenate([np.sqrt(np.diag(correction.covariance)), u_known])
        if not u[self._load] and np.isinf(self._r_nominal).any():
            u[self._load] = _UNKNOWN_LOAD_SIEMENS
        self._u = u
        self._noise_a = correction.noise_a(readings.i_a, readings.nplc)
        self._noise_v = correction.noise_v(readings.nplc)

    @property
    def priors(self) -> Mapping[str, Prior]:
        """What was known of every quantity, by name; those of resistors are ``reference NAME``."""
        return {
            name: Prior(value, u)
            for name, value, u in zip(
                self._names, self._values.tolist(), self._u.tolist(), strict=True
            )
        }

    def touched(self) -> tuple[str, ...]:
        """Return the names of the uncertain quantities that any reading depends on."""
        used = {0, self._load, *self._offset, *self._gain, *self._path, *self._reference} - {-1}
        return tuple(name for k, name in enumerate(self._names) if k in used and self._u[k] > 0)

    def fit(self, free: Sequence[str], held: Sequence[str] = ()) -> Fit:
        """Estimate ``free``; ``held`` stay, and their uncertainty goes into the result.

        Raises:
            CalibrationError: the readings contradict what the station says is in the sockets.
        """
        rows = [self._names.index(name) for name in free]
        start, u = self._values[rows], self._u[rows]

        def residuals(z: FloatArray) -> FloatArray:
            return np.concatenate([self._residuals(rows, start + u * z), z])

        solution = least_squares(residuals, np.zeros(len(rows)), method="lm", xtol=1e-12)
        jacobian: FloatArray = np.asarray(solution.jac)
        values = start + u * solution.x
        self._refuse_misfit(free, solution.x, solution.fun[: len(self._readings.i_a)])
        n = len(self._readings.i_a)
        chi2_ratio = float(np.mean(solution.fun[:n] ** 2))
        excess = max(1.0, chi2_ratio)  # an instrument that is noisier than its table says
        normal = np.linalg.inv(jacobian.T @ jacobian)
        covariance: FloatArray = u[:, None] * normal * u * excess
        cross = np.zeros((len(rows), len(held)))
        if held:
            columns = [self._names.index(name) for name in held]
            sensitivity = -u[:, None] * (
                normal @ jacobian[:n].T @ self._slopes(rows, values, columns)
            )
            known = self._correction.covariance[np.ix_(columns, columns)]
            cross = sensitivity @ known
            covariance = covariance + cross @ sensitivity.T
        return Fit(tuple(free), values, covariance, tuple(held), cross, chi2_ratio)

    def _residuals(self, rows: Sequence[int], values: FloatArray) -> FloatArray:
        """Return (measured - expected) current over its noise."""
        q = self._values.copy()
        q[rows] = values
        r_ohm = np.where(self._reference < 0, self._r_nominal, q[self._reference])
        with np.errstate(divide="ignore", invalid="ignore"):
            r_node = np.where(
                np.isinf(r_ohm), 1 / q[self._load], r_ohm / (1 + r_ohm * q[self._load])
            )
        g_siemens = 1 / (q[self._path] + r_node)
        expected_a = q[self._offset] + q[self._gain] * g_siemens * (self._readings.v_v - q[0])
        noise_a = np.hypot(self._noise_a, q[self._gain] * g_siemens * self._noise_v)
        residuals: FloatArray = (self._readings.i_a - expected_a) / noise_a
        return residuals

    def _slopes(
        self, rows: Sequence[int], values: FloatArray, columns: Sequence[int]
    ) -> FloatArray:
        """Return the derivative of the residuals to held quantities, shape (n_readings, n_held)."""
        slopes = np.zeros((len(self._readings.i_a), len(columns)))
        for k, column in enumerate(columns):
            if self._u[column] > 0:
                step = self._u[column]
                at = [
                    self._residuals([*rows, column], np.append(values, self._values[column] + d))
                    for d in (-step, step)
                ]
                slopes[:, k] = (at[1] - at[0]) / (2 * step)
        return slopes

    def _refuse_misfit(self, free: Sequence[str], z: FloatArray, residuals: FloatArray) -> None:
        device_index, devices = self._readings.device_index, self._readings.devices
        worst = devices[int(device_index[np.argmax(np.abs(residuals))])]
        far = int(np.argmax(np.abs(z)))
        if abs(z[far]) > _FAR:
            k = self._names.index(free[far])
            raise CalibrationError(
                f"the readings put {free[far]} {abs(z[far]):.0f} standard uncertainties away from "
                f"what the station says ({self._values[k]:.6g}); check what is in the sockets, "
                f"{worst.name!r} first"
            )
        chi2_ratio = float(np.mean(residuals**2))
        if chi2_ratio > _CHI2_MAX:
            raise CalibrationError(
                f"the readings scatter {np.sqrt(chi2_ratio):.0f} times as much as the noise of the "
                f"instrument explains, most on {worst.name!r} at position {worst.position} "
                f"({text(worst.reference_ohm or 0.0, 'ohm')}); check contacts and shielding"
            )


def _is_resistor(reference_ohm: float | None) -> bool:
    return reference_ohm is not None and 0 < reference_ohm < float("inf")
