"""Trigger models that a Keithley 2450 loads by itself: templates and sweeps.

Source: manual 2450-901-01, ":TRIGger:LOAD", "Sweep operation". Assumed: the order of the blocks; a
sweep there and back measures its end once. Not modelled: the binning templates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from twin.firmware.keithley2450.instrument import Instrument
from twin.firmware.keithley2450.settings import ConfigurationList, SourceSetup
from twin.firmware.keithley2450.trigger_blocks import (
    ABORT,
    BufferClear,
    Delay,
    LogEvent,
    Measure,
    Notify,
    Recall,
    RecallStep,
    SourceOutput,
    Wait,
)
from twin.firmware.keithley2450.trigger_branches import (
    BranchAlways,
    BranchCounter,
    BranchFor,
    BranchOnEvent,
)
from twin.firmware.keithley2450.trigger_events import SOURCE_LIMIT
from twin.firmware.keithley2450.trigger_model import Block
from twin.firmware.scpi import OUT_OF_RANGE, ScpiError

AUTO_DELAY = -1.0
LIST_NAMES = {"VOLT": "Volt", "CURR": "Curr"}


def simple_loop(count: int, delay_s: float, buffer: str) -> list[Block]:
    """Return a model that measures so many times, each after a delay."""
    return [BufferClear(buffer), Delay(delay_s), Measure(buffer), BranchCounter(count, 2)]


def duration_loop(duration_s: float, delay_s: float, buffer: str) -> list[Block]:
    """Return a model that measures for a time."""
    return [BufferClear(buffer), Delay(delay_s), Measure(buffer), BranchFor(duration_s, 2)]


def loop_until_event(event: str, n_after: int, delay_s: float, buffer: str) -> list[Block]:
    """Return a model that measures until an event, and so many times after it."""
    blocks: list[Block] = [
        BufferClear(buffer),
        Delay(delay_s),
        Measure(buffer),
        BranchOnEvent(event, 6),
        BranchAlways(2),
    ]
    if n_after:
        blocks += [Delay(delay_s), Measure(buffer), BranchCounter(n_after, 6)]
    return blocks


def logic_trigger(
    line_in: int, count: int, clears: bool, delay_s: float, buffer: str
) -> list[Block]:
    """Return a model that measures after each edge on a digital line."""
    return [
        BufferClear(buffer),
        Wait((f"DIG{line_in}",), clears),
        Delay(delay_s),
        Measure(buffer),
        Notify(1),
        BranchCounter(count, 2),
    ]


def configuration_loop(
    names: tuple[str, ...], n_points: int, delay_s: float, buffer: str
) -> list[Block]:
    """Return a model that measures with all settings of one or two configuration lists."""
    return [
        BufferClear(buffer),
        Recall(tuple((name, 1) for name in names)),
        BranchAlways(5),
        RecallStep(names, 1),
        Delay(delay_s),
        Measure(buffer),
        BranchCounter(n_points, 4),
    ]


@dataclass(frozen=True)
class Sweep:
    """What the sweep commands have in common.

    Attributes:
        function: what is swept.
        levels: programmed one after the other.
        delay_s: after each level; -1 for the automatic source delay.
        count: how often the sweep runs; 0 for no end.
        range_type: ``AUTO``, ``BEST`` or ``FIX``.
        fail_abort: a source that limits ends the sweep.
        dual: there and back.
        buffer: gets the readings.
    """

    function: str
    levels: tuple[float, ...]
    delay_s: float = AUTO_DELAY
    count: int = 1
    range_type: str = "BEST"
    fail_abort: bool = True
    dual: bool = False
    buffer: str = "defbuffer1"

    def store(self, instrument: Instrument, name: str) -> None:
        """Make the source configuration list of the sweep."""
        base = source_base(instrument, self.function)
        if self.range_type == "BEST":
            base.active.range.fix(max(self.levels, key=abs))
        elif self.range_type == "AUTO":
            base.active.range.auto = True
        if self.delay_s == AUTO_DELAY:
            base.active.delay_auto = True
        there = [self._at(base, level) for level in self.levels]
        entries = there + there[-2::-1] if self.dual else there
        instrument.source_lists.create(name).entries.extend(entries)

    def _at(self, base: SourceSetup, level: float) -> SourceSetup:
        if not base.active.range.holds(level):
            level = math.copysign(base.active.range.reach, level)
        return base.with_level(level)

    def blocks(self, name: str, start: int, n_points: int) -> list[Block]:
        """Return a model that sources what a configuration list holds, and measures each time."""
        blocks: list[Block] = [
            BufferClear(self.buffer),
            Recall(((name, start),)),
            SourceOutput(True),
            BranchAlways(6),
            RecallStep((name,), 1),
            Delay(max(self.delay_s, 0.0)),
            Measure(self.buffer),
        ]
        counters: list[Block] = [BranchCounter(n_points, 5), BranchCounter(self.count, 2)]
        if not self.fail_abort:
            return [*blocks, *counters, SourceOutput(False)]
        return [
            *blocks,
            BranchOnEvent(SOURCE_LIMIT, 13),
            *counters,
            SourceOutput(False),
            BranchAlways(15),
            SourceOutput(False),
            LogEvent(f"{ABORT}1", "Sweep aborted: source limit exceeded"),
        ]


def source_base(instrument: Instrument, function: str) -> SourceSetup:
    """Return a copy of the source settings, to be stored with other levels."""
    present = instrument.setup.source
    base = replace(present, function=function)
    return present.restored(base)


def linear(start: float, stop: float, n_points: int) -> tuple[float, ...]:
    """Return levels in equal steps."""
    return tuple(np.linspace(start, stop, n_points).tolist())


def logarithmic(start: float, stop: float, n_points: int, asymptote: float) -> tuple[float, ...]:
    """Return levels in equal ratios of their distance from an asymptote."""
    first, last = start - asymptote, stop - asymptote
    if first * last <= 0:
        raise ScpiError(OUT_OF_RANGE)
    return tuple((asymptote + np.geomspace(first, last, n_points)).tolist())


def n_points_of(configuration: ConfigurationList, start: int) -> int:
    """Return how many positions come from ``start`` on."""
    n = len(configuration.entries) - start + 1
    if n < 1:
        raise ScpiError(OUT_OF_RANGE)
    return n
