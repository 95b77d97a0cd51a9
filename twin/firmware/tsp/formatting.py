"""Numbers as a TSP instrument sends them.

Source: manual 2600BS-901-01, sections "format.data", "format.asciiprecision", "format.byteorder",
"printbuffer()", "printnumber()".
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

ASCII, SREAL, DREAL = 1, 2, 3
BIG_ENDIAN, LITTLE_ENDIAN = 0, 1
MAX_PRECISION = 16


@dataclass
class Format:
    """Settings of ``format``, with their values after a reset.

    Attributes:
        data: ASCII, SREAL (4 bytes) or DREAL (8 bytes).
        precision: significant digits of ASCII numbers.
        byte_order: of binary numbers.
    """

    data: int = ASCII
    precision: int = 6
    byte_order: int = LITTLE_ENDIAN

    def text(self, value: float) -> str:
        """Return a number as ``print`` shows it, whatever ``data`` is."""
        if math.isnan(value):
            return "nan"
        return f"{value:.{self.precision - 1}e}"

    def message(self, values: Sequence[float]) -> bytes:
        """Return numbers as ``printbuffer`` sends them, without terminator."""
        if self.data == ASCII:
            return ", ".join(self.text(value) for value in values).encode()
        order = "<" if self.byte_order == LITTLE_ENDIAN else ">"
        if self.data == DREAL:
            return b"#0" + struct.pack(f"{order}{len(values)}d", *values)
        return b"#0" + struct.pack(f"{order}{len(values)}f", *map(_single, values))


def _single(value: float) -> float:
    """Beyond single precision, a number becomes infinite."""
    try:
        struct.pack("<f", value)
    except OverflowError:
        return math.copysign(math.inf, value)
    return value
