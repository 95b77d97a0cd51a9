"""Retention: how the conductance of devices changes while nothing is done to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pymeasure.experiment import FloatParameter, IntegerParameter, Parameter

from hil.errors import ParameterError
from hil.limits import LimitChecker
from hil.types import BoardInfo, CellArray, FloatArray, Readings
from procedures.selection import select_cells
from procedures.spacing import log_times_s
from procedures.verdicts import VerdictProcedure

HELD, LOST, ROSE, UNREADABLE = "held", "lost", "rose", "unreadable"


class Retention(VerdictProcedure):
    """Read devices at times that are spread evenly over decades, and fit how they drift.

    Each device is ``held``, ``lost`` (fell out of the tolerance), ``rose`` (above it), or
    ``unreadable`` (its first conductance is 0 within its uncertainty).
    """

    devices = Parameter(
        "Devices", default="W", description="Names separated by commas, a dopant, or all"
    )
    prepare_v = FloatParameter(
        "Preparing amplitude",
        units="V",
        default=0.0,
        minimum=-10,
        maximum=10,
        description="Of one pulse on each device before the first read; 0 takes them as found",
    )
    prepare_width_s = FloatParameter(
        "Preparing width", units="s", default=0.02, minimum=1e-9, maximum=60
    )
    v_read_v = FloatParameter("Read voltage", units="V", default=0.1, minimum=0.001, maximum=2)
    first_s = FloatParameter(
        "First read",
        units="s",
        default=1.0,
        minimum=1e-3,
        maximum=1e8,
        description="After the preparing pulses, or after the beginning",
    )
    last_s = FloatParameter("Last read", units="s", default=1000.0, minimum=1e-3, maximum=1e8)
    reads_per_decade = IntegerParameter("Reads a decade", default=3, minimum=1, maximum=1000)
    tolerance_ratio = FloatParameter(
        "Tolerance",
        default=0.1,
        minimum=1e-4,
        maximum=1,
        description="Accepted relative distance from the first reading",
    )

    DATA_COLUMNS = [
        "Pass",
        "Time since start (s)",
        "Row",
        "Column",
        "Device",
        "Conductance (S)",
        "Uncertainty (S)",
        "Ratio",
    ]

    def check_plan(self, info: BoardInfo, limits: LimitChecker) -> None:
        """Check times, the read and the preparing pulse on every device."""
        if self.last_s < self.first_s:
            raise ParameterError(
                f"parameter last_s = {self.last_s:g} s is before first_s = {self.first_s:g} s"
            )
        cells = select_cells(info, self.devices)
        limits.check_read(cells, self.v_read_v, allow_reverse=False)
        if self.prepare_v:
            limits.check_pulse(cells, self.prepare_v, self.prepare_width_s, 1)

    def execute(self) -> None:
        """Prepare, then read pass after pass; the verdicts are on what was read by the end."""
        cells = select_cells(self.board.info, self.devices)
        times_s = log_times_s(self.first_s, self.last_s, self.reads_per_decade)
        since_s = self._prepare(cells)
        start_s = self.board.clock.now_s()
        passes: list[Readings] = []
        try:
            for k, time_s in enumerate(times_s):
                self.stop_if_asked()
                self.wait_s(start_s + time_s - self.board.clock.now_s())
                passes.append(self.board.measure(cells, self.v_read_v))
                self._store_pass(cells, passes, since_s)
                self.progress((k + 1) / len(times_s))
        finally:
            if passes:
                self._conclude(cells, passes, since_s)

    def _prepare(self, cells: CellArray) -> FloatArray:
        """Return from when on the time of each device counts."""
        self.stop_if_asked()
        if self.prepare_v:
            return self.board.pulse(cells, self.prepare_v, self.prepare_width_s).t_s
        return np.full(len(cells), self.board.clock.now_s())

    def _store_pass(self, cells: CellArray, passes: list[Readings], since_s: FloatArray) -> None:
        info, readings = self.board.info, passes[-1]
        g_siemens = np.full(info.shape, np.nan)
        g_siemens[cells[:, 0], cells[:, 1]] = readings.g_siemens
        self.snapshot(f"pass {len(passes)}", g_siemens)
        self.emit(
            "batch results",
            {
                "Pass": [len(passes)] * len(cells),
                "Time since start (s)": (readings.t_s - since_s).tolist(),
                "Row": cells[:, 0].tolist(),
                "Column": cells[:, 1].tolist(),
                "Device": [info.device_at(cell).name for cell in cells],
                "Conductance (S)": readings.g_siemens.tolist(),
                "Uncertainty (S)": readings.g_expanded_siemens.tolist(),
                "Ratio": _ratios(passes)[-1].tolist(),
            },
        )

    def _conclude(self, cells: CellArray, passes: list[Readings], since_s: FloatArray) -> None:
        ratios = _ratios(passes)
        times_s = np.array([readings.t_s for readings in passes]) - since_s
        outcomes = []
        for k, cell in enumerate(cells):
            drift = fit_drift(times_s[:, k], ratios[:, k])
            worst_ratio, outcome = judge(ratios[:, k], self.tolerance_ratio)
            outcomes.append(outcome)
            self.verdict(
                self.board.info.device_at(cell).name,
                outcome,
                {
                    "drift_exponent": (drift.exponent_ratio, ""),
                    "drift_exponent_standard": (drift.standard_ratio, ""),
                    "worst_ratio": (worst_ratio, ""),
                },
                f"drift exponent {drift.exponent_ratio:.2g} ± {drift.standard_ratio:.2g} "
                f"(standard), worst ratio {worst_ratio:.4g}",
            )
        self.count(outcomes)


@dataclass(frozen=True)
class Drift:
    """The exponent of G = G0 (t / t0)^-exponent, and its standard uncertainty."""

    exponent_ratio: float
    standard_ratio: float


def fit_drift(times_s: FloatArray, g: FloatArray) -> Drift:
    """Fit a line to log G over log t by least squares.

    The uncertainty is that of the scatter around the line: what all readings of a device have in
    common moves no slope.

    Args:
        times_s: positive, shape (n,).
        g: conductances in any unit, shape (n,); what is not positive is left out.

    Returns:
        NaN for what fewer than two times leave open, and for the uncertainty of fewer than three.
    """
    usable = (g > 0) & (times_s > 0)
    x, y = np.log(times_s[usable]), np.log(g[usable])
    n = len(x)
    x_spread = float(((x - x.mean()) ** 2).sum()) if n else 0.0
    if not x_spread:
        return Drift(np.nan, np.nan)
    slope = float(((x - x.mean()) * y).sum()) / x_spread
    left = y - y.mean() - slope * (x - x.mean())
    variance = float((left**2).sum()) / (n - 2) if n > 2 else np.nan
    return Drift(-slope, float(np.sqrt(variance / x_spread)))


def judge(ratios: FloatArray, tolerance_ratio: float) -> tuple[float, str]:
    """Return the ratio that is farthest from 1, and what it makes of the device."""
    if np.isnan(ratios).all():
        return np.nan, UNREADABLE
    worst_ratio = float(ratios[np.nanargmax(np.abs(ratios - 1))])
    if abs(worst_ratio - 1) <= tolerance_ratio:
        return worst_ratio, HELD
    return worst_ratio, LOST if worst_ratio < 1 else ROSE


def _ratios(passes: list[Readings]) -> FloatArray:
    """Return all conductances over the first, (n_passes, n_devices); NaN if that may be 0."""
    g_siemens = np.array([readings.g_siemens for readings in passes])
    first = passes[0]
    known = first.g_siemens > first.g_expanded_siemens
    ratios: FloatArray = g_siemens / np.where(known, first.g_siemens, np.nan)
    return ratios
