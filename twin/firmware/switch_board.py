"""Twin of the switch board's firmware: frames in, frames out, switches on the simulated bench."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path

from hil.errors import ProtocolError
from hil.protocol.frames import PROTOCOL_VERSION, BadFrame, Frame, FrameReader, encode
from hil.protocol.switch_board import (
    BREAK_S,
    FAULT_CODES,
    NO_POSITION,
    REPLY_BIT,
    BoardFlag,
    Body,
    BodyType,
    Empty,
    ErrorCode,
    ErrorReply,
    FrameType,
    Hello,
    HelloReply,
    ReplyFlag,
    ResetCause,
    Select,
    State,
    StatusReply,
    pack,
    unpack,
)
from twin.wiring import SwitchTerminals

_UUID_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "switch-board.memristor-hil")
_HARDWARE_REVISION = 1
_FIRMWARE_HASH = hashlib.sha256(Path(__file__).read_bytes()).digest()[:4]
_NO_FRAME = Frame(0, 0)


def uuid_of(serial_number: str) -> uuid.UUID:
    """Return the UUID that the twin's switch board of this serial number carries."""
    return uuid.uuid5(_UUID_NAMESPACE, serial_number)


class _RefusalError(Exception):
    def __init__(self, code: ErrorCode, value: int = 0) -> None:
        super().__init__(code, value)
        self.code = code
        self.value = value


