"""Wires to instruments: opening them, and turning what goes wrong on them into ``LinkError``."""

from __future__ import annotations

import os
import socket
import sys
from types import TracebackType

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


def open_visa_adapter(address: str, timeout_s: float) -> VISAAdapter:
    """Open a VISA resource through pyvisa-py, with line feeds as terminations both ways.

    Sends nothing. A socket that nobody listens on is found here and not at the first write, and
    small writes leave at once (TCP_NODELAY).

    Raises:
        LinkError: nothing is there, or this kind of resource needs a library that is missing.
    """
    what = f"VISA resource {address!r} (by pyvisa-py)"
    timeout_ms = max(1, round(timeout_s * 1e3))
    try:
        adapter = VISAAdapter(
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
    inner = getattr(visa.visalib.sessions[visa.session], "interface", None)
    if isinstance(inner, socket.socket):
        error_number = inner.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error_number:  # pyvisa-py takes a failed connect for a success
            adapter.close()
            raise _cannot_open(what, OSError(error_number, os.strerror(error_number)))
        inner.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return adapter


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


def drain(adapter: Adapter, quiet_s: float = 0.1, max_reads: int = 100) -> int:
    """Read and drop what an instrument still sends; return how many messages that were.

    To be called after a timeout and before the next query, or the late reply is taken for the
    answer to that query. Costs ``quiet_s`` once nothing comes any more.

    Raises:
        LinkError: the link is gone, or the instrument still talks after ``max_reads`` messages.
    """
    if not isinstance(adapter, VISAAdapter):
        adapter.flush_read_buffer()
        return 0
    connection = adapter.connection
    timeout_ms = connection.timeout
    connection.timeout = quiet_s * 1e3
    try:
        with mapping_errors(f"draining {connection.resource_name}"):
            for n_read in range(max_reads):
                try:
                    connection.read_raw()
                except pyvisa.errors.VisaIOError as error:
                    if _is_timeout(error):
                        return n_read
                    raise
    finally:
        connection.timeout = timeout_ms
    raise LinkError(
        f"{connection.resource_name}: still talks after {max_reads} messages; reset the instrument"
    )


def _cannot_open(what: str, error: Exception) -> LinkError:
    # pyvisa-py adds paragraphs of advice on libraries; the first sentence names the missing one
    cause = " ".join(str(error).split()).split(". ")[0] or type(error).__name__
    return LinkError(f"cannot open {what}: {cause}; check power, cable and the address")
