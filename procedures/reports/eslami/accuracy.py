"""How accurate the network is, beside what the best classifier can reach."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from procedures.learning.tasks import bayes_accuracy, make_task
from procedures.reports.eslami import paper
from procedures.reports.eslami.gather import Study
from procedures.reports.pages.blocks import Block, Picture, Section, Table, Text, finding, note
from procedures.reports.pages.drawing import (
    INK,
    MARKERS,
    SERIES,
    accuracy_axis,
    bars,
    draw,
    grid,
    level,
)
from procedures.reports.pages.wording import (
    listed,
    mean,
    percent,
    percent_cell,
    percent_interval,
    points,
)
from procedures.studies.eslami.plan import VARIATIONS
from procedures.studies.figures import Results, last
from procedures.studies.statistics import Interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FLIPS = (0.05, 0.1)
RECORDED = "device to device as recorded"
_SHORT = {
    "none": "none",
    "cycle to cycle": "cycle to\ncycle",
    RECORDED: "and device\nto device",
    "device to device doubled": "device to\ndevice\ndoubled",
}


@dataclass(frozen=True)
class AccuracyRow:
    """Accuracies of a task with a variation of the devices.

    Attributes:
        task: its name.
        variation: of the devices.
        clean: on images without noise.
        noisy: at each probability of a flipped pixel.
        bayes: the best that any classifier can reach there.
    """

    task: str
    variation: str
    clean: Interval
    noisy: dict[float, Interval]
    bayes: dict[float, float]


def accuracy_rows(results: Results) -> list[AccuracyRow]:
    """Return a row for each task and variation that was run."""
    return list(_rows(results))


def _rows(results: Results) -> Iterator[AccuracyRow]:
    if not results.rows:
        return
    for task in results.values("task"):
        bayes = {flip: bayes_accuracy(make_task(task), flip) for flip in FLIPS}
        for variation in VARIATIONS:
            found = results.where(task=task, variation=variation)
            if found.rows:
                noisy = {flip: mean(found, last(f"accuracy_flip_{flip:g}")) for flip in FLIPS}
                yield AccuracyRow(
                    task, variation, mean(found, last("accuracy_clean")), noisy, bayes
                )


def section(study: Study) -> Section:
    """Return the section."""
    rows = accuracy_rows(study.of("accuracy"))
    blocks: list[Block] = [
        Text(
            "Three tasks of two classes each were trained with 10 % flipped pixels and classified "
            "on the board, one image after the other. “None” is a twin whose devices are all "
            "alike; then the thresholds are redrawn from cycle to cycle, then devices also differ "
            "from each other as their records say, then by twice as much. The Bayes limit is "
            "exact: what the best classifier of any kind can reach when pixels flip, because some "
            "images of one class turn into images of the other."
        ),
        *_findings(rows),
        _picture(rows),
        _table(rows),
    ]
    if any(interval.mean > row.bayes[f] for row in rows for f, interval in row.noisy.items()):
        blocks.append(
            note(
                "A value can lie above its Bayes limit by chance: the limit holds for the mean "
                "over all noise, and every seed draws only so many test images."
            )
        )
    return Section("accuracy", "Accuracy with conductance variation and input noise", blocks)


def _findings(rows: list[AccuracyRow]) -> Iterator[Text]:
    ours = next((r for r in rows if r.task == "T/L" and r.variation == RECORDED), None)
    if ours is not None:
        five = ours.noisy[0.05]
        relation = "reaches" if five.mean >= paper.ACCURACY else "stays below"
        yield finding(
            f"With devices that differ as recorded, the network {relation} the paper's "
            f"{percent(paper.ACCURACY, 0)} on T/L at 5 % flipped pixels: "
            f"{percent_interval(five)}, where {percent(ours.bayes[0.05])} is possible. Without "
            f"noise it classifies {percent_interval(ours.clean)}, at 10 % flipped pixels "
            f"{percent_interval(ours.noisy[0.1])} of a possible {percent(ours.bayes[0.1])}."
        )
    losses = [_loss_by_variation(rows, task) for task in dict.fromkeys(r.task for r in rows)]
    said = [loss for loss in losses if loss]
    if said:
        yield finding(
            "From devices that are all alike to devices that differ twice as much as recorded, the "
            f"accuracy at 5 % flipped pixels changes by {listed(said)}."
        )


def _loss_by_variation(rows: list[AccuracyRow], task: str) -> str:
    of_task = {row.variation: row.noisy[0.05] for row in rows if row.task == task}
    if not {"none", "device to device doubled"} <= set(of_task):
        return ""
    change = of_task["device to device doubled"].mean - of_task["none"].mean
    shown = points(Interval(change, change, change, 2)).split(" (")[0]
    return f"{shown} on {task}"


def _table(rows: list[AccuracyRow]) -> Table:
    return Table(
        "Accuracy by task and variation: mean over seeds, half of its 95 % interval, and "
        "the Bayes limit.",
        [
            "task",
            "variation",
            "clean",
            "5 % flipped",
            "Bayes at 5 %",
            "10 % flipped",
            "Bayes at 10 %",
        ],
        [
            [
                row.task,
                row.variation,
                percent_cell(row.clean),
                percent_cell(row.noisy[0.05]),
                percent(row.bayes[0.05]),
                percent_cell(row.noisy[0.1]),
                percent(row.bayes[0.1]),
            ]
            for row in rows
        ],
    )


def _picture(rows: list[AccuracyRow]) -> Picture:
    tasks = list(dict.fromkeys(row.task for row in rows))

    def paint(figure: Figure) -> None:
        panels = figure.subplots(1, len(tasks), sharey=True, squeeze=False)[0]
        for axes, task in zip(panels, tasks, strict=True):
            of_task = [row for row in rows if row.task == task]
            for k, flip in enumerate(FLIPS):
                x = [j + (k - 0.5) * 0.24 for j in range(len(of_task))]
                bars(
                    axes,
                    x,
                    [row.noisy[flip] for row in of_task],
                    fmt=MARKERS[k],
                    color=SERIES[k],
                    label=f"{flip:.0%} of the pixels flipped".replace("%", " %"),
                )
                for place, row in zip(x, of_task, strict=True):
                    axes.plot(
                        [place - 0.1, place + 0.1],
                        [row.bayes[flip]] * 2,
                        color=INK,
                        linewidth=2,
                        label="Bayes limit" if k == 0 and place == x[0] else None,
                    )
            axes.set_xticks(
                range(len(of_task)), [_SHORT.get(row.variation, row.variation) for row in of_task]
            )
            axes.set_title(task)
            axes.set_xlim(-0.6, len(of_task) - 0.4)
            axes.set_xlabel("variation of the devices")
            level(axes, paper.ACCURACY, "97 %, the paper's best (abstract)")
            grid(axes)
        accuracy_axis(panels[0])  # shared: only now is it known how far down it has to reach
        panels[0].set_ylabel("accuracy on the board")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=4)

    return draw(
        "accuracy",
        "Accuracy by task and variation of the devices. Bars: 95 % interval of the mean over "
        "seeds. Black: the best that any classifier can reach at that noise.",
        (max(4.6, 3.4 * len(tasks)), 3.9),
        paint,
    )
