"""Potentiation and depression: conductance after each pulse of a train."""

from __future__ import annotations

from pymeasure.experiment import FloatParameter, IntegerParameter, Parameter

from hil.errors import ParameterError
from hil.limits import LimitChecker
from hil.types import BoardInfo
from procedures.base import BoardProcedure
from procedures.selection import select_one


class PulseTrain(BoardProcedure):
    """Cycles of SET pulses (LTP) and RESET pulses (LTD) on one device, with a read after each."""

    device = Parameter("Device", default="W01", description="Device name")
    set_v = FloatParameter(
        "SET amplitude",
        units="V",
        default=0.5,
        minimum=0,
        maximum=10,
        description="At the source, before the series resistor",
    )
    set_step_v = FloatParameter(
        "SET step",
        units="V",
        default=0.0,
        minimum=0,
        maximum=1,
        description="Added to the amplitude from pulse to pulse; 0 shows the plateau",
    )
    reset_v = FloatParameter(
        "RESET amplitude",
        units="V",
        default=-0.6,
        minimum=-10,
        maximum=0,
        description="Negative, at the source",
    )
    reset_step_v = FloatParameter(
        "RESET step",
        units="V",
        default=0.0,
        minimum=-1,
        maximum=0,
        description="Added to the amplitude from pulse to pulse; negative",
    )
    width_s = FloatParameter(
        "Pulse width",
        units="s",
        default=0.02,
        minimum=1e-9,
        maximum=60,
        description="The station's instrument has a shortest one",
    )
    set_pulses = IntegerParameter("SET pulses", default=20, minimum=0, maximum=1_000_000)
    reset_pulses = IntegerParameter("RESET pulses", default=20, minimum=0, maximum=1_000_000)
    cycles = IntegerParameter("Cycles", default=2, minimum=1, maximum=1_000_000)
    v_read_v = FloatParameter("Read voltage", units="V", default=0.1, minimum=0.001, maximum=2)

    DATA_COLUMNS = [
        "Cycle",
        "Pulse",
        "Time (s)",
        "Amplitude (V)",
        "Width (s)",
        "Conductance (S)",
        "Uncertainty (S)",
        "Device energy (J)",
        "Source energy (J)",
    ]

    def check_plan(self, info: BoardInfo, limits: LimitChecker) -> None:
        """Check every amplitude of a cycle, and the read."""
        cell = select_one(info, self.device)
        if not self._cycle():
            raise ParameterError("a cycle has no pulses: give set_pulses or reset_pulses")
        for amplitude_v in self._cycle():
            limits.check_pulse(cell, amplitude_v, self.width_s, 1)
        limits.check_read(cell, self.v_read_v, allow_reverse=False)

    def execute(self) -> None:
        """Pulse and read, cycle after cycle."""
        cells = select_one(self.board.info, self.device)
        amplitudes_v = self._cycle()
        n_total = self.cycles * len(amplitudes_v)
        for k in range(n_total):
            self.stop_if_asked()
            cycle, position = divmod(k, len(amplitudes_v))
            pulses = self.board.pulse(cells, amplitudes_v[position], self.width_s)
            readings = self.board.measure(cells, self.v_read_v)
            self.emit(
                "results",
                {
                    "Cycle": cycle + 1,
                    "Pulse": k + 1,
                    "Time (s)": float(readings.t_s[0]),
                    "Amplitude (V)": float(pulses.amplitude_v[0]),
                    "Width (s)": float(pulses.width_measured_s[0]),
                    "Conductance (S)": float(readings.g_siemens[0]),
                    "Uncertainty (S)": float(readings.g_expanded_siemens[0]),
                    "Device energy (J)": float(pulses.energy.device_j[0]),
                    "Source energy (J)": float(pulses.energy.source_j[0]),
                },
            )
            self.progress((k + 1) / n_total)

    def _cycle(self) -> list[float]:
        """Return the amplitudes of one cycle."""
        sets = [self.set_v + k * self.set_step_v for k in range(self.set_pulses)]
        resets = [self.reset_v + k * self.reset_step_v for k in range(self.reset_pulses)]
        return [v for v in sets + resets if v != 0]
