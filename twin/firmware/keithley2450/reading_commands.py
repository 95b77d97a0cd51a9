"""Commands of a Keithley 2450 that measure, and those about reading buffers and data formats.

Source: manual 2450-901-01, ":READ?", ":MEASure:<function>?", ":FETCh?", "TRACe subsystem", "FORMat
subsystem". Assumed: what does not exist in a buffer is -222, the latest reading of an empty buffer
-230, its statistics the number that SCPI has for none. Not modelled: writable buffers, files,
``EXTRa`` elements.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import islice

from twin.firmware.keithley2450.buffers import DEFAULT_CAPACITY, MAX_CAPACITY, Buffer, Statistics
from twin.firmware.keithley2450.commands import ON_OFF, action, query
from twin.firmware.keithley2450.formats import (
    BINARY_ELEMENTS,
    ELEMENTS,
    MAX_ELEMENTS,
    Format,
    number,
)
from twin.firmware.keithley2450.instrument import Instrument
from twin.firmware.keithley2450.sense_commands import FUNCTIONS
from twin.firmware.keithley2450.settings import Setup
from twin.firmware.scpi import (
    DATA_STALE,
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

DEFAULT = "defbuffer1"
NOT_A_NUMBER = "9.910000E+37"
NAME_EXPECTED = 1133
STYLES = Choice(("COMPact", "STANdard", "FULL", "WRITable", "FULLWRITable"))
FILL_MODES = Choice(("CONTinuous", "ONCE"))
DATA_FORMATS = Choice(("ASCii", "REAL", "SREal"))
BYTE_ORDERS = Choice(("NORMal", "SWAPped"))
CAPACITY = Number(1, 1e9, DEFAULT_CAPACITY, integer=True)
INDEX = Number(1, MAX_CAPACITY, 1, integer=True)

STATISTICS: dict[str, Callable[[Statistics], float]] = {
    "AVERage": lambda s: s.mean,
    "MAXimum": lambda s: s.largest,
    "MINimum": lambda s: s.least,
    "PK2Pk": lambda s: s.largest - s.least,
    "STDDev": lambda s: s.deviation,
}


class Element(Choice):
    """Name of an element of a reading."""

    def parse(self, text: str) -> str:
        """Return the short form of the name."""
        try:
            return super().parse(text)
        except ScpiError as error:
            raise not_a_name() from error


ELEMENT = Element(ELEMENTS)


class ReadingCommands:
    """Command table of measurements, buffers and formats.

    Args:
        instrument: what the commands act on.
        check_idle: raises while the trigger model runs.
        poll: called before a query that programs repeat until something has come.
    """

    def __init__(
        self,
        instrument: Instrument,
        check_idle: Callable[[], None],
        poll: Callable[[], None],
    ) -> None:
        self._instrument = instrument
        self._check_idle = check_idle
        self._poll = poll

    def commands(self) -> list[Command]:
        """Return the table."""
        return [*self._measurements(), *self._buffers(), *self._statistics(), *self._formats()]

    def _measurements(self) -> list[Command]:
        elements: tuple[Parameter, ...] = (String(), *[ELEMENT] * MAX_ELEMENTS)
        n_optional = len(elements)
        table = [
            query(":READ", self._read, *elements, n_optional=n_optional),
            query(":MEASure", self._read, *elements, n_optional=n_optional),
            query(":FETCh", self._fetch, *elements, n_optional=n_optional),
        ]
        for function, word in FUNCTIONS.items():
            measure = partial(self._measure, function)
            table.append(query(f":MEASure:{word}", measure, *elements, n_optional=n_optional))
        return table

    def _buffers(self) -> list[Command]:
        buffers = self._instrument
        name = String()
        elements: tuple[Parameter, ...] = (name, *[ELEMENT] * MAX_ELEMENTS)
        return [
            action(":TRACe:MAKE", self._make, name, CAPACITY, STYLES, n_optional=1),
            action(":TRACe:DELete", self._delete, name),
            action(":TRACe:CLEar", lambda at=DEFAULT: buffers.clear_buffer(at), name, n_optional=1),
            Command(
                ":TRACe:POINts",
                self._resize,
                lambda at=DEFAULT: str(buffers.buffer(at).capacity),
                (CAPACITY, name),
                n_optional=1,
                query_parameters=(name,),
                n_optional_query=1,
            ),
            Command(
                ":TRACe:FILL:MODE",
                self._set_fill_mode,
                lambda at=DEFAULT: "CONT" if buffers.buffer(at).is_continuous else "ONCE",
                (FILL_MODES, name),
                n_optional=1,
                query_parameters=(name,),
                n_optional_query=1,
            ),
            Command(
                ":TRACe:LOG:STATe",
                lambda on, at=DEFAULT: setattr(buffers.buffer(at), "logs", on),
                lambda at=DEFAULT: ON_OFF.format(buffers.buffer(at).logs),
                (ON_OFF, name),
                n_optional=1,
                query_parameters=(name,),
                n_optional_query=1,
            ),
            self._of_buffer(":TRACe:ACTual", lambda b: str(len(b.readings))),
            self._of_buffer(":TRACe:ACTual:STARt", lambda b: str(int(bool(b.readings)))),
            self._of_buffer(":TRACe:ACTual:END", lambda b: str(len(b.readings))),
            action(":TRACe:TRIGger", self._trigger, name, n_optional=1),
            query(
                ":TRACe:DATA",
                self._data,
                *(INDEX, INDEX),
                *elements,
                n_optional=1 + MAX_ELEMENTS,
            ),
        ]

    def _statistics(self) -> list[Command]:
        table = [
            self._of_buffer(f":TRACe:STATistics:{word}", partial(_statistic, of))
            for word, of in STATISTICS.items()
        ]
        clear = action(":TRACe:STATistics:CLEar", self._clear_statistics, String(), n_optional=1)
        return [*table, clear]

    def _formats(self) -> list[Command]:
        def setup() -> Setup:
            return self._instrument.setup

        digits = Number(0, 16, 0, integer=True)
        return [
            setting(":FORMat[:DATA]", DATA_FORMATS, setup, "data_format"),
            setting(":FORMat:BORDer", BYTE_ORDERS, setup, "byte_order"),
            setting(":FORMat:ASCii:PRECision", digits, setup, "precision"),
        ]

    # --- measurements -----------------------------------------------------------------------

    def _read(self, name: str = DEFAULT, *elements: str) -> str:
        self._check_idle()
        buffer = self._instrument.buffer(name)
        reading = self._instrument.measure_into(name, self._instrument.setup.count)
        return self._format(elements).write(buffer, [reading], elements or ("READ",))

    def _measure(self, function: str, name: str = DEFAULT, *elements: str) -> str:
        self._check_idle()
        self._instrument.set_sense_function(function)
        return self._read(name, *elements)

    def _fetch(self, name: str = DEFAULT, *elements: str) -> str:
        self._poll()
        buffer = self._instrument.buffer(name)
        if not buffer.readings:
            raise ScpiError(DATA_STALE)
        return self._format(elements).write(buffer, [buffer.readings[-1]], elements or ("READ",))

    def _data(self, start: int, end: int, name: str = DEFAULT, *elements: str) -> str:
        buffer = self._instrument.buffer(name)
        if not start <= end <= len(buffer.readings):
            raise ScpiError(OUT_OF_RANGE)
        readings = islice(buffer.readings, start - 1, end)
        return self._format(elements).write(buffer, readings, elements or ("READ",))

    def _format(self, elements: tuple[str, ...]) -> Format:
        setup = self._instrument.setup
        if setup.data_format != "ASC" and not BINARY_ELEMENTS.issuperset(elements):
            raise not_a_name()
        return Format(setup.data_format, setup.byte_order, setup.precision, self._instrument.clock)

    def _trigger(self, name: str = DEFAULT) -> None:
        self._check_idle()
        self._instrument.measure_into(name, self._instrument.setup.count)

    # --- buffers ----------------------------------------------------------------------------

    def _make(self, name: str, capacity: int, style: str = "STAN") -> None:
        self._check_idle()
        if style.endswith("WRIT"):
            raise ScpiError(PARAMETER_NOT_ALLOWED, "Parameter not allowed: writable buffer")
        self._instrument.make_buffer(name, capacity)

    def _delete(self, name: str) -> None:
        self._check_idle()
        self._instrument.delete_buffer(name)

    def _resize(self, capacity: int, name: str = DEFAULT) -> None:
        self._check_idle()
        self._instrument.resize_buffer(name, capacity)

    def _set_fill_mode(self, mode: str, name: str = DEFAULT) -> None:
        self._instrument.buffer(name).is_continuous = mode == "CONT"
        self._instrument.clear_buffer(name)

    def _clear_statistics(self, name: str = DEFAULT) -> None:
        self._instrument.buffer(name).statistics = Statistics()

    def _of_buffer(self, pattern: str, answer: Callable[[Buffer], str]) -> Command:
        def polled(name: str = DEFAULT) -> str:
            self._poll()
            return answer(self._instrument.buffer(name))

        return query(pattern, polled, String(), n_optional=1)


def not_a_name() -> ScpiError:
    """Return the error for an element that there is not, or not in this data format."""
    return ScpiError(NAME_EXPECTED, "Parameter 4, Syntax error, expected valid name parameters")


def _statistic(of: Callable[[Statistics], float], buffer: Buffer) -> str:
    return number(of(buffer.statistics)) if buffer.statistics.n else NOT_A_NUMBER
