"""Endurance: how many cycles of SET and RESET devices bear."""

from __future__ import annotations

import math

import numpy as np
from pymeasure.experiment import BooleanParameter, FloatParameter, IntegerParameter, Parameter

from hil.errors import ParameterError
from hil.limits import LimitChecker
from hil.types import BoardInfo, Readings
from procedures.resuming import RESUMED, read_earlier
from procedures.selection import select_cells
from procedures.spacing import log_counts
from procedures.verdicts import VerdictProcedure
from procedures.wearing import Criteria, Wear

# What a count of cycles, and the verdict on a device, rest on.
_SAME = ("set_v", "reset_v", "width_s", "v_read_v", "min_window_ratio", "open_siemens")

_N_READS = 2


class Endurance(VerdictProcedure):
    """Cycle devices between SET and RESET, and read both states after ever more cycles.

    Each device works, or is ``open``, ``stuck low`` (it cannot be set), ``stuck high`` (not reset)
    or its ``window closed``; two readings of each state have to say so. All devices come to a cycle
    that is read before any goes on. A run that has ended in whatever way can be resumed.
    """

    devices = Parameter("Devices", default="W01", description="Names, a dopant, or all")
    n_cycles = IntegerParameter(
        "Cycles",
        default=100,
        minimum=1,
        maximum=1_000_000_000,
        description="In all, with those of the runs that are continued",
    )
    set_v = FloatParameter("SET amplitude", units="V", default=0.8, minimum=0.001, maximum=10)
    reset_v = FloatParameter(
        "RESET amplitude",
        units="V",
        default=-1.2,
        minimum=-10,
        maximum=-0.001,
        description="Negative, at the source",
    )
    width_s = FloatParameter("Pulse width", units="s", default=0.02, minimum=1e-9, maximum=60)
    v_read_v = FloatParameter("Read voltage", units="V", default=0.1, minimum=0.001, maximum=2)
    min_window_ratio = FloatParameter(
        "Smallest window",
        default=2.0,
        minimum=1,
        maximum=1e6,
        description="Conductance after SET over that after RESET; below it a device has failed",
    )
    open_siemens = FloatParameter(
        "Open below",
        units="S",
        default=50e-9,
        minimum=1e-12,
        maximum=1,
        description="In both states; SDC devices of several megohm are sound",
    )
    reads_per_decade = IntegerParameter(
        "Reads a decade",
        default=3,
        minimum=1,
        maximum=100,
        description="3: after cycle 1, 2, 5, 10, 20, 50, ...",
    )
    stop_at_failure = BooleanParameter(
        "Stop at failure", default=False, description="Pulse a device no more once it has failed"
    )
    resume = Parameter(
        "Resume", default="", description="Run in this database to continue; empty for a new one"
    )

    DATA_COLUMNS = [
        "Cycle",
        "Time (s)",
        "Row",
        "Column",
        "Device",
        "On conductance (S)",
        "On uncertainty (S)",
        "Off conductance (S)",
        "Off uncertainty (S)",
        "Window ratio",
        "State",
    ]

    _continued = ""
    _wear: dict[str, Wear]

    def check_plan(self, info: BoardInfo, limits: LimitChecker) -> None:
        """Check both pulses and the read on every device, and what is to be resumed."""
        cells = select_cells(info, self.devices)
        limits.check_pulse(cells, self.set_v, self.width_s, 1)
        limits.check_pulse(cells, self.reset_v, self.width_s, 1)
        limits.check_read(cells, self.v_read_v, allow_reverse=False)
        known: dict[str, Wear] = {}
        self._continued = ""
        if self.resume:
            parameters = {name: getattr(self, name) for name in ("devices", *_SAME)}
            self._continued, known = read_earlier(
                self.database, self.resume, info, parameters, _SAME
            )
        names = [info.device_at(cell).name for cell in cells]
        self._wear = {name: known.get(name, Wear()) for name in names}
        if self.resume and not any(map(self._goes_on, names)):
            raise ParameterError(
                f"parameter n_cycles = {self.n_cycles}: run {self._continued} has come so far, or "
                f"its devices have failed; give more cycles"
            )

    def execute(self) -> None:
        """Cycle all devices from one read to the next; the verdicts are on what came of it."""
        if self._continued:
            self._tell_what_is_continued()
        try:
            self._end_half_cycles()
            for cycle in self._cycles_to_read():
                for name in self._wear:
                    if self._goes_on(name) and self._wear[name].n_cycles < cycle:
                        self._cycle_until(name, cycle)
        finally:
            self._conclude()

    def _goes_on(self, name: str) -> bool:
        wear = self._wear[name]
        return wear.n_cycles < self.n_cycles and not (self.stop_at_failure and wear.failed_at)

    def _cycles_to_read(self) -> list[int]:
        """Return the cycles that are read: spread over decades, and the first one of this run."""
        first = {wear.n_cycles + 1 for name, wear in self._wear.items() if self._goes_on(name)}
        return sorted(first.union(log_counts(self.n_cycles, self.reads_per_decade)))

    def _tell_what_is_continued(self) -> None:
        n_cycles = min(wear.n_cycles for wear in self._wear.values())
        self.event(
            RESUMED,
            f"continues run {self._continued} after cycle {n_cycles}",
            data={"run_id": self._continued, "devices": self._wear},
        )
        self.metric("resumed_after_cycle", n_cycles, "cycles")

    def _end_half_cycles(self) -> None:
        """Reset the devices that the earlier run had set when it ended: that cycle is theirs."""
        for name, wear in self._wear.items():
            if wear.is_half_done and self._goes_on(name):
                self._pulse(name, self.reset_v)

    def _cycle_until(self, name: str, cycle: int) -> None:
        """Cycle a device, and read both states in the last cycle."""
        wear = self._wear[name]
        while wear.n_cycles < cycle - 1:
            self._pulse(name, self.set_v)
            self._pulse(name, self.reset_v)
        self._pulse(name, self.set_v)
        on = self._read(name)
        self._pulse(name, self.reset_v)
        off = self._read(name)
        self._note(name, on, off)
        self.progress(
            sum(min(one.n_cycles / self.n_cycles, 1) for one in self._wear.values())
            / len(self._wear)
        )

    def _pulse(self, name: str, amplitude_v: float) -> None:
        self.stop_if_asked()
        wear = self._wear[name]
        self.board.pulse([self.board.info.cell_of(name)], amplitude_v, self.width_s)
        if amplitude_v > 0:
            wear.n_set += 1
        else:
            wear.n_reset += 1
        if self._open_run is not None:
            self._open_run.flush()  # of a process that is killed, too, every pulse is known

    def _read(self, name: str) -> Readings:
        self.stop_if_asked()
        with self.board.reads_for("verify"):
            return self.board.measure([self.board.info.cell_of(name)] * _N_READS, self.v_read_v)

    def _note(self, name: str, on: Readings, off: Readings) -> None:
        wear, criteria = self._wear[name], Criteria(self.min_window_ratio, self.open_siemens)
        state = wear.judged(criteria, on.g_siemens, off.g_siemens)
        on_siemens, off_siemens = float(np.mean(on.g_siemens)), float(np.mean(off.g_siemens))
        is_first = wear.note(wear.n_cycles, state, criteria, on_siemens, off_siemens)
        row, column = self.board.info.cell_of(name)
        self.emit(
            "results",
            {
                "Cycle": wear.n_cycles,
                "Time (s)": float(off.t_s[-1]),
                "Row": row,
                "Column": column,
                "Device": name,
                "On conductance (S)": on_siemens,
                "On uncertainty (S)": float(on.g_expanded_siemens.max()),
                "Off conductance (S)": off_siemens,
                "Off uncertainty (S)": float(off.g_expanded_siemens.max()),
                "Window ratio": wear.window_ratio,
                "State": state,
            },
        )
        if is_first:
            self.event("failed", f"{name}: {state} at cycle {wear.n_cycles}", level="warning")

    def _conclude(self) -> None:
        for name, wear in self._wear.items():
            if not wear.state:
                continue
            ago = f"first {wear.failed_as} at cycle {wear.failed_at}, " if wear.failed_at else ""
            self.verdict(
                name,
                wear.state,
                {
                    "cycles": (wear.n_cycles, "cycles"),
                    "failed_at": (wear.failed_at or math.nan, "cycles"),
                    "window_ratio": (wear.window_ratio, ""),
                },
                f"{ago}{wear.n_cycles} cycles, last window {wear.window_ratio:.3g}",
            )
        self.count(wear.state for wear in self._wear.values() if wear.state)
        self.metric("devices_failed", sum(wear.failed_at > 0 for wear in self._wear.values()))
