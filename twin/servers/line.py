"""What all servers share: turns on a device under the bench's lock, and waits that can be ended."""

from __future__ import annotations

import os
import select
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

from twin.wiring import ByteDevice

Lock = AbstractContextManager[Any]
Hook = Callable[[], None]

CHUNK_BYTES = 65536

N_TURNS_AFTER_STOP = 100


class HangUp(ConnectionError):
    """What a device raises to end the connection that its last message came over."""


class Line:
    """A device, and how to have a turn on it.

    Args:
        device: what is at the far end.
        lock: held during every turn; one lock for all devices of a bench.
        before_receive: called under the lock before each turn, for example to let the bench
            catch up with the wall clock.
    """

    def __init__(self, device: ByteDevice, lock: Lock, before_receive: Hook | None = None) -> None:
        self._device = device
        self._lock = lock
        self._before_receive = before_receive

    def exchange(self, data: bytes) -> bytes:
        """Hand ``data`` to the device and return what it sends back."""
        with self._lock:
            if self._before_receive is not None:
                self._before_receive()
            return self._device.receive(data)


class ThreadedServer(ABC):
    """Serves one device from a thread of its own, from ``start`` to ``close``."""

    def __init__(self, device: ByteDevice, lock: Lock, before_receive: Hook | None) -> None:
        self._line = Line(device, lock, before_receive)
        self._io = StoppableIo()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def start(self, name: str) -> None:
        """Begin to serve; ``name`` is that of the thread."""
        self._thread.name = name
        self._thread.start()

    def close(self) -> None:
        """Hang up and end the thread; not to be called while holding the shared lock."""
        if self._thread.is_alive() or not self._io.is_closed:
            self._io.stop()
            self._thread.join()
            self._io.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @abstractmethod
    def _serve(self) -> None:
        """Serve until ``self._io`` is stopped, then release what was opened."""


class StoppableIo:
    """Waits on file descriptors, without polling, until stopped.

    What had arrived before the stop is still served, so that the output-off of a client that has
    just left is not lost; a client that keeps sending gets a bounded number of turns more.
    """

    def __init__(self) -> None:
        self._stopped, self._stop = socket.socketpair()

    def waiter(self, fd: int) -> Waiter:
        """Return how to wait for one descriptor; cheaper than ``wait`` where that is often."""
        return Waiter(fd, self._stopped.fileno())

    def wait(self, fd: int) -> bool:
        """Block until ``fd`` can be read, or is broken (True), or until stopped (False)."""
        return self.waiter(fd).until_readable()

    def stop(self) -> None:
        """End all waits, now and later, once nothing is ready any more."""
        self._stop.send(b"\0")

    @property
    def is_closed(self) -> bool:
        """Whether the descriptors are released."""
        return self._stop.fileno() < 0

    def close(self) -> None:
        """Release the descriptors; nobody waits any more."""
        self._stopped.close()
        self._stop.close()


class Waiter:
    """Reads and writes one non-blocking descriptor until stopped."""

    def __init__(self, fd: int, stopped_fd: int) -> None:
        self._fd = fd
        self._stopped_fd = stopped_fd
        self._n_turns_left = N_TURNS_AFTER_STOP
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)
        self._poll.register(stopped_fd, select.POLLIN)

    def until_readable(self) -> bool:
        """Block until there is something to read, or the far end is gone; False if stopped."""
        return self._ready(self._poll)

    def write(self, data: bytes) -> None:
        """Write all of ``data``, or what can be written until stopped."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:
                if not self._until_writable():
                    return

    def _until_writable(self) -> bool:
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        poll.register(self._stopped_fd, select.POLLIN)
        return self._ready(poll)

    def _ready(self, poll: select.poll) -> bool:
        ready = poll.poll()
        if len(ready) == 1 and ready[0][0] == self._fd:
            return True
        self._n_turns_left -= 1
        return self._n_turns_left >= 0 and any(fd == self._fd for fd, _ in ready)
