"""A source-measure unit and a switch board that connects one device at a time.

Responsible for: the order of switching, sourcing and measuring, and what is left behind when it
fails. Not responsible for: what is connected where (the station), what is allowed (the limits).
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from hil import interrupts
from hil.arrays import Scheme
from hil.boards.checked import CheckedBoard
from hil.boards.fed_clock import FedClock
from hil.boards.train import Train
from hil.clock import Clock
from hil.conductance import conductance, device_voltage
from hil.correction import Correction
from hil.errors import BoardError, HilError, LinkError, SwitchBoardError, attach_done
from hil.instruments.keithley2400 import Keithley2400Smu, SmuSample
from hil.instruments.switch_board import SwitchBoard
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
from hil.units import text


class SmuBoard(CheckedBoard):
    """Source-measure unit and switch board.

    The source stands at zero volt whenever a switch moves, and between operations. An operation
    that is interrupted takes the level to zero before anything else happens, and hangs what it had
    completed on the exception (``done``).
    """

    def __init__(
        self,
        info: BoardInfo,
        station: Station,
        smu: Keithley2400Smu,
        switches: SwitchBoard,
        clock: Clock,
        correction: Correction,
    ) -> None:
        self._smu = smu
        self._table = station.table.smu
        self._switches = switches
        self._time = FedClock(clock, switches, switches.identity.watchdog_s)
        self._correction = correction
        self._replies_pending = False
        self._position: int | None = None
        self._may_limit = False
        super().__init__(info, station.limits, self._time)
        self._smu.prepare(station.max_voltage_v)

    def make_safe(self) -> None:
        """Source to zero, output off, switches open; see ``hil.board.Board.make_safe``."""
        failures: list[BaseException] = []
        self._position = None
        for step in (self._switch_off, self._switches.open_all):
            try:
                step()
            except BaseException as error:  # Ctrl-C as well: the other step comes first
                failures.append(error)
        for failure in failures:
            if not isinstance(failure, HilError):
                raise failure
        if failures:
            raise LinkError("; ".join(str(failure) for failure in failures))

    def _switch_off(self) -> None:
        """Level zero and output off by writes alone, then make sure that they have arrived.

        On two links a switch could otherwise open before the level is down. A source that does not
        answer costs its timeout; the switch board's watchdog does not wait for that.
        """
        self._smu.make_safe()
        if self._replies_pending:
            self._smu.resynchronise()
            self._replies_pending = False
        self._smu.wait_until_done()

    def _close_links(self) -> None:
        for close in (self._switches.close, self._smu.close):
            with suppress(LinkError, BoardError):  # make_safe has told what there is to tell
                close()

    def _measure(self, cells: CellArray, v_read_v: FloatArray, scheme: Scheme) -> Readings:
        trains: list[Train] = []
        try:
            for k, cell in enumerate(cells):
                position = self._connect(cell, self._table.read_nplc)
                train = Train()
                t_on_s = self._level(float(v_read_v[k]))
                sample = self._sample()
                t_off_s = self._level(0.0)
                train.add(t_off_s - t_on_s, sample.v_v, sample.i_a, sample.i_a)
                train.end_pulse(t_on_s, t_off_s)
                self._time.confirm(position)
                trains.append(train)
            self._smu.check_errors()
        except BaseException as error:
            self._interrupted()
            attach_done(error, self._readings(cells, v_read_v, trains))
            raise
        return self._readings(cells, v_read_v, trains)

    def _pulse(
        self,
        cells: CellArray,
        amplitude_v: FloatArray,
        width_s: FloatArray,
        n_pulses: int,
        scheme: Scheme,
        compliance_a: float | None,
    ) -> Pulses:
        trains: list[Train] = []
        self._may_limit = compliance_a is not None
        try:
            for k, cell in enumerate(cells):
                position = self._connect(cell, self._table.pulse_nplc, compliance_a)
                trains.append(Train())
                for _ in range(n_pulses):
                    self._one_pulse(trains[-1], float(amplitude_v[k]), float(width_s[k]), position)
            self._smu.check_errors()
        except BaseException as error:
            self._interrupted()
            applied = [train for train in trains if train.n_done]
            attach_done(error, self._pulses(cells, amplitude_v, width_s, applied))
            raise
        finally:
            self._may_limit = False
        return self._pulses(cells, amplitude_v, width_s, trains)

    def _one_pulse(self, train: Train, amplitude_v: float, width_s: float, position: int) -> None:
        """Apply one pulse, and note what is known of it if it is interrupted."""
        try:
            self._apply(train, amplitude_v, width_s)
            self._time.confirm(position)
        except BaseException:
            train.lose_track()
            raise

    def _apply(self, train: Train, amplitude_v: float, width_s: float) -> None:
        """Level up, one sample at the start and, where it fits, one at the end, level down.

        A pulse that is interrupted counts from the moment at which its level may have gone out.
        """
        t_on_s = self._time.now_s()
        try:
            t_on_s = self._level(amplitude_v)
            sample = self._sample()
            t_s = self._time.now_s()
            sample_s = t_s - t_on_s
            train.add(sample_s, sample.v_v, sample.i_a, sample.i_a)
            if t_s + sample_s <= t_on_s + width_s:
                self._time.sleep_until(t_on_s + width_s - sample_s)
                last = self._sample()
                now_s = self._time.now_s()
                train.add(now_s - t_s, last.v_v, sample.i_a, last.i_a)
                t_s = now_s
            self._time.sleep_until(t_on_s + width_s)
        finally:
            try:
                self._level(0.0)
            finally:
                t_off_s = self._time.now_s()
                train.end_pulse(t_on_s, t_off_s)
        train.add(t_off_s - t_s, train.v_v, train.i_a, train.i_a)

    def _sweep(self, cells: CellArray, waveform_v: FloatArray, dt_s: float) -> SweepTrace:
        points: list[tuple[float, float, float]] = []
        train = Train()
        start_s = self._time.now_s()
        try:
            position = self._connect(cells[0], self._table.pulse_nplc)
            start_s = t_s = self._time.now_s()
            for k, level_v in enumerate(waveform_v):
                self._level(float(level_v))
                sample = self._sample()
                sampled_s = self._time.now_s()
                self._time.sleep_until(start_s + (k + 1) * dt_s)
                now_s = self._time.now_s()
                self._time.confirm(position)
                train.add(now_s - t_s, sample.v_v, sample.i_a, sample.i_a)
                t_s = now_s
                points.append((sampled_s, sample.v_v, sample.i_a))
            train.end_pulse(start_s, self._level(0.0))
            self._smu.check_errors()
        except BaseException as error:
            self._interrupted()
            if not train.n_done:
                train.end_pulse(start_s, self._time.now_s())
                train.lose_track()
            attach_done(error, self._trace(cells, points, train))
            raise
        return self._trace(cells, points, train)

    def _connect(self, cell: CellArray, nplc: float, compliance_a: float | None = None) -> int:
        """Connect one device, with the source at zero and its limits set; return the position."""
        if self._replies_pending:
            self._smu.resynchronise()
            self._replies_pending = False
        device = self._info.device_at(cell)
        most_a = self._limits[device.dopant].max_current_a
        self._smu.limit_current(most_a if compliance_a is None else compliance_a)
        self._smu.integrate(nplc)
        self._smu.output_on()
        if device.position != self._position:
            self._smu.wait_until_done()  # the level is zero before a switch moves, on two links
            self._position = None
        try:
            self._switches.select(device.position)
        except SwitchBoardError:  # its watchdog acted while the host was busy: nothing was driven
            self._switches.select(device.position)
        self._position = device.position
        self._time.fed()
        return device.position

    def _sample(self) -> SmuSample:
        """Measure, and make sure that the series resistor is what limits the current.

        Raises:
            BoardError: the source was limiting: limits were checked for the resistors of the
                station, so one of them is missing, shorted or smaller than it says.
        """
        sample = self._smu.measure()
        interrupts.check()
        if sample.in_compliance and not self._may_limit:
            raise BoardError(
                f"the source limited its current at {text(sample.i_a, 'A')}: the series resistor "
                f"is not what the station says; check the wiring before anything else"
            )
        return sample

    def _level(self, level_v: float) -> float:
        """Set the level and return the time at which the command was out."""
        self._smu.set_level(level_v)
        return self._time.now_s()

    def _interrupted(self) -> None:
        """Level to zero by a write alone: the reply to an earlier query may still be on its way."""
        self._replies_pending = True
        self._position = None
        with suppress(HilError):  # the exception that is on its way says more
            self._smu.set_level(0.0)

    def _energy(self, cells: CellArray, trains: list[Train]) -> EnergySplit:
        source_j = np.array([train.source_j for train in trains])
        i2_dt = np.array([train.i2_dt for train in trains])
        width_s = np.array([train.width_s for train in trains])
        index, correction = self._info.index_of(cells), self._correction
        r_series_ohm = correction.r_series_ohm[index]
        series_j = i2_dt * r_series_ohm
        switch_j = i2_dt * (correction.r_path_ohm[index] - r_series_ohm)
        return EnergySplit(
            device_j=source_j - series_j - switch_j,
            series_j=series_j,
            switch_j=switch_j,
            half_select_j=np.zeros_like(source_j),
            instrument_j=width_s * self._table.instrument_power_w,
            method="trapezoid",
            delivered_j=source_j,
        )

    def _readings(self, cells: CellArray, v_read_v: FloatArray, trains: list[Train]) -> Readings:
        cells = cells[: len(trains)]
        v_v = np.array([train.v_v for train in trains])
        i_a = np.array([train.i_a for train in trains])
        index = self._info.index_of(cells)
        g = conductance(v_v, i_a, index, self._correction, self._table.read_nplc)
        return Readings(
            cells=cells,
            t_s=np.array([train.t_s for train in trains]),
            v_read_v=v_read_v[: len(trains)],
            v_source_v=v_v,
            v_device_v=g.v_device_v,
            i_a=i_a,
            g_siemens=g.g_siemens,
            g_expanded_siemens=g.g_expanded_siemens,
            width_s=np.array([train.width_s for train in trains]),
            energy=self._energy(cells, trains),
            source=self._info.source,
        )

    def _pulses(
        self, cells: CellArray, amplitude_v: FloatArray, width_s: FloatArray, trains: list[Train]
    ) -> Pulses:
        n_cells = len(trains)
        n_done = np.array([train.n_done for train in trains], dtype=np.int64)
        total_s = np.array([train.width_s for train in trains])
        return Pulses(
            cells=cells[:n_cells],
            t_s=np.array([train.t_s for train in trains]),
            amplitude_v=amplitude_v[:n_cells],
            width_s=width_s[:n_cells],
            width_measured_s=total_s / np.maximum(n_done, 1),
            n_pulses=n_done,
            i_end_a=np.array([train.i_a for train in trains]),
            energy=self._energy(cells[:n_cells], trains),
            source=self._info.source,
        )

    def _trace(
        self, cells: CellArray, points: list[tuple[float, float, float]], train: Train
    ) -> SweepTrace:
        t_s, v_v, i_a = np.array(points, dtype=float).reshape(-1, 3).T
        index = self._info.index_of(cells)
        return SweepTrace(
            cell=(int(cells[0, 0]), int(cells[0, 1])),
            t_s=t_s,
            v_source_v=v_v,
            v_device_v=device_voltage(v_v, i_a, index, self._correction),
            i_a=i_a,
            energy=self._energy(cells, [train]),
            source=self._info.source,
        )
