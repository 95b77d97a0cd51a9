"""What a dopant and an initial reset pulse cost: time, energy, cycles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from procedures.reports.eslami import paper
from procedures.reports.eslami.gather import Study
from procedures.reports.pages.blocks import Block, Picture, Section, Table, Text, finding, note
from procedures.reports.pages.drawing import (
    BLUE,
    DOPANT_COLOURS,
    DOPANT_MARKERS,
    GREEN,
    ORANGE,
    PURPLE,
    VERMILLION,
    bars,
    draw,
    grid,
    log_axis,
)
from procedures.reports.pages.wording import (
    listed,
    mean,
    number,
    number_cell,
    paired,
    percent_cell,
    quantity,
    quantity_cell,
    si,
    times,
)
from procedures.studies.figures import (
    Results,
    Value,
    cycles_per_memristor,
    last,
    training_energy_j,
)
from procedures.studies.statistics import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TIME: Value = last("training_time_s")
RESET_TIME = last("reset_time_s")

PARTS: Mapping[str, tuple[Value, str]] = {
    "devices": (last("program_device_j"), BLUE),
    "series resistors": (last("program_series_j"), ORANGE),
    "switches": (last("program_switch_j"), PURPLE),
    "verifying reads": (last("verify_j"), GREEN),
    "reset pulses": (last("reset_j"), VERMILLION),
}
"""Of the energy that the source delivered for a training, with the colour of each."""


def tuning_time_s(results: Mapping[str, Any]) -> float:
    """Return the time of a training without its initial reset pulses, in s."""
    reset_s = RESET_TIME(results)
    return TIME(results) - (0.0 if np.isnan(reset_s) else reset_s)


def reads_per_memristor(results: Mapping[str, Any]) -> float:
    """Return verifying reads per memristor, mean over the memristors of a run."""
    return last("verify_reads")(results) / paper.N_MEMRISTORS


def section(study: Study) -> Section:
    """Return the section."""
    results = study.of("dopant")
    searches = results.values("search")
    blocks: list[Block] = [
        Text(
            "One round of write-verify for each dopant, with the initial 200 ms reset pulse and "
            "without. “Ladder” begins every memristor at the same small SET amplitude; “foreseen” "
            "begins where earlier memristors say that the target is near; “lean” also confirms "
            "nothing and accepts 10 % distance from the target. Time is that of the bench clock; "
            "energy is what the source delivered: devices, series resistors, switches, verifying "
            "reads and reset pulses."
        ),
        *_ranking(results),
        _cost_picture(results),
        *_reset(results),
        _split_picture(results),
        _cycles_picture(results),
        _table(results),
    ]
    if len(searches) > 1:
        blocks.append(_search_finding(results))
    blocks.append(
        note(
            "W devices sit behind 10 kΩ, Cr and C behind 47 kΩ, and each dopant has its own window "
            "of conductances: a part of what separates the dopants is the board, not the device."
        )
    )
    return Section("dopants", "Reset pulse and dopant", blocks)


def means_by_dopant(results: Results, value: Value) -> dict[str, Interval]:
    """Return a mean for each dopant, without reset, by the ladder."""
    nominal = results.where(reset=False, search="ladder")
    found = {dopant: mean(nominal.where(dopant=dopant), value) for dopant in _dopants(results)}
    return {dopant: interval for dopant, interval in found.items() if interval.n}


def _dopants(results: Results) -> list[Any]:
    return results.values("dopant") if results.rows else []


def _ranking(results: Results) -> Iterator[Text]:
    for name, value, unit in (("time", TIME, "s"), ("energy", training_energy_j, "J")):
        found = means_by_dopant(results, value)
        if len(found) < 2:
            continue
        order = sorted(found, key=lambda dopant: found[dopant].mean)
        shown = listed([f"{dopant} {quantity(found[dopant], unit)}" for dopant in order])
        first = order[0]
        agrees = (
            "as in the paper, Cr needs least"
            if first == "Cr"
            else f"{first} needs least, not Cr as in the paper"
        )
        yield finding(f"Without reset, by the ladder, in {name}: {shown}; {agrees}.")


def _reset(results: Results) -> Iterator[Text]:
    for dopant in _dopants(results):
        found = results.where(dopant=dopant, search="ladder")
        without, with_reset = found.where(reset=False), found.where(reset=True)
        if not without.rows or not with_reset.rows:
            continue
        saved = paired(without, with_reset, cycles_per_memristor)
        tuning = paired(without, with_reset, tuning_time_s)
        spent = mean(with_reset, RESET_TIME)
        dearer = paired(with_reset, without, training_energy_j)
        share = mean(with_reset, last("reset_j")).mean / mean(with_reset, training_energy_j).mean
        yield Text(
            f"{dopant}: the reset takes {si(spent.mean, 's')} and saves {number(saved)} cycles per "
            f"memristor, {quantity(tuning, 's')} of tuning; {_sum(spent.mean - tuning.mean)}. It "
            f"changes the energy by {quantity(dearer, 'J', plus=True)}; the reset pulses are "
            f"{share:.0%} of the energy.".replace("%", " %"),
            "item",
        )


def _sum(cost_s: float) -> str:
    word = "it costs" if cost_s > 0 else "it saves"
    return f"all in all {word} {si(abs(cost_s), 's')}"


def _search_finding(results: Results) -> Text:
    parts = []
    for dopant in _dopants(results):
        found = results.where(dopant=dopant, reset=False)
        took = {s: mean(found.where(search=s), TIME).mean for s in ("ladder", "lean")}
        if all(np.isfinite(list(took.values()))):
            ratio = took["ladder"] / took["lean"]
            parts.append(f"{times(ratio)} times for {dopant}")
    if not parts:
        return note("The searches cannot be compared: only one of them was run without reset.")
    return finding(
        "How amplitudes are searched and what is confirmed matters more than the dopant does: "
        f"the lean search is faster than the ladder, {listed(parts)}."
        if _search_matters_more(results)
        else f"The lean search is faster than the ladder: {listed(parts)}."
    )


def _search_matters_more(results: Results) -> bool:
    nominal = [interval.mean for interval in means_by_dopant(results, TIME).values()]
    if len(nominal) < 2:
        return False
    ratios = []
    for dopant in _dopants(results):
        found = results.where(dopant=dopant, reset=False)
        lean = mean(found.where(search="lean"), TIME).mean
        ratios.append(mean(found.where(search="ladder"), TIME).mean / lean)
    return bool(np.nanmin(ratios) > max(nominal) / min(nominal))


def _table(results: Results) -> Table:
    return Table(
        "Cost of a training of 30 memristors, and the accuracy that it leads to.",
        [
            "dopant",
            "search",
            "reset",
            "time",
            "energy at the source",
            "cycles per memristor",
            "reads per memristor",
            "accuracy, 5 % flipped",
        ],
        [
            [
                dopant,
                search,
                "200 ms" if reset else "none",
                quantity_cell(mean(found, TIME), "s"),
                quantity_cell(mean(found, training_energy_j), "J"),
                number_cell(mean(found, cycles_per_memristor)),
                number_cell(mean(found, reads_per_memristor)),
                percent_cell(mean(found, last("accuracy_flip_0.05"))),
            ]
            for dopant, search, reset, found in _points(results)
        ],
    )


def _points(results: Results) -> Iterator[tuple[str, str, bool, Results]]:
    for dopant in _dopants(results):
        for search in results.values("search"):
            for reset in (False, True):
                found = results.where(dopant=dopant, search=search, reset=reset)
                if found.rows:
                    yield dopant, search, reset, found


def _label(search: str, reset: bool) -> str:
    return f"{search}\n{'with reset' if reset else 'no reset'}"


def _cost_picture(results: Results) -> Picture:
    def paint(figure: Figure) -> None:
        panels = (("time (s)", TIME, 1.0), ("energy at the source (µJ)", training_energy_j, 1e6))
        kinds = list(dict.fromkeys((s, r) for _, s, r, _ in _points(results)))
        for axes, (label, value, scale) in zip(figure.subplots(1, 2), panels, strict=True):
            for k, dopant in enumerate(_dopants(results)):
                here = {(s, r): f for d, s, r, f in _points(results) if d == dopant}
                bars(
                    axes,
                    [kinds.index(kind) + (k - 1) * 0.2 for kind in here],
                    [mean(found, value) for found in here.values()],
                    scale=scale,
                    fmt=DOPANT_MARKERS[dopant],
                    color=DOPANT_COLOURS[dopant],
                    label=dopant if dopant == "W" else f"{dopant} (assumed)",
                )
            least = min(mean(found, value).mean for *_, found in _points(results))
            log_axis(axes, "y", 0.5 * scale * least)
            axes.set_xticks(range(len(kinds)), [_label(*kind) for kind in kinds], fontsize=8.5)
            axes.set_xlim(-0.6, len(kinds) - 0.4)
            axes.set_title(f"Training: {label}")
            grid(axes)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=3)

    return draw(
        "dopant-cost",
        "Time and energy of a training by dopant, search and reset; logarithmic. Bars: 95 % "
        "interval of the mean over seeds.",
        (9.6, 3.7),
        paint,
    )


def _split_picture(results: Results) -> Picture:
    def paint(figure: Figure) -> None:
        panels = figure.subplots(1, 2, width_ratios=(1, 1), sharey=True)
        points = [p for p in _points(results) if p[1] == "ladder"] or list(_points(results))
        names = [f"{d}, {'reset' if r else 'no reset'}" for d, _, r, _ in points]
        for axes, is_share in zip(panels, (False, True), strict=True):
            _stack(axes, points, is_share)
            axes.set_yticks(range(len(points)), names)
            grid(axes, "x")
        panels[0].invert_yaxis()
        panels[0].set_title("energy at the source (µJ)")
        panels[1].set_title("share of it (%)")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=5)

    return draw(
        "energy-split",
        "Where the energy of a training goes, by the ladder: means over seeds.",
        (9.6, 3.4),
        paint,
    )


def _stack(axes: Axes, points: list[tuple[str, str, bool, Results]], is_share: bool) -> None:
    left = np.zeros(len(points))
    totals = np.array([mean(found, training_energy_j).mean for *_, found in points])
    for part, (value, colour) in PARTS.items():
        width = np.nan_to_num([mean(found, value).mean for *_, found in points])
        width = width / totals * 100 if is_share else width * 1e6
        axes.barh(range(len(points)), width, left=left, color=colour, height=0.62, label=part)
        left = left + width


def _cycles_picture(results: Results) -> Picture:
    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        kinds = [
            (dopant, reset)
            for dopant in _dopants(results)
            for reset in (False, True)
            if results.where(dopant=dopant, search="ladder", reset=reset).rows
        ]
        for k, (dopant, reset) in enumerate(kinds):
            found = results.where(dopant=dopant, search="ladder", reset=reset)
            cycles = [n for row in found.rows for n in row["results"]["cycles"].values()]
            colour = DOPANT_COLOURS[dopant]
            axes.boxplot(
                [cycles],
                positions=[k],
                widths=0.5,
                whis=(5, 95),
                showfliers=False,
                patch_artist=True,
                boxprops={"facecolor": (colour, 0.3 if reset else 0.0), "edgecolor": colour},
                medianprops={"color": colour, "linewidth": 2.2},
                whiskerprops={"color": colour},
                capprops={"color": colour},
            )
        names = [f"{dopant}\n{'with reset' if reset else 'no reset'}" for dopant, reset in kinds]
        axes.set_xticks(range(len(kinds)), names)
        axes.set_ylabel("pulses on a memristor")
        axes.set_title("Cycles until a memristor is accepted")
        grid(axes)

    return draw(
        "cycles",
        "Pulses that single memristors take, by the ladder, all seeds together: median, quartiles, "
        "5 % and 95 %.",
        (6.6, 3.4),
        paint,
    )
