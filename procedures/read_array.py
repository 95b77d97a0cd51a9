"""Conductance of many devices."""

from __future__ import annotations

import numpy as np
from pymeasure.experiment import BooleanParameter, FloatParameter, IntegerParameter, Parameter

from hil.limits import LimitChecker
from hil.types import BoardInfo
from procedures.base import BoardProcedure
from procedures.selection import select_cells


class ReadArray(BoardProcedure):
    """Read every selected device, several times over, and store a snapshot of each pass."""

    devices = Parameter(
        "Devices", default="all", description="Names separated by commas, a dopant, or all"
    )
    v_read_v = FloatParameter(
        "Read voltage",
        units="V",
        default=0.1,
        minimum=-2,
        maximum=2,
        description="At the source; limited by the station, 0.1 V unless it says otherwise",
    )
    allow_reverse = BooleanParameter(
        "Allow reverse",
        default=False,
        description="Allow a read in the RESET direction, which may erase a device",
    )
    repeats = IntegerParameter("Repeats", default=1, minimum=1, maximum=1_000_000)
    interval_s = FloatParameter(
        "Interval",
        units="s",
        default=0.0,
        minimum=0,
        maximum=1e6,
        description="Wait between two passes",
    )

    DATA_COLUMNS = [
        "Pass",
        "Time (s)",
        "Row",
        "Column",
        "Device",
        "Conductance (S)",
        "Uncertainty (S)",
        "Read voltage (V)",
        "Current (A)",
    ]

    def check_plan(self, info: BoardInfo, limits: LimitChecker) -> None:
        """Check the read voltage on every device."""
        cells = select_cells(info, self.devices)
        limits.check_read(cells, self.v_read_v, allow_reverse=self.allow_reverse)

    def execute(self) -> None:
        """Read all, pass after pass."""
        info = self.board.info
        cells = select_cells(info, self.devices)
        for k in range(self.repeats):
            self.stop_if_asked()
            if k:
                self.wait_s(self.interval_s)
            readings = self.board.measure(cells, self.v_read_v, allow_reverse=self.allow_reverse)
            g_siemens = np.full(info.shape, np.nan)
            g_siemens[cells[:, 0], cells[:, 1]] = readings.g_siemens
            self.snapshot(f"pass {k + 1}", g_siemens)
            self.emit(
                "batch results",
                {
                    "Pass": [k + 1] * len(cells),
                    "Time (s)": readings.t_s.tolist(),
                    "Row": cells[:, 0].tolist(),
                    "Column": cells[:, 1].tolist(),
                    "Device": [info.device_at(cell).name for cell in cells],
                    "Conductance (S)": readings.g_siemens.tolist(),
                    "Uncertainty (S)": readings.g_expanded_siemens.tolist(),
                    "Read voltage (V)": readings.v_read_v.tolist(),
                    "Current (A)": readings.i_a.tolist(),
                },
            )
            self.progress((k + 1) / self.repeats)
