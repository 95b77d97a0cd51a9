"""Images in two classes, their noise, and the best that a classifier can do with them."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.errors import ParameterError, UsageError
from hil.types import FloatArray
from procedures.learning.tasks import (
    N_PIXELS,
    Noise,
    Task,
    bayes_accuracy,
    make_task,
    task_names,
)

BUILT_IN = ["T/L", "X/O", "bars"]
NONE = Noise()


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def large(n_zeros: int = 30, n_ones: int = 70) -> Task:
    """A task whose images are all different and gray, with the same class in train and test."""
    images = rng(9).random((n_zeros + n_ones, N_PIXELS))
    labels = np.repeat([0, 1], [n_zeros, n_ones])
    return Task("large", images, labels, images[::2], labels[::2])


# --- by name ------------------------------------------------------------------------------------


def test_the_tasks_have_the_names_that_scripts_rely_on() -> None:
    assert task_names() == [*BUILT_IN, "drawn", "handwriting"]


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_task_has_two_classes_of_distinct_images(name: str) -> None:
    task = make_task(name)
    assert task.images.shape == (len(task.labels), N_PIXELS)
    assert set(np.unique(task.images)) == {0.0, 1.0}
    assert set(task.labels) == {0, 1}
    assert len(np.unique(task.images, axis=0)) == len(task.images)
    assert task.test_images is task.images
    assert task.test_labels is task.labels


def test_letters_are_what_they_are_called() -> None:
    first_t, first_l = make_task("T/L").images[[0, 4]].reshape(2, 3, 3)
    assert first_t.tolist() == [[1, 1, 1], [0, 1, 0], [0, 1, 0]]
    assert first_l.tolist() == [[1, 0, 0], [1, 0, 0], [1, 1, 1]]


def test_no_such_task() -> None:
    with pytest.raises(ParameterError, match="one of T/L, X/O, bars, drawn, handwriting"):
        make_task("cats/dogs")


def test_drawn_needs_a_file() -> None:
    with pytest.raises(ParameterError, match="patterns_file"):
        make_task("drawn")


# --- what a task is -----------------------------------------------------------------------------

IMAGES = np.eye(2, N_PIXELS)
LABELS = np.array([0, 1])


@pytest.mark.parametrize(
    ("images", "labels", "complaint"),
    [
        (IMAGES[:, :8], LABELS, r"shape \(2, 8\)"),
        (IMAGES, LABELS[:1], r"labels \(1,\)"),
        (IMAGES * 1.1, LABELS, "outside of 0..1"),
        (IMAGES * np.nan, LABELS, "outside of 0..1"),
        (IMAGES - 0.1, LABELS, "outside of 0..1"),
        (IMAGES, LABELS * 2, "not all 0 or 1"),
        (IMAGES, LABELS * 0, "both classes"),
        (IMAGES[:0], LABELS[:0], "both classes"),
    ],
)
def test_wrong_images_are_refused(
    images: FloatArray, labels: np.ndarray[tuple[int, ...], np.dtype[np.int64]], complaint: str
) -> None:
    with pytest.raises(ParameterError, match=complaint):
        Task("wrong", images, labels)


def test_wrong_test_images_are_refused() -> None:
    with pytest.raises(ParameterError, match="test images have pixels outside"):
        Task("wrong", IMAGES, LABELS, IMAGES * 2, LABELS)
    with pytest.raises(ParameterError, match=r"test images have shape"):
        Task("wrong", IMAGES, LABELS, IMAGES)


# --- batches and tests --------------------------------------------------------------------------


@pytest.mark.parametrize(("n_images", "n_copies"), [(8, 1), (15, 1), (16, 2), (32, 4)])
def test_a_batch_of_a_small_task_is_whole_copies(n_images: int, n_copies: int) -> None:
    task = make_task("T/L")
    images, labels = task.batch(n_images, NONE, rng())
    assert (images == np.tile(task.images, (n_copies, 1))).all()
    assert labels.tolist() == task.labels.tolist() * n_copies


@pytest.mark.parametrize(
    ("n_images", "n_of_zeros"), [(1, {0, 1}), (2, {1}), (20, {10}), (21, {10, 11}), (90, {30})]
)
def test_a_batch_of_a_large_task_is_a_balanced_sample(n_images: int, n_of_zeros: set[int]) -> None:
    task = large()
    counts = set()
    for seed in range(20):
        images, labels = task.batch(n_images, NONE, rng(seed))
        assert len(images) == len(labels) == n_images
        assert len(np.unique(images, axis=0)) == n_images
        places = [int(np.flatnonzero((task.images == image).all(axis=1))[0]) for image in images]
        assert task.labels[places].tolist() == labels.tolist()
        counts.add(int((labels == 0).sum()))
    assert counts == n_of_zeros


def test_batches_differ() -> None:
    task, shared = large(), rng()
    first, second = (task.batch(20, NONE, shared)[0] for _ in range(2))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(("n_images", "n_copies"), [(8, 1), (9, 2), (200, 25)])
def test_a_test_of_a_small_task_counts_every_image_the_same(n_images: int, n_copies: int) -> None:
    task = make_task("T/L")
    images, labels = task.test(n_images, NONE, rng())
    assert (images == np.tile(task.images, (n_copies, 1))).all()
    assert labels.tolist() == task.labels.tolist() * n_copies


def test_a_test_of_a_large_task_is_a_subset_that_the_seed_fixes() -> None:
    task = large()
    images, labels = task.test(20, NONE, rng(3))
    assert len(np.unique(images, axis=0)) == len(labels) == 20
    places = [int(np.flatnonzero((task.test_images == image).all(axis=1))[0]) for image in images]
    assert places == sorted(places)
    assert task.test_labels[places].tolist() == labels.tolist()
    assert np.array_equal(images, task.test(20, NONE, rng(3))[0])
    assert not np.array_equal(images, task.test(20, NONE, rng(4))[0])


def test_no_images_at_all_is_no_test() -> None:
    for call in (make_task("X/O").batch, make_task("X/O").test):
        with pytest.raises(ParameterError, match="at least one"):
            call(0, NONE, rng())


# --- noise --------------------------------------------------------------------------------------

PIXELS = st.lists(st.floats(0, 1), min_size=N_PIXELS, max_size=N_PIXELS)


@given(PIXELS, st.floats(0, 1), st.floats(0, 1e300), st.integers(0, 2**32))
def test_noisy_pixels_are_what_a_driver_can_put_out(
    pixels: list[float], flip: float, sigma: float, seed: int
) -> None:
    image = np.array(pixels)
    before = image.copy()
    noisy = Noise(flip, sigma).apply(image, rng(seed))
    assert ((noisy >= 0) & (noisy <= 1)).all()
    assert noisy.shape == image.shape
    assert np.array_equal(image, before)


@given(PIXELS, st.integers(0, 2**32))
def test_no_noise_changes_nothing_and_all_flips_invert(pixels: list[float], seed: int) -> None:
    image = np.array(pixels)
    assert np.array_equal(NONE.apply(image, rng(seed)), image)
    assert np.array_equal(Noise(1.0).apply(image, rng(seed)), 1 - image)


@given(st.floats(0, 1), st.integers(0, 2**32))
def test_flips_are_as_many_as_asked_for(flip: float, seed: int) -> None:
    task = make_task("T/L")
    images, labels = task.test(8000, Noise(flip), rng(seed))
    share = (images != np.tile(task.images, (1000, 1))).mean()
    assert share == pytest.approx(flip, abs=6 * np.sqrt(flip * (1 - flip) / images.size) + 1e-4)
    assert labels.tolist() == task.labels.tolist() * 1000


def test_gaussian_noise_has_the_deviation_that_was_asked_for() -> None:
    noisy = Noise(sigma_ratio=0.1).apply(np.full((20_000, N_PIXELS), 0.5), rng())
    assert noisy.mean() == pytest.approx(0.5, abs=0.001)
    assert noisy.std() == pytest.approx(0.1, rel=0.01)


def test_gaussian_noise_at_an_end_acts_inwards_only() -> None:
    noisy = Noise(sigma_ratio=0.1).apply(np.zeros((20_000, N_PIXELS)), rng())
    assert (noisy == 0).mean() == pytest.approx(0.5, abs=0.01)
    # mean of the positive part of a normal variable: sigma / sqrt(2 pi)
    assert noisy.mean() == pytest.approx(0.1 / np.sqrt(2 * np.pi), rel=0.02)


@pytest.mark.parametrize("flip", [-0.1, 1.1, np.nan])
def test_a_probability_is_one(flip: float) -> None:
    with pytest.raises(ParameterError, match="probability"):
        Noise(flip)
    with pytest.raises(ParameterError, match="probability"):
        bayes_accuracy(make_task("X/O"), flip)


@pytest.mark.parametrize("sigma", [-0.1, np.inf, np.nan])
def test_a_deviation_is_one(sigma: float) -> None:
    with pytest.raises(ParameterError, match="standard deviation"):
        Noise(0.0, sigma)


# --- the best classifier ------------------------------------------------------------------------


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize(("flip", "best"), [(0.0, 1.0), (0.5, 0.5), (1.0, 1.0)])
def test_the_best_accuracy_at_the_ends(name: str, flip: float, best: float) -> None:
    assert bayes_accuracy(make_task(name), flip) == pytest.approx(best)


def test_the_best_accuracy_of_two_images_that_differ_in_one_pixel() -> None:
    task = Task("one", np.array([[0.0] * 9, [1.0] + [0.0] * 8]), LABELS)
    assert bayes_accuracy(task, 0.1) == pytest.approx(0.9)


@pytest.mark.parametrize("flip", [0.05, 0.3])
def test_the_best_accuracy_by_going_through_all_images_one_by_one(flip: float) -> None:
    task = make_task("T/L")
    total = 0.0
    for arrived in product((0.0, 1.0), repeat=N_PIXELS):
        likelihood = [0.0, 0.0]
        for image, label in zip(task.images, task.labels, strict=True):
            n_flips = int((image != arrived).sum())
            likelihood[label] += flip**n_flips * (1 - flip) ** (N_PIXELS - n_flips)
        total += max(likelihood) / len(task.labels)
    assert bayes_accuracy(task, flip) == pytest.approx(total)


def test_the_best_accuracy_is_of_the_test_images_and_their_numbers() -> None:
    same = np.zeros((4, N_PIXELS))
    task = Task("unequal", IMAGES, LABELS, same, np.array([0, 1, 1, 1]))
    assert bayes_accuracy(task, 0.2) == pytest.approx(0.75)


def test_gray_images_have_no_best_accuracy() -> None:
    with pytest.raises(UsageError, match="binary pixels"):
        bayes_accuracy(large(), 0.1)
