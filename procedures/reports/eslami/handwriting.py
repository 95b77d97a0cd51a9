"""How much is lost on real handwriting, and where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from procedures.reports.eslami.gather import Study
from procedures.reports.pages.blocks import Block, Picture, Section, Table, Text, finding, note
from procedures.reports.pages.drawing import BLUE, GREEN, MUTED, ORANGE, VERMILLION, draw, grid
from procedures.reports.pages.wording import (
    mean,
    percent_cell,
    percent_interval,
    points,
    points_cell,
)
from procedures.studies.eslami.claims import FLATNESS_MARGIN
from procedures.studies.figures import Results, Value, last
from procedures.studies.statistics import Interval, mean_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STAGES: dict[str, Value] = {
    "in floating point": last("float_clean"),
    "targets": last("target_clean"),
    "as programmed": last("readback_clean"),
    "on the board": last("accuracy_clean"),
}
"""Where accuracy can be known: before and after mapping, programming, and reading."""

STEPS = ("mapping and bounds", "programming", "reading and neurons")
_COLOURS = (ORANGE, BLUE, GREEN)


@dataclass(frozen=True)
class Loss:
    """Where accuracy is lost for a pair of digits.

    Attributes:
        digits: the pair.
        pixels: grey or binary.
        stages: accuracy at each stage.
        steps: lost between one stage and the next, seed by seed; positive is a loss.
        total: from the first stage to the last.
    """

    digits: str
    pixels: str
    stages: dict[str, Interval]
    steps: dict[str, Interval]
    total: Interval

    @property
    def is_within_margin(self) -> bool:
        """Whether less than two points are lost, with the whole interval."""
        return self.total.high < FLATNESS_MARGIN


def losses(results: Results) -> list[Loss]:
    """Return the split of the loss for each pair of digits and kind of pixels."""
    return list(_losses(results))


def _losses(results: Results) -> Iterator[Loss]:
    if not results.rows:
        return
    for digits in results.values("digits"):
        for pixels in results.where(digits=digits).values("pixels"):
            found = results.where(digits=digits, pixels=pixels)
            values = list(STAGES.values())
            steps = {
                step: _lost(found, before, after)
                for step, before, after in zip(STEPS, values, values[1:], strict=False)
            }
            yield Loss(
                digits,
                pixels,
                {stage: mean(found, value) for stage, value in STAGES.items()},
                steps,
                _lost(found, values[0], values[-1]),
            )


def _lost(found: Results, before: Value, after: Value) -> Interval:
    lost = [before(row["results"]) - after(row["results"]) for row in found.rows]
    return mean_interval([value for value in lost if np.isfinite(value)])


def section(study: Study) -> Section:
    """Return the section."""
    found = losses(study.of("handwriting"))
    blocks: list[Block] = [
        Text(
            "Pairs of MNIST digits, reduced to 3 x 3 pixels, in grey or in black and white, "
            "trained and tested without further noise. The same network was also trained in "
            "floating point, without bounds and without devices. The loss between the "
            "two is split: to targets in the window "
            "of the devices (mapping), to what the memristors carry (programming), to "
            "what the board answers (reading and neurons)."
        ),
        *(finding(_said(loss)) for loss in found),
        _picture(found),
        Table(
            "Accuracy on handwriting at each stage.",
            ["digits", "pixels", *STAGES],
            [
                [loss.digits, loss.pixels, *map(percent_cell, loss.stages.values())]
                for loss in found
            ],
        ),
        Table(
            "Where it is lost, in points, seed by seed; negative is a gain.",
            ["digits", "pixels", *STEPS, "all in all"],
            [
                [
                    loss.digits,
                    loss.pixels,
                    *map(points_cell, loss.steps.values()),
                    points_cell(loss.total),
                ]
                for loss in found
            ],
        ),
        note(
            "Nine pixels are little: what the network in floating point misses is lost before any "
            "device has a part in it."
        ),
    ]
    return Section("handwriting", "Handwriting", blocks)


def _said(loss: Loss) -> str:
    if loss.is_within_margin:
        verdict = "within two points of floating point, with the whole interval"
    elif loss.total.low > FLATNESS_MARGIN:
        verdict = "more than two points below floating point"
    else:
        verdict = "two points or less cannot be told from more"
    largest = max(loss.steps, key=lambda step: loss.steps[step].mean)
    text = (
        f"{loss.digits} in {_kind(loss.pixels)}: {percent_interval(loss.stages['on the board'])} "
        f"on the board, {verdict}"
    )
    if loss.steps[largest].is_above_zero:
        text += f"; most is lost in {largest}, {points(loss.steps[largest])}"
    else:
        text += "; no step loses anything that can be told from zero"
    return f"{text}."


def _kind(pixels: str) -> str:
    return "black and white" if pixels == "binary" else "grey"


def _picture(found: list[Loss]) -> Picture:
    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for k, (step, colour) in enumerate(zip(STEPS, _COLOURS, strict=True)):
            lost = [loss.steps[step] for loss in found]
            half = [i.half_width if np.isfinite(i.half_width) else 0.0 for i in lost]
            axes.bar(
                [j + (k - 1) * 0.2 for j in range(len(found))],
                [i.mean * 100 for i in lost],
                yerr=[h * 100 for h in half],
                width=0.19,
                color=colour,
                ecolor=MUTED,
                capsize=2.5,
                label=step,
            )
        axes.axhline(0, color=MUTED, linewidth=1)
        axes.axhline(2, color=VERMILLION, linewidth=1, linestyle=(0, (4, 3)), label="two points")
        names = [f"{loss.digits}\n{_kind(loss.pixels)}" for loss in found]
        axes.set_xticks(range(len(found)), names)
        axes.set_ylabel("accuracy lost (points)")
        axes.set_title("Where accuracy on handwriting is lost", pad=10)
        grid(axes)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))

    return draw(
        "handwriting",
        "Accuracy lost in each step. Bars: 95 % interval of the mean over seeds.",
        (7.6, 3.4),
        paint,
    )
