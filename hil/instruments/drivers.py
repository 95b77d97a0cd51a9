"""Drivers of source-measure units by the name that stations give them; imported when needed."""

from __future__ import annotations

import pkgutil
from typing import Any

MODELS: dict[str, dict[str, str]] = {
    "keithley2400": {"2400": "hil.instruments.keithley2400:Keithley2400Smu"},
    "keithley2450": {"2450": "hil.instruments.keithley2450:Keithley2450Smu"},
    "keithley2600": {
        "2602B": "hil.instruments.keithley2600:Keithley2602BSmu",
        "2636B": "hil.instruments.keithley2600:Keithley2636BSmu",
    },
    "keysight-b2900": {
        "B2901A": "hil.instruments.keysight_b2900:KeysightB2900Smu",
        "B2902A": "hil.instruments.keysight_b2900:KeysightB2900Smu",
    },
}
"""Models of each driver, the usual one first, and the class that drives it."""


def driver_class(driver: str, model: str) -> Any:
    """Return the class that drives a model: an ``hil.instruments.smu.Smu``.

    Its class attributes (accuracy, shortest pulse) are those of the model. It is made from an
    adapter and the table ``[smu]`` of a station.
    """
    return pkgutil.resolve_name(MODELS[driver][model])
