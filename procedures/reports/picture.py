"""One picture of a run, made from the database alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hil.errors import HilError, UsageError
from hil.store import RunDatabase, RunSummary
from hil.store.reader import Snapshot
from procedures.reports.summary import ENERGY_LABELS, provenance, summarise
from procedures.verdicts import VERDICT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = (".png", ".svg", ".pdf")
_MAX_LINES = 10
_MARKERS = "xo^s*"
_WIDE_RATIO = (
    20  # of the largest conductance of a map to the median, from which colours are logarithmic
)

Panel = Callable[["Axes"], None]


def draw_run(database: RunDatabase, run: RunSummary, path: Path) -> Path:
    """Draw what a run measured, with where the data come from in its title.

    Args:
        database: open for reading.
        run: which run.
        path: of the picture; its suffix decides the format.

    Raises:
        UsageError: the suffix is none of PNG, SVG, PDF, or the run has nothing to draw.
        HilError: matplotlib is not installed, or the file cannot be written.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"{path}: a picture is one of {', '.join(FORMATS)}")
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise HilError("pictures need matplotlib: pip install 'memristor-hil[plot]'") from error
    panels = _panels(database, run)
    if not panels:
        raise UsageError(f"run {run.run_id} holds nothing to draw")
    figure = Figure(figsize=(5.2 * len(panels), 4.4), layout="constrained")
    for axes, panel in zip(np.ravel(figure.subplots(1, len(panels))), panels, strict=True):
        panel(axes)
        axes.grid(alpha=0.3)
    summary = summarise(database, run)
    figure.suptitle(f"{run.procedure}, {summary['status']} - {provenance(summary)}", fontsize=11)
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise HilError(f"{path}: the picture cannot be written: {error.strerror}") from error
    return path


def _panels(database: RunDatabase, run: RunSummary) -> list[Panel]:
    sweep = database.table(run.run_id, "sweep_points")
    records = database.records(run.run_id)
    readings = database.table(run.run_id, "readings")
    panels: list[Panel] = []
    if len(sweep):
        panels.append(lambda axes: _draw_sweep(axes, sweep))
    if {"Target (S)", "Conductance (S)"} <= set(records.columns):
        metrics = database.run(run.run_id)["metrics"]
        panels.append(lambda axes: _draw_targets(axes, records, metrics))
    if "Batch accuracy" in records.columns:
        panels.append(lambda axes: _draw_learning(axes, records))
    if {"Epoch", "Training accuracy", "Test accuracy"} <= set(records.columns):
        panels.append(lambda axes: _draw_epochs(axes, records))
    if {"Step", "Median squared error"} <= set(records.columns):
        panels.append(lambda axes: _draw_errors(axes, records))
    if {"Measured current (A)", "Network current (A)"} <= set(records.columns):
        panels.append(lambda axes: _draw_products(axes, records))
    maps = [one for one in database.snapshots(run.run_id) if min(one.g_siemens.shape) > 1]
    if maps:
        marked = _failed_cells(database, run, records)
        panels.append(lambda axes: _draw_map(axes, maps[-1], marked))
    elif len(readings):
        panels.append(lambda axes: _draw_readings(axes, readings))
    energy = database.energy(run.run_id)
    if any(energy.values()):
        panels.append(lambda axes: _draw_energy(axes, energy))
    return panels


def _draw_sweep(axes: Axes, sweep: pd.DataFrame) -> None:
    axes.plot(sweep["v_device_v"], sweep["i_a"] * 1e6, ".-", linewidth=0.8, markersize=3)
    axes.set(xlabel="voltage across the device (V)", ylabel="current (µA)", title="I-V")


def _draw_targets(axes: Axes, records: pd.DataFrame, metrics: dict[str, float]) -> None:
    last = records
    if "Round" in records:
        last = records[records["Round"] == records["Round"].max()]
    target, reached = last["Target (S)"] * 1e6, last["Conductance (S)"] * 1e6
    top = float(max(target.max(), reached.max())) * 1.05
    axes.plot([0, top], [0, top], color="0.6", linewidth=1)
    axes.plot(target, reached, "o", markersize=4)
    title = "Programmed conductances"
    if "accuracy_clean" in metrics:
        title += (
            f"\naccuracy {metrics['accuracy_clean']:.1%} clean, "
            f"{metrics['accuracy_noisy']:.1%} noisy"
        )
    axes.set(xlabel="target (µS)", ylabel="reached (µS)", title=title)


