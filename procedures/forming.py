"""Forming: the first operation of new devices, with as little current as it takes."""

from __future__ import annotations

import numpy as np
from pymeasure.experiment import FloatParameter, Parameter

from hil.arrays import CellKind
from hil.errors import ParameterError
from hil.limits import LimitChecker
from hil.types import BoardInfo
from procedures.forming_ramp import COLUMNS, FormedCell, Former, FormingRamp
from procedures.selection import select_cells
from procedures.verdicts import VerdictProcedure

_DEFAULT = FormingRamp()


class Forming(VerdictProcedure):
    """Form devices: ramp the SET amplitude at one compliance after the other until they conduct.

    Short pulses with a read after each end as soon as two readings are at the target; a device that
    is there already is not pulsed. One RESET afterwards shows whether it switches. Each device is
    ``formed``, ``already formed``, ``not formed`` or ``leaky`` (formed, but does not reset).
    """

    devices = Parameter("Devices", default="W01", description="Names, a dopant, or all")
    target_siemens = FloatParameter(
        "Target",
        units="S",
        default=_DEFAULT.target_siemens,
        minimum=1e-9,
        maximum=1,
        description="Conductance from which a device counts as formed",
    )
    v_read_v = FloatParameter(
        "Read voltage", units="V", default=_DEFAULT.v_read_v, minimum=0.001, maximum=2
    )
    width_s = FloatParameter(
        "Pulse width", units="s", default=_DEFAULT.width_s, minimum=1e-9, maximum=60
    )
    start_v = FloatParameter(
        "First amplitude", units="V", default=_DEFAULT.start_v, minimum=0.001, maximum=10
    )
    step_v = FloatParameter(
        "Amplitude step", units="V", default=_DEFAULT.step_v, minimum=1e-3, maximum=10
    )
    max_v = FloatParameter(
        "Largest amplitude", units="V", default=_DEFAULT.max_v, minimum=0.001, maximum=10
    )
    compliance_start_a = FloatParameter(
        "First compliance",
        units="A",
        default=_DEFAULT.compliance_start_a,
        minimum=1e-7,
        maximum=1,
        description="At which the source limits the current; no passive array has one",
    )
    compliance_factor = FloatParameter(
        "Compliance factor",
        default=_DEFAULT.compliance_factor,
        minimum=1.01,
        maximum=1000,
        description="From one compliance to the next",
    )
    compliance_max_a = FloatParameter(
        "Largest compliance",
        units="A",
        default=_DEFAULT.compliance_max_a,
        minimum=1e-7,
        maximum=1,
        description="At most the limit of the devices",
    )
    reset_v = FloatParameter(
        "RESET amplitude",
        units="V",
        default=_DEFAULT.reset_v,
        minimum=-10,
        maximum=0,
        description="Of the one pulse after forming; 0 leaves devices formed",
    )
    min_window_ratio = FloatParameter(
        "Smallest window",
        default=_DEFAULT.min_window_ratio,
        minimum=1,
        maximum=1e6,
        description="Conductance when formed over that after RESET; below it a device is leaky",
    )

    DATA_COLUMNS = ["Row", "Column", "Device", *COLUMNS]

    def check_plan(self, info: BoardInfo, limits: LimitChecker) -> None:
        """Check the extremes of the ramp, its compliance and the RESET on every device."""
        for low, high, unit in (
            ("start_v", "max_v", "V"),
            ("compliance_start_a", "compliance_max_a", "A"),
        ):
            if getattr(self, low) > getattr(self, high):
                raise ParameterError(
                    f"parameter {low} = {getattr(self, low):g} {unit} is above {high} = "
                    f"{getattr(self, high):g} {unit}"
                )
        self._ramp(info).check(select_cells(info, self.devices), limits)

    def execute(self) -> None:
        """Form device by device."""
        info = self.board.info
        cells = select_cells(info, self.devices)
        ramp = self._ramp(info)
        if not ramp.is_limited:
            self.event(
                "no-compliance",
                "the board cannot limit the current of one device: the ramp is of the amplitude "
                "alone",
                level="warning",
            )
        former = Former(self.board, ramp, self.stop_if_asked)
        outcomes = []
        for k, (row, column) in enumerate(cells.tolist()):
            with self.board.reads_for("verify"):
                cell = former.form((row, column))
            name = info.device_at((row, column)).name
            self.emit("results", {"Row": row, "Column": column, "Device": name} | cell.record)
            self._tell(name, cell)
            outcomes.append(cell.outcome)
            self.progress((k + 1) / len(cells))
        self.count(outcomes)

    def _tell(self, name: str, cell: FormedCell) -> None:
        numbers = {
            "formed_at_v": (cell.amplitude_v, "V"),
            "formed_at_a": (cell.compliance_a, "A"),
            "pulses": (float(cell.n_pulses), "pulses"),
            "pulses_j": (cell.pulses_j, "J"),
        }
        self.verdict(name, cell.outcome, numbers, cell.story)

    def _ramp(self, info: BoardInfo) -> FormingRamp:
        is_passive = info.array is not None and info.array.cell_kind is CellKind.PASSIVE
        return FormingRamp(
            target_siemens=self.target_siemens,
            v_read_v=self.v_read_v,
            width_s=self.width_s,
            start_v=self.start_v,
            step_v=self.step_v,
            max_v=self.max_v,
            compliance_start_a=np.inf if is_passive else self.compliance_start_a,
            compliance_factor=self.compliance_factor,
            compliance_max_a=np.inf if is_passive else self.compliance_max_a,
            reset_v=self.reset_v,
            min_window_ratio=self.min_window_ratio,
        )
