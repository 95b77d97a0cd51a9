"""Readings of known resistors, shorts and empty sockets, from which calibrations are fitted."""

from __future__ import annotations

import numpy as np
from pymeasure.experiment import IntegerParameter, Parameter

from hil.errors import LimitError, ParameterError
from hil.limits import LimitChecker
from hil.types import BoardInfo, CellArray
from procedures.base import BoardProcedure
from procedures.selection import select_cells


class ReadReferences(BoardProcedure):
    """Read references at several levels of both polarities: the data of a calibration.

    A level that would be above a limit on a reference is left out there. Nothing else is driven.
    """

    devices = Parameter(
        "References",
        default="reference",
        description="Names of references separated by commas, or reference for all of them",
    )
    levels = Parameter(
        "Levels",
        default="0.02, 0.05, 0.1, 0.2, 0.5, 1, 2",
        description="Magnitudes of the source voltage in volt, separated by commas",
    )
    repeats = IntegerParameter(
        "Repeats", default=10, minimum=1, maximum=10_000, description="Readings at each level"
    )

    DATA_COLUMNS = [
        "Time (s)",
        "Device",
        "Reference (ohm)",
        "Source voltage (V)",
        "Current (A)",
        "Conductance (S)",
        "Uncertainty (S)",
    ]

    def check_plan(self, info: BoardInfo, limits: LimitChecker) -> None:
        """Check that all are references, and that each has a level that it bears."""
        for cell in self._cells(info):
            if not self._levels_of(cell, limits):
                raise ParameterError(
                    f"levels = {self.levels}: all are above the limits of reference "
                    f"{info.device_at(cell).name!r}; give smaller ones"
                )

    def execute(self) -> None:
        """Read all levels of one reference after the other."""
        info = self.board.info
        cells = self._cells(info)
        limits = LimitChecker(info, self.board.limits)
        for k, cell in enumerate(cells):
            for level_v in self._levels_of(cell, limits):
                self.stop_if_asked()
                self._read(cell, level_v)
            self.progress((k + 1) / len(cells))

    def _read(self, cell: CellArray, level_v: float) -> None:
        levels_v = np.repeat([level_v, -level_v], self.repeats)
        cells = np.tile(cell, (len(levels_v), 1))
        readings = self.board.measure(cells, levels_v, allow_reverse=True)
        device = self.board.info.device_at(cell)
        n = len(levels_v)
        self.emit(
            "batch results",
            {
                "Time (s)": readings.t_s.tolist(),
                "Device": [device.name] * n,
                "Reference (ohm)": [device.reference_ohm] * n,
                "Source voltage (V)": readings.v_source_v.tolist(),
                "Current (A)": readings.i_a.tolist(),
                "Conductance (S)": readings.g_siemens.tolist(),
                "Uncertainty (S)": readings.g_expanded_siemens.tolist(),
            },
        )

    def _cells(self, info: BoardInfo) -> CellArray:
        cells = select_cells(info, self.devices)
        for cell in cells:
            device = info.device_at(cell)
            if device.reference_ohm is None:
                raise ParameterError(
                    f"device {device.name!r} is a {device.dopant.value} memristor, no reference: "
                    f"levels of a calibration would switch it"
                )
        return cells

    def _levels_of(self, cell: CellArray, limits: LimitChecker) -> list[float]:
        return [level_v for level_v in self._levels() if is_allowed(cell, level_v, limits)]

    def _levels(self) -> list[float]:
        try:
            levels_v = [float(part) for part in self.levels.split(",") if part.strip()]
        except ValueError as error:
            raise ParameterError(
                f"parameter levels = {self.levels!r}: it takes numbers in volt, separated by commas"
            ) from error
        if not levels_v or min(levels_v) <= 0:
            raise ParameterError(f"parameter levels = {self.levels!r}: it takes magnitudes > 0")
        return levels_v


def is_allowed(cell: CellArray, level_v: float, limits: LimitChecker) -> bool:
    """Whether no limit forbids a level on a reference."""
    try:
        limits.check_read(np.atleast_2d(cell), level_v, allow_reverse=True)
    except LimitError:
        return False
    return True
