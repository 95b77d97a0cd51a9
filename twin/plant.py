"""Everything on the bench that is not an instrument: devices, series resistors, switches."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from hil.types import FloatArray, IndexArray
from twin.devices.base import DeviceModel
from twin.waveforms import Constant


@dataclass(frozen=True)
class PlantInputs:
    """What the instruments impose; arrays of shape (n_connected,).

    Attributes:
        connected: devices behind a closed switch.
        v_source_v: voltage that drives each of them.
        i_limit_a: current limit of the source behind each.
    """

    connected: IndexArray
    v_source_v: FloatArray
    i_limit_a: FloatArray


@dataclass(frozen=True)
class PlantOutputs:
    """What the step did; arrays of shape (n_connected,).

    Attributes:
        device_j: energy dissipated in each device.
        series_j: in its series resistor.
        switch_j: in its switch.
        source_j: delivered by the source.
        charge_c: integral of the current.
        i_end_a: current at the end of the step.
        v_end_v: voltage at the source's terminals at the end of the step.
    """

    device_j: FloatArray
    series_j: FloatArray
    switch_j: FloatArray
    source_j: FloatArray
    charge_c: FloatArray
    i_end_a: FloatArray
    v_end_v: FloatArray

    def __add__(self, later: PlantOutputs) -> PlantOutputs:
        """Join two steps of the same devices: energies and charges add, the end is the later's."""
        joined = {
            f.name: getattr(later, f.name)
            if "_end_" in f.name
            else getattr(self, f.name) + getattr(later, f.name)
            for f in fields(self)
        }
        return PlantOutputs(**joined)

    @classmethod
    def join(cls, parts: list[PlantOutputs]) -> PlantOutputs:
        """Return the outputs of several devices as one, in the order of ``parts``."""
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))


class Plant:
    """Devices, each in series with its resistor and a switch.

    Deterministic for a given device model, seed and history of inputs.
    """

    def __init__(self, devices: DeviceModel, r_series_ohm: FloatArray, r_switch_ohm: float) -> None:
        self.devices = devices
        self._r_total_ohm = r_series_ohm + r_switch_ohm
        self._series_share = r_series_ohm / self._r_total_ohm

    def advance(self, inputs: PlantInputs, dt_s: FloatArray | float) -> PlantOutputs:
        """Let time pass with these inputs; devices that are not connected rest meanwhile.

        Args:
            inputs: held constant during the step.
            dt_s: duration; one for each connected device only where devices are not volatile, so
                that it does not matter which of them comes first.
        """
        index = inputs.connected
        dt_s = np.broadcast_to(np.asarray(dt_s, dtype=float), index.shape)
        if self.devices.is_volatile:
            others = np.setdiff1d(np.arange(self.devices.n_devices), index)
            self.rest(others, float(dt_s.max(initial=0.0)))
        r_total_ohm = self._r_total_ohm[index]
        response = self.devices.drive(
            index, Constant(inputs.v_source_v), dt_s, r_total_ohm, inputs.i_limit_a
        )
        series_j = response.resistors_j * self._series_share[index]
        return PlantOutputs(
            response.device_j,
            series_j,
            response.resistors_j - series_j,
            response.source_j,
            response.charge_c,
            response.i_end_a,
            response.v_device_end_v + response.i_end_a * r_total_ohm,
        )

    def rest(self, index: IndexArray, dt_s: float) -> None:
        """Let time pass for devices behind open switches."""
        self.devices.rest(index, dt_s)
