"""Comparing what a board did with what its twin did: how far apart, against which uncertainty."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

COVERAGE = 2.0
"""Coverage factor of every expanded uncertainty here."""

CHANCE_RATIO = 0.05
"""Share of comparisons that honest k = 2 uncertainties let fall outside by chance."""

_FAR = 2.0  # in units of U, that is four standard uncertainties: no chance, however few comparisons
_CHANCE_SIGMAS = 2.33  # of a binomial: one device in a hundred


@dataclass(frozen=True)
class Comparison:
    """One value of the board beside that of its twin.

    Attributes:
        device: name of the device.
        quantity: ``conductance``, ``end current``, ``energy`` or ``sweep current``.
        board: value of the board; of a sweep the rms over its points.
        twin: value of the twin.
        difference: board minus twin; of a sweep the rms of the difference over its points.
        expanded: uncertainty of the difference, k = 2: of both readings and of the model.
        unit: of all of these.
        t_s: board clock.
        cycle: half cycle of the device (SET or RESET) that it belongs to: what devices do by chance
            they do for a half cycle.
        is_drawn: whether the device draws something anew in each half cycle. One half cycle that is
            far off is then no more than an unlikely draw.
    """

    device: str
    quantity: str
    board: float
    twin: float
    difference: float
    expanded: float
    unit: str
    t_s: float
    cycle: int = 0
    is_drawn: bool = False

    @property
    def ratio(self) -> float:
        """Difference in units of the expanded uncertainty (the E_n number of ISO 13528)."""
        if not self.difference:
            return 0.0
        return abs(self.difference) / self.expanded if self.expanded else math.inf

    @property
    def is_known(self) -> bool:
        """Whether the two can be compared: finite values, and a finite uncertainty."""
        return all(map(math.isfinite, (self.board, self.twin, self.difference, self.expanded)))

    @property
    def diverges(self) -> bool:
        """Whether the difference is beyond its expanded uncertainty."""
        return self.ratio > 1


@dataclass
class Score:
    """How the comparisons of one quantity of one device went.

    Attributes:
        n_compared: comparisons.
        n_diverged: of these, beyond the uncertainty.
        worst: the one with the largest ratio.
        cycles: half cycles with a comparison.
        apart: half cycles with one beyond the uncertainty.
        far: half cycles with one beyond twice the uncertainty.
        is_drawn: whether the device draws something anew in each half cycle.
    """

    n_compared: int = 0
    n_diverged: int = 0
    worst: Comparison | None = None
    cycles: set[int] = field(default_factory=set)
    apart: set[int] = field(default_factory=set)
    far: set[int] = field(default_factory=set)
    is_drawn: bool = False

    def add(self, comparison: Comparison) -> None:
        """Count one."""
        self.n_compared += 1
        self.n_diverged += comparison.diverges
        self.cycles.add(comparison.cycle)
        if comparison.diverges:
            self.apart.add(comparison.cycle)
        if comparison.ratio > _FAR:
            self.far.add(comparison.cycle)
        self.is_drawn |= comparison.is_drawn
        if self.worst is None or comparison.ratio > self.worst.ratio:
            self.worst = comparison

    @property
    def has_drifted(self) -> bool:
        """Whether this cannot be chance.

        One comparison beyond 2 U (four standard uncertainties) is enough; where something is drawn
        anew in each half cycle, it takes two half cycles with one. So are more beyond U than the
        5 % that k = 2 leaves to chance; where something is drawn, the half cycles that they are in
        have to be as many too.
        """
        if len(self.far) >= (2 if self.is_drawn else 1):
            return True
        often = _beyond_chance(self.n_diverged, self.n_compared)
        return often and (not self.is_drawn or _beyond_chance(len(self.apart), len(self.cycles)))

    @property
    def is_undecided(self) -> bool:
        """Whether it is apart by more than chance, in too few half cycles to be no draw."""
        return not self.has_drifted and _beyond_chance(self.n_diverged, self.n_compared)


def _beyond_chance(n_apart: int, n: int) -> bool:
    """Whether more are apart than chance explains, at 1 % (normal approximation)."""
    p = CHANCE_RATIO
    return n_apart > n * p + _CHANCE_SIGMAS * math.sqrt(n * p * (1 - p)) + 0.5


@dataclass
class Tally:
    """Scores by device and quantity, in the order in which they were first compared."""

    scores: dict[tuple[str, str], Score] = field(default_factory=dict)

    def add(self, comparisons: Iterable[Comparison]) -> list[Comparison]:
        """Count comparisons, leave out those that are not known, and return those that diverge."""
        diverged = []
        for comparison in comparisons:
            if not comparison.is_known:
                continue
            key = (comparison.device, comparison.quantity)
            self.scores.setdefault(key, Score()).add(comparison)
            if comparison.diverges:
                diverged.append(comparison)
        return diverged

    @property
    def devices(self) -> list[str]:
        """Every device that was compared."""
        return list(dict.fromkeys(device for device, _ in self.scores))

    @property
    def drifted(self) -> list[str]:
        """Devices of which at least one quantity is apart by more than chance."""
        apart = (device for (device, _), score in self.scores.items() if score.has_drifted)
        return list(dict.fromkeys(apart))

    @property
    def undecided(self) -> list[str]:
        """Devices that are apart in one half cycle, which may be a drift or an unlikely draw."""
        open_ones = [device for (device, _), score in self.scores.items() if score.is_undecided]
        return [device for device in dict.fromkeys(open_ones) if device not in self.drifted]

    @property
    def n_compared(self) -> int:
        """Comparisons in all."""
        return sum(score.n_compared for score in self.scores.values())

    @property
    def n_diverged(self) -> int:
        """Comparisons beyond their uncertainty."""
        return sum(score.n_diverged for score in self.scores.values())

    def rows(self) -> list[dict[str, object]]:
        """Return one row per device and quantity, ready for JSON."""
        return [
            {
                "device": device,
                "quantity": quantity,
                "n_compared": score.n_compared,
                "n_diverged": score.n_diverged,
                "has_drifted": score.has_drifted,
                "is_undecided": score.is_undecided,
                "worst_ratio": score.worst.ratio,
                "worst_board": score.worst.board,
                "worst_twin": score.worst.twin,
                "worst_difference": score.worst.difference,
                "worst_expanded": score.worst.expanded,
                "unit": score.worst.unit,
                "worst_t_s": score.worst.t_s,
            }
            for (device, quantity), score in self.scores.items()
            if score.worst is not None
        ]
