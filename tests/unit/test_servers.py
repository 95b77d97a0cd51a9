from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import serial
from hypothesis import given
from hypothesis import strategies as st
from pyvisa.constants import StatusCode
from pyvisa.errors import InvalidSession, VisaIOError

from twin.servers.inprocess import InProcessAdapter, InProcessPort
from twin.servers.pty import PtyServer
from twin.servers.tcp import TcpServer

EVERY_BYTE = bytes(range(256))
BIG_REPLY_BYTES = 20_000_000


class Lines:
    """Answers every line with its number and text; fails on ``fail``, says nothing to ``hush``."""

    def __init__(self) -> None:
        self.n_lines = 0
        self._pending = b""

    def receive(self, data: bytes) -> bytes:
        *lines, self._pending = (self._pending + data).split(b"\n")
        return b"".join(self._answer(line) for line in lines)

    def _answer(self, line: bytes) -> bytes:
        self.n_lines += 1
        if line == b"fail":
            raise RuntimeError("the device broke")
        if line == b"big":
            return b"x" * BIG_REPLY_BYTES
        return b"" if line == b"hush" else b"%d %s\n" % (self.n_lines, line)


class Echo:
    def receive(self, data: bytes) -> bytes:
        return data


@pytest.fixture(autouse=True)
def _nothing_is_left_over() -> Iterator[None]:
    threads, descriptors = threading.active_count(), set(os.listdir("/proc/self/fd"))
    yield
    assert threading.active_count() == threads
    assert len(set(os.listdir("/proc/self/fd"))) <= len(descriptors)


def dial(server: TcpServer, timeout_s: float = 10.0) -> socket.socket:
    return socket.create_connection((server.host, server.port), timeout=timeout_s)


