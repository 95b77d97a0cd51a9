"""Any use of a board in any order: the direct twin and the shipped drivers, side by side."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hil.instruments.accuracy import KEITHLEY_2400
from hil.types import FloatArray
from tests.support.rigs import Rig, direct_rig, in_process_rig, small_station

STATE_RTOL = 1e-4  # see tests/procedures/test_direct_and_wire.py

CELLS = st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True).map(
    lambda columns: [[0, column] for column in columns]
)
AMPLITUDES_V = st.one_of(st.floats(-1.0, -0.15), st.floats(0.2, 1.0)).map(lambda v: round(v, 4))
WIDTHS_S = st.integers(20, 200).map(lambda n: n * 1e-3)


class BoardUse(RuleBasedStateMachine):
    """Two boards of one station and one seed are used alike."""

    @initialize(watchdog_s=st.sampled_from([0.1, 1.0]))
    def open(self, watchdog_s: float) -> None:
        def station(board: str) -> Rig:
            made = small_station(
                board, noise=False, n_devices={"W": 2, "Cr": 1}, watchdog_s=watchdog_s
            )
            return direct_rig(made) if board == "twin" else in_process_rig(made)

        self.direct, self.wire = station("twin"), station("twin-wire")
        self.rigs = (self.direct, self.wire)
        self.last_s = 0.0

    def teardown(self) -> None:
        for rig in getattr(self, "rigs", ()):
            rig.board.close()
            rig.assert_is_safe()

    def states(self) -> tuple[FloatArray, FloatArray]:
        cells = self.direct.board.info.all_cells
        return self.direct.truth_siemens(cells), self.wire.truth_siemens(cells)

    @rule(cells=CELLS, v_read_v=st.sampled_from([0.02, 0.05, 0.1]))
    def measure(self, cells: list[list[int]], v_read_v: float) -> None:
        before = self.states()
        direct, wire = (rig.board.measure(cells, v_read_v) for rig in self.rigs)
        assert np.array_equal(before, self.states())
        np.testing.assert_allclose(wire.g_siemens, direct.g_siemens, rtol=STATE_RTOL)
        for rig, readings in zip(self.rigs, (direct, wire), strict=True):
            off = abs(readings.g_siemens - rig.truth_siemens(cells, readings.v_device_v))
            assert (off <= readings.g_expanded_siemens).all()

    @rule(cells=CELLS, amplitude_v=AMPLITUDES_V, width_s=WIDTHS_S, n_pulses=st.integers(1, 3))
    def pulse(
        self, cells: list[list[int]], amplitude_v: float, width_s: float, n_pulses: int
    ) -> None:
        before = self.states()
        direct, wire = (rig.board.pulse(cells, amplitude_v, width_s, n_pulses) for rig in self.rigs)
        assert (wire.n_pulses == direct.n_pulses).all()
        np.testing.assert_allclose(wire.width_measured_s, direct.width_measured_s, rtol=1e-6)
        for was, now in zip(before, self.states(), strict=True):
            untouched = np.setdiff1d(np.arange(len(was)), np.asarray(cells)[:, 1])
            assert (now[untouched] == was[untouched]).all()

    @rule(column=st.integers(0, 2), peak_v=st.sampled_from([-0.5, 0.5]))
    def sweep(self, column: int, peak_v: float) -> None:
        waveform_v = [peak_v / 2, peak_v, peak_v / 2]
        direct, wire = (rig.board.sweep([0, column], waveform_v, 0.005) for rig in self.rigs)
        np.testing.assert_allclose(wire.i_a, direct.i_a, rtol=1e-3)

    @rule(dt_s=st.sampled_from([0.0, 0.03, 0.5, 7.0]))
    def sleep(self, dt_s: float) -> None:
        for rig in self.rigs:
            rig.board.clock.sleep_s(dt_s)

    @rule(dt_s=st.sampled_from([0.5, 3.0]))
    def be_busy_elsewhere(self, dt_s: float) -> None:
        """Time passes and nobody feeds the watchdog."""
        assert self.wire.instruments is not None
        self.wire.instruments.bench.sleep_s(dt_s)
        self.direct.board.clock.sleep_s(dt_s)

    @rule()
    def make_safe(self) -> None:
        for rig in self.rigs:
            rig.board.make_safe()
        self.wire.assert_is_safe()

    @precondition(lambda self: hasattr(self, "rigs"))
    @invariant()
    def nothing_is_driven_between_operations(self) -> None:
        assert self.wire.instruments is not None
        zero_v = float(KEITHLEY_2400.source_v.bound(0.0))
        assert abs(self.wire.instruments.bench.smu.v_source_v) <= zero_v
        assert max(map(abs, self.wire.switched_at_v), default=0.0) <= zero_v

    @precondition(lambda self: hasattr(self, "rigs"))
    @invariant()
    def both_boards_are_in_one_state(self) -> None:
        direct, wire = self.states()
        np.testing.assert_allclose(wire, direct, rtol=STATE_RTOL)

    @precondition(lambda self: hasattr(self, "rigs"))
    @invariant()
    def time_goes_forward(self) -> None:
        now_s = self.wire.board.clock.now_s()
        assert now_s >= self.last_s
        self.last_s = now_s


TestBoardUse = BoardUse.TestCase
TestBoardUse.settings = settings(
    max_examples=25,
    stateful_step_count=15,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # shrinking two boards takes minutes
    suppress_health_check=[HealthCheck.too_slow],
)
