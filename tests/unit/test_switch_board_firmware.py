from __future__ import annotations

import math
from uuid import UUID

import pytest

from hil.protocol.frames import Frame, FrameReader, encode
from hil.protocol.switch_board import (
    BREAK_S,
    NO_POSITION,
    BoardFlag,
    ErrorCode,
    ErrorReply,
    FrameType,
    Hello,
    HelloReply,
    ReplyFlag,
    Select,
    State,
    StatusReply,
    pack,
    unpack,
)
from twin.firmware.switch_board import SwitchBoardFirmware

HELLO = Frame(FrameType.HELLO, 0, pack(Hello(1000)))
ALL_BUT_HELLO = [
    (FrameType.SELECT, pack(Select(3))),
    (FrameType.OPEN_ALL, b""),
    (FrameType.HEARTBEAT, b""),
    (FrameType.STATUS, b""),
]


class FakeTerminals:
    """Switches with a clock of their own; refuse to close one without a break before."""

    n_positions = 8

    def __init__(self) -> None:
        self.t_s = 0.0
        self.closings: list[int] = []
        self.openings = 0
        self._closed: int | None = None
        self._open_since_s = -math.inf
        self._deadline_s = math.inf

    @property
    def position(self) -> int | None:
        return self._closed

    def now_s(self) -> float:
        return self.t_s

    def wait_s(self, dt_s: float) -> None:
        end_s = self.t_s + dt_s
        if self._deadline_s <= end_s:
            self._open(self._deadline_s)
            self._deadline_s = math.inf
        self.t_s = end_s

    def connect(self, position: int | None) -> None:
        if position is None:
            self._open(self.t_s)
            return
        assert self._closed is None, "a second switch was closed"
        assert self.t_s - self._open_since_s >= BREAK_S * 0.999, "no break before make"
        self._closed = position
        self.closings.append(position)

    def set_deadline(self, t_s: float | None) -> None:
        self._deadline_s = math.inf if t_s is None else t_s

    def _open(self, t_s: float) -> None:
        if self._closed is not None:
            self._closed = None
            self._open_since_s = t_s
            self.openings += 1


class Bench:
    def __init__(self, *, jumper: int | None = None) -> None:
        self.terminals = FakeTerminals()
        self.firmware = SwitchBoardFirmware(self.terminals, "TWIN-7", jumper=jumper)

    def say(self, frame: Frame) -> Frame:
        return self.hear(self.firmware.receive(encode(frame)))

    def hear(self, data: bytes) -> Frame:
        (frame,) = FrameReader().feed(data)
        assert isinstance(frame, Frame)
        return frame

    def refusal(self, frame: Frame) -> ErrorReply:
        reply = self.say(frame)
        assert reply.type == FrameType.ERROR
        assert reply.sequence == frame.sequence
        return unpack(ErrorReply, reply.body)

    def greet(self) -> None:
        assert self.say(HELLO).type == FrameType.HELLO_REPLY

    def select(self, position: int, sequence: int) -> State:
        reply = self.say(Frame(FrameType.SELECT, sequence, pack(Select(position))))
        assert reply.type == FrameType.SELECT_REPLY
        return unpack(State, reply.body)


def test_hello_says_who_the_board_is() -> None:
    reply = unpack(HelloReply, Bench().say(HELLO).body)
    assert reply.board_flags == BoardFlag.IS_TWIN
    assert (reply.n_positions, reply.position, reply.watchdog_ms) == (8, NO_POSITION, 1000)
    assert (reply.max_abs_voltage_mv, reply.max_current_ua) == (5000, 100_000)
    assert UUID(bytes=reply.uuid) == Bench().firmware.uuid
    assert SwitchBoardFirmware(FakeTerminals(), "TWIN-8").uuid != UUID(bytes=reply.uuid)


@pytest.mark.parametrize(("kind", "body"), ALL_BUT_HELLO)
def test_commands_before_hello_are_refused(kind: FrameType, body: bytes) -> None:
    bench = Bench()
    assert bench.refusal(Frame(kind, 1, body)).code == ErrorCode.NOT_GREETED
    assert bench.terminals.closings == []


def test_the_jumper_is_closed_until_the_first_hello() -> None:
    bench = Bench(jumper=2)
    bench.terminals.wait_s(1e6)
    assert bench.refusal(Frame(FrameType.HEARTBEAT, 1)).position == 2
    bench.greet()
    assert bench.terminals.position is None


