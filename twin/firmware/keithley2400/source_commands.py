"""Command table of source, sweeps and output of a Keithley 2400.

Source: manual 2400S-900-01 Rev. K, section 18 (OUTPut, ROUTe, SOURce1). Not modelled: source memory
(``:SOURce:FUNCtion MEMory`` is -224), digital patterns of limit tests.
"""

from __future__ import annotations

from functools import partial

from twin.firmware.keithley2400.model import MAX_LIST_POINTS, MAX_POINTS
from twin.firmware.keithley2400.output import Output
from twin.firmware.keithley2400.parameters import (
    LEVELS,
    LONG_NAMES,
    SPANS,
    RangeNumber,
    next_range,
)
from twin.firmware.keithley2400.settings import CURR, VOLT, Source, Sweep
from twin.firmware.keithley2400.sweep import points_for, step
from twin.firmware.scpi import (
    OUT_OF_RANGE,
    Boolean,
    Choice,
    Command,
    Number,
    Parameter,
    ScpiError,
    Several,
    setting,
)

ROOT = ":SOURce[1]"
ON_OFF = Boolean()
OFF_STATES = Choice(("HIMPedance", "NORMal", "ZERO", "GUARd"))


class SourceCommands:
    """Commands of the source.

    Args:
        output: what they act on.
    """

    def __init__(self, output: Output) -> None:
        self._output = output

    def commands(self) -> list[Command]:
        """Return the table."""
        table = [*self._output_commands(), *self._common(), *self._sweep()]
        for function in (VOLT, CURR):
            table += [*self._fixed(function), *self._swept(function), *self._listed(function)]
        return table

    def _setup(self) -> object:
        return self._output.setup

    def _stored(self, pattern: str, parameter: Parameter, name: str) -> Command:
        return setting(pattern, parameter, self._setup, name)

    def _with_output_off(self, pattern: str, parameter: Parameter, name: str) -> Command:
        """Return the command of a setting whose change switches the output off."""

        def write(value: object) -> None:
            if value != getattr(self._setup(), name):
                self._output.switch_off_if_on()
            setattr(self._setup(), name, value)

        plain = self._stored(pattern, parameter, name)
        return Command(pattern, write, plain.query, (parameter,))

    def _output_commands(self) -> list[Command]:
        output = self._output
        return [
            Command(
                ":OUTPut[1][:STATe]",
                output.set_state,
                lambda: ON_OFF.format(output.is_on),
                (ON_OFF,),
            ),
            self._stored(":OUTPut[1]:SMODe", OFF_STATES, "output_off_state"),
            self._stored(":OUTPut[1]:ENABle[:STATe]", ON_OFF, "output_enable"),
            Command(
                ":OUTPut[1]:ENABle:TRIPped",
                query=lambda: ON_OFF.format(not output.setup.output_enable),
            ),
            self._with_output_off(":ROUTe:TERMinals", Choice(("FRONt", "REAR")), "terminals"),
            self._with_output_off(":SYSTem:RSENse", ON_OFF, "four_wire"),
            self._with_output_off(":SYSTem:GUARd", Choice(("OHMS", "CABLe")), "guard"),
            Command(f"{ROOT}:CLEar[:IMMediate]", write=output.switch_off),
            self._stored(f"{ROOT}:CLEar:AUTO", ON_OFF, "auto_output_off"),
            self._stored(
                f"{ROOT}:CLEar:AUTO:MODE", Choice(("ALWays", "TCOunt")), "auto_output_off_mode"
            ),
            self._stored(":SOURce2:TTL[:LEVel]", Number(0, 15, 15, integer=True), "digital_output"),
        ]

    def _common(self) -> list[Command]:
        output = self._output
        return [
            Command(
                f"{ROOT}:FUNCtion[:MODE]",
                output.set_function,
                lambda: output.setup.source_function,
                (Choice(("VOLTage", "CURRent")),),
            ),
            Command(
                f"{ROOT}:DELay",
                output.set_delay,
                lambda: f"{output.delay_s:.6E}",
                (Number(0, 999.9999, 0),),
            ),
            Command(
                f"{ROOT}:DELay:AUTO",
                output.set_delay_auto,
                lambda: ON_OFF.format(output.setup.delay_auto),
                (ON_OFF,),
            ),
            Command(
                f"{ROOT}:VOLTage:PROTection[:LEVel]",
                output.set_protection,
                lambda: f"{output.setup.protection_v:.6E}",
                (_Protection(-210, 210, 210),),
            ),
            Command(
                f"{ROOT}:VOLTage:PROTection:TRIPped",
                query=lambda: ON_OFF.format(self._is_protecting()),
            ),
        ]

    def _is_protecting(self) -> bool:
        setup = self._output.setup
        if setup.source_function == VOLT:
            return self._output.is_on and abs(setup.source.level) > setup.protection_v
        return self._output.is_limiting and setup.protection_v <= setup.compliance_v

    # --- fixed levels -----------------------------------------------------------------------

    def _fixed(self, function: str) -> list[Command]:
        output, level, root = self._output, LEVELS[function], f"{ROOT}:{LONG_NAMES[function]}"
        expected = RangeNumber(level.low, level.high, level.default)

        def source() -> Source:
            return output.setup.sources[function]

        def triggered() -> float:
            waiting = source().triggered
            return source().level if waiting is None else waiting

        def set_range(value: float | str) -> None:
            if isinstance(value, str):
                value = next_range(function, source().range.full_scale, value)
            output.set_range(function, value)

        return [
            Command(
                f"{root}[:LEVel][:IMMediate][:AMPLitude]",
                partial(output.set_level, function),
                lambda: level.format(source().level),
                (level,),
            ),
            Command(
                f"{root}[:LEVel]:TRIGgered[:AMPLitude]",
                partial(output.set_triggered_level, function),
                lambda: level.format(triggered()),
                (level,),
            ),
            Command(
                f"{root}:RANGe",
                set_range,
                lambda: level.format(source().range.full_scale),
                (expected,),
            ),
            Command(
                f"{root}:RANGe:AUTO",
                partial(output.set_range_auto, function),
                lambda: ON_OFF.format(source().range.auto),
                (ON_OFF,),
            ),
            setting(f"{root}:MODE", Choice(("FIXed", "LIST", "SWEep")), source, "mode"),
        ]

    # --- sweeps -----------------------------------------------------------------------------

    def _sweep(self) -> list[Command]:
        def sweep() -> Sweep:
            return self._output.setup.sweep

        root = f"{ROOT}:SWEep"
        n_points = Number(2, MAX_POINTS, MAX_POINTS, integer=True)
        choices = {
            "SPACing": (("LINear", "LOGarithmic"), "spacing"),
            "DIRection": (("UP", "DOWn"), "direction"),
            "RANGing": (("BEST", "AUTO", "FIXed"), "ranging"),
            "CABort": (("NEVer", "EARLy", "LATE"), "abort"),
        }
        return [
            setting(f"{root}:POINts", n_points, sweep, "n_points"),
            *(
                setting(f"{root}:{node}", Choice(words), sweep, name)
                for node, (words, name) in choices.items()
            ),
        ]

    def _swept(self, function: str) -> list[Command]:
        output = self._output
        root, level, span = f"{ROOT}:{LONG_NAMES[function]}", LEVELS[function], SPANS[function]

        def source() -> Source:
            return output.setup.sources[function]

        def set_step(value: float) -> None:
            output.setup.sweep.n_points = min(points_for(source(), value), MAX_POINTS)

        def set_both(center: float, width: float) -> None:
            ends = center - width / 2, center + width / 2
            if max(map(abs, ends)) > level.high * (1 + 1e-9):
                raise ScpiError(OUT_OF_RANGE)
            source().start, source().stop = ends

        def center() -> float:
            return (source().start + source().stop) / 2

        def width() -> float:
            return source().stop - source().start

        return [
            setting(f"{root}:STARt", level, source, "start"),
            setting(f"{root}:STOP", level, source, "stop"),
            Command(
                f"{root}:STEP",
                set_step,
                lambda: span.format(step(source(), output.setup.sweep)),
                (span,),
            ),
            Command(
                f"{root}:CENTer",
                lambda value: set_both(value, width()),
                lambda: level.format(center()),
                (level,),
            ),
            Command(
                f"{root}:SPAN",
                lambda value: set_both(center(), value),
                lambda: span.format(width()),
                (span,),
            ),
        ]

    def _listed(self, function: str) -> list[Command]:
        levels = Several(LEVELS[function])
        root = f"{ROOT}:LIST:{LONG_NAMES[function]}"

        def source() -> Source:
            return self._output.setup.sources[function]

        def replace(points: list[float]) -> None:
            if len(points) > MAX_LIST_POINTS:
                raise ScpiError(OUT_OF_RANGE)
            source().points, source().first = points, 1

        def append(points: list[float]) -> None:
            first = source().first
            # a list may grow beyond what one message may hold (manual: up to 2500 points)
            if len(points) > MAX_LIST_POINTS or len(source().points) + len(points) > MAX_POINTS:
                raise ScpiError(OUT_OF_RANGE)
            source().points, source().first = [*source().points, *points], first

        def written() -> str:
            return ",".join(f"{point:+.6E}" for point in source().points)

        return [
            Command(root, replace, written, (levels,)),
            Command(f"{root}:APPend", write=append, parameters=(levels,)),
            Command(f"{root}:POINts", query=lambda: str(len(source().points))),
            setting(f"{root}:STARt", Number(1, MAX_POINTS, 1, integer=True), source, "first"),
        ]


class _Protection(Number):
    """A voltage, or NONE for no limit but that of the instrument."""

    def parse(self, text: str) -> float:
        """Return the voltage."""
        return self.high if text.upper() == "NONE" else super().parse(text)
