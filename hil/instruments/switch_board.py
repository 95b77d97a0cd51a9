"""Host driver of the switch board."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self
from uuid import UUID

from hil.errors import (
    BoardError,
    LinkTimeout,
    ProtocolError,
    SwitchBoardError,
    UsageError,
)
from hil.links import mapping_errors
from hil.protocol.frames import (
    DELIMITER,
    PROTOCOL_VERSION,
    BadFrame,
    Frame,
    FrameReader,
    encode,
    encoded_length,
)
from hil.protocol.switch_board import (
    BODIES,
    LAYOUTS,
    NO_POSITION,
    REPLY_BIT,
    BoardFlag,
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
from hil.units import text

N_TRIES = 3
"""How often a frame is sent before the exchange has failed."""

N_HELLO_TRIES = 8
"""How often HELLO is sent: opening a port resets many a board, which then starts for seconds."""

_MAX_READS = 200
_NO_SEQUENCE = int(ReplyFlag.NO_SEQUENCE)  # a plain integer: this is on the hot path
_ERROR_LENGTH = encoded_length(LAYOUTS[ErrorReply].size)


class SerialPort(Protocol):
    """What the driver needs of a pyserial port."""

    timeout: float | None

    def write(self, data: bytes, /) -> int | None:
        """Send all of ``data``."""
        ...

    def read(self, size: int = 1, /) -> bytes:
        """Return ``size`` bytes, or fewer if no more came within ``timeout``."""
        ...

    def reset_input_buffer(self) -> None:
        """Drop what has arrived."""
        ...

    def close(self) -> None:
        """Give the port back."""
        ...


@dataclass(frozen=True)
class SwitchBoardIdentity:
    """What the board said of itself.

    Attributes:
        uuid: of this very board.
        is_twin: it is simulated.
        hardware_revision: of the board.
        firmware_hash: first bytes of the hash of its firmware, in hex.
        n_positions: how many switches it has.
        max_abs_voltage_v: what the switches bear.
        max_current_a: what the switches bear.
        watchdog_s: silence after which it opens all switches.
        reset_cause: why it last started.
    """

    uuid: UUID
    is_twin: bool
    hardware_revision: int
    firmware_hash: str
    n_positions: int
    max_abs_voltage_v: float
    max_current_a: float
    watchdog_s: float
    reset_cause: str

    @classmethod
    def of(cls, reply: HelloReply) -> Self:
        """Read the reply to HELLO."""
        return cls(
            UUID(bytes=reply.uuid),
            bool(reply.board_flags & BoardFlag.IS_TWIN),
            reply.hardware_revision,
            reply.firmware_hash.hex(),
            reply.n_positions,
            reply.max_abs_voltage_mv / 1e3,
            reply.max_current_ua / 1e6,
            reply.watchdog_ms / 1e3,
            _reset_cause(reply.reset_cause),
        )

    @property
    def text(self) -> str:
        """One line for the run record."""
        return (
            f"switch board{' (twin)' if self.is_twin else ''}, UUID {self.uuid}, "
            f"hardware revision {self.hardware_revision}, firmware {self.firmware_hash}, "
            f"{self.n_positions} positions, up to {text(self.max_abs_voltage_v, 'V')} and "
            f"{text(self.max_current_a, 'A')}, watchdog {text(self.watchdog_s, 's')}, "
            f"last reset: {self.reset_cause}"
        )


@dataclass(frozen=True)
class SwitchBoardStatus:
    """Counters of the board since it started.

    Attributes:
        position: the closed switch, or None.
        n_watchdog_trips: how often silence made the board open its switches.
        n_frames_refused: how many frames it answered with an error.
        uptime_s: time since it started.
        n_cycles: how often the switch that is closed now has been closed.
    """

    position: int | None
    n_watchdog_trips: int
    n_frames_refused: int
    uptime_s: float
    n_cycles: int


class SwitchBoard:
    """Connects one device at a time. Made by ``SwitchBoard.open``.

    An exchange that fails is repeated with the same bytes and the same sequence number, which the
    board answers without acting twice. Whatever ends an exchange early (an error, Ctrl-C) leaves
    open what the board has done; so the next command begins with a new HELLO, which opens all
    switches. What a method returns is what the board itself said after acting.

    The board opens its switches after ``identity.watchdog_s`` without a command. A measurement
    is known to have had its device connected only if a command after it succeeds: ``heartbeat``
    or ``select`` raise if the watchdog came first. ``open_all`` does not, since that is its aim.
    """

    def __init__(self, port: SerialPort, watchdog_s: float, name: str) -> None:
        self._port = port
        self._hello = Hello(watchdog_ms=round(watchdog_s * 1e3))
        self._name = name
        self._mapping = mapping_errors(name)
        self._reader = FrameReader()
        self._sequence = 0xFFFF
        self._in_step = False
        self._is_open = True
        self._identity: SwitchBoardIdentity | None = None

    @classmethod
    def open(cls, port: SerialPort, watchdog_s: float, *, name: str = "switch board") -> Self:
        """Greet the board behind an open port; all its switches are open then.

        Takes the port over: it is closed if the board does not answer. Costs one exchange, and up
        to 8 timeouts of the port if the board is starting or absent.

        Args:
            port: with ``timeout`` set to the longest wait for an answer.
            watchdog_s: 0.001 s to 65 s; the board opens all switches after so long a silence.
            name: of the instrument and its address, for messages.

        Raises:
            LinkTimeout: nobody answers.
            ProtocolError: what answers is no switch board.
            SwitchBoardError: the board refuses, for example because of its version.
        """
        if not 0.001 <= watchdog_s <= 65:
            raise UsageError(f"watchdog time {text(watchdog_s, 's')}; 1 ms to 65 s can be asked")
        board = cls(port, watchdog_s, name)
        try:
            board._greet(N_HELLO_TRIES)
        except BaseException:  # whatever it is, Ctrl-C included: the port must not stay locked
            port.close()
            raise
        return board

    @property
    def identity(self) -> SwitchBoardIdentity:
        """What the board said of itself when it was greeted."""
        assert self._identity is not None, "made by SwitchBoard.open"
        return self._identity

    def select(self, position: int) -> None:
        """Connect one device: open all switches, wait for the break time, close one.

        Costs one exchange and the break time of 1 ms. If that switch is closed already nothing
        moves, and the call confirms that it has been closed all the time.

        Raises:
            UsageError: the board has no such position.
            SwitchBoardError: refused, for example as the watchdog has opened the switches; all
                switches are open, and the next call works again.
            LinkError: no valid answer; which switch is closed is not known.
        """
        if not 0 <= position < self.identity.n_positions:
            raise UsageError(
                f"{self._name}: no position {position}; it has 0 to {self.identity.n_positions - 1}"
            )
        state = self._command(FrameType.SELECT, Select(position), State)
        self._expect(state.position, position)

    def open_all(self) -> None:
        """Open all switches; returns when the board has said that they are open.

        Raises:
            LinkError: no valid answer; the board's watchdog is what opens them then.
        """
        try:
            state = self._command(FrameType.OPEN_ALL, Empty(), State)
        except SwitchBoardError:
            self._greet()  # opens them as well, and starts a session where there was none
        else:
            self._expect(state.position, NO_POSITION)

    def heartbeat(self) -> int | None:
        """Tell the board that the host is alive; return the switch that is closed now.

        Raises:
            SwitchBoardError: the watchdog has opened the switches since the last command.
            LinkError: no valid answer.
        """
        return _position(self._command(FrameType.HEARTBEAT, Empty(), State).position)

    def status(self) -> SwitchBoardStatus:
        """Return the board's counters; tells it as well that the host is alive.

        Raises:
            SwitchBoardError: the watchdog has opened the switches since the last command.
            LinkError: no valid answer.
        """
        reply = self._command(FrameType.STATUS, Empty(), StatusReply)
        return SwitchBoardStatus(
            _position(reply.position),
            reply.watchdog_trips,
            reply.frames_refused,
            reply.time_us / 1e6,
            reply.switch_cycles,
        )

    def close(self) -> None:
        """Open all switches and give the port back, the latter in any case; once is enough.

        Raises:
            LinkError: the board did not say that its switches are open.
        """
        if self._is_open:
            self._is_open = False
            try:
                self.open_all()
            finally:
                self._port.close()

    def _greet(self, n_tries: int = N_TRIES) -> None:
        self._in_step = False
        with self._mapping:
            self._port.reset_input_buffer()
        self._reader = FrameReader()
        frame = self._exchange(FrameType.HELLO, self._hello, n_tries)
        if _is_error(frame, ErrorCode.BAD_SEQUENCE):
            # the board took this HELLO for a late copy of the one that began its session
            frame = self._exchange(FrameType.HELLO, self._hello, n_tries)
        reply = self._body(frame, HelloReply)
        self._expect(reply.position, NO_POSITION)
        identity = SwitchBoardIdentity.of(reply)
        if self._identity is not None and self._identity.uuid != identity.uuid:
            raise BoardError(
                f"{self._name}: board {identity.uuid} answers where {self._identity.uuid} was; "
                f"open the station again"
            )
        self._identity = identity
        self._in_step = True

    def _command(
        self, kind: FrameType, body: Select | Empty, reply_kind: type[BodyType]
    ) -> BodyType:
        if not self._in_step:
            self._greet()
        self._in_step = False
        reply = self._body(self._exchange(kind, body), reply_kind)
        self._in_step = True
        return reply

    def _exchange(
        self, kind: FrameType, body: Hello | Select | Empty, n_tries: int = N_TRIES
    ) -> Frame:
        """Send a frame until its reply has come; return that, or the board's error."""
        self._sequence = (self._sequence + 1) & 0xFFFF
        wire = encode(Frame(kind, self._sequence, pack(body)))
        fault = ""
        with self._mapping:
            for attempt in range(n_tries):
                # a zero byte first, to end what the board may have of a broken frame
                self._port.write(DELIMITER + wire if attempt else wire)
                outcome = self._receive(kind, is_first=attempt == 0)
                if isinstance(outcome, Frame):
                    return outcome
                fault = outcome
        after = f"after {n_tries} tries of {kind.name}"
        if fault:
            raise ProtocolError(f"{self._name}: {fault} {after}; check cable and address")
        raise LinkTimeout(f"{self._name}: no answer {after}; check power, cable and address")

    def _receive(self, kind: FrameType, *, is_first: bool) -> Frame | str:
        """Return the reply, or what is wrong with what came; nothing if nothing came in time.

        Something wrong ends the first try at once, so that a damaged frame costs little. Later
        ones wait for the reply behind it, or leftovers of the first would use up all tries.
        """
        shortest = min(_REPLY_LENGTHS[kind], _ERROR_LENGTH)
        fault = ""
        for _ in range(_MAX_READS):
            size = max(1, shortest - self._reader.n_pending)
            data = self._port.read(size)
            for item in self._reader.feed(data):
                found = self._judge(item, kind)
                if isinstance(found, Frame):
                    return found
                fault = found or fault
            if len(data) < size or (fault and is_first):
                return fault
        return "bytes without end"

    def _judge(self, item: Frame | BadFrame, kind: FrameType) -> Frame | str:
        """Return the reply, or what is wrong with it; nothing for the late answer to another."""
        if isinstance(item, BadFrame):
            return f"a damaged reply ({item.reason.value})"
        if item.version != PROTOCOL_VERSION:
            return f"version {item.version} of the protocol instead of {PROTOCOL_VERSION}"
        if item.flags & _NO_SEQUENCE:
            return "the board cannot read what arrives"
        if item.sequence != self._sequence:
            return ""
        if item.type in (kind | REPLY_BIT, FrameType.ERROR):
            return item
        return f"a frame of type {item.type:#04x} for a reply"

    def _body(self, frame: Frame, kind: type[BodyType]) -> BodyType:
        if frame.type == FrameType.ERROR:
            error = self._unpack(ErrorReply, frame.body)
            raise SwitchBoardError(
                f"{self._name}: {_explain(error.code)} (value {error.value}); "
                f"the next command opens all switches first"
            )
        return self._unpack(kind, frame.body)

    def _unpack(self, kind: type[BodyType], body: bytes) -> BodyType:
        try:
            return unpack(kind, body)
        except ProtocolError as error:
            raise ProtocolError(f"{self._name}: {error}; check the board's firmware") from error

    def _expect(self, position: int, wanted: int) -> None:
        if position != wanted:
            self._in_step = False
            raise ProtocolError(
                f"{self._name}: position {_position(position)} is closed where "
                f"{_position(wanted)} was asked; check the board"
            )


_REPLY_LENGTHS = {
    kind: encoded_length(LAYOUTS[BODIES[FrameType(kind | REPLY_BIT)]].size)
    for kind in FrameType
    if kind < REPLY_BIT
}

_MEANINGS = {code.value: f"{code.name}: {code.meaning}" for code in ErrorCode}


def _position(wire: int) -> int | None:
    return None if wire == NO_POSITION else wire


def _is_error(frame: Frame, code: ErrorCode) -> bool:
    return frame.type == FrameType.ERROR and unpack(ErrorReply, frame.body).code == code


def _explain(code: int) -> str:
    return _MEANINGS.get(code, f"error {code:#04x}: see the manual of the board")


def _reset_cause(code: int) -> str:
    return ResetCause(code).name if code in set(ResetCause) else f"{code:#04x}"