def test_select_breaks_before_it_makes_and_says_when() -> None:
    bench = Bench()
    bench.greet()
    assert bench.select(3, 1) == State(3, 1000)
    assert bench.select(4, 2) == State(4, 2000)
    assert bench.terminals.closings == [3, 4]
    assert bench.terminals.openings == 1


def test_select_of_the_closed_switch_moves_nothing() -> None:
    bench = Bench()
    bench.greet()
    bench.select(3, 1)
    assert bench.select(3, 2) == State(3, 1000)
    assert bench.terminals.closings == [3]


@pytest.mark.parametrize(("kind", "body"), [(FrameType.HELLO, HELLO.body), *ALL_BUT_HELLO])
def test_a_repeated_frame_gets_the_same_reply_and_no_second_action(
    kind: FrameType, body: bytes
) -> None:
    bench = Bench()
    bench.greet()
    wire = encode(Frame(kind, 0 if kind == FrameType.HELLO else 1, body))
    first = bench.firmware.receive(wire)
    bench.terminals.wait_s(0.3)
    moves = (len(bench.terminals.closings), bench.terminals.openings)
    assert bench.firmware.receive(wire) == first
    assert bench.firmware.receive(wire + wire) == first + first
    assert (len(bench.terminals.closings), bench.terminals.openings) == moves


def test_a_refused_position_uses_up_its_number_and_moves_nothing() -> None:
    bench = Bench()
    bench.greet()
    bench.select(3, 1)
    wrong = Frame(FrameType.SELECT, 2, pack(Select(8)))
    assert bench.refusal(wrong) == ErrorReply(3, 1000, ErrorCode.BAD_POSITION, 8)
    assert bench.say(wrong) == bench.say(wrong)
    assert bench.select(4, 3).position == 4


def test_another_frame_under_the_last_number_is_refused() -> None:
    bench = Bench()
    bench.greet()
    bench.select(3, 1)
    other = Frame(FrameType.SELECT, 1, pack(Select(4)))
    assert bench.refusal(other).code == ErrorCode.SEQUENCE_REUSED
    assert bench.terminals.position == 3


@pytest.mark.parametrize("sequence", [0, 1, 4, 40000, 65535])
def test_numbers_out_of_order_are_refused(sequence: int) -> None:
    bench = Bench()
    bench.greet()
    bench.select(3, 1)
    bench.select(4, 2)
    late = Frame(FrameType.SELECT, sequence, pack(Select(3)))
    assert bench.refusal(late) == ErrorReply(4, 2000, ErrorCode.BAD_SEQUENCE, sequence)
    assert bench.terminals.position == 4


def test_numbers_wrap_around() -> None:
    bench = Bench()
    bench.say(HELLO._replace(sequence=0xFFFF))
    assert bench.select(5, 0).position == 5


def test_a_late_copy_of_the_hello_disconnects_nothing() -> None:
    bench = Bench()
    bench.greet()
    bench.select(3, 1)
    assert bench.refusal(HELLO).code == ErrorCode.BAD_SEQUENCE
    assert bench.terminals.position == 3
    bench.say(HELLO._replace(sequence=9))
    assert bench.terminals.position is None
    assert bench.refusal(Frame(FrameType.HEARTBEAT, 2)).code == ErrorCode.BAD_SEQUENCE
    assert bench.say(Frame(FrameType.HEARTBEAT, 10)).type == FrameType.HEARTBEAT_REPLY


