"""What noise in training does against noise at the input."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from procedures.learning.tasks import bayes_accuracy, make_task
from procedures.reports.eslami import paper
from procedures.reports.eslami.gather import Study
from procedures.reports.pages.blocks import Block, Picture, Section, Table, Text, finding, note
from procedures.reports.pages.drawing import (
    MARKERS,
    SERIES,
    accuracy_axis,
    band,
    draw,
    grid,
    mark,
    percent_axis,
)
from procedures.reports.pages.wording import SIGMA as SIGMA_SIGN
from procedures.reports.pages.wording import (
    listed,
    mean,
    paired,
    percent,
    percent_cell,
    points,
)
from procedures.studies.figures import Results, last
from procedures.studies.statistics import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FLIP, SIGMA = "training noise", "training sigma"
_METRIC = {FLIP: "accuracy_flip_", SIGMA: "accuracy_sigma_"}


def levels(results: Results, factor: str) -> list[float]:
    """Return the levels of noise that were tested on, from the metrics that are there."""
    prefix = _METRIC[factor]
    found = {
        float(name.removeprefix(prefix))
        for row in results.rows
        for name in row["results"]["metrics"]
        if re.fullmatch(re.escape(prefix) + r"[0-9.e-]+", name)
    }
    return sorted(found)


def curve(results: Results, factor: str, tested: float) -> dict[float, Interval]:
    """Return the accuracy at a noise in tests by the noise in training."""
    value = last(f"{_METRIC[factor]}{tested:g}")
    name = factor.replace(" ", "_")
    return {
        float(trained): mean(results.where(**{name: trained}), value)
        for trained in results.values(factor)
    }


def optimum(results: Results, factor: str, tested: float) -> tuple[float, Interval]:
    """Return the training noise of the best mean, and how much it gains over clean training."""
    means = {k: v.mean for k, v in curve(results, factor, tested).items() if v.mean == v.mean}
    best = max(means, key=lambda k: means[k])
    name, value = factor.replace(" ", "_"), last(f"{_METRIC[factor]}{tested:g}")
    gain = paired(results.where(**{name: best}), results.where(**{name: 0.0}), value)
    return best, gain


def plateau(results: Results, factor: str, tested: float) -> list[float]:
    """Return the training noises that cannot be told from the optimum, seed by seed."""
    best, _ = optimum(results, factor, tested)
    name, value = factor.replace(" ", "_"), last(f"{_METRIC[factor]}{tested:g}")
    at_best = results.where(**{name: best})
    return sorted(
        trained
        for trained in results.values(factor)
        if trained == best
        or not paired(results.where(**{name: trained}), at_best, value).is_below_zero
    )


def section(study: Study) -> Section:
    """Return the section."""
    flips, sigmas = study.of("training-noise"), study.of("gaussian-noise")
    blocks: list[Block] = [
        Text(
            "Targets were found with flipped pixels (an independent probability for each pixel) or "
            "with Gaussian noise on every pixel, redrawn at every step, and tested at several "
            "levels of the same kind of noise. Seeds, devices and test images are the same at "
            "every level of training noise, so differences are taken seed by seed."
        )
    ]
    for results, factor in ((flips, FLIP), (sigmas, SIGMA)):
        if results.rows:
            blocks += _part(results, factor)
    return Section("noise", "Noise in training", blocks)


def _part(results: Results, factor: str) -> Iterator[Block]:
    yield from _findings(results, factor)
    yield _picture(results, factor)
    yield _table(results, factor)
    if factor == SIGMA:
        yield note(
            "Pixels are 0 or 1, and an input driver puts out neither less than 0 V nor more than "
            "its full scale: Gaussian noise is clipped there. On such images it acts inwards only, "
            "so a standard deviation of 0.4 does less than it would on an unbounded signal."
        )


def _findings(results: Results, factor: str) -> Iterator[Text]:
    if 0.0 not in results.values(factor):
        return
    for tested in levels(results, factor):
        best, gain = optimum(results, factor, tested)
        if best == 0:
            said = "no training noise does better than none"
        elif gain.is_above_zero:
            said = f"{_shown(best, factor)} is best, {points(gain)} above clean training"
        else:
            said = (
                f"{_shown(best, factor)} has the best mean, but its gain over clean training "
                f"cannot be told from zero: {points(gain)}"
            )
        yield Text(f"Tested at {_shown(tested, factor)}: {said}.", "item")
    if factor == FLIP:
        yield finding(_strong(results))


def _strong(results: Results) -> str:
    tested = 0.1 if 0.1 in levels(results, FLIP) else levels(results, FLIP)[0]
    found = curve(results, FLIP, tested)
    strongest = max(found)
    best, _ = optimum(results, FLIP, tested)
    cost = paired(
        results.where(training_noise=strongest),
        results.where(training_noise=best),
        last(f"accuracy_flip_{tested:g}"),
    )
    inside = "below" if best < paper.NOISE_MODERATE else "not below"
    text = (
        f"At {percent(tested, 0)} flipped test pixels the optimum is at {percent(best, 0)} "
        f"training noise, {inside} the 15 % that the paper calls moderate."
    )
    flat = [k for k in plateau(results, FLIP, tested) if k != best]
    if flat:
        shown = listed([percent(k, 0) for k in flat])
        text += f" It is flat: {shown} cannot be told from it."
    if strongest == best:
        return text
    if cost.is_below_zero:
        return (
            f"{text} {percent(strongest, 0)} is too much: it costs {points(cost)} against the "
            f"optimum."
        )
    return (
        f"{text} Even {percent(strongest, 0)} does no harm that can be told from zero: "
        f"{points(cost)} against the optimum."
    )


def _shown(level: float, factor: str) -> str:
    return percent(level, 0) if factor == FLIP else f"a standard deviation of {level:g}"


def _table(results: Results, factor: str) -> Table:
    tested = levels(results, factor)
    curves = [curve(results, factor, level) for level in tested]
    clean = {
        trained: mean(results.where(**{factor.replace(" ", "_"): trained}), last("accuracy_clean"))
        for trained in results.values(factor)
    }
    rows = [
        [
            percent(trained, 0) if factor == FLIP else f"{trained:g}",
            percent_cell(clean[trained]),
            *(percent_cell(found[trained]) for found in curves),
        ]
        for trained in clean
    ]
    if factor == FLIP:
        task = make_task("T/L")
        rows.append(
            ["Bayes limit", percent(1.0), *(percent(bayes_accuracy(task, t)) for t in tested)]
        )
    kind = "flipped pixels" if factor == FLIP else "Gaussian noise"
    return Table(
        f"Accuracy on T/L by noise in training (rows) and in the test (columns), {kind}.",
        [
            "training",
            "clean",
            *(percent(t, 0) if factor == FLIP else f"{SIGMA_SIGN} = {t:g}" for t in tested),
        ],
        rows,
    )


def _picture(results: Results, factor: str) -> Picture:
    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        _paint_curves(axes, results, factor)
        if factor == FLIP:
            mark(axes, paper.NOISE_MODERATE, "15 %, paper", 0.09)
            percent_axis(axes, "x")
        axes.set_xlabel(
            "training noise (pixels flipped)"
            if factor == FLIP
            else "training noise (standard deviation, units of full scale)"
        )
        axes.set_ylabel("accuracy on the board")
        axes.set_title("Accuracy on T/L, by noise in the test", pad=12)
        grid(axes)
        accuracy_axis(axes)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), title="noise in the test")

    kind = "flipped pixels" if factor == FLIP else "Gaussian noise on pixels"
    return draw(
        "training-noise" if factor == FLIP else "gaussian-noise",
        f"Accuracy by noise in training, {kind}; one line for each noise in the test. Bands: 95 % "
        "interval of the mean over seeds.",
        (7.2, 3.9),
        paint,
    )


def _paint_curves(axes: Axes, results: Results, factor: str) -> None:
    for k, tested in enumerate(levels(results, factor)):
        found = curve(results, factor, tested)
        band(
            axes,
            list(found),
            list(found.values()),
            colour=SERIES[k % len(SERIES)],
            marker=MARKERS[k % len(MARKERS)],
            label=percent(tested, 0) if factor == FLIP else f"{SIGMA_SIGN} = {tested:g}",
        )