def _draw_products(axes: Axes, records: pd.DataFrame) -> None:
    measured = records["Measured current (A)"] * 1e6
    top = float(measured.abs().max()) * 1.05
    axes.plot([0, top], [0, top], color="0.6", linewidth=1)
    for name, style in (("Ideal", "o"), ("Network", "s")):
        predicted = records[f"{name} current (A)"] * 1e6
        axes.plot(predicted, measured, style, markersize=3, label=name.lower())
    axes.set(xlabel="predicted (µA)", ylabel="measured (µA)", title="Products")
    axes.legend(fontsize=8)


def _failed_cells(
    database: RunDatabase, run: RunSummary, records: pd.DataFrame
) -> dict[str, list[tuple[int, int]]]:
    """Return the cells that a map found not to work, by outcome."""
    cells: dict[str, list[tuple[int, int]]] = {}
    if "Raw conductance (S)" not in records.columns:  # of a crossbar map: all that do not work
        return cells
    places = records.drop_duplicates("Device").set_index("Device")[["Row", "Column"]]
    for event in database.run(run.run_id)["events"]:
        if event["kind"] == VERDICT:
            row, column = places.loc[event["data"]["device"]]
            cells.setdefault(event["data"]["outcome"], []).append((int(row), int(column)))
    return cells


def _draw_map(axes: Axes, found: Snapshot, marked: dict[str, list[tuple[int, int]]]) -> None:
    shown = found.g_siemens * 1e6
    is_wide = np.nanmax(shown) > _WIDE_RATIO * np.nanmedian(shown) > 0
    if is_wide:
        shown = np.where(shown > 0, shown, np.nan)
    norm = "log" if is_wide else "linear"
    image = axes.imshow(shown, cmap="viridis", aspect="equal", norm=norm, zorder=3)
    axes.figure.colorbar(image, ax=axes, label="conductance (µS)", shrink=0.8)
    for (outcome, cells), marker in zip(sorted(marked.items()), _MARKERS, strict=False):
        rows, columns = zip(*cells, strict=True)
        axes.plot(columns, rows, marker, color="red", label=outcome, linestyle="", zorder=4)
    if marked:
        axes.legend(fontsize=7, ncols=len(marked), loc="upper center", bbox_to_anchor=(0.5, -0.13))
    axes.set(xlabel="column", ylabel="row", title=f"Conductances: {found.name}")


def _draw_learning(axes: Axes, records: pd.DataFrame) -> None:
    time_s = records["Training time (s)"]
    axes.plot(time_s, records["Batch accuracy"], color="0.75", linewidth=0.8, label="batch")
    for name, style in (("Clean accuracy", "o-"), ("Noisy accuracy", "s--")):
        tested = records[name].notna()
        axes.plot(time_s[tested], records[name][tested], style, markersize=3, label=name.lower())
    axes.set(
        xlabel="training time on the bench clock (s)",
        ylabel="accuracy",
        ylim=(0.0, 1.05),
        title="Learning",
    )
    axes.legend(fontsize=8)


def _draw_epochs(axes: Axes, records: pd.DataFrame) -> None:
    for name, style in (("Training accuracy", ".-"), ("Test accuracy", "o-")):
        known = records[name].notna()
        axes.plot(records["Epoch"][known], records[name][known], style, markersize=4, label=name)
    axes.set(xlabel="epoch", ylabel="accuracy", ylim=(0.0, 1.05), title="Learning")
    axes.legend(fontsize=8)


def _draw_errors(axes: Axes, records: pd.DataFrame) -> None:
    for name, style in (
        ("Median squared error", "o-"),
        ("Before transfers", "--"),
        ("After transfers", ":"),
    ):
        known = records[name] > 0
        axes.plot(records["Step"][known], records[name][known], style, markersize=4, label=name)
    axes.set(xlabel="step", ylabel="median of (w - b)²", yscale="log", title="Error by step")
    axes.legend(fontsize=8)


def _draw_readings(axes: Axes, readings: pd.DataFrame) -> None:
    for device, group in list(readings.groupby("device", sort=False))[:_MAX_LINES]:
        axes.plot(
            group["t_s"], group["g_siemens"] * 1e6, ".-", linewidth=0.7, markersize=2, label=device
        )
    n_devices = readings["device"].nunique()
    shown = f" (first {_MAX_LINES} of {n_devices} devices)" if n_devices > _MAX_LINES else ""
    axes.set(xlabel="bench clock (s)", ylabel="conductance (µS)", title=f"Readings{shown}")
    axes.legend(fontsize=7, ncols=2)


def _draw_energy(axes: Axes, energy: dict[str, Any]) -> None:
    parts = {ENERGY_LABELS.get(name, name): value for name, value in energy.items() if value > 0}
    axes.barh(list(parts), [value * 1e3 for value in parts.values()])
    axes.set_xscale("log")
    axes.invert_yaxis()
    axes.set(xlabel="energy (mJ)", title="Where the energy went")
