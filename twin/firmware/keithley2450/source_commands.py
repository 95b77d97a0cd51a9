"""Commands of a Keithley 2450 for its source and output.

Source: manual 2450-901-01, "SOURce subsystem", "OUTPut subsystem". A command without its function
goes for both functions, and asks for the one that is sourced.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from twin.firmware.keithley2450.commands import (
    ON_OFF,
    FunctionTable,
    Magnitude,
    RangeValue,
    configuration_commands,
    control,
    query,
)
from twin.firmware.keithley2450.instrument import Instrument
from twin.firmware.keithley2450.model import (
    A_RANGES_A,
    MAX_A,
    MAX_V,
    MIN_LIMIT_A,
    MIN_LIMIT_V,
    V_RANGES_V,
)
from twin.firmware.keithley2450.settings import CURR, N_USER_DELAYS, VOLT, SourceSettings
from twin.firmware.scpi import Choice, Command, Number

ROOT = ":SOURce[1]"
FUNCTIONS = {VOLT: "VOLTage", CURR: "CURRent"}
MAX_DELAY_S = 1e4
OFF_STATES = Choice(("NORMal", "HIMPedance", "ZERO", "GUARd"))
PROTECTIONS = Choice(
    (*(f"PROT{v}" for v in (2, 5, 10, 20, 40, 60, 80, 100, 120, 140, 160, 180)), "NONE")
)
LEVELS = {VOLT: Number(-MAX_V, MAX_V, 0.0), CURR: Number(-MAX_A, MAX_A, 0.0)}
RANGES = {
    VOLT: RangeValue(-MAX_V, MAX_V, 0.02, full_scales=V_RANGES_V),
    CURR: RangeValue(-MAX_A, MAX_A, 1e-8, full_scales=A_RANGES_A),
}
LIMITS = {
    VOLT: ("ILIMit", Magnitude(-MAX_A, MAX_A, 1.05e-4, least=MIN_LIMIT_A)),
    CURR: ("VLIMit", Magnitude(-MAX_V, MAX_V, 21.0, least=MIN_LIMIT_V)),
}


class SourceCommands(FunctionTable[SourceSettings]):
    """Command table of source and output.

    Args:
        instrument: what the commands act on.
        check_idle: called before a setting changes; raises while the trigger model runs.
    """

    def __init__(self, instrument: Instrument, check_idle: Callable[[], None]) -> None:
        super().__init__(FUNCTIONS, check_idle)
        self._instrument = instrument
        self._output = instrument.output

    def commands(self) -> list[Command]:
        """Return the table."""
        output = self._output
        table = [
            self._idle(
                f"{ROOT}:FUNCtion[:MODE]",
                Choice(tuple(FUNCTIONS.values())),
                lambda: output.source.function,
                output.set_function,
            ),
            control(":OUTPut[1][:STATe]", ON_OFF, lambda: output.is_on, output.set_output),
            query(":OUTPut[1]:INTerlock:TRIPped", lambda: "1"),
            *self._lists(),
        ]
        for function in FUNCTIONS:
            table += self._of_function(function)
        return table + self._shared()

    def _of_function(self, function: str) -> list[Command]:
        """What each function has of its own."""
        output, root = self._output, f"{ROOT}:{FUNCTIONS[function]}"
        limit, allowed = LIMITS[function]
        table = [
            self._idle(
                f"{root}[:LEVel][:IMMediate][:AMPLitude]",
                LEVELS[function],
                lambda: self._settings(function).level,
                partial(output.set_level, function),
            ),
            self._idle(
                f"{root}:RANGe",
                RANGES[function],
                lambda: self._settings(function).range.full_scale,
                partial(output.set_range, function),
            ),
            self._idle(
                f"{root}:RANGe:AUTO",
                ON_OFF,
                lambda: self._settings(function).range.auto,
                partial(output.set_range_auto, function),
            ),
            self._idle(
                f"{root}:{limit}[:LEVel]",
                allowed,
                lambda: self._settings(function).limit,
                partial(output.set_limit, function),
            ),
            query(
                f"{root}:{limit}[:LEVel]:TRIPped",
                lambda: str(int(output.source.function == function and output.is_limiting)),
            ),
        ]
        if function == VOLT:
            table += [
                self._idle(
                    f"{root}:PROTection[:LEVel]",
                    PROTECTIONS,
                    lambda: output.source.protection,
                    output.set_protection,
                ),
                query(f"{root}:PROTection[:LEVel]:TRIPped", lambda: str(int(output.is_protecting))),
            ]
        return table

    def _shared(self) -> list[Command]:
        """What has the same form for both functions, and for both at once."""
        delay = Number(0.0, MAX_DELAY_S, 1e-3)
        table = [
            *self._stored(f"{ROOT}{{}}:DELay:AUTO", ON_OFF, "delay_auto"),
            *self._stored(f"{ROOT}{{}}:HIGH:CAPacitance", ON_OFF, "high_capacitance"),
            *self._stored(f"{ROOT}{{}}:READ:BACK", ON_OFF, "read_back"),
            *self._stored(":OUTPut[1]{}:SMODe", OFF_STATES, "off_state"),
            *self._each(f"{ROOT}{{}}:DELay", delay, self._output.delay_s, self._output.set_delay),
        ]
        for k in range(N_USER_DELAYS):
            table += self._each(
                f"{ROOT}{{}}:DELay:USER{k + 1}",
                Number(0.0, MAX_DELAY_S, 0.0),
                partial(_user_delay_s, k),
                partial(self._set_user_delay, k),
            )
        return table

    def _lists(self) -> list[Command]:
        """Source configuration lists."""
        instrument = self._instrument
        return configuration_commands(
            f"{ROOT}:CONFiguration:LIST",
            lambda: instrument.source_lists,
            instrument.store_source,
            instrument,
        )

    # --- how --------------------------------------------------------------------------------

    def _settings(self, function: str) -> SourceSettings:
        return self._output.source.by_function[function]

    def _active(self) -> str:
        return self._output.source.function

    def _set_user_delay(self, k: int, function: str, delay_s: float) -> None:
        self._settings(function).user_delays_s[k] = delay_s


def _user_delay_s(k: int, settings: SourceSettings) -> float:
    return settings.user_delays_s[k]
