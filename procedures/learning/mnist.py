"""The MNIST files: how they are called, where they are looked for, and their checksums.

Source: Y. LeCun, C. Cortes, C. Burges, The MNIST database of handwritten digits.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hil.errors import ParameterError
from procedures.learning.idx import open_idx, read_idx
from procedures.learning.places import places

SIDE = 28

MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
"""Published MD5 sums of the uncompressed files, by file name."""


@dataclass(frozen=True)
class Digits:
    """One of the two sets.

    Attributes:
        images: 0 background to 255 ink, shape (n, 28, 28), bytes.
        labels: 0 to 9, shape (n,), bytes.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def mnist_places(folder: str | Path | None = None) -> list[Path]:
    """Return the folders in which the files are looked for; see ``places``."""
    return places("mnist", folder)


def find_mnist(folder: str | Path | None = None) -> Path:
    """Return the first folder that has all four files, each with or without ``.gz``.

    Args:
        folder: the only place to look at; the usual places if not given.

    Raises:
        ParameterError: there is none; names all places.
    """
    looked_at = mnist_places(folder)
    for place in looked_at:
        if not missing_files(place):
            return place
    said = ", ".join(f"{place.absolute()} ({_what_lacks(place)})" for place in looked_at)
    raise ParameterError(
        f"MNIST not found; looked at {said}; `hil data` tells how to get the files"
    )


def missing_files(folder: Path) -> list[str]:
    """Return the names of the files that a folder lacks."""
    return [name for name in MD5 if file_in(folder, name) is None]


def file_in(folder: Path, name: str) -> Path | None:
    """Return the path of a file, plain before compressed, or None if it is not there.

    A folder that may not be looked into has no files.
    """
    candidates = (folder / name, folder / f"{name}.gz")
    return next((path for path in candidates if os.path.isfile(path)), None)


def read_set(folder: Path, name: str) -> Digits:
    """Read the set ``train`` or ``t10k``; takes up to half a second and 50 MB.

    Raises:
        ParameterError: a file is missing, damaged, or is not what its name says.
    """
    images = read_idx(_path(folder, f"{name}-images-idx3-ubyte"), 3)
    labels_path = _path(folder, f"{name}-labels-idx1-ubyte")
    labels = read_idx(labels_path, 1)
    if images.shape[1:] != (SIDE, SIDE):
        raise ParameterError(
            f"{_path(folder, f'{name}-images-idx3-ubyte')}: images of "
            f"{' x '.join(map(str, images.shape[1:]))} pixels, MNIST has {SIDE} x {SIDE}; "
            f"put the right file there"
        )
    if len(images) != len(labels):
        raise ParameterError(
            f"{labels_path}: {len(labels)} labels for {len(images)} images; "
            f"put both files of one set there"
        )
    if labels.max() > 9:
        raise ParameterError(
            f"{labels_path}: label {labels.max()} is no digit; put the right file there"
        )
    return Digits(images, labels)


def md5_of(path: Path) -> str:
    """Return the MD5 sum of a file, uncompressed if its name ends in ``.gz``.

    Raises:
        ParameterError: it cannot be read or uncompressed.
    """
    with open_idx(path) as file:
        digest = hashlib.md5(usedforsecurity=False)
        while chunk := file.read(2**20):
            digest.update(chunk)
    return digest.hexdigest()


def _path(folder: Path, name: str) -> Path:
    found = file_in(folder, name)
    if found is None:
        raise ParameterError(
            f"{folder / name}: no such file, nor with .gz; `hil data` tells how to get it"
        )
    return found


def _what_lacks(folder: Path) -> str:
    if not os.path.isdir(folder):
        return "no such folder"
    missing = missing_files(folder)
    return "none of the files" if len(missing) == len(MD5) else f"lacks {' and '.join(missing)}"
