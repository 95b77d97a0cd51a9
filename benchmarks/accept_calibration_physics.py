"""The generalised device against what was measured of W parts: pulses, reads, retention.

    accept_calibration_physics.py [--folder FOLDER] [RECORD ...]

Pulse statistics are of the first record (``w-pulsed``), read shape and retention of all of them
(``w-pulsed w-m1-2 w-m2-2``). Measured: conductance after 100 pulses of 100 us after a reset of
-2 V, github.com/JUNAID-TARIQ1991/Knowm-Memristor (10 kOhm in series, a reset as long as the train
and the wait before the read are assumed); read shape and retention, Hajto et al., arXiv 2505.15757.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from hil.errors import StationError
from hil.station import Station, parse_station
from hil.types import FloatArray
from twin.devices.gmss import GmssDevices
from twin.devices.gmss_parameters import GmssParameters
from twin.opening import open_direct
from twin.parameters import DeviceRecord, load_record, stack
from twin.plant import Plant, PlantInputs

DEFAULT_RECORDS = ("w-pulsed", "w-m1-2", "w-m2-2")
R_SERIES_OHM = 10e3
TRAIN_S = 100 * 100e-6
RESET_V, READ_V, READ_S = -2.0, 0.1, 21e-3
WAIT_S = 1.0  # from the train to the read; assumed, as it was not noted
N_DEVICES, N_CYCLES = 40, 6  # cycles of all devices together: 240
LOW_OHM = (170e3, 780e3)
RESET_PULSE, SET_PULSE = (-1.0, 20e-3), (0.5, 20e-3)
MINUTE_S, HOUR_S = 60.0, 3600.0


@dataclass(frozen=True)
class Measured:
    """Conductance after a train: mean and standard deviation over cycles."""

    amplitude_v: float
    mean_siemens: float
    sd_siemens: float


TRAINS = (
    Measured(0.4, 15.8e-6, 2.9e-6),
    Measured(0.5, 40.2e-6, 5.5e-6),
    Measured(0.8, 69.8e-6, 4.9e-6),
    Measured(1.0, 110e-6, 7e-6),
)


class Verdicts:
    """Prints each figure with its goal, and remembers whether all were met."""

    def __init__(self) -> None:
        self.missed: list[str] = []

    def judge(self, name: str, met: bool, text: str) -> None:
        print(f"{'met' if met else 'MISSED':7}{name}: {text}")
        if not met:
            self.missed.append(name)


def after_trains(record: DeviceRecord, amplitude_v: float) -> FloatArray:
    """Return the conductance that is read after each train, over all devices and cycles."""
    parameters = stack([record] * N_DEVICES, GmssParameters)
    plant = Plant(GmssDevices(parameters, seed=1), np.full(N_DEVICES, R_SERIES_OHM), 0.0)
    everyone = np.arange(N_DEVICES)

    def drive(level_v: float, dt_s: float) -> FloatArray:
        full_v, limit_a = np.full(N_DEVICES, level_v), np.full(N_DEVICES, 1e-3)
        outputs = plant.drive(PlantInputs(everyone, full_v, limit_a), dt_s)
        plant.rest(everyone, WAIT_S)
        i_a = outputs.charge_c / dt_s
        return i_a / (level_v - i_a * R_SERIES_OHM)

    readings = []
    for _ in range(N_CYCLES):
        drive(RESET_V, TRAIN_S)
        drive(amplitude_v, TRAIN_S)
        readings.append(drive(READ_V, READ_S))
    return np.concatenate(readings)


def judge_trains(record: DeviceRecord, verdicts: Verdicts) -> None:
    """Compare mean and spread after trains of each amplitude."""
    spreads = []
    for m in TRAINS:
        g = after_trains(record, m.amplitude_v)
        mean, sd = float(g.mean()), float(g.std(ddof=1))
        spreads.append(sd / mean)
        off = (mean - m.mean_siemens) / m.sd_siemens
        verdicts.judge(
            f"train of {m.amplitude_v:g} V",
            abs(off) <= 2,
            f"{mean * 1e6:.1f} +- {sd * 1e6:.1f} uS (CV {sd / mean:.0%}), measured "
            f"{m.mean_siemens * 1e6:.1f} +- {m.sd_siemens * 1e6:.1f} uS "
            f"(CV {m.sd_siemens / m.mean_siemens:.0%}): {off:+.1f} sd (goal within 2)",
        )
    falls = all(a > b for a, b in pairwise(spreads))
    shown = ", ".join(f"{spread:.1%}" for spread in spreads)
    verdicts.judge("spread falls with the level", falls, shown)


def judge_shape(record: DeviceRecord, verdicts: Verdicts) -> None:
    """Compare the conductance at +100 mV and -100 mV with that at 0 V, in low states."""
    off_siemens = 1 / record.values()["r_off_ohm"]
    low = np.geomspace(max(1 / LOW_OHM[1], off_siemens), max(1 / LOW_OHM[0], off_siemens), 20)
    devices = GmssDevices(stack([record] * 20, GmssParameters))
    everyone = np.arange(20)
    devices.adopt_conductance(everyone, low)
    ohmic = devices.conductance_siemens(everyone)
    for v_v, lowest, highest in ((0.1, 1.27, 1.62), (-0.1, 0.83, 0.99)):
        ratio = devices.conductance_siemens(everyone, v_v) / ohmic
        verdicts.judge(
            f"{record.record_id} G({v_v * 1e3:+g} mV) / G(0)",
            bool((ratio >= lowest).all() and (ratio <= highest).all()),
            f"{ratio.min():.2f} to {ratio.max():.2f} over {1e-3 / ohmic.max():.0f} to "
            f"{1e-3 / ohmic.min():.0f} kOhm (goal {lowest:g} to {highest:g})",
        )


def judge_retention(record: DeviceRecord, folder: Path, verdicts: Verdicts) -> None:
    """Leave a device alone for an hour on the clock of a board, in a middle and in an OFF state.

    The first reading is a minute after the last pulse.
    """
    for name, pulses in (
        ("mid state", (RESET_PULSE, SET_PULSE)),
        ("high-resistance state", (RESET_PULSE,)),
    ):
        with open_direct(_station(record, folder), seed=1, source_reason="") as board:
            for level_v, width_s in pulses:
                board.pulse([[0, 0]], level_v, width_s)
            board.clock.sleep_s(MINUTE_S)
            begun_s = board.clock.now_s()
            first = float(board.measure([[0, 0]], READ_V).g_siemens[0])
            board.clock.sleep_s(HOUR_S)
            last = float(board.measure([[0, 0]], READ_V).g_siemens[0])
            passed_s = board.clock.now_s() - begun_s
        is_mid = len(pulses) > 1
        met = abs(last / first - 1) < 0.05 if is_mid else last > first
        verdicts.judge(
            f"{record.record_id} {name}",
            met and passed_s >= HOUR_S,
            f"{first * 1e6:.3g} uS, after {passed_s:.0f} s {last * 1e6:.3g} uS "
            f"({last / first - 1:+.1%}; goal {'within 5 %' if is_mid else 'above 0'})",
        )


def _station(record: DeviceRecord, folder: Path) -> Station:
    dopant = record.dopant.value
    text = (
        'name = "retention"\nboard = "twin"\nsource = "twin"\n'
        '[smu]\ndriver = "keithley2400"\naddress = "twin:"\n[switch_board]\naddress = "twin:"\n'
        f"[circuit]\nseries_resistor_ohm = {R_SERIES_OHM}\n"
        f'[calibration]\nfolder = "{folder.resolve()}"\n'
        f'[twin]\ninstrument_noise = false\nrecords = {{ {dopant} = ["{record.record_id}"] }}\n'
        f'[devices]\nD1 = {{ dopant = "{dopant}", package_pin = "U1.1", position = 0 }}\n'
    )
    return parse_station(text, "retention")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("records", nargs="*", default=DEFAULT_RECORDS)
    parser.add_argument("--folder", type=Path, default=Path("records"), help="of more records")
    asked = parser.parse_args()
    try:
        records = [load_record(name, [asked.folder]) for name in asked.records]
    except StationError as error:
        print(f"physics = {error}")
        return 1
    verdicts = Verdicts()
    judge_trains(records[0], verdicts)
    for record in records:
        judge_shape(record, verdicts)
        judge_retention(record, asked.folder, verdicts)
    print(f"physics = {len(verdicts.missed)} missed (goal 0) {', '.join(verdicts.missed)}")
    return 1 if verdicts.missed else 0


if __name__ == "__main__":
    sys.exit(main())
