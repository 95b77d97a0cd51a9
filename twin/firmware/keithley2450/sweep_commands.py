"""Commands of a Keithley 2450 that make sweeps: a source configuration list and a trigger model.

Source: manual 2450-901-01, ":SOURce[1]:SWEep:<function>", ":SOURce[1]:LIST:<function>".
"""

from __future__ import annotations

from functools import partial

from twin.firmware.keithley2450 import templates
from twin.firmware.keithley2450.commands import ON_OFF, DelayTime, action, query
from twin.firmware.keithley2450.reading_commands import DEFAULT
from twin.firmware.keithley2450.settings import ConfigurationList, SourceSetup
from twin.firmware.keithley2450.source import check_level
from twin.firmware.keithley2450.source_commands import FUNCTIONS, LEVELS, ROOT
from twin.firmware.keithley2450.templates import AUTO_DELAY, Sweep
from twin.firmware.keithley2450.trigger_model import TriggerModel
from twin.firmware.scpi import (
    ILLEGAL_PARAMETER_VALUE,
    SETTINGS_CONFLICT,
    Choice,
    Command,
    Number,
    ScpiError,
    Several,
    String,
)

N_VALUES = 100
MAX_VALUES = 2500
POINTS = Number(2, 1_000_000, 2, integer=True)
COUNT = Number(0, 268_435_455, 1, integer=True)
RANGE_TYPES = Choice(("AUTO", "BEST", "FIXed"))


DELAY = DelayTime(AUTO_DELAY, 1e4, AUTO_DELAY, least=50e-6)


class SweepCommands:
    """Command table of sweeps and source lists.

    Args:
        model: what the sweeps are loaded into.
    """

    def __init__(self, model: TriggerModel) -> None:
        self._model = model
        self._instrument = model.instrument

    def commands(self) -> list[Command]:
        """Return the table."""
        return [command for function in FUNCTIONS for command in self._of_function(function)]

    def _of_function(self, function: str) -> list[Command]:
        level, word = LEVELS[function], FUNCTIONS[function]
        rest = (DELAY, COUNT, RANGE_TYPES, ON_OFF, ON_OFF, String())
        root, listed = f"{ROOT}:SWEep:{word}", f"{ROOT}:LIST:{word}"
        from_list = (DELAY, COUNT, ON_OFF, String(), String())
        index = Number(1, MAX_VALUES, 1, integer=True)
        of = partial(partial, function=function)
        return [
            action(
                f"{root}:LINear", of(self._linear), *(level, level, POINTS, *rest), n_optional=6
            ),
            action(
                f"{root}:LINear:STEP",
                of(self._steps),
                *(level, level, Number(0, 420, 0), *rest),
                n_optional=6,
            ),
            action(
                f"{root}:LOG",
                of(self._logarithmic),
                *(level, level, POINTS, *rest, Number(-420, 420, 0)),
                n_optional=7,
            ),
            action(f"{root}:LIST", of(self._sweep_list), index, *from_list, n_optional=6),
            Command(
                listed,
                of(self._set_values),
                lambda: self._values(function),
                (Several(level),),
            ),
            action(f"{listed}:APPend", of(self._append_values), Several(level)),
            query(f"{listed}:POINts", lambda: str(len(self._list(function).entries))),
        ]

    # --- sweeps -----------------------------------------------------------------------------

    def _linear(
        self, start: float, stop: float, n_points: int, *rest: object, function: str
    ) -> None:
        self._sweep(function, "Linear", templates.linear(start, stop, n_points), rest)

    def _steps(self, start: float, stop: float, step: float, *rest: object, function: str) -> None:
        if step <= 0 or step > abs(stop - start):
            raise ScpiError(SETTINGS_CONFLICT)
        n_points = round(abs(stop - start) / step) + 1
        self._linear(start, stop, n_points, *rest, function=function)

    def _logarithmic(
        self, start: float, stop: float, n_points: int, *rest: object, function: str
    ) -> None:
        asymptote = float(str(rest[6])) if len(rest) > 6 else 0.0
        levels = templates.logarithmic(start, stop, n_points, asymptote)
        self._sweep(function, "Log", levels, rest[:6])

    def _sweep(
        self, function: str, kind: str, levels: tuple[float, ...], rest: tuple[object, ...]
    ) -> None:
        self._model.check_idle()
        if self._instrument.setup.source.function != function:
            raise ScpiError(SETTINGS_CONFLICT, "Settings conflict: source function")
        names = ("delay_s", "count", "range_type", "fail_abort", "dual", "buffer")
        sweep = Sweep(function, levels, **dict(zip(names, rest, strict=False)))  # type: ignore[arg-type]
        self._instrument.buffer(sweep.buffer)
        name = f"{templates.LIST_NAMES[function]}{kind}SweepList"
        sweep.store(self._instrument, name)
        n_points = len(self._instrument.configuration(name).entries)
        self._model.load(sweep.blocks(name, 1, n_points))

    def _sweep_list(
        self,
        start: int = 1,
        delay_s: float = 0.0,
        count: int = 1,
        fail_abort: bool = True,
        buffer: str = DEFAULT,
        name: str = "",
        *,
        function: str,
    ) -> None:
        self._model.check_idle()
        name = name or self._custom(function)
        self._instrument.buffer(buffer)
        n_points = templates.n_points_of(self._instrument.configuration(name), start)
        sweep = Sweep(function, (), delay_s, count, fail_abort=fail_abort, buffer=buffer)
        self._model.load(sweep.blocks(name, start, n_points))

    # --- lists ------------------------------------------------------------------------------

    def _custom(self, function: str) -> str:
        return f"{templates.LIST_NAMES[function]}CustomSweepList"

    def _list(self, function: str) -> ConfigurationList:
        lists = self._instrument.source_lists
        return lists.find(self._custom(function)) or lists.create(self._custom(function))

    def _set_values(self, values: list[float], *, function: str) -> None:
        self._model.check_idle()
        self._instrument.source_lists.create(self._custom(function))
        self._append_values(values, function=function)

    def _append_values(self, values: list[float], *, function: str) -> None:
        self._model.check_idle()
        entries = self._list(function).entries
        if len(values) > N_VALUES or len(entries) + len(values) > MAX_VALUES:
            raise ScpiError(ILLEGAL_PARAMETER_VALUE)
        base = templates.source_base(self._instrument, function)
        for value in values:
            check_level(base.active, value)
        entries.extend(base.with_level(value) for value in values)

    def _values(self, function: str) -> str:
        level = LEVELS[function]
        entries = self._list(function).entries
        levels = (entry.active.level for entry in entries if isinstance(entry, SourceSetup))
        return ",".join(map(level.format, levels))
