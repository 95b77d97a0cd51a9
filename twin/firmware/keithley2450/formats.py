"""How a Keithley 2450 writes readings: elements, digits, binary formats.

Source: manual 2450-901-01, ":TRACe:DATA?" (elements), ":FORMat[:DATA]", ":FORMat:BORDer",
":FORMat:ASCii:PRECision". Assumed: automatic precision is seven digits, as in the examples of the
manual; status words are written as integers; how formatted values and times look. The precision
goes for readings, not for settings.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from twin.firmware.keithley2450.buffers import Buffer, Reading
from twin.firmware.keithley2450.event_log import Clock
from twin.firmware.keithley2450.model import is_overflow
from twin.firmware.scpi import indefinite_block

OVERFLOW = 9.9e37
AUTOMATIC_DIGITS = 7
SYMBOLS = {"VOLT": "V", "AMP": "A", "OHM": "Ohm", "WATT": "W"}
PREFIXES = {-12: "p", -9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}

ELEMENTS = (
    "DATE",
    "FORMatted",
    "FRACtional",
    "READing",
    "RELative",
    "SEConds",
    "SOURce",
    "SOURFORMatted",
    "SOURSTATus",
    "SOURUNIT",
    "STATus",
    "TIME",
    "TSTamp",
    "UNIT",
)
MAX_ELEMENTS = 14
BINARY_ELEMENTS = frozenset({"READ", "REL", "SOUR"})


def number(value: float, precision: int = 0) -> str:
    """Return a number with so many digits; 0 for as many as the instrument chooses."""
    if is_overflow(value):
        value = math.copysign(OVERFLOW, value)
    return f"{value:.{(precision or AUTOMATIC_DIGITS) - 1}E}"


def displayed(value: float, unit: str) -> str:
    """Return a value with the prefix that the display would give it."""
    if is_overflow(value):
        return "Overflow"
    size = math.floor(math.log10(abs(value)) / 3) * 3 if value else 0
    size = min(max(size, min(PREFIXES)), max(PREFIXES))
    return f"{value / 10.0**size:+.5f} {PREFIXES[size]}{SYMBOLS[unit]}"


@dataclass(frozen=True)
class Format:
    """How readings go over the wire.

    Attributes:
        data_format: ``ASC``, ``REAL`` or ``SRE``.
        byte_order: ``NORM`` or ``SWAP``.
        precision: digits in ASCII.
        clock: of the instrument.
    """

    data_format: str
    byte_order: str
    precision: int
    clock: Clock

    def write(self, buffer: Buffer, readings: Iterable[Reading], elements: Sequence[str]) -> str:
        """Return the elements of all readings, as text in latin-1."""
        values = [_VALUES[name](self, buffer, r) for r in readings for name in elements]
        if self.data_format == "ASC":
            return ",".join(
                number(v, self.precision) if isinstance(v, float) else v for v in values
            )
        kind = "f" if self.data_format == "SRE" else "d"
        order = "<" if self.byte_order == "SWAP" else ">"
        numbers = [math.copysign(OVERFLOW, v) if is_overflow(v) else v for v in map(float, values)]
        return indefinite_block(struct.pack(f"{order}{len(numbers)}{kind}", *numbers))


_Value = Callable[[Format, Buffer, Reading], float | str]

_VALUES: dict[str, _Value] = {
    "DATE": lambda f, b, r: f"{f.clock.at(r.t_s):%m/%d/%Y}",
    "FORM": lambda f, b, r: displayed(r.value, r.unit),
    "FRAC": lambda f, b, r: f"{f.clock.at(r.t_s).microsecond / 1e6:.6f}",
    "READ": lambda f, b, r: r.value,
    "REL": lambda f, b, r: r.t_s - b.start_s,
    "SEC": lambda f, b, r: f"{int(f.clock.at(r.t_s).timestamp())}",
    "SOUR": lambda f, b, r: r.source_value,
    "SOURFORM": lambda f, b, r: displayed(r.source_value, r.source_unit),
    "SOURSTAT": lambda f, b, r: str(r.source_status),
    "SOURUNIT": lambda f, b, r: _unit_name(r.source_unit),
    "STAT": lambda f, b, r: str(r.status),
    "TIME": lambda f, b, r: f"{f.clock.at(r.t_s):%H:%M:%S.%f}",
    "TST": lambda f, b, r: f"{f.clock.at(r.t_s):%m/%d/%Y %H:%M:%S.%f}",
    "UNIT": lambda f, b, r: _unit_name(r.unit),
}


def _unit_name(unit: str) -> str:
    return {"VOLT": "Volt DC", "AMP": "Amp DC", "OHM": "Ohm", "WATT": "Watt DC"}[unit]
