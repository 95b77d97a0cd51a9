"""Runs a procedure in this thread: the command line's and plain Python's way."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from procedures.base import BoardProcedure
from procedures.guards import ABORTED, FAILED

Emit = Callable[[str, Any], None]


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        run_id: in the database; empty if the run never began.
        status: ``finished``, ``failed`` or ``aborted``.
        error: why it failed or was aborted.
        cause: the exception behind it, if there was one.
    """

    run_id: str
    status: str
    error: str
    cause: BaseException | None = None


def run(procedure: BoardProcedure, on_emit: Emit | None = None) -> Outcome:
    """Run a procedure to its end, here and now. Outputs are off and the run is closed on return.

    Ctrl-C and SIGTERM abort the run, if this is the main thread: the board is made safe, the run
    is closed as aborted. Signals that arrive while that happens wait until it is done.

    Args:
        procedure: with its parameters set.
        on_emit: called with every topic and record that the procedure emits.
    """
    procedure.emit = on_emit or _nobody_listens
    procedure.should_stop = lambda: False
    procedure.is_last = lambda: True
    cause: BaseException | None = None
    with _signals() as shield:
        try:
            procedure.startup()
            procedure.evaluate_metadata()
            procedure.execute()
        except (Exception, KeyboardInterrupt, SystemExit) as error:
            cause = error
        finally:
            try:
                shield()
            finally:
                procedure.shutdown()
    if isinstance(cause, KeyboardInterrupt | SystemExit):
        return Outcome(procedure.run_id, ABORTED, procedure.error or "interrupted", cause)
    if cause is not None:
        return Outcome(procedure.run_id, FAILED, procedure.error or str(cause), cause)
    return Outcome(procedure.run_id, procedure.outcome, procedure.error)


def _nobody_listens(topic: str, record: Any) -> None:
    pass


@contextmanager
def _signals() -> Iterator[Callable[[], None]]:
    """Turn Ctrl-C and SIGTERM into KeyboardInterrupt; yield a call that holds them back."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return

    def hold_back() -> None:
        for number in _STOPPING:
            signal.signal(number, lambda *_: None)

    def interrupt(number: int, frame: FrameType | None) -> None:
        hold_back()
        raise KeyboardInterrupt(signal.Signals(number).name)

    before = {number: signal.signal(number, interrupt) for number in _STOPPING}

    try:
        yield hold_back
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_STOPPING = (signal.SIGINT, signal.SIGTERM)