class SwitchBoardFirmware:
    """A switch board at the far end of a wire; keeps the rules of the protocol's reference.

    Args:
        terminals: the switches on the bench.
        serial_number: the board's UUID is derived from it.
        jumper: a switch that is closed from power-up until the first HELLO, as if a wire bridged
            it, so that a program that knows the source-measure unit only finds a device there.
        max_abs_voltage_v: what the switches bear; assumed, as of a common analogue switch.
        max_current_a: what the switches bear; assumed, as of a common analogue switch.
    """

    def __init__(
        self,
        terminals: SwitchTerminals,
        serial_number: str,
        *,
        jumper: int | None = None,
        max_abs_voltage_v: float = 5.0,
        max_current_a: float = 0.1,
    ) -> None:
        self._terminals = terminals
        self._uuid = uuid_of(serial_number)
        self._max_abs_voltage_mv = round(max_abs_voltage_v * 1e3)
        self._max_current_ua = round(max_current_a * 1e6)
        self._reader = FrameReader()
        self._started_s = terminals.now_s()
        self._cycles = [0] * terminals.n_positions
        self._n_trips = 0
        self._n_refused = 0
        self._watchdog_s = 0.0
        self._session: Frame | None = None  # the HELLO that began it
        self._selected: int | None = None  # what the watchdog guards
        self._tripped = False
        self._last = _NO_FRAME
        self._last_reply = b""
        terminals.set_deadline(None)
        terminals.connect(jumper)

    @property
    def uuid(self) -> uuid.UUID:
        """Identity of this board."""
        return self._uuid

    def receive(self, data: bytes) -> bytes:
        """Take bytes from the host, do what they say, and return the replies."""
        return b"".join([self._answer(item) for item in self._reader.feed(data)])

    def _answer(self, item: Frame | BadFrame) -> bytes:
        self._notice_watchdog()
        if isinstance(item, BadFrame):
            refusal = _RefusalError(FAULT_CODES[item.reason])
            return self._refuse(_NO_FRAME, refusal, ReplyFlag.NO_SEQUENCE)
        try:
            if item.version != PROTOCOL_VERSION:
                raise _RefusalError(ErrorCode.WRONG_VERSION, item.version)
            if item.type == FrameType.HELLO:
                return self._greet(item)
            return self._in_session(item)
        except _RefusalError as refusal:
            return self._refuse(item, refusal)

    def _greet(self, frame: Frame) -> bytes:
        """Open all switches and begin a session, unless this is a copy of a HELLO we had."""
        if self._session == frame:
            if self._last == frame:
                return self._last_reply
            raise _RefusalError(ErrorCode.BAD_SEQUENCE, frame.sequence)
        hello = _body(frame, Hello)
        if hello.watchdog_ms == 0:
            raise _RefusalError(ErrorCode.BAD_WATCHDOG)
        self._open_all()
        self._watchdog_s = hello.watchdog_ms * 1e-3
        reply = HelloReply(
            *self._state(),
            self._uuid.bytes,
            _HARDWARE_REVISION,
            _FIRMWARE_HASH,
            BoardFlag.IS_TWIN,
            self._terminals.n_positions,
            self._max_abs_voltage_mv,
            self._max_current_ua,
            hello.watchdog_ms,
            ResetCause.POWER_ON,
        )
        answer = self._reply(frame, reply)  # its flags still tell of a trip
        self._tripped = False
        self._session = frame
        return self._remember(frame, answer)

    def _in_session(self, frame: Frame) -> bytes:
        """Answer a frame other than HELLO: refuse it, repeat a reply, or carry it out once."""
        if self._tripped:
            raise _RefusalError(ErrorCode.WATCHDOG_TRIPPED)
        if self._session is None:
            raise _RefusalError(ErrorCode.NOT_GREETED)
        if frame == self._last:
            answer = self._last_reply
        elif frame.sequence == self._last.sequence:
            raise _RefusalError(ErrorCode.SEQUENCE_REUSED, frame.sequence)
        elif frame.sequence != (self._last.sequence + 1) & 0xFFFF:
            raise _RefusalError(ErrorCode.BAD_SEQUENCE, frame.sequence)
        else:
            try:
                answer = self._reply(frame, self._carry_out(frame))
            except _RefusalError as refusal:
                answer = self._refuse(frame, refusal)
            self._remember(frame, answer)
        self._feed_watchdog()
        return answer

    def _carry_out(self, frame: Frame) -> Body:
        match frame.type:
            case FrameType.SELECT:
                return self._select(_body(frame, Select).position)
            case FrameType.OPEN_ALL:
                _body(frame, Empty)
                self._open_all()
                return self._state()
            case FrameType.HEARTBEAT:
                _body(frame, Empty)
                return self._state()
            case FrameType.STATUS:
                _body(frame, Empty)
                cycles = 0 if self._selected is None else self._cycles[self._selected]
                return StatusReply(*self._state(), self._n_trips, self._n_refused, cycles)
        raise _RefusalError(ErrorCode.UNKNOWN_TYPE, frame.type)

    def _select(self, position: int) -> State:
        if position >= self._terminals.n_positions:
            raise _RefusalError(ErrorCode.BAD_POSITION, position)
        if position != self._selected:
            self._open_all()
            self._terminals.wait_s(BREAK_S)
            self._selected = position
            self._feed_watchdog()  # before anything is closed
            self._terminals.connect(position)
            self._cycles[position] += 1
        return self._state()

    def _open_all(self) -> None:
        self._terminals.connect(None)
        self._terminals.set_deadline(None)
        self._selected = None

    def _feed_watchdog(self) -> None:
        if self._selected is not None:
            self._terminals.set_deadline(self._terminals.now_s() + self._watchdog_s)

    def _notice_watchdog(self) -> None:
        if self._selected is not None and self._terminals.position is None:
            self._selected = None
            self._session = None
            self._tripped = True
            self._n_trips += 1

    def _state(self) -> State:
        position = self._terminals.position
        time_us = round((self._terminals.now_s() - self._started_s) * 1e6)
        return State(NO_POSITION if position is None else position, time_us)

    def _reply(self, frame: Frame, body: Body) -> bytes:
        flags = ReplyFlag.WATCHDOG_TRIPPED if self._tripped else 0
        return encode(Frame(frame.type | REPLY_BIT, frame.sequence, pack(body), flags))

    def _refuse(self, frame: Frame, refusal: _RefusalError, flags: int = 0) -> bytes:
        self._n_refused += 1
        if self._tripped:
            flags |= ReplyFlag.WATCHDOG_TRIPPED
        body = ErrorReply(*self._state(), refusal.code, refusal.value)
        return encode(Frame(FrameType.ERROR, frame.sequence, pack(body), flags))

    def _remember(self, frame: Frame, answer: bytes) -> bytes:
        self._last = frame
        self._last_reply = answer
        return answer


def _body(frame: Frame, kind: type[BodyType]) -> BodyType:
    """Return the body of a request, whose flags must be zero."""
    if frame.flags:
        raise _RefusalError(ErrorCode.UNKNOWN_FLAG, frame.flags)
    try:
        return unpack(kind, frame.body)
    except ProtocolError as error:
        raise _RefusalError(ErrorCode.BAD_LENGTH, len(frame.body)) from error
