"""The direct twin: the volts of a station without the bytes, for many pulses at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from hil.arrays import Scheme
from hil.boards.checked import CheckedBoard
from hil.boards.model_uncertainty import UNKNOWN, ModelUncertainty
from hil.conductance import conductance, device_voltage
from hil.correction import Correction
from hil.protocol.switch_board import BREAK_S
from hil.station import Station
from hil.types import (
    BoardInfo,
    CellArray,
    EnergySplit,
    FloatArray,
    IndexArray,
    Inference,
    Pulses,
    Readings,
    SweepTrace,
    Synapses,
)
from twin.bench import NS_PER_S
from twin.converters import Converters
from twin.neurons import NeuronCircuit
from twin.plant import Plant, PlantInputs, PlantOutputs


class PlantClock:
    """Simulated time of a plant that is not behind instruments; integer nanoseconds inside."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._now_ns = 0

    def now_s(self) -> float:
        """Return the bench time."""
        return self._now_ns / NS_PER_S

    def sleep_s(self, dt_s: float) -> None:
        """Let time pass with nothing connected; nothing happens if it is not positive."""
        dt_s = max(0.0, dt_s)
        self._plant.rest(np.arange(self._plant.devices.n_devices), dt_s)
        self.skip_s(dt_s)

    def skip_s(self, dt_s: float) -> None:
        """Move on; the plant has lived through this time already."""
        self._now_ns += round(dt_s * NS_PER_S)


