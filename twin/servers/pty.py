"""A byte device on a pseudo-terminal, as an instrument on a serial line."""

from __future__ import annotations

import logging
import os
import pty
import tty

from twin.servers.line import CHUNK_BYTES, HangUp, Hook, Lock, ThreadedServer
from twin.wiring import ByteDevice

log = logging.getLogger(__name__)


class PtyServer(ThreadedServer):
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
        self._master, self._slave = pty.openpty()
        super().__init__(device, lock, before_receive)
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self.start(f"pty-server-{self.path}")

    @property
    def visa_resource(self) -> str:
        """VISA resource string."""
        return f"ASRL{self.path}::INSTR"

    def _serve(self) -> None:
        try:
            io = self._io.waiter(self._master)
            while io.until_readable():
                data = os.read(self._master, CHUNK_BYTES)
                if reply := self._line.exchange(data):
                    io.write(reply)
        except HangUp as error:
            log.info("%s: hung up: %s", self.path, error)
        except Exception:
            # whatever the device raised, the client sees a line that went dead, and the log why
            log.exception("%s: device failed, terminal closed", self.path)
        finally:
            os.close(self._slave)
            os.close(self._master)
