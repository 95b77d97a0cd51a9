"""An epoch of LeNet-5 at batch 8, side by side with aihwkit's Analog SGD in one process.

    accept_06_lenet_epoch.py [--batches N]

Random images with 19 % non-zero pixels and random labels, as many as a few minibatches have,
extrapolated to 60,000; CPU seconds, one thread, medians of interleaved rounds. aihwkit 1.1.0 needs
torch 2.10.0; where they are not installed the goal is a third of the 161 s of the reference
measurement on a 2-core machine, and the last line says so. The limit is the digital network of this
project: the same products and no pulses.
"""

# ruff: noqa: E402
from __future__ import annotations

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from procedures.learning.analog.carry import CarrySettings
from procedures.learning.analog.methods import Method, MethodSettings, make_weights
from procedures.learning.analog.network import lenet5
from procedures.learning.analog.residual import published_schedule
from twin.tiles.presets import with_states
from twin.tiles.tile import SimulatedTile

try:
    import torch
    from aihwkit.nn import AnalogConv2d, AnalogLinear, AnalogSequential
    from aihwkit.optim import AnalogSGD
    from aihwkit.simulator.configs import SingleRPUConfig, SoftBoundsDevice

    HAS_PEER = True
except ImportError:
    HAS_PEER = False

BATCH, N_EPOCH, ROUNDS, WARM_UP = 8, 60_000, 3, 40
PEER = "aihwkit, Analog SGD"
PEER_S, GOAL = 161.0, 1 / 3
JUDGED = "residual, 6 tiles"
Step = Callable[[int], None]


def data(n_batches: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(1)
    x = rng.random((n_batches * BATCH, 28, 28, 1), np.float32)
    x *= rng.random(x.shape, np.float32) < 0.19
    return x, rng.integers(0, 10, len(x))


def ours(method: Method, n_tiles: int, x: Any, labels: Any) -> Step:
    settings = MethodSettings(
        residual=published_schedule(max(n_tiles, 2)),
        carry=CarrySettings(n_tiles=max(n_tiles, 2), gamma=0.4),
    )
    make = make_weights(
        method, lambda shape, seed: SimulatedTile(with_states(10), shape, seed), 1, settings
    )
    network = lenet5(make, np.random.default_rng(1))

    def step(k: int) -> None:
        chosen = slice(k * BATCH, (k + 1) * BATCH)
        network.train(x[chosen], labels[chosen], 0.05)

    return step


def peer(x: Any, labels: Any) -> Step:
    torch.set_num_threads(1)
    config: Any = SingleRPUConfig(device=SoftBoundsDevice(dw_min=0.2, w_max=1.0, w_min=-1.0))
    layers: Any = AnalogSequential(
        AnalogConv2d(1, 16, 5, rpu_config=config),
        torch.nn.Tanh(),
        torch.nn.MaxPool2d(2),
        AnalogConv2d(16, 32, 5, rpu_config=config),
        torch.nn.Tanh(),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        AnalogLinear(512, 128, rpu_config=config),
        torch.nn.Tanh(),
        AnalogLinear(128, 10, rpu_config=config),
        torch.nn.LogSoftmax(dim=1),
    )
    optimiser: Any = AnalogSGD(layers.parameters(), lr=0.05)
    optimiser.regroup_param_groups(layers)
    loss = torch.nn.NLLLoss()
    images, classes = torch.tensor(x.transpose(0, 3, 1, 2)), torch.tensor(labels)

    def step(k: int) -> None:
        chosen = slice(k * BATCH, (k + 1) * BATCH)
        optimiser.zero_grad()
        loss(layers(images[chosen]), classes[chosen]).backward()
        optimiser.step()

    return step


def epoch_s(step: Step, n_batches: int) -> float:
    begin_s = time.process_time()
    for k in range(n_batches):
        step(k)
    return (time.process_time() - begin_s) / (n_batches * BATCH) * N_EPOCH


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--batches", type=int, default=100)
    n_batches = parser.parse_args().batches
    x, labels = data(max(n_batches, WARM_UP))
    steps = {
        "digital": ours(Method.DIGITAL, 0, x, labels),
        "Analog SGD": ours(Method.ANALOG_SGD, 1, x, labels),
        "mixed precision": ours(Method.MIXED_PRECISION, 1, x, labels),
        "Tiki-Taka 2": ours(Method.BUFFERED, 2, x, labels),
        JUDGED: ours(Method.RESIDUAL, 6, x, labels),
        "carry, 6 tiles": ours(Method.CARRY, 6, x, labels),
    }
    if HAS_PEER:
        steps[PEER] = peer(x, labels)
    for step in steps.values():
        for k in range(WARM_UP):
            step(k)
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(ROUNDS):
        for name, step in steps.items():
            taken[name].append(epoch_s(step, n_batches))
    medians = {name: statistics.median(values) for name, values in taken.items()}
    reference_s = medians.get(PEER, PEER_S)
    print(f"{'LeNet-5, 60,000 images':24} {'CPU s':>8} {'of the peer':>12} {'of the limit':>13}")
    for name, median_s in medians.items():
        of_peer, of_limit = median_s / reference_s, median_s / medians["digital"]
        print(f"{name:24} {median_s:8.1f} {of_peer:11.3f}x {of_limit:12.2f}x")
    if not HAS_PEER:
        print(f"aihwkit is not installed: its {PEER_S:.0f} s are those of the reference machine")
    ratio = medians[JUDGED] / reference_s
    verdict = "met" if ratio <= GOAL else "MISSED"
    print(f"{JUDGED}: {ratio:.3f} of the peer, goal {GOAL:.3f}: {verdict}")
    return int(ratio > GOAL)


if __name__ == "__main__":
    sys.exit(main())
