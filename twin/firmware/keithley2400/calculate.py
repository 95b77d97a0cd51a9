"""Math, relative offset and limit tests of a Keithley 2400.

Source: manual 2400S-900-01 Rev. K, sections 8, 12 and 18 (CALCulate1 and 2). Modelled: the power
expression; relative offset; limits 1 (compliance), 2, 3 and 5 to 12, each tested for every reading.
Not modelled: other expressions, the contact check (limit 4), sorting, digital patterns. Assumed:
limits of a value that is no number fail.
"""

from __future__ import annotations

from twin.firmware.keithley2400.model import NOT_A_NUMBER, OVERFLOW
from twin.firmware.keithley2400.output import Output
from twin.firmware.keithley2400.readings import Reading, is_number
from twin.firmware.keithley2400.settings import Setup
from twin.firmware.keithley2400.status import (
    COMPLIANCE_LIMIT,
    HIGH_LIMITS,
    LIMITS_PASS,
    LOW_LIMITS,
    Keithley2400Status,
)
from twin.firmware.scpi import DATA_STALE, ScpiError

COMPLIANCE_TEST = 1


class Calculator:
    """What is computed for each reading.

    Args:
        output: has the settings.
        status: gets the results of limit tests.

    Attributes:
        powers: results of the expression since the trigger model left idle.
        tested: values that the limits were tested on.
        failed: numbers of the limits that the last reading failed.
    """

    def __init__(self, output: Output, status: Keithley2400Status) -> None:
        self._output = output
        self._status = status
        self._acquires = False
        self.powers: list[float] = []
        self.tested: list[float] = []
        self.failed: set[int] = set()

    @property
    def _setup(self) -> Setup:
        return self._output.setup

    def begin(self) -> None:
        """Leave idle."""
        self.powers, self.tested, self.failed = [], [], set()

    def acquire_offset(self) -> None:
        """Take the next reading as the relative offset, or the last one if there is one."""
        if self.tested:
            self._take_offset(self.tested[-1])
        else:
            self._acquires = True

    def take(self, reading: Reading, feed: str) -> float:
        """Compute and test; return what the buffer stores for its feed."""
        setup = self._setup
        power = _power(reading)
        if setup.computes:
            self.powers.append(power)
        value = power if setup.feed == "CALC" else reading.value(setup.feed)
        if self._acquires and is_number(value):
            self._take_offset(value)
        if setup.null_on and is_number(value):
            value -= setup.null_offset
        if (
            setup.null_on
            or setup.compliance_limit_on
            or any(x.is_on for x in setup.limits.values())
        ):
            self.tested.append(value)
        self._test(reading, value)
        return power if feed == "CALC" else value

    def _take_offset(self, value: float) -> None:
        self._setup.null_offset = value
        self._acquires = False

    def _test(self, reading: Reading, value: float) -> None:
        setup, register = self._setup, self._status.measurement
        self.failed = set()
        bits = 0
        fails_in = setup.compliance_limit_fails == "IN"
        if setup.compliance_limit_on and reading.in_compliance == fails_in:
            self.failed.add(COMPLIANCE_TEST)
            bits |= COMPLIANCE_LIMIT
        for number, limit in setup.limits.items():
            if not limit.is_on or limit.lower <= value <= limit.upper:
                continue
            self.failed.add(number)
            bits |= (LOW_LIMITS if value < limit.lower else HIGH_LIMITS).get(number, 0)
        tests = setup.compliance_limit_on or any(x.is_on for x in setup.limits.values())
        passes = LIMITS_PASS if tests and not self.failed else 0
        register.pulse(bits | passes)

    def latest(self, values: list[float]) -> list[float]:
        """Return the last of some results.

        Raises:
            ScpiError: there are none.
        """
        return [self.all(values)[-1]]

    def all(self, values: list[float]) -> list[float]:
        """Return results, or refuse if there are none."""
        if not values:
            raise ScpiError(DATA_STALE)
        return values


def _power(reading: Reading) -> float:
    if not (is_number(reading.v_v) and is_number(reading.i_a)):
        return NOT_A_NUMBER
    return min(reading.v_v * reading.i_a, OVERFLOW)
