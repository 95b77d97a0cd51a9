"""The direct twin: the volts of a station without the bytes, for many pulses at once."""

from __future__ import annotations

import numpy as np

from hil.boards.checked import CheckedBoard
from hil.conductance import conductance
from hil.instruments.keithley2400 import Keithley2400Smu
from hil.protocol.switch_board import BREAK_S
from hil.station import Station
from hil.types import (
    BoardInfo,
    CellArray,
    EnergySplit,
    FloatArray,
    Pulses,
    Readings,
    SweepTrace,
)
from twin.bench import NS_PER_S
from twin.converters import Converters
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
    what the wire costs. Cells are driven at once where their order cannot matter.
    """

    def __init__(self, info: BoardInfo, station: Station, plant: Plant, converters: Converters):
        table = station.table
        self._plant = plant
        self._converters = converters
        self._table = table.smu
        self._r_switch_ohm = info.switch_resistance_ohm
        self._time = PlantClock(plant)
        super().__init__(info, station.limits, self._time)
        self._r_series_ohm = info.r_series_ohm
        self._connected = -1
        self._i_limit_a = np.array(
            [station.limits[device.dopant].max_current_a for device in info.devices]
        )

    @property
    def plant(self) -> Plant:
        """The plant, for those who may know the truth: tests and demonstrations."""
        return self._plant

    def make_safe(self) -> None:
        """Nothing is ever left on between two calls of a direct twin."""

    def _close_links(self) -> None:
        """A direct twin has none."""

    def _measure(self, cells: CellArray, v_read_v: FloatArray) -> Readings:
        aperture_s = self._table.read_nplc / self._table.line_frequency_hz
        on_s = self._table.settle_s + aperture_s
        ends_s = self._pass_time(cells, np.full(len(cells), on_s))
        parts: list[tuple[PlantOutputs, PlantOutputs]] = []
        v_source_v = self._converters.source_v(v_read_v)
        for group in self._groups(cells):
            settling = self._drive(cells[group], v_source_v[group], self._table.settle_s)
            integrating = self._drive(cells[group], v_source_v[group], aperture_s)
            parts.append((settling, integrating))
        settling, integrating = (PlantOutputs.join(list(p)) for p in zip(*parts, strict=True))
        v_v = self._converters.measure_v(integrating.v_end_v, self._table.read_nplc)
        i_a = self._converters.measure_a(integrating.charge_c / aperture_s, self._table.read_nplc)
        r_ohm = self._r_series_ohm[self._info.index_of(cells)] + self._r_switch_ohm
        g = conductance(v_v, i_a, r_ohm, Keithley2400Smu.accuracy, self._info.tolerance_ratio)
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
        self, cells: CellArray, amplitude_v: FloatArray, width_s: FloatArray, n_pulses: int
    ) -> Pulses:
        ends_s = self._pass_time(cells, width_s * n_pulses)
        parts: list[PlantOutputs] = []
        v_source_v = self._converters.source_v(amplitude_v)
        for group in self._groups(cells):
            # Between two pulses nothing happens to a device that is not volatile, so a train of
            # them is one long pulse; _groups gives volatile devices one by one.
            train_s = width_s[group] * n_pulses
            parts.append(self._drive(cells[group], v_source_v[group], train_s))
        outputs = PlantOutputs.join(parts)
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
        self._pass_time(cells, np.zeros(1))
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
        r_ohm = self._r_series_ohm[self._info.index_of(cells)] + self._r_switch_ohm
        return SweepTrace(
            cell=(int(cells[0, 0]), int(cells[0, 1])),
            t_s=t_s,
            v_source_v=v_v,
            v_device_v=v_v - i_a * r_ohm,
            i_a=i_a,
            energy=self._energy(total, np.array([point_s * len(waveform_v)])),
            source=self._info.source,
        )

    def _groups(self, cells: CellArray) -> list[np.ndarray[tuple[int], np.dtype[np.intp]]]:
        """Cut a request into groups of cells that may be driven at once."""
        n_cells = len(cells)
        distinct = len(np.unique(self._info.index_of(cells))) == n_cells
        if distinct and not self._plant.devices.is_volatile:
            return [np.arange(n_cells)]
        return [np.array([k]) for k in range(n_cells)]

    def _drive(
        self, cells: CellArray, v_source_v: FloatArray, dt_s: FloatArray | float
    ) -> PlantOutputs:
        index = self._info.index_of(cells)
        inputs = PlantInputs(index, v_source_v, self._i_limit_a[index])
        return self._plant.advance(inputs, dt_s)

    def _pass_time(self, cells: CellArray, on_s: FloatArray) -> FloatArray:
        """Let the clock live through connecting and driving each cell; return when each ended."""
        index = self._info.index_of(cells)
        n_breaks = np.count_nonzero(np.diff(index, prepend=self._connected))
        self._plant.rest(np.arange(self._plant.devices.n_devices), n_breaks * BREAK_S)
        before = np.concatenate([[self._connected], index[:-1]])
        ends_s = self._time.now_s() + np.cumsum(np.where(index != before, BREAK_S, 0.0) + on_s)
        self._connected = int(index[-1])
        self._time.skip_s(float(ends_s[-1]) - self._time.now_s())
        return ends_s

    def _energy(self, outputs: PlantOutputs, on_s: FloatArray) -> EnergySplit:
        return EnergySplit(
            device_j=outputs.device_j,
            series_j=outputs.series_j,
            switch_j=outputs.switch_j,
            half_select_j=np.zeros_like(outputs.device_j),
            instrument_j=on_s * self._table.instrument_power_w,
            method="integral",
        )
