"""Commands of the source of a channel.

Source: command reference B2910-90030, "SOURce Subsystem". Assumed: a range that is set stays stored
while the automatic range is on, and is used when that is switched off; another mode, shape or level
list is refused with +203 while the transient action runs. Not modelled: the fast transient,
trigger outputs, digital lines.
"""

from __future__ import annotations

from collections.abc import Callable

from twin.firmware.keysight_b2900.actions import KINDS, TRANSIENT
from twin.firmware.keysight_b2900.channel import Channel
from twin.firmware.keysight_b2900.instrument import Instrument
from twin.firmware.keysight_b2900.model import (
    MAX_A,
    MAX_SWEEP_POINTS,
    MAX_TIME_S,
    MAX_V,
    MIN_PULSE_WIDTH_S,
    range_index,
)
from twin.firmware.keysight_b2900.parameters import Nr3, Only, Time, node
from twin.firmware.keysight_b2900.settings import CURR, VOLT, LevelSettings, SourceSettings, Wait
from twin.firmware.keysight_b2900.waveform import set_points, set_span, set_step
from twin.firmware.scpi import (
    OUT_OF_RANGE,
    SETTINGS_CONFLICT,
    TOO_MUCH_DATA,
    Boolean,
    Choice,
    Command,
    Number,
    Parameter,
    ScpiError,
    Several,
    setting,
)

_WORDS = {VOLT: "VOLTage", CURR: "CURRent"}
_UNITS = {VOLT: "V", CURR: "A"}
_REACHES = {VOLT: MAX_V, CURR: MAX_A}
_SPEED = Only(("NORMal", "FAST"), modelled=("NORM",))
_POINTS = Number(1, MAX_SWEEP_POINTS, 1, integer=True)


