"""What the commands and the trigger model of a Keithley 2450 act on.

Source: manual 2450-901-01, "Reading buffers", "Configuration lists", "Saving setups".
"""

from __future__ import annotations

import copy

from twin.firmware.keithley2450.buffers import (
    DEFAULT_NAMES,
    MAX_CAPACITY,
    MIN_CAPACITY,
    STAT_START_GROUP,
    Buffer,
    Reading,
    default_buffers,
)
from twin.firmware.keithley2450.digital_lines import DigitalLines
from twin.firmware.keithley2450.event_log import BUFFER_EMPTY, BUFFER_FULL, Clock, EventLog
from twin.firmware.keithley2450.meter import Meter
from twin.firmware.keithley2450.model import SMU
from twin.firmware.keithley2450.settings import (
    CURR,
    RES,
    ConfigurationList,
    ConfigurationLists,
    SenseSetup,
    Setup,
    StoredSetup,
)
from twin.firmware.keithley2450.source import OutputStage, conflict
from twin.firmware.scpi import OUT_OF_RANGE, ScpiError
from twin.firmware.source_measure import SourceMeasureCore
from twin.wiring import SmuTerminals

N_SAVED_SETUPS = 5
PARAMETER_ERROR = 1115
NO_SUCH_CONFIGURATION = (2790, "Configuration list, error, does not exist")


