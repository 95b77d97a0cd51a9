"""A byte device in the same process, behind the interfaces that drivers know."""

from __future__ import annotations

import threading
from typing import Any

import serial
from pymeasure.adapters import Adapter
from pyvisa.constants import StatusCode
from pyvisa.errors import InvalidSession, VisaIOError

from twin.servers.line import Hook, Line, Lock
from twin.wiring import ByteDevice


class InProcessAdapter(Adapter):
    """A pymeasure adapter whose other end is a byte device in this process.

    Lines end with LF both ways. What the device answered is there at once or never: reading more
    than there is raises VISA's timeout error without waiting, and leaves what there is in place,
    so that a late reader gets an old reply as over a wire.

    Args:
        device: what answers.
        lock: held during every turn of the device; its own if none is given.
        before_receive: called under the lock before every turn of the device.

    Raises:
        VisaIOError: (from reads) VI_ERROR_TMO, nothing to read.
        InvalidSession: used after ``close``.
    """

    def __init__(
        self,
        device: ByteDevice,
        lock: Lock | None = None,
        before_receive: Hook | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._line = Line(device, lock or threading.Lock(), before_receive)
        self._received = bytearray()
        self._open = True

    def close(self) -> None:
        """Hang up; the device stays as it is."""
        self._open = False

    def flush_read_buffer(self) -> None:
        """Forget what the device has answered and nobody has read."""
        self._received.clear()

    def _write(self, command: str, **kwargs: Any) -> None:
        self._write_bytes(command.encode("ascii") + b"\n")

    def _write_bytes(self, content: bytes, **kwargs: Any) -> None:
        self._check_open()
        self._received += self._line.exchange(content)

    def _read(self, **kwargs: Any) -> str:
        line = self._take(self._received.find(b"\n") + 1)
        return line.decode("ascii").removesuffix("\n")

    def _read_bytes(self, count: int, break_on_termchar: bool, **kwargs: Any) -> bytes:
        end = self._received.find(b"\n") + 1 if break_on_termchar else 0
        if count < 0 and not break_on_termchar:
            return self._take(len(self._received)) if self._received else b""
        return self._take(min(end, count) if end and count >= 0 else end or count)

    def _take(self, count: int) -> bytes:
        self._check_open()
        if not 0 < count <= len(self._received):
            raise VisaIOError(StatusCode.error_timeout)
        taken = bytes(self._received[:count])
        del self._received[:count]
        return taken

    def _check_open(self) -> None:
        if not self._open:
            raise InvalidSession

    def __repr__(self) -> str:
        return "<InProcessAdapter>"


class InProcessPort:
    """The part of a pyserial port that drivers use, with a byte device at the other end.

    Reads never block: a reply is there at once or never, so a read returns what there is, which
    is what a real port returns after its timeout.

    Args:
        device: what answers.
        lock: held during every turn of the device; its own if none is given.
        before_receive: called under the lock before every turn of the device.
        timeout: kept for drivers that look at it.

    Raises:
        SerialException: (from all but ``close``) the port is closed.
    """

    def __init__(
        self,
        device: ByteDevice,
        lock: Lock | None = None,
        before_receive: Hook | None = None,
        timeout: float | None = None,
    ) -> None:
        self.timeout = timeout
        self._line = Line(device, lock or threading.Lock(), before_receive)
        self._received = bytearray()
        self._open = True

    @property
    def is_open(self) -> bool:
        """Whether the port is open."""
        return self._open

    @property
    def in_waiting(self) -> int:
        """Number of bytes that can be read."""
        self._check_open()
        return len(self._received)

    def write(self, data: bytes) -> int:
        """Send ``data`` to the device; return its length."""
        self._check_open()
        self._received += self._line.exchange(bytes(data))
        return len(data)

    def read(self, size: int = 1) -> bytes:
        """Return at most ``size`` of the bytes that the device has sent."""
        self._check_open()
        taken = bytes(self._received[:size])
        del self._received[:size]
        return taken

    def read_until(self, expected: bytes = b"\n", size: int | None = None) -> bytes:
        """Return bytes up to and with ``expected``, or what there is, at most ``size``."""
        end = self._received.find(expected)
        count = len(self._received) if end < 0 else end + len(expected)
        return self.read(count if size is None else min(count, size))

    def reset_input_buffer(self) -> None:
        """Forget what the device has sent and nobody has read."""
        self._check_open()
        self._received.clear()

    def reset_output_buffer(self) -> None:
        """Do nothing: what was written has arrived."""
        self._check_open()

    def flush(self) -> None:
        """Do nothing: what was written has arrived."""
        self._check_open()

    def close(self) -> None:
        """Hang up; the device stays as it is."""
        self._open = False

    def _check_open(self) -> None:
        if not self._open:
            raise serial.PortNotOpenError
