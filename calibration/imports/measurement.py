"""One measurement that was read from files and is not in the database yet."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from calibration.imports.facts import Facts
from hil.types import FloatArray

PROCEDURE = "import"
"""Procedure, station and kind of board of every imported run: none of ours is called so."""


@dataclass(frozen=True)
class SourceFile:
    """A file that was read.

    Attributes:
        name: without the folders that say nothing about it.
        sha256: of its bytes.
    """

    name: str
    sha256: str


@dataclass(frozen=True)
class Measurement:
    """Voltages and currents of one loop, checked, in SI units and in the order of the file.

    Attributes:
        file_format: as the command calls it.
        facts: all that is known beside the numbers.
        files: that it was read from.
        t_s: from the start of the record, shape (n,); rising.
        v_source_v: across series resistor and device, shape (n,).
        v_device_v: across the device alone, shape (n,).
        i_a: positive in the SET direction, shape (n,).
        is_periodic: whether it is exactly one period of a steady state.
        seen: what the numbers themselves say, by name with unit (``series_resistor_ohm``).
    """

    file_format: str
    facts: Facts
    files: tuple[SourceFile, ...]
    t_s: FloatArray
    v_source_v: FloatArray
    v_device_v: FloatArray
    i_a: FloatArray
    is_periodic: bool
    seen: dict[str, float]

    @property
    def name(self) -> str:
        """Names of its files."""
        return " and ".join(file.name for file in self.files)

    @cached_property
    def sha256(self) -> str:
        """Hash of the numbers, see ``data_sha256``."""
        return data_sha256(self.v_source_v, self.v_device_v, self.i_a)

    @property
    def hashes(self) -> frozenset[str]:
        """Of the numbers and of every file: two measurements that share one are duplicates."""
        return frozenset({self.sha256, *(file.sha256 for file in self.files)})


def data_sha256(v_source_v: FloatArray, v_device_v: FloatArray, i_a: FloatArray) -> str:
    """Return the SHA-256 of voltages and currents as little-endian float64, one after the other.

    It is the same before a measurement is stored and after, and does not depend on line endings
    or on what the file is called. Time is left out: the same numbers at another frequency are the
    same numbers.
    """
    numbers = np.concatenate([v_source_v, v_device_v, i_a]).astype("<f8")
    return hashlib.sha256((numbers + 0.0).tobytes()).hexdigest()  # the database has no -0.0
