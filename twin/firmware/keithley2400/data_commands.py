"""Command table of data formats, buffer and computations of a Keithley 2400.

Source: manual 2400S-900-01 Rev. K, section 18 (FORMat, TRACe, CALCulate1 to 3).
"""

from __future__ import annotations

from collections.abc import Callable

from twin.firmware.keithley2400.calculate import COMPLIANCE_TEST, Calculator
from twin.firmware.keithley2400.model import EXPRESSION_NOT_FOUND, MAX_POINTS
from twin.firmware.keithley2400.output import Output
from twin.firmware.keithley2400.readings import in_order, written, written_readings
from twin.firmware.keithley2400.settings import LIMIT_NUMBERS, Limit, Setup
from twin.firmware.keithley2400.trace import BYTES_PER_READING, DEFAULT_POINTS, Trace
from twin.firmware.keithley2400.trigger import TriggerModel
from twin.firmware.scpi import (
    ILLEGAL_PARAMETER_VALUE,
    Boolean,
    Choice,
    Command,
    Number,
    Parameter,
    ScpiError,
    Several,
    String,
    setting,
)

ON_OFF = Boolean()
VALUE = Number(-9.999999e20, 9.999999e20, 0)
ELEMENTS = Choice(("VOLTage", "CURRent", "RESistance", "TIME", "STATus"))
DATA_FORMATS = Choice(("ASCii", "REAL", "SREal"))
REGISTER_FORMATS = Choice(("ASCii", "HEXadecimal", "OCTal", "BINary"))
STATISTICS = Choice(("MEAN", "SDEViation", "MAXimum", "MINimum", "PKPK"))
TRACE = (":TRACe", ":DATA")
POWER = "POWER"


