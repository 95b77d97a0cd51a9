"""Images of 3 x 3 pixels in two classes, their noise, and what the best classifier can reach."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hil.errors import ParameterError, UsageError
from hil.types import FloatArray

N_PIXELS = 9

Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Noise:
    """What happens to pixels between an image and the input drivers.

    Attributes:
        flip_ratio: probability that a pixel is inverted, x to 1 - x.
        sigma_ratio: standard deviation of additive Gaussian noise, in units of full scale.

    Raises:
        ParameterError: a value is out of its range.
    """

    flip_ratio: float = 0.0
    sigma_ratio: float = 0.0

    def __post_init__(self) -> None:
        _check_flip(self.flip_ratio)
        if not 0 <= self.sigma_ratio < np.inf:
            raise ParameterError(
                f"sigma_ratio = {self.sigma_ratio:g}: a standard deviation is a number from 0 on"
            )

    def apply(self, images: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Return a noisy copy: first flips, then Gaussian noise, then clipped to 0..1.

        An input driver cannot put out less than 0 V or more than its full scale, so the Gaussian
        noise of a pixel at either end acts inwards only.

        Args:
            images: pixels in 0..1, any shape.
            rng: drawn from once for each kind of noise that is not zero.

        Returns:
            Shape of ``images``.
        """
        noisy = images.astype(np.float64)
        if self.flip_ratio:
            flips = rng.random(noisy.shape) < self.flip_ratio
            noisy = np.where(flips, 1.0 - noisy, noisy)
        if self.sigma_ratio:
            noisy = noisy + self.sigma_ratio * rng.standard_normal(noisy.shape)
        clipped: FloatArray = np.clip(noisy, 0.0, 1.0)
        return clipped


def _no_images() -> FloatArray:
    return np.empty((0, N_PIXELS))


def _no_labels() -> Labels:
    return np.empty(0, np.int64)


