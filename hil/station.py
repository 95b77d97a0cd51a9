"""Station files: instruments, their addresses, and which device sits on which switch."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from hil.arrays import ArrayInfo, CellKind, Scheme
from hil.correction import Circuit
from hil.errors import StationError
from hil.instruments.drivers import MODELS
from hil.limits import DEFAULT_LIMITS, DeviceLimits
from hil.toml_lines import explain
from hil.types import MEMRISTORS, Device, Dopant, Source

TWIN_ADDRESS = "twin:"

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Fallback = Literal["none", "twin"]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class SmuTable(_Table):
    """``[smu]``: the source-measure unit.

    Attributes:
        driver: which driver speaks to it.
        model: which of its models it is, where it has several; the usual one if not given.
        address: VISA resource string; ``twin:`` in a station whose instruments are simulated.
        timeout_s: longest wait for an answer.
        read_nplc: integration time of a read, in power line cycles.
        pulse_nplc: integration time of the current samples inside a pulse.
        line_frequency_hz: of the mains.
        settle_s: wait between a new level and its measurement.
        instrument_power_w: drawn from the mains, for the energy ledger; assumed until measured.
    """

    driver: Literal["keithley2400", "keithley2450", "keithley2600", "keysight-b2900"]
    model: str = ""
    address: str = Field(min_length=1)
    timeout_s: Positive = 5.0
    read_nplc: float = Field(default=1.0, ge=0.01, le=10)
    pulse_nplc: float = Field(default=0.1, ge=0.01, le=10)
    line_frequency_hz: Literal[50, 60] = 50
    settle_s: float = Field(default=1e-3, ge=0, le=10)
    instrument_power_w: float = Field(default=30.0, ge=0)

    @model_validator(mode="after")
    def _is_a_model_of_its_driver(self) -> Self:
        if self.model and self.model not in MODELS[self.driver]:
            raise _at(
                ("smu", "model"),
                f"{self.model!r} is no model of {self.driver}; it has "
                f"{', '.join(MODELS[self.driver])}",
            )
        return self

    @property
    def model_name(self) -> str:
        """The model, or the usual one of the driver."""
        return self.model or next(iter(MODELS[self.driver]))


class SwitchBoardTable(_Table):
    """``[switch_board]``: the board that connects one device at a time.

    Attributes:
        address: serial device, or any URL that pyserial opens; ``twin:`` for a simulated one.
        baud_rate: of a real serial line.
        timeout_s: longest wait for an answer.
        watchdog_s: the board opens all switches when it hears nothing for so long.
        n_positions: how many switches the station counts on. The board that answers has to have
            those on which devices sit.
    """

    address: str = Field(min_length=1)
    baud_rate: int = Field(default=115200, gt=0)
    timeout_s: Positive = 0.5
    watchdog_s: float = Field(default=1.0, ge=0.1, le=60)
    n_positions: int = Field(default=32, gt=0, le=4096)


class CircuitTable(_Table):
    """``[circuit]``: what is in series and in parallel with every device.

    Attributes:
        series_resistor_ohm: of every device that names none of its own.
        switch_resistance_ohm: of a closed switch, with the leads to it.
        parallel_load_ohm: across every device, for example the input of a scope; inf for none.
        tolerance_ratio: of all three; enters the uncertainty of every conductance.
    """

    series_resistor_ohm: Positive
    switch_resistance_ohm: float = Field(default=75.0, ge=0)
    parallel_load_ohm: float = Field(default=math.inf, gt=0)
    tolerance_ratio: float = Field(default=0.01, ge=0, lt=1)


class ArrayTable(_Table):
    """``[array]``: a crossbar, in place of ``[circuit]``, ``[switch_board]`` and ``[devices]``.

    Its devices are named by row and column: ``R03C12``. Resistances and dead bands are assumed
    until somebody measures them on the array at hand.

    Attributes:
        rows: word lines, up to 64; larger arrays are for ``twin.network`` alone.
        columns: bit lines.
        dopant: of all devices.
        cell: passive (``1R``), with a transistor (``1T1R``), or each behind a switch.
        r_word_ohm: one segment of a row.
        r_bit_ohm: one segment of a column.
        r_driver_ohm: output of a row driver, with its switch.
        r_sense_ohm: input of a column, with its switch.
        selector_ohm: transistor or switch of a cell; 0 in a passive array.
        min_device_ohm: of a device that is turned on completely.
        tolerance_ratio: of all resistances of lines and selectors.
        min_pulse_width_s: shortest pulse of the line drivers.
        dead_on_v: no device switches below, in the SET direction.
        dead_off_v: magnitude below which none does in the RESET direction.
        read_scheme: how cells are read where a procedure does not say; left out, the best of its
            kind.
        write_scheme: how they are pulsed.
        read_noise_ratio: of the conductance of a device from reading to reading.
    """

    rows: int = Field(ge=1, le=64)
    columns: int = Field(ge=1, le=64)
    dopant: Dopant
    cell: CellKind = CellKind.PASSIVE
    r_word_ohm: float = Field(ge=0, allow_inf_nan=False)
    r_bit_ohm: float = Field(ge=0, allow_inf_nan=False)
    r_driver_ohm: float = Field(ge=0, allow_inf_nan=False)
    r_sense_ohm: float = Field(ge=0, allow_inf_nan=False)
    selector_ohm: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    min_device_ohm: Positive
    tolerance_ratio: float = Field(default=0.01, ge=0, lt=1)
    min_pulse_width_s: Positive = 1e-7
    dead_on_v: Positive
    dead_off_v: Positive
    read_scheme: Scheme | None = None
    write_scheme: Scheme | None = None
    read_noise_ratio: float = Field(default=0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _can_be_biased(self) -> Self:
        if self.dopant not in MEMRISTORS:
            raise _at(("array", "dopant"), "an array has devices of W, Cr or C")
        if (self.cell is CellKind.PASSIVE) != (self.selector_ohm == 0):
            raise _at(
                ("array", "selector_ohm"),
                f"{self.selector_ohm:g} ohm, but cell is {self.cell.value!r}: a passive array has "
                f"no selectors, the others have one in each cell",
            )
        for name, scheme in (
            ("read_scheme", self.read_scheme),
            ("write_scheme", self.write_scheme),
        ):
            if scheme is not None and scheme not in self.info.schemes:
                raise _at(
                    ("array", name),
                    f"a {self.cell.value} array is not biased by {scheme.value!r}; it takes "
                    f"{', '.join(one.value for one in self.info.schemes)}",
                )
        return self

    @property
    def info(self) -> ArrayInfo:
        """The array as boards tell of it."""
        is_passive = self.cell is CellKind.PASSIVE
        return ArrayInfo(
            cell_kind=self.cell,
            r_word_ohm=self.r_word_ohm,
            r_bit_ohm=self.r_bit_ohm,
            r_driver_ohm=self.r_driver_ohm,
            r_sense_ohm=self.r_sense_ohm,
            selector_ohm=self.selector_ohm,
            min_device_ohm=self.min_device_ohm,
            dead_on_v=self.dead_on_v,
            dead_off_v=self.dead_off_v,
            read_scheme=self.read_scheme or (Scheme.GROUNDED if is_passive else Scheme.ISOLATED),
            write_scheme=self.write_scheme or (Scheme.SDC if is_passive else Scheme.ISOLATED),
            read_noise_ratio=self.read_noise_ratio,
        )

    @property
    def devices(self) -> tuple[Device, ...]:
        """The devices row by row; the series resistor of each are the lines to it."""
        path_ohm = self.info.path_ohm((self.rows, self.columns)).ravel().tolist()
        digits = len(str(max(self.rows, self.columns) - 1))
        places = [divmod(k, self.columns) for k in range(self.rows * self.columns)]
        return tuple(
            Device(
                name=f"R{row:0{digits}d}C{column:0{digits}d}",
                dopant=self.dopant,
                package_pin=f"row {row}, column {column}",
                position=k,
                series_resistor_ohm=path_ohm[k],
            )
            for k, (row, column) in enumerate(places)
        )


class Defect(StrEnum):
    """How a device of a twin can be broken."""

    STUCK_LOW = "stuck-low"
    STUCK_HIGH = "stuck-high"
    OPEN = "open"


class LimitsTable(_Table):
    """``[limits.W]`` and so on: limits tighter than the built-in ones, or wider with a reason."""

    max_current_a: Positive | None = None
    max_voltage_v: Positive | None = None
    max_pulse_width_s: Positive | None = None
    max_read_v: Positive | None = None
    reason: str = ""

    def over(self, default: DeviceLimits, dopant: str) -> DeviceLimits:
        """Return ``default`` with what this table sets.

        Raises:
            ValueError: a limit was widened and no ``reason`` is given.
        """
        given = {k: v for k, v in self.model_dump().items() if k != "reason" and v is not None}
        wider = [name for name, value in given.items() if value > getattr(default, name)]
        if wider and not self.reason.strip():
            name = wider[0]
            raise ValueError(
                f"{name} = {given[name]:g} is wider than the built-in {getattr(default, name):g} "
                f"of {dopant} devices; say why in a key 'reason'"
            )
        values = {name: given.get(name, getattr(default, name)) for name in _LIMIT_NAMES}
        return DeviceLimits(**values)


_LIMIT_NAMES = ("max_current_a", "max_voltage_v", "max_pulse_width_s", "max_read_v")


class TwinTable(_Table):
    """``[twin]``: how the twin of this station behaves.

    Attributes:
        seed: of everything random in the twin, unless the run gives one.
        instrument_noise: gain, offset and noise of the source-measure unit; off for exact checks.
        model: ``record``: each device by the model of its record; or metastable switches for all.
        device_spread: how far devices differ from their records, in spreads that these say: 0 or
            false for not at all, 1 or true for as they say.
        cycle_spread: whether their thresholds differ from cycle to cycle as the records say.
        records: device records that the devices of a dopant take in turn.
        defects: devices that are broken, by name: stuck at low conductance, stuck at high
            conductance, or open.
    """

    seed: int = Field(default=1, ge=0)
    instrument_noise: bool = True
    model: Literal["record", "mss", "mss-stochastic"] = "record"
    device_spread: float = Field(default=0.0, ge=0, le=5)
    cycle_spread: bool = True
    records: dict[Dopant, list[str]] = Field(default_factory=dict)
    defects: dict[str, Defect] = Field(default_factory=dict)


class NeuronResistorsTable(_Table):
    """``[neurons.W]`` and so on: the resistors of neurons whose synapses have this dopant.

    Attributes:
        reference_ohm: from the inverted sum of the inputs into a summing amplifier: 1 / G_ref, the
            branch conductance of weight zero.
        feedback_ohm: of a summing amplifier whose synapses are single devices: 1 / (branch
            conductance between weight zero and weight one).
        pair_feedback_ohm: of one whose synapses are differential pairs; half of ``feedback_ohm``
            if not given, because the difference of a pair spans twice as much.
    """

    reference_ohm: Positive
    feedback_ohm: Positive
    pair_feedback_ohm: Positive | None = None

    @property
    def of_pairs_ohm(self) -> float:
        """Feedback resistor for differential pairs."""
        return self.feedback_ohm / 2 if self.pair_feedback_ohm is None else self.pair_feedback_ohm


class NeuronsTable(_Table):
    """``[neurons]``: the analog neurons of a board that sees all its devices at once.

    All defaults are assumed: they are those of common precision amplifiers, for the circuit of
    arXiv 2408.14680 is not public.

    Attributes:
        clip_v: full scale of a hidden neuron, whose output is clipped to 0..clip_v.
        settle_s: for how long inputs are held until the comparators are read.
        offset_v: standard deviation of the input offset of an amplifier.
        comparator_offset_v: the same of a comparator.
        noise_v: rms input noise of an amplifier from one image to the next.
        open_loop_gain: of an amplifier; inf for an ideal one.
        supply_v: rails of the amplifiers, before the clip.
        power_w_per_neuron: drawn from the supply by all that belongs to one neuron.
        W, Cr, C: resistors of the neurons of devices with this dopant.
    """

    clip_v: Positive = 0.1
    settle_s: float = Field(default=1e-3, gt=0, le=1)
    offset_v: float = Field(default=1e-3, ge=0, allow_inf_nan=False)
    comparator_offset_v: float = Field(default=2e-3, ge=0, allow_inf_nan=False)
    noise_v: float = Field(default=5e-5, ge=0, allow_inf_nan=False)
    open_loop_gain: float = Field(default=1e5, gt=0)
    supply_v: Positive = 5.0
    power_w_per_neuron: float = Field(default=5e-3, ge=0, allow_inf_nan=False)
    W: NeuronResistorsTable | None = None
    Cr: NeuronResistorsTable | None = None
    C: NeuronResistorsTable | None = None

    def resistors(self, dopant: Dopant) -> NeuronResistorsTable | None:
        """Return the resistors for a dopant; None where the table has none."""
        found: NeuronResistorsTable | None = getattr(self, dopant.value, None)
        return found

    @model_validator(mode="after")
    def _is_buildable(self) -> Self:
        if self.W is self.Cr is self.C is None:
            raise PydanticCustomError("station", "needs a table W, Cr or C with its resistors")
        if self.clip_v > self.supply_v:
            raise _at(("neurons", "clip_v"), f"{self.clip_v:g} V is above supply_v")
        return self


class TilesTable(_Table):
    """``[tiles]``: simulated devices of tiles, in place of all tables of devices.

    Everything here is assumed unless ``device`` is a published preset.

    Attributes:
        device: ``soft-bounds``, ``grid`` (ideal devices with discrete weights), ``msdc`` (the
            project's own device as a table), or a published preset.
        n_states: range over step; of ``soft-bounds`` and ``grid``.
        device_spread: of steps and bounds from device to device, relative; not of presets.
        cycle_noise: of a step from pulse to pulse, relative; of ``soft-bounds``.
        read_noise: standard deviation of a weight that is read, of the range -1 to 1.
        input_bits: of the converter before a tile; 0 for an exact one.
        output_bits: of the converter behind a tile; 0 for an exact one.
        output_noise: standard deviation of a product, in units of its output.
        max_slots: of an update, at most.
        is_folded: take all pulses of a sample on a cell as one step.
    """

    device: str = "soft-bounds"
    n_states: float = Field(default=10, ge=1, allow_inf_nan=False)
    device_spread: float = Field(default=0.3, ge=0, le=2)
    cycle_noise: float = Field(default=0.3, ge=0, le=5)
    read_noise: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    input_bits: int = Field(default=0, ge=0, le=16)
    output_bits: int = Field(default=0, ge=0, le=16)
    output_noise: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    max_slots: int = Field(default=31, ge=1, le=31)
    is_folded: bool = False


class CalibrationTable(_Table):
    """``[calibration]``: the records that readings are corrected with.

    Attributes:
        folder: where they are, beside those that ship; relative to the station file.
        records: at most one of an instrument and one of a board, by their ids.
    """

    folder: str = "records"
    records: list[str] = Field(default_factory=list)


class DeviceTable(_Table):
    """``[devices]``: one memristor or reference a line, by its name."""

    dopant: Dopant = Dopant.REFERENCE
    package_pin: str = Field(min_length=1)
    position: int = Field(ge=0)
    series_resistor_ohm: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    reference_ohm: float | None = Field(default=None, ge=0)
    reference_expanded_ratio: float = Field(default=0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _is_memristor_or_reference(self) -> Self:
        if (self.dopant is Dopant.REFERENCE) != (self.reference_ohm is not None):
            raise PydanticCustomError(
                "station", "either a dopant (W, Cr, C), or a reference_ohm for a resistor"
            )
        if self.reference_ohm is None and self.series_resistor_ohm == 0:
            raise PydanticCustomError("station", "a memristor needs a series_resistor_ohm above 0")
        return self


class StationTable(_Table):
    """The whole file."""

    name: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    description: str = ""
    board: str = Field(min_length=1)
    source: Literal["bench", "twin"]
    fallback: Fallback = "none"
    smu: SmuTable
    switch_board: SwitchBoardTable
    circuit: CircuitTable
    limits: dict[Dopant, LimitsTable] = Field(default_factory=dict)
    twin: TwinTable = Field(default_factory=TwinTable)
    calibration: CalibrationTable = Field(default_factory=CalibrationTable)
    neurons: NeuronsTable | None = None
    array: ArrayTable | None = None
    tiles: TilesTable | None = None
    devices: dict[str, DeviceTable] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _tiles_need_no_bench(cls, data: Any) -> Any:
        """Fill in what a bench needs and tiles do not; nothing of it can be driven."""
        if not isinstance(data, dict) or "tiles" not in data:
            return data
        bench = ("smu", "circuit", "switch_board", "devices", "neurons", "array", "limits")
        if given := [name for name in bench if name in data]:
            raise _at((given[0],), "simulated tiles have no bench: leave this table out")
        return data | {
            "smu": {"driver": "keithley2400", "address": TWIN_ADDRESS, "instrument_power_w": 0},
            "circuit": {"series_resistor_ohm": 1e6},
            "switch_board": {"address": TWIN_ADDRESS},
            "devices": {"tiles": {"dopant": Dopant.W, "package_pin": "none", "position": 0}},
        }

    @model_validator(mode="before")
    @classmethod
    def _array_brings_its_circuit(cls, data: Any) -> Any:
        """Fill in what an array says itself: its lines are the circuit, its cells the devices."""
        if not isinstance(data, dict) or "array" not in data:
            return data
        given = [name for name in ("circuit", "switch_board", "devices", "neurons") if name in data]
        if given:
            raise _at((given[0],), "an array brings its own: leave this table out beside [array]")
        one = {"dopant": Dopant.W, "package_pin": "array", "position": 0}
        filled = data | {
            "circuit": {"series_resistor_ohm": 1.0},  # of no device: each has that of its lines
            "switch_board": {"address": TWIN_ADDRESS},
            "devices": {"array": one},
        }
        with suppress(ValidationError):  # told where the table itself is read
            array = ArrayTable.model_validate(data["array"])
            filled["circuit"] |= {
                "switch_resistance_ohm": array.selector_ohm,
                "tolerance_ratio": array.tolerance_ratio,
            }
        return filled

    @model_validator(mode="after")
    def _defects_are_of_devices(self) -> Self:
        names = (
            set(self.devices)
            if self.array is None
            else {device.name for device in self.array.devices}
        )
        for name in self.twin.defects:
            if name not in names:
                raise _at(("twin", "defects", name), f"no device {name!r} in this station")
        return self

    @model_validator(mode="after")
    def _devices_are_distinct(self) -> Self:
        for what in ("position", "package_pin"):
            seen: dict[object, str] = {}
            for name, device in self.devices.items():
                value = getattr(device, what)
                if value in seen:
                    raise _at(
                        ("devices", name, what),
                        f"{value!r} is taken by device {seen[value]!r} already",
                    )
                seen[value] = name
        for name, device in self.devices.items():
            if device.position >= self.switch_board.n_positions:
                raise _at(
                    ("devices", name, "position"),
                    f"{device.position} is not on the switch board, which has positions "
                    f"0 to {self.switch_board.n_positions - 1}",
                )
        return self

    @model_validator(mode="after")
    def _addresses_match_the_source(self) -> Self:
        for name, address in (
            ("smu", self.smu.address),
            ("switch_board", self.switch_board.address),
        ):
            simulated = address.startswith(TWIN_ADDRESS)
            if simulated and self.source == "bench":
                raise _at((name, "address"), f"{address!r} in a station with source 'bench'")
            if not simulated and self.board != "smu":
                raise _at(
                    (name, "address"),
                    f"{address!r}, but board {self.board!r} is simulated: its instruments have "
                    f"the address {TWIN_ADDRESS!r}",
                )
        return self

    @model_validator(mode="after")
    def _limits_are_explained(self) -> Self:
        for dopant, table in self.limits.items():
            try:
                table.over(DEFAULT_LIMITS[dopant], dopant.value)
            except ValueError as error:
                raise _at(("limits", dopant.value), str(error)) from error
        return self


@dataclass(frozen=True)
class Station:
    """A station file that was read and checked.

    Attributes:
        table: its content.
        text: its text, which is stored with every run.
        origin: file it came from.
    """

    table: StationTable
    text: str
    origin: str

    @property
    def name(self) -> str:
        """Name of the station."""
        return self.table.name

    @property
    def source(self) -> Source:
        """What the station says its instruments are."""
        return Source(self.table.source)

    @cached_property
    def devices(self) -> tuple[Device, ...]:
        """The devices by rising switch position; of an array row by row."""
        if self.table.array is not None:
            return self.table.array.devices
        circuit = self.table.circuit
        return tuple(
            Device(
                name,
                d.dopant,
                d.package_pin,
                d.position,
                circuit.series_resistor_ohm
                if d.series_resistor_ohm is None
                else d.series_resistor_ohm,
                d.reference_ohm,
                d.reference_expanded_ratio,
            )
            for name, d in sorted(self.table.devices.items(), key=lambda item: item[1].position)
        )

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the board; a bank is one row."""
        array = self.table.array
        return (1, len(self.devices)) if array is None else (array.rows, array.columns)

    @property
    def circuit(self) -> Circuit:
        """What is in series and in parallel with the devices, as far as this file knows."""
        table = self.table.circuit
        return Circuit(
            positions=[device.position for device in self.devices],
            r_series_ohm=np.array([device.series_resistor_ohm for device in self.devices]),
            r_switch_ohm=np.full(len(self.devices), table.switch_resistance_ohm),
            load_siemens=1 / table.parallel_load_ohm,
            tolerance_ratio=table.tolerance_ratio,
        )

    @property
    def max_voltage_v(self) -> float:
        """Largest voltage that any dopant may see: what the source is set up for."""
        return max(
            limit.max_voltage_v
            for dopant, limit in self.limits.items()
            if dopant is not Dopant.REFERENCE or self.has_references
        )

    @property
    def has_references(self) -> bool:
        """Whether a reference sits in any socket."""
        return any(device.reference_ohm is not None for device in self.devices)

    @property
    def records_folder(self) -> Path:
        """Where the calibration records of this station are."""
        return Path(self.origin).parent / self.table.calibration.folder

    @property
    def devices_limits(self) -> list[DeviceLimits]:
        """Limits of each device, by rising switch position."""
        return [self.limits[device.dopant] for device in self.devices]

    @cached_property
    def limits(self) -> Mapping[Dopant, DeviceLimits]:
        """Limits in force, by dopant."""
        no_table = LimitsTable()
        return {
            dopant: self.table.limits.get(dopant, no_table).over(default, dopant.value)
            for dopant, default in DEFAULT_LIMITS.items()
        }


def shipped_stations() -> dict[str, Path]:
    """Return the stations that come with this package, by name."""
    folder = Path(str(resources.files("hil") / "stations"))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def load_station(name_or_path: str | Path) -> Station:
    """Read a station by the name of a shipped one, or by the path of a file.

    Raises:
        StationError: no such station, or its file is wrong; the message names line and key.
    """
    shipped = shipped_stations()
    path = shipped.get(str(name_or_path), Path(name_or_path))
    if not path.is_file():
        raise StationError(
            f"no station {str(name_or_path)!r}: not a file, and not one of {', '.join(shipped)}"
        )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StationError(f"{path}: cannot be read: {error}") from error
    return parse_station(text, origin=str(path))


def parse_station(text: str, origin: str = "station") -> Station:
    """Check the text of a station file.

    Raises:
        StationError: with the line and the key at fault.
    """
    try:
        data: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StationError(f"{origin}: not valid TOML: {error}") from error
    try:
        table = StationTable.model_validate(data)
    except ValidationError as error:
        raise StationError(f"{origin}{explain(error, text)}") from error
    return Station(table, text, origin)


def _at(path: tuple[str, ...], message: str) -> PydanticCustomError:
    return PydanticCustomError("station", "{message}", {"message": message, "path": path})
