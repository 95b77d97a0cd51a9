"""The search for an amplitude, against devices that are simple enough to reckon with."""

from __future__ import annotations

import numpy as np
import pytest

from hil.arrays import Scheme
from hil.errors import LimitError, ParameterError, UsageError
from hil.limits import LimitChecker
from procedures.programming import EXHAUSTED, REACHED, Foresight, Programmer, WriteVerify
from tests.support.rigs import small_station
from twin.opening import open_direct

CELL = (0, 0)


def amplitudes(settings: WriteVerify, start_siemens: float, target_siemens: float) -> list[float]:
    """Return the amplitudes that were tried on a W device of the twin from a given state."""
    board = open_direct(small_station("twin", noise=False), seed=1, source_reason="")
    index = board.info.index_of(np.array([CELL]))
    g_on, g_off = 1 / 2237.0, 1 / 80.8e3
    x = board.plant.devices.x
    x[index] = (start_siemens - g_off) / (g_on - g_off)
    board.plant.devices.x = x
    tried: list[float] = []
    pulse = board.pulse

    def noting(
        cells: object,
        amplitude_v: float,
        width_s: float,
        n_pulses: int = 1,
        scheme: Scheme | None = None,
    ) -> object:
        tried.append(amplitude_v)
        return pulse([CELL], amplitude_v, width_s, n_pulses)

    board.pulse = noting  # type: ignore[method-assign, assignment]
    with board:
        Programmer(board, settings).program(CELL, target_siemens)
    return tried


def test_the_first_reset_has_the_amplitude_that_was_asked_for() -> None:
    settings = WriteVerify(reset_start_v=-0.2, reset_step_v=0.1)
    tried = amplitudes(settings, start_siemens=300e-6, target_siemens=50e-6)
    assert tried[:2] == [-0.2, pytest.approx(-0.3)]


def test_no_reset_goes_beyond_the_largest() -> None:
    settings = WriteVerify(reset_start_v=-0.1, reset_max_v=-0.25, n_pulses_max=20, n_stuck_max=100)
    tried = amplitudes(settings, start_siemens=300e-6, target_siemens=50e-6)
    assert min(tried) == -0.25
    assert len(tried) == 20


def test_a_device_that_the_largest_amplitude_does_not_move_is_stuck() -> None:
    settings = WriteVerify(reset_start_v=-0.1, reset_max_v=-0.25, n_stuck_max=3)
    tried = amplitudes(settings, start_siemens=300e-6, target_siemens=50e-6)
    assert tried == pytest.approx([-0.1, -0.15, -0.2, -0.25, -0.25, -0.25])


def test_foresight_begins_where_earlier_pulses_ended() -> None:
    board = open_direct(small_station("twin"), seed=3, source_reason="")
    pulses: dict[str, int] = {}
    with board:
        for name, foresight in (("ladder", None), ("foreseen", Foresight())):
            programmer = Programmer(board, WriteVerify(), foresight=foresight)
            outcomes = []
            for target in (60e-6, 180e-6, 100e-6):
                board.pulse([CELL], -1.5, 0.02)
                outcomes.append(programmer.program(CELL, target))
            assert all(outcome.status == REACHED for outcome in outcomes)
            pulses[name] = sum(outcome.n_set for outcome in outcomes[1:])
    assert pulses["foreseen"] < pulses["ladder"] / 2


def test_foresight_is_the_divider_backwards() -> None:
    foresight = Foresight(caution_ratio=1.0)
    assert foresight.amplitude_v(1e-4, 10e3) == 0.0, "nothing is known yet"
    foresight.learn(0.15, 1e-6, 10e3)
    assert foresight.amplitude_v(1e-4, 10e3) == 0.0, "a pulse that moved nothing tells nothing"
    foresight.learn(0.6, 200e-6, 10e3)  # V_hold = 0.6 / 3
    assert foresight.amplitude_v(100e-6, 10e3) == pytest.approx(0.4)


def test_a_coarse_step_never_turns_a_set_into_something_else() -> None:
    settings = WriteVerify(set_start_v=0.4, set_step_v=1.0, tolerance_ratio=0.02)
    tried = amplitudes(settings, start_siemens=20e-6, target_siemens=60e-6)
    resets = [v for v in tried if v < 0]
    assert all(v > 0 for v in tried if v not in resets)
    assert len(resets) < len(tried)


def test_settings_that_contradict_each_other_are_refused() -> None:
    board = open_direct(small_station("twin"), seed=1, source_reason="")
    limits = LimitChecker(board.info, board.limits)
    cells = board.info.all_cells[:1]
    with board:
        WriteVerify().check(cells, limits)
        for wrong in (
            WriteVerify(reset_start_v=-1.4, reset_max_v=-0.2),
            WriteVerify(set_start_v=1.6),
            WriteVerify(set_start_v=-0.1),
            WriteVerify(reset_start_v=0.1),
        ):
            with pytest.raises(ParameterError, match="first SET"):
                wrong.check(cells, limits)
        with pytest.raises(LimitError, match="above the limit"):
            WriteVerify(set_max_v=2.5).check(cells, limits)
        with pytest.raises(UsageError, match="positive"):
            Programmer(board, WriteVerify()).program(CELL, 0.0)


def test_every_target_of_the_window_is_reached_from_either_side() -> None:
    board = open_direct(small_station("twin"), seed=3, source_reason="")
    with board:
        programmer = Programmer(board, WriteVerify(tolerance_ratio=0.05))
        for target in (20e-6, 220e-6, 60e-6, 150e-6, 25e-6, 100e-6):
            outcome = programmer.program(CELL, target)
            assert outcome.status == REACHED
            assert abs(outcome.residual_ratio) <= 0.05
        few = Programmer(board, WriteVerify(n_pulses_max=1)).program(CELL, 220e-6)
        assert few.status == EXHAUSTED
        assert few.n_set + few.n_reset == 1