@dataclass(frozen=True)
class Task:
    """Images of two classes, to train on and to test on.

    Attributes:
        name: of the task.
        images: training images, pixels in 0..1, shape (n_images, 9).
        labels: class of each, 0 or 1, shape (n_images,).
        test_images: shape (n_test, 9); ``images`` if neither they nor their labels are given.
        test_labels: shape (n_test,).

    Raises:
        ParameterError: shapes, pixels or labels are not as said, or a class has no training image.
    """

    name: str
    images: FloatArray
    labels: Labels
    test_images: FloatArray = field(default_factory=_no_images)
    test_labels: Labels = field(default_factory=_no_labels)

    def __post_init__(self) -> None:
        if not len(self.test_images) and not len(self.test_labels):
            object.__setattr__(self, "test_images", self.images)
            object.__setattr__(self, "test_labels", self.labels)
        _check_set(f"task {self.name!r}, training", self.images, self.labels)
        _check_set(f"task {self.name!r}, test", self.test_images, self.test_labels)
        if set(self.labels.tolist()) != {0, 1}:
            raise ParameterError(f"task {self.name!r}: both classes need a training image")

    def batch(
        self, n_images: int, noise: Noise, rng: np.random.Generator
    ) -> tuple[FloatArray, Labels]:
        """Return noisy training images and their labels.

        Of a small task (at most ``n_images`` images) whole copies of all images, as many as fit.
        Of a larger one a random sample without replacement, as many of either class as there are.

        Args:
            n_images: at most so many, from 1 on.
            noise: drawn anew for each image.
            rng: of sample and noise.

        Returns:
            Images, shape (at most n_images, 9), and labels.
        """
        _check_number(n_images)
        n_copies = n_images // len(self.labels)
        if n_copies:
            images, labels = self.images, self.labels
            return noise.apply(np.tile(images, (n_copies, 1)), rng), np.tile(labels, n_copies)
        chosen = _balanced(self.labels, n_images, rng)
        return noise.apply(self.images[chosen], rng), self.labels[chosen]

    def test(
        self, n_images: int, noise: Noise, rng: np.random.Generator
    ) -> tuple[FloatArray, Labels]:
        """Return noisy test images and their labels.

        Of a test set of at most ``n_images`` images the fewest whole copies that are that many, so
        that every image counts the same. Of a larger one a random subset, the same for the same
        state of ``rng``, in the order of the test set.

        Args:
            n_images: at least so many of a small test set, exactly so many of a larger one.
            noise: drawn anew for each image.
            rng: of subset and noise.

        Returns:
            Images, shape (n, 9), and labels.
        """
        _check_number(n_images)
        n_test = len(self.test_labels)
        if n_images >= n_test:
            chosen = np.tile(np.arange(n_test), -(-n_images // n_test))
        else:
            chosen = np.sort(rng.choice(n_test, n_images, replace=False))
        return noise.apply(self.test_images[chosen], rng), self.test_labels[chosen]


def bayes_accuracy(task: Task, flip_ratio: float) -> float:
    """Return the best accuracy that any classifier can reach on the test images under flips.

    Exact: for each of the 512 images that can arrive, the best answer is the class that it more
    probably comes from, all test images being equally probable. Costs some milliseconds.

    Args:
        task: of binary test images.
        flip_ratio: probability that a pixel is inverted, as of ``Noise``.

    Raises:
        UsageError: a test pixel is neither 0 nor 1.
        ParameterError: the probability is out of its range.
    """
    _check_flip(flip_ratio)
    if not np.isin(task.test_images, (0.0, 1.0)).all():
        raise UsageError(
            f"task {task.name!r} has gray test images; the best accuracy under flips is known only "
            f"for pixels that are 0 or 1: take binary pixels"
        )
    codes = task.test_images.astype(np.int64) @ (1 << np.arange(N_PIXELS))
    classes = [np.bincount(codes[task.test_labels == k], minlength=_N_CODES) for k in (0, 1)]
    pixels = (np.arange(_N_CODES)[:, None] >> np.arange(N_PIXELS)) & 1
    n_flips = (pixels[:, None] != pixels).sum(axis=-1)
    likelihoods = flip_ratio**n_flips * (1.0 - flip_ratio) ** (N_PIXELS - n_flips)
    arrivals = np.array(classes) @ likelihoods
    return float(arrivals.max(axis=0).sum() / len(codes))


_N_CODES = 2**N_PIXELS


def _balanced(labels: Labels, n_images: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Choose so many images, half of each class, or all of a class that has fewer."""
    zeros, ones = np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)
    n_ones = (n_images + int(rng.integers(2))) // 2  # of an odd number either class gets the last
    n_ones = max(min(n_ones, len(ones)), n_images - len(zeros))
    return np.concatenate(
        [
            rng.choice(zeros, n_images - n_ones, replace=False, shuffle=False),
            rng.choice(ones, n_ones, replace=False, shuffle=False),
        ]
    )


def _check_set(what: str, images: FloatArray, labels: Labels) -> None:
    if labels.ndim != 1 or images.shape != (len(labels), N_PIXELS):
        raise ParameterError(
            f"{what} images have shape {images.shape} and labels {labels.shape}; "
            f"they need (n, {N_PIXELS}) and (n,)"
        )
    if not ((images >= 0) & (images <= 1)).all():
        raise ParameterError(f"{what} images have pixels outside of 0..1; scale them")
    if not np.isin(labels, (0, 1)).all():
        raise ParameterError(f"{what} labels are not all 0 or 1; there are two classes")


def _check_flip(flip_ratio: float) -> None:
    if not 0 <= flip_ratio <= 1:
        raise ParameterError(f"flip_ratio = {flip_ratio:g}: a probability lies in 0..1")


def _check_number(n_images: int) -> None:
    if n_images < 1:
        raise ParameterError(f"n_images = {n_images}: at least one image is needed")
