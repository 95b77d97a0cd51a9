"""Epochs of a network on tiles: minibatches, learning rates, the warm start's switches."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hil.errors import ParameterError, UsageError
from procedures.learning.analog.network import Network
from procedures.learning.analog.residual import Plateau, ResidualWeights
from procedures.learning.analog.samples import Samples


@dataclass(frozen=True)
class Course:
    """How a network learns.

    Attributes:
        batch: samples in a minibatch; what is left of an epoch over is left out.
        rate: learning rate of the first epoch.
        rate_factor: that it is multiplied with every ``rate_epochs``.
        rate_epochs: so many epochs.
        switch_epochs: after which the warm start goes on to the next tile; None for when the loss
            no longer falls, see ``Plateau``.

    Raises:
        ParameterError: a value that cannot be.
    """

    batch: int = 8
    rate: float = 0.05
    rate_factor: float = 0.5
    rate_epochs: int = 30
    switch_epochs: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.batch < 1 or self.rate_epochs < 1:
            raise ParameterError(
                f"batch = {self.batch}, rate_epochs = {self.rate_epochs}: both at least 1"
            )
        if not self.rate > 0 or not self.rate_factor > 0:
            raise ParameterError(
                f"rate = {self.rate:g}, rate_factor = {self.rate_factor:g}: both above 0"
            )

    def rate_at(self, epoch: int) -> float:
        """Return the learning rate of an epoch, from 1 on."""
        return self.rate * self.rate_factor ** ((epoch - 1) // self.rate_epochs)


@dataclass(frozen=True)
class EpochResult:
    """What an epoch came to.

    Attributes:
        epoch: from 1 on.
        loss: mean over its minibatches, each before it was learned from.
        accuracy: part of the training samples that were right when they came.
        warm_tile: that the warm start filled in it; None without one.
    """

    epoch: int
    loss: float
    accuracy: float
    warm_tile: int | None


class Training:
    """A network, what it learns, and how far it is; can go on bit for bit from a snapshot.

    Args:
        network: on tiles or digital.
        samples: to learn from and to test with.
        course: rates and switches.
        seed: of the order of samples.
    """

    def __init__(self, network: Network, samples: Samples, course: Course, seed: int) -> None:
        if len(samples.x) < course.batch:
            raise ParameterError(f"batch = {course.batch}: there are {len(samples.x)} samples only")
        self.network, self._samples, self._course = network, samples, course
        self._rng = np.random.default_rng([seed, *b"order"])
        self._plateau = Plateau()
        self._n_epochs = 0

    @property
    def n_epochs(self) -> int:
        """Epochs so far."""
        return self._n_epochs

    def epoch(self, after_each: Callable[[float], None] = lambda _: None) -> EpochResult:
        """Learn from all samples once; ``after_each`` minibatch is told the part that is done."""
        samples, batch = self._samples, self._course.batch
        rate = self._course.rate_at(self._n_epochs + 1)
        order = self._rng.permutation(len(samples.x))
        n_batches = len(order) // batch
        loss, n_right = 0.0, 0
        for k in range(n_batches):
            chosen = order[k * batch : (k + 1) * batch]
            learned = self.network.train(samples.x[chosen], samples.labels[chosen], rate)
            loss += learned.loss
            n_right += learned.n_right
            after_each((k + 1) / n_batches)
        self._n_epochs += 1
        result = EpochResult(
            self._n_epochs, loss / n_batches, n_right / (n_batches * batch), self.warm_tile
        )
        self._switch(result.loss)
        return result

    def test_accuracy(self) -> float:
        """Return which part of the test samples is classified right."""
        return self.network.accuracy(self._samples.test_x, self._samples.test_labels)

    @property
    def warm_tile(self) -> int | None:
        """Which tile the warm start fills; None without one, or when it is over."""
        residual = self._residual()
        return residual[0].warm_tile if residual else None

    def snapshot(self) -> dict[str, Any]:
        """Return all that changes.

        Raises:
            UsageError: the network is on tiles of real devices.
        """
        return {
            "network": self.network.snapshot(),
            "rng": self._rng.bit_generator.state,
            "plateau": self._plateau.snapshot(),
            "n_epochs": self._n_epochs,
            "samples": self._fingerprint(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from the snapshot of a training that was made with the same arguments.

        Raises:
            UsageError: it is of another network, or of other samples.
        """
        if state["samples"] != self._fingerprint():
            raise UsageError("the snapshot is of a training on other samples")
        self.network.restore(state["network"])
        self._rng.bit_generator.state = state["rng"]
        self._plateau.restore(state["plateau"])
        self._n_epochs = int(state["n_epochs"])

    def _switch(self, loss: float) -> None:
        epochs = self._course.switch_epochs
        is_time = self._plateau.is_reached(loss) if epochs is None else self._n_epochs in epochs
        if is_time:
            for weights in self._residual():
                weights.go_finer()

    def _residual(self) -> list[ResidualWeights]:
        return [one for one in self.network.weights if isinstance(one, ResidualWeights)]

    def _fingerprint(self) -> str:
        digest = hashlib.sha256(self._samples.labels.tobytes())
        digest.update(np.ascontiguousarray(self._samples.x[:100]).tobytes())
        return digest.hexdigest()
