"""MNIST: its files, where they are found, and how 28 x 28 becomes 3 x 3."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hil.errors import ParameterError
from procedures.learning.handwriting import block_means, load_handwriting
from procedures.learning.mnist import MD5, find_mnist, md5_of
from procedures.learning.places import places
from procedures.learning.tasks import Noise, bayes_accuracy, make_task
from tests.support.idx_files import idx, images_of, write_set, write_small_mnist
from tests.support.supplied import supplied

IMAGES = "train-images-idx3-ubyte"
LABELS = "train-labels-idx1-ubyte"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and no data anywhere else."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HIL_MNIST", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    return tmp_path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "digits"
    found.mkdir()
    return found


def complaint(call: Callable[[], object]) -> str:
    with pytest.raises(ParameterError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- 28 x 28 to 3 x 3 ---------------------------------------------------------------------------


def test_blocks_are_averaged_and_the_edge_is_cut_off() -> None:
    blocks = [0, 10, 20, 30, 40, 50, 60, 70, 80]
    assert block_means(images_of([blocks])).tolist() == [blocks]


def test_a_pixel_counts_a_forty_ninth_of_its_block() -> None:
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, 14, 14] = 49  # where MNIST puts the centre of mass
    image[0, 4, 24] = 98
    image[0, 3, 10] = image[0, 10, 25] = 255  # outside
    assert block_means(image).tolist() == [[0, 0, 2, 0, 1, 0, 0, 0, 0]]


@pytest.mark.parametrize("gz", [False, True])
def test_gray_by_hand(folder: Path, gz: bool) -> None:
    write_small_mnist(folder, gz)
    task = load_handwriting(folder, "3/8")
    # 36 block means: 9 x 0, 9 x 40, 9 x 80, 120, 8 x 160; their 99th percentile is 160
    assert task.images == pytest.approx(
        np.array([[0] * 9, [0.25] * 9, [0.5] * 9, [0.75] + [1] * 8])
    )
    assert task.labels.tolist() == [0, 0, 1, 1]
    assert task.test_images == pytest.approx(np.array([[0.125] * 9, [0.625] * 9, [1] * 9]))
    assert task.test_labels.tolist() == [0, 1, 1]
    assert task.name == "handwriting 3/8"


def test_binary_by_hand(folder: Path) -> None:
    write_small_mnist(folder)
    task = load_handwriting(folder, "3/8", binary=True)
    # levels: 0.375 in the first block, 0.4375 in the others
    assert task.images.tolist() == [[0] * 9, [0] * 9, [1] * 9, [1] * 9]
    assert task.test_images.tolist() == [[0] * 9, [1] * 9, [1] * 9]


def test_the_first_digit_is_class_0(folder: Path) -> None:
    write_small_mnist(folder)
    assert load_handwriting(folder, "8/3").labels.tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize("digits", ["", "3", "3/3", "3/8/9", "3-8", "a/b", "10/1", "-1/2", "٣/٨"])
def test_no_pair_of_digits(folder: Path, digits: str) -> None:
    assert "two different digits" in complaint(lambda: load_handwriting(folder, digits))


def test_a_digit_that_a_set_lacks(folder: Path) -> None:
    write_small_mnist(folder)
    assert "without any digit 7" in complaint(lambda: load_handwriting(folder, "3/7"))


# --- wrong files --------------------------------------------------------------------------------


def test_the_two_files_of_a_set_swapped(folder: Path) -> None:
    write_small_mnist(folder)
    (folder / LABELS).replace(folder / "other")
    (folder / IMAGES).replace(folder / LABELS)
    (folder / "other").replace(folder / IMAGES)
    said = complaint(lambda: load_handwriting(folder, "3/8"))
    assert said.startswith(f"{folder / IMAGES}: begins with 00000801 where")
    assert "00000803" in said


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "begins with nothing"),
        (b"\x00\x00", "begins with 0000 where"),
        (b"<!DOCTYPE html>", "begins with 3c21444f"),
        (bytes((0, 0, 8, 3, 0, 0, 0, 1)), "cut off in its header"),
        (
            idx(np.zeros((2, 28, 28), np.uint8))[:-1],
            "promises 1568 bytes of data, and there are 1567",
        ),
        (idx(np.zeros((2, 28, 28), np.uint8)) + b"x", "1568 bytes of data, and there are more"),
        (idx(np.zeros((0, 28, 28), np.uint8)), "promises 0 x 28 x 28"),
        (bytes((0, 0, 8, 3)) + b"\xff" * 12, "promises 4294967295 x"),
        (idx(np.zeros((5, 14, 56), np.uint8)), "images of 14 x 56 pixels"),
        (gzip.compress(b"x", mtime=0), "is compressed by gzip; add .gz"),
    ],
)
def test_wrong_images(folder: Path, content: bytes, what: str) -> None:
    write_small_mnist(folder)
    (folder / IMAGES).write_bytes(content)
    said = complaint(lambda: load_handwriting(folder, "3/8"))
    assert said.startswith(f"{folder / IMAGES}: ")
    assert what in said


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda whole: gzip.decompress(whole), "is not compressed by gzip"),
        (lambda whole: b"", "is not compressed by gzip"),
        (lambda whole: whole[:-20], "is cut off"),
        (lambda whole: whole[:5], "is cut off"),
        (lambda whole: whole[:2] + b"\xff" * 50, "damaged"),
        (lambda whole: whole[:-8] + b"\x00" * 8, "damaged"),
        (lambda whole: whole[:10] + b"\xff" + whole[11:], "damaged"),
    ],
)
def test_wrong_compressed_images(folder: Path, change: Callable[[bytes], bytes], what: str) -> None:
    write_small_mnist(folder, gz=True)
    path = folder / f"{IMAGES}.gz"
    path.write_bytes(change(path.read_bytes()))
    said = complaint(lambda: load_handwriting(folder, "3/8"))
    assert said.startswith(f"{path}: ")
    assert what in said


def test_labels_of_another_set(folder: Path) -> None:
    write_small_mnist(folder)
    (folder / LABELS).write_bytes((folder / "t10k-labels-idx1-ubyte").read_bytes())
    assert "4 labels for 5 images" in complaint(lambda: load_handwriting(folder, "3/8"))


def test_labels_that_are_no_digits(folder: Path) -> None:
    write_small_mnist(folder)
    (folder / LABELS).write_bytes(idx(np.array([3, 3, 8, 8, 26], np.uint8)))
    assert "label 26 is no digit" in complaint(lambda: load_handwriting(folder, "3/8"))


def test_a_missing_file(folder: Path) -> None:
    write_small_mnist(folder)
    (folder / "t10k-labels-idx1-ubyte").unlink()
    said = complaint(lambda: load_handwriting(folder, "3/8"))
    assert said.startswith(f"{folder / 't10k-labels-idx1-ubyte'}: no such file")
    assert "hil data" in said


def test_all_background_is_a_task_all_the_same(folder: Path) -> None:
    dark = images_of([[0] * 9, [0] * 9])
    for name in ("train", "t10k"):
        write_set(folder, name, dark, np.array([0, 1], np.uint8))
    assert not load_handwriting(folder, "0/1").images.any()


# --- where they are found -----------------------------------------------------------------------


def test_places_in_their_order(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert places("mnist") == [Path("data/mnist"), here / "xdg" / "memristor-hil" / "mnist"]
    monkeypatch.setenv("HIL_MNIST", "elsewhere")
    assert places("mnist") == [Path("elsewhere")]
    assert places("mnist", "here") == [Path("here")]
    assert places("mnist", "") == [Path("elsewhere")]
    assert len(places("knowm")) == 2


@pytest.mark.parametrize("told", ["", "relative/path"])
def test_the_users_folder_without_a_usable_variable(
    here: Path, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    monkeypatch.setenv("HOME", str(here))
    monkeypatch.setenv("XDG_DATA_HOME", told)
    assert places("mnist")[-1] == here / ".local" / "share" / "memristor-hil" / "mnist"
    assert places("mnist", "~/digits") == [here / "digits"]


def test_the_first_complete_folder_is_taken(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    local, users = here / "data" / "mnist", here / "xdg" / "memristor-hil" / "mnist"
    for place in (local, users):
        place.mkdir(parents=True)
        write_small_mnist(place, gz=place == users)
    assert find_mnist() == Path("data/mnist")
    (local / LABELS).unlink()
    assert find_mnist() == users
    monkeypatch.setenv("HIL_MNIST", str(local))
    assert "lacks train-labels-idx1-ubyte" in complaint(find_mnist)
    assert find_mnist(users) == users
    assert len(make_task("handwriting", digits="3/8", mnist_folder=str(users)).labels) == 4


def test_what_is_not_found_is_said_with_all_places(here: Path) -> None:
    (here / "data" / "mnist").mkdir(parents=True)
    said = complaint(lambda: make_task("handwriting"))
    assert f"{here / 'data' / 'mnist'} (none of the files)" in said
    assert f"{here / 'xdg' / 'memristor-hil' / 'mnist'} (no such folder)" in said
    assert "`hil data`" in said


# --- the real one -------------------------------------------------------------------------------


def test_the_files_have_the_published_sums() -> None:
    folder = supplied("mnist")
    for name in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        assert md5_of(folder / f"{name}.gz") == MD5[name]


@pytest.mark.parametrize(
    ("digits", "n_train", "n_test"), [("0/1", 12665, 2115), ("3/8", 11982, 1984)]
)
def test_the_official_split(digits: str, n_train: int, n_test: int) -> None:
    task = make_task("handwriting", digits=digits, mnist_folder=supplied("mnist"))
    assert len(task.labels) == n_train
    assert len(task.test_labels) == n_test
    assert (task.images == 1).mean() == pytest.approx(0.01, abs=0.001)
    images, labels = task.batch(32, Noise(0.1), np.random.default_rng(1))
    assert images.shape == (32, 9)
    assert labels.sum() == 16


def test_black_and_white_tells_zeros_from_ones() -> None:
    task = make_task("handwriting", mnist_folder=supplied("mnist"), binary_pixels=True)
    assert set(np.unique(task.images)) == {0.0, 1.0}
    assert 0.99 < bayes_accuracy(task, 0.0) < 1
    assert bayes_accuracy(task, 0.1) < bayes_accuracy(task, 0.0)
