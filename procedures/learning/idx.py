"""IDX files, the format of MNIST: a header of big-endian numbers, then unsigned bytes.

Source: Y. LeCun, C. Cortes, C. Burges, The MNIST database, "File formats".
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from hil.errors import ParameterError

_GZIP_MAGIC = b"\x1f\x8b"
_UNSIGNED_BYTES = 0x08
_BYTES_MAX = 2**30  # MNIST's largest file has 47 MB; a header that asks for more than this is wrong


@contextmanager
def open_idx(path: Path) -> Iterator[BinaryIO]:
    """Open a file, with what gzip takes out if its name ends in ``.gz``.

    Raises:
        ParameterError: it cannot be read, is damaged, or is (not) gzip although its name says
            otherwise; also for what happens to the bytes inside of the ``with`` block.
    """
    is_gz = path.suffix == ".gz"
    try:
        with path.open("rb") as raw:
            if (raw.read(2) == _GZIP_MAGIC) != is_gz:
                raise ParameterError(f"{path}: {_MISNAMED[is_gz]}")
            raw.seek(0)
            yield cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if is_gz else raw
    except EOFError as error:
        raise ParameterError(f"{path}: the file is cut off; get it again") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise ParameterError(f"{path}: damaged ({error}); get it again") from error
    except OSError as error:
        raise ParameterError(
            f"{path}: cannot be read: {error.strerror}; `hil data` tells what is needed"
        ) from error


_MISNAMED = {
    True: "is not compressed by gzip although its name ends in .gz; "
    "remove .gz from its name if it was uncompressed already, or get it again",
    False: "is compressed by gzip; add .gz to its name, or uncompress it",
}


def read_idx(path: Path, n_dimensions: int) -> NDArray[np.uint8]:
    """Return the array of a file; ``.gz`` files are uncompressed on the way.

    Args:
        path: of the file.
        n_dimensions: that it has to have: 3 for images, 1 for labels.

    Raises:
        ParameterError: it cannot be read, is no such file, is cut off, or goes on too long.
    """
    with open_idx(path) as file:
        shape = _read_shape(path, file, n_dimensions)
        size = math.prod(shape)
        content = file.read(size + 1)
    if len(content) != size:
        found = "more" if len(content) > size else str(len(content))
        raise ParameterError(
            f"{path}: its header promises {size} bytes of data, and there are {found}; get it again"
        )
    return np.frombuffer(content, np.uint8).reshape(shape)


def _read_shape(path: Path, file: BinaryIO, n_dimensions: int) -> tuple[int, ...]:
    header = file.read(4 + 4 * n_dimensions)
    magic = bytes((0, 0, _UNSIGNED_BYTES, n_dimensions))
    if header[:4] != magic:
        raise ParameterError(
            f"{path}: begins with {header[:4].hex() or 'nothing'} where an IDX file of "
            f"{n_dimensions} dimensions begins with {magic.hex()}; put the right file there"
        )
    if len(header) < 4 + 4 * n_dimensions:
        raise ParameterError(f"{path}: the file is cut off in its header; get it again")
    shape = tuple(np.frombuffer(header, ">u4", offset=4).tolist())
    if not 0 < math.prod(shape) <= _BYTES_MAX:
        raise ParameterError(
            f"{path}: its header promises {' x '.join(map(str, shape))} bytes; get it again"
        )
    return shape
