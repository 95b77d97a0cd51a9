"""A product of 1024 x 1024 cells that are not linear, with wires and with converters.

    accept_05_matvec_1024.py [--rounds N]

Wires of 1 ohm for each segment, cells of 5 to 100 kOhm that conduct 30 % more at 0.1 V than at 0 V,
inputs up to 0.1 V, noise and steps of a 10-bit ADC on the column currents. CPU time of one thread,
medians of interleaved rounds; the plain product is numpy's.
"""

# ruff: noqa: E402
from __future__ import annotations

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import argparse
import statistics
import sys
import time
import tracemalloc

import numpy as np

from hil.types import FloatArray
from twin.network import CrossbarNetwork, NetworkState, Wires

N = 1024
CHORD_PER_V = 0.3 / 0.1
ADC_BITS, NOISE_LSB = 10, 0.5
TOLERANCE = 1e-6
RESIDUAL_GOAL = 1e-6


class ReadShape:
    """i = g v (1 + a v): what a read at a voltage sees, for both signs of it.

    Args:
        g_siemens: conductance at 0 V, (n, m).
    """

    def __init__(self, g_siemens: FloatArray) -> None:
        self.g_siemens = g_siemens

    def current(self, v_v: FloatArray) -> tuple[FloatArray, FloatArray]:
        stretch: FloatArray = CHORD_PER_V * v_v
        slope = self.g_siemens * (1 + 2 * stretch)
        stretch += 1
        stretch *= v_v
        stretch *= self.g_siemens
        return stretch, slope


def digitised(i_a: FloatArray, full_scale_a: float, rng: np.random.Generator) -> FloatArray:
    """Return what an ADC reports."""
    step_a = 2 * full_scale_a / 2**ADC_BITS
    noisy = i_a / step_a + rng.normal(0, NOISE_LSB, i_a.shape)
    most = 2 ** (ADC_BITS - 1)
    codes: FloatArray = np.clip(np.rint(noisy), -most, most - 1)
    digitised_a: FloatArray = step_a * codes
    return digitised_a


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    n_rounds = parser.parse_args().rounds
    rng = np.random.default_rng(0)
    g = 1 / np.exp(rng.uniform(np.log(5e3), np.log(1e5), (N, N)))
    law, rows_v, columns_v = ReadShape(g), rng.uniform(0, 0.1, N), np.zeros(N)
    network = CrossbarNetwork((N, N), Wires(1.0, 1.0))

    def product() -> NetworkState:
        state = network.solve_cells(law, rows_v, columns_v, tolerance=TOLERANCE)
        digitised(state.i_columns_a[0], full_scale_a, rng)
        return state

    exact = network.solve_cells(law, rows_v, columns_v, tolerance=1e-10).i_columns_a[0]
    full_scale_a = float(exact.max())
    times: dict[str, list[float]] = {"crossbar": [], "plain": []}
    for _ in range(n_rounds):
        start_s = time.process_time()
        product()
        times["crossbar"].append(time.process_time() - start_s)
        start_s = time.process_time()
        for _ in range(100):
            rows_v @ g
        times["plain"].append((time.process_time() - start_s) / 100)
    tracemalloc.start()
    state = product()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    took_s, plain_s = (statistics.median(times[name]) for name in ("crossbar", "plain"))
    error = float(np.max(np.abs(state.i_columns_a[0] / exact - 1)))
    ideal, _ = law.current(np.repeat(rows_v[:, None], N, axis=1))
    loss = 1 - float(np.sum(exact) / np.sum(ideal))
    print(f"wires and cells take {loss:.0%} of the ideal column currents")
    print(f"{state.n_iterations} iterations, port currents within {error:.1e} of the exact ones")
    print(f"time = {took_s * 1e3:.0f} ms, plain product {plain_s * 1e3:.2f} ms")
    print(f"peak memory = {peak / 2**20:.0f} MiB")
    print(f"slower than the plain product by {took_s / plain_s:.0f}")
    residual = state.residual_ratio
    print(f"matvec_1024_residual = {residual:.1e} ratio (goal < {RESIDUAL_GOAL:g})")
    return 0 if residual < RESIDUAL_GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
