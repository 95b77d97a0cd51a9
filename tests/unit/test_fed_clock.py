from __future__ import annotations

from typing import cast

import pytest

from hil.boards.fed_clock import FedClock
from hil.errors import BoardError, SwitchBoardError
from hil.instruments.switch_board import SwitchBoard


class FakeClock:
    def __init__(self) -> None:
        self.t_s = 100.0
        self.sleeps_s: list[float] = []

    def now_s(self) -> float:
        return self.t_s

    def sleep_s(self, dt_s: float) -> None:
        self.sleeps_s.append(dt_s)
        self.t_s += dt_s


class FakeSwitches:
    """A switch board whose watchdog bites after ``watchdog_s`` without a word."""

    def __init__(self, clock: FakeClock, watchdog_s: float) -> None:
        self.clock = clock
        self.watchdog_s = watchdog_s
        self.heard_at_s = clock.t_s
        self.position: int | None = 7
        self.n_heartbeats = 0

    def heartbeat(self) -> int | None:
        silent_s = self.clock.t_s - self.heard_at_s
        self.heard_at_s = self.clock.t_s
        self.n_heartbeats += 1
        if silent_s >= self.watchdog_s:
            self.position = None
            raise SwitchBoardError("WATCHDOG_TRIPPED")
        return self.position


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def switches(clock: FakeClock) -> FakeSwitches:
    return FakeSwitches(clock, 0.9)


@pytest.fixture
def fed(clock: FakeClock, switches: FakeSwitches) -> FedClock:
    return FedClock(clock, cast(SwitchBoard, switches), 0.9)


def test_a_long_wait_is_cut_into_pieces_with_heartbeats_between(
    fed: FedClock, clock: FakeClock, switches: FakeSwitches
) -> None:
    fed.sleep_s(3.0)
    assert clock.t_s == pytest.approx(103.0, abs=1e-8)
    assert max(clock.sleeps_s) <= 0.3 + 1e-9
    assert switches.n_heartbeats >= 4, "at least one in each 0.6 s of a watchdog of 0.9 s"
    assert switches.position == 7


def test_short_waits_are_fed_when_they_have_added_up(fed: FedClock, switches: FakeSwitches) -> None:
    for _ in range(20):
        fed.sleep_s(0.1)
    assert switches.position == 7
    assert 5 <= switches.n_heartbeats <= 7


@pytest.mark.parametrize("dt_s", [0.0, -1.0, 1e-10])
def test_no_time_is_no_wait(fed: FedClock, clock: FakeClock, dt_s: float) -> None:
    fed.sleep_s(dt_s)
    assert clock.sleeps_s == []
    fed.sleep_until(50.0)
    assert clock.sleeps_s == []


def test_a_wait_ends_in_time_even_if_its_last_piece_is_tiny(
    fed: FedClock, clock: FakeClock
) -> None:
    fed.sleep_until(100.6 + 2e-9)
    assert clock.t_s == pytest.approx(100.6, abs=1e-8)
    assert len(clock.sleeps_s) <= 4


def test_between_operations_a_trip_is_no_error(
    fed: FedClock, clock: FakeClock, switches: FakeSwitches
) -> None:
    clock.t_s += 5.0  # the host was busy elsewhere
    fed.sleep_s(1.0)
    assert clock.t_s == pytest.approx(106.0)
    assert switches.position is None


def test_inside_an_operation_a_trip_is_an_error(fed: FedClock, clock: FakeClock) -> None:
    clock.t_s += 5.0
    with pytest.raises(SwitchBoardError):
        fed.sleep_until(clock.t_s + 0.1)


def test_a_switch_is_confirmed_only_when_there_is_doubt(
    fed: FedClock, clock: FakeClock, switches: FakeSwitches
) -> None:
    fed.fed()
    clock.t_s += 0.29
    fed.confirm(7)
    assert switches.n_heartbeats == 0
    clock.t_s += 0.02
    fed.confirm(7)
    assert switches.n_heartbeats == 1
    fed.confirm(7)
    assert switches.n_heartbeats == 1


def test_another_switch_is_an_error(
    fed: FedClock, clock: FakeClock, switches: FakeSwitches
) -> None:
    clock.t_s += 0.4
    switches.position = 3
    with pytest.raises(BoardError, match=r"position 7 .* 3.* void"):
        fed.confirm(7)
    clock.t_s += 0.4
    switches.position = None
    with pytest.raises(BoardError, match="none"):
        fed.confirm(7)
