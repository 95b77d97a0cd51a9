"""Small boards and results for the tests of the run store."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hil.arrays import Coding
from hil.patterns import LineDrive, LinePattern
from hil.store import RunStart
from hil.types import (
    BoardInfo,
    Capability,
    Device,
    Dopant,
    EnergySplit,
    Inference,
    MatVec,
    Pulses,
    Readings,
    Source,
    SweepTrace,
)


def board_info(n: int = 3, source: Source = Source.TWIN) -> BoardInfo:
    devices = tuple(Device(f"W{i}", Dopant.W, f"U1.{i}", i, 10e3) for i in range(n))
    return BoardInfo(
        station="bank",
        kind="twin",
        source=source,
        source_reason="no answer on GPIB0::24",
        identity={"smu": "TWIN 2400"},
        shape=(1, n),
        devices=devices,
        capabilities=frozenset(Capability),
        min_pulse_width_s=1e-6,
        switch_resistance_ohm=75.0,
        tolerance_ratio=0.01,
        calibration={"smu": "none"},
    )


def run_start(procedure: str = "iv-sweep", n: int = 3, seed: int | None = 7) -> RunStart:
    return RunStart(
        procedure=procedure,
        parameters={"v_read_v": 0.05, "target": float("nan"), "limit": float("inf")},
        station="bank",
        station_toml='name = "bank"\n',
        info=board_info(n),
        seed=seed,
        versions={"python": "3.11"},
    )


def energy(n: int, start: float = 1.0) -> EnergySplit:
    one = start * np.arange(1.0, n + 1)
    return EnergySplit(one, one * 0.1, one * 0.01, one * 1e-3, one * 1e-4, method="integral")


def readings(n: int = 3, g_siemens: ArrayLike | None = None, start: float = 0.0) -> Readings:
    g = np.linspace(1e-5, 1e-4, n) if g_siemens is None else np.asarray(g_siemens, dtype=float)
    v = np.full(n, 0.05)
    return Readings(
        cells=np.stack([np.zeros(n, dtype=np.intp), np.arange(n)], axis=1),
        t_s=start + np.arange(n, dtype=float),
        v_read_v=v,
        v_source_v=v * 1.01,
        v_device_v=v * 0.9,
        i_a=g * v * 0.9,
        g_siemens=g,
        g_expanded_siemens=g * 1e-2,
        width_s=np.full(n, 0.02),
        energy=energy(n, 1e-3),
        source=Source.TWIN,
    )


def pulses(n: int = 3, amplitude_v: float = 0.8) -> Pulses:
    return Pulses(
        cells=np.stack([np.zeros(n, dtype=np.intp), np.arange(n)], axis=1),
        t_s=np.arange(n, dtype=float),
        amplitude_v=np.full(n, amplitude_v),
        width_s=np.full(n, 0.02),
        width_measured_s=np.full(n, 0.021),
        n_pulses=np.arange(1, n + 1, dtype=np.int64),
        i_end_a=np.full(n, 2e-5),
        energy=energy(n),
        source=Source.TWIN,
    )


def sweep(n_points: int = 5, cell: tuple[int, int] = (0, 1)) -> SweepTrace:
    t_s = np.arange(n_points, dtype=float)
    return SweepTrace(
        cell=cell,
        t_s=t_s,
        v_source_v=np.sin(t_s),
        v_device_v=0.9 * np.sin(t_s),
        i_a=1e-5 * np.sin(t_s),
        energy=energy(1, 100.0),
        source=Source.TWIN,
    )


def inference(n_images: int = 2, start: float = 7.0) -> Inference:
    return Inference(
        inputs_v=np.full((n_images, 3), 0.1),
        hidden_v=np.full((n_images, 2), 0.05),
        output_v=np.full((n_images, 1), -0.02),
        decisions=np.zeros((n_images, 1), dtype=bool),
        t_s=start + np.arange(n_images, dtype=float),
        width_s=np.full(n_images, 1e-3),
        energy=energy(n_images, 1e-3),
        source=Source.TWIN,
    )


def matvec(*, cell_by_cell: bool) -> MatVec:
    return MatVec(
        inputs_v=np.array([0.05]),
        currents_a=np.array([1e-6, 2e-6, 3e-6]),
        coding=Coding.AMPLITUDE if cell_by_cell else Coding.TIME,
        transposed=not cell_by_cell,
        full_scale_v=0.1,
        t_s=3.0,
        width_s=0.02,
        energy=energy(1, 1e-3),
        source=Source.TWIN,
        readings=readings(3) if cell_by_cell else None,
    )


def line_drive(pattern: LinePattern) -> LineDrive:
    return LineDrive(
        pattern=pattern,
        width_s=0.02,
        n_pulses=7,
        t_s=2.0,
        i_rows_a=np.array([1e-6]),
        i_columns_a=np.array([1e-6, 0.0]),
        energy=energy(1),
        source=Source.TWIN,
    )
