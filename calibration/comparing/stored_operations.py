"""What was done to a board in a run, out of the database, in the order in which it was done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.store import RunDatabase
from hil.types import EnergySplit, FloatArray, Pulses, Readings, Source, SweepTrace

Operation = Readings | Pulses | SweepTrace
_Rows = dict[str, NDArray[Any]]


def operations(database: RunDatabase, run_id: str) -> Iterator[Operation]:
    """Yield every reading, every row of pulses and every sweep of a run; one cell each.

    Args:
        database: open for reading.
        run_id: a whole id.
    """
    tables = {name: database.arrays(run_id, name) for name in ("readings", "pulses")}
    points = database.arrays(run_id, "sweep_points")
    energy = database.arrays(run_id, "energy")
    places = {int(seq): k for k, seq in enumerate(energy["of_seq"])}
    order = [
        (int(seq), name, k) for name, rows in tables.items() for k, seq in enumerate(rows["seq"])
    ]
    order += [(int(start), "sweep_points", 0) for start in np.unique(points["sweep_seq"])]
    for seq, name, k in sorted(order):
        split = _energy(energy, places[seq])
        if name == "readings":
            yield _readings(tables[name], k, split)
        elif name == "pulses":
            yield _pulses(tables[name], k, split)
        else:
            here = points["sweep_seq"] == seq
            yield _trace({column: values[here] for column, values in points.items()}, split)


def _readings(rows: _Rows, k: int, energy: EnergySplit) -> Readings:
    names = ("t_s", "v_read_v", "v_source_v", "v_device_v", "i_a", "g_siemens")
    return Readings(
        cells=np.array([[rows["row"][k], rows["column"][k]]]),
        **{name: _one(rows, name, k) for name in (*names, "g_expanded_siemens", "width_s")},
        energy=energy,
        source=Source(rows["source"][k]),
    )


def _pulses(rows: _Rows, k: int, energy: EnergySplit) -> Pulses:
    names = ("t_s", "amplitude_v", "width_s", "width_measured_s", "i_end_a")
    return Pulses(
        cells=np.array([[rows["row"][k], rows["column"][k]]]),
        **{name: _one(rows, name, k) for name in names},
        n_pulses=np.array([rows["n_pulses"][k]], dtype=np.int64),
        energy=energy,
        source=Source(rows["source"][k]),
    )


def _trace(rows: _Rows, energy: EnergySplit) -> SweepTrace:
    return SweepTrace(
        cell=(int(rows["row"][0]), int(rows["column"][0])),
        **{name: rows[name] for name in ("t_s", "v_source_v", "v_device_v", "i_a")},
        energy=energy,
        source=Source(rows["source"][0]),
    )


def _energy(rows: _Rows, k: int) -> EnergySplit:
    names = ("device_j", "series_j", "switch_j", "half_select_j", "instrument_j")
    return EnergySplit(**{name: _one(rows, name, k) for name in names}, method=rows["method"][k])


def _one(rows: _Rows, name: str, k: int) -> FloatArray:
    return np.array([rows[name][k]], dtype=float)
