"""Stated uncertainty is honest: how often the truth is within k = 2 of a reading, by range.

Each twin station has an instrument, a board and reference resistors of its own, drawn within the
accuracy table, the tolerances of the station and the certificates. Its devices are resistors of
random value, of which the twin knows the truth. They are read as the station comes, and again with
the records of a calibration of that very station: shorts in the sockets in one run, resistors with
a certificate in another, offline fit of the instrument and then of the board. Memristors in random
states are read on the shipped station.
"""

from __future__ import annotations

import sys

import numpy as np

from calibration.references.board import board_record
from calibration.references.instrument import instrument_record
from calibration.references.readings import ReferenceReadings, join
from hil.conductance import conductance
from hil.correction import Correction
from hil.instruments.accuracy import KEITHLEY_2400
from hil.limits import LimitChecker
from hil.records import Record
from hil.station import Station, load_station, parse_station
from hil.types import FloatArray
from procedures.read_references import is_allowed
from twin.board import TwinBoard
from twin.opening import open_direct

N_STATIONS = 1250
N_MEMRISTOR_STATIONS = 300
LOW, HIGH = 0.93, 0.97
V_READ_V = 0.1
REPEATS = 3
CERTIFICATE_RATIO = 1e-4  # k = 2, of the reference resistors
LEVELS_V = [0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0]

# Range: series resistor, and between which values its devices are drawn. Two devices for each.
RANGES: dict[str, tuple[float, float, float]] = {
    "1 uA": (10_000.0, 150e3, 5e6),
    "10 uA": (10_000.0, 2e3, 70e3),
    "100 uA": (1_000.0, 500.0, 7e3),
    "1 mA": (47.0, 50.0, 700.0),
}
# Series resistor and value of each reference resistor.
REFERENCES = [(10_000.0, 1e6), (10_000.0, 1e5), (1_000.0, 1e4), (47.0, 1e3)]

STATION = """
name = "coverage"
board = "twin"
source = "twin"
[smu]
driver = "keithley2400"
address = "twin:"
[switch_board]
address = "twin:"
n_positions = 16
[circuit]
series_resistor_ohm = 10000.0
parallel_load_ohm = 1e7
[devices]
"""

Table = dict[str, dict[str, list[float]]]


def main() -> int:
    states = ("uncalibrated", "calibrated")
    inside: Table = {state: {name: [] for name in RANGES} for state in states}
    expanded: Table = {state: {name: [] for name in RANGES} for state in states}
    for seed in range(N_MEMRISTOR_STATIONS):
        read_memristors(seed, inside["uncalibrated"], expanded["uncalibrated"])
    for seed in range(N_STATIONS):
        values = np.random.default_rng([7, seed])
        devices = [
            (series_ohm, float(np.exp(values.uniform(np.log(low), np.log(high)))))
            for series_ohm, low, high in RANGES.values()
            for _ in range(2)
        ]
        records = calibrate(seed, [series_ohm for series_ohm, _ in devices])
        read_out = station(devices)
        with open_direct(read_out, seed=seed, source_reason="") as board:
            readings = board.measure(board.info.all_cells, V_READ_V)
            truth = truths(board)
        tables = Correction.from_tables(KEITHLEY_2400, read_out.max_voltage_v, read_out.circuit)
        index = np.arange(len(devices))
        for state, correction in (
            ("uncalibrated", tables),
            ("calibrated", tables.with_record(records[0]).with_record(records[1])),
        ):
            g = conductance(readings.v_source_v, readings.i_a, index, correction, 1.0)
            hits = np.abs(g.g_siemens - truth) <= g.g_expanded_siemens
            for k, name in enumerate(np.repeat(list(RANGES), 2)):
                inside[state][name].append(float(hits[k]))
                expanded[state][name].append(float(g.g_expanded_siemens[k] / truth[k]))
    return report(inside, expanded)


def read_memristors(
    seed: int, inside: dict[str, list[float]], expanded: dict[str, list[float]]
) -> None:
    """Read the memristors of the shipped station, each in a state of its own."""
    rng = np.random.default_rng([8, seed])
    with open_direct(load_station("twin"), seed=seed, source_reason="") as board:
        devices = board.plant.devices
        devices.x = rng.uniform(0, 1, devices.n_devices) ** rng.integers(1, 5, devices.n_devices)
        readings = board.measure(board.info.all_cells, V_READ_V)
        truth = devices.conductance_siemens(
            np.arange(devices.n_devices), true_device_v(board, len(readings))
        )
        names = [f"{device.dopant.value} memristors" for device in board.info.devices]
    hits = np.abs(readings.g_siemens - truth) <= readings.g_expanded_siemens
    for k, name in enumerate(names):
        inside.setdefault(name, []).append(float(hits[k]))
        expanded.setdefault(name, []).append(float(readings.g_expanded_siemens[k] / truth[k]))


