"""Keeps Python's garbage collector out of the threads of the runs."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from pymeasure.display.Qt import QtCore

_PERIOD_MS = 500


@contextmanager
def collecting_in_this_thread() -> Iterator[None]:
    """Collect garbage from a Qt timer of this thread, and nowhere else, until the block ends.

    Python collects in whichever thread allocates. A run's thread would so delete Qt objects that
    a window has let go of, and Qt crashes if for example a timer dies outside its own thread.
    """
    timer = QtCore.QTimer()
    timer.timeout.connect(_collect_if_due)
    was_on = gc.isenabled()
    gc.disable()
    timer.start(_PERIOD_MS)
    try:
        yield
    finally:
        timer.stop()
        gc.collect()
        if was_on:
            gc.enable()


def _collect_if_due() -> None:
    """Collect the oldest generation whose threshold is passed, as the collector itself would."""
    for generation in (2, 1, 0):
        if gc.get_count()[generation] > gc.get_threshold()[generation]:
            gc.collect(generation)
            return
