"""pymeasure's Keithley 2400 with list sweeps of a voltage, which it lacks.

Source: Series 2400 SourceMeter User's Manual, 2400S-900-01 Rev. K, section 18 (SOURce1:LIST, ARM,
TRIGger, TRACe).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pymeasure.instruments import Instrument
from pymeasure.instruments.keithley import Keithley2400
from pymeasure.instruments.validators import strict_discrete_set, strict_range

from hil.types import FloatArray

IN_COMPLIANCE = 1 << 3  # of the status word (FORMat:ELEMents)
IN_RANGE_COMPLIANCE = 1 << 16


class Keithley2400ListSweeps(Keithley2400):
    """A Keithley 2400 that runs through lists of voltages at its own pace."""

    source_voltage_mode = Instrument.control(
        ":SOURCE:VOLTAGE:MODE?",
        ":SOURCE:VOLTAGE:MODE %s",
        """Control what the voltage source does at a trigger (str: 'fixed', 'list' or 'sweep').""",
        validator=strict_discrete_set,
        values={"fixed": "FIX", "list": "LIST", "sweep": "SWE"},
        map_values=True,
    )

    sweep_ranging = Instrument.control(
        ":SOURCE:SWEEP:RANGING?",
        ":SOURCE:SWEEP:RANGING %s",
        """Control the source range of a sweep (str: 'best', 'auto' or 'fixed').""",
        validator=strict_discrete_set,
        values={"best": "BEST", "auto": "AUTO", "fixed": "FIX"},
        map_values=True,
    )

    source_voltage_list = Instrument.control(
        ":SOURCE:LIST:VOLTAGE?",
        ":SOURCE:LIST:VOLTAGE %s",
        """Control the levels of a list sweep in volts (list of up to 100 floats).""",
        set_process=lambda levels_v: ",".join(f"{level_v:g}" for level_v in levels_v),
        get_process_list=lambda levels_v: [float(level_v) for level_v in levels_v],
    )

    cycle_delay = Instrument.control(
        ":SOURCE:DELAY?",
        ":SOURCE:DELAY %.6f",
        """Control the source delay in seconds to the microsecond (float).""",
        validator=strict_range,
        values=[0, 999.9999],
    )

    arm_period = Instrument.control(
        ":ARM:TIMER?",
        ":ARM:TIMER %.5f",
        """Control the arm layer timer in seconds to 10 us (float).""",
        validator=strict_range,
        values=[0.001, 99999.99],
    )

    buffer_size = Instrument.control(
        ":TRACE:POINTS?",
        ":TRACE:POINTS %d",
        """Control the size of the buffer (int from 1 to 2500; the buffer is empty then).""",
        validator=strict_range,
        values=[1, 2500],
        cast=int,
    )

    n_buffered = Instrument.measurement(
        ":TRACE:POINTS:ACTUAL?",
        """Get the number of readings in the buffer (int).""",
        cast=int,
    )

    def load_list(self, levels_v: Sequence[float], n_repeats: int, period_s: float) -> None:
        """Prepare a list sweep that is repeated every ``period_s``, and the buffer for it."""
        self.source_voltage_mode = "list"
        self.sweep_ranging = "fixed"
        self.source_voltage_list = levels_v
        self.write(f":ARM:COUNT 1;:TRIGGER:COUNT {len(levels_v)};:ARM:COUNT {n_repeats}")
        self.arm_source = "timer"
        self.arm_period = period_s
        self.trigger_delay = 0
        self.buffer_size = len(levels_v) * n_repeats
        self.write(":TRACE:FEED SENSE;:TRACE:FEED:CONTROL NEXT")

    def unload_list(self) -> None:
        """Return to a fixed level and to one reading for each trigger."""
        self.source_voltage_mode = "fixed"
        self.write(":ARM:COUNT 1;:TRIGGER:COUNT 1;:ARM:SOURCE IMM")
        self.disable_buffer()

    def initiate(self) -> None:
        """Start the trigger model; the instrument answers nothing until it is idle again."""
        self.write(":INITIATE")

    def buffered_readings(self) -> FloatArray:
        """Return voltage, current and status word of each reading in the buffer, shape (n, 3)."""
        self.write(":FORMAT:ELEMENTS VOLTAGE, CURRENT, STATUS")
        try:
            values = self.values(":TRACE:DATA?")
        finally:
            self.reset_data_format()
        return np.array(values, dtype=float).reshape(-1, 3)
