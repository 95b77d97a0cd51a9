"""Pictures of a fit: measured and fitted loops, residuals, profiles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from calibration.fitting.fit import LoopFit
from calibration.fitting.profiles import Profile
from calibration.fitting.quality import r2
from hil.errors import HilError, UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = (".png", ".svg", ".pdf")
_COLUMNS = 4


def draw_fit(fit: LoopFit, path: Path, profiles: Sequence[Profile] = ()) -> Path:
    """Draw each loop over its fit, its residuals below it, and profiles at the end.

    Raises:
        UsageError: the suffix is none of PNG, SVG, PDF.
        HilError: matplotlib is not installed, or the file cannot be written.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"{path}: a picture is one of {', '.join(FORMATS)}")
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise HilError("pictures need matplotlib: pip install 'memristor-hil[plot]'") from error
    n_bands = -(-len(fit.loops) // _COLUMNS)
    n_profile_bands = -(-len(profiles) // _COLUMNS)
    heights = [3.0, 1.5] * n_bands + [2.6] * n_profile_bands
    figure = Figure(figsize=(4.2 * _COLUMNS, sum(heights)), layout="constrained")
    axes = np.reshape(
        figure.subplots(len(heights), _COLUMNS, height_ratios=heights), (len(heights), _COLUMNS)
    )
    for ax in axes.ravel():
        ax.set_visible(False)
    for k in range(len(fit.loops)):
        band, column = divmod(k, _COLUMNS)
        _loop(axes[2 * band, column], fit, k)
        _residual(axes[2 * band + 1, column], fit, k)
    for k, profile in enumerate(profiles):
        band, column = divmod(k, _COLUMNS)
        _profile(axes[2 * n_bands + band, column], profile)
    attributions = dict.fromkeys(loop.attribution for loop in fit.loops if loop.attribution)
    figure.suptitle(
        f"{fit.loops[0].device}: {fit.problem.space.model}, R2 {fit.r2:.4f} over "
        f"{len(fit.loops)} loops" + "".join(f"\ndata: {said}" for said in attributions)
    )
    try:
        figure.savefig(path, dpi=110)
    except OSError as error:
        raise HilError(f"{path}: cannot be written: {error}") from error
    return path


def _loop(ax: Axes, fit: LoopFit, k: int) -> None:
    loop, i_a = fit.loops[k], fit.currents_a[k]
    v_v = loop.v_source_v - i_a * loop.r_series_ohm
    ax.set_visible(True)
    ax.plot(loop.v_device_v, loop.i_a * 1e6, ".", ms=3, label=loop.source.value)
    ax.plot(v_v, i_a * 1e6, lw=1, label="fit")
    ax.set_title(f"{loop.label}, R2 {r2([loop], [i_a]):.3f}", fontsize=9)
    ax.set_xlabel("device voltage (V)")
    ax.set_ylabel("current (uA)")
    ax.grid(alpha=0.3)
    ax.legend(fontsize=7)


def _residual(ax: Axes, fit: LoopFit, k: int) -> None:
    loop = fit.loops[k]
    peak_a = fit.misfit.peak_a[k]
    ax.set_visible(True)
    ax.plot(loop.t_s, 100 * (loop.i_a - fit.currents_a[k]) / peak_a, lw=0.8)
    ax.axhline(0, color="k", lw=0.5)
    ax.set_xlabel("time (s)")
    ax.set_ylabel("residual\n(% of peak)")
    ax.grid(alpha=0.3)


def _profile(ax: Axes, profile: Profile) -> None:
    ax.set_visible(True)
    ax.plot(profile.values, profile.rise, "o-", ms=3)
    ax.axhline(4, color="k", lw=0.5, ls=":")
    if profile.is_log:
        ax.set_xscale("log")
    ax.set_xlabel(profile.name)
    ax.set_ylabel("rise of sum of squares")
    ax.grid(alpha=0.3)
