"""Frame types, error codes and bodies of the switch board, shared by host driver and firmware.

The rules around them (order, replay, watchdog) are in docs/reference/switch-board-protocol.md.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from struct import Struct
from typing import NamedTuple, TypeVar

from hil.errors import ProtocolError
from hil.protocol.frames import Fault

NO_POSITION = 0xFFFF
"""Stands for "all switches open" wherever a body has a position."""

BREAK_S = 1e-3
"""All switches are open for at least this long before one is closed."""


class FrameType(IntEnum):
    """What a frame is. A reply has the type of its request plus 0x80."""

    HELLO = 0x01
    SELECT = 0x02
    OPEN_ALL = 0x03
    HEARTBEAT = 0x04
    STATUS = 0x05
    HELLO_REPLY = 0x81
    SELECT_REPLY = 0x82
    OPEN_ALL_REPLY = 0x83
    HEARTBEAT_REPLY = 0x84
    STATUS_REPLY = 0x85
    ERROR = 0xFF


REPLY_BIT = 0x80


class ReplyFlag(IntFlag):
    """Flags in the header of replies. Requests have none: theirs are zero."""

    WATCHDOG_TRIPPED = 0x01  # the watchdog has opened a switch and ended the session
    NO_SEQUENCE = 0x02  # answers a frame that could not be read; its sequence number is zero


class BoardFlag(IntFlag):
    """What kind of board it is; in the reply to HELLO."""

    IS_TWIN = 0x01


class ResetCause(IntEnum):
    """Why the board last started; in the reply to HELLO."""

    UNKNOWN = 0
    POWER_ON = 1
    RESET_PIN = 2
    BROWN_OUT = 3
    FIRMWARE_HUNG = 4
    SOFTWARE = 5


class ErrorCode(IntEnum):
    """Why a frame was refused. Codes from 0x80 up are left to faults of a board's own hardware."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> ErrorCode:
        """Make a code that carries its meaning."""
        code = int.__new__(cls, value)
        code._value_ = value
        code.meaning = meaning
        return code

    BAD_ENCODING = 0x01, "the frame is not COBS"
    BAD_CRC = 0x02, "the CRC of the frame is wrong"
    BAD_LENGTH = 0x03, "the frame or its body has a wrong length"
    WRONG_VERSION = 0x04, "the board speaks another version of the protocol"
    UNKNOWN_TYPE = 0x05, "the board knows no such frame type"
    UNKNOWN_FLAG = 0x06, "the board knows no such flag"
    NOT_GREETED = 0x07, "the board was not greeted since it started"
    WATCHDOG_TRIPPED = 0x08, "the board heard nothing for too long and has opened all switches"
    BAD_SEQUENCE = 0x09, "the sequence number is not the next one"
    SEQUENCE_REUSED = 0x0A, "the sequence number was used for another frame"
    BAD_POSITION = 0x0B, "the board has no such position"
    BAD_WATCHDOG = 0x0C, "a watchdog time of zero"


FAULT_CODES = {
    Fault.NOT_COBS: ErrorCode.BAD_ENCODING,
    Fault.TOO_SHORT: ErrorCode.BAD_LENGTH,
    Fault.TOO_LONG: ErrorCode.BAD_LENGTH,
    Fault.BAD_CRC: ErrorCode.BAD_CRC,
}


class Hello(NamedTuple):
    """Body of HELLO: the watchdog time that the host would like, 1 to 65535 ms."""

    watchdog_ms: int


class Select(NamedTuple):
    """Body of SELECT: the switch to close."""

    position: int


class Empty(NamedTuple):
    """Body of OPEN_ALL, HEARTBEAT and STATUS."""


class State(NamedTuple):
    """Body of the replies to SELECT, OPEN_ALL and HEARTBEAT; every other reply begins with it.

    Attributes:
        position: the closed switch, ``NO_POSITION`` if all are open.
        time_us: time since the board started.
    """

    position: int
    time_us: int


class HelloReply(NamedTuple):
    """Body of the reply to HELLO: who the board is, and what it can bear."""

    position: int
    time_us: int
    uuid: bytes
    hardware_revision: int
    firmware_hash: bytes
    board_flags: int
    n_positions: int
    max_abs_voltage_mv: int
    max_current_ua: int
    watchdog_ms: int
    reset_cause: int


class StatusReply(NamedTuple):
    """Body of the reply to STATUS: counts since the board started.

    ``switch_cycles`` is how often the switch that is closed now has been closed.
    """

    position: int
    time_us: int
    watchdog_trips: int
    frames_refused: int
    switch_cycles: int


class ErrorReply(NamedTuple):
    """Body of ERROR: the state, the code, and the value that was refused (0 if there is none)."""

    position: int
    time_us: int
    code: int
    value: int


Body = Hello | Select | Empty | State | HelloReply | StatusReply | ErrorReply
BodyType = TypeVar("BodyType", Hello, Select, Empty, State, HelloReply, StatusReply, ErrorReply)

LAYOUTS: dict[type[Body], Struct] = {
    Hello: Struct("<H"),
    Select: Struct("<H"),
    Empty: Struct("<"),
    State: Struct("<HQ"),
    HelloReply: Struct("<HQ16sH4sBHIIHB"),
    StatusReply: Struct("<HQIII"),
    ErrorReply: Struct("<HQBI"),
}

BODIES: dict[FrameType, type[Body]] = {
    FrameType.HELLO: Hello,
    FrameType.SELECT: Select,
    FrameType.OPEN_ALL: Empty,
    FrameType.HEARTBEAT: Empty,
    FrameType.STATUS: Empty,
    FrameType.HELLO_REPLY: HelloReply,
    FrameType.SELECT_REPLY: State,
    FrameType.OPEN_ALL_REPLY: State,
    FrameType.HEARTBEAT_REPLY: State,
    FrameType.STATUS_REPLY: StatusReply,
    FrameType.ERROR: ErrorReply,
}
"""Which body each frame type has."""


def pack(body: Body) -> bytes:
    """Return the bytes of a body.

    Raises:
        struct.error: a field is out of its range.
    """
    return LAYOUTS[type(body)].pack(*body)


def unpack(kind: type[BodyType], data: bytes) -> BodyType:
    """Return the body that ``data`` holds.

    Raises:
        ProtocolError: ``data`` has another length than such a body.
    """
    layout = LAYOUTS[kind]
    if len(data) != layout.size:
        raise ProtocolError(f"body {kind.__name__} has {len(data)} bytes, not {layout.size}")
    return kind._make(layout.unpack(data))
