"""Frozen values that cross the board seam. Cells are (row, column), arrays (n_cells, 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hil.arrays import ArrayInfo, Coding
from hil.errors import UsageError

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]
CellArray = NDArray[np.intp]


class Source(StrEnum):
    """Where data come from; stored in every run and in every reading."""

    BENCH = "bench"
    TWIN = "twin"
    REPLAY = "replay"


class Dopant(StrEnum):
    """Active-layer dopant of an M-SDC memristor; a reference resistor is none, and counts as one.

    ``REFERENCE`` is what sits in a socket for a calibration: a resistor, a short, or nothing.
    """

    W = "W"
    CR = "Cr"
    C = "C"
    REFERENCE = "reference"


MEMRISTORS = (Dopant.W, Dopant.CR, Dopant.C)
"""The dopants of memristors."""


class Polarity(StrEnum):
    """Direction in which a voltage drives the device: positive is SET."""

    SET = "set"
    RESET = "reset"


class Capability(StrEnum):
    """What a board can do; anything else raises ``UnsupportedError``."""

    MEASURE = "measure"
    PULSE = "pulse"
    SWEEP = "sweep"
    MATVEC = "matvec"
    INFER = "infer"
    LINES = "lines"
    TILES = "tiles"


ONE_AT_A_TIME = frozenset(
    {Capability.MEASURE, Capability.PULSE, Capability.SWEEP, Capability.MATVEC}
)
"""What a bank can do that connects one device after the other, and has no neuron circuit."""


@dataclass(frozen=True, slots=True)
class Device:
    """One memristor and where it sits.

    Attributes:
        name: as written on the package or in the notebook, unique in a station.
        dopant: decides the limits.
        package_pin: for example ``U3.5``.
        position: position of the switch that connects it.
        series_resistor_ohm: fixed resistor between switch and device; 0 for a wire.
        reference_ohm: of a reference: 0 for a short, inf for an empty socket; None for a memristor.
        reference_expanded_ratio: relative uncertainty of it (k = 2), as its certificate gives it.
    """

    name: str
    dopant: Dopant
    package_pin: str
    position: int
    series_resistor_ohm: float
    reference_ohm: float | None = None
    reference_expanded_ratio: float = 0.0


@dataclass(frozen=True)
class BoardInfo:
    """What a board is; stored with every run.

    Attributes:
        station: name of the station that described the board.
        kind: entry point that opened it (``smu``, ``twin``, ``twin-wire``); ``import`` for data
            that were measured elsewhere.
        source: ``bench`` or ``twin``; found out from the instruments, not believed.
        source_reason: why a twin stands in for a bench, or who measured imported data; empty
            otherwise.
        identity: what each instrument said of itself, by instrument.
        shape: (rows, columns). A bank of switched devices on one drive line is (1, n).
        devices: by column in a bank: ``devices[column]``.
        capabilities: what the board can do.
        min_pulse_width_s: shorter pulses are refused.
        switch_resistance_ohm: of a closed switch, in series with every device.
        tolerance_ratio: relative tolerance of series resistors and switches.
        calibration: records in use, by what they calibrate.
        neuron_clip_v: full scale of a hidden neuron's output, which drives the devices of the next
            layer; None where there is no neuron circuit.
        array: wires and bias of a crossbar; None for a bank of devices that are connected one by
            one. ``series_resistor_ohm`` of a device in an array is that of the lines to it.
    """

    station: str
    kind: str
    source: Source
    source_reason: str
    identity: Mapping[str, str]
    shape: tuple[int, int]
    devices: tuple[Device, ...]
    capabilities: frozenset[Capability]
    min_pulse_width_s: float
    switch_resistance_ohm: float
    tolerance_ratio: float
    calibration: Mapping[str, str] = field(default_factory=dict)
    neuron_clip_v: float | None = None
    array: ArrayInfo | None = None

    @property
    def all_cells(self) -> CellArray:
        """Every cell, row by row; shape (n_cells, 2)."""
        n_rows, n_columns = self.shape
        return np.stack(np.divmod(np.arange(n_rows * n_columns), n_columns), axis=1)

    @property
    def r_series_ohm(self) -> FloatArray:
        """Series resistor of every device, without the switch; shape (n_devices,)."""
        return np.array([device.series_resistor_ohm for device in self.devices])

    def index_of(self, cells: CellArray) -> IndexArray:
        """Return the index into ``devices`` of each cell, shape (n_cells,)."""
        index: IndexArray = cells[:, 0] * self.shape[1] + cells[:, 1]
        return index

    def device_at(self, cell: Sequence[int] | CellArray) -> Device:
        """Return the device at (row, column); the cell is inside the board."""
        return self.devices[int(cell[0]) * self.shape[1] + int(cell[1])]

    def cell_of(self, device_name: str) -> tuple[int, int]:
        """Return (row, column) of the device with this name.

        Raises:
            UsageError: the station has no such device.
        """
        for index, device in enumerate(self.devices):
            if device.name == device_name:
                return divmod(index, self.shape[1])
        known = ", ".join(d.name for d in self.devices[:4])
        raise UsageError(
            f"station {self.station!r} has no device {device_name!r}; it has {known}, ..."
        )

    def cells_of(self, dopant: Dopant) -> CellArray:
        """Every cell whose device has this dopant; shape (n_cells, 2)."""
        here = [index for index, device in enumerate(self.devices) if device.dopant is dopant]
        return self.all_cells[here]


def as_cells(cells: ArrayLike, shape: tuple[int, int]) -> CellArray:
    """Return ``cells`` as an array of shape (n_cells, 2), checked against the board's shape.

    Raises:
        UsageError: wrong shape of the argument, or a cell outside the board.
    """
    array = np.asarray(cells)
    if array.ndim != 2 or array.shape[1:] != (2,) or not len(array) or array.dtype.kind not in "iu":
        raise UsageError(
            f"cells are at least one integer (row, column) pair, shape (n, 2), not {array.shape}"
        )
    outside = ((array < 0) | (array >= np.asarray(shape))).any(axis=1)
    if outside.any():
        row, column = array[outside][0]
        raise UsageError(f"cell ({row}, {column}) is outside the board of shape {shape}")
    return array.astype(np.intp, copy=False)


@dataclass(frozen=True)
class EnergySplit:
    """Energy of an operation by where it was dissipated, in joule; arrays of shape (n_cells,).

    Attributes:
        device_j: in the memristors that were addressed.
        series_j: in their series resistors.
        switch_j: in the switches.
        half_select_j: in devices that were not addressed.
        instrument_j: drawn by the instrument from the mains; an estimate.
        method: how it was obtained: ``integral`` (of V I dt, in the twin) or
            ``trapezoid`` (of the current samples taken while the source was on).
        delivered_j: by all sources, found at their terminals and not from the parts; None where
            nobody looked.
    """

    device_j: FloatArray
    series_j: FloatArray
    switch_j: FloatArray
    half_select_j: FloatArray
    instrument_j: FloatArray
    method: str
    delivered_j: FloatArray | None = None

    @property
    def source_j(self) -> FloatArray:
        """Energy delivered by the source: all parts but the instrument's own."""
        return self.device_j + self.series_j + self.switch_j + self.half_select_j

    @classmethod
    def join(cls, parts: Sequence[EnergySplit]) -> EnergySplit:
        """Return one split with the entries of several, obtained by the same method."""
        joined: EnergySplit = _join(list(parts))
        return joined

    @property
    def summed(self) -> EnergySplit:
        """The same as one entry, arrays of shape (1,)."""
        device_j, series_j, switch_j, half_select_j, instrument_j = (
            np.array([total]) for total in self.totals
        )
        delivered_j = None if self.delivered_j is None else np.array([self.delivered_j.sum()])
        return EnergySplit(
            device_j, series_j, switch_j, half_select_j, instrument_j, self.method, delivered_j
        )

    @property
    def totals(self) -> tuple[float, float, float, float, float]:
        """Sum over all entries of each part, in the order of the fields."""
        return (
            float(self.device_j.sum()),
            float(self.series_j.sum()),
            float(self.switch_j.sum()),
            float(self.half_select_j.sum()),
            float(self.instrument_j.sum()),
        )


