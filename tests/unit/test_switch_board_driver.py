from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import serial

from hil.errors import (
    BoardError,
    LinkError,
    LinkTimeout,
    ProtocolError,
    SwitchBoardError,
    UsageError,
)
from hil.instruments.switch_board import SwitchBoard
from hil.protocol.frames import Frame, FrameReader, encode
from hil.protocol.switch_board import ErrorReply, FrameType, State, pack
from twin.firmware.switch_board import SwitchBoardFirmware


class Terminals:
    n_positions = 8

    def __init__(self) -> None:
        self.t_s = 0.0
        self.position: int | None = None
        self.closings: list[int] = []
        self._deadline_s = math.inf

    def now_s(self) -> float:
        return self.t_s

    def wait_s(self, dt_s: float) -> None:
        self.t_s += dt_s
        if self._deadline_s <= self.t_s:
            self.position = None

    def connect(self, position: int | None) -> None:
        self.position = position
        if position is not None:
            self.closings.append(position)

    def set_deadline(self, t_s: float | None) -> None:
        self._deadline_s = math.inf if t_s is None else t_s


class Port:
    """A port to a board; ``filters`` change what goes over it, one a write."""

    timeout: float | None = 0.5

    def __init__(self, receive: Callable[[bytes], bytes]) -> None:
        self.receive = receive
        self.written: list[bytes] = []
        self.arrived = b""
        self.lose = 0
        self.lose_replies = 0
        self.after_write: Callable[[], None] = lambda: None
        self.is_closed = False

    def write(self, data: bytes, /) -> int:
        self.written.append(data)
        if self.lose:
            self.lose -= 1
            return len(data)
        reply = self.receive(data)
        if self.lose_replies:
            self.lose_replies -= 1
            reply = b""
        self.arrived += reply
        self.after_write()
        return len(data)

    def read(self, size: int = 1, /) -> bytes:
        data, self.arrived = self.arrived[:size], self.arrived[size:]
        return data

    def reset_input_buffer(self) -> None:
        self.arrived = b""

    def close(self) -> None:
        self.is_closed = True


class Bench:
    def __init__(self, serial_number: str = "TWIN-7") -> None:
        self.terminals = Terminals()
        self.port = Port(SwitchBoardFirmware(self.terminals, serial_number).receive)

    def open(self) -> SwitchBoard:
        return SwitchBoard.open(self.port, 1.0, name="switch board at test")


def replies(*frames: Frame | bytes) -> Callable[[bytes], bytes]:
    stream = iter([frame if isinstance(frame, bytes) else encode(frame) for frame in frames])
    return lambda _: next(stream, b"")


def test_identity_is_what_the_board_says() -> None:
    identity = Bench().open().identity
    assert identity.is_twin
    assert (identity.n_positions, identity.watchdog_s) == (8, 1.0)
    assert (identity.max_abs_voltage_v, identity.max_current_a) == (5.0, 0.1)
    assert identity.reset_cause == "POWER_ON"
    assert f"switch board (twin), UUID {identity.uuid}" in identity.text
    assert "8 positions, up to 5 V and 100 mA, watchdog 1 s" in identity.text


def test_a_board_that_starts_slowly_is_waited_for() -> None:
    bench = Bench()
    bench.port.lose = 7
    bench.open()
    assert len(bench.port.written) == 8
    assert len(set(bench.port.written[1:])) == 1, "the same bytes each time"


def test_nobody_there_is_a_timeout_in_one_line_and_gives_the_port_back() -> None:
    bench = Bench()
    bench.port.lose = 100
    with pytest.raises(
        LinkTimeout, match=r"^switch board at test: no answer after 8 tries of HELLO;"
    ):
        bench.open()
    assert bench.port.is_closed


def test_something_else_there_is_a_protocol_error() -> None:
    port = Port(lambda _: b"ok\r\n" * 30 + b"\0")
    with pytest.raises(ProtocolError, match="damaged reply"):
        SwitchBoard.open(port, 1.0)
    babble = Port(lambda _: b"x" * 20_000)
    with pytest.raises(ProtocolError, match="bytes without end"):
        SwitchBoard.open(babble, 1.0)


def test_an_echo_is_no_board() -> None:
    port = serial.serial_for_url("loop://", timeout=0.01)
    with pytest.raises(ProtocolError, match="frame of type 0x01 for a reply"):
        SwitchBoard.open(port, 1.0)
    assert not port.is_open


def test_select_heartbeat_status_open() -> None:
    bench = Bench()
    board = bench.open()
    assert board.heartbeat() is None
    board.select(3)
    assert board.heartbeat() == bench.terminals.position == 3
    status = board.status()
    assert (status.position, status.n_cycles, status.n_frames_refused) == (3, 1, 0)
    assert status.uptime_s == pytest.approx(1e-3)
    board.open_all()
    assert board.heartbeat() is bench.terminals.position is None


@pytest.mark.parametrize("position", [-1, 8, 70000])
def test_positions_off_the_board_are_refused_before_a_byte_is_sent(position: int) -> None:
    bench = Bench()
    board = bench.open()
    n_written = len(bench.port.written)
    with pytest.raises(UsageError, match=r"it has 0 to 7"):
        board.select(position)
    assert len(bench.port.written) == n_written


@pytest.mark.parametrize("watchdog_s", [0.0, 66.0, math.nan, -1.0])
def test_watchdog_times_that_do_not_fit_are_refused(watchdog_s: float) -> None:
    with pytest.raises(UsageError, match="1 ms to 65 s"):
        SwitchBoard.open(Bench().port, watchdog_s)


