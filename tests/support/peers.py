"""Programs that others wrote for the same thing, to compare with."""

from __future__ import annotations

import importlib
import logging
import warnings
from types import ModuleType

import numpy as np
import pytest

from hil.types import FloatArray


def badcrossbar() -> ModuleType:
    """Import badcrossbar, or skip the test.

    It is installed without pycairo, which it needs for plots alone and warns about. It also sets up
    logging to standard output for the whole process; that is undone.
    """
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with warnings.catch_warnings(record=True):  # it overrides filters
        try:
            module = importlib.import_module("badcrossbar")
        except ImportError:
            pytest.skip("badcrossbar is not installed; `make setup` does it")
    root.handlers[:] = handlers
    root.setLevel(level)
    if not hasattr(module, "compute"):
        pytest.skip("badcrossbar cannot compute: it misses pathvalidate; `make setup` installs it")
    return module


def badcrossbar_currents(
    r_ohm: FloatArray, rows_v: FloatArray, r_word_ohm: float, r_bit_ohm: float
) -> tuple[FloatArray, FloatArray]:
    """Return the currents out of all columns (m,) and of all devices (n, m); skip without it."""
    solution = badcrossbar().compute(
        rows_v[:, None], r_ohm, r_i_word_line=r_word_ohm, r_i_bit_line=r_bit_ohm
    )
    return np.ravel(solution.currents.output), np.asarray(solution.currents.device)
