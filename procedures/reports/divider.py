"""The energy that the common divider formula would give for the pulses of a run, beside ours."""

from __future__ import annotations

from typing import Any

import numpy as np

from hil.errors import StationError
from hil.station import Station, parse_station
from hil.store import RunDatabase
from hil.types import FloatArray


def divider_energy(database: RunDatabase, run_id: str) -> dict[str, Any] | None:
    """Compare the energy of pulses with what the divider formula makes of them.

    The formula is E = V^2 n t / (R_end + R_series + R_switch): nominal amplitude V, n pulses of
    nominal width t, and the resistance that the next read of the device finds. It counts the
    resistors as if they were the device, and a device that changes as if it had not.

    Source: Knowm Memristor Discovery, commit 9e01a9b7103, which takes 100 ohm for R_switch.

    Returns:
        ``formula_j``; ``device_j``, ours of the same pulses; ``factor_ratio``, one over the other;
        ``n_pulses`` that were compared; ``n_left_out``, those after which nothing was read. None
        where no pulse was read after, or the station text of the run is of no use.
    """
    try:
        station = parse_station(str(database.run(run_id)["station_toml"]))
    except StationError:
        return None
    pulses = database.arrays(run_id, "pulses")
    if not len(pulses["seq"]):
        return None
    r_end_ohm = _r_after(pulses, database.arrays(run_id, "readings"))
    formula_j = (
        pulses["amplitude_v"] ** 2
        * pulses["n_pulses"]
        * pulses["width_s"]
        / (r_end_ohm + _in_series_ohm(station, pulses["device"]))
    )
    ours_j = _device_j(database, run_id, pulses["seq"])
    known = np.isfinite(formula_j) & np.isfinite(ours_j)
    device_j = float(ours_j[known].sum())
    if device_j <= 0:
        return None
    n_compared = int(pulses["n_pulses"][known].sum())
    total_j = float(formula_j[known].sum())
    return {
        "formula_j": total_j,
        "device_j": device_j,
        "factor_ratio": total_j / device_j,
        "n_pulses": n_compared,
        "n_left_out": int(pulses["n_pulses"].sum()) - n_compared,
    }


def _r_after(pulses: dict[str, Any], readings: dict[str, Any]) -> FloatArray:
    """Return the resistance at the next read of each pulsed device; NaN where none follows."""
    r_ohm = np.full(len(pulses["seq"]), np.nan)
    for device in set(pulses["device"]):
        pulsed, read = pulses["device"] == device, readings["device"] == device
        g_siemens = np.append(readings["g_siemens"][read], np.nan)
        following = np.searchsorted(readings["seq"][read], pulses["seq"][pulsed], side="right")
        with np.errstate(divide="ignore"):
            r_ohm[pulsed] = 1 / g_siemens[following]
    return r_ohm


def _in_series_ohm(station: Station, devices: FloatArray) -> FloatArray:
    series_ohm = {device.name: device.series_resistor_ohm for device in station.devices}
    return np.array([series_ohm.get(str(name), np.nan) for name in devices]) + (
        station.table.circuit.switch_resistance_ohm
    )


def _device_j(database: RunDatabase, run_id: str, seq: FloatArray) -> FloatArray:
    energy = database.arrays(run_id, "energy")
    by_seq = dict(zip(energy["of_seq"], energy["device_j"], strict=True))
    return np.array([by_seq.get(number, np.nan) for number in seq])
