"""Random numbers of tiles: counters that are hashed, so that numpy and compiled code agree exactly.

Every draw is a function of a key and a place: the key is of an update and a sample, the place is a
line and slot, or a cell and pulse. Nothing depends on the order of evaluation or on threads.

Sources: finaliser of splitmix64 (Steele, Lea, Flood, OOPSLA 2014) for keys; a 32-bit mixer of two
multiplications ("lowbias32", C. Wellons, public domain) for draws.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

UintArray = NDArray[np.uint32]

N_LEVELS = 4096
"""Levels of a normal number: the quantiles at the middle of as many equal chances."""


def _normal_levels() -> NDArray[np.float32]:
    levels = ndtri((np.arange(N_LEVELS) + 0.5) / N_LEVELS)
    scaled: NDArray[np.float32] = (levels / levels.std()).astype(np.float32)
    return scaled


NORMAL_LEVELS = _normal_levels()
"""Mean 0, standard deviation 1, largest magnitude 3.67; shape (N_LEVELS,)."""

_GOLDEN, _M1, _M2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_MASK64 = (1 << 64) - 1


def key_of(*parts: int) -> int:
    """Return a key of 64 bits that differs for other parts."""
    key = 0
    for part in parts:
        key = mix64(key ^ (part & _MASK64))
    return key


def mix64(value: int) -> int:
    """Return a value of 64 bits with all bits mixed."""
    z = (value + _GOLDEN) & _MASK64
    z = ((z ^ (z >> 30)) * _M1) & _MASK64
    z = ((z ^ (z >> 27)) * _M2) & _MASK64
    return z ^ (z >> 31)


def draw(key: int, place: NDArray[np.uint32]) -> UintArray:
    """Return 32 random bits for each place."""
    h = place + np.uint32(key & 0xFFFFFFFF)
    h ^= h >> np.uint32(16)
    h *= np.uint32(0x7FEB352D)
    h ^= np.uint32(key >> 32)
    h ^= h >> np.uint32(15)
    h *= np.uint32(0x846CA68B)
    h ^= h >> np.uint32(16)
    return h


def uniforms(bits: UintArray) -> NDArray[np.float32]:
    """Return numbers in [0, 1) in steps of 2^-24."""
    shares: NDArray[np.float32] = (bits >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)
    return shares


def normals(bits: UintArray, second: bool = False) -> NDArray[np.float32]:
    """Return a normal number of each draw; there are two in it."""
    index = (bits >> np.uint32(8)) & np.uint32(4095) if second else bits >> np.uint32(20)
    drawn: NDArray[np.float32] = NORMAL_LEVELS[index]
    return drawn
