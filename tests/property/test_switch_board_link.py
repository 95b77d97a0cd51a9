"""Host driver and firmware over a link that loses, repeats, damages and delays what it carries."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hil.errors import HilError, LinkError, SwitchBoardError
from hil.instruments.switch_board import SwitchBoard
from hil.protocol.frames import Frame, FrameReader
from hil.protocol.switch_board import BREAK_S, FrameType
from twin.firmware.switch_board import SwitchBoardFirmware

N_POSITIONS = 5
WATCHDOG_S = 1.0
TIMEOUT_S = 0.2


class Terminals:
    """Switches with a clock of their own, which note every breach of break before make."""

    n_positions = N_POSITIONS

    def __init__(self) -> None:
        self.t_s = 0.0
        self.closed: set[int] = set()
        self.n_closings = 0
        self.breaches: list[str] = []
        self._open_since_s = -math.inf
        self._deadline_s = math.inf

    @property
    def position(self) -> int | None:
        return next(iter(self.closed), None)

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
        if self.closed:
            self.breaches.append(f"{position} closed beside {self.closed}")
        if self.t_s - self._open_since_s < BREAK_S * 0.999:
            self.breaches.append(
                f"{position} closed {self.t_s - self._open_since_s} s after a break"
            )
        self.closed.add(position)
        self.n_closings += 1

    def set_deadline(self, t_s: float | None) -> None:
        self._deadline_s = math.inf if t_s is None else t_s

    def _open(self, t_s: float) -> None:
        if self.closed:
            self.closed.clear()
            self._open_since_s = t_s


def flip(data: bytes, where: int) -> bytes:
    damaged = bytearray(data)
    bit = where % (8 * len(data))
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def frame_in(data: bytes) -> Frame:
    (frame,) = FrameReader().feed(data)
    assert isinstance(frame, Frame)
    return frame


FAULTS: dict[str, Callable[[bytes, int], bytes]] = {
    "none": lambda data, _: data,
    "lost": lambda _, __: b"",
    "flipped": flip,
    "twice": lambda data, _: data + data,
    "cut short": lambda data, where: data[: where % len(data)],
    "begun late": lambda data, where: data[where % len(data) :],
    "noise before": lambda data, where: bytes([where % 256, 0xAA]) + data,
    "noise and end before": lambda data, where: bytes([where % 256, 0xAA, 0]) + data,
    "noise after": lambda data, where: data + bytes([where % 256, 0x55]),
    "zero inside": lambda data, where: (
        data[: where % len(data)] + b"\0" + data[where % len(data) :]
    ),
}
faults = st.tuples(
    st.sampled_from(sorted(FAULTS)), st.sampled_from(sorted(FAULTS)), st.integers(0, 10_000)
)


@dataclass
class LossyPort:
    """In-memory port; a fault is used up per write, then the link is clean."""

    terminals: Terminals
    firmware: SwitchBoardFirmware
    timeout: float | None = TIMEOUT_S
    planned: deque[tuple[str, str, int]] = field(default_factory=deque)
    arrived: bytes = b""
    delayed: bytes = b""
    is_delaying: bool = False
    sent: list[bytes] = field(default_factory=list)
    heard: list[bytes] = field(default_factory=list)

    def write(self, data: bytes, /) -> int:
        self.sent.append(data)
        there, back, where = self.planned.popleft() if self.planned else ("none", "none", 0)
        reply = self.firmware.receive(FAULTS[there](data, where))
        self.heard.append(reply)
        reply = FAULTS[back](reply, where) if reply else reply
        if self.is_delaying:
            self.arrived, self.delayed = self.arrived + self.delayed, reply
        else:
            self.arrived, self.delayed = self.arrived + self.delayed + reply, b""
        return len(data)

    def read(self, size: int = 1, /) -> bytes:
        data, self.arrived = self.arrived[:size], self.arrived[size:]
        if len(data) < size:
            self.terminals.wait_s(TIMEOUT_S)
        return data

    def reset_input_buffer(self) -> None:
        self.arrived = b""

    def close(self) -> None:
        pass


class HostAndBoard(RuleBasedStateMachine):
    """Whatever the link does, a command that returns has told the truth."""

    @initialize(plan=st.lists(faults, max_size=4))
    def open(self, plan: list[tuple[str, str, int]]) -> None:
        self.terminals = Terminals()
        firmware = SwitchBoardFirmware(self.terminals, "TWIN-1", jumper=2)
        self.port = LossyPort(self.terminals, firmware, planned=deque(plan))
        self.board = SwitchBoard.open(self.port, WATCHDOG_S)
        self.is_known = True
        assert not self.terminals.closed

    def do(self, action: Callable[[], int | None]) -> None:
        """Run a command; if it returns, what it says must be what is."""
        n_before = self.terminals.n_closings
        try:
            position = action()
        except (LinkError, SwitchBoardError):
            self.is_known = False
        else:
            assert self.terminals.position == position
            self.is_known = True
        assert self.terminals.n_closings - n_before <= 1, "a switch moved twice for one command"

    @rule(position=st.integers(0, N_POSITIONS - 1))
    def select(self, position: int) -> None:
        def action() -> int:
            self.board.select(position)
            return position

        self.do(action)

    @rule()
    def open_all(self) -> None:
        n_before = self.terminals.n_closings
        self.do(self.board.open_all)
        assert self.terminals.n_closings == n_before

    @rule()
    def heartbeat(self) -> None:
        n_before = self.terminals.n_closings
        self.do(self.board.heartbeat)
        assert self.terminals.n_closings == n_before

    @rule()
    def status(self) -> None:
        self.do(lambda: self.board.status().position)

    @rule(plan=st.lists(faults, min_size=1, max_size=5))
    def trouble_ahead(self, plan: list[tuple[str, str, int]]) -> None:
        self.port.planned.extend(plan)

    @rule()
    def replies_come_late_for_a_while(self) -> None:
        self.port.is_delaying = not self.port.is_delaying

    @rule(dt_s=st.floats(0, 1.5))
    def time_passes(self, dt_s: float) -> None:
        was = self.terminals.position
        self.terminals.wait_s(dt_s)
        if dt_s >= WATCHDOG_S:
            assert self.terminals.position is None
        if was is not None and self.terminals.position is None and self.is_known:
            self.must_be_told()

    @precondition(lambda self: self.is_known)  # otherwise the copy may be the first to arrive
    @rule(which=st.integers(0, 10_000))
    def a_late_copy_of_this_session_arrives(self, which: int) -> None:
        session = self.port.sent[self.greeted() :]
        before = (self.terminals.n_closings, self.terminals.position)
        self.port.arrived += self.port.firmware.receive(session[which % len(session)])
        assert (self.terminals.n_closings, self.terminals.position) == before

    @precondition(lambda self: self.is_known)
    @rule()
    def a_late_copy_of_the_first_hello_arrives(self) -> None:
        reply = self.port.firmware.receive(self.port.sent[0])
        self.port.arrived += reply
        is_another = frame_in(self.port.sent[0]) != frame_in(self.port.sent[self.greeted()])
        if is_another and frame_in(reply).type == FrameType.HELLO_REPLY:
            self.must_be_told()

    def greeted(self) -> int:
        """Where in all that was sent the session began."""
        frames = map(frame_in, self.port.sent)
        return max(k for k, frame in enumerate(frames) if frame.type == FrameType.HELLO)

    def must_be_told(self) -> None:
        """The device is not connected any more: the next command has to say so."""
        assert self.terminals.position is None
        try:
            self.board.heartbeat()
        except HilError:
            self.is_known = False
        else:
            raise AssertionError("the device was disconnected and nobody was told")

    @invariant()
    def at_most_one_switch_and_always_a_break(self) -> None:
        if hasattr(self, "terminals"):
            assert len(self.terminals.closed) <= 1
            assert self.terminals.breaches == []


HostAndBoard.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestHostAndBoard = HostAndBoard.TestCase


@given(st.lists(st.tuples(st.integers(0, N_POSITIONS - 1), faults), max_size=30))
def test_one_fault_per_exchange_is_always_got_over(
    commands: list[tuple[int, tuple[str, str, int]]],
) -> None:
    terminals = Terminals()
    port = LossyPort(terminals, SwitchBoardFirmware(terminals, "TWIN-1"))
    board = SwitchBoard.open(port, 60.0)
    n_closings = 0
    for position, fault in commands:
        n_closings += position != terminals.position
        port.planned.append(fault)
        board.select(position)
        assert terminals.position == position
        assert terminals.n_closings == n_closings
    assert terminals.breaches == []
