"""The crossbar solver against badcrossbar and, by way of it, CrossSim; its growth and memory.

    accept_05_network.py [--rounds N]

CPU time of one thread, medians of interleaved rounds; devices log-uniform, one random input of 0 to
0.5 V at grounded columns, port currents wanted. For each accuracy the loosest tolerance is taken
that reaches it; the error is the largest relative one of a port current, against a direct solution.

CrossSim is not run: its times and badcrossbar's on one other machine (CrossSim 3.2, badcrossbar
1.1.0, same topology, November 2026) give how much faster CrossSim is than badcrossbar there, and
badcrossbar is timed here.
"""

# ruff: noqa: E402
from __future__ import annotations

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import argparse
import importlib
import logging
import statistics
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from hil.types import FloatArray
from twin.network import CrossbarNetwork, NetworkState, Wires

TOLERANCES = (1e-2, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11)
FINEST = (3e-12, 1e-12, 3e-13, 1e-13, 1e-14)
BENIGN, HARD = (5e3, 1e5), (500.0, 1500.0)
GOALS = {1e-6: 100.0, 1e-12: 70.0}
LEAST_S = 0.05  # of a round; shorter calls are repeated
GROWTH_GOAL, RESIDUAL_GOAL = 1.0, 1e-10


class CrossSim(NamedTuple):
    """One row of the other machine: times in ms, and CrossSim's largest relative error."""

    n: int
    devices: tuple[float, float]
    crosssim_ms: float
    badcrossbar_ms: float
    error: float


CROSSSIM = (
    CrossSim(16, BENIGN, 0.0615, 3.56, 2.7e-4),
    CrossSim(16, BENIGN, 0.139, 3.56, 9.2e-10),
    CrossSim(16, HARD, 0.163, 3.56, 5.0e-4),
    CrossSim(16, HARD, 0.445, 3.56, 3.7e-10),
    CrossSim(64, BENIGN, 0.413, 44.8, 7.1e-4),
    CrossSim(64, BENIGN, 1.11, 44.8, 8.9e-10),
    CrossSim(64, HARD, 6.65, 44.8, 1.2e-3),
    CrossSim(64, HARD, 103, 44.8, 1.3e-9),
    CrossSim(128, BENIGN, 15, 191, 1.1e-3),
    CrossSim(128, BENIGN, 44.4, 191, 1.2e-9),
    CrossSim(128, HARD, 19.4, 191, 1.4e-3),
    CrossSim(128, HARD, 767, 191, 1.4e-9),
    CrossSim(256, BENIGN, 77.5, 1128, 1.2e-3),
    CrossSim(256, BENIGN, 728, 1128, 1.3e-9),
    CrossSim(256, HARD, 596, 1128, 1.8e-9),
)


@dataclass
class Case:
    """An array to solve; n x n, the same wires everywhere."""

    n: int
    devices: tuple[float, float]
    r_wire_ohm: float = 1.0

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.n)
        low, high = np.log(self.devices)
        self.r_ohm: FloatArray = np.exp(rng.uniform(low, high, (self.n, self.n)))
        self.g_siemens = 1 / self.r_ohm
        self.rows_v = rng.uniform(0, 0.5, self.n)
        self.columns_v = np.zeros(self.n)
        self.network = CrossbarNetwork((self.n, self.n), Wires(self.r_wire_ohm, self.r_wire_ohm))

    def state(self, tolerance: float = 1e-12) -> NetworkState:
        return self.network.solve(self.g_siemens, self.rows_v, self.columns_v, tolerance=tolerance)

    def currents(self, tolerance: float) -> FloatArray:
        currents: FloatArray = self.state(tolerance).i_columns_a[0]
        return currents

    def exact(self) -> FloatArray:
        """Return the port currents by a sparse factorisation."""
        state = self.network.solve(self.g_siemens, self.rows_v, self.columns_v, method="direct")
        currents: FloatArray = state.i_columns_a[0]
        return currents

    def tolerance(self, exact: FloatArray, error: float) -> tuple[float, float]:
        """Return the loosest tolerance that is this accurate, and the error that it leaves."""
        for tolerance in (*TOLERANCES, *FINEST):
            left = relative(self.currents(tolerance), exact)
            if left <= error:
                break
        return tolerance, left


class Verdicts:
    """Prints each figure with its goal, and remembers whether all were met."""

    def __init__(self) -> None:
        self.missed: list[str] = []

    def judge(self, name: str, met: bool, text: str) -> None:
        print(f"{'met' if met else 'MISSED':7}{name}: {text}", flush=True)
        if not met:
            self.missed.append(name)


def relative(got: FloatArray, expected: FloatArray) -> float:
    return float(np.max(np.abs(got / expected - 1)))


def cpu_s(call: Callable[[], object]) -> float:
    """Return the CPU time of one call."""
    n_calls, start_s = 0, time.process_time()
    while True:
        call()
        n_calls += 1
        passed_s = time.process_time() - start_s
        if passed_s >= LEAST_S:
            return passed_s / n_calls


def medians(calls: dict[str, Callable[[], object]], n_rounds: int) -> dict[str, float]:
    """Return the median CPU time of each call; rounds of all of them alternate."""
    for call in calls.values():
        call()
    times = [{name: cpu_s(call) for name, call in calls.items()} for _ in range(n_rounds)]
    return {name: statistics.median(row[name] for row in times) for name in calls}


