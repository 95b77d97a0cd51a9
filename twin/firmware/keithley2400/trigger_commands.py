"""Command table of the trigger model of a Keithley 2400.

Source: manual 2400S-900-01 Rev. K, section 18 (INITiate, ABORt, ARM, TRIGger). The product of both
counts is 2500 at most. Assumed: more is refused with -221.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from twin.firmware.keithley2400.model import MAX_POINTS
from twin.firmware.keithley2400.output import Output
from twin.firmware.keithley2400.parameters import CountOrInfinite
from twin.firmware.keithley2400.settings import Layer, Setup
from twin.firmware.keithley2400.trigger import TriggerModel
from twin.firmware.scpi import (
    SETTINGS_CONFLICT,
    Choice,
    Command,
    Number,
    ScpiError,
    Several,
    setting,
)

ARM = ":ARM[:SEQuence[1]][:LAYer[1]]"
TRIGGER = ":TRIGger[:SEQuence[1]]"
ASYNCHRONOUS = "[:TCONfigure][:ASYNchronous]"
LINE = Number(1, 4, 1, integer=True)
COUNT = Number(1, MAX_POINTS, 1, integer=True)
DIRECTIONS = Choice(("SOURce", "ACCeptor"))
ARM_SOURCES = Choice(("IMMediate", "TIMer", "MANual", "BUS", "TLINk", "NSTest", "PSTest", "BSTest"))
ARM_OUTPUTS = Several(Choice(("TENTer", "TEXit", "NONE")))
TRIGGER_EVENTS = Several(Choice(("SOURce", "DELay", "SENSe", "NONE")))


class TriggerCommands:
    """Commands of the trigger model.

    Args:
        output: has the settings.
        model: the trigger model.
    """

    def __init__(self, output: Output, model: TriggerModel) -> None:
        self._output, self._model = output, model

    @property
    def _setup(self) -> Setup:
        return self._output.setup

    def commands(self) -> list[Command]:
        """Return the table."""
        model = self._model
        return [
            Command(":INITiate[:IMMediate]", write=model.initiate),
            Command(":ABORt", write=model.abort),
            Command("*TRG", write=model.trigger),
            Command(":TRIGger:CLEar", write=lambda: None),  # events of lines never come
            *self._arm(),
            *self._trigger(),
        ]

    def _arm(self) -> list[Command]:
        def layer() -> Layer:
            return self._setup.arm

        count = CountOrInfinite(1, MAX_POINTS, 1, integer=True)
        return [
            Command(
                f"{ARM}:COUNt", self._set_arm_count, lambda: count.format(layer().count), (count,)
            ),
            setting(f"{ARM}:SOURce", ARM_SOURCES, layer, "source"),
            setting(f"{ARM}:TIMer", Number(0.001, 99999.99, 0.1), layer, "timer_s"),
            setting(f"{ARM}[:TCONfigure]:DIRection", DIRECTIONS, layer, "direction"),
            setting(f"{ARM}{ASYNCHRONOUS}:ILINe", LINE, layer, "input_line"),
            setting(f"{ARM}{ASYNCHRONOUS}:OLINe", LINE, layer, "output_line"),
            _events(f"{ARM}{ASYNCHRONOUS}:OUTPut", ARM_OUTPUTS, layer, "output"),
        ]

    def _trigger(self) -> list[Command]:
        def layer() -> Layer:
            return self._setup.trigger

        sources = Choice(("IMMediate", "TLINk"))
        return [
            Command(
                f"{TRIGGER}:COUNt",
                self._set_trigger_count,
                lambda: COUNT.format(int(layer().count)),
                (COUNT,),
            ),
            setting(f"{TRIGGER}:DELay", Number(0, 999.9999, 0), layer, "delay_s"),
            setting(f"{TRIGGER}:SOURce", sources, layer, "source"),
            setting(f"{TRIGGER}[:TCONfigure]:DIRection", DIRECTIONS, layer, "direction"),
            setting(f"{TRIGGER}{ASYNCHRONOUS}:ILINe", LINE, layer, "input_line"),
            setting(f"{TRIGGER}{ASYNCHRONOUS}:OLINe", LINE, layer, "output_line"),
            _events(f"{TRIGGER}{ASYNCHRONOUS}:INPut", TRIGGER_EVENTS, layer, "inputs"),
            _events(f"{TRIGGER}{ASYNCHRONOUS}:OUTPut", TRIGGER_EVENTS, layer, "output"),
        ]

    def _set_arm_count(self, count: float) -> None:
        if math.isfinite(count):
            self._check_product(count, self._setup.trigger.count)
        self._setup.arm.count = count

    def _set_trigger_count(self, count: float) -> None:
        if not self._setup.has_no_end:
            self._check_product(self._setup.arm.count, count)
        self._setup.trigger.count = count

    def _check_product(self, arm_count: float, trigger_count: float) -> None:
        if arm_count * trigger_count > MAX_POINTS:
            raise ScpiError(SETTINGS_CONFLICT)


def _events(pattern: str, names: Several, layer: Callable[[], Layer], attribute: str) -> Command:
    """Return the command of a list of events; NONE among others is ignored."""

    def write(events: list[str]) -> None:
        wanted = [event for event in events if event != "NONE"]
        setattr(layer(), attribute, wanted or ["NONE"])

    return replace(setting(pattern, names, layer, attribute), write=write)
