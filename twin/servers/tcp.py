"""A byte device on a TCP port, as an instrument with a raw socket."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading

from twin.servers.line import CHUNK_BYTES, Hook, Lock, ThreadedServer
from twin.wiring import ByteDevice

log = logging.getLogger(__name__)

_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)


class TcpServer(ThreadedServer):
    """Serves one device on a TCP port from threads of its own, from construction to ``close``.

    Replies are not held back (TCP_NODELAY), and what arrives is acknowledged at once
    (TCP_QUICKACK, where the system has it): otherwise a client that writes twice in a row waits
    40 ms for the delayed acknowledgement.

    If the device raises, the error is logged and the connection closed; the server goes on.

    With one client at a time, a second one is connected but not heard until the first has left, and
    a line that a client left unfinished waits for the next one, as on a serial line. With several,
    each has lines of its own, the device gets whole ones, and one client too many is hung up on.

    Args:
        device: what answers.
        lock: held during every turn of the device; shared by all devices of a bench.
        host: address to listen on.
        port: port to listen on; 0 takes a free one.
        before_receive: called under the lock before every turn of the device.
        n_clients: how many may be connected at once.

    Raises:
        OSError: the port cannot be had.
    """

    def __init__(
        self,
        device: ByteDevice,
        lock: Lock,
        host: str = "127.0.0.1",
        port: int = 0,
        before_receive: Hook | None = None,
        n_clients: int = 1,
    ) -> None:
        self._listener = socket.create_server((host, port))
        self._listener.setblocking(False)
        self._n_clients = n_clients
        self._talks: list[threading.Thread] = []
        super().__init__(device, lock, before_receive)
        self.host, self.port = self._listener.getsockname()[:2]
        self.start(f"tcp-server-{self.port}")

    @property
    def visa_resource(self) -> str:
        """VISA resource string; it needs LF given as read and write termination."""
        return f"TCPIP0::{self.host}::{self.port}::SOCKET"

    @property
    def url(self) -> str:
        """URL for ``serial.serial_for_url``."""
        return f"socket://{self.host}:{self.port}"

    def _serve(self) -> None:
        with self._listener:
            listening = self._io.waiter(self._listener.fileno())
            while listening.until_readable():
                # a client that gave up before its turn came is nobody's trouble
                with contextlib.suppress(ConnectionError, BlockingIOError):
                    self._receive(self._listener.accept()[0])
        for talk in self._talks:
            talk.join()

    def _receive(self, client: socket.socket) -> None:
        if self._n_clients == 1:
            self._serve_client(client)
            return
        self._talks = [talk for talk in self._talks if talk.is_alive()]
        if len(self._talks) == self._n_clients:
            log.info("port %d: one client too many", self.port)
            client.close()
            return
        talk = threading.Thread(target=self._serve_client, args=(client,), daemon=True)
        self._talks.append(talk)
        talk.start()

    def _serve_client(self, client: socket.socket) -> None:
        try:
            with client:
                self._converse(client)
        except ConnectionError as error:
            log.info("port %d: client gone: %s", self.port, error)
        except Exception:
            # whatever the device raised is its own fault, not that of the next client
            log.exception("port %d: device failed, connection closed", self.port)

    def _converse(self, client: socket.socket) -> None:
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        io = self._io.waiter(client.fileno())
        unfinished = b""
        while True:
            if _QUICKACK is not None:  # the kernel forgets it after a while
                client.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
            if not io.until_readable():
                return
            data = client.recv(CHUNK_BYTES)
            if not data:
                return
            if self._n_clients > 1:
                lines, end, unfinished = (unfinished + data).rpartition(b"\n")
                data = lines + end
            if data and (reply := self._line.exchange(data)):
                io.write(reply)
