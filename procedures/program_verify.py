"""Program devices to a target conductance, with verification."""

from __future__ import annotations

from dataclasses import fields

from pymeasure.experiment import FloatParameter, IntegerParameter, Parameter

from hil.limits import LimitChecker
from hil.types import BoardInfo
from procedures.base import BoardProcedure
from procedures.programming import OUTCOME_COLUMNS, REACHED, Programmer, WriteVerify
from procedures.selection import select_cells

_DEFAULT = WriteVerify()


class ProgramVerify(BoardProcedure):
    """Bring each selected device to a target conductance; amplitude and polarity adapt.

    One row per device: whether it was reached, what is left, and what it cost.
    """

    devices = Parameter("Devices", default="W01", description="Names, a dopant, or all")
    target_siemens = FloatParameter(
        "Target", units="S", default=100e-6, minimum=1e-9, maximum=1, description="Conductance"
    )
    tolerance_ratio = FloatParameter(
        "Tolerance",
        default=_DEFAULT.tolerance_ratio,
        minimum=1e-4,
        maximum=1,
        description="Accepted relative distance from the target",
    )
    v_read_v = FloatParameter(
        "Read voltage", units="V", default=_DEFAULT.v_read_v, minimum=0.001, maximum=2
    )
    width_s = FloatParameter(
        "Pulse width", units="s", default=_DEFAULT.width_s, minimum=1e-9, maximum=60
    )
    set_start_v = FloatParameter(
        "First SET amplitude", units="V", default=_DEFAULT.set_start_v, minimum=0.001, maximum=10
    )
    set_step_v = FloatParameter(
        "SET step", units="V", default=_DEFAULT.set_step_v, minimum=1e-4, maximum=1
    )
    set_max_v = FloatParameter(
        "Largest SET amplitude", units="V", default=_DEFAULT.set_max_v, minimum=0.001, maximum=10
    )
    reset_start_v = FloatParameter(
        "First RESET amplitude",
        units="V",
        default=_DEFAULT.reset_start_v,
        minimum=-10,
        maximum=-0.001,
    )
    reset_step_v = FloatParameter(
        "RESET step", units="V", default=_DEFAULT.reset_step_v, minimum=1e-4, maximum=1
    )
    reset_max_v = FloatParameter(
        "Largest RESET amplitude",
        units="V",
        default=_DEFAULT.reset_max_v,
        minimum=-10,
        maximum=-0.001,
    )
    n_pulses_max = IntegerParameter(
        "Pulses at most",
        default=_DEFAULT.n_pulses_max,
        minimum=1,
        maximum=1_000_000,
        description="For one device",
    )
    n_stuck_max = IntegerParameter(
        "Pulses at the limit",
        default=_DEFAULT.n_stuck_max,
        minimum=1,
        maximum=1_000_000,
        description="In a row at the largest amplitude, after which a device is called stuck",
    )
    n_confirm = IntegerParameter(
        "Confirming reads",
        default=_DEFAULT.n_confirm,
        minimum=0,
        maximum=1000,
        description="That have to agree before a device is accepted",
    )
    confirm_delay_s = FloatParameter(
        "Confirm delay", units="s", default=_DEFAULT.confirm_delay_s, minimum=0, maximum=3600
    )

    DATA_COLUMNS = ["Row", "Column", "Device", *OUTCOME_COLUMNS]

    def check_plan(self, info: BoardInfo, limits: LimitChecker) -> None:
        """Check the largest amplitudes and the read on every device."""
        self._settings().check(select_cells(info, self.devices), limits)

    def execute(self) -> None:
        """Program device by device."""
        info = self.board.info
        cells = select_cells(info, self.devices)
        programmer = Programmer(self.board, self._settings(), self.stop_if_asked)
        n_reached = 0
        for k, (row, column) in enumerate(cells.tolist()):
            with self.board.reads_for("verify"):
                outcome = programmer.program((row, column), self.target_siemens)
            n_reached += outcome.status == REACHED
            name = info.device_at((row, column)).name
            self.emit("results", {"Row": row, "Column": column, "Device": name} | outcome.record)
            self.progress((k + 1) / len(cells))
        self.metric("cells_reached", n_reached, "cells")
        self.metric("cells_asked", len(cells), "cells")

    def _settings(self) -> WriteVerify:
        return WriteVerify(
            **{field.name: getattr(self, field.name) for field in fields(WriteVerify)}
        )
