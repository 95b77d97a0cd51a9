"""Sections of the report, one for each question."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from procedures.learning.analog.published_costs import compared
from procedures.reports.pages.blocks import Block, Section, Table, Text, note
from procedures.reports.pages.drawing import MARKERS, SERIES, draw, grid, log_axis
from procedures.reports.pages.wording import percent_cell, si
from procedures.reports.residual.gather import Found
from procedures.reports.residual.published import FASHION_4_STATES, MNIST_10_STATES
from procedures.studies.figures import Results, Value, last

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACCURACY, ERROR = last("test_accuracy"), last("median_squared_error")
_BOUND_PER_TILE = 2 / 3  # exponent of gamma for the squared error, corollary of theorem 3


def toy(found: Found) -> Section:
    """Return the section on least squares."""
    results = found.results["toy-theory"]
    blocks: list[Block] = [
        Text(
            "Scalars w are to meet random targets b; each is a stack of devices with gains "
            "gamma^n. With the time scales as far apart as theorem 3 asks for, the median squared "
            "error falls with each tile. The bound says gamma^(2/3) for a tile."
        )
    ]
    for gamma in results.values("gamma"):
        chosen = results.where(gamma=gamma)
        blocks += [_toy_picture(chosen, gamma), _toy_table(chosen, gamma)]
    published = found.results["toy-published"]
    if published.rows:
        blocks += [
            Text(
                "The published schedule of the toy problem (gamma 0.1, periods 2 x 2^i, both rates "
                "0.01): without the warm start a chain of integrators that answer too late; a "
                "coarse tile that is out of reach of the finer ones stays wrong."
            ),
            Table(
                "Published schedule, 4 states: median squared error.",
                ["tiles", "without warm start", "with warm start"],
                [
                    [
                        str(n),
                        *(
                            _error(published.where(tiles=n, warm_start=is_warm))
                            for is_warm in (False, True)
                        ),
                    ]
                    for n in published.values("tiles")
                ],
            ),
        ]
    return Section("toy", "Least squares: error by tiles", blocks)


def _toy_table(results: Results, gamma: float) -> Table:
    rows = []
    for states in results.values("states"):
        medians = [_mean(results.where(states=states, tiles=n), ERROR) for n in (1, 2, 3, 4)]
        factors = [b / a for a, b in pairwise(medians)]
        rows.append([f"{states} states", *(f"{median:.2e}" for median in medians)])
        rows.append(["  times the one before", "", *(f"{factor:.2f}" for factor in factors)])
    bound = gamma**_BOUND_PER_TILE
    rows.append(["bound: times", "", *([f"{bound:.2f}"] * 3)])
    return Table(
        f"Median squared error with gamma {gamma:g}, mean over seeds.",
        ["", "1 tile", "2 tiles", "3 tiles", "4 tiles"],
        rows,
    )


def _toy_picture(results: Results, gamma: float) -> Block:
    def paint(canvas: Figure) -> None:
        axes = canvas.subplots()
        for states, colour, marker in zip(results.values("states"), SERIES, MARKERS, strict=False):
            found = results.where(states=states)
            tiles = found.values("tiles")
            medians = [_mean(found.where(tiles=n), ERROR) for n in tiles]
            axes.plot(tiles, medians, color=colour, marker=marker, label=f"{states} states")
            bound = [medians[0] * gamma ** (_BOUND_PER_TILE * (n - 1)) for n in tiles]
            axes.plot(tiles, bound, color=colour, linestyle=":", linewidth=1)
        axes.set_xlabel("tiles")
        axes.set_xticks(results.values("tiles"))
        axes.set_ylabel("median squared error")
        log_axis(axes)
        grid(axes)
        axes.legend()

    return draw(
        "toy",
        f"Median squared error by tiles, gamma {gamma:g}; dotted: slope of the bound.",
        (4.8, 3.2),
        paint,
    )


def mnist(found: Found) -> Section:
    """Return the section on LeNet-5."""
    short, carry = found.results["mnist-short"], found.results["mnist-carry"]
    both = Results([*short.rows, *carry.rows])
    blocks: list[Block] = [
        Text(
            "LeNet-5 with 80,016 weights, all 60,000 images, 30 % variation between devices and "
            "from cycle to cycle, exact products for all methods alike. The published column is "
            "after 100 epochs with other schedules, so it stands beside, not against."
        ),
        _methods_table("10 states, short schedule", both, MNIST_10_STATES),
    ]
    four = found.results["mnist-4-states"]
    if four.rows:
        blocks.append(_methods_table("4 states; published: Fashion-MNIST", four, FASHION_4_STATES))
    published = found.results["mnist-published"]
    if published.rows:
        rows = []
        for n in published.values("tiles"):
            accuracy = published.where(tiles=n).mean(ACCURACY)
            rows.append([f"{n}", percent_cell(accuracy, 2), _shown(MNIST_10_STATES, f"{n} tiles")])
        blocks += [
            Table("The published schedule, 100 epochs.", ["tiles", "here", "published"], rows),
            note(
                "The rate of the finest tile is not in the paper's text, and its code hands over "
                "by other rules than its text. Here the text is followed; what comes out is told "
                "as it is."
            ),
        ]
    best = found.results["mnist-best"]
    if best.rows:
        blocks.append(
            Table(
                "Schedules of ours.",
                ["schedule", "test accuracy"],
                [
                    [name, percent_cell(best.where(schedule=name).mean(ACCURACY), 2)]
                    for name in best.values("schedule")
                ],
            )
        )
    return Section("mnist", "LeNet-5 on MNIST", blocks)


def digits(found: Found) -> Section:
    """Return the section on the digits of 8 x 8 pixels."""
    results = found.results["digits"] if found.results["digits"].rows else None
    results = results or found.results["digits-quick"]
    conditions = [
        (states, spread)
        for states in results.values("states")
        for spread in results.values("spread")
        if results.where(states=states, spread=spread).rows
    ]
    heads = [f"{states} states, {100 * spread:.0f} % spread" for states, spread in conditions]
    rows = [
        [
            method,
            *(
                percent_cell(results.where(method=method, states=states, spread=spread).mean(_late))
                for states, spread in conditions
            ),
        ]
        for method in results.values("method")
    ]
    return Section(
        "digits",
        "Digits of 8 x 8 pixels",
        [
            Text(
                "A perceptron of 64, 32 and 10 neurons with converters of 7 and 9 bits and output "
                "noise of 0.06, both ways, for every method. Each method was tried with the same "
                "number of settings on samples that were held back."
            ),
            Table("Test accuracy, mean of the last three epochs.", ["method", *heads], rows),
        ],
    )


def board(found: Found) -> Section:
    """Return the section on the array of devices."""
    results = found.results["board"]
    rows = []
    for task in results.values("task"):
        for n in results.values("tiles"):
            chosen = results.where(task=task, tiles=n)
            pulses, energy = (
                _mean(chosen, last("tile_pulses")),
                _mean(chosen, last("tile_energy_j")),
            )
            rows.append(
                [
                    task,
                    str(n),
                    percent_cell(chosen.mean(ACCURACY)),
                    f"{_mean(chosen, last('loss')):.3f}",
                    f"{pulses:.0f}",
                    si(energy, "J"),
                ]
            )
    return Section(
        "board",
        "On an array of devices",
        [
            Text(
                "The same algorithms on the twin of a passive 16 x 16 array: every update is real "
                "pulses, every product is made of real reads, and all of it is in the run."
            ),
            Table(
                "Test accuracy, loss, pulses and energy at the source.",
                ["task", "tiles", "test accuracy", "loss", "pulses", "energy"],
                rows,
            ),
        ],
    )


def costs() -> Section:
    """Return the section on the cost model."""
    rows = [
        [
            f"{figure.name}, {figure.method}" if figure.method else figure.name,
            f"{figure.published:g} {figure.unit}",
            "none" if figure.recomputed is None else f"{figure.recomputed:.5g} {figure.unit}",
            figure.remark,
        ]
        for figure in compared()
    ]
    return Section(
        "costs",
        "Cost model",
        [
            Text(
                "The paper's model of section 6 and appendix I, recomputed. Where a figure differs "
                "the last column says why, or that nobody knows."
            ),
            Table(
                "Published and recomputed.",
                ["quantity", "published", "recomputed", "remark"],
                rows,
                is_text=True,
                widths=(26, 14, 14, 46),
            ),
        ],
    )


def ledger(found: Found) -> Section:
    """Return the section on what the runs on LeNet-5 counted."""
    results = found.results["mnist-short"]
    rows = []
    for method in results.values("method"):
        chosen = results.where(method=method)
        rows.append(
            [
                method,
                *(
                    _per_image(chosen, name, unit)
                    for name, unit in (
                        ("tile_pulses", ""),
                        ("tile_reads", ""),
                        ("tile_products", ""),
                        ("tile_time_s", "s"),
                        ("tile_energy_j", "J"),
                    )
                ),
            ]
        )
    return Section(
        "ledger",
        "What the runs counted",
        [
            Text(
                "Per training image, all tiles of LeNet-5 together, one after the other, tests "
                "included. A convolution multiplies each of its 576 or 64 patches, which the "
                "paper's model counts as one vector; so these figures are far above it."
            ),
            Table(
                "Counted by the tiles; times and energies rest on assumed costs of a slot, a pulse "
                "and a cell.",
                ["method", "pulses", "reads", "products", "tile time", "tile energy"],
                rows,
            ),
        ],
    )


_N_IMAGES = 60_000


def _per_image(results: Results, metric: str, unit: str) -> str:
    def value(one: Mapping[str, Any]) -> float:
        history = one["metrics"].get(metric, [[1, float("nan")]])
        step, total = history[-1]
        return float(total / (step * _N_IMAGES))

    mean = _mean(results, value)
    return si(mean, unit) if unit else f"{mean:.3g}"


def _late(results: Mapping[str, Any]) -> float:
    """Return the mean accuracy of the last three tests."""
    history = results["metrics"].get("test_accuracy", [])
    return float(np.mean([value for _, value in history[-3:]])) if history else float("nan")


def _methods_table(
    caption: str, results: Results, published: Mapping[str, tuple[float, float]]
) -> Table:
    rows = []
    for method in results.values("method"):
        chosen = results.where(method=method)
        rows.append(
            [
                method,
                percent_cell(chosen.mean(ACCURACY), 2),
                f"{_mean(chosen, last('loss')):.3f}",
                str(chosen.n_seeds),
                _shown(published, method),
            ]
        )
    heads = ["method", "test accuracy", "training loss", "seeds", "published"]
    return Table(f"{caption}.", heads, rows)


def _shown(published: Mapping[str, tuple[float, float]], name: str) -> str:
    if name not in published:
        return "none"
    mean, deviation = published[name]
    return f"{100 * mean:.2f} ± {100 * deviation:.2f} %"


def _mean(results: Results, value: Value) -> float:
    return results.mean(value).mean


def _error(results: Results) -> str:
    return f"{_mean(results, ERROR):.2e}"


PARTS: tuple[tuple[tuple[str, ...], str, str, Callable[[Found], Section]], ...] = (
    (("toy-theory",), "toy", "Least squares: error by tiles", toy),
    (("mnist-short",), "mnist", "LeNet-5 on MNIST", mnist),
    (("mnist-short",), "ledger", "What the runs counted", ledger),
    (("digits", "digits-quick"), "digits", "Digits of 8 x 8 pixels", digits),
    (("board",), "board", "On an array of devices", board),
)
"""Questions that a section needs one of, its anchor, its title, and what makes it."""