@dataclass(frozen=True)
class PerCell:
    """Base of results with one entry per cell: arrays of equal length, joined in cell order."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    @classmethod
    def join(cls, parts: list[Self]) -> Self:
        """Return one result from the results of several cells."""
        return cls(**{f.name: _join([getattr(p, f.name) for p in parts]) for f in fields(cls)})


def _join(values: list[Any]) -> Any:
    first = values[0]
    if isinstance(first, np.ndarray):
        return np.concatenate(values)
    if isinstance(first, EnergySplit):
        parts = {f.name: _join([getattr(value, f.name) for value in values]) for f in fields(first)}
        return EnergySplit(**parts)
    return first


@dataclass(frozen=True)
class Readings(PerCell):
    """Conductances, each with the voltage at which it was read.

    Attributes:
        cells: shape (n_cells, 2).
        t_s: board clock at the end of each reading.
        v_read_v: voltage that was asked of the source.
        v_source_v: voltage as the source reported it, without any correction.
        v_device_v: voltage across the device alone, corrected.
        i_a: current as the instrument reported it, positive in the SET direction.
        g_siemens: conductance at ``v_device_v``: errors of the instrument, series resistor, switch
            and load taken out as well as they are known (``hil.conductance``).
        g_expanded_siemens: expanded uncertainty (k = 2) of ``g_siemens``.
        width_s: how long the read voltage was on.
        energy: what the reading cost.
        source: bench or twin.
    """

    cells: CellArray
    t_s: FloatArray
    v_read_v: FloatArray
    v_source_v: FloatArray
    v_device_v: FloatArray
    i_a: FloatArray
    g_siemens: FloatArray
    g_expanded_siemens: FloatArray
    width_s: FloatArray
    energy: EnergySplit
    source: Source


@dataclass(frozen=True)
class Pulses(PerCell):
    """Pulses that were applied.

    Attributes:
        cells: shape (n_cells, 2).
        t_s: board clock at the end of the last pulse on each cell.
        amplitude_v: at the source; positive is SET.
        width_s: width that was asked for, of one pulse.
        width_measured_s: mean width of one pulse as the board's clock saw it.
        n_pulses: pulses per cell, integer array.
        i_end_a: current at the end of the last pulse.
        energy: what all pulses on a cell cost together.
        source: bench or twin.
    """

    cells: CellArray
    t_s: FloatArray
    amplitude_v: FloatArray
    width_s: FloatArray
    width_measured_s: FloatArray
    n_pulses: NDArray[np.int64]
    i_end_a: FloatArray
    energy: EnergySplit
    source: Source


@dataclass(frozen=True)
class SweepTrace:
    """Current while the source followed a waveform on one cell; arrays of shape (n_points,).

    Attributes:
        cell: (row, column).
        t_s: board clock at the measurement of each point.
        v_source_v: voltage that the source reported.
        v_device_v: voltage across the device alone.
        i_a: current, positive in the SET direction.
        energy: of the whole sweep, arrays of shape (1,).
        source: bench or twin.
    """

    cell: tuple[int, int]
    t_s: FloatArray
    v_source_v: FloatArray
    v_device_v: FloatArray
    i_a: FloatArray
    energy: EnergySplit
    source: Source


@dataclass(frozen=True)
class MatVec:
    """Measured matrix-vector product.

    Attributes:
        inputs_v: voltage on each driven line, shape (n_rows,), or (n_columns,) transposed.
        currents_a: current out of each line that was measured; with time coding the mean over the
            integration time.
        coding: what carried the inputs.
        transposed: columns were driven and rows measured.
        full_scale_v: voltage of every input that was on, with time coding; NaN otherwise.
        t_s: board clock at the end.
        width_s: how long the lines were driven.
        energy: of the whole product, arrays of shape (1,).
        source: bench or twin.
        readings: the readings that it is made of, where it was measured cell by cell; else None.
    """

    inputs_v: FloatArray
    currents_a: FloatArray
    coding: Coding
    transposed: bool
    full_scale_v: float
    t_s: float
    width_s: float
    energy: EnergySplit
    source: Source
    readings: Readings | None


@dataclass(frozen=True)
class Synapses:
    """The devices of one layer of a network: which cell connects which input to which neuron.

    Attributes:
        plus: cell (row, column) between each input and each neuron, shape (n_inputs, n_neurons, 2).
        minus: the other device of each differential pair, same shape; None where a reference
            conductance per neuron is subtracted.

    Raises:
        UsageError: an array of another shape, or not of integers.
    """

    plus: CellArray
    minus: CellArray | None = None

    def __post_init__(self) -> None:
        for name in ("plus", "minus"):
            cells = getattr(self, name)
            if cells is not None:
                object.__setattr__(self, name, _synapse_cells(name, cells))
        if self.minus is not None and self.minus.shape != self.plus.shape:
            raise UsageError(
                f"minus cells of synapses have shape {self.minus.shape}, plus cells have "
                f"{self.plus.shape}; pairs need both"
            )

    @property
    def n_inputs(self) -> int:
        """Inputs of the layer."""
        return int(self.plus.shape[0])

    @property
    def n_neurons(self) -> int:
        """Neurons of the layer."""
        return int(self.plus.shape[1])

    @property
    def cells(self) -> CellArray:
        """All cells, input by input, plus before minus; shape (n_cells, 2)."""
        halves = [self.plus] if self.minus is None else [self.plus, self.minus]
        return np.concatenate([half.reshape(-1, 2) for half in halves])


def _synapse_cells(name: str, cells: ArrayLike) -> CellArray:
    array = np.asarray(cells)
    if array.ndim != 3 or array.shape[2] != 2 or not array.size or array.dtype.kind not in "iu":
        raise UsageError(
            f"{name} cells of synapses are integer (row, column) pairs, shape "
            f"(n_inputs, n_neurons, 2), not {array.shape}"
        )
    return array.astype(np.intp, copy=False)


@dataclass(frozen=True)
class Inference:
    """What a network answered whose neurons are a circuit on the board; one entry per image.

    Attributes:
        inputs_v: voltages that drove the first layer, shape (n_images, n_inputs).
        hidden_v: voltages that the hidden neurons put out, layer by layer, shape
            (n_images, n_hidden).
        output_v: of the last summing amplifiers, shape (n_images, n_outputs).
        decisions: what the comparators behind them said, shape (n_images, n_outputs).
        t_s: board clock at the end of each image, shape (n_images,).
        width_s: how long the circuit was driven for each, shape (n_images,).
        energy: sums over all cells for each image, arrays of shape (n_images,); ``instrument_j`` is
            the supply power of the circuit times its time.
        source: bench or twin.
    """

    inputs_v: FloatArray
    hidden_v: FloatArray
    output_v: FloatArray
    decisions: NDArray[np.bool_]
    t_s: FloatArray
    width_s: FloatArray
    energy: EnergySplit
    source: Source

    def __len__(self) -> int:
        return len(self.t_s)
