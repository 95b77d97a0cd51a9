"""All supplied loops of a device under one parameter set: R2, time, and loops that were left out.

Imports the measured W-SDC loops (data: Knowm Memristor Discovery, Knowm Inc.) into a database of
its own, as ``hil import`` would, and fits each device as ``hil calibrate device --loo`` would. The
loops at 0.8 V are fitted, the one at 0.3 V is predicted. Takes some five minutes, nearly all of
them for the loops that are left out.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from calibration.fitting.covariance import uncertainty
from calibration.fitting.cross_validation import leave_one_out, predict, r2_left_out
from calibration.fitting.fit import LoopFit, fit_loops
from calibration.fitting.loop_simulator import MEMRISTOR_DISCOVERY_V2
from calibration.fitting.quality import r2, r2_by_loop, r2_by_resistor
from calibration.imports import Facts, read_memristor_discovery, store_measurements
from calibration.loops import Loop, read_loops, runs_with_loops
from hil.store import RunDatabase

DATA = Path(__file__).parents[2] / "shared" / "data" / "knowm" / "w-sdc-iv"
FACTS = ("dopant=W", "attribution=Knowm Memristor Discovery, Knowm Inc.")
GOAL_5K, GOAL_ALL, GOAL_S = 0.985, 0.96, 60.0
COPIED = "47 kOhm 0.8 V 10 Hz"


def supplied_loops() -> list[Loop]:
    """Return the loops of both devices; the file that M1 and M2 share is in both."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runs.sqlite"
        measurements = read_memristor_discovery([DATA], settings=Facts.of_settings(FACTS))
        for _ in store_measurements(path, measurements):
            pass
        with RunDatabase(path) as database:
            loops = read_loops(database, runs_with_loops(database))
    copied = [loop for loop in loops if loop.label == COPIED]
    missing = {"M1", "M2"} - {loop.device for loop in copied}
    return loops + [replace(copied[0], device=device) for device in missing]


def main() -> int:
    if not DATA.is_dir():
        print("no measured loops beside the repository: nothing to fit")
        return 1
    loops = supplied_loops()
    met, told = True, []
    for device in ("M1", "M2"):
        own = [loop for loop in loops if loop.device == device]
        fitted = [loop for loop in own if "0.8 V" in loop.label]
        tests = [loop for loop in own if loop not in fitted]
        fit = fit_loops(fitted, parasitics=MEMRISTOR_DISCOVERY_V2)
        by_resistor = r2_by_resistor(fitted, fit.currents_a)
        print(f"{device}: {len(fitted)} loops, {fit.wall_s:.1f} s")
        for loop, value in zip(fitted, r2_by_loop(fitted, fit.currents_a), strict=True):
            print(f"  {loop.label:24} {value:.4f}")
        for name, u, verdict in zip(*_columns(fit), strict=True):
            print(f"  {name:18} {fit.values[name]:11.4g} +- {2 * u:.2g} (k = 2), {verdict}")
        for loop, value in zip(tests, r2_by_loop(tests, predict(fit, tests)), strict=True):
            print(f"  {loop.label:24} {value:.4f} (predicted, not fitted)")
        left_out = leave_one_out(fit)
        for result in left_out:
            print(f"  {result.label:24} {result.r2:.4f} (left out)")
        plain = fit_loops(fitted, "mss", parasitics=MEMRISTOR_DISCOVERY_V2)
        told.append(
            f"{device} R2 {by_resistor[5000.0]:.4f} (5 kOhm), {fit.r2:.4f} (all), "
            f"{r2_left_out(left_out):.4f} (left out; mss fitted: {r2(fitted, plain.currents_a):.4f}"
            f"), {fit.wall_s:.0f} s"
        )
        met &= by_resistor[5000.0] >= GOAL_5K and fit.r2 >= GOAL_ALL and fit.wall_s < GOAL_S
    goals = f"goals: {GOAL_5K} (5 kOhm), {GOAL_ALL} (all), {GOAL_S:.0f} s"
    print("; ".join(told) + f"; {goals}")
    return 0 if met else 1


def _columns(fit: LoopFit) -> tuple[tuple[str, ...], list[float], tuple[str, ...]]:
    known = uncertainty(fit)
    return known.names, known.standard.tolist(), known.verdicts


if __name__ == "__main__":
    sys.exit(main())
