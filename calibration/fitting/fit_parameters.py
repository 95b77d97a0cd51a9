"""Which parameters a fit moves, between which bounds, and in which coordinates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from hil.errors import UsageError
from hil.types import FloatArray

Values = dict[str, FloatArray]
"""Parameters by name, each of shape (n_lanes,)."""


@dataclass(frozen=True)
class FitParameter:
    """One parameter that a fit may move.

    Attributes:
        name: with its unit, as in a record.
        unit: as in a record.
        start: where the first start begins.
        low: weak lower bound: what is physically out of the question lies below.
        high: weak upper bound.
        spread: standard deviation of the other starts, in the coordinate of the fit.
        is_log: whether the fit moves its decimal logarithm.
    """

    name: str
    unit: str
    start: float
    low: float
    high: float
    spread: float
    is_log: bool = False

    def coordinate(self, value: float) -> float:
        """Return the coordinate of the fit for a value."""
        return float(np.log10(value)) if self.is_log else value


GMSS: tuple[FitParameter, ...] = (
    FitParameter("r_on_ohm", "ohm", 2500.0, 200.0, 1e5, 0.15, is_log=True),
    FitParameter("r_off_ohm", "ohm", 2.5e5, 1e4, 1e8, 0.3, is_log=True),
    FitParameter("n_on_per_v", "1/V", 0.8, 0.0, 3.0, 0.5),
    FitParameter("c_forward_ratio", "1", 0.6, 0.01, 0.99, 0.15),
    FitParameter("b_forward_per_v", "1/V", 14.0, 0.5, 30.0, 2.5),
    FitParameter("b_reverse_per_v", "1/V", 4.0, 0.2, 20.0, 1.0),
    FitParameter("v_on_v", "V", 0.29, 0.05, 1.0, 0.05),
    FitParameter("v_off_v", "V", 0.11, -0.3, 1.0, 0.06),
    FitParameter("a_on_v", "V", 0.0, -0.5, 0.6, 0.05),
    FitParameter("a_off_v", "V", 0.65, -0.5, 2.0, 0.2),
    FitParameter("v_t_on_v", "V", 0.017, 0.004, 0.2, 0.12, is_log=True),
    FitParameter("v_t_off_v", "V", 0.053, 0.004, 0.4, 0.12, is_log=True),
    FitParameter("tau_on_s", "s", 2.8e-4, 1e-8, 0.1, 0.3, is_log=True),
    FitParameter("tau_off_s", "s", 5e-5, 1e-8, 0.1, 0.3, is_log=True),
)
"""Generalised metastable switches: what loops can tell. Starts and spreads cover the W parts whose
loops are published; bounds are far wider."""

HELD: dict[str, float] = {"v_dead_on_v": 0.12, "v_dead_off_v": 0.08}
"""Dead band: held, because loops tell hardly anything of it. Published write thresholds are above
0.2 V, erase thresholds 0.05 V to 0.11 V; a read at 0.1 V disturbs nothing."""

UNITS: dict[str, str] = {p.name: p.unit for p in GMSS} | dict.fromkeys(HELD, "V")

_MSS_FREE = ("r_on_ohm", "r_off_ohm", "v_on_v", "v_off_v", "tau_on_s")
_MSS_HELD = {
    "n_on_per_v": 0.0,
    "c_forward_ratio": 0.5,
    "b_forward_per_v": 1e-4,
    "b_reverse_per_v": 1e-4,
    "a_on_v": 0.0,
    "a_off_v": 0.0,
    "v_t_on_v": 0.0257,
    "v_t_off_v": 0.0257,
}
_MSS_START = {"r_off_ohm": 7.5e4, "v_on_v": 0.38, "v_off_v": 0.17, "tau_on_s": 3e-5}


@dataclass(frozen=True)
class FitSpace:
    """The coordinates that a fit moves, and how parameters follow from them.

    Attributes:
        model: ``gmss``, or ``mss`` for plain metastable switches (for comparison).
        free: parameters that are moved.
        held: values of all others.
        ties: parameters that equal another one.
    """

    model: str
    free: tuple[FitParameter, ...]
    held: Mapping[str, float]
    ties: Mapping[str, str]

    @classmethod
    def of(cls, model: str, held: Mapping[str, float] | None = None) -> FitSpace:
        """Return the space of a model, with some more of its parameters held.

        Raises:
            UsageError: no such model, or no such parameter.
        """
        given = dict(held or {})
        unknown = set(given) - set(UNITS)
        if unknown:
            raise UsageError(f"cannot hold {sorted(unknown)[0]}; there are {', '.join(UNITS)}")
        if model == "gmss":
            free = tuple(p for p in GMSS if p.name not in given)
            return cls(model, free, HELD | given, {})
        if model == "mss":
            free = tuple(
                replace(p, start=_MSS_START.get(p.name, p.start))
                for p in GMSS
                if p.name in _MSS_FREE and p.name not in given
            )
            return cls(model, free, HELD | _MSS_HELD | given, {"tau_off_s": "tau_on_s"})
        raise UsageError(f"no device model {model!r} to fit; there are gmss, mss")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the free parameters, in the order of the coordinates."""
        return tuple(p.name for p in self.free)

    @property
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Lower and upper bounds of the coordinates."""
        low = np.array([p.coordinate(p.low) for p in self.free])
        high = np.array([p.coordinate(p.high) for p in self.free])
        return low, high

    @property
    def spreads(self) -> FloatArray:
        """Scale on which each coordinate matters."""
        return np.array([p.spread for p in self.free])

    def coordinates(self, values: Mapping[str, float] | None = None) -> FloatArray:
        """Return the coordinates of parameter values; of the first start where none is given."""
        given = values or {}
        return np.array([p.coordinate(given.get(p.name, p.start)) for p in self.free])

    def values(self, coordinates: FloatArray) -> Values:
        """Return all parameters for coordinates of shape (n_lanes, n_free)."""
        n_lanes = len(coordinates)
        values = {name: np.full(n_lanes, value) for name, value in self.held.items()}
        for k, p in enumerate(self.free):
            values[p.name] = 10 ** coordinates[:, k] if p.is_log else coordinates[:, k].copy()
        return values | {name: values[other] for name, other in self.ties.items()}

    def one(self, coordinates: FloatArray) -> dict[str, float]:
        """Return all parameters for one set of coordinates, shape (n_free,)."""
        return {k: float(v[0]) for k, v in self.values(coordinates[None, :]).items()}

    def slopes(self, coordinates: FloatArray) -> FloatArray:
        """Return d(value)/d(coordinate) for each free parameter, shape (n_free,)."""
        logs = [p.is_log for p in self.free]
        return np.where(logs, np.log(10) * 10 ** np.where(logs, coordinates, 0.0), 1.0)

    def draw(self, rng: np.random.Generator, n: int, spread: float = 1.5) -> FloatArray:
        """Return ``n`` starts around the first, ``spread`` of each parameter's own wide."""
        low, high = self.bounds
        drawn = self.coordinates() + spread * self.spreads * rng.standard_normal((n, len(low)))
        inside: FloatArray = np.clip(drawn, low + 1e-3 * (high - low), high - 1e-3 * (high - low))
        return inside
