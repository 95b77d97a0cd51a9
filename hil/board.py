"""The volts seam: what a procedure may ask of a board, real or twin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

from numpy.typing import ArrayLike

from hil.arrays import Coding, Scheme
from hil.clock import Clock
from hil.limits import DeviceLimits
from hil.patterns import LineDrive, LinePattern
from hil.tiles import Tile
from hil.types import (
    BoardInfo,
    Dopant,
    Inference,
    MatVec,
    Pulses,
    Readings,
    SweepTrace,
    Synapses,
)


class Board(Protocol):
    """A board of memristors. Positive voltages drive SET; arrays are (row, column).

    Every method checks all of its request against the limits before the first byte is sent and
    raises ``LimitError`` if any part of it is outside. Links that fail raise ``LinkError``.
    """

    @property
    def info(self) -> BoardInfo:
        """What the board is and what it can do."""
        ...

    @property
    def limits(self) -> Mapping[Dopant, DeviceLimits]:
        """Limits in force, by dopant."""
        ...

    @property
    def clock(self) -> Clock:
        """The board's time base; waits go through it."""
        ...

    def measure(
        self,
        cells: ArrayLike,
        v_read_v: ArrayLike,
        *,
        allow_reverse: bool = False,
        scheme: Scheme | None = None,
    ) -> Readings:
        """Read the conductance of ``cells``, one after the other.

        Costs one settling and one integration time per cell; the read voltage stresses the device
        for that long, and in an array all others as ``scheme`` says (that of the station if not
        given). ``v_read_v`` is a scalar or one value per cell; negative (RESET direction) only with
        ``allow_reverse``, because erase thresholds are as low as 50 mV.

        In an array the current is that of the cell's column: what other cells add to it is in the
        conductance until it is taken out (``calibration.sneak_paths``).
        """
        ...

    def pulse(
        self,
        cells: ArrayLike,
        amplitude_v: ArrayLike,
        width_s: ArrayLike,
        n_pulses: int = 1,
        *,
        scheme: Scheme | None = None,
        compliance_a: float | None = None,
    ) -> Pulses:
        """Apply ``n_pulses`` rectangular pulses to each of ``cells``, one cell after the other.

        Changes the devices and wears them. Amplitude (at the source, before the series resistor)
        and width are scalars or one value per cell. In an array all other cells are stressed as
        ``scheme`` says (that of the station if not given).

        ``compliance_a`` makes the source limit its current there during these pulses, at or below
        the limit of the devices. Without it a source that limits is an error, for something is
        wrong with the series resistor.

        Raises:
            UnsupportedError: a scheme that is not this board's, or a compliance where the source
                drives more than one device.
        """
        ...

    def drive_lines(self, pattern: LinePattern, width_s: float, n_pulses: int = 1) -> LineDrive:
        """Apply ``n_pulses`` pulses to all lines of an array at once, as one pattern.

        Changes and wears the cells that are meant, and disturbs all others by what the pattern puts
        on them. Pulses follow each other without a pause.

        Raises:
            UnsupportedError: the board is no array (``Capability.LINES``).
            UsageError: a pattern of another shape than the array.
        """
        ...

    def sweep(self, cell: ArrayLike, waveform_v: ArrayLike, dt_s: float) -> SweepTrace:
        """Step the source through ``waveform_v`` on one cell, ``dt_s`` per point, measuring each.

        Changes the device. The step time is a lower bound where the instrument is slower.
        """
        ...

    def matvec(
        self,
        inputs_v: ArrayLike,
        *,
        coding: Coding = Coding.AMPLITUDE,
        transposed: bool = False,
    ) -> MatVec:
        """Drive the rows with ``inputs_v`` (n_rows,) and measure the current of every column.

        Transposed, the columns are driven (n_columns,) and the rows measured. Inputs obey the
        limits of a read. A bank that connects one device at a time measures cell by cell and sums;
        that costs one reading per cell, and it has no time coding. An array measures all lines at
        once.

        With ``Coding.TIME`` every input is the full read voltage (``max_read_v``, which
        ``MatVec.full_scale_v`` tells), on for a share of the integration time: the mean current is
        that of a device which is as linear as its conductance at that one voltage.

        Raises:
            UnsupportedError: time coding on a bank.
        """
        ...

    def infer(self, layers: Sequence[Synapses], inputs_v: ArrayLike) -> Inference:
        """Let the board's neuron circuit answer each row of ``inputs_v`` (n_images, n_inputs).

        All devices of all layers are connected at once. The inputs drive the first layer, hidden
        neurons (summing amplifiers that clip) drive the next one, comparators behind the last sums
        decide. Costs the settling time of the circuit for each image; every device is stressed for
        that long with its input. Inputs, and the voltage at which hidden neurons clip, obey the
        limits of a read in the SET direction; 0 V is allowed.

        Raises:
            UnsupportedError: the board has no neuron circuit (``Capability.INFER``).
            UsageError: layers that do not fit together, or a device twice.
        """
        ...

    def make_tile(self, shape: tuple[int, int], seed: int) -> Tile:
        """Return a new tile of simulated devices, (n_rows, n_columns); costs milliseconds.

        What is done to it counts on the tile, not on this board. Real devices become tiles by
        ``procedures.board_tiles``, through the other methods of this class.

        Raises:
            UnsupportedError: the board is made of devices (no ``Capability.TILES``).
        """
        ...

    def make_safe(self) -> None:
        """Source to zero, output off, switches open, in this order; each step is tried.

        To be called from the thread that uses the board: another one would talk into its replies.

        Raises:
            LinkError: a step could not be carried out; the others were.
        """
        ...

    def close(self) -> None:
        """Make safe and give the links back. The board cannot be used afterwards."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
