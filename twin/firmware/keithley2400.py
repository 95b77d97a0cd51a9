"""Firmware of a Keithley 2400 as far as sourcing voltage and measuring, over simulated terminals.

Modelled: every command that pymeasure 0.16's ``Keithley2400`` and ``Keithley2400Legacy`` send to
identify, reset, source a voltage, limit the current, measure, switch the output, read errors and
shut down. Anything else, among it buffers, sweeps and the trigger model, is -113.

Refused with -221 although the instrument can do it, because the terminals source voltage only:
sourcing current, ohms in AUTO mode (it sources current), and measuring with the moving filter.

Assumed, because the manual leaves it open: MEASure and CONFigure keep the compliance and the ohms
mode while they set integration time and range of the function to their *RST values; a fixed source
range below the present level is refused with -221; settings are answered without a plus sign.
One conversion takes one integration time: that of the automatic zero is not added.

Source: Series 2400 SourceMeter User's Manual, 2400S-900-01 Rev. K: sections 16 to 18, appendix B.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Set
from dataclasses import replace
from functools import cache, partial

from twin.firmware.keithley2400_setup import (
    AUTO_DELAY_S,
    OVERFLOW,
    V_RANGES_V,
    Range,
    Setup,
    Source,
    i_range,
    r_range,
)
from twin.firmware.scpi import (
    OUT_OF_RANGE,
    SETTINGS_CONFLICT,
    Boolean,
    Choice,
    Command,
    Number,
    Parameter,
    Quoted,
    ScpiEngine,
    ScpiError,
    Several,
    Status,
)
from twin.wiring import Sample, SmuTerminals

MIN_COMPLIANCE_A = 1e-9
MIN_COMPLIANCE_V = 2e-4
MAX_CURRENT_ON_200_V_A = 0.105
TIMESTAMP_PERIOD_S = 1e5

NOT_A_NUMBER = 9.91e37

ELEMENTS = ("VOLTage", "CURRent", "RESistance", "TIME", "STATus")
FUNCTIONS = ("VOLTage", "CURRent", "RESistance")

N_COMMANDS_KEPT = 10_000

_OUTPUT_IS_OFF = (803, "Not permitted with OUTPUT off")
_COMPLIANCE_BELOW_RANGE = (822, "Too small for sense range")
_RANGE_ABOVE_COMPLIANCE = (824, "Cannot exceed compliance range")
_POWER_LIMIT = (826, "Attempt to exceed power limit")


class Keithley2400Firmware:
    """A Keithley 2400 at the far end of a wire; a ``ByteDevice``.

    Bench time passes only in measurements: the source delay, then one integration time
    (``n_plc / line frequency``) for all enabled functions together, times the filter count if the
    repeating filter is on. Front and rear terminals are wired to the same place.

    Args:
        terminals: output terminals on the simulated bench.
        line_frequency_hz: of the simulated mains, 50 or 60.

    Attributes:
        commands_seen: the last messages that arrived, without terminator.
        output_off_count: how often the output was switched off, by whatever command.
    """

    def __init__(self, terminals: SmuTerminals, line_frequency_hz: int = 50) -> None:
        self.commands_seen: deque[str] = deque(maxlen=N_COMMANDS_KEPT)
        self.output_off_count = 0
        self._terminals = terminals
        self._mains_hz = line_frequency_hz
        self._line_frequency_hz = line_frequency_hz
        self._line_frequency_auto = True
        self._setup = Setup()
        self._output_on = False
        self._time_zero_s = terminals.now_s()
        status = Status()
        table = [*status.commands(), *self._system(), *self._output(), *self._source()]
        table += [*self._sense(), *self._measurement()]
        self._engine = ScpiEngine(table, status, self.commands_seen.append)

    @property
    def output_on(self) -> bool:
        """Whether the output is on."""
        return self._output_on

    def receive(self, data: bytes) -> bytes:
        """Take what arrived and return the replies; bench time passes in measurements."""
        return self._engine.receive(data)

    # --- command tables ---------------------------------------------------------------------

    def _system(self) -> list[Command]:
        """System commands; display, terminals and the like are settings that change nothing."""
        return [
            Command("*IDN", query=self._identity),
            Command("*RST", write=self._reset),
            Command("*OPT", query=lambda: "0"),
            Command(":STATus:PRESet", write=lambda: None),  # none of its registers is modelled
            Command(":ABORt", write=lambda: None),  # the trigger model is always idle here
            Command(":SYSTem:TIME:RESet", write=self._reset_time),
            Command(
                ":SYSTem:BEEPer[:IMMediate]",
                write=lambda frequency_hz, duration_s: None,
                parameters=(Number(65, 2e6, 65), Number(0, 7.9, 0)),
            ),
            Command(
                ":SYSTem:LFRequency",
                self._set_line_frequency,
                lambda: str(self._line_frequency_hz),
                (Number(50, 60, self._mains_hz, integer=True),),
            ),
            Command(
                ":SYSTem:LFRequency:AUTO",
                self._set_line_frequency_auto,
                lambda: Boolean().format(self._line_frequency_auto),
                (Boolean(),),
            ),
            Command(
                ":SYSTem:AZERo[:STATe]",
                self._set_auto_zero,
                lambda: Boolean().format(self._setup.auto_zero),
                (Choice(("ON", "OFF", "ONCE", "1", "0")),),
            ),
            self._stored(":DISPlay:ENABle", Boolean(), "display_on"),
            self._stored(":FORMat[:DATA]", Choice(("ASCii",)), "data_format"),
            Command(
                ":FORMat:ELEMents[:SENSe[1]]",
                lambda names: setattr(self._setup, "elements", frozenset(names)),
                lambda: ",".join(_in_order(ELEMENTS, self._setup.elements)),
                (Several(Choice(ELEMENTS)),),
            ),
        ]

    def _output(self) -> list[Command]:
        switches_off = self._stored_with_output_off
        return [
            Command(
                ":OUTPut[1][:STATe]",
                self._set_output,
                lambda: Boolean().format(self._output_on),
                (Boolean(),),
            ),
            self._stored(
                ":OUTPut[1]:SMODe",
                Choice(("HIMPedance", "NORMal", "ZERO", "GUARd")),
                "output_off_state",
            ),
            switches_off(":ROUTe:TERMinals", Choice(("FRONt", "REAR")), "terminals"),
            switches_off(":SYSTem:RSENse", Boolean(), "four_wire"),
            Command(":SOURce[1]:CLEar[:IMMediate]", write=self._switch_off),
            self._stored(":SOURce[1]:CLEar:AUTO", Boolean(), "auto_output_off"),
        ]

    def _source(self) -> list[Command]:
        function = Choice(("VOLTage", "CURRent"))
        return [
            Command(
                ":SOURce[1]:FUNCtion[:MODE]",
                self._set_source_function,
                lambda: self._setup.source_function,
                (function,),
            ),
            Command(
                ":SOURce[1]:DELay",
                self._set_delay,
                lambda: f"{self._setup.delay_s:.6E}",
                (Number(0, 999.9999, 0),),
            ),
            Command(
                ":SOURce[1]:DELay:AUTO",
                self._set_delay_auto,
                lambda: Boolean().format(self._setup.delay_auto),
                (Boolean(),),
            ),
            self._stored(":SOURce[1]:VOLTage:MODE", Choice(("FIXed",)), "source_mode"),
            *self._one_source(":SOURce[1]:VOLTage", 210.0, lambda: self._setup.source_v),
            *self._one_source(":SOURce[1]:CURRent", 1.05, lambda: self._setup.source_a),
        ]

    def _one_source(self, root: str, limit: float, source: Callable[[], Source]) -> list[Command]:
        amplitude = Number(-limit, limit, 0)
        return [
            Command(
                f"{root}[:LEVel][:IMMediate][:AMPLitude]",
                lambda level: self._set_level(source(), level),
                lambda: amplitude.format(source().level),
                (amplitude,),
            ),
            Command(
                f"{root}:RANGe",
                lambda value: self._set_source_range(source(), value),
                lambda: amplitude.format(source().range.full_scale),
                (amplitude,),
            ),
            Command(
                f"{root}:RANGe:AUTO",
                lambda auto: self._set_source_auto(source(), auto),
                lambda: Boolean().format(source().range.auto),
                (Boolean(),),
            ),
        ]

    def _sense(self) -> list[Command]:
        functions = Several(Quoted(Choice(FUNCTIONS)))
        root = "[:SENSe[1]]"
        return [
            Command(
                f"{root}:FUNCtion[:ON]", self._enable, lambda: self._enabled(True), (functions,)
            ),
            Command(f"{root}:FUNCtion[:ON]:ALL", write=self._enable_all),
            Command(
                f"{root}:FUNCtion:OFF", self._disable, lambda: self._enabled(False), (functions,)
            ),
            Command(f"{root}:FUNCtion:OFF:ALL", write=lambda: self._disable(_shorts(FUNCTIONS))),
            Command(
                f"{root}:FUNCtion:CONCurrent",
                self._set_concurrent,
                lambda: Boolean().format(self._setup.concurrent),
                (Boolean(),),
            ),
            *self._one_sense("CURRent[:DC]", Number(-1.05, 1.05, 1.05e-4), "sense_a"),
            *self._one_sense("VOLTage[:DC]", Number(-210, 210, 21), "sense_v"),
            *self._one_sense("RESistance", Number(0, 2.1e8, 2.1e5), "sense_ohm"),
            *self._protection("CURRent[:DC]", Number(-1.05, 1.05, 1.05e-4), "compliance_a"),
            *self._protection("VOLTage[:DC]", Number(-210, 210, 21), "compliance_v"),
            self._stored(f"{root}:RESistance:MODE", Choice(("AUTO", "MANual")), "ohms_mode"),
            self._stored(f"{root}:AVERage[:STATe]", Boolean(), "filter_on"),
            self._stored(f"{root}:AVERage:TCONtrol", Choice(("REPeat", "MOVing")), "filter_type"),
            self._stored(f"{root}:AVERage:COUNt", Number(1, 100, 10, integer=True), "filter_count"),
        ]

    def _one_sense(self, function: str, expected: Number, name: str) -> list[Command]:
        def present() -> Range:
            sense: Range = getattr(self._setup, name)
            return self._setup.source_v.range if name == "sense_v" else sense

        root = f"[:SENSe[1]]:{function}"
        return [
            self._stored(f"{root}:NPLCycles", Number(0.01, 10, 1), "n_plc"),
            Command(
                f"{root}:RANGe[:UPPer]",
                partial(self._set_sense_range, name),
                lambda: expected.format(present().full_scale),
                (expected,),
            ),
            Command(
                f"{root}:RANGe:AUTO",
                partial(self._set_sense_auto, name),
                lambda: Boolean().format(getattr(self._setup, name).auto),
                (Boolean(),),
            ),
        ]

    def _protection(self, function: str, level: Number, name: str) -> list[Command]:
        return [
            Command(
                f"[:SENSe[1]]:{function}:PROTection[:LEVel]",
                partial(self._set_compliance, name),
                lambda: level.format(getattr(self._setup, name)),
                (level,),
            )
        ]

    def _measurement(self) -> list[Command]:
        commands = [
            Command(":READ", query=self._read),
            Command(":CONFigure", query=lambda: self._enabled(True)),
            Command(":MEASure", query=self._measure),
        ]
        for word in FUNCTIONS:
            name = word if word == "RESistance" else f"{word}[:DC]"
            (short,) = _shorts((word,))
            commands += [
                Command(f":CONFigure:{name}", write=partial(self._configure, short)),
                Command(f":MEASure:{name}", query=partial(self._measure, short)),
            ]
        return commands

    def _stored(self, pattern: str, parameter: Parameter, name: str) -> Command:
        """Return a command for a setting that is kept and answered, and no more."""
        return Command(
            pattern,
            lambda value: setattr(self._setup, name, value),
            lambda: parameter.format(getattr(self._setup, name)),
            (parameter,),
        )

    def _stored_with_output_off(self, pattern: str, parameter: Parameter, name: str) -> Command:
        """Return a command for a setting whose change switches the output off."""

        def write(value: object) -> None:
            if self._output_on and value != getattr(self._setup, name):
                self._switch_off()
            setattr(self._setup, name, value)

        return replace(self._stored(pattern, parameter, name), write=write)

    # --- system -----------------------------------------------------------------------------

    def _identity(self) -> str:
        serial = self._terminals.serial_number
        return f"KEITHLEY INSTRUMENTS INC.,MODEL 2400,{serial},C30   Mar 17 2006/A02  /K/J"

    def _reset(self) -> None:
        self._switch_off()
        self._setup = Setup()

    def _reset_time(self) -> None:
        self._time_zero_s = self._terminals.now_s()

    def _set_line_frequency(self, frequency_hz: int) -> None:
        if frequency_hz not in (50, 60):
            raise ScpiError(OUT_OF_RANGE)
        self._line_frequency_hz = frequency_hz
        self._line_frequency_auto = False

    def _set_line_frequency_auto(self, auto: bool) -> None:
        self._line_frequency_auto = auto
        if auto:
            self._line_frequency_hz = self._mains_hz

    def _set_auto_zero(self, state: str) -> None:
        if state == "ONCE":
            return
        self._setup.auto_zero = state in ("ON", "1")

    # --- output and source ------------------------------------------------------------------

    def _set_output(self, on: bool) -> None:
        if on:
            self._switch_on()
        else:
            self._switch_off()

    def _switch_on(self) -> None:
        self._output_on = True
        self._drive()

    def _switch_off(self) -> None:
        self._terminals.release()
        self._output_on = False
        self.output_off_count += 1

    def _drive(self) -> None:
        """Bring a changed level or limit to the terminals at once."""
        if self._output_on:
            self._terminals.apply(self._setup.source_v.level, self._current_limit_a())

    def _current_limit_a(self) -> float:
        """The programmed limit, or the full scale of a fixed range that is below it."""
        sense = self._setup.sense_a
        limit_a = self._setup.compliance_a
        return limit_a if sense.auto else min(limit_a, sense.full_scale)

    def _set_source_function(self, function: str) -> None:
        if function != "VOLT":
            raise ScpiError(SETTINGS_CONFLICT)

    def _set_level(self, source: Source, level: float) -> None:
        full_scale = source.range.full_scale
        if source.range.auto:
            full_scale = source.range.fitting(level)
        elif abs(level) > full_scale * (1 + 1e-9):
            raise ScpiError(OUT_OF_RANGE)
        self._check_power(source, full_scale, self._setup.compliance_a)
        source.range.full_scale = full_scale
        source.level = level
        self._drive()

    def _set_source_range(self, source: Source, value: float) -> None:
        full_scale = source.range.fitting(value)
        if full_scale < abs(source.level):
            raise ScpiError(SETTINGS_CONFLICT)
        self._check_power(source, full_scale, self._setup.compliance_a)
        source.range.fix(value)

    def _set_source_auto(self, source: Source, auto: bool) -> None:
        source.range.auto = auto
        if source.level:
            source.range.follow(source.level)

    def _check_power(self, source: Source, full_scale: float, compliance_a: float) -> None:
        is_v_source = source is self._setup.source_v
        if is_v_source and full_scale > V_RANGES_V[-2] and compliance_a > MAX_CURRENT_ON_200_V_A:
            raise ScpiError(*_POWER_LIMIT)

    def _set_delay(self, delay_s: float) -> None:
        self._setup.delay_s = delay_s
        self._setup.delay_auto = False

    def _set_delay_auto(self, auto: bool) -> None:
        self._setup.delay_auto = auto
        if auto:
            self._setup.delay_s = AUTO_DELAY_S

    # --- sense ------------------------------------------------------------------------------

    def _enable(self, functions: list[str]) -> None:
        before = self._setup.functions if self._setup.concurrent else frozenset[str]()
        if not self._setup.concurrent and len(set(functions)) > 1:
            raise ScpiError(SETTINGS_CONFLICT)
        self._setup.functions = before | frozenset(functions)

    def _enable_all(self) -> None:
        if not self._setup.concurrent:
            raise ScpiError(SETTINGS_CONFLICT)
        self._setup.functions = frozenset(_shorts(FUNCTIONS))

    def _disable(self, functions: Iterable[str]) -> None:
        self._setup.functions -= frozenset(functions)

    def _set_concurrent(self, concurrent: bool) -> None:
        self._setup.concurrent = concurrent
        if not concurrent and len(self._setup.functions) > 1:
            self._setup.functions = frozenset({"VOLT"})

    def _enabled(self, on: bool) -> str:
        names = [n for n in _shorts(FUNCTIONS) if (n in self._setup.functions) is on]
        return ",".join(f'"{n}"' if n == "RES" else f'"{n}:DC"' for n in names) or '""'

    def _set_sense_range(self, name: str, value: float) -> None:
        sense: Range = getattr(self._setup, name)
        if name == "sense_v":
            raise ScpiError(SETTINGS_CONFLICT)  # while sourcing voltage, the source range rules
        if name == "sense_a" and sense.fitting(value) > sense.fitting(self._setup.compliance_a):
            raise ScpiError(*_RANGE_ABOVE_COMPLIANCE)
        sense.fix(value)
        self._drive()

    def _set_sense_auto(self, name: str, auto: bool) -> None:
        getattr(self._setup, name).auto = auto
        self._drive()

    def _set_compliance(self, name: str, value: float) -> None:
        magnitude = abs(value)
        if magnitude < (MIN_COMPLIANCE_A if name == "compliance_a" else MIN_COMPLIANCE_V):
            raise ScpiError(OUT_OF_RANGE)
        if name == "compliance_a":
            self._check_compliance(magnitude)
        setattr(self._setup, name, magnitude)
        self._drive()

    def _check_compliance(self, compliance_a: float) -> None:
        sense = self._setup.sense_a
        if not sense.auto and compliance_a < 1e-3 * sense.full_scale / 1.05:
            raise ScpiError(*_COMPLIANCE_BELOW_RANGE)
        source = self._setup.source_v
        self._check_power(source, source.range.full_scale, compliance_a)

    # --- measurement ------------------------------------------------------------------------

    def _configure(self, function: str) -> None:
        self._check_measurable({function})
        setup = self._setup
        setup.functions = frozenset({function})
        setup.n_plc = 1.0
        if function == "CURR":
            setup.sense_a = i_range()
        elif function == "RES":
            setup.sense_ohm = r_range()
        self._switch_on()

    def _measure(self, function: str | None = None) -> str:
        if function is not None:
            self._configure(function)
        elif not self._output_on:
            self._check_measurable(self._setup.functions)
            self._switch_on()
        return self._read()

    def _check_measurable(self, functions: Set[str]) -> None:
        setup = self._setup
        auto_ohms = "RES" in functions and setup.ohms_mode == "AUTO"
        if auto_ohms or (setup.filter_on and setup.filter_type == "MOV"):
            raise ScpiError(SETTINGS_CONFLICT)

    def _read(self) -> str:
        self._check_measurable(self._setup.functions)
        if not self._output_on:
            if not self._setup.auto_output_off:
                raise ScpiError(*_OUTPUT_IS_OFF)
            self._switch_on()
        sample = self._convert()
        reply = self._reply(sample)
        self._setup.sense_a.follow(sample.i_a)
        if self._setup.auto_output_off:
            self._switch_off()
        return reply

    def _convert(self) -> Sample:
        setup = self._setup
        self._terminals.wait_s(setup.delay_s)
        aperture_s = setup.n_plc / self._line_frequency_hz
        n_samples = setup.filter_count if setup.filter_on else 1
        samples = [self._terminals.measure(aperture_s) for _ in range(n_samples)]
        return Sample(
            t_s=samples[-1].t_s,
            v_v=sum(s.v_v for s in samples) / n_samples,
            i_a=sum(s.i_a for s in samples) / n_samples,
            in_compliance=samples[-1].in_compliance,
        )

    def _reply(self, sample: Sample) -> str:
        functions = self._setup.functions
        resistance_ohm = sample.v_v / sample.i_a if sample.i_a else OVERFLOW
        values = {
            # a voltage that is not measured is reported as programmed
            "VOLT": sample.v_v if "VOLT" in functions else self._setup.source_v.level,
            "CURR": sample.i_a if "CURR" in functions else NOT_A_NUMBER,
            "RES": resistance_ohm if "RES" in functions else NOT_A_NUMBER,
            "TIME": (sample.t_s - self._time_zero_s) % TIMESTAMP_PERIOD_S,
            "STAT": float(self._status_word(sample)),
        }
        elements = _in_order(ELEMENTS, self._setup.elements)
        return ",".join(f"{values[name]:+.6E}" for name in elements)

    def _status_word(self, sample: Sample) -> int:
        """The 24-bit status word of a reading (manual, FORMat:ELEMents)."""
        setup = self._setup
        by_range = self._current_limit_a() < setup.compliance_a
        bits = {
            0: "RES" in setup.functions and not sample.i_a,  # overflow
            1: setup.filter_on,
            2: setup.terminals == "FRON",
            3: sample.in_compliance and not by_range,
            11: "VOLT" in setup.functions,
            12: "CURR" in setup.functions,
            13: "RES" in setup.functions,
            14: True,  # sourcing voltage
            16: sample.in_compliance and by_range,
            22: setup.four_wire,
        }
        return sum(1 << bit for bit, is_set in bits.items() if is_set)


@cache
def _shorts(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(Choice((word,)).parse(word) for word in words)


def _in_order(words: tuple[str, ...], chosen: frozenset[str]) -> list[str]:
    return [name for name in _shorts(words) if name in chosen]
