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
        series_j: in its series resistor, and in the load beside it.
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
    """Devices, each in series with its resistor and a switch, and in parallel with a load.

    Deterministic for a given device model, seed and history of inputs.

    Args:
        devices: the model.
        r_series_ohm: series resistor of each device, shape (n_devices,).
        r_switch_ohm: of the closed switch, one for all or of each.
        load_siemens: in parallel with every device.
    """

    def __init__(
        self,
        devices: DeviceModel,
        r_series_ohm: FloatArray,
        r_switch_ohm: FloatArray | float,
        load_siemens: float = 0.0,
    ) -> None:
        self.devices = devices
        self.load_siemens = load_siemens
        self._r_total_ohm = r_series_ohm + r_switch_ohm
        self._series_share = np.divide(
            r_series_ohm,
            self._r_total_ohm,
            out=np.zeros_like(self._r_total_ohm),
            where=self._r_total_ohm > 0,
        )

    @property
    def r_path_ohm(self) -> FloatArray:
        """Series resistor and switch of each device."""
        return self._r_total_ohm

    def advance(self, inputs: PlantInputs, dt_s: float) -> PlantOutputs:
        """Let time pass with these inputs; devices that are not connected rest meanwhile.

        Args:
            inputs: held constant during the step.
            dt_s: duration of the step.
        """
        self.rest_others(inputs.connected, dt_s)
        return self.drive(inputs, dt_s)

    def drive(self, inputs: PlantInputs, dt_s: FloatArray | float) -> PlantOutputs:
        """Drive the connected devices; for the others no time passes.

        For whoever keeps the time of each device: devices know nothing of each other, so it does
        not matter which of them is driven first as long as each rests when it is not its turn.

        The load is taken into account by Thevenin's theorem. Where the source limits its current,
        the limit is taken to be on the device, without the load beside it.

        Args:
            inputs: held constant during the step.
            dt_s: one duration for all, or one for each connected device.
        """
        index = inputs.connected
        dt_s = np.broadcast_to(np.asarray(dt_s, dtype=float), index.shape)
        r_ohm, load = self._r_total_ohm[index], self.load_siemens
        share = 1 / (1 + r_ohm * load)  # of the source's voltage, left by the load alone
        response = self.devices.drive(
            index, Constant(inputs.v_source_v * share), dt_s, r_ohm * share, inputs.i_limit_a
        )
        i_end_a = response.i_end_a + load * response.v_device_end_v
        charge_c, source_j, resistors_j = response.charge_c, response.source_j, response.resistors_j
        load_j = np.zeros_like(source_j)
        if load:
            # Source current = share (device current + load v_source); its square integrates to:
            load_a = load * inputs.v_source_v
            i2_dt = resistors_j / (r_ohm * share) + 2 * load_a * charge_c + load_a**2 * dt_s
            charge_c = share * (charge_c + load_a * dt_s)
            source_j = inputs.v_source_v * charge_c
            resistors_j = r_ohm * share**2 * i2_dt
            load_j = source_j - resistors_j - response.device_j
        series_j = resistors_j * self._series_share[index]
        return PlantOutputs(
            response.device_j,
            series_j + load_j,
            resistors_j - series_j,
            source_j,
            charge_c,
            i_end_a,
            response.v_device_end_v + i_end_a * r_ohm,
        )

    def rest(self, index: IndexArray, dt_s: FloatArray | float) -> None:
        """Let time pass for devices behind open switches: one duration, or one for each."""
        self.devices.rest(index, dt_s)

    def rest_others(self, index: IndexArray, dt_s: float) -> None:
        """Let time pass for all devices but some; free where none is volatile."""
        if self.devices.is_volatile:
            others = np.ones(self.devices.n_devices, dtype=bool)
            others[index] = False
            self.rest(np.flatnonzero(others), dt_s)
