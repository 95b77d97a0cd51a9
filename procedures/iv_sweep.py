"""Current against voltage: the pinched hysteresis loop of one device."""

from __future__ import annotations

import numpy as np
from pymeasure.experiment import FloatParameter, IntegerParameter, ListParameter, Parameter

from hil.limits import LimitChecker
from hil.types import BoardInfo, FloatArray
from procedures.base import BoardProcedure
from procedures.selection import select_one


class IVSweep(BoardProcedure):
    """Sweep the source through closed loops and record the current.

    Each point is measured as soon as it has settled, and then holds its voltage for the rest of the
    step time. The device is switched by it: it is left in the state in which the last loop ends.
    """

    device = Parameter("Device", default="W01", description="Device name")
    amplitude_v = FloatParameter(
        "Amplitude",
        units="V",
        default=0.8,
        minimum=0.001,
        maximum=10,
        description="Peak of the source voltage, SET direction",
    )
    reset_amplitude_v = FloatParameter(
        "RESET amplitude",
        units="V",
        default=0.8,
        minimum=0,
        maximum=10,
        description="Magnitude of the peak in the RESET direction",
    )
    shape = ListParameter("Shape", choices=["sine", "triangle"], default="sine")
    points = IntegerParameter(
        "Points", default=100, minimum=8, maximum=100_000, description="Points in one loop"
    )
    step_s = FloatParameter(
        "Step time",
        units="s",
        default=0.01,
        minimum=1e-6,
        maximum=60,
        description="How long each point is held; a lower bound where the instrument is slower",
    )
    loops = IntegerParameter("Loops", default=2, minimum=1, maximum=100_000)

    DATA_COLUMNS = [
        "Loop",
        "Time (s)",
        "Source voltage (V)",
        "Device voltage (V)",
        "Current (A)",
    ]

    def check_plan(self, info: BoardInfo, limits: LimitChecker) -> None:
        """Check the whole loop on the device."""
        limits.check_sweep(select_one(info, self.device), self._waveform_v(), self.step_s)

    def execute(self) -> None:
        """Run the loops, one sweep of the board each."""
        cells = select_one(self.board.info, self.device)
        waveform_v = self._waveform_v()
        for k in range(self.loops):
            self.stop_if_asked()
            trace = self.board.sweep(cells, waveform_v, self.step_s)
            self.emit(
                "batch results",
                {
                    "Loop": [k + 1] * len(trace.t_s),
                    "Time (s)": trace.t_s.tolist(),
                    "Source voltage (V)": trace.v_source_v.tolist(),
                    "Device voltage (V)": trace.v_device_v.tolist(),
                    "Current (A)": trace.i_a.tolist(),
                },
            )
            self.progress((k + 1) / self.loops)

    def _waveform_v(self) -> FloatArray:
        return loop(self.shape, self.points, self.amplitude_v, self.reset_amplitude_v)


def loop(shape: str, n_points: int, set_v: float, reset_v: float) -> FloatArray:
    """Return one closed loop 0, +set, 0, -reset, 0 as ``n_points`` voltages.

    Args:
        shape: ``sine`` or ``triangle``.
        n_points: in the whole loop.
        set_v: peak in the SET direction.
        reset_v: magnitude of the peak in the RESET direction.
    """
    phase = 2 * np.pi * np.arange(1, n_points + 1) / n_points
    unit = np.sin(phase) if shape == "sine" else 2 / np.pi * np.arcsin(np.sin(phase))
    waveform_v: FloatArray = np.where(unit > 0, set_v * unit, reset_v * unit)
    return waveform_v
