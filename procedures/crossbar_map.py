"""All cells of an array as a map, and which of them work."""

from __future__ import annotations

import numpy as np
from pymeasure.experiment import (
    BooleanParameter,
    FloatParameter,
    IntegerParameter,
    ListParameter,
)

from hil.limits import LimitChecker
from hil.station import load_station
from hil.types import BoardInfo, FloatArray
from procedures.array_map import (
    AUTO,
    NO,
    SCHEMES,
    YES,
    ArrayMap,
    MapReader,
    chosen_scheme,
    takes_out,
)
from procedures.array_programming import amplitude_below_bands
from procedures.verdicts import VerdictProcedure

WORKING, STUCK_LOW, STUCK_HIGH, OPEN = "working", "stuck low", "stuck high", "open"
CONDUCTS = "conducts"


class CrossbarMap(VerdictProcedure):
    """Read all cells of an array into a map, sneak paths taken out, and tell which cells work.

    As it stands it changes nothing, and tells only open cells from those that conduct. With
    ``exercise`` all cells are brought low by one RESET pulse and high by one SET pulse, and read
    after each: what they held is lost, and they are left SET. Cells are then ``working``, ``stuck
    low``, ``stuck high`` or ``open``.
    """

    v_read_v = FloatParameter("Read voltage", units="V", default=0.1, minimum=0.001, maximum=2)
    scheme = ListParameter(
        "Read scheme", choices=SCHEMES, default=SCHEMES[0], description="How other lines are held"
    )
    n_average = IntegerParameter("Averaged readings", default=4, minimum=1, maximum=100_000)
    correct = ListParameter(
        "Take sneak paths out",
        choices=[AUTO, YES, NO],
        default=AUTO,
        description="By inverting the network of the array; auto: wherever cells are not isolated",
    )
    exercise = BooleanParameter(
        "Exercise", default=False, description="RESET and SET every cell; what they held is lost"
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
    width_s = FloatParameter("Pulse width", units="s", default=0.02, minimum=1e-9, maximum=10)
    write_scheme = ListParameter(
        "Write scheme", choices=SCHEMES, default=SCHEMES[0], description="As the read scheme"
    )
    min_ratio = FloatParameter(
        "Smallest ratio",
        default=1.5,
        minimum=1.001,
        maximum=1e6,
        description="Of high to low conductance, for a cell that works",
    )
    split_siemens = FloatParameter(
        "Split",
        units="S",
        default=3e-5,
        minimum=1e-12,
        maximum=1,
        description="A cell that does not switch is stuck high above, low below",
    )
    open_siemens = FloatParameter(
        "Open below",
        units="S",
        default=5e-8,
        minimum=0,
        maximum=1,
        description="And where the uncertainty reaches down to zero",
    )

    DATA_COLUMNS = [
        "Stage",
        "Row",
        "Column",
        "Device",
        "Raw conductance (S)",
        "Conductance (S)",
        "Uncertainty (S)",
    ]

    def check_plan(self, info: BoardInfo, limits: LimitChecker) -> None:
        """Check the read, and the pulses if cells are to be exercised."""
        cells = info.all_cells
        limits.check_read(
            cells, self.v_read_v, allow_reverse=False, scheme=chosen_scheme(self.scheme)
        )
        takes_out(self.correct, info)
        if self.exercise:
            for amplitude_v in self._amplitudes(info):
                scheme = chosen_scheme(self.write_scheme)
                limits.check_pulse(cells, amplitude_v, self.width_s, 1, scheme=scheme)

    def execute(self) -> None:
        """Read, and exercise if asked; the verdicts are on all stages."""
        info = self.board.info
        stages = [("found", 0.0)]
        if self.exercise:
            set_v, reset_v = self._amplitudes(info)
            stages += [("RESET", reset_v), ("SET", set_v)]
        reader = MapReader(
            board=self.board,
            station=load_station(self.station),
            v_read_v=self.v_read_v,
            scheme=chosen_scheme(self.scheme),
            n_average=self.n_average,
            is_corrected=takes_out(self.correct, info),
            go_on=self.stop_if_asked,
        )
        maps = []
        for k, (name, amplitude_v) in enumerate(stages):
            self.stop_if_asked()
            if amplitude_v:
                self._pulse_all(amplitude_v)
            maps.append(reader.read())
            self._store(name, maps[-1])
            self.progress((k + 1) / len(stages))
        self._conclude(maps)

    def _pulse_all(self, amplitude_v: float) -> None:
        for row in range(self.board.info.shape[0]):
            self.stop_if_asked()
            cells = self.board.info.all_cells
            here = cells[cells[:, 0] == row]
            scheme = chosen_scheme(self.write_scheme)
            self.board.pulse(here, amplitude_v, self.width_s, scheme=scheme)

    def _store(self, stage: str, found: ArrayMap) -> None:
        info = self.board.info
        cells = info.all_cells
        self.snapshot(f"{stage}, raw", found.raw_siemens)
        self.snapshot(stage, found.g_siemens)
        if not np.isnan(found.residual_ratio):
            self.metric(f"residual_ratio_{stage}", found.residual_ratio, "1")
        self.emit(
            "batch results",
            {
                "Stage": [stage] * len(cells),
                "Row": cells[:, 0].tolist(),
                "Column": cells[:, 1].tolist(),
                "Device": [device.name for device in info.devices],
                "Raw conductance (S)": found.raw_siemens.ravel().tolist(),
                "Conductance (S)": found.g_siemens.ravel().tolist(),
                "Uncertainty (S)": found.g_expanded_siemens.ravel().tolist(),
            },
        )

    def _conclude(self, maps: list[ArrayMap]) -> None:
        info = self.board.info
        outcomes = judge_cells(maps, self.open_siemens, self.split_siemens, self.min_ratio)
        for device, outcome in zip(info.devices, outcomes, strict=True):
            if outcome not in (WORKING, CONDUCTS):
                self.verdict(device.name, outcome, {})
        self.count(outcomes)
        self.metric("cells_asked", len(outcomes), "cells")
        good = WORKING if self.exercise else CONDUCTS
        self.metric("yield_ratio", outcomes.count(good) / len(outcomes), "1")
        last = maps[-1].g_siemens
        for name, share in (("p05", 5), ("median", 50), ("p95", 95)):
            self.metric(f"conductance_{name}", float(np.percentile(last, share)), "S")

    def _amplitudes(self, info: BoardInfo) -> tuple[float, float]:
        return (
            amplitude_below_bands(info, "set_v", self.set_v, 1.0),
            amplitude_below_bands(info, "reset_v", self.reset_v, -1.0),
        )


def judge_cells(
    maps: list[ArrayMap], open_siemens: float, split_siemens: float, min_ratio: float
) -> list[str]:
    """Return what is to be said of each cell, row by row.

    Args:
        maps: of the array as found, and if it was exercised after RESET and after SET.
        open_siemens: a cell that never conducts more is open; nor does one whose uncertainty
            reaches down to zero at all times.
        split_siemens: between stuck low and stuck high.
        min_ratio: of high to low conductance, for a cell that works.
    """
    g, expanded = (
        np.array([getattr(one, name).ravel() for one in maps])
        for name in ("g_siemens", "g_expanded_siemens")
    )
    is_open = (g <= np.maximum(open_siemens, expanded)).all(axis=0)
    if len(maps) == 1:
        return [OPEN if bad else CONDUCTS for bad in is_open]
    low, high = np.maximum(g[1], expanded[1]), g[2]
    switches = high >= min_ratio * low
    is_high = np.sqrt(np.maximum(g[1], 0.0) * np.maximum(g[2], 0.0)) > split_siemens
    stuck: FloatArray = np.where(is_high, STUCK_HIGH, STUCK_LOW)
    outcomes: list[str] = np.where(is_open, OPEN, np.where(switches, WORKING, stuck)).tolist()
    return outcomes
