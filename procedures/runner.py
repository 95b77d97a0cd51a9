"""Runs a procedure in this thread: the command line's and plain Python's way."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from hil import interrupts
from hil.errors import RunAborted
from procedures.base import BoardProcedure
from procedures.guards import ABORTED, FAILED, note, one_line

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

    Ctrl-C, SIGTERM and SIGHUP abort the run, if this is the main thread: the board is made safe,
    the run is closed as aborted. Signals that arrive while that happens change nothing any more.

    Args:
        procedure: with its parameters set.
        on_emit: called with every topic and record that the procedure emits.
    """
    stop = _Stop()
    procedure.emit = on_emit or _nobody_listens
    procedure.should_stop = stop.is_asked
    procedure.is_last = lambda: True
    procedure.outcome, procedure.error, procedure.run_id = "", "", ""
    cause: BaseException | None = None
    with stop.on_signals():
        try:
            procedure.startup()
            procedure.evaluate_metadata()
            procedure.execute()
            stop.hold_signals_back()
        except (KeyboardInterrupt, SystemExit, RunAborted) as error:
            cause = error
            note(procedure, ABORTED, one_line(error))
        except Exception as error:  # whatever it is, the caller finds it in the outcome
            cause = error
            note(procedure, FAILED, one_line(error))
        finally:
            try:
                stop.hold_signals_back()
            finally:
                try:
                    procedure.shutdown()
                finally:
                    procedure.end()
    return Outcome(procedure.run_id, procedure.outcome, procedure.error, cause)


def _nobody_listens(topic: str, record: Any) -> None:
    pass


class _Stop:
    """Turns signals into ``KeyboardInterrupt``, and remembers one that somebody swallowed."""

    def __init__(self) -> None:
        self._asked = False
        self._raises = True

    def is_asked(self) -> bool:
        """Return whether a signal has come; what the procedure asks as ``should_stop``."""
        return self._asked

    def hold_signals_back(self) -> None:
        """From now on remember signals only: the board is being made safe."""
        self._raises = False

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Handle the stopping signals in this block; does nothing outside the main thread.

        Signals that are ignored, as under nohup, stay so.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        interrupts.reset()
        before = {
            number: signal.signal(number, self._handle)
            for number in STOPPING
            if signal.getsignal(number) not in (signal.SIG_IGN, None)
        }
        try:
            yield
        finally:
            interrupts.reset()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
        if self._raises:
            interrupts.interrupt(signal.Signals(number).name)


STOPPING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Signals that abort a run."""
