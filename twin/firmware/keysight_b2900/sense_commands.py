"""Commands of the measurement and of the output of a channel.

Source: command reference B2910-90030, "SENSe Subsystem", "OUTPut Subsystem". Assumed: a limit
without a side sets both; a measurement range that is set ends automatic ranging. Modes of automatic
ranging are kept and answered, and range as NORMal. Not modelled, and refused with -221: resistance
with a test current that the instrument chooses, offset compensation, the output filter, the high
capacitance mode.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial

from twin.firmware.keysight_b2900.channel import Channel
from twin.firmware.keysight_b2900.instrument import Instrument
from twin.firmware.keysight_b2900.model import (
    MAX_A,
    MAX_APERTURE_S,
    MAX_V,
    MIN_APERTURE_S,
    MIN_LIMIT_A,
    MIN_LIMIT_V,
    SMU,
    range_index,
)
from twin.firmware.keysight_b2900.parameters import Clipped, FunctionName, Nr3, Only, node
from twin.firmware.keysight_b2900.settings import (
    CURR,
    DEFAULT_LIMITS,
    DEFAULT_NPLC,
    OTHER,
    RES,
    VOLT,
    ChannelSetup,
    OutputSettings,
    QuantitySettings,
    ResistanceRange,
    SenseSettings,
)
from twin.firmware.keysight_b2900.source_commands import wait_commands
from twin.firmware.keysight_b2900.status import NOTHING_SAVED, RELAY_MUST_BE_OFF
from twin.firmware.scpi import (
    SETTINGS_CONFLICT,
    Boolean,
    Choice,
    Command,
    Number,
    ScpiError,
    Several,
    setting,
)

_FUNCTIONS = ("VOLTage", "CURRent", "RESistance")
_OFF = Only(("0", "OFF", "1", "ON"), modelled=("0", "OFF"))
_ORDER = (VOLT, CURR, RES)
_NODES = {VOLT: "VOLTage[:DC]", CURR: "CURRent[:DC]", RES: "RESistance"}
_LIMITS = {VOLT: (MIN_LIMIT_V, MAX_V, "V"), CURR: (MIN_LIMIT_A, MAX_A, "A")}
_FULL_SCALES = {VOLT: SMU.measure_v.full_scales, CURR: SMU.measure_a.full_scales}


class SenseCommands:
    """The commands of one channel.

    Args:
        instrument: that the channel belongs to.
        channel: whose measurement it is.
    """

    def __init__(self, instrument: Instrument, channel: Channel) -> None:
        self._instrument = instrument
        self._channel = channel
        self._root = node("SENSe", channel.number)
        self._saved: dict[int, ChannelSetup] = {}

    def commands(self) -> list[Command]:
        """Return the part of the command table."""
        return [
            *self._functions(),
            *(command for name in _ORDER for command in self._integration(_NODES[name])),
            *(command for name in (VOLT, CURR) for command in self._quantity(name)),
            *self._resistance(),
            *wait_commands(f"{self._root}:WAIT", lambda: self._sense.wait),
            Command(
                f"{self._root}:REMote",
                self._set_four_wire,
                lambda: Boolean().format(self._sense.four_wire),
                (Boolean(),),
            ),
            *self._output(),
        ]

    @property
    def _sense(self) -> SenseSettings:
        return self._channel.setup.sense

    def _set_four_wire(self, on: bool) -> None:
        self._sense.four_wire = on
        self._channel.refresh()

    # --- functions --------------------------------------------------------------------------

    def _functions(self) -> list[Command]:
        names = (Several(FunctionName(Choice(_FUNCTIONS))),)

        def told(is_on: bool) -> str:
            chosen = (name for name in _ORDER if (name in self._sense.functions) is is_on)
            return ",".join(f'"{name}"' for name in chosen)

        def enable(functions: list[str]) -> None:
            self._sense.functions = set(functions)

        def disable(functions: list[str]) -> None:
            self._sense.functions -= set(functions)

        root = f"{self._root}:FUNCtion"
        return [
            Command(f"{root}[:ON]", enable, lambda: told(True), names),
            Command(f"{root}[:ON]:ALL", write=lambda: enable(list(_ORDER))),
            Command(f"{root}[:ON]:COUNt", query=lambda: str(len(self._sense.functions))),
            Command(f"{root}:OFF", disable, lambda: told(False), names),
            Command(f"{root}:OFF:ALL", write=lambda: disable(list(_ORDER))),
            Command(f"{root}:OFF:COUNt", query=lambda: str(3 - len(self._sense.functions))),
        ]

    # --- integration ------------------------------------------------------------------------

    def _integration(self, name: str) -> list[Command]:
        mains_hz = self._instrument.line_frequency_hz
        nplc = Clipped(MIN_APERTURE_S * mains_hz, MAX_APERTURE_S * mains_hz, DEFAULT_NPLC)
        aperture = Clipped(MIN_APERTURE_S, MAX_APERTURE_S, DEFAULT_NPLC / mains_hz, unit="S")
        root = f"{self._root}:{name}"
        return [
            Command(
                f"{root}:NPLCycles",
                self._set_nplc,
                lambda: nplc.format(self._channel.nplc),
                (nplc,),
            ),
            Command(
                f"{root}:APERture",
                lambda value: self._set_nplc(value * self._instrument.line_frequency_hz),
                lambda: aperture.format(self._channel.aperture_s),
                (aperture,),
            ),
            setting(f"{root}:NPLCycles:AUTO", Boolean(), lambda: self._sense, "nplc_auto"),
            setting(f"{root}:APERture:AUTO", Boolean(), lambda: self._sense, "nplc_auto"),
        ]

    def _set_nplc(self, nplc: float) -> None:
        self._sense.nplc, self._sense.nplc_auto = nplc, False

    # --- one quantity -----------------------------------------------------------------------

    def _quantity(self, name: str) -> list[Command]:
        def quantity() -> QuantitySettings:
            return self._sense.by_function[name]

        tops = _FULL_SCALES[name]
        _, reach, unit = _LIMITS[name]
        span = Nr3(tops[0], tops[-1], tops[0], unit=unit)
        any_value = Nr3(-reach, reach, tops[0], unit=unit)
        root = f"{self._root}:{_NODES[name]}:RANGe"
        return [
            *self._protection(name, quantity),
            Command(
                f"{root}[:UPPer]",
                lambda value: self._fix_range(quantity(), value),
                lambda: span.format(quantity().ranging.full_scale),
                (any_value,),
            ),
            Command(
                f"{root}:AUTO",
                lambda auto: self._set_auto(quantity(), auto),
                lambda: Boolean().format(quantity().ranging.auto),
                (Boolean(),),
            ),
            Command(
                f"{root}:AUTO:LLIMit",
                lambda value: self._set_span(quantity(), lowest=range_index(tops, value)),
                lambda: span.format(tops[quantity().ranging.lowest]),
                (span,),
            ),
            Command(
                f"{root}:AUTO:ULIMit",
                lambda value: self._set_span(quantity(), highest=range_index(tops, value)),
                lambda: span.format(tops[quantity().highest]),
                (span,),
            ),
            setting(
                f"{root}:AUTO:MODE",
                Choice(("NORMal", "RESolution", "SPEed")),
                quantity,
                "auto_mode",
            ),
            setting(f"{root}:AUTO:THReshold", Nr3(11, 100, 90), quantity, "threshold_percent"),
        ]

    def _fix_range(self, quantity: QuantitySettings, value: float) -> None:
        quantity.ranging.fix(value)
        self._channel.range_is_fixed()

    def _set_auto(self, quantity: QuantitySettings, auto: bool) -> None:
        quantity.ranging.auto = auto
        self._channel.refresh()

    @staticmethod
    def _set_span(
        quantity: QuantitySettings, lowest: int | None = None, highest: int | None = None
    ) -> None:
        lowest = quantity.ranging.lowest if lowest is None else lowest
        highest = quantity.highest if highest is None else highest
        if lowest > highest:
            raise ScpiError(SETTINGS_CONFLICT, "Settings conflict; lower limit above upper limit")
        quantity.ranging.lowest, quantity.highest = lowest, highest

    # --- limits -----------------------------------------------------------------------------

    def _protection(self, name: str, quantity: Callable[[], QuantitySettings]) -> list[Command]:
        low, high, unit = _LIMITS[name]
        limit = Nr3(low, high, DEFAULT_LIMITS[name], unit=unit)
        negative = Nr3(-high, high, DEFAULT_LIMITS[name], unit=unit)
        root = f"{self._root}:{_NODES[name]}:PROTection"
        return [
            Command(
                f"{root}[:LEVel][:BOTH]",
                lambda value: self._set_limits(name, value, value),
                lambda: limit.format(quantity().limits[0]),
                (limit,),
            ),
            Command(
                f"{root}[:LEVel]:POSitive",
                lambda value: self._set_limits(name, value, quantity().limits[1]),
                lambda: limit.format(quantity().limits[0]),
                (limit,),
            ),
            Command(
                f"{root}[:LEVel]:NEGative",
                lambda value: self._set_limits(
                    name, quantity().limits[0], limit.parse(repr(abs(value)))
                ),
                lambda: limit.format(quantity().limits[1]),
                (negative,),
            ),
            Command(f"{root}:TRIPped", query=partial(self._tripped, name)),
        ]

    def _set_limits(self, name: str, positive: float, negative: float) -> None:
        if OTHER[self._channel.setup.source.function] == name:
            self._channel.check_power(limit=max(positive, negative))
        self._sense.by_function[name].limits = [positive, negative]
        self._channel.refresh()

    def _tripped(self, name: str) -> str:
        acts = OTHER[self._channel.setup.source.function] == name
        return Boolean().format(acts and self._channel.is_limiting)

    def _resistance(self) -> list[Command]:
        def ranging() -> ResistanceRange:
            return self._sense.resistance

        mode = Only(("MANual", "AUTO"), modelled=("MAN",))
        span = Nr3(2.0, 200e6, 2.0, unit="OHM")
        root = f"{self._root}:RESistance"
        return [
            Command(f"{root}:MODE", lambda _: None, lambda: "MAN", (mode,)),
            Command(f"{root}:OCOMpensated", lambda _: None, lambda: "0", (_OFF,)),
            setting(f"{root}:RANGe[:UPPer]", span, ranging, "full_scale_ohm"),
            setting(f"{root}:RANGe:AUTO", Boolean(), ranging, "auto"),
            setting(f"{root}:RANGe:AUTO:LLIMit", span, ranging, "lowest_ohm"),
            setting(f"{root}:RANGe:AUTO:ULIMit", span, ranging, "highest_ohm"),
        ]

    # --- output -----------------------------------------------------------------------------

    def _output(self) -> list[Command]:
        def output() -> OutputSettings:
            return self._channel.setup.output

        place = Number(0, 1, 0, integer=True)
        root = node("OUTPut", self._channel.number)
        return [
            Command(
                f"{root}[:STATe]",
                self._set_output,
                lambda: Boolean().format(self._channel.is_on),
                (Boolean(),),
            ),
            setting(f"{root}:ON:AUTO", Boolean(), output, "on_auto"),
            setting(f"{root}:OFF:AUTO", Boolean(), output, "off_auto"),
            setting(f"{root}:OFF:MODE", Choice(("NORMal", "HIZ", "ZERO")), output, "off_mode"),
            Command(
                f"{root}:PROTection[:STATe]",
                self._set_protection,
                lambda: Boolean().format(output().protection),
                (Boolean(),),
            ),
            Command(
                f"{root}:LOW",
                self._set_low,
                lambda: output().low,
                (Choice(("GROund", "FLOat")),),
            ),
            Command(f"{root}:SAVE", self._save, parameters=(place,)),
            Command(f"{root}:RECall", self._recall, parameters=(place,)),
            Command(f"{root}:FILTer[:LPASs][:STATe]", lambda _: None, lambda: "0", (_OFF,)),
            Command(f"{root}:FILTer:AUTO", lambda _: None, lambda: "0", (_OFF,)),
            Command(f"{root}:HCAPacitance[:STATe]", lambda _: None, lambda: "0", (_OFF,)),
        ]

    def _set_output(self, on: bool) -> None:
        if on:
            self._channel.switch_on()
            self._channel.trip_if_limiting()
        else:
            self._instrument.switch_off(self._channel)

    def _save(self, place: int) -> None:
        self._saved[place] = copy.deepcopy(self._channel.setup)

    def _recall(self, place: int) -> None:
        if place not in self._saved:
            raise ScpiError(*NOTHING_SAVED)
        self._instrument.recall(self._channel, self._saved[place])

    def _set_protection(self, on: bool) -> None:
        self._channel.setup.output.protection = on
        self._channel.trip_if_limiting()

    def _set_low(self, low: str) -> None:
        if self._channel.is_on and low != self._channel.setup.output.low:
            raise ScpiError(*RELAY_MUST_BE_OFF)
        self._channel.setup.output.low = low
