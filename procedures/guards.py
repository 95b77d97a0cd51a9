"""Wrappers that every procedure's ``startup``, ``execute`` and ``shutdown`` get.

Whatever a subclass does in them, how the run ended is remembered and the board is made safe.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any, Protocol

from hil.errors import HilError, RunAborted

log = logging.getLogger(__name__)

FINISHED, FAILED, ABORTED = "finished", "failed", "aborted"

Method = Callable[[Any], None]


class HasOutcome(Protocol):
    """What the guards need of a procedure."""

    outcome: str
    error: str

    def should_stop(self) -> bool:
        """Return whether someone asked the run to stop."""
        ...

    def end(self) -> None:
        """Make the board safe and close the run; must not raise."""
        ...


def note(procedure: HasOutcome, outcome: str, error: str = "") -> None:
    """Remember how a run ended: the first trouble counts, later ones add their text."""
    if procedure.outcome in ("", FINISHED):
        procedure.outcome, procedure.error = outcome, error
    elif error and error not in procedure.error:
        procedure.error = f"{procedure.error}; {error}"


def noting_outcome(method: Method) -> Method:
    """Wrap ``startup`` or ``execute``: remember how it ended.

    An abort ends ``execute`` quietly, as pymeasure's ``Worker`` wants it. Where a subclass's method
    calls that of its base class, the end of the subclass's is the one that counts.
    """
    ends_run = method.__name__ == "execute"

    @functools.wraps(method)
    def noting(self: Any) -> None:
        if self.__dict__.get("_is_guarded", False):
            method(self)
            return
        self._is_guarded = True
        try:
            method(self)
        except RunAborted as error:
            note(self, ABORTED, str(error))
            if not ends_run:
                raise
        except (KeyboardInterrupt, SystemExit) as error:
            note(self, ABORTED, f"interrupted: {one_line(error)}")
            raise
        except Exception as error:
            note(self, FAILED, one_line(error))
            raise
        else:
            if ends_run:
                note(self, ABORTED if self.should_stop() else FINISHED)
        finally:
            self._is_guarded = False

    return _marked(noting)


def always_safe(method: Method) -> Method:
    """Wrap ``shutdown``: the board is made safe and the run closed after it, even if it raises."""

    @functools.wraps(method)
    def safe(self: Any) -> None:
        if self.__dict__.get("_is_ending", False):  # called by the shutdown of a subclass
            method(self)
            return
        self._is_ending = True
        try:
            method(self)
        except KeyboardInterrupt as error:
            note(self, ABORTED, f"in shutdown: {one_line(error)}")
            raise
        except (Exception, SystemExit) as error:  # its clean-up must not keep the output on
            log.error("shutdown of %s failed: %s", type(self).__name__, one_line(error))
            note(self, FAILED, f"in shutdown: {one_line(error)}")
        finally:
            self._is_ending = False
            self.end()

    return _marked(safe)


def is_guarded(method: Method) -> bool:
    """Return whether a method has its guard already."""
    return getattr(method, "is_guarded", False)


def _marked(method: Method) -> Method:
    method.is_guarded = True  # type: ignore[attr-defined] # functions take attributes
    return method


def one_line(error: BaseException) -> str:
    """Return an error as one line, with its type if it is not one of ours."""
    text = " ".join(str(error).split())
    if isinstance(error, HilError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
