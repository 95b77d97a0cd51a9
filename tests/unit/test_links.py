from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
import pyvisa
import serial
from pymeasure.adapters import VISAAdapter

from hil.errors import HilError, LimitError, LinkError, LinkTimeout, ProtocolError
from hil.links import drain, mapping_errors, open_serial_port, open_visa_adapter

TIMED_OUT = pyvisa.errors.VisaIOError(pyvisa.constants.StatusCode.error_timeout)
LOST = pyvisa.errors.VisaIOError(pyvisa.constants.StatusCode.error_connection_lost)


@pytest.mark.parametrize(
    ("foreign", "expected", "message"),
    [
        (TIMED_OUT, LinkTimeout, "no answer in time"),
        (serial.SerialTimeoutException("Write timeout"), LinkTimeout, "no answer in time"),
        (TimeoutError(), LinkTimeout, "no answer in time"),
        (LOST, LinkError, "check power, cable"),
        (pyvisa.errors.InvalidSession(), LinkError, "Invalid session"),
        (ConnectionRefusedError(111, "Connection refused"), LinkError, "nothing listens there"),
        (ConnectionResetError(104, "reset"), LinkError, "far end closed"),
        (BrokenPipeError(32, "Broken pipe"), LinkError, "far end closed"),
        (serial.SerialException("device\ndisconnected"), LinkError, "device disconnected"),
        (ValueError("could not convert string to float: 'ABC'"), ProtocolError, "'ABC'"),
        (UnicodeDecodeError("ascii", b"\xff", 0, 1, "no"), ProtocolError, "cannot be read"),
        (TypeError("no values"), ProtocolError, "no values"),
    ],
)
def test_foreign_errors_become_link_errors_of_one_line(
    foreign: Exception, expected: type[LinkError], message: str
) -> None:
    with pytest.raises(LinkError, match=message) as caught, mapping_errors("smu at GPIB0::24"):
        raise foreign
    assert type(caught.value) is expected
    assert str(caught.value).startswith("smu at GPIB0::24: ")
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is foreign


@pytest.mark.parametrize(
    "error", [LimitError("2 V"), LinkTimeout("late"), KeyboardInterrupt(), ZeroDivisionError()]
)
def test_what_is_no_link_error_passes_untouched(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, mapping_errors("smu"):
        raise error
    assert caught.value is error


def test_one_mapping_is_entered_many_times_even_within_itself() -> None:
    mapping = mapping_errors("smu")
    with mapping, mapping:
        pass
    with pytest.raises(LinkError, match=r"^smu: the far end"), mapping, mapping:
        raise ConnectionResetError


@contextmanager
def server(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    peers: list[socket.socket] = []

    def run() -> None:
        with suppress(OSError):  # the test is over
            peer, _ = listener.accept()
            peers.append(peer)
            serve(peer)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        for end in (listener, *peers):
            with suppress(OSError):  # never connected, or gone already
                end.shutdown(socket.SHUT_RDWR)
        thread.join()
        for end in (listener, *peers):
            end.close()


@contextmanager
def visa(port: int, timeout_s: float = 5.0) -> Iterator[VISAAdapter]:
    adapter = open_visa_adapter(f"TCPIP0::127.0.0.1::{port}::SOCKET", timeout_s)
    try:
        yield adapter
    finally:
        adapter.close()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def echo_lines(peer: socket.socket) -> None:
    for line in peer.makefile("rb"):
        peer.sendall(b"<" + line.rstrip(b"\n") + b">\n")


def test_a_socket_is_opened_with_line_feeds_and_without_delay() -> None:
    with server(echo_lines) as port, visa(port) as adapter:
        adapter.write("*IDN?")
        assert adapter.read() == "<*IDN?>"
        connection = adapter.connection
        inner = connection.visalib.sessions[connection.session].interface
        assert inner.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        assert connection.timeout == 5000


def test_a_port_that_nobody_listens_on_is_found_when_opening() -> None:
    address = f"TCPIP0::127.0.0.1::{closed_port()}::SOCKET"
    with pytest.raises(LinkError, match="Connection refused") as caught:
        open_visa_adapter(address, 1.0)
    assert address in str(caught.value)


@pytest.mark.parametrize(
    "address", ["ASRL/dev/no-such-device::INSTR", "no visa address", "GPIB0::24::INSTR"]
)
def test_visa_resources_that_are_not_there(address: str) -> None:
    with pytest.raises(LinkError, match="cannot open VISA resource") as caught:
        open_visa_adapter(address, 0.2)
    assert address in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_late_reply_is_drained_and_never_becomes_the_next_answer() -> None:
    late = threading.Event()

    def serve(peer: socket.socket) -> None:
        lines = peer.makefile("rb")
        lines.readline()
        late.wait(5)
        peer.sendall(b"late\n128.5\nno end")
        for line in lines:
            if line.startswith(b"*ESE "):
                peer.sendall(b"\n" + line.split()[1] + b"\n")
            elif line == b"second?\n":
                peer.sendall(b"right\n")

    with server(serve) as port, visa(port, timeout_s=0.05) as adapter:
        adapter.write("first?")
        with pytest.raises(LinkTimeout), mapping_errors("smu"):
            adapter.read()
        late.set()
        adapter.connection.timeout = 5000
        adapter.write("second?")
        with pytest.raises(LinkError, match="drain the link first"):
            adapter.read()
        assert drain(adapter) >= 3
        adapter.write("second?")
        assert adapter.read() == "right"


def test_draining_ends_even_if_the_instrument_never_stops() -> None:
    def babble(peer: socket.socket) -> None:
        while True:
            peer.sendall(b"again\n" * 100)

    with (
        server(babble) as port,
        visa(port) as adapter,
        pytest.raises(LinkError, match="still talks after 20 messages"),
    ):
        drain(adapter, max_reads=20)


def test_draining_without_an_answer_ends_with_the_timeout() -> None:
    def silent(peer: socket.socket) -> None:
        while peer.recv(100):
            pass

    with server(silent) as port, visa(port, timeout_s=0.05) as adapter, pytest.raises(LinkTimeout):
        drain(adapter)


def test_serial_url_is_opened_with_both_timeouts() -> None:
    port = open_serial_port("loop://", 115200, 0.25)
    assert (port.timeout, port.write_timeout, port.baudrate) == (0.25, 0.25, 115200)
    port.write(b"x")
    assert port.read(1) == b"x"
    port.close()


@pytest.mark.parametrize("address", ["/dev/no-such-device", "nosuch://x", "socket://127.0.0.1:{}"])
def test_serial_ports_that_are_not_there(address: str) -> None:
    address = address.format(closed_port())
    with pytest.raises(LinkError, match="cannot open serial port") as caught:
        open_serial_port(address, 115200, 0.1)
    assert repr(address) in str(caught.value)


def test_a_serial_device_is_locked_and_its_loss_is_a_link_error() -> None:
    master, slave = os.openpty()
    path = os.ttyname(slave)
    port = open_serial_port(path, 115200, 1.0)
    with pytest.raises(LinkError, match="lock"):
        open_serial_port(path, 115200, 1.0)
    os.close(slave)
    os.close(master)
    for use in (lambda: port.read(1), port.reset_input_buffer):
        with pytest.raises(HilError, match=r"^board: "), mapping_errors("board"):
            use()
    port.close()
