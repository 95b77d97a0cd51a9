"""What a device may see. A request outside is refused before a byte is sent; never clipped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hil.errors import LimitError, UsageError
from hil.types import BoardInfo, CellArray, Dopant, FloatArray
from hil.units import text


@dataclass(frozen=True, slots=True)
class DeviceLimits:
    """Limits of one device type.

    Attributes:
        max_current_a: through the device; also the compliance of the source.
        max_voltage_v: magnitude at the source.
        max_pulse_width_s: of one pulse.
        max_read_v: of a read, in the SET direction.
    """

    max_current_a: float
    max_voltage_v: float = 2.0
    max_pulse_width_s: float = 1.0
    max_read_v: float = 0.1


# Currents: knowm.org FAQ (1 mA for W, 50 uA for C). No limit is published for Cr: it gets that of C
# until one is measured. Voltage: the largest that Knowm's own quality check applies (-2 V reset).
# Read: 0.1 V in the write direction stays below the SET threshold of 0.2 V to 0.3 V.
DEFAULT_LIMITS: Mapping[Dopant, DeviceLimits] = {
    Dopant.W: DeviceLimits(max_current_a=1e-3),
    Dopant.CR: DeviceLimits(max_current_a=50e-6),
    Dopant.C: DeviceLimits(max_current_a=50e-6),
}


@dataclass(frozen=True, slots=True)
class CellLimits:
    """Limits of a selection of cells, as arrays, checked in one go.

    The worst case for the current is a device that has become a short circuit: the series resistor
    and the switch alone must keep it below the limit, because no source's compliance acts as fast
    as a device switches.
    """

    info: BoardInfo
    cells: CellArray
    max_current_a: FloatArray
    max_voltage_v: FloatArray
    max_pulse_width_s: FloatArray
    max_read_v: FloatArray
    r_series_ohm: FloatArray

    @classmethod
    def of(
        cls,
        info: BoardInfo,
        limits: Mapping[Dopant, DeviceLimits],
        cells: CellArray,
        switch_resistance_ohm: float,
    ) -> CellLimits:
        """Collect the limits of ``cells`` from their device types."""
        devices = [info.device_at(cell) for cell in cells]
        per_cell = [limits[device.dopant] for device in devices]
        return cls(
            info,
            cells,
            _array(limit.max_current_a for limit in per_cell),
            _array(limit.max_voltage_v for limit in per_cell),
            _array(limit.max_pulse_width_s for limit in per_cell),
            _array(limit.max_read_v for limit in per_cell),
            _array(device.series_resistor_ohm + switch_resistance_ohm for device in devices),
        )

    def check_read(self, v_read_v: ArrayLike, *, allow_reverse: bool) -> FloatArray:
        """Return the read voltages, one per cell.

        Raises:
            LimitError: zero, too large, or in the RESET direction without ``allow_reverse``.
        """
        v_read_v = self._per_cell("read voltage", v_read_v)
        self._refuse(v_read_v == 0, "read voltage", v_read_v, "V", "0 V reads nothing")
        if not allow_reverse:
            self._refuse(
                v_read_v < 0,
                "read voltage",
                v_read_v,
                "V",
                "reads are in the SET direction; erase thresholds are as low as 50 mV "
                "(allow_reverse if it is meant)",
            )
        self._below("read voltage", np.abs(v_read_v), self.max_read_v, "V")
        self._check_current(v_read_v)
        return v_read_v

    def check_pulse(
        self, amplitude_v: ArrayLike, width_s: ArrayLike, n_pulses: int, min_width_s: float
    ) -> tuple[FloatArray, FloatArray]:
        """Return amplitudes and widths, one per cell.

        Raises:
            LimitError: amplitude, worst-case current or width outside the limits.
            UsageError: fewer than one pulse.
        """
        if n_pulses < 1:
            raise UsageError(f"number of pulses is {n_pulses}; at least 1 is needed")
        amplitude_v = self._per_cell("amplitude", amplitude_v)
        width_s = self._per_cell("pulse width", width_s)
        self._below("amplitude", np.abs(amplitude_v), self.max_voltage_v, "V")
        self._check_current(amplitude_v)
        self._below("pulse width", width_s, self.max_pulse_width_s, "s")
        self._refuse(
            width_s < min_width_s,
            "pulse width",
            width_s,
            "s",
            f"the shortest pulse that this board can time is {text(min_width_s, 's')}",
        )
        return amplitude_v, width_s

    def check_sweep(self, waveform_v: ArrayLike, dt_s: float) -> FloatArray:
        """Return the waveform as an array; the selection holds one cell.

        Raises:
            LimitError: a point of the waveform is outside the limits.
            UsageError: no points, or a step time that is not positive.
        """
        waveform_v = np.asarray(waveform_v, dtype=float)
        if waveform_v.ndim != 1 or not len(waveform_v):
            raise UsageError(f"a waveform is a list of voltages, not of shape {waveform_v.shape}")
        if not dt_s > 0:
            raise UsageError(f"step time is {dt_s} s; it must be positive")
        peak_v = np.array([waveform_v[np.argmax(np.abs(waveform_v))]])
        if not np.isfinite(waveform_v).all():
            raise LimitError("the waveform has a point that is not a finite voltage")
        self._below("sweep voltage", np.abs(peak_v), self.max_voltage_v, "V")
        self._check_current(peak_v)
        return waveform_v

    def _check_current(self, v_source_v: FloatArray) -> None:
        worst_a = np.abs(v_source_v) / self.r_series_ohm
        bad = np.flatnonzero(worst_a > self.max_current_a)
        if len(bad):
            k = bad[0]
            safe_v = self.max_current_a[k] * self.r_series_ohm[k]
            raise LimitError(
                f"{text(v_source_v[k], 'V')} on {self._where(k)} could drive "
                f"{text(worst_a[k], 'A')} through {text(self.r_series_ohm[k], 'ohm')} in series; "
                f"the limit of {self._dopant(k)} devices is {text(self.max_current_a[k], 'A')}: "
                f"stay below {text(safe_v, 'V')} or fit a larger resistor"
            )

    def _below(self, what: str, values: FloatArray, limit: FloatArray, unit: str) -> None:
        bad = np.flatnonzero(values > limit)
        if len(bad):
            k = bad[0]
            raise LimitError(
                f"{what} {text(values[k], unit)} on {self._where(k)} is above the limit of "
                f"{text(limit[k], unit)} for {self._dopant(k)} devices"
            )

    def _refuse(self, bad: object, what: str, values: FloatArray, unit: str, why: str) -> None:
        hits = np.flatnonzero(np.asarray(bad))
        if len(hits):
            k = hits[0]
            raise LimitError(f"{what} {text(values[k], unit)} on {self._where(k)} refused: {why}")

    def _per_cell(self, what: str, values: ArrayLike) -> FloatArray:
        array = np.asarray(values, dtype=float)
        if array.ndim > 1 or (array.ndim == 1 and len(array) != len(self.cells)):
            raise UsageError(
                f"{what} has shape {array.shape}; give one value, or one for each of "
                f"{len(self.cells)} cells"
            )
        array = np.broadcast_to(array, (len(self.cells),)).astype(float)
        self._refuse(~np.isfinite(array), what, array, "", "not a finite number")
        return array

    def _where(self, k: int) -> str:
        row, column = self.cells[k]
        return f"{self.info.device_at(self.cells[k]).name} at cell ({row}, {column})"

    def _dopant(self, k: int) -> str:
        return self.info.device_at(self.cells[k]).dopant.value


def _array(values: Iterable[float]) -> FloatArray:
    return np.fromiter(values, dtype=float)