def test_a_lost_reply_does_not_move_a_switch_twice() -> None:
    bench = Bench()
    board = bench.open()
    bench.port.lose_replies = 2
    board.select(3)
    assert bench.terminals.closings == [3]


def test_late_replies_are_never_taken_for_the_next_one() -> None:
    bench = Bench()
    board = bench.open()
    board.select(3)
    late = encode(Frame(FrameType.SELECT_REPLY, 1, pack(State(3, 0))))
    bench.port.arrived = late * 3
    board.select(5)
    assert bench.terminals.position == 5
    bench.port.arrived = late
    assert board.heartbeat() == 5


def test_a_wrong_position_in_a_reply_is_an_error() -> None:
    bench = Bench()
    board = bench.open()
    bench.port.receive = replies(Frame(FrameType.SELECT_REPLY, 1, pack(State(4, 0))))
    with pytest.raises(ProtocolError, match="position 4 is closed where 3 was asked"):
        board.select(3)


def test_replies_of_wrong_length_type_or_version_are_errors() -> None:
    for frame, message in (
        (Frame(FrameType.SELECT_REPLY, 1, b"123"), "body State has 3 bytes, not 10"),
        (Frame(FrameType.STATUS_REPLY, 1, bytes(22)), "frame of type 0x85"),
        (Frame(FrameType.SELECT_REPLY, 1, bytes(10), version=2), "version 2 of the protocol"),
    ):
        bench = Bench()
        board = bench.open()
        bench.port.receive = replies(frame, frame, frame)
        with pytest.raises(ProtocolError, match=message):
            board.select(3)


def test_an_error_of_the_board_comes_with_name_and_meaning() -> None:
    bench = Bench()
    board = bench.open()
    bench.port.receive = replies(Frame(FrameType.ERROR, 1, pack(ErrorReply(0xFFFF, 0, 0x0B, 3))))
    with pytest.raises(SwitchBoardError, match=r"BAD_POSITION: .* no such position \(value 3\)"):
        board.select(3)
    bench = Bench()
    board = bench.open()
    bench.port.receive = replies(Frame(FrameType.ERROR, 1, pack(ErrorReply(0xFFFF, 0, 0x90, 0))))
    with pytest.raises(SwitchBoardError, match="error 0x90"):
        board.select(3)


def test_the_watchdog_is_told_once_and_the_next_command_works() -> None:
    bench = Bench()
    board = bench.open()
    for command in (board.heartbeat, board.status, lambda: board.select(3)):
        board.select(3)
        bench.terminals.wait_s(1.1)
        assert bench.terminals.position is None
        with pytest.raises(SwitchBoardError, match="WATCHDOG_TRIPPED"):
            command()
        assert board.heartbeat() is None
    board.select(4)
    bench.terminals.wait_s(1.1)
    board.open_all()
    assert board.status().n_watchdog_trips == 4


def test_after_a_failed_exchange_the_board_is_greeted_anew() -> None:
    bench = Bench()
    board = bench.open()
    bench.port.lose_replies = 3
    with pytest.raises(LinkTimeout, match="no answer after 3 tries of SELECT"):
        board.select(3)
    assert bench.terminals.position == 3, "carried out, unknown to the host"
    assert board.heartbeat() is None
    assert bench.terminals.position is None


def test_an_interrupt_in_the_middle_leaves_no_doubt() -> None:
    bench = Bench()
    board = bench.open()

    def interrupt() -> None:
        bench.port.after_write = lambda: None
        raise KeyboardInterrupt

    bench.port.after_write = interrupt
    with pytest.raises(KeyboardInterrupt):
        board.select(3)
    assert board.heartbeat() is None
    board.select(4)
    assert bench.terminals.position == 4


def test_a_second_host_that_sends_the_same_hello_is_let_in() -> None:
    bench = Bench()
    bench.open().select(3)
    second = bench.open()
    assert bench.terminals.position is None
    second.select(5)
    assert bench.terminals.position == 5


def test_another_board_on_the_same_line_is_noticed() -> None:
    bench = Bench()
    board = bench.open()
    bench.port.receive = SwitchBoardFirmware(Terminals(), "TWIN-8").receive
    with pytest.raises(SwitchBoardError, match="NOT_GREETED"):
        board.select(3)
    with pytest.raises(BoardError, match="answers where"):
        board.select(3)


def test_a_restarted_board_is_noticed() -> None:
    bench = Bench()
    board = bench.open()
    board.select(3)
    bench.port.receive = SwitchBoardFirmware(bench.terminals, "TWIN-7").receive
    with pytest.raises(SwitchBoardError, match="NOT_GREETED"):
        board.heartbeat()
    assert board.heartbeat() is None


def test_close_opens_all_and_gives_the_port_back_once() -> None:
    bench = Bench()
    board = bench.open()
    board.select(3)
    board.close()
    board.close()
    assert bench.terminals.position is None
    assert bench.port.is_closed
    assert FrameReader().feed(bench.port.written[-1])[0][0] == FrameType.OPEN_ALL


def test_close_gives_the_port_back_when_the_link_is_dead() -> None:
    bench = Bench()
    board = bench.open()

    def dead(_: bytes) -> bytes:
        raise serial.SerialException("device disconnected")

    bench.port.receive = dead
    with pytest.raises(LinkError, match="switch board at test: device disconnected"):
        board.close()
    assert bench.port.is_closed