class Instrument:
    """Source, meter, buffers, configuration lists and log.

    Args:
        terminals: ideal output terminals on the simulated bench.
        line_frequency_hz: of the simulated mains.
        epoch: how often it has been calibrated; its errors are others each time.
        is_ideal: no errors and no noise.
        lead_ohm: of both leads, there and back.

    Attributes:
        core: source and converters.
        clock: date and time.
        log: events and status registers.
        output: the source and all settings.
        meter: takes readings.
        buffers: reading buffers by name.
        source_lists: source configuration lists.
        sense_lists: measure configuration lists.
        digital: digital lines.
        output_off_count: how often the output went off.
    """

    def __init__(
        self,
        terminals: SmuTerminals,
        line_frequency_hz: float,
        *,
        epoch: int = 0,
        is_ideal: bool = False,
        lead_ohm: float = 0.0,
    ) -> None:
        self.core = SourceMeasureCore(
            terminals, SMU, line_frequency_hz, epoch=epoch, is_ideal=is_ideal, lead_ohm=lead_ohm
        )
        self.clock = Clock(terminals.now_s)
        self.log = EventLog(self.clock)
        self.output_off_count = 0
        self.output = OutputStage(self.core, self.log, self._went_off)
        self.meter = Meter(self.output)
        self.buffers = default_buffers()
        self.source_lists = ConfigurationLists()
        self.sense_lists = ConfigurationLists()
        self.digital = DigitalLines()
        self._saved: dict[int, Setup] = {}

    @property
    def setup(self) -> Setup:
        """All settings."""
        return self.output.setup

    def reset(self) -> None:
        """*RST: output off, settings of a reset; own buffers and lists are gone."""
        self.output.switch_off()
        self.output.setup = Setup()
        self.meter.forget()
        self.buffers = default_buffers()
        self.source_lists = ConfigurationLists()
        self.sense_lists = ConfigurationLists()
        self.digital = DigitalLines()

    def set_sense_function(self, function: str) -> None:
        """Measure something else; the instrument sources current itself to measure resistance."""
        sense = self.setup.sense
        self.meter.forget()
        if function == RES and sense.function != RES:
            self.output.set_function(CURR)
            self.output.switch_off()
        sense.function = function
        self.output.sense_range_moved()

    def save_setup(self, number: int) -> None:
        """*SAV: keep all settings."""
        self._saved[number] = copy.deepcopy(self.setup)

    def recall_setup(self, number: int) -> None:
        """*RCL: take over settings that were kept; output off."""
        if number not in self._saved:
            raise conflict("no setup is saved there")
        self.output.switch_off()
        self.output.setup = copy.deepcopy(self._saved[number])
        self.meter.forget()

    # --- buffers ----------------------------------------------------------------------------

    def buffer(self, name: str) -> Buffer:
        """Return a reading buffer.

        Raises:
            ScpiError: there is none of that name.
        """
        if name not in self.buffers:
            raise ScpiError(PARAMETER_ERROR, f"Parameter error: reading buffer {name} not found")
        return self.buffers[name]

    def make_buffer(self, name: str, capacity: int) -> None:
        """Make a reading buffer."""
        if name in self.buffers:
            raise ScpiError(
                PARAMETER_ERROR,
                "Parameter error: TRACe:MAKE cannot take an existing reading buffer name",
            )
        self._check_capacity(capacity, None)
        self.buffers[name] = Buffer(capacity)

    def delete_buffer(self, name: str) -> None:
        """Remove a reading buffer that was made."""
        self.buffer(name)
        if name in DEFAULT_NAMES:
            raise conflict("default reading buffers cannot be deleted")
        del self.buffers[name]

    def resize_buffer(self, name: str, capacity: int) -> None:
        """Let a reading buffer hold another number of readings; it is empty then."""
        buffer = self.buffer(name)
        self._check_capacity(capacity, buffer)
        buffer.capacity = capacity
        self.clear_buffer(name)

    def clear_buffer(self, name: str) -> None:
        """Empty a reading buffer."""
        buffer = self.buffer(name)
        buffer.clear()
        if buffer.logs:
            self.log.log(*BUFFER_EMPTY)

    def measure_into(self, name: str, count: int, *, starts_group: bool = True) -> Reading:
        """Take readings into a buffer; return the last. Bench time passes."""
        buffer = self.buffer(name)
        reading = self._measure_into(buffer, STAT_START_GROUP if starts_group else 0)
        for _ in range(count - 1):
            reading = self._measure_into(buffer)
        return reading

    def _measure_into(self, buffer: Buffer, status: int = 0) -> Reading:
        reading = self.meter.measure().with_status(status)
        if buffer.store(reading) and buffer.logs:
            self.log.log(*BUFFER_FULL)
        return reading

    def _check_capacity(self, capacity: int, instead_of: Buffer | None) -> None:
        used = sum(b.capacity for b in self.buffers.values() if b is not instead_of)
        if not MIN_CAPACITY <= capacity <= MAX_CAPACITY - used:
            raise ScpiError(OUT_OF_RANGE)

    # --- configuration lists ----------------------------------------------------------------

    def store_source(self, name: str, index: int | None) -> None:
        """Store the source settings in a configuration list."""
        source = self.setup.source
        _store(_found(self.source_lists, name), index, source.restored(source))

    def store_sense(self, name: str, index: int | None) -> None:
        """Store the measurement settings in a configuration list."""
        sense = self.setup.sense
        _store(_found(self.sense_lists, name), index, sense.restored(sense))

    def recall(self, name: str, index: int) -> None:
        """Take over the settings at a position of a source or measure configuration list."""
        self._take_over(self.configuration(name).recall(index))

    def recall_step(self, name: str, by: int) -> None:
        """Take over the settings at the next or previous position of a configuration list."""
        self._take_over(self.configuration(name).step(by))

    def configuration(self, name: str) -> ConfigurationList:
        """Return a configuration list of either kind.

        Raises:
            ScpiError: there is none of that name.
        """
        return self.source_lists.find(name) or _found(self.sense_lists, name)

    def _take_over(self, stored: StoredSetup | None) -> None:
        if stored is None:
            raise ScpiError(*NO_SUCH_CONFIGURATION)
        if isinstance(stored, SenseSetup):
            self.setup.sense = self.setup.sense.restored(stored)
            self.output.sense_range_moved()
        else:
            self.output.restore(stored)

    def _went_off(self) -> None:
        self.output_off_count += 1


def _found(lists: ConfigurationLists, name: str) -> ConfigurationList:
    found = lists.find(name)
    if found is None:
        raise ScpiError(*NO_SUCH_CONFIGURATION)
    return found


def _store(one: ConfigurationList, index: int | None, setup: StoredSetup) -> None:
    n = len(one.entries)
    index = n + 1 if index is None else index
    if not 1 <= index <= n + 1:
        raise ScpiError(*NO_SUCH_CONFIGURATION)
    one.entries[index - 1 : index] = [setup]
