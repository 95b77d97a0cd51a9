"""Program all cells of an array to a matrix of conductances."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from pymeasure.experiment import FloatParameter, IntegerParameter, ListParameter, Parameter

from calibration.disturb import MARGIN_SIGMAS, DisturbModel
from hil.limits import LimitChecker
from hil.station import load_station
from hil.types import BoardInfo, FloatArray
from procedures.array_map import SCHEMES, chosen_scheme
from procedures.array_programming import (
    ArrayOutcome,
    ArrayProgrammer,
    ArrayWrite,
    amplitude_below_bands,
)
from procedures.base import BoardProcedure
from procedures.conductance_targets import HOW, target_matrix
from procedures.disturb_watch import Cell, DisturbWatch, plan_steps
from procedures.programming import OUTCOME_COLUMNS

_DEFAULT = ArrayWrite(set_v=0.0, reset_v=0.0)


class ProgramArray(BoardProcedure):
    """Bring every cell of an array to its target by write-verify with confirming reads.

    The order limits disturb: cells that need the largest dose come first, so that those after them
    do less. The budget is checked before the first pulse, against records with thresholds two
    spreads lower; guard reads check the prediction while it runs. At the end all cells are read
    again after a delay, and those that did not hold are programmed once more.
    """

    targets = Parameter("Targets", default="uniform 40e-6 120e-6", description=HOW)
    tolerance_ratio = FloatParameter(
        "Tolerance",
        default=_DEFAULT.tolerance_ratio,
        minimum=1e-4,
        maximum=1,
        description="Relative distance from the target within which a cell has to be at the end",
    )
    guard_ratio = FloatParameter(
        "Guard band",
        default=_DEFAULT.guard_ratio,
        minimum=0,
        maximum=1,
        description="Cells are accepted only so far inside the tolerance",
    )
    set_v = FloatParameter(
        "SET amplitude",
        units="V",
        default=0.0,
        minimum=0,
        maximum=10,
        description="0 for the largest that leaves half-selected cells in their dead band",
    )
    reset_v = FloatParameter(
        "RESET amplitude", units="V", default=0.0, minimum=-10, maximum=0, description="0 as above"
    )
    write_scheme = ListParameter(
        "Write scheme", choices=SCHEMES, default=SCHEMES[0], description="How other lines are held"
    )
    width_min_s = FloatParameter(
        "Shortest pulse", units="s", default=_DEFAULT.width_min_s, minimum=1e-9, maximum=1
    )
    width_max_s = FloatParameter(
        "Longest pulse", units="s", default=_DEFAULT.width_max_s, minimum=1e-9, maximum=1
    )
    dose_max_s = FloatParameter(
        "Largest dose",
        units="s",
        default=_DEFAULT.dose_max_s,
        minimum=1e-9,
        maximum=1e4,
        description="Time of either polarity that one cell may get",
    )
    v_read_v = FloatParameter(
        "Read voltage", units="V", default=_DEFAULT.v_read_v, minimum=0.001, maximum=2
    )
    n_average = IntegerParameter(
        "Averaged readings", default=_DEFAULT.n_average, minimum=1, maximum=1000
    )
    confirm_delay_s = FloatParameter(
        "Confirm delay", units="s", default=_DEFAULT.confirm_delay_s, minimum=0, maximum=3600
    )
    n_pulses_max = IntegerParameter(
        "Pulses at most", default=_DEFAULT.n_pulses_max, minimum=1, maximum=1_000_000
    )
    disturb_budget_ratio = FloatParameter(
        "Disturb budget",
        default=0.05,
        minimum=0,
        maximum=10,
        description="Largest foreseen change of a cell that is not meant, summed over the plan",
    )
    n_guard_reads = IntegerParameter(
        "Guard reads", default=1, minimum=0, maximum=1000, description="After each cell"
    )
    n_passes = IntegerParameter(
        "Passes", default=2, minimum=1, maximum=10, description="Over cells that did not hold"
    )

    DATA_COLUMNS = ["Pass", "Row", "Column", "Device", *OUTCOME_COLUMNS, "False accepts"]

    def check_plan(self, info: BoardInfo, limits: LimitChecker) -> None:
        """Check targets, amplitudes and reads, and the disturb of the whole plan."""
        settings = self._settings(info)
        targets = target_matrix(self.targets, info.shape, self.seed)
        settings.check(info.all_cells, limits)
        if info.array is None:
            return
        # What cells are at their targets bears least to be changed.
        self._check_budget(info, limits, targets, targets)

    def execute(self) -> None:
        """Program cell by cell, and confirm all of them at the end."""
        info = self.board.info
        limits = LimitChecker(info, self.board.limits)
        settings = self._settings(info)
        targets = target_matrix(self.targets, info.shape, self.seed)
        programmer = ArrayProgrammer(self.board, settings, self.stop_if_asked)
        with self.board.reads_for("verify"):
            found = programmer.read_all()
            self.snapshot("found", found)
            self.snapshot("targets", targets)
            watch = None
            if info.array is not None:
                self._check_budget(info, limits, found, targets)
                watch = self._watch(info, limits)
            self._program_all(programmer, watch, targets)

    def _program_all(
        self, programmer: ArrayProgrammer, watch: DisturbWatch | None, targets: FloatArray
    ) -> None:
        cells = self._order(targets)
        outcomes: list[ArrayOutcome] = []
        confirmed = targets
        for k in range(self.n_passes):
            for done, cell in enumerate(cells):
                outcomes.append(self._program_one(k, programmer, watch, cell, targets[cell]))
                self.progress((k + (done + 1) / len(cells)) / self.n_passes)
            accepted = programmer.map_siemens.copy()
            self.board.clock.sleep_s(self.confirm_delay_s)
            confirmed = programmer.read_all(self.n_average)
            self.snapshot(f"confirmed {k + 1}", confirmed)
            self._note_disturb(accepted, confirmed, step=k + 1)
            is_off = np.abs(confirmed / targets - 1) > self.tolerance_ratio
            cells = [cell for cell in self._order(targets) if is_off[cell]]
            if not cells:
                break
        self._conclude(outcomes, targets, confirmed)
        if watch is not None:
            self.metric("guard_reads", watch.n_reads, "reads")

    def _program_one(
        self,
        k: int,
        programmer: ArrayProgrammer,
        watch: DisturbWatch | None,
        cell: Cell,
        target_siemens: float,
    ) -> ArrayOutcome:
        outcome = programmer.program(cell, float(target_siemens))
        name = self.board.info.device_at(np.array(cell)).name
        place = {"Pass": k + 1, "Row": cell[0], "Column": cell[1], "Device": name}
        more = {"False accepts": outcome.n_false_accepts}
        self.emit("results", place | outcome.cell.record | more)
        if watch is not None:
            watch.note(cell, outcome.dose_s, programmer.map_siemens)
            for guard in watch.guards(cell, self.n_guard_reads):
                before_siemens = float(programmer.map_siemens[guard])
                watch.check(guard, before_siemens, programmer.read(guard))
        return outcome

    def _order(self, targets: FloatArray) -> list[Cell]:
        """Return the cells by falling target: the largest dose first."""
        order = np.argsort(-targets.ravel(), kind="stable")
        places = np.stack(np.divmod(order, targets.shape[1]), axis=1)
        return [(row, column) for row, column in places.tolist()]

    def _check_budget(
        self, info: BoardInfo, limits: LimitChecker, found: FloatArray, targets: FloatArray
    ) -> None:
        settings = self._settings(info)
        model = DisturbModel(load_station(self.station), info, MARGIN_SIGMAS)
        model.begin(found, self.v_read_v)
        doses_s = dict.fromkeys((settings.set_v, settings.reset_v), settings.dose_max_s)
        scheme = limits.scheme(settings.write_scheme, is_read=False)
        steps = plan_steps(info, scheme, self._order(targets), targets, doses_s)
        model.check(steps, self.disturb_budget_ratio)

    def _watch(self, info: BoardInfo, limits: LimitChecker) -> DisturbWatch:
        scheme = limits.scheme(self._settings(info).write_scheme, is_read=False)
        return DisturbWatch(
            load_station(self.station), info, scheme, self.v_read_v, self.disturb_budget_ratio
        )

    def _note_disturb(self, accepted: FloatArray, confirmed: FloatArray, step: int) -> None:
        change_ratio = np.abs(confirmed / accepted - 1)
        n_disturbed = int((change_ratio > self.disturb_budget_ratio).sum())
        self.metric("cells_disturbed", n_disturbed, "cells", step=step)
        self.metric("largest_change_ratio", float(change_ratio.max()), "1", step=step)

    def _conclude(
        self, outcomes: list[ArrayOutcome], targets: FloatArray, confirmed: FloatArray
    ) -> None:
        error_ratio = np.abs(confirmed / targets - 1)
        n_pulses = [o.cell.n_set + o.cell.n_reset for o in outcomes]
        for name, value, unit in (
            ("cells_asked", targets.size, "cells"),
            ("cells_within", int((error_ratio <= self.tolerance_ratio).sum()), "cells"),
            ("largest_error_ratio", float(error_ratio.max()), "1"),
            ("pulses_median", float(np.median(n_pulses)), "pulses"),
            ("pulses_p95", float(np.percentile(n_pulses, 95)), "pulses"),
            ("false_accepts", sum(o.n_false_accepts for o in outcomes), "readings"),
            ("program_energy", sum(o.cell.program_j for o in outcomes), "J"),
            ("verify_energy", sum(o.cell.verify_j for o in outcomes), "J"),
        ):
            self.metric(name, value, unit)

    def _settings(self, info: BoardInfo) -> ArrayWrite:
        amplitudes = {
            "set_v": amplitude_below_bands(info, "set_v", self.set_v, 1.0),
            "reset_v": amplitude_below_bands(info, "reset_v", self.reset_v, -1.0),
        }
        same = {field.name for field in fields(ArrayWrite)} & set(self.parameter_names())
        same -= {"write_scheme", *amplitudes}
        return ArrayWrite(
            set_v=amplitudes["set_v"],
            reset_v=amplitudes["reset_v"],
            write_scheme=chosen_scheme(self.write_scheme),
            **{name: getattr(self, name) for name in same},
        )
