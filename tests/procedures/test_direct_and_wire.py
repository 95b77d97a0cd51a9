"""One seed, one station, no instrument noise: the direct twin and the wire twin side by side.

Where the figures of ``TOLERANCES`` come from. A level is sent as ``%g``: 6 significant digits, at
most 5e-6 off. A reading comes as ``+.6E``: 7 significant digits, at most 5e-7 off, in the voltage
and in the current, and G = I / (V - I R) makes it (1 + R G) times as much, which is below 6 for
the devices here (G < 500 uS behind 10 kohm). A rate changes by dV / V_T with V_T = 25.7 mV,
so levels of more than 6 digits, which only a sine has, move the state itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from procedures.registry import PROCEDURES
from procedures.runner import run
from tests.procedures.conftest import StationFile
from tests.support.gmss import M2, write_gmss_record
from tests.support.runs import tables_of

LEVEL = 5e-6  # half a unit of the 6th digit, relative to 1.00000
READING = 5e-7  # half a unit of the 7th digit
LOADING = 6.0  # 1 + R G, largest of these devices
INTEGRATION = 1e-6  # of X over thousands of pulses (MssDevices), one long pulse against short ones
STATE_BY_LEVEL = LEVEL * 0.8 / 0.0257  # rates at the 0.8 V peak of the loop
TWO_SAMPLES = 0.05  # of a pulse's energy: the wire samples it 1 ms after the edge and at the end
# Bound of the energy of one pulse: until its first sample is taken (1 ms settling and 2 ms aperture
# of 20 ms) the wire knows no other current than that sample.
FIRST_SAMPLE = 0.003 / 0.020
# A hidden neuron puts out the sum of up to 9 currents less a reference, in units of half a window
# (three times the half width at most for one branch): an error in volts, whatever its own voltage.
HIDDEN_V = 9 * 3 * READING * 0.1
G_MAX = 500e-6
RUN_AWAY = 0.10  # the same where a RESET runs away between the samples (docs/explanation/twin.md)

# Relative tolerance by table and column; every column not named here has to be equal.
TOLERANCES: dict[str, dict[str, float]] = {
    "readings": {
        "t_s": 1e-9,  # nanoseconds, counted in integers
        "width_s": 1e-9,
        "v_source_v": READING,
        "v_device_v": LOADING * READING * 2,
        "i_a": LOADING * READING + INTEGRATION,
        "g_siemens": LOADING * READING * 2 + INTEGRATION,
        "g_expanded_siemens": 2 * LOADING * READING * 2 + INTEGRATION,  # goes with G squared
    },
    "pulses": {
        "t_s": 1e-9,
        "width_measured_s": 1e-9,
        "i_end_a": TWO_SAMPLES,  # the last sample against the very end
    },
    "sweep_points": {
        "v_source_v": LEVEL + READING,
        "v_device_v": STATE_BY_LEVEL,
        "i_a": STATE_BY_LEVEL,
    },
    "snapshots": {"g_siemens": LOADING * READING * 2 + INTEGRATION},
    "metrics": {},
}

# Metrics that are sums of energies; all others are counts, accuracies and times.
ENERGY_METRICS = FIRST_SAMPLE

# Columns of records that are conductances or follow from them, or are energies.
RECORD_TOLERANCES = {
    "Conductance (S)": LOADING * READING * 2 + INTEGRATION,
    "Uncertainty (S)": 2 * LOADING * READING * 2 + INTEGRATION,
    "Time (s)": 1e-9,
    "Duration (s)": 1e-9,
    "Width (s)": 1e-9,
    "Verify energy (J)": 2 * LOADING * READING + INTEGRATION,
    "Program energy (J)": FIRST_SAMPLE,
    "Source energy (J)": RUN_AWAY,
    "Device energy (J)": TWO_SAMPLES,
    "Source voltage (V)": LEVEL + READING,
    "Device voltage (V)": STATE_BY_LEVEL,
}

# Energies of generalised devices: they let go of part of their state during a read, and a RESET
# that runs away within the first millisecond is over before the first sample.
GMSS_TOLERANCES = {
    "Verify energy (J)": 5e-3,
    "Program energy (J)": FIRST_SAMPLE,
    "Device energy (J)": 0.25,
    "Source energy (J)": 0.4,
}

RUNS: list[tuple[str, dict[str, Any]]] = [
    ("iv-sweep", {}),
    ("pulse-train", {"set_step_v": 0.01, "set_v": 0.3, "cycles": 1}),
    ("read-array", {"repeats": 2, "interval_s": 0.5}),
    ("program-verify", {"devices": "W"}),
    ("on-chip-training", {"reset_pulse": True}),
]


@pytest.mark.parametrize("model", ["mss", "gmss"])
@pytest.mark.parametrize(("name", "parameters"), RUNS, ids=[name for name, _ in RUNS])
def test_both_twins_measure_the_same(
    name: str, parameters: dict[str, Any], model: str, station_file: StationFile, database: Path
) -> None:
    extra = 'records = { W = ["w-m1", "w-m2"] }'
    if model == "gmss":  # with memory and cycle-to-cycle redraws
        write_gmss_record("w-a", database.parent / "records")
        write_gmss_record("w-b", database.parent / "records", **M2)
        extra = 'records = { W = ["w-a", "w-b"] }\ndevice_spread = true'
    n_w = 30 if name == "on-chip-training" else 4
    direct, wire = (
        _tables(
            name,
            parameters,
            database,
            station_file(board, noise=False, n_devices={"W": n_w}, model="record", extra=extra),
        )
        for board in ("twin", "twin-wire")
    )
    _hidden_are_close(direct, wire)
    _energies_are_close(direct, wire)
    for table, tolerances in TOLERANCES.items():
        _compare(table, direct[table], wire[table], tolerances)
    if "Residual" in direct["records"]:
        a, b = (t["records"].pop("Residual").to_numpy(float) for t in (direct, wire))
        np.testing.assert_allclose(b, a, rtol=0, atol=RECORD_TOLERANCES["Conductance (S)"])
    records = RECORD_TOLERANCES | {"Current (A)": _current_tolerance(name)}
    records |= GMSS_TOLERANCES if model == "gmss" else {}
    _compare("records", direct["records"], wire["records"], records)
    assert list(direct["energy"].columns) == list(wire["energy"].columns)
    assert len(direct["energy"]) == len(wire["energy"])
    for part in ("device_j", "series_j", "switch_j", "instrument_j"):
        totals = [t["energy"][part].sum() for t in (wire, direct)]
        assert totals[0] == pytest.approx(totals[1], rel=2 * TWO_SAMPLES), part


def _hidden_are_close(direct: dict[str, pd.DataFrame], wire: dict[str, pd.DataFrame]) -> None:
    """Compare reads at the voltages of hidden neurons, in volts and amperes; take them out."""
    hidden = {}
    for board, tables in (("direct", direct), ("wire", wire)):
        readings = tables["readings"]
        of_hidden = (readings["purpose"] == "inference") & (readings["v_read_v"] < 0.1)
        hidden[board] = readings[of_hidden]
        tables["readings"] = readings[~of_hidden].reset_index(drop=True)
    one, other = hidden["direct"], hidden["wire"]
    assert one["device"].tolist() == other["device"].tolist()
    for column, atol in (("v_read_v", HIDDEN_V), ("i_a", (HIDDEN_V + LEVEL * 0.1) * G_MAX)):
        np.testing.assert_allclose(other[column], one[column], rtol=0, atol=atol, err_msg=column)


def _energies_are_close(direct: dict[str, pd.DataFrame], wire: dict[str, pd.DataFrame]) -> None:
    """Compare the metrics that are no counts, accuracies or times; take them out."""
    of = {}
    for board, tables in (("direct", direct), ("wire", wire)):
        metrics = tables["metrics"]
        is_energy = metrics["unit"] == "J"
        is_residual = metrics["name"] == "residual_rms_ratio"
        of[board] = metrics[is_energy], metrics[is_residual]
        tables["metrics"] = metrics[~is_energy & ~is_residual].reset_index(drop=True)
    for k, tolerance in ((0, ENERGY_METRICS), (1, RECORD_TOLERANCES["Conductance (S)"] * 100)):
        one, other = of["direct"][k], of["wire"][k]
        np.testing.assert_allclose(other["value"], one["value"], rtol=tolerance)


def _current_tolerance(name: str) -> float:
    return STATE_BY_LEVEL if name == "iv-sweep" else LOADING * READING + INTEGRATION


def _tables(
    name: str, parameters: dict[str, Any], database: Path, station: str
) -> dict[str, pd.DataFrame]:
    procedure = PROCEDURES[name](station=station, database=str(database), seed=3, **parameters)
    outcome = run(procedure)
    assert outcome.status == "finished", outcome
    return tables_of(database, outcome.run_id)


def _compare(
    name: str, direct: pd.DataFrame, wire: pd.DataFrame, tolerances: dict[str, float]
) -> None:
    assert list(direct.columns) == list(wire.columns), name
    assert len(direct) == len(wire), name
    for column in direct.columns:
        if column in tolerances:
            np.testing.assert_allclose(
                wire[column].to_numpy(float),
                direct[column].to_numpy(float),
                rtol=tolerances[column],
                err_msg=f"{name}.{column}",
            )
        else:
            pd.testing.assert_series_equal(wire[column], direct[column], obj=f"{name}.{column}")
