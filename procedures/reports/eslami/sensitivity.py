"""Whether the ranking of the dopants survives other parameters of the assumed devices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from procedures.reports.eslami.dopants import TIME, means_by_dopant
from procedures.reports.eslami.gather import Study
from procedures.reports.pages.blocks import Block, Picture, Section, Table, Text, finding
from procedures.reports.pages.drawing import (
    DOPANT_COLOURS,
    GREEN,
    INK,
    MUTED,
    PURPLE,
    draw,
    grid,
    log_axis,
)
from procedures.reports.pages.wording import NOTHING, RHO, TIMES, listed, percent, typeset
from procedures.studies.eslami.sensitivity import RANGES, Range
from procedures.studies.figures import Results, Value, training_energy_j

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOPANTS = ("W", "Cr", "C")
COSTS: Mapping[str, tuple[Value, str]] = {
    "time": (TIME, "s"),
    "energy": (training_energy_j, "J"),
}
SURVIVES = 0.95
MOSTLY = 0.5
_CERTAIN = 0.01
_N_LEAST = 5


@dataclass(frozen=True)
class Draw:
    """Cost of the three dopants at equal seed: W as recorded, Cr and C with drawn parameters.

    Attributes:
        costs: by dopant.
    """

    costs: Mapping[str, float]

    @property
    def first(self) -> str:
        """The dopant that needs least."""
        return min(self.costs, key=lambda dopant: self.costs[dopant])


@dataclass(frozen=True)
class Influence:
    """How a parameter goes with a cost over the draws.

    Attributes:
        dopant: whose parameter.
        parameter: its name in the records.
        cost: ``time`` or ``energy``.
        rho: rank correlation (Spearman).
        p: probability of one as large by chance.
    """

    dopant: str
    parameter: str
    cost: str
    rho: float
    p: float

    @property
    def is_certain(self) -> bool:
        """Whether chance is an unlikely reason."""
        return self.p < _CERTAIN


def draws(study: Study, value: Value) -> list[Draw]:
    """Return all draws for which the three dopants were run with the same seed."""
    nominal = study.of("dopant").where(dopant="W", reset=False, search="ladder").by_seed(value)
    drawn = {
        (row["seed"], row["point"]["draw"], row["point"]["dopant"]): value(row["results"])
        for row in study.of("sensitivity").rows
    }
    found = []
    for seed, draw_number in sorted({(seed, number) for seed, number, _ in drawn}):
        costs = {d: drawn.get((seed, draw_number, d), np.nan) for d in ("Cr", "C")}
        costs["W"] = nominal.get(seed, np.nan)
        if np.isfinite(list(costs.values())).all():
            found.append(Draw(costs))
    return found


def shares(found: list[Draw]) -> dict[str, float]:
    """Return in which share of the draws each dopant needs least."""
    return {d: sum(one.first == d for one in found) / len(found) for d in DOPANTS}


def influences(results: Results) -> list[Influence]:
    """Return the rank correlation of every drawn parameter with time and energy."""
    return list(_influences(results))


def _influences(results: Results) -> Iterator[Influence]:
    for dopant in ("Cr", "C"):
        rows = results.where(dopant=dopant).rows
        if len(rows) < _N_LEAST:
            continue
        for cost, (value, _) in COSTS.items():
            costs = [value(row["results"]) for row in rows]
            for name in RANGES:
                drawn = [row["task"]["variant"]["changes"].get(name, np.nan) for row in rows]
                if np.isfinite(drawn).all() and np.ptp(drawn) > 0:
                    rho, p = stats.spearmanr(drawn, costs)
                    yield Influence(dopant, name, cost, float(rho), float(p))


def section(study: Study) -> Section:
    """Return the section."""
    results = study.of("sensitivity")
    blocks: list[Block] = [
        Text(
            "No public data of Cr and C devices were found, so their parameters are assumed, and a "
            "ranking of dopants could be an artefact of what was assumed. Here all uncertain "
            "parameters of Cr and of C were drawn anew, evenly in the ranges of the table below, "
            "one or more times for each seed; W stays as fitted."
        )
    ]
    found = {cost: draws(study, value) for cost, (value, _) in COSTS.items()}
    if all(found.values()):
        blocks += [*_verdicts(study, found), _draw_picture(found), _share_table(found)]
    known = influences(results)
    if known:
        blocks += [*_drivers(known), _influence_picture(known)]
    blocks.append(_range_table())
    return Section("sensitivity", "Does the ranking survive other assumptions on Cr and C?", blocks)


def _verdicts(study: Study, found: Mapping[str, list[Draw]]) -> Iterator[Text]:
    for cost, (value, _) in COSTS.items():
        nominal = {d: i.mean for d, i in means_by_dopant(study.of("dopant"), value).items()}
        if len(nominal) < len(DOPANTS):
            continue
        first = min(nominal, key=lambda d: nominal[d])
        share = shares(found[cost])
        yield finding(
            f"In {cost}, {first} is first with the nominal parameters and in "
            f"{_share(share[first], len(found[cost]))}: {_survival(share[first])}. "
            f"Cr, the best of the paper, is first in {percent(share['Cr'], 0)}."
        )


def _share(share: float, n: int) -> str:
    """Return a share of draws with its interval (Clopper and Pearson, 95 %)."""
    ends = stats.binomtest(round(share * n), n).proportion_ci()
    return f"{percent(share, 0)} of {n} draws (95 % interval {ends.low:.0%} to {ends.high:.0%})"


def _survival(share: float) -> str:
    if share >= SURVIVES:
        return "this first place does not hang on what was assumed"
    if share >= MOSTLY:
        return "this first place is likely, but hangs on what was assumed"
    return "this first place is an artefact of what was assumed"


def _share_table(found: Mapping[str, list[Draw]]) -> Table:
    return Table(
        "Share of the draws in which a dopant needs least, and its cost against W: median and the "
        "range of 90 % of the draws.",
        ["dopant", "first in time", "first in energy", "time against W", "energy against W"],
        [
            [
                dopant,
                *(percent(shares(one)[dopant], 0) for one in found.values()),
                *(_against_w(one, dopant) for one in found.values()),
            ]
            for dopant in DOPANTS
        ],
    )


def _against_w(found: list[Draw], dopant: str) -> str:
    if dopant == "W":
        return NOTHING
    ratios = [one.costs[dopant] / one.costs["W"] for one in found]
    low, middle, high = np.quantile(ratios, (0.05, 0.5, 0.95))
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def _drivers(known: list[Influence]) -> Iterator[Text]:
    for cost in COSTS:
        certain = sorted(
            (i for i in known if i.cost == cost and i.is_certain), key=lambda i: -abs(i.rho)
        )
        if not certain:
            yield Text(f"No single parameter drives the {cost} beyond chance.", "item")
            continue
        named = [f"{i.parameter} of {i.dopant} ({RHO} = {_signed(i.rho)})" for i in certain[:4]]
        yield Text(f"The {cost} is driven most by {listed(named)}.", "item")


def _range_table() -> Table:
    return Table(
        "Ranges of the drawn parameters: factors or shifts on the nominal values.",
        ["parameter", "from", "to", "why so far"],
        [
            [
                name,
                _end(r.low, r),
                _end(r.high, r),
                r.reason,
            ]
            for name, r in RANGES.items()
        ],
        is_text=True,
    )


def _end(value: float, r: Range) -> str:
    return f"{TIMES} {value:.2g}" if r.is_factor else typeset(f"{value:+g} V")


def _signed(rho: float) -> str:
    return typeset(f"{rho:+.2f}")


def _draw_picture(found: Mapping[str, list[Draw]]) -> Picture:
    pairs = (("Cr", "W"), ("C", "W"), ("C", "Cr"))

    def paint(figure: Figure) -> None:
        for axes, (cost, all_draws) in zip(
            figure.subplots(1, 2, sharey=True), found.items(), strict=True
        ):
            for k, (one, other) in enumerate(pairs):
                ratios = [d.costs[one] / d.costs[other] for d in all_draws]
                spread = np.linspace(-0.22, 0.22, len(ratios)) if len(ratios) > 1 else [0.0]
                axes.scatter(
                    np.sort(ratios),
                    k + np.asarray(spread),
                    s=13,
                    color=DOPANT_COLOURS["Cr"] if one == "Cr" else (GREEN, PURPLE)[k == 2],
                    alpha=0.75,
                    linewidths=0,
                )
                axes.plot([np.median(ratios)] * 2, [k - 0.36, k + 0.36], color=INK, lw=2)
            axes.axvline(1.0, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
            log_axis(axes, "x")
            axes.set_yticks(range(len(pairs)), [f"{one} / {other}" for one, other in pairs])
            axes.set_title(f"{cost.capitalize()}: ratio of two dopants")
            axes.set_xlabel("ratio at equal seed and draw; below 1 the first needs less")
            axes.set_ylim(-0.6, len(pairs) - 0.4)
            grid(axes, "x")

    return draw(
        "sensitivity",
        "Cost of one dopant over that of another, one point for each draw, sorted upwards within a "
        "row; the line is the median.",
        (9.6, 3.4),
        paint,
    )


def _influence_picture(known: list[Influence]) -> Picture:
    names = list(dict.fromkeys(i.parameter for i in known))

    def paint(figure: Figure) -> None:
        panels = figure.subplots(1, len(COSTS), sharey=True)
        for axes, cost in zip(panels, COSTS, strict=True):
            for k, dopant in enumerate(("Cr", "C")):
                here = [i for i in known if (i.cost, i.dopant) == (cost, dopant)]
                axes.barh(
                    [names.index(i.parameter) + (k - 0.5) * 0.36 for i in here],
                    [i.rho for i in here],
                    height=0.34,
                    color=[(DOPANT_COLOURS[dopant], 1.0 if i.is_certain else 0.3) for i in here],
                )
                axes.plot(
                    [],
                    [],
                    "s",
                    color=DOPANT_COLOURS[dopant],
                    label=f"{dopant} (pale: may be chance, p > 0.01)",
                )
            axes.axvline(0, color=MUTED, linewidth=1)
            axes.set_xlim(-1, 1)
            axes.set_yticks(range(len(names)), names)
            axes.set_title(f"{cost.capitalize()}")
            axes.set_xlabel("rank correlation with the cost")
            grid(axes, "x")
        panels[0].invert_yaxis()
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=2)

    return draw(
        "influence",
        "Which of the drawn parameters go with time and energy (Spearman's rank correlation over "
        "all draws).",
        (9.6, 3.8),
        paint,
    )
