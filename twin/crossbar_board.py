"""The direct twin of a crossbar: the volts of its station without the bytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hil.arrays import ArrayInfo, Coding, Scheme
from hil.boards.checked import CheckedBoard
from hil.conductance import conductance, device_voltage
from hil.correction import Correction
from hil.patterns import LineDrive, LinePattern, bias
from hil.protocol.switch_board import BREAK_S
from hil.station import Station
from hil.types import (
    BoardInfo,
    CellArray,
    EnergySplit,
    FloatArray,
    MatVec,
    Pulses,
    Readings,
    SweepTrace,
)
from twin.bench import NS_PER_S
from twin.converters import Converters
from twin.crossbar_cells import connected_cells
from twin.crossbar_plant import CrossbarInputs, CrossbarOutputs, CrossbarPlant


class CrossbarClock:
    """Simulated time of an array; integer nanoseconds inside."""

    def __init__(self, plant: CrossbarPlant) -> None:
        self._plant = plant
        self._now_ns = 0

    def now_s(self) -> float:
        """Return the bench time."""
        return self._now_ns / NS_PER_S

    def sleep_s(self, dt_s: float) -> None:
        """Let time pass with all lines floating; nothing happens if it is not positive."""
        dt_s = max(0.0, dt_s)
        self._plant.rest(dt_s)
        self.skip_s(dt_s)

    def skip_s(self, dt_s: float) -> None:
        """Move on; the plant has lived through this time already."""
        self._now_ns += round(dt_s * NS_PER_S)


class TwinCrossbar(CheckedBoard):
    """An array of cells between rows and columns, driven and sensed at the ends of its lines.

    All line drivers switch at once. Single cells are read by the source-measure unit: its source on
    the row, its ammeter in the column. A matrix-vector product reads all columns at
    once through an ammeter of the same make each. ``BREAK_S`` passes whenever other lines are
    selected.

    Args:
        info: of the board; its ``array`` says how lines are wired.
        station: limits, instrument.
        plant: the array.
        converters: of the source-measure unit.
        correction: what is known of the instrument and of the lines to each cell.
        rng: of the fluctuation of the devices from reading to reading.
    """

    def __init__(
        self,
        info: BoardInfo,
        station: Station,
        plant: CrossbarPlant,
        converters: Converters,
        correction: Correction,
        rng: np.random.Generator,
    ) -> None:
        assert info.array is not None
        self._array: ArrayInfo = info.array
        self._plant = plant
        self._converters = converters
        self._table = station.table.smu
        self._correction = correction
        self._rng = rng
        self._time = CrossbarClock(plant)
        self._selected: tuple[int, int] | None = None
        super().__init__(info, station.limits, self._time)

    @property
    def plant(self) -> CrossbarPlant:
        """The plant, for those who may know the truth: tests and demonstrations."""
        return self._plant

    def make_safe(self) -> None:
        """Nothing is ever left on between two calls of a direct twin."""

    def _close_links(self) -> None:
        """A direct twin has none."""

    def _measure(self, cells: CellArray, v_read_v: FloatArray, scheme: Scheme) -> Readings:
        aperture_s = self._table.read_nplc / self._table.line_frequency_hz
        on_s = self._table.settle_s + aperture_s
        done = [
            self._drive_cell(cell, v_v, on_s, scheme)
            for cell, v_v in zip(cells.tolist(), v_read_v, strict=True)
        ]
        outputs = [out for out, _ in done]
        columns = cells[:, 1]
        i_a = np.array(
            [out.state.i_columns_a[0, j] for out, j in zip(outputs, columns, strict=True)]
        )
        i_a = i_a + self._fluctuation(cells, outputs)
        nplc = self._table.read_nplc
        v_source_v = self._converters.source_v(v_read_v)
        v_v = self._converters.measure_v(v_source_v, nplc)
        measured_a = self._converters.measure_a(i_a, nplc)
        index = self._info.index_of(cells)
        g = conductance(v_v, measured_a, index, self._correction, nplc)
        return Readings(
            cells=cells,
            t_s=np.array([t_s for _, t_s in done]),
            v_read_v=v_read_v,
            v_source_v=v_v,
            v_device_v=g.v_device_v,
            i_a=measured_a,
            g_siemens=g.g_siemens,
            g_expanded_siemens=np.hypot(
                g.g_expanded_siemens, 2 * self._array.read_noise_ratio * np.abs(g.g_siemens)
            ),
            width_s=np.full(len(cells), on_s),
            energy=self._energy(outputs, cells, np.full(len(cells), on_s)),
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
        # No time passes between the pulses of a train: it is one long pulse.
        done = [
            self._drive_cell(cell, amplitude_v[k], width_s[k] * n_pulses, scheme, compliance_a)
            for k, cell in enumerate(cells.tolist())
        ]
        outputs = [out for out, _ in done]
        return Pulses(
            cells=cells,
            t_s=np.array([t_s for _, t_s in done]),
            amplitude_v=amplitude_v,
            width_s=width_s,
            width_measured_s=width_s.copy(),
            n_pulses=np.full(len(cells), n_pulses, dtype=np.int64),
            i_end_a=np.array(
                [out.state.i_columns_a[0, j] for out, j in zip(outputs, cells[:, 1], strict=True)]
            ),
            energy=self._energy(outputs, cells, width_s * n_pulses),
            source=self._info.source,
        )

    def _drive_lines(self, pattern: LinePattern, width_s: float, n_pulses: int) -> LineDrive:
        self._time.sleep_s(BREAK_S)
        self._selected = None
        on_s = width_s * n_pulses
        out = self._advance(self._inputs(pattern), on_s)
        return LineDrive(
            pattern=pattern,
            width_s=width_s,
            n_pulses=n_pulses,
            t_s=self._time.now_s(),
            i_rows_a=out.state.i_rows_a[0],
            i_columns_a=out.state.i_columns_a[0],
            energy=self._energy_of(out, pattern.cells, on_s),
            source=self._info.source,
        )

    def _sweep(self, cells: CellArray, waveform_v: FloatArray, dt_s: float) -> SweepTrace:
        nplc = self._table.pulse_nplc
        settle_s, aperture_s = self._table.settle_s, nplc / self._table.line_frequency_hz
        point_s = max(dt_s, settle_s + aperture_s)
        cell = (int(cells[0, 0]), int(cells[0, 1]))
        self._select(cell)
        t_s, v_v, i_a = (np.empty(len(waveform_v)) for _ in range(3))
        total: CrossbarOutputs | None = None
        for k, level_v in enumerate(waveform_v):
            pattern = bias(self._array.write_scheme, self._info, cell, float(level_v))
            inputs = self._inputs(pattern)
            begun_s = self._time.now_s()
            settling = self._advance(inputs, settle_s)
            integrating = self._advance(inputs, aperture_s)
            rest = self._advance(inputs, point_s - settle_s - aperture_s)
            step = settling + integrating + rest
            total = step if total is None else total + step
            t_s[k] = begun_s + settle_s + aperture_s
            level = self._converters.source_v(np.array([level_v]))
            mean_a = integrating.charge_columns_c[[cell[1]]] / aperture_s
            v_v[k] = self._converters.measure_v(level, nplc)[0]
            i_a[k] = self._converters.measure_a(mean_a, nplc)[0]
        assert total is not None
        index = self._info.index_of(cells)
        return SweepTrace(
            cell=cell,
            t_s=t_s,
            v_source_v=v_v,
            v_device_v=device_voltage(v_v, i_a, index, self._correction),
            i_a=i_a,
            energy=self._energy_of(total, cells, point_s * len(waveform_v)),
            source=self._info.source,
        )

    def _matvec(self, inputs_v: FloatArray, coding: Coding, transposed: bool) -> MatVec:
        self._time.sleep_s(BREAK_S)
        self._selected = None
        nplc = self._table.read_nplc
        on_s = self._table.settle_s + nplc / self._table.line_frequency_hz
        full_v = self._limits[self._info.devices[0].dopant].max_read_v
        is_timed = coding is Coding.TIME
        steps = _time_coded(inputs_v, full_v, on_s) if is_timed else [(inputs_v, on_s)]
        parts = [
            self._advance(self._inputs(_all_lines(v_v, self._info.shape, transposed)), dt_s)
            for v_v, dt_s in steps
        ]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        charge_c = total.charge_rows_c if transposed else total.charge_columns_c
        axis = 1 if transposed else 0
        noise_a = self._array.read_noise_ratio * np.sqrt(
            (self._mean_cell_a(parts, [dt_s for _, dt_s in steps]) ** 2).sum(axis=axis)
        )
        mean_a = charge_c / on_s + noise_a * self._rng.standard_normal(len(noise_a))
        return MatVec(
            inputs_v=inputs_v,
            currents_a=self._converters.measure_a(mean_a, nplc),
            coding=coding,
            transposed=transposed,
            full_scale_v=full_v if is_timed else np.nan,
            t_s=self._time.now_s(),
            width_s=on_s,
            energy=self._energy_of(total, self._info.all_cells, on_s),
            source=self._info.source,
            readings=None,
        )

    def _drive_cell(
        self,
        cell: list[int],
        v_v: float,
        on_s: float,
        scheme: Scheme,
        compliance_a: float | None = None,
    ) -> tuple[CrossbarOutputs, float]:
        """Drive one cell under a scheme; return what it did and the time at its end."""
        place = (cell[0], cell[1])
        self._select(place)
        pattern = bias(scheme, self._info, place, float(v_v))
        return self._advance(self._inputs(pattern, compliance_a), on_s), self._time.now_s()

    def _select(self, cell: tuple[int, int]) -> None:
        if cell != self._selected:
            self._time.sleep_s(BREAK_S)
            self._selected = cell

    def _advance(self, inputs: CrossbarInputs, dt_s: float) -> CrossbarOutputs:
        out = self._plant.advance(inputs, dt_s)
        self._time.skip_s(dt_s)
        return out

    def _inputs(self, pattern: LinePattern, compliance_a: float | None = None) -> CrossbarInputs:
        """Return what the drivers do and which selectors are closed."""
        rows_v, columns_v = (
            np.where(v_v == 0, 0.0, self._converters.source_v(v_v))
            for v_v in (pattern.rows_v, pattern.columns_v)
        )
        return CrossbarInputs(
            rows_v,
            columns_v,
            connected_cells(self._array.cell_kind, pattern.cells, self._info.shape),
            np.inf if compliance_a is None else compliance_a,
        )

    def _fluctuation(self, cells: CellArray, outputs: list[CrossbarOutputs]) -> FloatArray:
        """Return the noise of the devices on the column of each cell: half-selected ones too."""
        ratio = self._array.read_noise_ratio
        each_a = [
            out.state.i_cell_a[0, :, column]
            for out, column in zip(outputs, cells[:, 1], strict=True)
        ]
        noise_a: FloatArray = ratio * np.linalg.norm(each_a, axis=1)
        noise_a *= self._rng.standard_normal(len(cells))
        return noise_a

    def _mean_cell_a(self, parts: list[CrossbarOutputs], times_s: Sequence[float]) -> FloatArray:
        weighted = [
            part.state.i_cell_a[0] * dt_s for part, dt_s in zip(parts, times_s, strict=True)
        ]
        mean_a: FloatArray = np.sum(weighted, axis=0) / sum(times_s)
        return mean_a

    def _energy(
        self, outputs: list[CrossbarOutputs], cells: CellArray, on_s: FloatArray
    ) -> EnergySplit:
        return EnergySplit.join(
            [self._energy_of(out, cells[[k]], float(on_s[k])) for k, out in enumerate(outputs)]
        )

    def _energy_of(self, out: CrossbarOutputs, cells: CellArray, on_s: float) -> EnergySplit:
        addressed_j = float(out.device_j[cells[:, 0], cells[:, 1]].sum())
        return EnergySplit(
            device_j=np.array([addressed_j]),
            series_j=np.array([out.lines_j]),
            switch_j=np.array([out.selector_j.sum()]),
            half_select_j=np.array([out.device_j.sum() - addressed_j]),
            instrument_j=np.array([on_s * self._table.instrument_power_w]),
            method="integral",
            delivered_j=np.array([out.delivered_j]),
        )


def _all_lines(inputs_v: FloatArray, shape: tuple[int, int], transposed: bool) -> LinePattern:
    """Return the pattern of a product: positive voltages on all cells, whichever side drives."""
    rows_v, columns_v = np.zeros(shape[0]), np.zeros(shape[1])
    driven = np.flatnonzero(inputs_v)
    if transposed:
        columns_v = -inputs_v
        cells = np.argwhere(np.isin(np.arange(shape[1]), driven)[None, :].repeat(shape[0], axis=0))
    else:
        rows_v = inputs_v
        cells = np.argwhere(np.isin(np.arange(shape[0]), driven)[:, None].repeat(shape[1], axis=1))
    return LinePattern(rows_v, columns_v, cells)


def _time_coded(inputs_v: FloatArray, full_v: float, on_s: float) -> list[tuple[FloatArray, float]]:
    """Return levels and durations: every input at full scale for its share, from the start on."""
    shares = inputs_v / full_v
    ends = np.unique(np.concatenate([shares[shares > 0], [1.0]]))
    steps = []
    begins = 0.0
    for end in ends.tolist():
        steps.append((np.where(shares >= end, full_v, 0.0), (end - begins) * on_s))
        begins = end
    return steps