def true_device_v(board: TwinBoard, n_devices: int) -> FloatArray:
    """Return the voltage that is really across each device while it is read.

    A conductance belongs to a voltage. Its stated uncertainty is that of I / V where the device
    was; how far the conductance is from that at another voltage is the device's affair.
    """
    index = np.arange(n_devices)
    v_source_v = board._converters.source_v(np.full(n_devices, V_READ_V))  # nobody else may know
    v_v = v_source_v
    for _ in range(60):
        g_siemens = board.plant.devices.conductance_siemens(index, v_v)
        v_v = 0.5 * v_v + 0.5 * v_source_v / (1 + board.plant.r_path_ohm * g_siemens)
    return v_v


def calibrate(seed: int, series_ohm: list[float]) -> tuple[Record, Record]:
    """Return the records of instrument and board of a station, from two runs on its twin."""
    shorts = [(r_ohm, 0.0) for r_ohm in series_ohm]
    n = len(series_ohm)
    runs = [
        read(seed, station([*shorts, *((r_ohm, 0.0) for r_ohm, _ in REFERENCES)])),
        read(seed, station([*shorts, *REFERENCES], expanded_ratio=CERTIFICATE_RATIO, first=n)),
    ]
    readings = join(runs)
    instrument = instrument_record(readings, "smu-1")
    return instrument, board_record(readings, "board-1", instrument)


def read(seed: int, station: Station) -> ReferenceReadings:
    """Do what the procedure ``read-references`` does, in memory."""
    with open_direct(station, seed=seed, source_reason="") as board:
        limits = LimitChecker(board.info, board.limits)
        columns: list[tuple[str, float, float, float]] = []
        for level_v in LEVELS_V:
            cells = np.array([c for c in board.info.all_cells if is_allowed(c, level_v, limits)])
            for v_read_v in [level_v, -level_v] * REPEATS if len(cells) else []:
                r = board.measure(cells, v_read_v, allow_reverse=True)
                names = [board.info.device_at(cell).name for cell in cells]
                columns += zip(names, r.v_read_v, r.v_source_v, r.i_a, strict=True)
        values = np.array([row[1:] for row in columns])
        names = [row[0] for row in columns]
        return ReferenceReadings.of(station, board.info.identity, names, *values.T)


def station(
    sockets: list[tuple[float, float]], expanded_ratio: float = 0.0, first: int = 0
) -> Station:
    """Return a station with (series resistor, reference) in its sockets."""
    lines = [
        f"R{k} = {{ reference_ohm = {r_ohm!r}, series_resistor_ohm = {series_ohm!r}, "
        f"reference_expanded_ratio = {expanded_ratio if k >= first else 0.0}, "
        f'package_pin = "{k}", position = {k} }}'
        for k, (series_ohm, r_ohm) in enumerate(sockets)
    ]
    return parse_station(STATION + "\n".join(lines))


def truths(board: TwinBoard) -> FloatArray:
    """Return what the twin knows of its devices."""
    devices = board.plant.devices
    return devices.conductance_siemens(np.arange(devices.n_devices))


def report(inside: Table, expanded: Table) -> int:
    """Print coverage and median uncertainty of every range; return 1 if one misses the goal."""
    covered = []
    for state, ranges in inside.items():
        for name, hits in ranges.items():
            ratio = float(np.mean(hits))
            covered.append(ratio)
            median = float(np.median(expanded[state][name]))
            print(
                f"2400, {state:12}, {name:13}: {ratio:7.2%} of {len(hits)} readings within k = 2, "
                f"median {median:.3%} of the conductance"
            )
    print(
        f"coverage = {min(covered):.2%} to {max(covered):.2%} over {N_STATIONS} instruments "
        f"(goal {LOW:.0%} to {HIGH:.0%} in every range)"
    )
    return 0 if min(covered) >= LOW and max(covered) <= HIGH else 1


if __name__ == "__main__":
    sys.exit(main())