class DataCommands:
    """Commands of what happens to readings.

    Args:
        output: has the settings.
        trace: the buffer.
        calculator: what is computed.
        model: knows when the buffer changes.
    """

    def __init__(
        self, output: Output, trace: Trace, calculator: Calculator, model: TriggerModel
    ) -> None:
        self._output, self._trace = output, trace
        self._calculator, self._model = calculator, model

    @property
    def _setup(self) -> Setup:
        return self._output.setup

    def _stored(self, pattern: str, parameter: Parameter, name: str) -> Command:
        return setting(pattern, parameter, lambda: self._setup, name)

    def commands(self) -> list[Command]:
        """Return the table."""
        table = [*self._format(), *self._math(), *self._null(), *self._statistics()]
        for root in TRACE:
            table += self._buffer(root)
        for number in LIMIT_NUMBERS:
            table += self._limit(number)
        return table

    # --- formats ----------------------------------------------------------------------------

    def _format(self) -> list[Command]:
        return [
            Command(
                ":FORMat[:DATA]",
                self._set_format,
                lambda: "REAL,32" if self._setup.data_format == "REAL" else self._setup.data_format,
                (DATA_FORMATS, Number(32, 32, 32, integer=True)),
                n_optional=1,
            ),
            self._stored(":FORMat:BORDer", Choice(("NORMal", "SWAPped")), "byte_order"),
            self._stored(":FORMat:SREGister", REGISTER_FORMATS, "register_format"),
            Command(
                ":FORMat:ELEMents[:SENSe[1]]",
                lambda names: setattr(self._setup, "elements", frozenset(names)),
                lambda: ",".join(in_order(self._setup.elements)),
                (Several(ELEMENTS),),
            ),
        ]

    def _set_format(self, name: str, length: int | None = None) -> None:
        if length is not None and name != "REAL":
            raise ScpiError(ILLEGAL_PARAMETER_VALUE)
        self._setup.data_format = name

    # --- buffer -----------------------------------------------------------------------------

    def _buffer(self, root: str) -> list[Command]:
        trace = self._trace
        feeds = Choice(("SENSe", "SENSe1", "CALCulate", "CALCulate1", "CALCulate2"))
        points = Number(1, MAX_POINTS, DEFAULT_POINTS, integer=True)
        return [
            Command(f"{root}:DATA", query=self._stored_data),
            Command(f"{root}:FREE", query=self._free),
            Command(
                f"{root}:POINts",
                self._and_show(trace.set_points),
                lambda: str(trace.n_points),
                (points,),
            ),
            Command(f"{root}:POINts:ACTual", query=lambda: str(len(trace.readings))),
            Command(
                f"{root}:FEED",
                lambda name: trace.set_feed(name.removesuffix("1")),
                lambda: f"{trace.feed}1" if trace.feed != "CALC2" else trace.feed,
                (feeds,),
            ),
            Command(
                f"{root}:FEED:CONTrol",
                self._and_show(trace.set_control),
                lambda: "NEXT" if trace.is_storing else "NEV",
                (Choice(("NEXT", "NEVer")),),
            ),
            Command(f"{root}:CLEar", write=self._and_show(trace.clear)),
            setting(
                f"{root}:TSTamp:FORMat", Choice(("ABSolute", "DELTa")), lambda: trace, "stamps"
            ),
        ]

    def _and_show(self, action: Callable[..., None]) -> Callable[..., None]:
        def act(*values: object) -> None:
            action(*values)
            self._model.show_buffer()

        return act

    def _stored_data(self) -> str:
        readings = self._trace.stamped()
        if self._trace.feed == "SENS":
            return written_readings(readings, self._setup)
        return written(self._trace.computed, self._setup)

    def _free(self) -> str:
        used = len(self._trace.readings) * BYTES_PER_READING
        return f"{MAX_POINTS * BYTES_PER_READING - used},{used}"

    def _statistics(self) -> list[Command]:
        return [
            self._stored(":CALCulate3:FORMat", STATISTICS, "statistic"),
            Command(":CALCulate3:DATA", query=self._statistic),
        ]

    def _statistic(self) -> str:
        values = self._trace.statistic(self._setup.statistic)
        return ",".join(f"{value:+.6E}" for value in values)

    # --- computations -----------------------------------------------------------------------

    def _math(self) -> list[Command]:
        root, calculator = ":CALCulate[1]", self._calculator

        def written_powers(latest: bool) -> str:
            values = calculator.powers
            found = calculator.latest(values) if latest else calculator.all(values)
            return written(found, self._setup)

        return [
            self._stored(f"{root}:STATe", ON_OFF, "computes"),
            Command(f"{root}:DATA", query=lambda: written_powers(False)),
            Command(f"{root}:DATA:LATest", query=lambda: written_powers(True)),
            Command(f"{root}:MATH[:EXPRession]:CATalog", query=lambda: f'"{POWER}"'),
            Command(f"{root}:MATH[:EXPRession]", query=lambda: "(VOLT*CURR)"),
            Command(
                f"{root}:MATH[:EXPRession]:NAME",
                _check_expression,
                lambda: f'"{POWER}"',
                (String(),),
            ),
        ]

    def _null(self) -> list[Command]:
        root, calculator = ":CALCulate2", self._calculator
        feeds = Choice(("VOLTage", "CURRent", "RESistance", "CALCulate", "CALCulate1"))
        return [
            Command(
                f"{root}:FEED",
                lambda name: setattr(self._setup, "feed", name.removesuffix("1")),
                lambda: "CALC1" if self._setup.feed == "CALC" else self._setup.feed,
                (feeds,),
            ),
            self._stored(f"{root}:NULL:OFFSet", VALUE, "null_offset"),
            self._stored(f"{root}:NULL:STATe", ON_OFF, "null_on"),
            Command(f"{root}:NULL:ACQuire", write=calculator.acquire_offset),
            Command(
                f"{root}:DATA",
                query=lambda: written(calculator.all(calculator.tested), self._setup),
            ),
            Command(
                f"{root}:DATA:LATest",
                query=lambda: written(calculator.latest(calculator.tested), self._setup),
            ),
            self._stored(f"{root}:LIMit[1]:STATe", ON_OFF, "compliance_limit_on"),
            self._stored(
                f"{root}:LIMit[1]:COMPliance:FAIL", Choice(("IN", "OUT")), "compliance_limit_fails"
            ),
            self._fails(f"{root}:LIMit[1]", COMPLIANCE_TEST),
        ]

    def _limit(self, number: int) -> list[Command]:
        root = f":CALCulate2:LIMit{number}"

        def limit() -> Limit:
            return self._setup.limits[number]

        def bound(node: str, name: str, default: float) -> Command:
            return setting(
                f"{root}:{node}[:DATA]", Number(VALUE.low, VALUE.high, default), limit, name
            )

        return [
            bound("UPPer", "upper", 1.0),
            bound("LOWer", "lower", -1.0),
            setting(f"{root}:STATe", ON_OFF, limit, "is_on"),
            self._fails(root, number),
        ]

    def _fails(self, root: str, number: int) -> Command:
        return Command(
            f"{root}:FAIL", query=lambda: ON_OFF.format(number in self._calculator.failed)
        )


def _check_expression(name: str) -> None:
    if name.strip().upper() != POWER:
        raise ScpiError(*EXPRESSION_NOT_FOUND)
