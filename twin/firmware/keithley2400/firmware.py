"""A Keithley 2400 at the far end of a wire.

Modelled: voltage and current source with compliance, measurement of voltage, current and resistance
with ranges and filters, data formats, the trigger model with linear, logarithmic and list sweeps,
the buffer with its statistics, power, relative offset and limit tests, status registers, saved
setups. What is not modelled is -113.

Assumed, because the manual leaves it open: settings are answered without a plus sign; front and
rear terminals are wired to the same place.

Source: manual 2400S-900-01 Rev. K, sections 14 (messages), 16 (*SAV, *RCL), 1 (power-up).
"""

from __future__ import annotations

import copy
from collections import deque

from twin.firmware.keithley2400.calculate import Calculator
from twin.firmware.keithley2400.data_commands import DataCommands
from twin.firmware.keithley2400.meter import Meter
from twin.firmware.keithley2400.model import IDEAL_SMU, N_SETUPS, SMU
from twin.firmware.keithley2400.output import Output
from twin.firmware.keithley2400.sense_commands import SenseCommands
from twin.firmware.keithley2400.settings import Setup, preset
from twin.firmware.keithley2400.source_commands import SourceCommands
from twin.firmware.keithley2400.status import Keithley2400Status
from twin.firmware.keithley2400.system_commands import Panel, SystemCommands
from twin.firmware.keithley2400.trace import Trace
from twin.firmware.keithley2400.trigger import OVERRIDES, TriggerModel
from twin.firmware.keithley2400.trigger_commands import TriggerCommands
from twin.firmware.scpi import Command, ScpiEngine
from twin.firmware.source_measure import SourceMeasureCore
from twin.wiring import SmuTerminals

N_COMMANDS_KEPT = 10_000


class Keithley2400Firmware:
    """A Keithley 2400; a ``ByteDevice``.

    Bench time passes in source-delay-measure cycles and in the waits of the trigger model.

    Args:
        terminals: output terminals on the simulated bench.
        line_frequency_hz: of the simulated mains, 50 or 60.
        epoch: how often the instrument has been calibrated; its errors are others each time.
        is_ideal: no errors, no noise, no settling, no overheads: the terminals may have their own.
        lead_ohm: of both leads that carry the current, there and back.

    Attributes:
        commands_seen: the last messages that arrived, without terminator.
        output_off_count: how often the output was switched off, by whatever command.
    """

    def __init__(
        self,
        terminals: SmuTerminals,
        line_frequency_hz: int = 50,
        *,
        epoch: int = 0,
        is_ideal: bool = False,
        lead_ohm: float = 0.0,
    ) -> None:
        self.commands_seen: deque[str] = deque(maxlen=N_COMMANDS_KEPT)
        self.output_off_count = 0
        spec = IDEAL_SMU if is_ideal else SMU
        core = SourceMeasureCore(
            terminals,
            spec,
            line_frequency_hz,
            epoch=epoch,
            is_ideal=is_ideal,
            lead_ohm=lead_ohm,
        )
        self._output = Output(core, self._count_output_off)
        self._saved = {place: preset() for place in range(N_SETUPS)}
        self._panel = Panel(line_frequency_hz)
        self._output.setup = self._power_on_setup()
        self._status = Keithley2400Status(lambda: self._setup.register_format)
        self._meter = Meter(self._output, line_frequency_hz, is_ideal)
        self._trace = Trace()
        calculator = Calculator(self._output, self._status)
        self._model = TriggerModel(self._output, self._meter, calculator, self._trace, self._status)
        table = [
            *self._status.commands(),
            *SystemCommands(
                self._output,
                self._meter,
                self._panel,
                terminals.serial_number,
                self._reset,
                self._save,
                self._recall,
            ).commands(),
            *SourceCommands(self._output).commands(),
            *SenseCommands(self._output, self._model).commands(),
            *TriggerCommands(self._output, self._model).commands(),
            *DataCommands(self._output, self._trace, calculator, self._model).commands(),
        ]
        self._engine = ScpiEngine(table, self._status, self.commands_seen.append, self._holds)

    @property
    def output_on(self) -> bool:
        """Whether the output is on."""
        return self._output.is_on

    def receive(self, data: bytes) -> bytes:
        """Take what arrived and return the replies; bench time passes in measurements."""
        return self._engine.receive(data)

    def power_cycle(self) -> None:
        """Lose the power for a moment: output off, status cleared, the setup for power-on."""
        self._model.clear()
        self._output.switch_off_if_on()
        self._output.setup = self._power_on_setup()
        self._meter.reset_time()
        self._trace.set_control("NEV")
        self._status.power_on()
        self._engine.forget()

    @property
    def _setup(self) -> Setup:
        return self._output.setup

    def _holds(self, command: Command) -> bool:
        return not self._model.is_idle and command.pattern not in OVERRIDES

    def _count_output_off(self) -> None:
        self.output_off_count += 1

    def _power_on_setup(self) -> Setup:
        name = self._panel.power_on
        if name.startswith("SAV"):
            return copy.deepcopy(self._saved[int(name[-1])])
        return Setup() if name == "RST" else preset()

    def _reset(self, setup: Setup) -> None:
        """*RST, :SYSTem:PRESet: commands that wait are forgotten."""
        self._engine.drop_held()
        self._model.clear()
        self._output.switch_off()
        self._output.setup = setup

    def _save(self, place: int) -> None:
        self._saved[place] = copy.deepcopy(self._setup)

    def _recall(self, place: int) -> None:
        self._model.clear()
        self._output.switch_off_if_on()
        self._output.setup = copy.deepcopy(self._saved[place])
