"""Commands of a Keithley 2450 for its trigger model, timers and sweeps.

Source: manual 2450-901-01, "TRIGger subsystem", ":SOURce[1]:SWEep", ":SOURce[1]:LIST". Names of
templates of later firmware (``:TRIGger:LOAD "SimpleLoop"``) stand beside those of the first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twin.firmware.keithley2450 import templates
from twin.firmware.keithley2450 import trigger_blocks as blocks
from twin.firmware.keithley2450 import trigger_branches as branches
from twin.firmware.keithley2450.commands import (
    ON_OFF,
    CountOrInfinite,
    DelayTime,
    action,
    control,
    query,
)
from twin.firmware.keithley2450.digital_commands import PATTERN
from twin.firmware.keithley2450.digital_lines import N_LINES
from twin.firmware.keithley2450.reading_commands import DEFAULT
from twin.firmware.keithley2450.source import conflict
from twin.firmware.keithley2450.trigger_events import N_TIMERS, EventName, Timer
from twin.firmware.keithley2450.trigger_model import MAX_BLOCKS, Block, TriggerModel
from twin.firmware.scpi import (
    ILLEGAL_PARAMETER_VALUE,
    MISSING_PARAMETER,
    OUT_OF_RANGE,
    PARAMETER_NOT_ALLOWED,
    Choice,
    Command,
    Number,
    Parameter,
    ScpiError,
    String,
    setting,
)

NUMBER = Number(1, MAX_BLOCKS, 1, integer=True)
COUNT = Number(0, 268_435_455, 1, integer=True)
REAL = Number(-1e38, 1e38, 0.0)
EVENT = EventName()
CLEAR = Choice(("ENTer", "NEVer"))
LIMIT_KINDS = Choice(("ABOVe", "BELow", "INside", "OUTside"))
USER_DELAY = Choice(tuple(f"{of}{k}" for of in ("SOURce", "MEASure") for k in range(1, 6)))
LOG_EVENTS = Choice(
    (*(f"{kind}{k}" for kind in ("INFO", "WARNing", "ERRor") for k in range(1, 5)), "ABORt")
)
LOAD = ":TRIGger:LOAD"
BLOCK = ":TRIGger:BLOCk"
COUNTS = CountOrInfinite(COUNT, blocks.INFINITE)
INDEX = Number(1, 300_000, 1, integer=True)


DELAY = DelayTime(0.0, 1e4, 0.0, least=167e-9)
DURATION = Number(500e-9, 1e5, 1.0)
LINE = Number(1, N_LINES, 1, integer=True)
READING_BLOCK = Choice(("ACTive", "MEASure"))


class TriggerCommands:
    """Command table of the trigger model.

    Args:
        model: what the commands act on.
        poll: called before a query that programs repeat until the model is done.
    """

    def __init__(self, model: TriggerModel, poll: Callable[[], None]) -> None:
        self._model = model
        self._poll = poll

    def commands(self) -> list[Command]:
        """Return the table."""
        model = self._model
        table = [
            action(":INITiate[:IMMediate]", model.initiate),
            action(":ABORt", model.abort),
            query(":TRIGger:STATe", self._state),
            query(f"{BLOCK}:LIST", lambda: str(model) or "Empty"),
            query(f"{BLOCK}:BRANch:COUNter:COUNt", self._count, NUMBER),
            action("*TRG", lambda: model.events.happen("COMM", model.now_s())),
            *self._blocks(),
            *self._templates(),
        ]
        for k in range(N_TIMERS):
            table += self._timer(k)
        return table

    def _state(self) -> str:
        self._poll()
        return self._model.state

    def _count(self, number: int) -> str:
        if not isinstance(self._model.blocks.get(number), branches.BranchCounter):
            raise ScpiError(OUT_OF_RANGE)
        return str(self._model.progress.counts.get(number, 0))

    # --- blocks -----------------------------------------------------------------------------

    def _blocks(self) -> list[Command]:
        text = String()
        measure = (text, COUNTS)
        return [
            self._block("NOP", blocks.NoOperation),
            self._block("BUFFer:CLEar", self._clear, text, n_optional=1),
            self._block("SOURce:STATe", blocks.SourceOutput, ON_OFF),
            self._block("MEASure", self._measure, *measure, n_optional=2),
            self._block("MDIGitize", self._measure, *measure, n_optional=2),
            self._block("DELay:CONStant", blocks.Delay, DELAY),
            self._block("DELay:DYNamic", self._dynamic, USER_DELAY),
            self._block("CONFig:RECall", self._recall, text, INDEX, text, INDEX, n_optional=3),
            self._block("CONFig:NEXT", partial(self._step, 1), text, text, n_optional=1),
            self._block("CONFig:PREVious", partial(self._step, -1), text, text, n_optional=1),
            self._block("DIGital:IO", blocks.DigitalOutput, PATTERN, PATTERN, n_optional=1),
            self._block(
                "BRANch:LIMit:DYNamic",
                branches.BranchOnDynamicLimits,
                *(LIMIT_KINDS, Number(1, 2, 1, integer=True), NUMBER, NUMBER),
                n_optional=1,
            ),
            self._block("NOTify", blocks.Notify, Number(1, 8, 1, integer=True)),
            self._block("WAIT", self._wait, EVENT, *[_Word()] * 4, n_optional=4),
            self._block("LOG:EVENt", blocks.LogEvent, LOG_EVENTS, text),
            self._block("BRANch:ALWays", branches.BranchAlways, NUMBER),
            self._block("BRANch:COUNter", branches.BranchCounter, COUNT, NUMBER),
            self._block("BRANch:COUNter:RESet", branches.CounterReset, NUMBER),
            self._block("BRANch:ONCE", branches.BranchOnce, NUMBER),
            self._block(
                "BRANch:ONCE:EXCLuded", lambda to: branches.BranchOnce(to, excluded=True), NUMBER
            ),
            self._block("BRANch:EVENt", branches.BranchOnEvent, EVENT, NUMBER),
            self._block(
                "BRANch:LIMit:CONStant",
                branches.BranchOnLimits,
                *(LIMIT_KINDS, REAL, REAL, NUMBER, NUMBER),
                n_optional=1,
            ),
            self._block("BRANch:DELTa", branches.BranchOnDelta, REAL, NUMBER, NUMBER, n_optional=1),
        ]

    def _block(
        self, word: str, make: Callable[..., Block], *parameters: Parameter, n_optional: int = 0
    ) -> Command:
        def set_block(number: int, *values: Any) -> None:
            self._model.set_block(number, make(*values))

        return action(f"{BLOCK}:{word}", set_block, NUMBER, *parameters, n_optional=n_optional)

    def _clear(self, buffer: str = DEFAULT) -> Block:
        self._model.instrument.buffer(buffer)
        return blocks.BufferClear(buffer)

    def _measure(self, buffer: str = DEFAULT, count: int = 1) -> Block:
        self._model.instrument.buffer(buffer)
        return blocks.Measure(buffer, count)

    def _dynamic(self, which: str) -> Block:
        return blocks.DynamicDelay(which.startswith("SOUR"), int(which[-1]))

    def _recall(self, name: str, index: int = 1, other: str | None = None, at: int = 1) -> Block:
        entries = ((name, index),) if other is None else ((name, index), (other, at))
        for listed, _ in entries:
            self._model.instrument.configuration(listed)
        return blocks.Recall(entries)

    def _step(self, by: int, *names: str) -> Block:
        for name in names:
            self._model.instrument.configuration(name)
        return blocks.RecallStep(names, by)

    def _wait(self, event: str, *words: str) -> Block:
        clears, logic = False, "OR"
        events = [event]
        for word in words:
            if word in ("ENT", "ENTER", "NEV", "NEVER"):
                clears = word.startswith("ENT")
            elif word in ("AND", "OR"):
                logic = word
            else:
                events.append(EVENT.parse(word))
        return blocks.Wait(tuple(events), clears, logic == "AND")

    # --- templates --------------------------------------------------------------------------

    def _templates(self) -> list[Command]:
        text = String()
        simple = (COUNT, DELAY, text)
        duration = (DURATION, DELAY, text)
        return [
            action(LOAD, self._load, text, *[_Word()] * 20, n_optional=20),
            action(f"{LOAD}:LOOP:SIMPle", self._simple_loop, *simple, n_optional=2),
            action(f"{LOAD}:LOOP:DURation", self._duration_loop, *duration, n_optional=2),
            action(f"{LOAD}:EMPTy", lambda: self._model.load([])),
            action(
                f"{LOAD}:TRIGger:EXTernal",
                self._external,
                *(LINE, LINE, COUNT, DELAY, text),
                n_optional=2,
            ),
        ]

    def _load(self, template: str, *words: str) -> None:
        known: dict[str, tuple[Callable[..., None], tuple[Parameter, ...], int]] = {
            "empty": (lambda: self._model.load([]), (), 0),
            "simpleloop": (self._simple_loop, (COUNT, DELAY, String(), READING_BLOCK), 3),
            "durationloop": (
                self._duration_loop,
                (DURATION, DELAY, String(), READING_BLOCK),
                3,
            ),
            "logictrigger": (
                self._logic_trigger,
                (
                    *[Number(1, 6, 1, integer=True)] * 2,
                    COUNT,
                    CLEAR,
                    DELAY,
                    String(),
                    READING_BLOCK,
                ),
                4,
            ),
            "loopuntilevent": (
                self._loop_until_event,
                (EVENT, Number(0, 100, 0), *[_Word()] * 4),
                4,
            ),
            "configlist": (self._configuration_loop, (String(), String(), DELAY, String()), 3),
        }
        if template.lower() not in known:
            raise ScpiError(ILLEGAL_PARAMETER_VALUE, f"Illegal parameter value: {template}")
        load, parameters, n_optional = known[template.lower()]
        if len(words) < len(parameters) - n_optional:
            raise ScpiError(MISSING_PARAMETER)
        if len(words) > len(parameters):
            raise ScpiError(PARAMETER_NOT_ALLOWED)
        load(*(p.parse(word) for p, word in zip(parameters, words, strict=False)))

    def _simple_loop(
        self, count: int, delay_s: float = 0.0, buffer: str = DEFAULT, reading: str = "ACT"
    ) -> None:
        self._model.instrument.buffer(buffer)
        self._model.load(templates.simple_loop(count, delay_s, buffer))

    def _duration_loop(
        self, duration_s: float, delay_s: float = 0.0, buffer: str = DEFAULT, reading: str = "ACT"
    ) -> None:
        self._model.instrument.buffer(buffer)
        self._model.load(templates.duration_loop(duration_s, delay_s, buffer))

    def _external(
        self, line_in: int, line_out: int, count: int, delay_s: float = 0.0, buffer: str = DEFAULT
    ) -> None:
        self._logic_trigger(line_in, line_out, count, "NEV", delay_s, buffer)

    def _logic_trigger(
        self,
        line_in: int,
        line_out: int,
        count: int,
        clear: str = "NEV",
        delay_s: float = 0.0,
        buffer: str = DEFAULT,
        reading: str = "ACT",
    ) -> None:
        self._model.instrument.buffer(buffer)
        clears = clear == "ENT"
        self._model.load(templates.logic_trigger(line_in, count, clears, delay_s, buffer))

    def _loop_until_event(self, event: str, position: float, *words: str) -> None:
        rest = [word for word in words if word not in ("ENT", "ENTER", "NEV", "NEVER")]
        delay_s = DELAY.parse(rest[0]) if rest else 0.0
        buffer = String().parse(rest[1]) if len(rest) > 1 else DEFAULT
        if event == "NONE":
            raise conflict("the loop needs an event")
        capacity = self._model.instrument.buffer(buffer).capacity
        n_after = round(capacity * (1 - position / 100))
        self._model.load(templates.loop_until_event(event, n_after, delay_s, buffer))

    def _configuration_loop(
        self,
        name: str,
        other: str | None = None,
        delay_s: float = 0.0,
        buffer: str = DEFAULT,
    ) -> None:
        instrument = self._model.instrument
        names = (name,) if other is None else (name, other)
        instrument.buffer(buffer)
        n_points = max(templates.n_points_of(instrument.configuration(n), 1) for n in names)
        self._model.load(templates.configuration_loop(names, n_points, delay_s, buffer))

    # --- timers -----------------------------------------------------------------------------

    def _timer(self, k: int) -> list[Command]:
        root = f":TRIGger:TIMer{k + 1}"

        def stored(node: str, parameter: Parameter, name: str) -> Command:
            return setting(f"{root}:{node}", parameter, lambda: self._at(k), name)

        return [
            stored("DELay", Number(8e-6, 1e5, 1e-5), "delay_s"),
            stored("COUNt", Number(0, 1_048_575, 1, integer=True), "count"),
            stored("STARt:GENerate", ON_OFF, "at_start"),
            stored("STARt:STIMulus", EVENT, "stimulus"),
            control(
                f"{root}:STATe",
                ON_OFF,
                lambda: self._at(k).enabled,
                lambda on: self._model.events.enable(self._at(k), on, self._model.now_s()),
            ),
            action(f"{root}:CLEar", lambda: self._model.events.forget((f"TIM{k + 1}",))),
        ]

    def _at(self, k: int) -> Timer:
        return self._model.events.timers[k]


class _Word:
    """Anything: parsed where it is known what it has to be."""

    def parse(self, text: str) -> str:
        """Return the text; words in capitals, strings as they are."""
        return text if text[:1] in "'\"" else text.upper()

    def format(self, value: str) -> str:
        """Return the text."""
        return value
