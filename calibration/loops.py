"""Current-voltage loops out of the run database: the one form in which fits read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.imports.measurement import PROCEDURE, data_sha256
from calibration.sine import SineFit, fit_sine
from hil.errors import UsageError
from hil.station import parse_station
from hil.store import RunDatabase
from hil.types import Dopant, FloatArray, Source
from hil.units import text

_ROLLED = ("v_source_v", "v_device_v", "i_a")


@dataclass(frozen=True)
class Loop:
    """One loop of one device; arrays of shape (n,), rows in the order of time.

    A periodic sine begins at its rising zero crossing, wherever its record began: row 0 is the
    first at or after the crossing, ``t_s`` counts from the crossing itself, and the fitted source
    is ``offset + amplitude sin(2 pi f t_s)``. Every other loop begins with its first row, at 0 s.
    In the database the rows stay as they were measured.

    Attributes:
        device: name of the memristor.
        dopant: of its active layer.
        run_id: run that it is from.
        r_series_ohm: all that is between source and device, with the switch where there is one.
        t_s: time; steps need not be equal.
        v_source_v: across series resistance and device.
        v_device_v: across the device alone.
        i_a: positive in the SET direction.
        is_periodic: whether it is exactly one period of a steady state.
        frequency_hz: of the source; for a loop that is not periodic, the inverse of the time that
            it takes, None if unknown.
        amplitude_v: of the source: of the fitted sine, or the largest magnitude.
        sha256: of voltages and currents in the order of the record, as ``data_sha256``.
        label: the conditions for a person, ``5 kOhm 0.8 V 10 Hz``.
        source: bench or twin.
        attribution: who measured, in the words in which it has to be shown; empty for our own runs.
        sine: of a periodic loop whose source follows a sine; None otherwise.
        reading_window_s: of a staircase, from when to when after the start of its step each current
            is averaged; ``t_s`` are the ends of these windows. None where the source does not step.
    """

    device: str
    dopant: Dopant
    run_id: str
    r_series_ohm: float
    t_s: FloatArray
    v_source_v: FloatArray
    v_device_v: FloatArray
    i_a: FloatArray
    is_periodic: bool
    frequency_hz: float | None
    amplitude_v: float
    sha256: str
    label: str
    source: Source = Source.TWIN
    attribution: str = ""
    sine: SineFit | None = None
    reading_window_s: tuple[float, float] | None = None


def read_loops(database: RunDatabase, runs: Sequence[str], device: str | None = None) -> list[Loop]:
    """Return the loops of runs: imported ones, and each whole sweep of our own.

    Args:
        database: open for reading.
        runs: ids, beginnings of ids, or ``latest``; one that is named twice counts once.
        device: only loops of this device; None for all.

    Raises:
        UsageError: a run holds no loop, is an import that was not stored whole, or none of the
            loops is of ``device``.
        StoreError: no such run.
        StationError: the station of a run cannot be read by this version.
    """
    ids = dict.fromkeys(database.find(run).run_id for run in runs)
    loops = [loop for run_id in ids for loop in _loops_of(database, run_id)]
    if device is None:
        return loops
    wanted = [loop for loop in loops if loop.device == device]
    if not wanted:
        known = ", ".join(sorted({loop.device for loop in loops})) or "none"
        raise UsageError(f"no loop of device {device!r} in these runs; there are loops of {known}")
    return wanted


def runs_with_loops(database: RunDatabase) -> list[str]:
    """Return the ids of all finished runs that hold loops, oldest first."""
    runs = [r for r in database.runs() if r.status == "finished" and r.n_rows["sweep_points"]]
    return [run.run_id for run in reversed(runs)]


def _loops_of(database: RunDatabase, run_id: str) -> list[Loop]:
    run = database.run(run_id)
    if not run["n_rows"]["sweep_points"]:
        raise UsageError(f"run {run_id} ({run['procedure']}) holds no current-voltage loop")
    points = database.arrays(run_id, "sweep_points")
    if run["procedure"] == PROCEDURE:
        if run["status"] != "finished":
            raise UsageError(f"run {run_id} is an import that {run['status']}; import it again")
        return [_imported(run, points)]
    loops = list(_own(run, points))
    if not loops:
        raise UsageError(f"run {run_id} ({run['procedure']}) was cut short in its first loop")
    return loops


def _imported(run: dict[str, Any], points: dict[str, NDArray[Any]]) -> Loop:
    told = run["parameters"]
    frequency_hz, r_ohm = told.get("frequency_hz"), told["series_resistor_ohm"]
    amplitude_v = float(np.abs(points["v_source_v"]).max())
    shown_v = told.get("amplitude_v", amplitude_v)
    loop = Loop(
        device=told["device"],
        dopant=Dopant(told["dopant"]),
        run_id=run["id"],
        r_series_ohm=r_ohm,
        t_s=points["t_s"] - points["t_s"][0],
        v_source_v=points["v_source_v"],
        v_device_v=points["v_device_v"],
        i_a=points["i_a"],
        is_periodic=told["periodic"],
        frequency_hz=frequency_hz,
        amplitude_v=amplitude_v,
        sha256=told["data_sha256"],
        label=_label(r_ohm, shown_v, frequency_hz),
        source=Source(run["source"]),
        attribution=told["attribution"],
    )
    return _aligned(loop)


def _aligned(loop: Loop) -> Loop:
    """Return a periodic sine beginning at its rising zero crossing, any other loop as it is."""
    if not loop.is_periodic or loop.frequency_hz is None:
        return loop
    sine = fit_sine(loop.v_source_v, loop.frequency_hz)
    if not sine.is_sine:
        return loop
    n = len(loop.t_s)
    periods = np.arange(n) / n + sine.phase_rad / (2 * np.pi)
    since = np.mod(periods + 1e-9, 1.0)  # a row on the crossing, but for rounding, comes first
    first = int(np.argmin(since))
    start_s = max(since[first] - 1e-9, 0.0) / loop.frequency_hz
    changed = {name: np.roll(getattr(loop, name), -first) for name in _ROLLED}
    t_s = start_s + np.arange(n) / (n * loop.frequency_hz)
    return replace(loop, t_s=t_s, amplitude_v=sine.amplitude_v, sine=sine, **changed)


def _own(run: dict[str, Any], points: dict[str, NDArray[Any]]) -> Iterator[Loop]:
    """Return one loop for each whole sweep of a run of ours."""
    station = parse_station(run["station_toml"], f"station of run {run['id']}")
    devices = {device.name: device for device in station.devices}
    switch_ohm = station.table.circuit.switch_resistance_ohm
    smu = station.table.smu
    aperture_s = smu.pulse_nplc / smu.line_frequency_hz
    n_whole = run["parameters"].get("points")
    starts = np.unique(points["sweep_seq"])
    for k, start in enumerate(starts, start=1):
        sweep = {name: column[points["sweep_seq"] == start] for name, column in points.items()}
        n = len(sweep["t_s"])
        if n < 2 or (n_whole is not None and n != n_whole):
            continue  # cut short
        device = devices[sweep["device"][0]]
        t_s = sweep["t_s"] - sweep["t_s"][0]
        amplitude_v = float(np.abs(sweep["v_source_v"]).max())
        label = _label(device.series_resistor_ohm, amplitude_v, None)
        yield Loop(
            device=device.name,
            dopant=device.dopant,
            run_id=run["id"],
            r_series_ohm=device.series_resistor_ohm + switch_ohm,
            t_s=t_s,
            v_source_v=sweep["v_source_v"],
            v_device_v=sweep["v_device_v"],
            i_a=sweep["i_a"],
            is_periodic=False,  # each begins in the state that the one before has left
            frequency_hz=(n - 1) / (n * float(t_s[-1])) if t_s[-1] > 0 else None,
            amplitude_v=amplitude_v,
            sha256=data_sha256(sweep["v_source_v"], sweep["v_device_v"], sweep["i_a"]),
            label=f"{label} loop {k}" if len(starts) > 1 else label,
            source=Source(run["source"]),
            reading_window_s=(smu.settle_s, smu.settle_s + aperture_s),
        )


def _label(r_ohm: float, amplitude_v: float, frequency_hz: float | None) -> str:
    parts = [text(r_ohm, "Ohm"), f"{amplitude_v:.3g} V"]
    if frequency_hz is not None:
        parts.append(text(frequency_hz, "Hz"))
    return " ".join(parts)
