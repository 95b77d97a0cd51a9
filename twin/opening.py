"""From a station to its twin: direct, behind the shipped drivers in process, or on real wires."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from hil.applied import apply_records
from hil.boards.assembly import assemble
from hil.boards.model_uncertainty import ModelUncertainty
from hil.boards.smu import SmuBoard
from hil.errors import StationError
from hil.instruments.accuracy import KEITHLEY_2400
from hil.instruments.keithley2400 import Keithley2400Smu
from hil.station import Defect, Station
from hil.types import ONE_AT_A_TIME, BoardInfo, Capability, Dopant, FloatArray, Source
from twin.bench import TwinBench
from twin.board import TwinBoard
from twin.converters import Converters, IdealConverters, RealConverters
from twin.crossbar_board import TwinCrossbar
from twin.crossbar_plant import CrossbarPlant
from twin.devices.base import DeviceModel
from twin.devices.composite import CompositeDevices
from twin.drawn import draw_circuit, draw_reference_ohm
from twin.firmware.keithley2400 import Keithley2400Firmware
from twin.firmware.switch_board import SwitchBoardFirmware, uuid_of
from twin.memristors import BY_RECORD, build_memristors
from twin.network import Wires
from twin.neuron_parts import PartsBin
from twin.neurons import NeuronCircuit
from twin.parameters import DeviceRecord, load_record
from twin.plant import Plant
from twin.references import References
from twin.servers.inprocess import InProcessAdapter, InProcessPort

DEFECT_OHM = {Defect.STUCK_LOW: 5e6, Defect.STUCK_HIGH: 1e3, Defect.OPEN: np.inf}
"""What stands in for a device that is broken. Assumed: beyond the windows of all records."""

RESISTOR = ModelUncertainty(0.0, 0.0, "a resistor needs no model")

MSS_RECORDS = {
    Dopant.W: ["w-m1", "w-m2"],
    Dopant.CR: ["cr-assumed"],
    Dopant.C: ["c-assumed"],
}
"""Records that the devices of a dopant take in turn, where the station names none and asks for
metastable switches."""

DEFAULT_RECORDS = {
    Dopant.W: ["w-m1-2", "w-m2-2"],
    Dopant.CR: ["cr-assumed-2"],
    Dopant.C: ["c-assumed-2"],
}
"""The same where each device has the model of its record."""


@dataclass(frozen=True)
class TwinInstruments:
    """The twin of a station: one bench, and the firmware of both instruments on it."""

    bench: TwinBench
    smu: Keithley2400Firmware
    switch_board: SwitchBoardFirmware


def open_direct(station: Station, *, seed: int | None, source_reason: str) -> TwinBoard:
    """Open the direct twin of a station; entry point ``twin``."""
    seed = station.table.twin.seed if seed is None else seed
    records = device_records(station)
    neurons = _neurons(station, seed)
    identity = {
        "twin": f"direct twin, seed {seed}",
        "smu": f"no instrument, model 2400 in the twin, {_serial_number(seed)}, direct",
        "switch_board": f"no instrument, switch board in the twin, UUID {_board_uuid(seed)}",
    }
    stands_in = station.source is Source.BENCH
    applied = apply_records(station, KEITHLEY_2400, identity, stands_in=stands_in)
    info = BoardInfo(
        station=station.name,
        kind="twin",
        source=Source.TWIN,
        source_reason=source_reason,
        identity=identity,
        shape=(1, len(station.devices)),
        devices=station.devices,
        capabilities=ONE_AT_A_TIME if neurons is None else ONE_AT_A_TIME | {Capability.INFER},
        min_pulse_width_s=Keithley2400Smu.min_pulse_width_s,
        switch_resistance_ohm=station.table.circuit.switch_resistance_ohm,
        tolerance_ratio=station.table.circuit.tolerance_ratio,
        calibration={**_calibration(records), **applied.calibration},
        neuron_clip_v=None if neurons is None else neurons.table.clip_v,
    )
    memristors = iter(records)
    uncertainties = [
        next(memristors).model_uncertainty if device.reference_ohm is None else RESISTOR
        for device in station.devices
    ]
    return TwinBoard(
        info,
        station,
        _plant(station, records, seed),
        _converters(station, seed),
        applied.correction,
        uncertainties,
        neurons,
    )


def open_crossbar(station: Station, *, seed: int | None, source_reason: str) -> TwinCrossbar:
    """Open the direct twin of an array; entry point ``twin-crossbar``.

    Raises:
        StationError: the station describes no array.
    """
    table = station.table.array
    if table is None:
        raise StationError(
            f"{station.origin}: board {station.table.board!r} needs a table [array]: rows, columns "
            f"and the resistance of their lines"
        )
    seed = station.table.twin.seed if seed is None else seed
    records = device_records(station)
    identity = {
        "twin": f"direct twin of an array, seed {seed}",
        "smu": f"no instrument, model 2400 in the twin, {_serial_number(seed)}, direct",
    }
    applied = apply_records(station, KEITHLEY_2400, identity)
    info = BoardInfo(
        station=station.name,
        kind="twin-crossbar",
        source=Source.TWIN,
        source_reason=source_reason,
        identity=identity,
        shape=station.shape,
        devices=station.devices,
        capabilities=ONE_AT_A_TIME | {Capability.LINES},
        min_pulse_width_s=table.min_pulse_width_s,
        switch_resistance_ohm=table.selector_ohm,
        tolerance_ratio=table.tolerance_ratio,
        calibration={**_calibration(records), **applied.calibration},
        array=table.info,
    )
    plant = CrossbarPlant(
        _devices(station, records, seed),
        station.shape,
        Wires(table.r_word_ohm, table.r_bit_ohm, table.r_driver_ohm, table.r_sense_ohm),
        table.selector_ohm,
    )
    return TwinCrossbar(
        info,
        station,
        plant,
        _converters(station, seed),
        applied.correction,
        _rng(seed, "fluctuation"),
    )


def open_wire(station: Station, *, seed: int | None, source_reason: str) -> SmuBoard:
    """Open the shipped drivers on twin bytes, in process and in simulated time.

    The entry point ``twin-wire``, and what takes over when a bench does not answer.
    """
    instruments = build_instruments(station, seed)
    return assemble(
        station,
        InProcessAdapter(instruments.smu),
        InProcessPort(instruments.switch_board, timeout=station.table.switch_board.timeout_s),
        instruments.bench,
        kind="twin-wire",
        source_reason=source_reason,
        calibration=_calibration(device_records(station)),
    )


def build_instruments(
    station: Station, seed: int | None = None, jumper: int | None = None
) -> TwinInstruments:
    """Build the simulated bench of a station and the firmware of its instruments.

    Args:
        station: any station; addresses do not matter.
        seed: of everything random; the station's own if not given.
        jumper: switch position that is closed until a host greets the switch board.
    """
    seed = station.table.twin.seed if seed is None else seed
    serial_number = _serial_number(seed)
    bench = TwinBench(
        _plant(station, device_records(station), seed),
        {device.position: index for index, device in enumerate(station.devices)},
        station.table.switch_board.n_positions,
        _converters(station, seed),
        serial_number,
        station.table.smu.line_frequency_hz,
    )
    return TwinInstruments(
        bench,
        Keithley2400Firmware(
            bench.smu, station.table.smu.line_frequency_hz, is_ideal=True
        ),  # the errors are made by the converters of the bench
        SwitchBoardFirmware(bench.switch, serial_number, jumper=jumper),
    )


def device_records(station: Station) -> list[DeviceRecord]:
    """Return the parameter record of each memristor of a station."""
    loaded: dict[str, DeviceRecord] = {}
    taken = dict.fromkeys(Dopant, 0)
    twin = station.table.twin
    defaults = DEFAULT_RECORDS if twin.model == BY_RECORD else MSS_RECORDS
    records = []
    for device in station.devices:
        if device.reference_ohm is not None:
            continue
        names = twin.records.get(device.dopant) or defaults[device.dopant]
        name = names[taken[device.dopant] % len(names)]
        taken[device.dopant] += 1
        if name not in loaded:
            loaded[name] = load_record(name, [station.records_folder])
        records.append(loaded[name])
    return records


def _calibration(records: list[DeviceRecord]) -> dict[str, str]:
    used = {record.record_id: record for record in records}
    return {
        f"device record {record.record_id}": f"{record.status}, sha256 {record.sha256}"
        for record in used.values()
    }


def _plant(station: Station, records: list[DeviceRecord], seed: int) -> Plant:
    circuit = station.circuit
    if station.table.twin.instrument_noise:
        circuit = draw_circuit(station, _rng(seed, "board"))
    devices = _devices(station, records, seed)
    return Plant(devices, circuit.r_series_ohm, circuit.r_switch_ohm, circuit.load_siemens)


def _devices(station: Station, records: list[DeviceRecord], seed: int) -> DeviceModel:
    r_ohm = _resistors(station, seed)
    is_resistor = np.isfinite(r_ohm) | np.isinf(r_ohm)
    resistors = References(r_ohm[is_resistor])
    if is_resistor.all():
        return resistors
    memristors = _memristors(station, records, seed, ~is_resistor)
    if not is_resistor.any():
        return memristors
    return CompositeDevices(
        [(memristors, np.flatnonzero(~is_resistor)), (resistors, np.flatnonzero(is_resistor))]
    )


def _resistors(station: Station, seed: int) -> FloatArray:
    """Return the resistance of references and of devices that are broken; NaN for the others."""
    twin = station.table.twin
    r_ohm = np.full(len(station.devices), np.nan)
    for k, device in enumerate(station.devices):
        if device.reference_ohm is not None:
            r_ohm[k] = (
                draw_reference_ohm(device, _rng(seed, f"reference {device.name}"))
                if twin.instrument_noise
                else device.reference_ohm
            )
        elif device.name in twin.defects:
            r_ohm[k] = DEFECT_OHM[twin.defects[device.name]]
    return r_ohm


def _memristors(
    station: Station, records: list[DeviceRecord], seed: int, is_alive: NDArray[np.bool_]
) -> DeviceModel:
    twin = station.table.twin
    is_memristor = np.array([device.reference_ohm is None for device in station.devices])
    return build_memristors(
        [record for record, alive in zip(records, is_alive[is_memristor], strict=True) if alive],
        model=twin.model,
        seed=seed,
        numbers=np.flatnonzero(is_alive).tolist(),
        device_spread=twin.device_spread,
        cycle_spread=twin.cycle_spread,
    )


def _converters(station: Station, seed: int) -> Converters:
    if not station.table.twin.instrument_noise:
        return IdealConverters()
    return RealConverters(KEITHLEY_2400, _rng(seed, "instrument"), station.max_voltage_v)


def _neurons(station: Station, seed: int) -> NeuronCircuit | None:
    table = station.table.neurons
    if table is None:
        return None
    is_ideal = not station.table.twin.instrument_noise
    stream = None if is_ideal else lambda name: _rng(seed, f"neurons {name}")
    parts = PartsBin(table, station.circuit.tolerance_ratio, stream)
    return NeuronCircuit(table, parts, _rng(seed, "neurons"))


def _serial_number(seed: int) -> str:
    return f"TWIN{seed:08d}"


def _board_uuid(seed: int) -> UUID:
    return uuid_of(_serial_number(seed))


def _rng(seed: int, use: str) -> np.random.Generator:
    """One independent stream for each use of a seed."""
    return np.random.default_rng([seed, *use.encode()])