class TwinBoard(CheckedBoard):
    """A bank of switched devices driven directly.

    Same plant, limits, converters and times as the wire twin of the same station: what differs is
    what the wire costs. Cells are driven at once where their order cannot matter. With ``neurons``
    it also has a neuron circuit, which no wire twin has.
    """

    def __init__(
        self,
        info: BoardInfo,
        station: Station,
        plant: Plant,
        converters: Converters,
        correction: Correction,
        uncertainties: Sequence[ModelUncertainty] = (),
        neurons: NeuronCircuit | None = None,
    ) -> None:
        table = station.table
        self._plant = plant
        self._converters = converters
        self._table = table.smu
        self._correction = correction
        self._time = PlantClock(plant)
        super().__init__(info, station.limits, self._time)
        self._uncertainties = tuple(uncertainties) or (UNKNOWN,) * len(info.devices)
        self._neurons = neurons
        self._connected = -1
        self._i_limit_a = np.array(
            [station.limits[device.dopant].max_current_a for device in info.devices]
        )

    @property
    def plant(self) -> Plant:
        """The plant, for those who may know the truth: tests and demonstrations."""
        return self._plant

    def adopt(self, cells: CellArray, g_siemens: FloatArray, v_device_v: FloatArray) -> None:
        """Put devices into the state with these conductances; takes no time and wears nothing."""
        # A short or a negative conductance (an open device within its uncertainty) is the end of
        # what a device can be.
        g_siemens = np.clip(g_siemens, 0.0, 1.0)
        index = self._info.index_of(cells)
        self._plant.devices.adopt_conductance(index, g_siemens, v_device_v)

    def model_uncertainty(self, cells: CellArray) -> list[ModelUncertainty]:
        """Return how far the model of each device may be from the device."""
        return [self._uncertainties[k] for k in self._info.index_of(cells)]

    def make_safe(self) -> None:
        """Nothing is ever left on between two calls of a direct twin."""

    def _close_links(self) -> None:
        """A direct twin has none."""

    def _measure(self, cells: CellArray, v_read_v: FloatArray, scheme: Scheme) -> Readings:
        aperture_s = self._table.read_nplc / self._table.line_frequency_hz
        on_s = self._table.settle_s + aperture_s
        v_source_v = self._converters.source_v(v_read_v)
        ends_s, (settling, integrating) = self._in_turn(
            cells, v_source_v, [np.full(len(cells), t) for t in (self._table.settle_s, aperture_s)]
        )
        v_v = self._converters.measure_v(integrating.v_end_v, self._table.read_nplc)
        i_a = self._converters.measure_a(integrating.charge_c / aperture_s, self._table.read_nplc)
        index = self._info.index_of(cells)
        g = conductance(v_v, i_a, index, self._correction, self._table.read_nplc)
        return Readings(
            cells=cells,
            t_s=ends_s,
            v_read_v=v_read_v,
            v_source_v=v_v,
            v_device_v=g.v_device_v,
            i_a=i_a,
            g_siemens=g.g_siemens,
            g_expanded_siemens=g.g_expanded_siemens,
            width_s=np.full(len(cells), on_s),
            energy=self._energy(settling + integrating, np.full(len(cells), on_s)),
            source=self._info.source,
        )

    def _pulse(
        self,
        cells: CellArray,
        amplitude_v: FloatArray,
        width_s: FloatArray,
        n_pulses: int,
        scheme: Scheme,
        compliance_a: float | None,
    ) -> Pulses:
        v_source_v = self._converters.source_v(amplitude_v)
        # No time passes between the pulses of a train: it is one long pulse.
        ends_s, (outputs,) = self._in_turn(cells, v_source_v, [width_s * n_pulses], compliance_a)
        return Pulses(
            cells=cells,
            t_s=ends_s,
            amplitude_v=amplitude_v,
            width_s=width_s,
            width_measured_s=width_s.copy(),
            n_pulses=np.full(len(cells), n_pulses, dtype=np.int64),
            i_end_a=outputs.i_end_a,
            energy=self._energy(outputs, width_s * n_pulses),
            source=self._info.source,
        )

    def _sweep(self, cells: CellArray, waveform_v: FloatArray, dt_s: float) -> SweepTrace:
        aperture_s = self._table.pulse_nplc / self._table.line_frequency_hz
        point_s = max(dt_s, self._table.settle_s + aperture_s)
        t_s, v_v, i_a = (np.empty(len(waveform_v)) for _ in range(3))
        _, ends_s = self._turns(cells, np.zeros(1))
        self._time.sleep_s(float(ends_s[-1]))
        total: PlantOutputs | None = None
        for k, level_v in enumerate(waveform_v):
            v_source_v = self._converters.source_v(np.array([level_v]))
            settling = self._drive(cells, v_source_v, self._table.settle_s)
            integrating = self._drive(cells, v_source_v, aperture_s)
            rest = self._drive(cells, v_source_v, point_s - self._table.settle_s - aperture_s)
            step = settling + integrating + rest
            total = step if total is None else total + step
            t_s[k] = self._time.now_s() + self._table.settle_s + aperture_s
            self._time.skip_s(point_s)
            nplc = self._table.pulse_nplc
            v_v[k] = self._converters.measure_v(integrating.v_end_v, nplc)[0]
            i_a[k] = self._converters.measure_a(integrating.charge_c / aperture_s, nplc)[0]
        assert total is not None
        index = self._info.index_of(cells)
        return SweepTrace(
            cell=(int(cells[0, 0]), int(cells[0, 1])),
            t_s=t_s,
            v_source_v=v_v,
            v_device_v=device_voltage(v_v, i_a, index, self._correction),
            i_a=i_a,
            energy=self._energy(total, np.array([point_s * len(waveform_v)])),
            source=self._info.source,
        )

    def _infer(self, layers: Sequence[Synapses], inputs_v: FloatArray) -> Inference:
        """Drive image after image; the circuit takes no time to be connected to all devices."""
        if self._neurons is None:
            return super()._infer(layers, inputs_v)
        table, n_images = self._neurons.table, len(inputs_v)
        network = self._neurons.wire(self._plant, self._info, layers, self._i_limit_a)
        answers = [network.answer(image_v) for image_v in inputs_v]
        index = self._info.index_of(np.concatenate([layer.cells for layer in layers]))
        self._plant.rest_others(index, n_images * table.settle_s)
        width_s = np.full(n_images, table.settle_s)
        ends_s = self._time.now_s() + np.cumsum(width_s)
        self._time.skip_s(n_images * table.settle_s)
        self._connected = -1
        device_j, series_j, switch_j = np.stack([answer.joules for answer in answers], axis=1)
        n_neurons = sum(layer.n_neurons for layer in layers)
        return Inference(
            inputs_v=inputs_v,
            hidden_v=np.stack([answer.hidden_v for answer in answers]),
            output_v=np.stack([answer.output_v for answer in answers]),
            decisions=np.stack([answer.decisions for answer in answers]),
            t_s=ends_s,
            width_s=width_s,
            energy=EnergySplit(
                device_j=device_j,
                series_j=series_j,
                switch_j=switch_j,
                half_select_j=np.zeros(n_images),
                instrument_j=width_s * n_neurons * table.power_w_per_neuron,
                method="integral",
            ),
            source=self._info.source,
        )

    def _in_turn(
        self,
        cells: CellArray,
        v_source_v: FloatArray,
        steps_s: list[FloatArray],
        compliance_a: float | None = None,
    ) -> tuple[FloatArray, list[PlantOutputs]]:
        """Connect cells one after the other and drive each for some steps of time.

        Cells that are not the same are driven at once, and each rests before and after for as long
        as it is the turn of the others: devices know nothing of each other.

        Returns:
            When each cell ended, and what each step did.
        """
        begins_s, ends_s = self._turns(cells, np.sum(steps_s, axis=0))
        index = self._info.index_of(cells)
        parts: list[list[PlantOutputs]] = []
        from_s = 0.0
        for group in _distinct(index):
            devices, until_s = index[group], float(ends_s[group[-1]])
            i_limit_a = self._i_limit_a[devices]
            if compliance_a is not None:
                i_limit_a = np.full(len(devices), compliance_a)
            inputs = PlantInputs(devices, v_source_v[group], i_limit_a)
            self._plant.rest(devices, np.maximum(begins_s[group] - from_s, 0.0))
            parts.append([self._plant.drive(inputs, step_s[group]) for step_s in steps_s])
            self._plant.rest(devices, until_s - ends_s[group])
            self._plant.rest_others(devices, until_s - from_s)
            from_s = until_s
        now_s = self._time.now_s()
        self._time.skip_s(from_s)
        return now_s + ends_s, [PlantOutputs.join(list(step)) for step in zip(*parts, strict=True)]

    def _turns(self, cells: CellArray, on_s: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return when each cell's drive begins and ends, from now; the last stays connected."""
        index = self._info.index_of(cells)
        before = np.concatenate([[self._connected], index[:-1]])
        ends_s = np.cumsum(np.where(index != before, BREAK_S, 0.0) + on_s)
        self._connected = int(index[-1])
        return ends_s - on_s, ends_s

    def _drive(self, cells: CellArray, v_source_v: FloatArray, dt_s: float) -> PlantOutputs:
        index = self._info.index_of(cells)
        return self._plant.advance(PlantInputs(index, v_source_v, self._i_limit_a[index]), dt_s)

    def _energy(self, outputs: PlantOutputs, on_s: FloatArray) -> EnergySplit:
        return EnergySplit(
            device_j=outputs.device_j,
            series_j=outputs.series_j,
            switch_j=outputs.switch_j,
            half_select_j=np.zeros_like(outputs.device_j),
            instrument_j=on_s * self._table.instrument_power_w,
            method="integral",
            delivered_j=outputs.source_j,
        )


def _distinct(index: IndexArray) -> list[IndexArray]:
    """Cut a request into runs in which no device comes twice; return their rows."""
    cuts, seen = [0], set[int]()
    for k, device in enumerate(index.tolist()):
        if device in seen:
            cuts.append(k)
            seen.clear()
        seen.add(device)
    return [np.arange(a, b) for a, b in pairwise([*cuts, len(index)])]