def badcrossbar_solver() -> Callable[[Case], FloatArray]:
    """Return what computes nothing but the output currents."""
    with warnings.catch_warnings(record=True):  # it misses pycairo, which only its plots need
        compute = importlib.import_module("badcrossbar").compute
    logging.disable(logging.CRITICAL)

    def currents(case: Case) -> FloatArray:
        solution = compute(
            case.rows_v[:, None],
            case.r_ohm,
            case.r_wire_ohm,
            node_voltages=False,
            all_currents=False,
        )
        return np.ravel(solution.currents.output)

    return currents


def judge_badcrossbar(n_rounds: int, verdicts: Verdicts) -> None:
    """Compare at two accuracies."""
    theirs = badcrossbar_solver()
    for n in (128, 256):
        case = Case(n, BENIGN)
        exact = case.exact()
        found = {goal: case.tolerance(exact, goal) for goal in GOALS}
        calls: dict[str, Callable[[], object]] = {"theirs": partial(theirs, case)}
        for goal, (tolerance, _) in found.items():
            calls[f"{goal}"] = partial(case.currents, tolerance)
        took = medians(calls, n_rounds)
        agree = relative(theirs(case), exact)
        print(f"{n} x {n}: badcrossbar {took['theirs'] * 1e3:.1f} ms, off by {agree:.0e}")
        for goal, (tolerance, left) in found.items():
            ratio = took["theirs"] / took[f"{goal}"]
            verdicts.judge(
                f"{n} x {n} at {goal:g}",
                ratio >= GOALS[goal] and left <= goal,
                f"{took[f'{goal}'] * 1e3:.2f} ms, tolerance {tolerance:g}, "
                f"{case.state(tolerance).n_iterations} iterations, true error {left:.1e}: "
                f"{ratio:.0f} x badcrossbar (goal >= {GOALS[goal]:g})",
            )


def judge_crosssim(n_rounds: int, verdicts: Verdicts) -> None:
    """Compare at CrossSim's accuracy, row by row."""
    theirs = badcrossbar_solver()
    for row in CROSSSIM:
        case = Case(row.n, row.devices)
        exact = case.exact()
        tolerance, left = case.tolerance(exact, row.error)
        took = medians(
            {
                "theirs": partial(theirs, case),
                "ours": partial(case.currents, tolerance),
            },
            n_rounds if row.n < 256 else 3,
        )
        ratio = took["theirs"] / took["ours"] * row.crosssim_ms / row.badcrossbar_ms
        verdicts.judge(
            f"CrossSim {row.n} x {row.n}, {row.devices[0]:g} to {row.devices[1]:g} ohm, "
            f"{row.error:.1e}",
            ratio >= 1 and left <= row.error,
            f"{took['ours'] * 1e3:.3f} ms, true error {left:.1e}: {ratio:.2f} x CrossSim "
            "(goal >= 1)",
        )


def judge_hard(verdicts: Verdicts) -> None:
    """Solve where CrossSim's default settings did not converge, and harder."""
    for r_wire_ohm in (1.0, 10.0):
        state = Case(256, HARD, r_wire_ohm).state()
        verdicts.judge(
            f"256 x 256, 500 to 1500 ohm, {r_wire_ohm:g} ohm segments",
            state.residual_ratio < RESIDUAL_GOAL,
            f"residual {state.residual_ratio:.1e} after {state.n_iterations} iterations "
            f"(goal < {RESIDUAL_GOAL:g})",
        )


def judge_growth(n_rounds: int, verdicts: Verdicts) -> None:
    """Show time over n^2 log n, relative to 128."""
    cases = {n: Case(n, BENIGN) for n in (128, 256, 512, 1024)}
    took = medians({f"{n}": partial(c.currents, 1e-6) for n, c in cases.items()}, n_rounds)
    iterations = {n: case.state(1e-6).n_iterations for n, case in cases.items()}
    unit = {n: took[f"{n}"] / (n**2 * np.log(n)) for n in cases}
    for n in (256, 512, 1024):
        growth = unit[n] / unit[128]
        per_iteration = growth * (iterations[128] + 1) / (iterations[n] + 1)
        verdicts.judge(
            f"growth to {n} x {n}",
            growth <= GROWTH_GOAL,
            f"{took[f'{n}'] * 1e3:.1f} ms, {iterations[n]} iterations (128: {iterations[128]}): "
            f"{growth:.2f} of n^2 log n (goal <= {GROWTH_GOAL:g}), {per_iteration:.2f} for each "
            "iteration",
        )


def show_memory() -> None:
    """Print the peak of all arrays while 1024 x 1024 cells are solved, the inputs left out."""
    case = Case(1024, BENIGN)
    tracemalloc.start()
    case.currents(1e-12)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"1024 x 1024: peak memory of the solve {peak / 2**20:.0f} MiB")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=7)
    n_rounds = parser.parse_args().rounds
    verdicts = Verdicts()
    judge_badcrossbar(n_rounds, verdicts)
    judge_crosssim(n_rounds, verdicts)
    judge_hard(verdicts)
    judge_growth(n_rounds, verdicts)
    show_memory()
    print(f"network = {len(verdicts.missed)} missed (goal 0) {'; '.join(verdicts.missed)}")
    return 1 if verdicts.missed else 0


if __name__ == "__main__":
    sys.exit(main())
