"""Which error of the conductances the network bears, and what write-verify leaves and costs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from procedures.reports.eslami import paper
from procedures.reports.eslami.gather import Study
from procedures.reports.pages.blocks import Block, Picture, Section, Table, Text, finding, note
from procedures.reports.pages.drawing import (
    DOPANT_COLOURS,
    DOPANT_MARKERS,
    INK,
    accuracy_axis,
    band,
    draw,
    grid,
    log_axis,
    mark,
    percent_axis,
)
from procedures.reports.pages.wording import (
    mean,
    paired,
    percent,
    percent_cell,
    points,
    points_cell,
    quantity_cell,
)
from procedures.studies.eslami.claims import FLATNESS_MARGIN
from procedures.studies.figures import Results, Value, last, training_energy_j
from procedures.studies.statistics import Interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOISY = last("accuracy_flip_0.05")
CLEAN = last("accuracy_clean")
RESIDUAL = last("residual_rms_ratio")
TIME = last("training_time_s")


def cost_of_error(results: Results, dopant: str, error: float) -> Interval:
    """Return accuracy at 5 % flipped pixels with an imposed error less without, seed by seed."""
    found = results.where(dopant=dopant)
    return paired(found.where(conductance_error=error), found.where(conductance_error=0.0), NOISY)


def section(study: Study) -> Section:
    """Return the section."""
    blocks: list[Block] = []
    imposed, tolerance = study.of("conductance-error"), study.of("tolerance")
    if imposed.rows:
        blocks += _imposed(imposed)
    if tolerance.rows:
        blocks += _tolerance(tolerance, imposed)
    return Section("error", "Errors of the conductances", blocks)


def _imposed(results: Results) -> Iterator[Block]:
    yield Text(
        "Targets were multiplied with 1 + ε, where ε is normal with the standard deviation that "
        "is called the error here, and then programmed as usual: what write-verify leaves comes on "
        "top. Targets were trained to tolerate errors of 5 %."
    )
    yield from _error_findings(results)
    yield _error_picture(results)
    yield Table(
        "Accuracy with an imposed error, and what the error costs at 5 % flipped pixels against "
        "none, seed by seed.",
        ["dopant", "error", "clean", "5 % flipped", "change, points"],
        [
            [
                dopant,
                percent(error, 0),
                percent_cell(mean(found, CLEAN)),
                percent_cell(mean(found, NOISY)),
                points_cell(cost_of_error(results, dopant, error)) if error else "",
            ]
            for dopant, error, found in _points(results, "conductance error")
        ],
    )


def _error_findings(results: Results) -> Iterator[Text]:
    errors = [e for e in results.where(dopant="W").values("conductance error") if e]
    for error in (paper.ERROR_TOLERATED, paper.ERROR_DEGRADED):
        if error not in errors:
            continue
        cost = cost_of_error(results, "W", error)
        if cost.is_below_zero:
            said = "a loss"
        elif cost.is_above_zero:
            said = "no loss"
        else:
            said = "not to be told from zero"
        yield Text(
            f"An error of {percent(error, 0)} changes the accuracy of W devices by "
            f"{points(cost)}: {said}.",
            "item",
        )
    lost = [e for e in errors if cost_of_error(results, "W", e).is_below_zero]
    serious = [e for e in errors if cost_of_error(results, "W", e).high < -FLATNESS_MARGIN]
    if lost:
        text = f"The smallest error with a loss that can be told from zero is {percent(lost[0], 0)}"
    else:
        text = "No error that was imposed costs anything that can be told from zero"
    if serious:
        text += f"; one of more than two points begins at {percent(serious[0], 0)}"
    yield finding(f"{text}.")


def _error_picture(results: Results) -> Picture:
    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for dopant in results.values("dopant"):
            found = results.where(dopant=dopant)
            errors = found.values("conductance error")
            intervals = [mean(found.where(conductance_error=e), NOISY) for e in errors]
            band(
                axes,
                errors,
                intervals,
                colour=DOPANT_COLOURS[dopant],
                marker=DOPANT_MARKERS[dopant],
                label=dopant if dopant == "W" else f"{dopant} (assumed)",
            )
        mark(axes, paper.ERROR_TOLERATED, "10 %: tolerated (abstract)", 0.30)
        mark(axes, paper.ERROR_DEGRADED, "15 %: degraded (secondary)", 0.20)
        axes.set_xlabel("imposed error of every conductance (standard deviation)")
        axes.set_ylabel("accuracy, 5 % flipped pixels")
        axes.set_title("Accuracy against conductance error", pad=10)
        accuracy_axis(axes)
        percent_axis(axes, "x")
        grid(axes)
        axes.legend(loc="lower left")

    return draw(
        "conductance-error",
        "Accuracy on T/L at 5 % flipped pixels against the imposed error of all conductances. "
        "Bands: 95 % interval of the mean over seeds. Dashed: what the paper says.",
        (6.6, 3.9),
        paint,
    )


def _tolerance(results: Results, imposed: Results) -> Iterator[Block]:
    yield Text(
        "The tolerance of write-verify is the relative distance from its target at which a "
        "memristor is accepted. What it leaves is the residual; what it costs is time and energy."
    )
    yield from _tolerance_findings(results)
    yield from _one_sided(results, imposed)
    yield _tolerance_picture(results)
    yield Table(
        "Tolerance of write-verify: residual (root mean square), accuracy, and cost of a training.",
        ["dopant", "tolerance", "residual", "5 % flipped", "time", "energy at the source"],
        [
            [
                dopant,
                percent(tolerance, 0),
                percent_cell(mean(found, RESIDUAL)),
                percent_cell(mean(found, NOISY)),
                quantity_cell(mean(found, TIME), "s"),
                quantity_cell(mean(found, training_energy_j), "J"),
            ]
            for dopant, tolerance, found in _points(results, "tolerance")
        ],
    )
    unreached = _unreached(results)
    if unreached:
        yield note(unreached)


def _tolerance_findings(results: Results) -> Iterator[Text]:
    for dopant in results.values("dopant"):
        found = results.where(dopant=dopant)
        tolerances = sorted(found.values("tolerance"))
        if len(tolerances) < 2:
            continue
        fine, coarse = found.where(tolerance=tolerances[0]), found.where(tolerance=tolerances[-1])
        time = mean(fine, TIME).mean / mean(coarse, TIME).mean
        energy = mean(fine, training_energy_j).mean / mean(coarse, training_energy_j).mean
        yield Text(
            f"{dopant}: from {percent(tolerances[-1], 0)} to {percent(tolerances[0], 0)} the time "
            f"grows {time:.1f} times, the energy {energy:.1f} times, and the accuracy at 5 % "
            f"flipped pixels changes by {points(paired(fine, coarse, NOISY))}.",
            "item",
        )


def _one_sided(results: Results, imposed: Results) -> Iterator[Text]:
    """Compare the widest tolerance with an imposed error that is at least as large as its residual.

    Residuals of runs whose rows are kept show the sign: at 30 % all of W and Cr are below.
    """
    found = results.where(dopant="W")
    if not found.rows or not imposed.where(dopant="W").rows:
        return
    widest = max(found.values("tolerance"))
    left = found.where(tolerance=widest)
    residual = mean(left, RESIDUAL).mean
    larger = [e for e in imposed.where(dopant="W").values("conductance error") if e >= residual]
    if not larger:
        return
    error = imposed.where(dopant="W", conductance_error=min(larger))
    difference = paired(left, error, NOISY)
    if not difference.is_below_zero:
        return
    yield finding(
        f"What a wide tolerance leaves is worse than an imposed error: with W at "
        f"{percent(widest, 0)} the residual is {percent(residual)} and the accuracy "
        f"{points(difference)} against an imposed error of {percent(min(larger), 0)}. Imposed "
        f"errors have either sign and partly cancel in a neuron; write-verify comes from below "
        f"and stops at the near edge of its band, so its residuals have the same sign."
    )


def _unreached(results: Results) -> str:
    value = last("memristors_reached")
    n = paper.N_MEMRISTORS
    short = [
        f"{dopant} at {percent(t, 0)}: {mean(found, value).mean:.1f} of {n}"
        for dopant, t, found in _points(results, "tolerance")
        if mean(found, value).mean < n
    ]
    if not short:
        return ""
    return (
        f"Not every memristor was accepted ({'; '.join(short)} on average); the residual contains "
        f"those that were not, which is why it can exceed the tolerance."
    )


def _tolerance_picture(results: Results) -> Picture:
    panels = (
        ("residual (rms)", RESIDUAL, 1.0),
        ("training time (s)", TIME, 1.0),
        ("energy at the source (µJ)", training_energy_j, 1e6),
    )

    def paint(figure: Figure) -> None:
        for axes, (label, value, scale) in zip(figure.subplots(1, 3), panels, strict=True):
            for dopant in results.values("dopant"):
                found = results.where(dopant=dopant)
                tolerances = sorted(found.values("tolerance"))
                band(
                    axes,
                    tolerances,
                    [mean(found.where(tolerance=t), value) for t in tolerances],
                    scale=scale,
                    colour=DOPANT_COLOURS[dopant],
                    marker=DOPANT_MARKERS[dopant],
                    label=dopant if dopant == "W" else f"{dopant} (assumed)",
                )
            log_axis(axes, "x")
            log_axis(axes, "y", 0.5 * scale * _least(results, value))
            axes.set_xticks([0.01, 0.03, 0.1, 0.3], ["1 %", "3 %", "10 %", "30 %"])
            axes.set_xlabel("tolerance")
            axes.set_title(label)
            grid(axes, "both")
        first = figure.axes[0]
        first.plot([0.01, 0.3], [0.01, 0.3], color=INK, linewidth=0.8, linestyle=":")
        percent_axis(first)
        figure.legend(*first.get_legend_handles_labels(), loc="outside upper left", ncols=3)

    return draw(
        "tolerance",
        "What the tolerance of write-verify leaves and costs, with bands of 95 %. Dotted: a "
        "residual as large as the tolerance.",
        (9.6, 3.5),
        paint,
    )


def _least(results: Results, value: Value) -> float:
    """Return the smallest mean of all points."""
    return min(mean(found, value).mean for *_, found in _points(results, "tolerance"))


def _points(results: Results, factor: str) -> Iterator[tuple[str, float, Results]]:
    """Yield dopant, value of a factor and results, where there are any."""
    for dopant in results.values("dopant"):
        of_dopant = results.where(dopant=dopant)
        for value in sorted(of_dopant.values(factor)):
            yield dopant, value, of_dopant.where(**{factor.replace(" ", "_"): value})
