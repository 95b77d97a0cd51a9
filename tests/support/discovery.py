"""Files as Memristor Discovery exports them, of a made-up device."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from hil.types import FloatArray

FACTS = {"dopant": "W", "attribution": "Nobody, made up"}
METADATA = 'dopant = "W"\nattribution = "Nobody, made up"\n'


def made_up_loop(
    r_ohm: float = 5000.0,
    amplitude_v: float = 0.8,
    phase_rad: float = 0.7,
    n: int = 200,
    swing: float = 0.9,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return source voltage, device voltage and current of one period of a pinched loop."""
    angle_rad = 2 * np.pi * np.arange(n) / n + phase_rad
    v_source_v = amplitude_v * np.sin(angle_rad)
    g_siemens = 1e-4 * (1 + swing * np.sin(angle_rad - 1.0))
    i_a = v_source_v * g_siemens / (1 + r_ohm * g_siemens)
    return v_source_v, v_source_v - r_ohm * i_a, i_a


def csv(*columns: ArrayLike) -> str:
    """Return the lines of a table without heading."""
    return "".join(
        ",".join(map(repr, row)) + "\n"
        for row in np.column_stack([np.asarray(c, dtype=float) for c in columns]).tolist()
    )


def write_pair(
    folder: Path,
    name: str = "Rs5k_0p8V_10Hz_M1",
    loop: Sequence[FloatArray] | None = None,
    upstream: bool = False,
) -> tuple[Path, Path]:
    """Write both files of a loop; return that of the memristor and that of both together."""
    v_source_v, v_device_v, i_a = made_up_loop() if loop is None else loop
    files = folder / f"{name}_memristor.csv", folder / f"{name}_applied.csv"
    if upstream:
        files = folder / name / "Memristor.csv", folder / name / "Resistor+Memristor.csv"
    for path, v_v in zip(files, (v_device_v, v_source_v), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(csv(v_v, i_a * 1e6), encoding="utf-8")
    return files
