"""One picture of a comparison: curves of both, and what is left between them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from calibration.comparing.compare import Report
from calibration.comparing.verdicts import Overlay
from hil.errors import HilError, UsageError
from procedures.reports.picture import FORMATS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_CURVES = 8


def draw_comparison(report: Report, path: Path) -> Path:
    """Draw measured and twin over each other, with residuals below; up to 8 curves.

    Args:
        report: what was compared.
        path: of the picture; its suffix decides the format.

    Raises:
        UsageError: the suffix is none of PNG, SVG, PDF, or there is nothing to draw.
        HilError: matplotlib is not installed, or the file cannot be written.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"{path}: a picture is one of {', '.join(FORMATS)}")
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise HilError("pictures need matplotlib: pip install 'memristor-hil[plot]'") from error
    overlays = report.overlays[:MAX_CURVES]
    if not overlays:
        raise UsageError(f"run {report.run_id} has no curves to draw")
    n = len(overlays)
    figure = Figure(figsize=(max(4.4 * n, 6.4), 6.0), layout="constrained")
    axes = figure.subplots(2, n, squeeze=False, height_ratios=(2, 1))
    for column, overlay in enumerate(overlays):
        _draw_curves(axes[0, column], overlay)
        _draw_residual(axes[1, column], overlay)
    more = len(report.overlays) - n
    rest = f"; {more} more curves not drawn" if more else ""
    figure.suptitle(
        f"{report.procedure} of station {report.station}, {report.source.upper()}, beside its "
        f"TWIN: {report.verdict}{rest}",
        fontsize=11,
    )
    if report.attribution:
        figure.supxlabel(f"Data: {report.attribution}", fontsize=7)
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise HilError(f"{path}: the picture cannot be written: {error.strerror}") from error
    return path


def _draw_curves(axes: Axes, overlay: Overlay) -> None:
    axes.plot(overlay.x, overlay.measured * 1e6, ".", markersize=3, label="measured")
    axes.plot(overlay.x_twin, overlay.twin * 1e6, "-", linewidth=1, label="twin")
    name = f"{overlay.device} {overlay.conditions}".strip()
    axes.set(title=f"{name}\nR² {overlay.r2:.4f}", ylabel=_label(overlay), xlabel=_x_label(overlay))
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)


def _draw_residual(axes: Axes, overlay: Overlay) -> None:
    u = overlay.expanded * 1e6
    axes.fill_between(range(len(u)), -u, u, color="0.85", label="U, k = 2", step="mid", linewidth=0)
    axes.plot(overlay.residual * 1e6, ".", markersize=3)
    axes.set(xlabel="point", ylabel="measured - twin")
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)


def _label(overlay: Overlay) -> str:
    return "current (µA)" if overlay.quantity == "current" else "conductance (µS)"


def _x_label(overlay: Overlay) -> str:
    return "device voltage (V)" if overlay.quantity == "current" else "bench clock (s)"
