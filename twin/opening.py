"""From a station to its twin: direct, behind the shipped drivers in process, or on real wires."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hil.boards.assembly import assemble
from hil.boards.smu import SmuBoard
from hil.instruments.accuracy import KEITHLEY_2400
from hil.instruments.keithley2400 import Keithley2400Smu
from hil.station import Station
from hil.types import BoardInfo, Capability, Dopant, Source
from twin.bench import TwinBench
from twin.board import TwinBoard
from twin.converters import Converters, IdealConverters, RealConverters
from twin.devices.base import DeviceModel
from twin.devices.mss import MssDevices
from twin.devices.mss_stochastic import StochasticMssDevices
from twin.firmware.keithley2400 import Keithley2400Firmware
from twin.firmware.switch_board import SwitchBoardFirmware
from twin.parameters import DeviceRecord, load_record, stack_records
from twin.plant import Plant
from twin.servers.inprocess import InProcessAdapter, InProcessPort

DEFAULT_RECORDS = {
    Dopant.W: ["w-m1", "w-m2"],
    Dopant.CR: ["cr-assumed"],
    Dopant.C: ["c-assumed"],
}
"""Records that the devices of a dopant take in turn, where the station names none."""


@dataclass(frozen=True)
class TwinInstruments:
    """The twin of a station: one bench, and the firmware of both instruments on it."""

    bench: TwinBench
    smu: Keithley2400Firmware
    switch_board: SwitchBoardFirmware


def open_direct(station: Station, *, seed: int | None, source_reason: str) -> TwinBoard:
    """Open the direct twin of a station; entry point ``twin``."""
    seed = station.table.twin.seed if seed is None else seed
    records = _records(station)
    info = BoardInfo(
        station=station.name,
        kind="twin",
        source=Source.TWIN,
        source_reason=source_reason,
        identity={"twin": f"direct twin, seed {seed}"},
        shape=(1, len(station.devices)),
        devices=station.devices,
        capabilities=frozenset(Capability),
        min_pulse_width_s=Keithley2400Smu.min_pulse_width_s,
        switch_resistance_ohm=station.table.circuit.switch_resistance_ohm,
        tolerance_ratio=station.table.circuit.tolerance_ratio,
        calibration=_calibration(records),
    )
    return TwinBoard(info, station, _plant(station, records, seed), _converters(station, seed))


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
        calibration=_calibration(_records(station)),
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
    serial_number = f"TWIN{seed:08d}"
    bench = TwinBench(
        _plant(station, _records(station), seed),
        {device.position: index for index, device in enumerate(station.devices)},
        station.table.switch_board.n_positions,
        _converters(station, seed),
        serial_number,
        station.table.smu.line_frequency_hz,
    )
    return TwinInstruments(
        bench,
        Keithley2400Firmware(bench.smu, station.table.smu.line_frequency_hz),
        SwitchBoardFirmware(bench.switch, serial_number, jumper=jumper),
    )


def _records(station: Station) -> list[DeviceRecord]:
    """Return the parameter record of each device of a station."""
    loaded: dict[str, DeviceRecord] = {}
    taken = dict.fromkeys(Dopant, 0)
    records = []
    for device in station.devices:
        names = station.table.twin.records.get(device.dopant) or DEFAULT_RECORDS[device.dopant]
        name = names[taken[device.dopant] % len(names)]
        taken[device.dopant] += 1
        records.append(loaded.setdefault(name, load_record(name)))
    return records


def _calibration(records: list[DeviceRecord]) -> dict[str, str]:
    used = {record.record_id: record for record in records}
    return {
        f"device record {record.record_id}": f"{record.status}, sha256 {record.sha256}"
        for record in used.values()
    }


def _plant(station: Station, records: list[DeviceRecord], seed: int) -> Plant:
    parameters = stack_records(records)
    devices: DeviceModel
    if station.table.twin.model == "mss-stochastic":
        devices = StochasticMssDevices(parameters, _rng(seed, "devices"))
    else:
        devices = MssDevices(parameters)
    r_series_ohm = np.array([device.series_resistor_ohm for device in station.devices])
    return Plant(devices, r_series_ohm, station.table.circuit.switch_resistance_ohm)


def _converters(station: Station, seed: int) -> Converters:
    if not station.table.twin.instrument_noise:
        return IdealConverters()
    return RealConverters(KEITHLEY_2400, _rng(seed, "instrument"))


def _rng(seed: int, use: str) -> np.random.Generator:
    """One independent stream for each use of a seed."""
    return np.random.default_rng([seed, *use.encode()])
