from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hil.boards.follower import Follower
from hil.boards.twin_of_board import TwinOfBoard
from hil.errors import StationError
from hil.opening import open_board, open_twins
from hil.types import Source
from tests.support.twins import twin_file
from twin.board import TwinBoard

W01, W02 = [[0, 0]], [[0, 1]]


@contextmanager
def twin_of(station: str, seed: int = 1) -> Iterator[list[TwinOfBoard]]:
    with ExitStack() as opened:
        twins = open_twins(station, seed=seed, source_reason="test")
        for twin in twins:
            opened.callback(twin.close)
        yield twins


def written(board: TwinBoard, g_siemens: float) -> None:
    """Put W01 of a board into a state."""
    board.adopt(np.array(W01), np.array([g_siemens]), np.array([0.1]))


def test_a_direct_twin_is_opened_for_any_station(tmp_path: Path) -> None:
    with twin_of(twin_file(tmp_path, "wire", board="twin-wire")) as twins:
        assert {twin.info.kind for twin in twins} == {"twin"}
        assert {twin.info.source for twin in twins} == {Source.TWIN}
        assert twins[0].info.source_reason == "test"


def test_a_device_takes_over_the_state_at_its_first_reading(tmp_path: Path) -> None:
    station = twin_file(tmp_path, "a")
    with open_board(station, seed=1) as board, twin_of(station, seed=2) as twins:
        assert isinstance(board, TwinBoard)
        written(board, 150e-6)
        follower = Follower(twins, board.info)
        assert follower.unknown(np.array([[0, 0], [0, 1]])).tolist() == [[0, 0], [0, 1]]
        (first,) = follower.measured(board.measure(W01, 0.1))
        assert first.twin == pytest.approx(150e-6, rel=0.02)
        assert not first.diverges
        assert follower.unknown(np.array([[0, 0], [0, 1]])).tolist() == [[0, 1]]


def test_nothing_is_compared_of_a_device_that_was_never_read(tmp_path: Path) -> None:
    station = twin_file(tmp_path, "a")
    with open_board(station, seed=1) as board, twin_of(station) as twins:
        follower = Follower(twins, board.info)
        assert follower.pulsed(board.pulse(W01, 0.5, 0.02)) == []
        follower.measured(board.measure(W01, 0.1))
        compared = follower.pulsed(board.pulse(W01, 0.5, 0.02))
        assert [c.quantity for c in compared] == ["end current", "energy"]
        follower.forget()
        assert follower.pulsed(board.pulse(W01, 0.5, 0.02)) == []


@pytest.mark.parametrize("kind", ["twin", "twin-wire"])
def test_an_equal_twin_agrees_whatever_is_done(tmp_path: Path, kind: str) -> None:
    station = twin_file(tmp_path, "a", board=kind)
    waveform_v = 0.6 * np.sin(np.linspace(0, 2 * np.pi, 40))
    with open_board(station, seed=1) as board, twin_of(station, seed=7) as twins:
        follower = Follower(twins, board.info)
        both = [[0, 0], [0, 1]]
        compared = follower.measured(board.measure(both, 0.1))
        for amplitude_v in (0.4, 0.6, -0.5, 0.9, -1.0):
            compared += follower.pulsed(board.pulse(both, amplitude_v, 0.02, 3))
            compared += follower.measured(board.measure(both, 0.1))
        compared += follower.swept(board.sweep([0, 0], waveform_v, 0.01), waveform_v)
        readings = board.matvec([0.1]).readings
        assert readings is not None
        compared += follower.measured(readings)
    assert {c.device for c in compared} >= {"W01", "W02", "W03", "W04"}
    assert [c for c in compared if c.diverges] == []
    assert max(c.ratio for c in compared) > 0  # other draws: they were really compared


def test_another_device_diverges_once_it_is_written(tmp_path: Path) -> None:
    board_file = twin_file(tmp_path, "a", drifted=[1])
    with open_board(board_file, seed=1) as board, twin_of(twin_file(tmp_path, "b")) as twins:
        follower = Follower(twins, board.info)
        both = [[0, 0], [0, 1]]
        assert not any(c.diverges for c in follower.measured(board.measure(both, 0.1)))
        follower.pulsed(board.pulse(both, 0.3, 0.02))
        apart = {c.device: c.diverges for c in follower.measured(board.measure(both, 0.1))}
        assert apart == {"W01": False, "W02": True}


def test_towards_a_bench_the_fit_of_the_record_counts(tmp_path: Path) -> None:
    station = twin_file(tmp_path, "a")
    with twin_of(station) as twins:
        simulated = Follower(twins, twins[0].info)
        measured = Follower(twins, replace(twins[0].info, source=Source.BENCH))
        told = Follower(twins, twins[0].info, model_ratio=0.5)
    assert (simulated.model_ratio < measured.model_ratio).all()
    assert (told.model_ratio == 0.5).all()


def test_the_twin_gets_the_width_that_was_measured(tmp_path: Path) -> None:
    station = twin_file(tmp_path, "a")
    with open_board(station, seed=1) as board, twin_of(station) as twins:
        follower = Follower(twins, board.info)
        follower.measured(board.measure(W01, 0.1))
        pulses = board.pulse(W01, 0.3, 0.02)
        before_s = twins[0].clock.now_s()
        follower.pulsed(replace(pulses, width_measured_s=np.array([0.35])))
        assert twins[0].clock.now_s() - before_s >= 0.35
        follower.pulsed(replace(pulses, width_measured_s=np.array([np.nan])))


def test_the_clock_of_the_twin_follows_that_of_the_board(tmp_path: Path) -> None:
    station = twin_file(tmp_path, "a")
    with open_board(station, seed=1) as board, twin_of(station) as twins:
        follower = Follower(twins, board.info)
        board.clock.sleep_s(5.0)
        follower.measured(board.measure(W01, 0.1))
        started_s = twins[0].clock.now_s()
        assert started_s < 1.0  # what was before the first operation is not waited for
        board.clock.sleep_s(3600.0)
        follower.measured(board.measure(W01, 0.1))
        assert twins[0].clock.now_s() - started_s == pytest.approx(3600.0, rel=1e-3)


@pytest.mark.parametrize(
    ("n_twin", "n_board", "message"), [(2, 3, "has no device 'W03'"), (4, 3, "other devices")]
)
def test_a_twin_of_other_devices_is_refused(
    tmp_path: Path, n_twin: int, n_board: int, message: str
) -> None:
    with (
        twin_of(twin_file(tmp_path, "a", n=n_twin)) as twins,
        open_board(twin_file(tmp_path, "b", n=n_board)) as board,
        pytest.raises(StationError, match=message),
    ):
        Follower(twins, board.info)
