"""Frames on a serial line: COBS(header + body + CRC-32) and a zero byte.

::

    offset  size  field
    0       1     protocol version
    1       1     frame type
    2       1     flags
    3       2     sequence number, little-endian
    5       n     body, 0 to MAX_BODY bytes
    5 + n   4     CRC-32 of everything before it, little-endian (zlib's, as in Ethernet)

COBS takes the zero bytes out of these, so a zero byte on the line ends a frame and nothing else,
and a receiver is back in step at the first zero byte after any garbage.

Source: S. Cheshire and M. Baker, Consistent Overhead Byte Stuffing, IEEE/ACM Transactions on
Networking 7(2), 159 (1999).
"""

from __future__ import annotations

from enum import Enum
from struct import Struct
from typing import NamedTuple
from zlib import crc32

from cobs import cobs

PROTOCOL_VERSION = 1
DELIMITER = b"\0"
MAX_BODY = 1000
"""Largest body in bytes; such a frame takes 1014 bytes on the line."""

_HEADER = Struct("<BBBH")
_CRC = Struct("<I")
_OVERHEAD = _HEADER.size + _CRC.size
_MAX_RAW = _OVERHEAD + MAX_BODY
_MAX_ENCODED: int = cobs.max_encoded_length(_MAX_RAW)


class Frame(NamedTuple):
    """One frame. The sequence number is 0 to 65535, type, flags and version are 0 to 255."""

    type: int
    sequence: int
    body: bytes = b""
    flags: int = 0
    version: int = PROTOCOL_VERSION


class Fault(Enum):
    """Why the bytes between two zero bytes are no frame."""

    NOT_COBS = "not COBS"
    TOO_SHORT = "too short"
    TOO_LONG = "too long"
    BAD_CRC = "wrong CRC"


class BadFrame(NamedTuple):
    """Bytes between two zero bytes that are no frame."""

    reason: Fault


def encode(frame: Frame) -> bytes:
    """Return the bytes of a frame on the line, with the zero byte at the end.

    Raises:
        ValueError: the body is longer than ``MAX_BODY``.
        struct.error: a header field is out of its range.
    """
    kind, sequence, body, flags, version = frame
    if len(body) > MAX_BODY:
        raise ValueError(f"frame body has {len(body)} bytes; at most {MAX_BODY} fit")
    raw = _HEADER.pack(version, kind, flags, sequence) + body
    encoded: bytes = cobs.encode(raw + _CRC.pack(crc32(raw)))
    return encoded + DELIMITER


def encoded_length(n_body: int) -> int:
    """Return how many bytes a frame takes on the line; exact for bodies up to 244 bytes."""
    return int(cobs.max_encoded_length(_OVERHEAD + n_body)) + 1


class FrameReader:
    """Cuts a stream of bytes into frames; never holds more than one frame of the largest size."""

    def __init__(self) -> None:
        self._pending = b""
        self._too_long = False

    @property
    def n_pending(self) -> int:
        """Bytes of a frame whose end has not come yet."""
        return len(self._pending)

    def feed(self, data: bytes) -> list[Frame | BadFrame]:
        """Take what arrived, in pieces of any size, and return the frames that it completes.

        Nothing between two zero bytes is no frame and no fault: a sender may begin with a zero
        byte to cut off what the receiver has pending.
        """
        if DELIMITER not in data:
            self._keep(data)
            return []
        found: list[Frame | BadFrame] = []
        *pieces, rest = data.split(DELIMITER)
        for piece in pieces:
            self._keep(piece)
            if self._too_long:
                found.append(BadFrame(Fault.TOO_LONG))
            elif self._pending:
                found.append(_decode(self._pending))
            self._pending = b""
            self._too_long = False
        self._keep(rest)
        return found

    def _keep(self, piece: bytes) -> None:
        if self._too_long or len(self._pending) + len(piece) > _MAX_ENCODED:
            self._too_long = True
            self._pending = b""
        else:
            self._pending += piece


def _decode(encoded: bytes) -> Frame | BadFrame:
    try:
        raw: bytes = cobs.decode(encoded)
    except cobs.DecodeError:
        return BadFrame(Fault.NOT_COBS)
    if len(raw) < _OVERHEAD:
        return BadFrame(Fault.TOO_SHORT)
    if len(raw) > _MAX_RAW:
        return BadFrame(Fault.TOO_LONG)
    content = raw[:-4]
    if crc32(content) != int.from_bytes(raw[-4:], "little"):
        return BadFrame(Fault.BAD_CRC)
    version, kind, flags, sequence = _HEADER.unpack_from(content)
    return Frame(kind, sequence, content[_HEADER.size :], flags, version)
