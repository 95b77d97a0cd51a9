"""A byte device on a pseudo-terminal, as an instrument on a serial line."""

from __future__ import annotations

import logging
import os
import pty
import threading
import tty
from types import TracebackType
from typing import Self

from twin.servers.line import CHUNK_BYTES, Hook, Line, Lock, StoppableIo
from twin.wiring import ByteDevice

log = logging.getLogger(__name__)


class PtyServer:
    """Serves one device on a pseudo-terminal in raw mode from a thread, until ``close``.

    Clients may come and go: the server keeps the terminal open. As on a serial line, what nobody
    has read waits for the next client, unless it empties its input (pyserial does on opening).

    If the device raises, the error is logged and the terminal goes away.

    Args:
        device: what answers.
        lock: held during every turn of the device; shared by all devices of a bench.
        before_receive: called under the lock before every turn of the device.

    Raises:
        OSError: there is no pseudo-terminal to be had.
    """

    def __init__(self, device: ByteDevice, lock: Lock, before_receive: Hook | None = None) -> None:
        self._line = Line(device, lock, before_receive)
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self._io = StoppableIo()
        self._closed = False
        self._thread = threading.Thread(
            target=self._serve, name=f"pty-server-{self.path}", daemon=True
        )
        self._thread.start()

    @property
    def visa_resource(self) -> str:
        """VISA resource string."""
        return f"ASRL{self.path}::INSTR"

    def close(self) -> None:
        """Hang up and end the thread; not to be called while holding the shared lock."""
        if not self._closed:
            self._closed = True
            self._io.stop()
            self._thread.join()
            self._io.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    def _serve(self) -> None:
        try:
            while self._io.wait(self._master):
                data = os.read(self._master, CHUNK_BYTES)
                self._io.write(self._master, self._line.exchange(data))
        except Exception:
            # whatever the device raised, the client sees a line that went dead, and the log why
            log.exception("%s: device failed, terminal closed", self.path)
        finally:
            os.close(self._slave)
            os.close(self._master)
