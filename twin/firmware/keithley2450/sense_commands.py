"""Commands of a Keithley 2450 for its measurement.

Source: manual 2450-901-01, "SENSe1 subsystem", "DISPlay subsystem" (digits).
A command without its function goes for all functions, and asks for the one that is measured.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twin.firmware.keithley2450.commands import (
    ON_OFF,
    FunctionTable,
    RangeValue,
    action,
    configuration_commands,
    control,
)
from twin.firmware.keithley2450.instrument import Instrument
from twin.firmware.keithley2450.model import A_RANGES_A, MAX_A, MAX_V, OHM_RANGES, V_RANGES_V
from twin.firmware.keithley2450.settings import (
    CURR,
    N_USER_DELAYS,
    RES,
    VOLT,
    SenseSettings,
)
from twin.firmware.keithley2450.source import conflict
from twin.firmware.scpi import Choice, Command, Number, Quoted

ROOT = "[:SENSe[1]]"
FUNCTIONS = {VOLT: "VOLTage[:DC]", CURR: "CURRent[:DC]", RES: "RESistance"}
RANGES = {
    VOLT: RangeValue(-MAX_V, MAX_V, 0.02, full_scales=V_RANGES_V),
    CURR: RangeValue(-MAX_A, MAX_A, 1e-8, full_scales=A_RANGES_A),
    RES: RangeValue(0.0, 2.1e8, 2e5, full_scales=OHM_RANGES),
}
LOW_LIMITS = {
    VOLT: Number(0.02, 200.0, 0.02),
    CURR: Number(1e-8, 1.0, 1e-8),
    RES: Number(2.0, 2e8, 20.0),
}
UNIT_CHOICES = {
    VOLT: Choice(("VOLT", "OHM", "WATT")),
    CURR: Choice(("AMP", "OHM", "WATT")),
    RES: Choice(("OHM",)),
}
RELATIVE = Number(-1e12, 1e12, 0.0)


class FunctionName(Quoted):
    """A measurement function in quotes; answered with ``:DC``."""

    def format(self, value: str) -> str:
        """Return the name as the instrument writes it."""
        return f'"{value}"' if value == RES else f'"{value}:DC"'


class SenseCommands(FunctionTable[SenseSettings]):
    """Command table of the measurement.

    Args:
        instrument: what the commands act on.
        check_idle: called before a setting changes; raises while the trigger model runs.
    """

    def __init__(self, instrument: Instrument, check_idle: Callable[[], None]) -> None:
        super().__init__(FUNCTIONS, check_idle)
        self._instrument = instrument

    def commands(self) -> list[Command]:
        """Return the table."""
        instrument = self._instrument
        function = FunctionName(Choice(("VOLTage", "CURRent", "RESistance")))
        table = [
            self._idle(
                f"{ROOT}:FUNCtion[:ON]",
                function,
                lambda: instrument.setup.sense.function,
                instrument.set_sense_function,
            ),
            control(
                f"{ROOT}:COUNt",
                Number(1, 300_000, 1, integer=True),
                lambda: instrument.setup.count,
                self._set_count,
            ),
            action(f"{ROOT}:AZERo:ONCE", self._check_idle),
            *configuration_commands(
                f"{ROOT}:CONFiguration:LIST",
                lambda: instrument.sense_lists,
                instrument.store_sense,
                instrument,
            ),
        ]
        for name in FUNCTIONS:
            table += self._of_function(name)
        return table + self._shared()

    def _of_function(self, function: str) -> list[Command]:
        """What each function has of its own."""
        root = f"{ROOT}:{FUNCTIONS[function]}"
        low = LOW_LIMITS[function]
        table = [
            self._idle(
                f"{root}:RANGe[:UPPer]",
                RANGES[function],
                lambda: self._settings(function).range.full_scale,
                partial(self._set_range, function),
            ),
            self._idle(
                f"{root}:RANGe:AUTO:LLIMit",
                low,
                lambda: self._low_limit(function),
                partial(self._set_limit, function, "low"),
            ),
            self._idle(
                f"{root}:RANGe:AUTO:ULIMit",
                low,
                lambda: self._high_limit(function),
                partial(self._set_limit, function, "high") if function == RES else None,
            ),
            self._idle(
                f"{root}:UNIT",
                UNIT_CHOICES[function],
                lambda: self._settings(function).unit,
                partial(self._set, "unit", function),
            ),
            self._idle(
                f"{root}:RELative",
                RELATIVE,
                lambda: self._settings(function).relative,
                partial(self._set, "relative", function),
            ),
            action(f"{root}:RELative:ACQuire", partial(self._acquire, function)),
        ]
        if function == RES:
            table += [
                self._idle(
                    f"{root}:OCOMpensated",
                    ON_OFF,
                    lambda: self._settings(RES).offset_compensated,
                    partial(self._set, "offset_compensated", RES),
                )
            ]
        return table

    def _shared(self) -> list[Command]:
        """What has the same form for all functions, and for all at once."""
        filters = Choice(("REPeat", "MOVing"))
        table = [
            *self._stored(f"{ROOT}{{}}:NPLCycles", Number(0.01, 10.0, 1.0), "nplc"),
            *self._stored(f"{ROOT}{{}}:AZERo[:STATe]", ON_OFF, "auto_zero"),
            *self._each(
                f"{ROOT}{{}}:RSENse",
                ON_OFF,
                lambda settings: settings.four_wire,
                self._set_four_wire,
            ),
            *self._stored(f"{ROOT}{{}}:AVERage[:STATe]", ON_OFF, "filter_on"),
            *self._stored(
                f"{ROOT}{{}}:AVERage:COUNt", Number(1, 100, 10, integer=True), "filter_count"
            ),
            *self._stored(f"{ROOT}{{}}:AVERage:TCONtrol", filters, "filter_type"),
            *self._stored(f"{ROOT}{{}}:RELative:STATe", ON_OFF, "relative_on"),
            *self._stored(":DISPlay{}:DIGits", Number(3, 6, 5, integer=True), "digits"),
            *self._each(
                f"{ROOT}{{}}:RANGe:AUTO",
                ON_OFF,
                lambda settings: settings.range.auto,
                self._set_range_auto,
            ),
        ]
        for k in range(N_USER_DELAYS):
            table += self._each(
                f"{ROOT}{{}}:DELay:USER{k + 1}",
                Number(0.0, 1e4, 0.0),
                partial(_user_delay_s, k),
                partial(self._set_user_delay, k),
            )
        return table

    # --- settings ---------------------------------------------------------------------------

    def _settings(self, function: str) -> SenseSettings:
        return self._instrument.setup.sense.by_function[function]

    def _active(self) -> str:
        return self._instrument.setup.sense.function

    def _set_count(self, count: int) -> None:
        self._instrument.setup.count = count

    def _set_range(self, function: str, value: float) -> None:
        self._settings(function).range.fix(value)
        self._instrument.output.sense_range_moved()

    def _set_range_auto(self, function: str, auto: bool) -> None:
        self._settings(function).range.auto = auto
        self._instrument.output.sense_range_moved()

    def _set_four_wire(self, function: str, on: bool) -> None:
        self._settings(function).four_wire = on
        self._instrument.output.refresh()

    def _set_limit(self, function: str, name: str, value: float) -> None:
        ranging = self._settings(function).range
        index = ranging.fitting(value)
        low, high = (index, ranging.high) if name == "low" else (ranging.low, index)
        if low > high:
            raise conflict("lower limit of the range above the upper limit")
        setattr(ranging, name, index)

    def _low_limit(self, function: str) -> float:
        ranging = self._settings(function).range
        return ranging.full_scales[ranging.low]

    def _high_limit(self, function: str) -> float:
        ranging = self._settings(function).range
        return ranging.full_scales[ranging.high]

    def _acquire(self, function: str) -> None:
        self._check_idle()
        if function != self._instrument.setup.sense.function:
            raise conflict("another function is measured")
        self._instrument.meter.acquire_relative(function)

    def _set_user_delay(self, k: int, function: str, delay_s: float) -> None:
        self._settings(function).user_delays_s[k] = delay_s

    def _set(self, name: str, function: str, value: Any) -> None:
        self._instrument.meter.forget()
        setattr(self._settings(function), name, value)


def _user_delay_s(k: int, settings: SenseSettings) -> float:
    return settings.user_delays_s[k]
