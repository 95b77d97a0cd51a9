"""Wires to instruments: opening them, and turning what goes wrong on them into ``LinkError``."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from itertools import cycle
from types import TracebackType
from typing import Any

import pyvisa
import serial
from pymeasure.adapters import Adapter, VISAAdapter
from pyvisa.constants import StatusCode

from hil.errors import HilError, LinkError, LinkTimeout, ProtocolError

if sys.platform == "win32":
    _TTY_ERRORS: tuple[type[Exception], ...] = ()
else:
    import termios

    _TTY_ERRORS = (termios.error,)  # raised for a terminal that has gone; no OSError

_LOSS_OPTIONS = {
    "TCP_USER_TIMEOUT": 900,  # ms
    "TCP_KEEPIDLE": 1,  # s
    "TCP_KEEPINTVL": 1,
    "TCP_KEEPCNT": 2,
}
"""How soon the system takes a peer that says nothing for gone."""

_TOKENS = cycle(range(129, 255))

_FOREIGN = (pyvisa.errors.Error, OSError, ValueError, TypeError, *_TTY_ERRORS)


class mapping_errors:  # noqa: N801 (reads as a statement, like contextlib.suppress)
    """Context in which errors of pyvisa, pyserial, sockets and casts become ``LinkError``.

    ``what`` names instrument and address, and begins the message. A timeout becomes
    ``LinkTimeout``, a reply that cannot be converted ``ProtocolError``; a ``HilError`` passes.
    One object may be entered again and again; that costs about 0.2 us.
    """

    __slots__ = ("_what",)

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, _FOREIGN) and not isinstance(error, HilError):
            raise mapped(self._what, error) from error


def mapped(what: str, error: Exception) -> LinkError:
    """Return the ``LinkError`` that stands for a foreign exception."""
    cause = " ".join(str(error).split()) or type(error).__name__
    if _is_timeout(error):
        return LinkTimeout(f"{what}: no answer in time; is it on, and is timeout_s long enough?")
    if isinstance(error, ConnectionRefusedError):
        return LinkError(f"{what}: connection refused; nothing listens there, check the address")
    if isinstance(error, ConnectionError):
        return LinkError(f"{what}: the far end closed the connection; connect and run again")
    if isinstance(error, ValueError | TypeError):
        return ProtocolError(f"{what}: the reply cannot be read: {cause}; check what answers there")
    return LinkError(f"{what}: {cause}; check power, cable and address")


def _is_timeout(error: Exception) -> bool:
    if isinstance(error, pyvisa.errors.VisaIOError):
        return error.error_code == StatusCode.error_timeout
    return isinstance(error, TimeoutError | serial.SerialTimeoutException)


class InStep:
    """Part of an adapter: a reply is never taken for the answer to a later question.

    A reply that did not come in time may still come, or the rest of half a one. As soon as
    something else has been written, nobody can tell it from the answer to that: reading is refused
    then, until ``drain`` has made sure that nothing is owed any more. To be named before the class
    of the adapter.

    Raises:
        LinkError: (from reads) a late reply could be taken for the answer.
    """

    _reply_is_late = False
    _is_out_of_step = False

    def write(self, command: str, **kwargs: Any) -> None:
        """Send a command; see ``pymeasure.adapters.Adapter``."""
        self._is_out_of_step |= self._reply_is_late
        super().write(command, **kwargs)  # type: ignore[misc]

    def write_bytes(self, content: bytes, **kwargs: Any) -> None:
        """Send bytes."""
        self._is_out_of_step |= self._reply_is_late
        super().write_bytes(content, **kwargs)  # type: ignore[misc]

    def read(self, **kwargs: Any) -> Any:
        """Return one reply without its terminator."""
        return self._in_step(super().read, **kwargs)  # type: ignore[misc]

    def read_bytes(self, *args: Any, **kwargs: Any) -> Any:
        """Return bytes of a reply."""
        return self._in_step(super().read_bytes, *args, **kwargs)  # type: ignore[misc]

    def is_in_step(self) -> None:
        """Take note that no reply is owed."""
        self._reply_is_late = self._is_out_of_step = False

    def _in_step(self, read: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self._is_out_of_step:
            raise LinkError(
                "a reply did not come in time, and could be taken for the answer to this question; "
                "drain the link first (hil.links.drain)"
            )
        try:
            reply = read(*args, **kwargs)
        except Exception as error:
            self._reply_is_late = self._reply_is_late or _is_timeout(error)
            raise
        self._reply_is_late = False
        return reply


class VisaLink(InStep, VISAAdapter):  # type: ignore[misc]
    """A VISA resource, with line feeds as terminations both ways; see ``open_visa_adapter``."""


class _HangUpSocket(socket.socket):
    """A socket on which the end of the stream is an error, as pyvisa-py takes it for silence."""

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        data = super().recv(size, flags)
        if not data:
            raise ConnectionResetError("end of the stream")
        return data


def open_visa_adapter(address: str, timeout_s: float) -> VisaLink:
    """Open a VISA resource through pyvisa-py, with line feeds as terminations both ways.

    Sends nothing. A socket that nobody listens on is found here and not at the first write, small
    writes leave at once (TCP_NODELAY), and a far end that has gone is noticed within a second: at
    once if it hung up; where the cable is out, as soon as something that was sent has not been
    acknowledged for 0.9 s (Linux), or after 3 s without traffic.

    Raises:
        LinkError: nothing is there, or this kind of resource needs a library that is missing.
    """
    what = f"VISA resource {address!r} (by pyvisa-py)"
    timeout_ms = max(1, round(timeout_s * 1e3))
    try:
        adapter = VisaLink(
            address,
            visa_library="@py",
            timeout=timeout_ms,
            open_timeout=timeout_ms,
            read_termination="\n",
            write_termination="\n",
        )
    except Exception as error:  # pyvisa-py raises plain Exception for sockets that do not connect
        raise _cannot_open(what, error) from error
    visa = adapter.connection
    session = visa.visalib.sessions[visa.session]
    inner = getattr(session, "interface", None)
    if isinstance(inner, socket.socket):
        error_number = inner.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error_number:  # pyvisa-py takes a failed connect for a success
            adapter.close()
            raise _cannot_open(what, OSError(error_number, os.strerror(error_number)))
        session.interface = _HangUpSocket(fileno=inner.detach())
        _notice_loss(session.interface)
    return adapter


def _notice_loss(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _LOSS_OPTIONS.items():
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def open_serial_port(address: str, baud_rate: int, timeout_s: float) -> serial.Serial:
    """Open a serial device, or any URL that pyserial knows (``socket://HOST:PORT``, ``loop://``).

    A device is locked against other programs. Opening one resets most Arduinos.

    Raises:
        LinkError: no such device, in use, not permitted, or nothing listens there.
    """
    try:
        return serial.serial_for_url(
            address,
            baudrate=baud_rate,
            timeout=timeout_s,
            write_timeout=timeout_s,
            exclusive=True if "://" not in address else None,
        )
    except (OSError, ValueError, *_TTY_ERRORS) as error:
        raise _cannot_open(f"serial port {address!r}", error) from error


def drain(adapter: Adapter, max_reads: int = 100) -> int:
    """Drop what an instrument still owes; return how many messages that were.

    To be called after a timeout, or after whatever else ended an exchange early. The instrument is
    asked for a number that only this question has for an answer, by common commands of IEEE 488.2
    that every language knows (*ESE): since it answers in order, all that came before is late. A
    half command that it may have received is ended first; it may leave an error in its queue.

    Costs one exchange, a timeout of the link if nobody answers.

    Raises:
        LinkTimeout: no answer.
        LinkError: the link is gone, or the right answer is not among ``max_reads`` messages.
    """
    n_dropped = 0
    with mapping_errors(f"draining {adapter}"):
        while n_dropped < max_reads:
            if isinstance(adapter, InStep):
                adapter.is_in_step()
            token = next(_TOKENS)
            for command in ("", f"*ESE {token}", "*ESE?"):
                adapter.write(command)
            n_before = n_dropped
            while n_dropped < max_reads:
                try:
                    if _means(adapter.read(), token):
                        return n_dropped
                    n_dropped += 1
                except UnicodeDecodeError:
                    n_dropped += 1
                except Exception as error:
                    if _is_timeout(error) and n_dropped > n_before:
                        break  # the answer itself may have been damaged
                    raise
    raise LinkError(f"{adapter}: still talks after {max_reads} messages; reset the instrument")


def _means(reply: str, token: int) -> bool:
    try:
        return float(reply) == token
    except ValueError:
        return False


def _cannot_open(what: str, error: Exception) -> LinkError:
    # pyvisa-py adds paragraphs of advice on libraries; the first sentence names the missing one
    cause = " ".join(str(error).split()).split(". ")[0] or type(error).__name__
    return LinkError(f"cannot open {what}: {cause}; check power, cable and the address")
