"""Crossbar arrays: what a cell is made of, its wires, and how other lines are held."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


class CellKind(StrEnum):
    """What stands between the two lines of a cell beside the device."""

    PASSIVE = "1R"
    TRANSISTOR = "1T1R"
    SWITCHED = "switched"


class Scheme(StrEnum):
    """Where the lines are held that a cell does not sit on.

    The selected row is at V, the selected column at 0 V. ``SDC`` divides V so that half-selected
    cells see at most their SET and RESET dead bands in proportion (``bias``). ``ISOLATED``: nothing
    but the selected cell conducts, as behind switches or transistors.
    """

    ISOLATED = "isolated"
    GROUNDED = "grounded"
    FLOATING = "floating"
    HALF = "v/2"
    THIRD = "v/3"
    SDC = "sdc"


class Coding(StrEnum):
    """What carries the inputs of a matrix-vector product: the voltage, or how long it is on."""

    AMPLITUDE = "amplitude"
    TIME = "time"


@dataclass(frozen=True)
class ArrayInfo:
    """The wires of an array and how its station means it to be used.

    Row (word) line i is driven at the side of column 0, column (bit) line j is sensed at the side
    of the last row: the path of cell (i, j) is ``r_driver + (j + 1) r_word + (n_rows - i) r_bit +
    r_sense``.

    Attributes:
        cell_kind: passive, with a transistor for each device whose gates are wired by row, or each
            device behind a switch of its own.
        r_word_ohm: one segment of a row line.
        r_bit_ohm: one segment of a column line.
        r_driver_ohm: between the source of a row and its first segment.
        r_sense_ohm: between the last segment of a column and ground.
        selector_ohm: of a transistor or switch that is closed.
        min_device_ohm: of a device that is turned on completely; what limits the current where no
            resistor does. Assumed until measured.
        dead_on_v: no device switches below, in the SET direction.
        dead_off_v: magnitude below which none does in the RESET direction.
        read_scheme: how single cells are read where nothing else is asked.
        write_scheme: how they are pulsed.
        read_noise_ratio: relative standard deviation of the conductance of a device from reading to
            reading.
    """

    cell_kind: CellKind
    r_word_ohm: float
    r_bit_ohm: float
    r_driver_ohm: float
    r_sense_ohm: float
    selector_ohm: float
    min_device_ohm: float
    dead_on_v: float
    dead_off_v: float
    read_scheme: Scheme
    write_scheme: Scheme
    read_noise_ratio: float

    @property
    def schemes(self) -> tuple[Scheme, ...]:
        """Schemes that this array can be biased by; selectors isolate, a passive array cannot."""
        if self.cell_kind is CellKind.PASSIVE:
            return tuple(scheme for scheme in Scheme if scheme is not Scheme.ISOLATED)
        return (Scheme.ISOLATED,)

    def path_ohm(self, shape: tuple[int, int]) -> FloatArray:
        """Return the resistance of the lines on the way through each cell, (rows, columns)."""
        n_rows, n_columns = shape
        to_row = self.r_driver_ohm + self.r_word_ohm * np.arange(1, n_columns + 1)
        from_column = self.r_sense_ohm + self.r_bit_ohm * np.arange(n_rows, 0, -1)
        path_ohm: FloatArray = np.add.outer(from_column, to_row)
        return path_ohm

    def most_v(self, polarity: float) -> float:
        """Return the largest amplitude at which ``Scheme.SDC`` keeps all others in the dead band.

        SET: 2 dead_on + dead_off. RESET: 2 dead_off + dead_on. Exact without line resistance, and
        safe with it, for lines only take voltage away.
        """
        along, against = self.bands_v(polarity)
        return 2 * along + against

    def bands_v(self, polarity: float) -> tuple[float, float]:
        """Return the dead bands in the direction of a voltage, and against it."""
        up = polarity > 0
        return (self.dead_on_v, self.dead_off_v) if up else (self.dead_off_v, self.dead_on_v)
