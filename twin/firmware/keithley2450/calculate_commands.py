"""Commands of a Keithley 2450 for math and limit tests.

Source: manual 2450-901-01, "CALCulate subsystem". A command without its function goes for all
functions, and asks for the one that is measured.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twin.firmware.keithley2450.calculations import PASSED, RESULTS, LimitTest
from twin.firmware.keithley2450.commands import ON_OFF, FunctionTable, action, query
from twin.firmware.keithley2450.instrument import Instrument
from twin.firmware.keithley2450.sense_commands import FUNCTIONS
from twin.firmware.keithley2450.settings import SenseSettings
from twin.firmware.scpi import Choice, Command, Number, Parameter

FACTOR = Number(-1e12, 1e12, 1.0)
OPERATIONS = Choice(("MXB", "PERCent", "RECiprocal"))
LOW = Number(-9.99999e11, 9.99999e11, -1.0)
HIGH = Number(-9.99999e11, 9.99999e11, 1.0)
N_LIMITS = 2


class CalculateCommands(FunctionTable[SenseSettings]):
    """Command table of math and limit tests.

    Args:
        instrument: what the commands act on.
        check_idle: called before a setting changes; raises while the trigger model runs.
    """

    def __init__(self, instrument: Instrument, check_idle: Callable[[], None]) -> None:
        super().__init__(FUNCTIONS, check_idle)
        self._instrument = instrument

    def commands(self) -> list[Command]:
        """Return the table."""
        table = [
            *self._math("STATe", ON_OFF, "on"),
            *self._math("FORMat", OPERATIONS, "operation"),
            *self._math("MMFactor", FACTOR, "slope"),
            *self._math("MBFactor", Number(-1e12, 1e12, 0.0), "offset"),
            *self._math("PERCent", FACTOR, "reference"),
        ]
        for k in range(N_LIMITS):
            table += self._limit(k)
        return table

    def _settings(self, function: str) -> SenseSettings:
        return self._instrument.setup.sense.by_function[function]

    def _active(self) -> str:
        return self._instrument.setup.sense.function

    def _math(self, node: str, parameter: Parameter, name: str) -> list[Command]:
        return self._of(lambda s: s.math, f":CALCulate[1]{{}}:MATH:{node}", parameter, name)

    def _limit(self, k: int) -> list[Command]:
        root = f":CALCulate2{{}}:LIMit{k + 1}"

        def limit(settings: SenseSettings) -> LimitTest:
            return settings.limits[k]

        table = [
            *self._of(limit, f"{root}:STATe", ON_OFF, "on"),
            *self._of(limit, f"{root}:LOWer[:DATA]", LOW, "low"),
            *self._of(limit, f"{root}:UPPer[:DATA]", HIGH, "high"),
            *self._of(limit, f"{root}:CLEar:AUTO", ON_OFF, "auto_clear"),
            *self._of(limit, f"{root}:AUDible", Choice(("NONE", "FAIL", "PASS")), "audible"),
        ]
        for function, word in FUNCTIONS.items():
            own = root.format(f":{word}")
            table += [
                query(f"{own}:FAIL", lambda f=function: RESULTS[limit(self._settings(f)).result]),
                action(f"{own}:CLEar[:IMMediate]", lambda f=function: self._clear(f, k)),
            ]
        return table

    def _clear(self, function: str, k: int) -> None:
        self._settings(function).limits[k].result = PASSED

    def _of(
        self, part: Callable[[SenseSettings], Any], pattern: str, parameter: Parameter, name: str
    ) -> list[Command]:
        """Return commands for an attribute of a part of the settings."""

        def write(function: str, value: Any) -> None:
            setattr(part(self._settings(function)), name, value)

        return self._each(pattern, parameter, lambda s: getattr(part(s), name), write)
