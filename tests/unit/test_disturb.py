"""What half-selects do, foreseen by records and network, against the twin of the array."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.disturb import MARGIN_SIGMAS, DisturbModel, Step
from calibration.line_drops import LineDrops
from hil.arrays import Scheme
from hil.errors import BoardError, LimitError, StationError, UnsupportedError
from hil.opening import open_board
from hil.patterns import bias
from hil.station import load_station
from procedures.disturb_watch import DisturbWatch, plan_steps
from tests.support.arrays import CALM, array_station, conductances, open_array, set_states

STATION = array_station(6, 6, **CALM)
READ_V = 0.1


@pytest.mark.parametrize(
    ("scheme", "amplitude_v", "width_s"),
    [
        (Scheme.HALF, 0.4, 1e-4),
        (Scheme.HALF, 0.4, 1e-3),
        (Scheme.HALF, -0.3, 1e-6),
        (Scheme.HALF, -0.3, 1e-5),
        (Scheme.THIRD, 0.45, 1e-5),
        (Scheme.THIRD, -0.4, 1e-6),
        (Scheme.SDC, 0.4, 1e-6),
    ],
)
def test_every_event_is_foreseen_within_a_fifth_of_its_change(
    scheme: Scheme, amplitude_v: float, width_s: float
) -> None:
    with open_array(STATION) as board:
        set_states(board)
        before = conductances(board)
        model = DisturbModel(STATION, board.info)
        model.begin(before, READ_V)
        pattern = bias(scheme, board.info, (2, 3), amplitude_v)
        foreseen = model.change(pattern, width_s)
        board.drive_lines(pattern, width_s)
        happened = conductances(board) - before
    happened[2, 3] = 0.0
    is_changed = np.abs(happened) > 1e-3 * before
    assert is_changed.sum() >= 5
    assert foreseen[is_changed] == pytest.approx(happened[is_changed], rel=0.2)
    assert np.abs(foreseen[~is_changed]).max(initial=0.0) < 2e-3 * before.max()


def test_a_plan_beyond_the_budget_is_refused_with_the_cell_and_the_figure() -> None:
    with open_array(STATION) as board:
        info = board.info
    g = np.full((6, 6), 80e-6)
    for scheme, is_fine in ((Scheme.HALF, False), (Scheme.SDC, True)):
        model = DisturbModel(STATION, info, MARGIN_SIGMAS)
        model.begin(g, READ_V)
        steps = plan_steps(info, scheme, [(0, 0), (1, 4)], g, {0.3: 1e-3, -0.26: 1e-3})
        if is_fine:
            assert not model.check(steps, 0.05).any()
        else:
            with pytest.raises(LimitError, match=r"change R\dC\d at cell \(\d, \d\) by .*S \("):
                model.check(steps, 0.05)


def test_the_sum_of_a_plan_counts_and_begins_anew_with_a_cell_that_is_meant() -> None:
    with open_array(STATION) as board:
        info = board.info
    g = np.full((6, 6), 80e-6)
    one = Step(bias(Scheme.HALF, info, (0, 0), -0.3), 1e-6, 80e-6)
    model = DisturbModel(STATION, info)
    model.begin(g, READ_V)
    summed = model.check([one, one, one], 10.0)
    model.begin(g, READ_V)
    single = model.check([one], 10.0)
    assert summed[0, 1] == pytest.approx(3 * single[0, 1], rel=0.2)
    assert summed[0, 0] == 0
    model.begin(g, READ_V)
    other = Step(bias(Scheme.SDC, info, (0, 1), 0.2), 1e-6, 80e-6)
    assert model.check([one, other], 10.0)[0, 1] == 0


def test_a_margin_lowers_the_thresholds() -> None:
    with open_array(STATION) as board:
        info = board.info
    pattern = bias(Scheme.HALF, info, (0, 0), 0.4)
    changes = []
    for sigmas in (0.0, 2.0):
        model = DisturbModel(STATION, info, sigmas)
        model.begin(np.full((6, 6), 30e-6), READ_V)
        changes.append(np.abs(model.change(pattern, 1e-5)).max())
    assert changes[1] > 3 * changes[0] > 0


def test_a_bank_has_no_half_selects() -> None:
    with open_board("twin") as board, pytest.raises(StationError, match="no array"):
        DisturbModel(load_station("twin"), board.info)


def test_a_guard_read_tells_what_was_not_foreseen() -> None:
    with open_array(STATION) as board:
        info = board.info
    watch = DisturbWatch(STATION, info, Scheme.HALF, READ_V, 0.02)
    g = np.full((6, 6), 80e-6)
    watch.note((0, 1), {}, g)
    watch.note((3, 3), {}, g)
    watch.note((0, 0), {-0.3: 1e-6}, g)
    assert watch.guards((0, 0), 3) == [(0, 1)]
    model = DisturbModel(STATION, info)
    model.begin(g, READ_V)
    change = model.change(bias(Scheme.HALF, info, (0, 0), -0.3), 1e-6)[0, 1]
    assert change < -0.02 * 80e-6
    watch.check((0, 1), 80e-6, 80e-6 + change)  # as foreseen
    with pytest.raises(BoardError, match=r"R0C1 at cell \(0, 1\) went from 80 .*budget is 2.0%"):
        watch.check((0, 1), 80e-6, 80e-6 + change)  # once more, and nothing was foreseen since
    assert watch.n_reads == 2


def test_line_drops_are_taken_out_by_a_map() -> None:
    station = array_station(6, 6, **(CALM | {"r_word_ohm": "20.0", "r_driver_ohm": "100.0"}))
    with open_array(station) as board:
        set_states(board)
        truth = conductances(board)
        readings = board.measure(board.info.all_cells, READ_V)
        raw_error = np.abs(readings.g_siemens.reshape(6, 6) / truth - 1)
        drops = LineDrops(board.info)
        corrected = drops.corrected(readings, 1.05 * truth, Scheme.GROUNDED).reshape(6, 6)
        assert raw_error.max() > 0.05
        # What is left: cells are not linear, and see some millivolts less than the truth is at.
        assert np.abs(corrected / truth - 1).max() < 0.25 * raw_error.max()
        with pytest.raises(UnsupportedError, match="read grounded"):
            drops.corrected(readings, truth, Scheme.HALF)