class SourceCommands:
    """The commands of one channel.

    Args:
        instrument: that the channel belongs to.
        channel: whose source it is.
    """

    def __init__(self, instrument: Instrument, channel: Channel) -> None:
        self._instrument = instrument
        self._channel = channel
        self._root = node("SOURce", channel.number, optional=True)

    def commands(self) -> list[Command]:
        """Return the part of the command table."""
        return [
            *self._function(),
            *self._sweep(),
            *self._pulse(),
            *wait_commands(f"{self._root}:WAIT", lambda: self._source.wait),
            *self._one_function(VOLT),
            *self._one_function(CURR),
        ]

    @property
    def _source(self) -> SourceSettings:
        return self._channel.setup.source

    def _guarded(self, pattern: str, parameter: Parameter, name: str) -> Command:
        """Return the command of a setting that a running transient action holds."""

        def write(value: object) -> None:
            self._check_idle()
            setattr(self._source, name, value)

        return Command(
            f"{self._root}{pattern}",
            write,
            lambda: parameter.format(getattr(self._source, name)),
            (parameter,),
        )

    def _check_idle(self) -> None:
        self._instrument.check_idle([self._channel], [TRANSIENT])

    # --- function, sweep, pulse -------------------------------------------------------------

    def _function(self) -> list[Command]:
        return [
            Command(
                f"{self._root}:FUNCtion:MODE",
                self._set_function,
                lambda: self._source.function,
                (Choice(("VOLTage", "CURRent")),),
            ),
            self._guarded(":FUNCtion[:SHAPe]", Choice(("DC", "PULSe")), "shape"),
            self._guarded(":FUNCtion:TRIGgered:CONTinuous", Boolean(), "keeps_last"),
        ]

    def _set_function(self, function: str) -> None:
        if function != self._source.function:
            self._instrument.check_idle([self._channel], KINDS)
            self._instrument.switch_off(self._channel)
            self._source.function = function
            self._channel.to_immediate_level()

    def _sweep(self) -> list[Command]:
        return [
            self._guarded(":SWEep:DIRection", Choice(("UP", "DOWN")), "direction"),
            self._guarded(":SWEep:SPACing", Choice(("LINear", "LOGarithmic")), "spacing"),
            self._guarded(":SWEep:STAir", Choice(("SINGle", "DOUBle")), "staircase"),
            self._guarded(":SWEep:RANGing", Choice(("BEST", "FIXed", "AUTO")), "ranging"),
            Command(
                f"{self._root}:SWEep:POINts",
                self._set_points,
                lambda: _POINTS.format(self._source.points),
                (_POINTS,),
            ),
        ]

    def _set_points(self, points: int) -> None:
        self._check_idle()
        set_points(self._source, points)

    def _pulse(self) -> list[Command]:
        return [
            self._guarded(":PULSe:DELay", Time(0, MAX_TIME_S, 0), "pulse_delay_s"),
            self._guarded(
                ":PULSe:WIDTh",
                Time(MIN_PULSE_WIDTH_S, MAX_TIME_S, MIN_PULSE_WIDTH_S),
                "pulse_width_s",
            ),
        ]

    # --- one function -----------------------------------------------------------------------

    def _one_function(self, function: str) -> list[Command]:
        def levels() -> LevelSettings:
            return self._source.by_function[function]

        reach = _REACHES[function]
        level = Nr3(-reach, reach, 0, unit=_UNITS[function])
        tops = levels().ranging.full_scales
        span = Nr3(tops[0], tops[-1], tops[0], unit=_UNITS[function])
        root = f"{self._root}:{_WORDS[function]}"
        return [
            Command(
                f"{root}[:LEVel][:IMMediate][:AMPLitude]",
                lambda value: self._set_level(function, value),
                lambda: level.format(levels().level),
                (level,),
            ),
            Command(
                f"{root}[:LEVel]:TRIGgered[:AMPLitude]",
                lambda value: self._set_triggered(function, value),
                lambda: level.format(levels().triggered),
                (level,),
            ),
            Command(
                f"{root}:MODE",
                lambda mode: self._set_mode(levels(), mode),
                lambda: levels().mode,
                (Choice(("FIXed", "SWEep", "LIST")),),
            ),
            Command(
                f"{root}:RANGe",
                lambda value: self._set_range(function, value),
                lambda: span.format(levels().ranging.full_scale),
                (Nr3(-reach, reach, tops[0], unit=_UNITS[function]),),
            ),
            Command(
                f"{root}:RANGe:AUTO",
                lambda auto: self._set_auto(levels(), auto),
                lambda: Boolean().format(levels().ranging.auto),
                (Boolean(),),
            ),
            Command(
                f"{root}:RANGe:AUTO:LLIMit",
                lambda value: setattr(levels().ranging, "lowest", range_index(tops, value)),
                lambda: span.format(tops[levels().ranging.lowest]),
                (span,),
            ),
            Command(f"{root}:TRANsient[:SPEed]", lambda _: None, lambda: "NORM", (_SPEED,)),
            *self._sweep_of(root, function, level),
            *self._list_of(function, level),
        ]

    def _set_level(self, function: str, level: float) -> None:
        self._channel.check_level(function, level)
        if function == self._source.function:
            self._channel.check_power(level=level)
        levels = self._source.by_function[function]
        levels.level = levels.triggered = level
        if function == self._source.function and not self._is_stepping:
            self._channel.to_immediate_level()

    def _set_triggered(self, function: str, level: float) -> None:
        self._check_idle()
        self._channel.check_level(function, level)
        self._source.by_function[function].triggered = level

    @property
    def _is_stepping(self) -> bool:
        return self._instrument.system.action(self._channel, TRANSIENT) is not None

    def _set_mode(self, levels: LevelSettings, mode: str) -> None:
        self._check_idle()
        levels.mode = mode

    def _set_range(self, function: str, value: float) -> None:
        levels = self._source.by_function[function]
        index = range_index(levels.ranging.full_scales, value)
        if not levels.ranging.auto:
            if range_index(levels.ranging.full_scales, levels.level) > index:
                raise ScpiError(SETTINGS_CONFLICT, "Settings conflict; source level exceeds range")
            levels.ranging.index = index
            self._drive_again()
        levels.stored_range = index

    def _set_auto(self, levels: LevelSettings, auto: bool) -> None:
        ranging = levels.ranging
        if not auto and levels.stored_range is not None:
            needed = range_index(ranging.full_scales, levels.level)
            ranging.index = max(levels.stored_range, needed)
        ranging.auto = auto
        self._drive_again()

    def _drive_again(self) -> None:
        if not self._is_stepping:
            self._channel.to_immediate_level()

    def _sweep_of(self, root: str, function: str, level: Nr3) -> list[Command]:
        def ends() -> tuple[float, float]:
            sweep = self._source.by_function[function].sweep
            return sweep.start, sweep.stop

        def set_ends(start: float, stop: float) -> None:
            self._check_idle()
            set_span(self._source, self._source.by_function[function].sweep, start, stop)

        def set_center(center: float) -> None:
            half = (ends()[1] - ends()[0]) / 2
            set_ends(center - half, center + half)

        def set_full_span(span: float) -> None:
            center = sum(ends()) / 2
            set_ends(center - span / 2, center + span / 2)

        reach = 2 * level.high
        span = Nr3(-reach, reach, 0, unit=level.unit)
        return [
            Command(
                f"{root}:STARt",
                lambda value: set_ends(value, ends()[1]),
                lambda: level.format(ends()[0]),
                (level,),
            ),
            Command(
                f"{root}:STOP",
                lambda value: set_ends(ends()[0], value),
                lambda: level.format(ends()[1]),
                (level,),
            ),
            Command(f"{root}:CENTer", set_center, lambda: level.format(sum(ends()) / 2), (level,)),
            Command(
                f"{root}:SPAN",
                set_full_span,
                lambda: span.format(ends()[1] - ends()[0]),
                (span,),
            ),
            Command(
                f"{root}:STEP",
                lambda value: self._set_step(function, value),
                lambda: span.format(self._source.by_function[function].sweep.step),
                (span,),
            ),
            Command(
                f"{root}:POINts",
                self._set_points,
                lambda: _POINTS.format(self._source.points),
                (_POINTS,),
            ),
        ]

    def _set_step(self, function: str, step: float) -> None:
        self._check_idle()
        sweep = self._source.by_function[function].sweep
        if step and abs((sweep.stop - sweep.start) / step) + 1 > MAX_SWEEP_POINTS:
            raise ScpiError(OUT_OF_RANGE)
        set_step(self._source, sweep, step)

    def _list_of(self, function: str, level: Nr3) -> list[Command]:
        def levels() -> LevelSettings:
            return self._source.by_function[function]

        root = f"{self._root}:LIST:{_WORDS[function]}"
        start = Number(1, MAX_SWEEP_POINTS, 1, integer=True)
        return [
            Command(
                root,
                lambda values: self._set_list(levels(), values),
                lambda: ",".join(level.format(value) for value in levels().values),
                (Several(level),),
            ),
            Command(
                f"{root}:APPend",
                lambda values: self._set_list(levels(), levels().values + values),
                parameters=(Several(level),),
            ),
            Command(f"{root}:POINts", query=lambda: str(len(levels().values))),
            Command(
                f"{root}:STARt",
                lambda value: self._set_list_start(levels(), value),
                lambda: start.format(levels().list_start),
                (start,),
            ),
        ]

    def _set_list(self, levels: LevelSettings, values: list[float]) -> None:
        self._check_idle()
        if len(values) > MAX_SWEEP_POINTS:
            raise ScpiError(TOO_MUCH_DATA)
        levels.values = values
        levels.list_start = min(levels.list_start, len(values))

    def _set_list_start(self, levels: LevelSettings, start: int) -> None:
        self._check_idle()
        if start > len(levels.values):
            raise ScpiError(OUT_OF_RANGE)
        levels.list_start = start


def wait_commands(root: str, wait: Callable[[], Wait]) -> list[Command]:
    """Return the commands of a wait time that ``wait`` returns the settings of."""
    return [
        setting(f"{root}[:STATe]", Boolean(), wait, "on"),
        setting(f"{root}:AUTO", Boolean(), wait, "auto"),
        setting(f"{root}:GAIN", Nr3(0, 100, 1), wait, "gain_ratio"),
        setting(f"{root}:OFFSet", Time(0, 1, 0), wait, "offset_s"),
    ]
