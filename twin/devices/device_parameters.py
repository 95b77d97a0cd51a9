"""What the parameters of every device model have in common."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hil.errors import UsageError
from hil.types import FloatArray, IndexArray


@dataclass(frozen=True)
class DeviceParameters:
    """Parameters of n devices, one array of shape (n_devices,) each; base of each model's own.

    Attributes:
        decided: names of those that current-voltage loops decide.

    Raises:
        UsageError: arrays of different lengths, or values that make no device.
    """

    _positive: ClassVar[tuple[str, ...]] = ()
    _not_negative: ClassVar[tuple[str, ...]] = ()
    _shares: ClassVar[tuple[str, ...]] = ()
    decided: ClassVar[tuple[str, ...]] = ()

    r_on_ohm: FloatArray
    r_off_ohm: FloatArray
    r_init_ohm: FloatArray

    def __post_init__(self) -> None:
        n = np.shape(self.r_on_ohm)
        for f in fields(self):
            value = getattr(self, f.name)
            if np.shape(value) != n or len(n) != 1:
                raise UsageError(
                    f"device parameter {f.name} has shape {np.shape(value)}; "
                    f"all are one-dimensional and as long as r_on_ohm, which has {n}"
                )
            if not np.isfinite(value).all():
                raise UsageError(f"device parameter {f.name} has a value that is not finite")
        for name in ("r_on_ohm", *self._positive):
            self._require(getattr(self, name) > 0, name, "must be above 0")
        for name in self._not_negative:
            self._require(getattr(self, name) >= 0, name, "must not be negative")
        for name in self._shares:
            share = getattr(self, name)
            self._require((share >= 0) & (share <= 1), name, "must be from 0 to 1")
        self._require(self.r_off_ohm > self.r_on_ohm, "r_off_ohm", "must be above r_on_ohm")
        between = (self.r_init_ohm >= self.r_on_ohm) & (self.r_init_ohm <= self.r_off_ohm)
        self._require(between, "r_init_ohm", "must be from r_on_ohm to r_off_ohm")
        self._check()

    def _check(self) -> None:
        """Check what is particular to a model."""

    def _require(self, holds: NDArray[np.bool_], name: str, rule: str) -> None:
        bad = np.flatnonzero(np.logical_not(holds))
        if len(bad):
            value = getattr(self, name)[bad[0]]
            raise UsageError(f"device parameter {name} = {value:g} of device {bad[0]}: {rule}")

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of the parameters; each carries its unit."""
        return tuple(f.name for f in fields(cls))

    @classmethod
    def broadcast(cls, n_devices: int, **values: ArrayLike) -> Self:
        """Return the parameters of ``n_devices`` from scalars or arrays of that length."""
        return cls(
            **{
                name: np.broadcast_to(np.asarray(value, dtype=float), (n_devices,)).copy()
                for name, value in values.items()
            }
        )

    def take(self, index: IndexArray) -> Self:
        """Return the parameters of some devices."""
        return type(self)(**{name: getattr(self, name)[index] for name in self.names()})

    @property
    def n_devices(self) -> int:
        """Number of devices."""
        return len(self.r_on_ohm)

    @property
    def x_init(self) -> FloatArray:
        """Fraction of ON switches that gives ``r_init_ohm``."""
        dg_siemens = 1 / self.r_on_ohm - 1 / self.r_off_ohm
        return np.clip((1 / self.r_init_ohm - 1 / self.r_off_ohm) / dg_siemens, 0.0, 1.0)
