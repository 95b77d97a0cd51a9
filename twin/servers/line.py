"""What all servers share: turns on a device under the bench's lock, and waits that can be ended."""

from __future__ import annotations

import contextlib
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
    """Reads and writes on file descriptors that wait, without polling, until stopped.

    What had arrived before the stop is still served, so that the output-off of a client that has
    just left is not lost; a client that keeps sending gets a bounded number of turns more.
    """

    def __init__(self) -> None:
        self._stopped, self._stop = socket.socketpair()
        self._n_turns_left = N_TURNS_AFTER_STOP

    def wait(self, fd: int, event: int = select.POLLIN) -> bool:
        """Block until ``fd`` is ready, hung up or broken (True) or until stopped (False)."""
        if not self._n_turns_left:
            return False
        poll = select.poll()
        poll.register(fd, event)
        poll.register(self._stopped, select.POLLIN)
        ready = dict(poll.poll())
        self._n_turns_left -= self._stopped.fileno() in ready
        return fd in ready

    def write(self, fd: int, data: bytes) -> None:
        """Write all of ``data`` to a non-blocking ``fd``, or what can be written until stopped."""
        rest = memoryview(data)
        while rest and self.wait(fd, select.POLLOUT):
            with contextlib.suppress(BlockingIOError):
                rest = rest[os.write(fd, rest) :]

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
