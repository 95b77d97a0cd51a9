"""A byte device on a TCP port, as an instrument with a raw socket."""

from __future__ import annotations

import contextlib
import logging
import socket

from twin.servers.line import CHUNK_BYTES, Hook, Lock, ThreadedServer
from twin.wiring import ByteDevice

log = logging.getLogger(__name__)


class TcpServer(ThreadedServer):
    """Serves one device on a TCP port from a thread of its own, from construction to ``close``.

    One client at a time: a second one is connected but not heard until the first has left. The
    device stays the same from client to client, and so does a line that a client left unfinished.

    Replies are not held back (TCP_NODELAY), and what arrives is acknowledged at once
    (TCP_QUICKACK, where the system has it): otherwise a client that writes twice in a row waits
    40 ms for the delayed acknowledgement.

    If the device raises, the error is logged and the connection closed; the server goes on.

    Args:
        device: what answers.
        lock: held during every turn of the device; shared by all devices of a bench.
        host: address to listen on.
        port: port to listen on; 0 takes a free one.
        before_receive: called under the lock before every turn of the device.

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
    ) -> None:
        self._listener = socket.create_server((host, port))
        self._listener.setblocking(False)
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
            while self._io.wait(self._listener.fileno()):
                # a client that gave up before its turn came is nobody's trouble
                with contextlib.suppress(ConnectionError, BlockingIOError):
                    client, _ = self._listener.accept()
                    with client:
                        self._serve_client(client)

    def _serve_client(self, client: socket.socket) -> None:
        try:
            self._converse(client)
        except ConnectionError as error:
            log.info("port %d: client gone: %s", self.port, error)
        except Exception:
            # whatever the device raised is its own fault, not that of the next client
            log.exception("port %d: device failed, connection closed", self.port)

    def _converse(self, client: socket.socket) -> None:
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _acknowledge_at_once(client)
        while self._io.wait(client.fileno()):
            data = client.recv(CHUNK_BYTES)
            if not data:
                return
            _acknowledge_at_once(client)
            self._io.write(client.fileno(), self._line.exchange(data))


def _acknowledge_at_once(client: socket.socket) -> None:
    """Ask for immediate acknowledgement; the kernel forgets it after a while, so ask each time."""
    if hasattr(socket, "TCP_QUICKACK"):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
