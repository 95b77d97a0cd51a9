"""What retraining recovers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from procedures.reports.eslami.dopants import TIME
from procedures.reports.eslami.gather import Study
from procedures.reports.pages.blocks import Block, Picture, Section, Table, Text, finding
from procedures.reports.pages.drawing import BLUE, accuracy_axis, bars, draw, grid
from procedures.reports.pages.wording import (
    mean,
    paired,
    percent_cell,
    percent_interval,
    points,
    quantity,
    quantity_cell,
)
from procedures.studies.figures import Results, Value, last, training_energy_j

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SPOILT, SHIFTED = "30 % conductance error", "20 % flipped pixels after an hour"
_TESTS = {SPOILT: "accuracy_flip_0.05", SHIFTED: "accuracy_flip_0.2"}


def tested(trouble: str) -> Value:
    """Return what reads the accuracy that tells whether a trouble was overcome."""
    return last(_TESTS.get(trouble, "accuracy_noisy"))


def section(study: Study) -> Section:
    """Return the section."""
    results = study.of("retraining")
    blocks: list[Block] = [
        Text(
            "Two troubles: all conductances are programmed with an error of 30 %, redrawn in every "
            "round, and memristors that are further off than that are tuned again in further "
            "rounds; or the network was trained on clean images, and an hour later the images come "
            "with 20 % flipped pixels. A retraining goes on from the weights that were read back."
        ),
        *_findings(results),
        _picture(results),
        _table(results),
    ]
    return Section("retraining", "Retraining", blocks)


def _findings(results: Results) -> Iterator[Text]:
    for trouble in results.values("trouble"):
        found = results.where(trouble=trouble)
        rounds = sorted(found.values("rounds"))
        if len(rounds) < 2:
            continue
        one, many = found.where(rounds=rounds[0]), found.where(rounds=rounds[-1])
        gain = paired(many, one, tested(trouble))
        if gain.is_above_zero:
            said = "helps"
        elif gain.is_below_zero:
            said = "does harm"
        else:
            said = "changes nothing that can be told from zero"
        before, after = _rounds(trouble, rounds[0]), _rounds(trouble, rounds[-1])
        yield finding(
            f"{trouble}: {after} against {before} {said}, "
            f"{points(gain)}. "
            f"Accuracy goes from {percent_interval(mean(one, tested(trouble)))} to "
            f"{percent_interval(mean(many, tested(trouble)))}; time from "
            f"{quantity(mean(one, TIME), 's')} to {quantity(mean(many, TIME), 's')}."
        )


def _rounds(trouble: str, n: Any) -> str:
    if trouble == SHIFTED:
        return "no retraining" if n == 1 else "one retraining"
    return "one round" if n == 1 else f"{n} rounds"


def _table(results: Results) -> Table:
    return Table(
        "Retraining: accuracy in the test that the trouble is about, clean accuracy, and cost of "
        "all rounds together.",
        ["trouble", "rounds", "accuracy", "clean", "time", "energy at the source"],
        [
            [
                trouble,
                _rounds(trouble, rounds),
                percent_cell(mean(found, tested(trouble))),
                percent_cell(mean(found, last("accuracy_clean"))),
                quantity_cell(mean(found, TIME), "s"),
                quantity_cell(mean(found, training_energy_j), "J"),
            ]
            for trouble in results.values("trouble")
            for rounds in sorted(results.where(trouble=trouble).values("rounds"))
            for found in [results.where(trouble=trouble, rounds=rounds)]
        ],
    )


def _picture(results: Results) -> Picture:
    troubles = results.values("trouble")

    def paint(figure: Figure) -> None:
        panels = figure.subplots(1, len(troubles), squeeze=False)[0]
        for axes, trouble in zip(panels, troubles, strict=True):
            found = results.where(trouble=trouble)
            rounds = sorted(found.values("rounds"))
            bars(
                axes,
                range(len(rounds)),
                [mean(found.where(rounds=n), tested(trouble)) for n in rounds],
                fmt="o-",
                color=BLUE,
            )
            axes.set_xticks(range(len(rounds)), [_rounds(trouble, n) for n in rounds])
            axes.set_xlim(-0.4, len(rounds) - 0.6)
            axes.set_ylabel("accuracy")
            axes.set_title(trouble)
            grid(axes)
            accuracy_axis(axes)

    return draw(
        "retraining",
        "Accuracy by rounds of training: with 5 % flipped pixels (left), with 20 % flipped pixels "
        "(right). Bars: 95 % interval of the mean over seeds.",
        (max(4.6, 4.3 * len(troubles)), 3.2),
        paint,
    )
