"""Small IDX files in the place of MNIST's."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


def idx(array: Bytes) -> bytes:
    """Return an array as the content of an IDX file."""
    header = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


def write_set(folder: Path, name: str, images: Bytes, labels: Bytes, gz: bool = False) -> None:
    """Write images and labels of the set ``train`` or ``t10k``."""
    for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
        path = folder / f"{name}-{kind}-ubyte{'.gz' if gz else ''}"
        path.write_bytes(gzip.compress(idx(array), mtime=0) if gz else idx(array))


def images_of(blocks: list[list[int]]) -> Bytes:
    """Return 28 x 28 images whose nine central 7 x 7 blocks are of even gray; 255 around them."""
    images = np.full((len(blocks), 28, 28), 255, np.uint8)
    for image, values in zip(images, blocks, strict=True):
        image[4:25, 4:25] = np.kron(np.reshape(values, (3, 3)), np.ones((7, 7)))
    return images


def write_small_mnist(folder: Path, gz: bool = False) -> None:
    """Write four training and three test images of the digits 3 and 8, and one 5 in each."""
    train = images_of([[0] * 9, [40] * 9, [80] * 9, [120] + [160] * 8, [255] * 9])
    test = images_of([[20] * 9, [255] * 9, [100] * 9, [200] * 9])
    write_set(folder, "train", train, np.array([3, 3, 8, 8, 5], np.uint8), gz)
    write_set(folder, "t10k", test, np.array([3, 5, 8, 8], np.uint8), gz)