def read_line(client: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        data = client.recv(1)
        assert data, "server hung up"
        line += data
    return line


def wait_until_dead(server: TcpServer, line: bytes) -> None:
    with dial(server) as client:
        client.sendall(line)
        assert client.recv(1) == b""


def test_tcp_answers_lines_that_come_in_pieces() -> None:
    with TcpServer(Lines(), threading.Lock()) as server, dial(server) as client:
        for piece in (b"o", b"n", b"e\ntw", b"o\nhush\n", b"three\n"):
            client.sendall(piece)
        assert [read_line(client) for _ in range(3)] == [b"1 one\n", b"2 two\n", b"4 three\n"]
        assert server.visa_resource == f"TCPIP0::127.0.0.1::{server.port}::SOCKET"
        assert server.url == f"socket://127.0.0.1:{server.port}"


def test_tcp_device_outlives_its_clients_and_keeps_their_unfinished_line() -> None:
    with TcpServer(Lines(), threading.Lock()) as server:
        with dial(server) as client:
            client.sendall(b"first\nunfini")
            assert read_line(client) == b"1 first\n"
        with dial(server) as client:
            client.sendall(b"shed\n")
            assert read_line(client) == b"2 unfinished\n"


def test_tcp_second_client_is_heard_when_the_first_has_left() -> None:
    with (
        TcpServer(Lines(), threading.Lock()) as server,
        dial(server) as first,
        dial(server, timeout_s=0.1) as second,
    ):
        second.sendall(b"second\n")
        first.sendall(b"first\n")
        assert read_line(first) == b"1 first\n"
        with pytest.raises(TimeoutError):
            second.recv(1)
        first.close()
        second.settimeout(10.0)
        assert read_line(second) == b"2 second\n"


def test_tcp_write_before_query_does_not_wait_for_a_delayed_acknowledgement() -> None:
    n_pairs = 100  # 4 s with the 40 ms of a delayed acknowledgement
    with TcpServer(Lines(), threading.Lock()) as server, dial(server) as client:
        start_s = time.perf_counter()
        for _ in range(n_pairs):
            client.sendall(b"hush\n")
            client.sendall(b"query\n")
            read_line(client)
        assert time.perf_counter() - start_s < 2.0


def test_tcp_failing_device_is_logged_and_hung_up_on(caplog: pytest.LogCaptureFixture) -> None:
    with TcpServer(Lines(), threading.Lock()) as server:
        with caplog.at_level(logging.ERROR):
            wait_until_dead(server, b"fail\n")
        assert "the device broke" in caplog.text
        with dial(server) as client:
            client.sendall(b"again\n")
            assert read_line(client) == b"2 again\n"


def test_tcp_client_that_resets_the_connection_does_no_harm() -> None:
    with TcpServer(Lines(), threading.Lock()) as server:
        client = dial(server)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.sendall(b"big\n")
        client.recv(1)
        client.close()
        with dial(server) as client:
            client.sendall(b"again\n")
            assert read_line(client) == b"2 again\n"


def test_tcp_closes_although_a_client_does_not_read_its_reply() -> None:
    with TcpServer(Lines(), threading.Lock()) as server, dial(server) as client:
        client.sendall(b"big\n")
        client.recv(1)
        server.close()
        server.close()
    with pytest.raises(ConnectionRefusedError):
        dial(server)


@pytest.mark.parametrize("wire", ["tcp", "pty"])
def test_what_a_client_sent_before_the_server_closes_still_arrives(wire: str) -> None:
    device, lock = Lines(), threading.Lock()
    if wire == "tcp":
        with TcpServer(device, lock) as server, dial(server) as client, lock:
            client.sendall(b"hush\n" * 5)
    else:
        with PtyServer(device, lock) as terminal, serial.Serial(terminal.path) as port, lock:
            port.write(b"hush\n" * 5)
    assert device.n_lines == 5


def test_tcp_closes_although_a_client_keeps_sending() -> None:
    device = Lines()
    closed = threading.Event()

    def chatter(client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while not closed.is_set():
                client.sendall(b"hush\n" * 1000)

    with TcpServer(device, threading.Lock()) as server, dial(server) as client:
        thread = threading.Thread(target=chatter, args=(client,))
        thread.start()
        while not device.n_lines:
            time.sleep(0.001)
        server.close()
        closed.set()
        thread.join()
    assert device.n_lines > 0


def test_port_in_use_is_an_error() -> None:
    with TcpServer(Echo(), threading.Lock()) as server, pytest.raises(OSError, match="in use"):
        TcpServer(Echo(), threading.Lock(), port=server.port)


def test_every_turn_is_under_the_lock_after_the_hook() -> None:
    lock = threading.Lock()
    turns: list[tuple[str, bool]] = []

    class Witness:
        def receive(self, data: bytes) -> bytes:
            turns.append((data.decode(), lock.locked()))
            return data

    def hook() -> None:
        turns.append(("hook", lock.locked()))

    with TcpServer(Witness(), lock, before_receive=hook) as server, dial(server) as client:
        with lock:
            client.sendall(b"a")
            client.settimeout(0.05)
            with pytest.raises(TimeoutError):
                client.recv(1)
            assert turns == []
        client.settimeout(10.0)
        assert client.recv(1) == b"a"
    with (
        PtyServer(Witness(), lock, before_receive=hook) as terminal,
        serial.Serial(terminal.path, timeout=10.0) as port,
    ):
        port.write(b"b")
        assert port.read(1) == b"b"
    InProcessPort(Witness(), lock, before_receive=hook).write(b"c")
    InProcessAdapter(Witness(), lock, before_receive=hook).write_bytes(b"d")
    assert turns == [(who, True) for data in "abcd" for who in ("hook", data)]
    assert not lock.locked()


def test_pty_passes_every_byte_both_ways() -> None:
    with PtyServer(Echo(), threading.Lock()) as server:
        with serial.Serial(server.path, timeout=10.0) as port:
            port.write(EVERY_BYTE)
            assert port.read(256) == EVERY_BYTE
        assert server.visa_resource == f"ASRL{server.path}::INSTR"


def test_pty_survives_clients_that_close_and_reopen() -> None:
    with PtyServer(Lines(), threading.Lock()) as server:
        for n in range(1, 4):
            with serial.Serial(server.path, timeout=10.0) as port:
                port.write(b"hello\n")
                assert port.read_until() == b"%d hello\n" % n


def test_pty_closes_although_a_client_does_not_read_its_reply() -> None:
    server = PtyServer(Lines(), threading.Lock())
    with serial.Serial(server.path, timeout=10.0) as port:
        port.write(b"big\n")
        assert port.read(1) == b"x"
        server.close()
        server.close()
    assert not os.path.exists(server.path)


def test_pty_of_a_failing_device_goes_away(caplog: pytest.LogCaptureFixture) -> None:
    with (
        PtyServer(Lines(), threading.Lock()) as server,
        caplog.at_level(logging.ERROR),
        serial.Serial(server.path, timeout=10.0) as port,
    ):
        port.write(b"fail\n")
        with pytest.raises(serial.SerialException):
            port.read(1)
    assert "the device broke" in caplog.text


def test_adapter_reads_line_by_line_and_times_out_like_visa() -> None:
    adapter = InProcessAdapter(Lines())
    adapter.write("one")
    adapter.write("two")
    assert (adapter.read(), adapter.read()) == ("1 one", "2 two")
    with pytest.raises(VisaIOError) as caught:
        adapter.read()
    assert caught.value.error_code == StatusCode.error_timeout


def test_adapter_reads_bytes() -> None:
    adapter = InProcessAdapter(Lines())
    adapter.write_bytes(b"one\ntwo\n")
    assert adapter.read_bytes(3) == b"1 o"
    assert adapter.read_bytes(100, break_on_termchar=True) == b"ne\n"
    assert adapter.read_bytes(2, break_on_termchar=True) == b"2 "
    with pytest.raises(VisaIOError):
        adapter.read_bytes(5)
    assert adapter.read_bytes(-1) == b"two\n"
    assert adapter.read_bytes(-1) == b""
    adapter.write("three")
    adapter.flush_read_buffer()
    with pytest.raises(VisaIOError):
        adapter.read_bytes(-1, break_on_termchar=True)


def test_closed_adapter_and_port_refuse() -> None:
    adapter, port = InProcessAdapter(Lines()), InProcessPort(Lines())
    adapter.close()
    port.close()
    assert not port.is_open
    with pytest.raises(InvalidSession):
        adapter.write("one")
    with pytest.raises(InvalidSession):
        adapter.read()
    with pytest.raises(serial.SerialException):
        port.write(b"one\n")
    with pytest.raises(serial.SerialException):
        port.read(1)


def test_port_reads_what_is_there() -> None:
    port = InProcessPort(Lines(), timeout=0.5)
    assert port.write(b"one\n") == 4
    assert (port.in_waiting, port.timeout, port.is_open) == (6, 0.5, True)
    assert port.read() == b"1"
    assert port.read_until(b"n") == b" on"
    assert port.read(100) == b"e\n"
    assert port.read(100) == b""
    port.write(b"two\nthree\n")
    assert port.read_until(size=3) == b"2 t"
    port.reset_input_buffer()
    assert port.in_waiting == 0


@given(st.lists(st.binary(max_size=20)))
def test_port_carries_any_bytes(pieces: list[bytes]) -> None:
    port = InProcessPort(Echo())
    for piece in pieces:
        assert port.write(piece) == len(piece)
    assert port.read(port.in_waiting) == b"".join(pieces)
