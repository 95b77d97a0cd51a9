"""The toy problem: the median squared error by tiles, slopes beside the bound.

    accept_06_toy.py [--steps N] [--seeds N]

Least squares on scalars, 101 random targets, devices alike, 30 % noise from pulse to pulse, time
scales apart as theorem 3 of arXiv 2510.02516 asks (beta = gamma^2, ratio 20). The goal: with 4 and
with 10 states the error falls with each tile from 1 to 4, as the median over seeds. The published
schedule of the toy problem is shown below it; nothing is asked of it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

from hil.store import RunDatabase
from procedures.runner import run
from procedures.tile_least_squares import TileLeastSquares

GAMMA, TILES = 0.5, (1, 2, 3, 4)
BOUND = GAMMA ** (2 / 3)
PUBLISHED = {
    "schedule": "free",
    "gamma": 0.1,
    "first_period": 2,
    "period_ratio": 2,
    "transfer_rate": 0.01,
    "rate": 1.0,
}
_STATION = """name = "toy"
board = "twin-tiles"
source = "twin"
[tiles]
n_states = {states}
device_spread = 0.0
cycle_noise = 0.3
"""


def error(folder: Path, states: int, seeds: int, **parameters: Any) -> float:
    station, database = folder / f"{states}.toml", folder / "runs.sqlite"
    station.write_text(_STATION.format(states=states))
    medians = []
    for seed in range(1, seeds + 1):
        outcome = run(
            TileLeastSquares(station=str(station), database=str(database), seed=seed, **parameters)
        )
        if outcome.status != "finished":
            sys.exit(outcome.error)
        with RunDatabase(database) as opened:
            metrics = opened.table(outcome.run_id, "metrics").set_index("name")["value"]
        medians.append(float(metrics["median_squared_error"]))
    return statistics.median(medians)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    missed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for states in (4, 10):
            errors = [
                error(
                    folder,
                    states,
                    asked.seeds,
                    steps=asked.steps,
                    schedule="theory",
                    gamma=GAMMA,
                    n_tiles=n,
                    warm_start=False,
                )
                for n in TILES
            ]
            factors = [after / before for before, after in pairwise(errors)]
            is_met = all(factor < 1 for factor in factors)
            missed += not is_met
            print(f"{states:2} states: {'  '.join(f'{e:.2e}' for e in errors)}")
            print(
                f"   each tile times {'  '.join(f'{f:.2f}' for f in factors)} "
                f"(bound {BOUND:.2f}): falls with each: {'met' if is_met else 'MISSED'}"
            )
        for is_warm in (False, True):
            errors = [
                error(
                    folder,
                    4,
                    asked.seeds,
                    steps=asked.steps,
                    n_tiles=n,
                    warm_start=is_warm,
                    fast_rate=0.01 * 0.1 ** (n - 1),  # 0.01 on the finest tile
                    **PUBLISHED,
                )
                for n in TILES
            ]
            said = "with" if is_warm else "without"
            print(f"published schedule, 4 states, {said} warm start: ", end="")
            print("  ".join(f"{e:.2e}" for e in errors))
    return missed


if __name__ == "__main__":
    sys.exit(main())
