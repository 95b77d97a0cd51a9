"""What a board of wires leaves behind when an operation ends early, wherever that is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar

import numpy as np
import pytest

from hil.board import Board
from hil.errors import BoardError, LinkError, SwitchBoardError
from hil.types import Pulses, Readings, SweepTrace
from tests.support.rigs import (
    Wiretap,
    in_process_rig,
    is_level,
    level_v,
    small_station,
    smu_messages,
    wire,
)
from twin.opening import TwinInstruments, build_instruments
from twin.servers.inprocess import InProcessAdapter, InProcessPort

When = Literal["before", "after"]
SMALL = small_station(n_devices={"W": 2})
CELLS = [[0, 0], [0, 1]]


class Interrupter:
    """Counts exchanges on all links, and raises at one of them, before or after its bytes."""

    def __init__(self) -> None:
        self.n_exchanges = 0
        self.armed_at: int | None = None
        self.when: When = "before"
        self.error: BaseException = KeyboardInterrupt("now")
        self.n_logged: int | None = None
        self.log: list[tuple[str, bytes]] = []

    def arm(self, at: int, when: When, error: BaseException | None = None) -> None:
        self.n_exchanges, self.armed_at, self.when = 0, at, when
        self.error = error or KeyboardInterrupt("now")

    def around(self, exchange: Callable[[], Any]) -> Any:
        self.n_exchanges += 1
        if self.n_exchanges != self.armed_at:
            return exchange()
        if self.when == "after":
            exchange()
        self.n_logged = len(self.log)
        raise self.error


class Adapter(InProcessAdapter):
    interrupter: Interrupter

    def _write_bytes(self, content: bytes, **kwargs: Any) -> None:
        self.interrupter.around(lambda: super(Adapter, self)._write_bytes(content, **kwargs))

    def _take(self, count: int) -> bytes:
        taken: bytes = self.interrupter.around(lambda: super(Adapter, self)._take(count))
        return taken


class Port(InProcessPort):
    interrupter: Interrupter

    def write(self, data: bytes) -> int:
        written: int = self.interrupter.around(lambda: super(Port, self).write(data))
        return written

    def read(self, size: int = 1) -> bytes:
        got: bytes = self.interrupter.around(lambda: super(Port, self).read(size))
        return got


class Bench:
    """The wire twin with an interrupter on its links."""

    def __init__(self) -> None:
        self.interrupter = Interrupter()
        self.log = self.interrupter.log
        self.plain: TwinInstruments = build_instruments(SMALL)
        adapter = Adapter(Wiretap("smu", self.plain.smu, self.log))
        port = Port(Wiretap("switch board", self.plain.switch_board, self.log), timeout=0.1)
        adapter.interrupter = port.interrupter = self.interrupter
        self.board: Board = wire(SMALL, self.plain, adapter, port)
        self.n_before = len(self.log)

    def is_safe(self) -> bool:
        bench = self.plain.bench
        return not (self.plain.smu.output_on or bench.smu.v_source_v or bench.switch.position)

    def n_levels_up(self) -> int:
        """How often the source really left zero volt."""
        return sum(is_level(m) and level_v(m) != 0 for m in smu_messages(self.log[self.n_before :]))


def pulse(board: Board) -> Pulses:
    return board.pulse(CELLS, [0.5, -0.5], 0.02, 2)


def measure(board: Board) -> Readings:
    return board.measure(CELLS, 0.1)


def sweep(board: Board) -> SweepTrace:
    return board.sweep(CELLS[0], [0.2, 0.4, 0.2], 0.01)


Result = TypeVar("Result", Pulses, Readings, SweepTrace)


def done_of(error: BaseException, kind: type[Result]) -> Result:
    """Return what was complete before the error."""
    done = error.__dict__["done"]
    assert isinstance(done, kind)
    return done


def n_exchanges(operate: Callable[[Board], object]) -> int:
    bench = Bench()
    bench.interrupter.n_exchanges = 0
    operate(bench.board)
    return bench.interrupter.n_exchanges


def places(operate: Callable[[Board], object]) -> list[tuple[int, When]]:
    return [(k + 1, w) for k in range(n_exchanges(operate)) for w in ("before", "after")]


def interrupted(
    operate: Callable[[Board], object], place: tuple[int, When], error: BaseException | None = None
) -> tuple[Bench, BaseException]:
    bench = Bench()
    bench.interrupter.arm(*place, error)
    with pytest.raises(type(bench.interrupter.error)) as caught:
        operate(bench.board)
    return bench, caught.value


def first_after(bench: Bench) -> str:
    """Return the first thing that any instrument was told after the interruption."""
    assert bench.interrupter.n_logged is not None
    name, data = bench.log[bench.interrupter.n_logged]
    assert name == "smu"
    return data.decode().strip()


def test_there_are_places_to_interrupt() -> None:
    assert n_exchanges(measure) > 20
    assert n_exchanges(pulse) > 30
    assert n_exchanges(sweep) > 15


@pytest.mark.parametrize("operate", [measure, pulse, sweep])
def test_wherever_it_is_interrupted_the_level_goes_to_zero_first(
    operate: Callable[[Board], object],
) -> None:
    for place in places(operate):
        bench, _ = interrupted(operate, place)
        message = first_after(bench)
        assert is_level(message), place
        assert level_v(message) == 0, place
        assert abs(bench.plain.bench.smu.v_source_v) < 1e-3, place
        bench.board.close()
        assert bench.is_safe(), place


@pytest.mark.parametrize("operate", [measure, pulse, sweep])
def test_wherever_it_is_interrupted_the_board_goes_on_afterwards(
    operate: Callable[[Board], object],
) -> None:
    for place in places(operate):
        bench, _ = interrupted(operate, place)
        truth = bench.plain.bench.plant.devices
        readings = bench.board.measure(CELLS, [0.1, 0.1])
        off = abs(readings.g_siemens - truth.conductance_siemens(readings.cells[:, 1]))
        assert (off <= readings.g_expanded_siemens).all(), place
        bench.board.close()
        assert bench.is_safe(), place


def test_what_was_applied_is_counted() -> None:
    """Writing a level may be interrupted before or after the bytes left; then the pulse counts."""
    n_uncertain = n_unknown = n_known = 0
    for place in places(pulse):
        bench, error = interrupted(pulse, place)
        done = done_of(error, Pulses)
        uncertain = int(done.n_pulses.sum()) - bench.n_levels_up()
        assert uncertain in (0, 1), place
        n_uncertain += uncertain
        assert (done.n_pulses > 0).all(), place
        assert (done.t_s > 0).all(), place
        assert (done.energy.source_j[:-1] > 0).all(), place
        last_j = done.energy.source_j[-1:]
        assert (np.isnan(last_j) | (last_j > 0)).all(), place
        n_unknown += np.isnan(last_j).sum()
        n_known += (last_j > 0).sum()
    assert n_unknown, "interrupted inside a pulse, which was not sampled to its end"
    assert n_known, "interrupted between two cells"
    assert n_uncertain == 4, "once for each pulse: before the bytes of its own level"


def test_readings_that_were_complete_are_kept_and_no_others() -> None:
    seen = set()
    for place in places(measure):
        _, error = interrupted(measure, place)
        done = done_of(error, Readings)
        assert (done.g_siemens > 0).all(), place
        seen.add(len(done))
    assert seen == {0, 1, 2}


def test_points_of_a_sweep_that_were_complete_are_kept() -> None:
    seen = set()
    for place in places(sweep):
        _, error = interrupted(sweep, place)
        done = done_of(error, SweepTrace)
        seen.add(len(done.t_s))
        if len(done.t_s) < 3:
            assert np.isnan(done.energy.source_j).all(), "not followed to its end: not known"
    assert seen == {0, 1, 2, 3}


def test_a_link_that_fails_is_no_different() -> None:
    for k in range(1, n_exchanges(pulse) + 1):
        bench = Bench()
        bench.interrupter.arm(k, "before", OSError("unplugged for a moment"))
        with pytest.raises(LinkError, match="unplugged"):
            pulse(bench.board)
        message = first_after(bench)
        assert (is_level(message), level_v(message)) == (True, 0), k
        bench.board.close()
        assert bench.is_safe(), k


def test_interrupting_close_at_any_place_switches_off_all_the_same() -> None:
    def used() -> Bench:
        bench = Bench()
        bench.board.pulse(CELLS[:1], 0.5, 0.02)
        return bench

    bench = used()
    bench.interrupter.n_exchanges = 0
    bench.board.close()
    n_places = bench.interrupter.n_exchanges
    assert n_places >= 4
    for k in range(1, n_places + 1):
        bench = used()
        assert bench.plain.smu.output_on
        bench.interrupter.arm(k, "after")
        with pytest.raises(KeyboardInterrupt):
            bench.board.close()
        assert bench.is_safe(), k


def test_the_compliance_is_never_assumed_after_an_interruption() -> None:
    """A current limit that was being changed must be set again, or a C device gets that of W."""
    station = small_station(n_devices={"W": 1, "C": 1})
    for when in ("before", "after"):
        for k in range(1, 5):
            interrupter = Interrupter()
            plain = build_instruments(station)
            adapter = Adapter(Wiretap("smu", plain.smu, interrupter.log))
            adapter.interrupter = interrupter
            board = wire(station, plain, adapter, InProcessPort(plain.switch_board, timeout=0.1))
            board.measure([[0, 1]], 0.1)
            interrupter.arm(k, "after" if when == "after" else "before")
            with pytest.raises(KeyboardInterrupt):
                board.measure([[0, 0]], 0.1)
            board.measure([[0, 1]], 0.1)
            assert plain.bench.smu.i_limit_a == pytest.approx(50e-6), (k, when)


# --- the watchdog -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "operate",
    [
        lambda b: b.measure(CELLS, 0.1),
        lambda b: b.pulse(CELLS, 0.5, 0.02),
        lambda b: b.sweep(CELLS[0], [0.2, 0.4], 0.01),
        lambda b: b.clock.sleep_s(3.0),
        lambda b: b.make_safe(),
    ],
)
def test_a_watchdog_that_acted_between_two_operations_is_survived(
    operate: Callable[[Board], object],
) -> None:
    rig = in_process_rig(SMALL)
    assert rig.instruments is not None
    with rig.board as board:
        board.measure([CELLS[0]], 0.1)
        assert rig.instruments.bench.switch.position == 0
        rig.instruments.bench.sleep_s(5.0)  # the host was busy elsewhere
        assert rig.instruments.bench.switch.position is None
        operate(board)
        readings = board.measure([CELLS[0]], 0.1)
        off = abs(readings.g_siemens - rig.truth_siemens([CELLS[0]]))
        assert off[0] <= readings.g_expanded_siemens[0]


@pytest.mark.parametrize(
    ("operate", "n_kept"),
    [
        (lambda b: b.measure(CELLS, 0.1), 1),
        (lambda b: b.sweep(CELLS[0], [0.2, 0.3, 0.4], 0.01), 1),
    ],
)
def test_a_watchdog_that_acts_inside_an_operation_makes_its_data_void(
    operate: Callable[[Board], object], n_kept: int
) -> None:
    n_reads = 0

    def stall_at_the_second_reading(instruments: TwinInstruments, data: bytes) -> None:
        nonlocal n_reads
        n_reads += data == b":READ?\n"
        if data == b":READ?\n" and n_reads == 2:
            instruments.bench.sleep_s(5.0)

    rig = in_process_rig(SMALL, before_smu=stall_at_the_second_reading)
    with rig.board as board:
        with pytest.raises((SwitchBoardError, BoardError)) as caught:
            operate(board)
        assert len(caught.value.__dict__["done"].t_s) == n_kept
        assert rig.instruments is not None
        assert abs(rig.instruments.bench.smu.v_source_v) < 1e-3
        readings = board.measure([CELLS[1]], 0.1)
        off = abs(readings.g_siemens - rig.truth_siemens([CELLS[1]]))
        assert off[0] <= readings.g_expanded_siemens[0]


@pytest.mark.parametrize("stalled_reading", [1, 2, 3, 4])
def test_a_watchdog_that_acts_inside_a_train_is_an_error(stalled_reading: int) -> None:
    n_reads = 0

    def stall(instruments: TwinInstruments, data: bytes) -> None:
        nonlocal n_reads
        n_reads += data == b":READ?\n"
        if data == b":READ?\n" and n_reads == stalled_reading:
            instruments.bench.sleep_s(5.0)

    rig = in_process_rig(SMALL, before_smu=stall)
    with rig.board as board:
        with pytest.raises(BoardError) as caught:
            board.pulse([CELLS[0]], 0.5, 0.02, 5)
        done = done_of(caught.value, Pulses)
        assert done.n_pulses.tolist() == [(stalled_reading + 1) // 2]


def test_a_pulse_longer_than_the_watchdog_keeps_its_device_connected() -> None:
    rig = in_process_rig(small_station(n_devices={"W": 2}, watchdog_s=0.2))
    with rig.board as board:
        pulses = board.pulse([CELLS[0]], 0.3, 1.0, 2)
        assert pulses.width_measured_s == pytest.approx([1.0], abs=1e-6)
        trace = board.sweep(CELLS[1], [0.2, 0.3], 0.9)
        assert trace.t_s[1] - trace.t_s[0] == pytest.approx(0.9, abs=1e-6)