@pytest.mark.parametrize(
    ("frame", "code", "value"),
    [
        (Frame(FrameType.HEARTBEAT, 1, version=2), ErrorCode.WRONG_VERSION, 2),
        (Frame(0x06, 1), ErrorCode.UNKNOWN_TYPE, 0x06),
        (Frame(FrameType.SELECT_REPLY, 1), ErrorCode.UNKNOWN_TYPE, 0x82),
        (Frame(FrameType.HEARTBEAT, 1, flags=4), ErrorCode.UNKNOWN_FLAG, 4),
        (Frame(FrameType.HEARTBEAT, 1, b"?"), ErrorCode.BAD_LENGTH, 1),
        (Frame(FrameType.SELECT, 1, b"\x03"), ErrorCode.BAD_LENGTH, 1),
        (Frame(FrameType.SELECT, 1, pack(Select(NO_POSITION))), ErrorCode.BAD_POSITION, 0xFFFF),
        (Frame(FrameType.HELLO, 9, b""), ErrorCode.BAD_LENGTH, 0),
        (Frame(FrameType.HELLO, 9, HELLO.body, flags=1), ErrorCode.UNKNOWN_FLAG, 1),
        (Frame(FrameType.HELLO, 9, pack(Hello(0))), ErrorCode.BAD_WATCHDOG, 0),
    ],
)
def test_refused_frames_say_why_and_are_counted(frame: Frame, code: ErrorCode, value: int) -> None:
    bench = Bench()
    bench.greet()
    assert bench.refusal(frame)[2:] == (code, value)
    assert bench.terminals.closings == []
    sequence = 2 if frame.sequence == 1 and code != ErrorCode.WRONG_VERSION else 1
    status = unpack(StatusReply, bench.say(Frame(FrameType.STATUS, sequence)).body)
    assert status.frames_refused == 1


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x05\x01\x00", ErrorCode.BAD_ENCODING),
        (b"\x03\x01\x02\x00", ErrorCode.BAD_LENGTH),
        (b"\x01" * 5000 + b"\x00", ErrorCode.BAD_LENGTH),
        (encode(Frame(FrameType.HEARTBEAT, 1)).replace(b"\x04", b"\x05"), ErrorCode.BAD_CRC),
    ],
)
def test_unreadable_frames_are_answered_without_a_number(data: bytes, code: ErrorCode) -> None:
    bench = Bench()
    bench.greet()
    reply = bench.hear(bench.firmware.receive(data))
    assert (reply.type, reply.sequence, reply.flags) == (FrameType.ERROR, 0, ReplyFlag.NO_SEQUENCE)
    assert unpack(ErrorReply, reply.body).code == code


def test_the_watchdog_ends_the_session_even_for_a_repeated_select() -> None:
    bench = Bench()
    bench.greet()
    select = Frame(FrameType.SELECT, 1, pack(Select(3)))
    bench.say(select)
    bench.terminals.wait_s(0.999)
    assert bench.terminals.position == 3
    bench.terminals.wait_s(0.002)
    assert bench.terminals.position is None
    for frame in (select, Frame(FrameType.HEARTBEAT, 2), Frame(FrameType.SELECT, 2, b"\x03\x00")):
        reply = bench.say(frame)
        assert reply.flags == ReplyFlag.WATCHDOG_TRIPPED
        error = unpack(ErrorReply, reply.body)
        assert (error.code, error.position) == (ErrorCode.WATCHDOG_TRIPPED, NO_POSITION)
    assert bench.terminals.closings == [3]
    assert bench.say(HELLO).flags == ReplyFlag.WATCHDOG_TRIPPED
    reply = bench.say(Frame(FrameType.STATUS, 1))
    assert reply.flags == 0
    assert unpack(StatusReply, reply.body)[2:] == (1, 3, 0)


@pytest.mark.parametrize(("kind", "body"), ALL_BUT_HELLO[2:])
def test_any_command_keeps_the_switch_closed(kind: FrameType, body: bytes) -> None:
    bench = Bench()
    bench.greet()
    bench.select(3, 1)
    for sequence in range(2, 6):
        bench.terminals.wait_s(0.9)
        bench.say(Frame(kind, sequence, body))
    assert bench.terminals.position == 3


def test_garbage_and_refused_frames_do_not_feed_the_watchdog() -> None:
    bench = Bench()
    bench.greet()
    bench.select(3, 1)
    bench.terminals.wait_s(0.9)
    bench.firmware.receive(b"noise\0")
    bench.say(Frame(FrameType.HEARTBEAT, 77))
    bench.terminals.wait_s(0.2)
    assert bench.terminals.position is None


def test_with_all_switches_open_silence_is_harmless() -> None:
    bench = Bench()
    bench.greet()
    bench.terminals.wait_s(1e4)
    assert bench.select(3, 1).position == 3


def test_status_counts_the_cycles_of_the_closed_switch() -> None:
    bench = Bench()
    bench.greet()
    for sequence, position in enumerate([3, 4, 3, 4, 3], start=1):
        bench.select(position, sequence)
    status = unpack(StatusReply, bench.say(Frame(FrameType.STATUS, 6)).body)
    assert status == StatusReply(3, 5000, 0, 0, 3)


def test_bytes_one_by_one_are_the_same_as_all_at_once() -> None:
    bench = Bench()
    wire = encode(HELLO) + encode(Frame(FrameType.SELECT, 1, pack(Select(3))))
    replies = b"".join(bench.firmware.receive(wire[k : k + 1]) for k in range(len(wire)))
    assert replies == Bench().firmware.receive(wire)
    assert bench.terminals.position == 3
