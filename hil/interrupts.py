"""Holds Ctrl-C back while a board acts, so that what was done to a device is also logged.

A signal handler that calls ``interrupt`` raises at once outside of ``held_back``. Inside, the
interrupt waits for the next ``check`` (boards call it between two exchanges, where nothing is half
done) or for the end of the block. A second interrupt does not wait.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _State:
    depth = 0
    pending = ""


def interrupt(reason: str) -> None:
    """Raise ``KeyboardInterrupt``, now or at the next place where nothing is half done."""
    if _State.depth and not _State.pending:
        _State.pending = reason
        return
    _State.pending = ""
    raise KeyboardInterrupt(reason)


def check() -> None:
    """Raise the interrupt that was held back, if there is one; does nothing in other threads."""
    if _State.pending and threading.current_thread() is threading.main_thread():
        reason, _State.pending = _State.pending, ""
        raise KeyboardInterrupt(reason)


@contextmanager
def held_back() -> Iterator[None]:
    """Hold interrupts back in this block, which may be nested; a held one is raised at its end."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals arrive in the main thread only
        return
    _State.depth += 1
    try:
        yield
    except BaseException:
        _State.depth -= 1
        if not _State.depth:
            reset()  # the block is being left anyhow; nothing may be parked for a later run
        raise
    _State.depth -= 1
    if not _State.depth:
        check()


def reset() -> None:
    """Forget an interrupt that was held back."""
    _State.pending = ""
