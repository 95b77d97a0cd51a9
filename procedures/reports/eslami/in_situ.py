"""In-situ training against write-verify at equal time and at equal energy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hil.types import FloatArray
from procedures.reports.eslami.dopants import TIME
from procedures.reports.eslami.gather import Study
from procedures.reports.pages.blocks import Block, Picture, Section, Table, Text, finding, note
from procedures.reports.pages.drawing import (
    BLUE,
    INK,
    VERMILLION,
    accuracy_axis,
    band,
    draw,
    grid,
)
from procedures.reports.pages.wording import (
    known,
    listed,
    percent_cell,
    percent_interval,
    points,
    points_cell,
    quantity,
    quantity_cell,
    seeds_text,
    si,
)
from procedures.studies.figures import Results, Value, last, training_energy_j
from procedures.studies.statistics import Interval, difference, mean_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NOISY = last("accuracy_flip_0.1")
_TIME, _ENERGY, _ACCURACY = "Training time (s)", "Training energy (J)", "Noisy accuracy"
ABSCISSAE: Mapping[str, tuple[str, Value, str]] = {
    "time": (_TIME, TIME, "s"),
    "energy": (_ENERGY, training_energy_j, "J"),
}
_N_ABSCISSAE = 80


@dataclass(frozen=True)
class Trajectory:
    """What one run had learnt after what it had spent.

    Attributes:
        spent: at each test, rising.
        accuracy: at each test.
    """

    spent: FloatArray
    accuracy: FloatArray

    def at(self, spent: float) -> float:
        """Return the accuracy that was last tested by then; NaN before the first test."""
        k = int(np.searchsorted(self.spent, spent, side="right")) - 1
        return float(self.accuracy[k]) if k >= 0 else float("nan")


@dataclass(frozen=True)
class Match:
    """In-situ training at what write-verify spent, seed by seed.

    Attributes:
        spent: by write-verify, mean over seeds.
        write_verify: accuracy.
        in_situ: accuracy by then.
        gain: in-situ less write-verify, paired.
        n_untested: seeds whose in-situ training had not been tested by then; left out.
        n_ended: seeds whose in-situ training had ended by then, of those that count.
    """

    spent: Interval
    write_verify: Interval
    in_situ: Interval
    gain: Interval
    n_untested: int
    n_ended: int

    @property
    def n_compared(self) -> int:
        """Seeds that both have, tested by then or not."""
        return self.gain.n + self.n_untested


def trajectory(epochs: Sequence[Mapping[str, Any]], column: str) -> Trajectory:
    """Return the tested epochs of a run against a column of its rows."""
    tested = [row for row in epochs if row[_ACCURACY] is not None and np.isfinite(row[_ACCURACY])]
    return Trajectory(
        np.array([row[column] for row in tested], dtype=float),
        np.array([row[_ACCURACY] for row in tested], dtype=float),
    )


def mean_curve(
    trajectories: Sequence[Trajectory], spent: Sequence[float] | FloatArray
) -> list[Interval]:
    """Return the mean over seeds at common abscissae; those not tested by then are left out."""
    at = [[value for t in trajectories if (value := t.at(x)) == value] for x in spent]
    return [mean_interval(values) for values in at]


def match(in_situ: Results, write_verify: Results, abscissa: str) -> Match:
    """Compare at equal time or energy; seeds that only one of both has are left out."""
    column, spent_of, _ = ABSCISSAE[abscissa]
    runs = {row["seed"]: trajectory(row["results"]["epochs"], column) for row in in_situ.rows}
    spent, reached = known(write_verify, spent_of), known(write_verify, NOISY)
    shared = sorted(set(runs) & set(spent) & set(reached))
    by_then = {seed: runs[seed].at(spent[seed]) for seed in shared}
    learnt = {seed: value for seed, value in by_then.items() if value == value}
    return Match(
        mean_interval([spent[seed] for seed in learnt]),
        mean_interval([reached[seed] for seed in learnt]),
        mean_interval(list(learnt.values())),
        difference(learnt, reached),
        len(shared) - len(learnt),
        sum(float(runs[seed].spent[-1]) <= spent[seed] for seed in learnt),
    )


def section(study: Study) -> Section:
    """Return the section."""
    in_situ, write_verify = study.of("in-situ"), _write_verify(study)
    kinds = in_situ.values("neurons")
    matches = {
        (kind, abscissa): found
        for kind in kinds
        for abscissa in ABSCISSAE
        if (
            found := match(in_situ.where(neurons=kind), write_verify.where(neurons=kind), abscissa)
        ).n_compared
    }
    blocks: list[Block] = [
        Text(
            "The second algorithm computes no targets and verifies no conductance: images are "
            "driven through the devices, the outputs that come back give the gradient, and its "
            "sign decides which memristor gets a larger or a smaller SET. It is compared with "
            "write-verify of the same seed and the same neurons, at the time and at the energy "
            "that write-verify took. Accuracy is that at 10 % flipped pixels; tests cost nothing."
        ),
        *(Text(_said(*key, found), "finding") for key, found in matches.items()),
        *_catches_up(in_situ, write_verify),
        *(_picture(in_situ, write_verify, kind) for kind in kinds),
    ]
    if any(found.gain.n for found in matches.values()):
        blocks.append(_table(matches))
    blocks.append(
        note(
            "What is left out: the cost of write-verify does not contain the computation of its "
            "targets off the chip, which takes a computer; that of in-situ training contains its "
            "inference and its reads, because they are how it learns."
        )
    )
    return Section("in-situ", "In-situ training against write-verify", blocks)


def _write_verify(study: Study) -> Results:
    return study.of("circuit").where(signed_weights="reference")


def _said(kind: str, abscissa: str, found: Match) -> str:
    if found.gain.is_above_zero:
        verdict = "in-situ training is better"
    elif found.gain.is_below_zero:
        verdict = "write-verify is better"
    else:
        verdict = "neither is better beyond chance"
    if not found.gain.n:
        return (
            f"Neurons {kind}, at equal {abscissa}: in every one of {seeds_text(found.n_untested)} "
            f"write-verify was done before in-situ training was first tested, so that there is "
            f"nothing to compare: in-situ training is slower here."
        )
    text = (
        f"Neurons {kind}, at equal {abscissa} ({quantity(found.spent, ABSCISSAE[abscissa][2])}): "
        f"{verdict}. In-situ training has reached {percent_interval(found.in_situ)}, write-verify "
        f"{percent_interval(found.write_verify)}, a difference of {points(found.gain)}."
    )
    if found.n_untested:
        text += (
            f" In {seeds_text(found.n_untested)} write-verify was done before the first test of "
            f"in-situ training; they are left out."
        )
    if found.n_ended:
        text += (
            f" In {seeds_text(found.n_ended)} in-situ training had ended before that, and what it "
            f"had reached counts."
        )
    return text


def _catches_up(in_situ: Results, write_verify: Results) -> Iterator[Text]:
    for kind in in_situ.values("neurons"):
        final = known(in_situ.where(neurons=kind), NOISY)
        reached = known(write_verify.where(neurons=kind), NOISY)
        gain = difference(final, reached)
        if not gain.n:
            continue
        yield finding(
            f"At its end, whatever it has spent, in-situ training with neurons {kind} stands at "
            f"{percent_interval(mean_interval(list(final.values())))}, {points(gain)} against "
            f"write-verify. {_overtakes(in_situ.where(neurons=kind), reached)}"
        )


def first_reach(found: Sequence[Trajectory], goal: float) -> float:
    """Return what was spent when the mean over seeds first reached an accuracy; NaN if never."""
    moments = sorted({float(x) for one in found for x in one.spent})
    begin = max((float(one.spent[0]) for one in found if len(one.spent)), default=np.inf)
    for spent in (x for x in moments if x >= begin):
        if np.mean([one.at(spent) for one in found]) >= goal:
            return spent
    return float("nan")


def _overtakes(in_situ: Results, reached: Mapping[int, float]) -> str:
    goal = float(np.mean(list(reached.values())))
    parts = []
    for column, _, unit in ABSCISSAE.values():
        found = [trajectory(row["results"]["epochs"], column) for row in in_situ.rows]
        spent = first_reach([one for one in found if len(one.spent)], goal)
        if np.isfinite(spent):
            parts.append(si(spent, unit))
    if not parts:
        return "Its mean never reaches that of write-verify."
    return f"Its mean first reaches that of write-verify after {listed(parts)}."


def _table(matches: Mapping[tuple[str, str], Match]) -> Table:
    return Table(
        "In-situ training at what write-verify took, seed by seed, 10 % flipped pixels.",
        [
            "neurons",
            "equal",
            "write-verify took",
            "write-verify",
            "in-situ",
            "difference, points",
            "seeds",
        ],
        [
            [
                kind,
                abscissa,
                quantity_cell(found.spent, ABSCISSAE[abscissa][2]),
                percent_cell(found.write_verify),
                percent_cell(found.in_situ),
                points_cell(found.gain),
                str(found.gain.n),
            ]
            for (kind, abscissa), found in matches.items()
            if found.gain.n
        ],
    )


def _picture(in_situ: Results, write_verify: Results, kind: str) -> Picture:
    runs, points_ = in_situ.where(neurons=kind), write_verify.where(neurons=kind)

    def paint(figure: Figure) -> None:
        panels = zip(figure.subplots(1, 2, sharey=True), ABSCISSAE, (1.0, 1e6), strict=True)
        for axes, abscissa, scale in panels:
            _paint(axes, runs, points_, abscissa, scale)
            unit = "s" if abscissa == "time" else "µJ"
            axes.set_xlabel(f"{abscissa} spent in training ({unit})")
            axes.set_title(f"At equal {abscissa}")
            grid(axes, "both")
            accuracy_axis(axes)
        figure.axes[0].set_ylabel("accuracy, 10 % flipped pixels")
        figure.legend(
            *figure.axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=3
        )

    return draw(
        f"in-situ-{kind}",
        f"Accuracy against what training has spent, neurons {kind}. Line and band: mean over seeds "
        "of in-situ training with its 95 % interval. Points: write-verify, one for each seed; the "
        "cross is their mean.",
        (9.6, 3.6),
        paint,
    )


def _paint(axes: Axes, runs: Results, write_verify: Results, abscissa: str, scale: float) -> None:
    column, spent_of, _ = ABSCISSAE[abscissa]
    found = [trajectory(row["results"]["epochs"], column) for row in runs.rows]
    found = [one for one in found if len(one.spent)]
    if found:
        begin = max(float(one.spent[0]) for one in found)
        end = max(float(one.spent[-1]) for one in found)
        x = np.linspace(begin, max(end, begin), _N_ABSCISSAE)
        band(axes, list(x * scale), mean_curve(found, x), colour=BLUE, label="in-situ")
    spent, reached = known(write_verify, spent_of), known(write_verify, NOISY)
    shared = sorted(set(spent) & set(reached))
    if shared:
        x_wv = [spent[seed] * scale for seed in shared]
        y_wv = [reached[seed] for seed in shared]
        axes.plot(x_wv, y_wv, "s", color=VERMILLION, alpha=0.55, ms=4, label="write-verify")
        axes.plot(np.mean(x_wv), np.mean(y_wv), "X", color=INK, ms=9, label="its mean")
    axes.set_xlim(left=0)
