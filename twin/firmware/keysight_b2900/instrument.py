"""What the commands of a B2900 act on: channels, trigger system, status, data.

Source: command reference B2910-90030, ":MEASure", ":READ", ":FETCh" (what they return, that they
wait), "OUTPut Subsystem" (automatic output on and off). Assumed: settings of an action that runs
are refused with +203, as are new runs and measurements; *OPC?, *WAI and :IDLE? of a run that waits
for an event, or has no end, are refused with +210 instead of waiting for ever; :MEASure switches
the output on as :READ does; another source function switches the output off; data of a run without
end are those that there are.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence

from twin.firmware.keysight_b2900.actions import KINDS, TRANSIENT
from twin.firmware.keysight_b2900.channel import Channel
from twin.firmware.keysight_b2900.model import MODELS, SMU
from twin.firmware.keysight_b2900.readings import NO_READING, DataFormat, Reading
from twin.firmware.keysight_b2900.settings import ChannelSetup
from twin.firmware.keysight_b2900.status import MEASURING, NOT_COMPLETED, Registers
from twin.firmware.keysight_b2900.trigger_system import TriggerSystem
from twin.firmware.scpi import ScpiError
from twin.firmware.source_measure import SourceMeasureCore
from twin.wiring import SmuTerminals


class Instrument:
    """Channels, the trigger system, status and data formats.

    Args:
        model: ``B2901A`` or ``B2902A``.
        terminals: ideal output terminals of each channel.
        line_frequency_hz: of the simulated mains.
        epoch: how often the instrument has been calibrated; its errors are others each time.
        is_ideal: no errors and no noise.
        lead_ohm: of both leads of a channel, there and back.

    Attributes:
        channels: by number.
        registers: status.
        system: the trigger system.
        data_format: how data are sent.
        line_frequency_hz: that integration times refer to.
        timer_auto_reset: whether a run starts the timer again.
        output_off_count: how often an output went off.
    """

    def __init__(
        self,
        model: str,
        terminals: Sequence[SmuTerminals],
        line_frequency_hz: int,
        *,
        epoch: int = 0,
        is_ideal: bool = False,
        lead_ohm: float = 0.0,
    ) -> None:
        self.output_off_count = 0
        self.line_frequency_hz = line_frequency_hz
        self.data_format = DataFormat()
        self.registers = Registers()
        self.timer_auto_reset = True
        self._now_s = terminals[0].now_s
        self._timer_zero_s = self._now_s()
        self.channels = {
            number: Channel(
                number,
                SourceMeasureCore(
                    terminals[number - 1],
                    SMU,
                    line_frequency_hz,
                    channel=str(number),
                    epoch=epoch,
                    is_ideal=is_ideal,
                    lead_ohm=lead_ohm,
                ),
                self._went_off,
                lambda t_s: t_s - self._timer_zero_s,
            )
            for number in range(1, MODELS[model] + 1)
        }
        self.system = TriggerSystem(self._now_s, self.registers.event_lost)
        self.update()

    def update(self) -> None:
        """Bring the status registers up to date."""
        self.registers.update(tuple(self.channels.values()), self.system)

    def message_is_over(self) -> None:
        """Let the outputs settle; from now on time passes without the instrument."""
        for channel in self.channels.values():
            channel.settle()
        self.system.message_is_over()

    def reset(self) -> None:
        """*RST: runs end, outputs go off, settings are those of a reset."""
        for channel in self.channels.values():
            self.system.abort([channel], KINDS)
            channel.reset()
        self.data_format = DataFormat()
        self.timer_auto_reset = True

    def set_line_frequency(self, frequency_hz: int) -> None:
        """Let integration times refer to another frequency of the mains."""
        self.check_idle()
        self.line_frequency_hz = frequency_hz
        for channel in self.channels.values():
            channel.core.line_frequency_hz = frequency_hz

    # --- runs -------------------------------------------------------------------------------

    def check_idle(self, channels: Iterable[Channel] = (), kinds: Iterable[str] = KINDS) -> None:
        """Refuse what cannot be done during a run of these channels; of all if none are given.

        Raises:
            ScpiError: +203.
        """
        kinds = tuple(kinds)
        for channel in tuple(channels) or self.channels.values():
            if any(self.system.action(channel, kind) for kind in kinds):
                raise ScpiError(*MEASURING)

    def initiate(self, numbers: Sequence[int], kinds: Sequence[str]) -> None:
        """Begin device actions.

        Raises:
            ScpiError: +203, one of them runs already; -221, levels do not fit.
        """
        channels = [self.channels[number] for number in numbers]
        self.check_idle(channels, kinds)
        if self.timer_auto_reset and not self.system.is_running:
            self.reset_timer()
        self.system.initiate(channels, kinds)
        for channel in channels:
            if TRANSIENT not in kinds or len(kinds) > 1:
                channel.readings.clear()
            self._switch_on(channel)
        self.update()

    def finish(self) -> None:
        """Wait for the end of all runs.

        Raises:
            ScpiError: +210, it does not come by itself.
        """
        done = self.system.finish()
        self.update()
        if not done:
            raise ScpiError(*NOT_COMPLETED)

    def switch_off(self, channel: Channel) -> None:
        """Output off; its run ends."""
        self.system.abort([channel], KINDS)
        channel.switch_off()

    def recall(self, channel: Channel, setup: ChannelSetup) -> None:
        """Take over settings that were kept; the output goes off."""
        self.switch_off(channel)
        channel.setup = copy.deepcopy(setup)
        channel.to_immediate_level()

    def _switch_on(self, channel: Channel) -> None:
        if channel.setup.output.on_auto:
            channel.switch_on()

    def _went_off(self, channel: Channel) -> None:
        self.output_off_count += 1
        self.system.abort([channel], KINDS)

    # --- timer ------------------------------------------------------------------------------

    @property
    def timer_s(self) -> float:
        """Time since the timer was started."""
        return self._now_s() - self._timer_zero_s

    def reset_timer(self) -> None:
        """Start the timer again."""
        self._timer_zero_s = self._now_s()

    # --- data -------------------------------------------------------------------------------

    def measure(self, numbers: Sequence[int], elements: Sequence[str] | None = None) -> str:
        """Take one reading on each channel, one after the other; return the data.

        Raises:
            ScpiError: +203, during a run.
        """
        channels = [self.channels[number] for number in numbers]
        self.check_idle(channels)
        for channel in channels:
            channel.readings.clear()
            self._switch_on(channel)
            self.system.measure(channel)
        return self.latest(numbers, elements)

    def fetch(self) -> None:
        """Wait for the data of a run; what is there has to do if it does not end."""
        self.system.finish()
        self.update()

    def latest(self, numbers: Sequence[int], elements: Sequence[str] | None = None) -> str:
        """Return the latest reading of each channel."""
        found = [self.channels[number].readings for number in numbers]
        rows = [readings[-1] if readings else NO_READING for readings in found]
        return self.encode(rows, elements)

    def arrays(self, numbers: Sequence[int], elements: Sequence[str] | None = None) -> str:
        """Return all readings of the channels in turns; those that have fewer are filled up."""
        columns = [self.channels[number].readings for number in numbers]
        n_rows = max(1, *(len(column) for column in columns))
        rows = [
            column[k] if k < len(column) else NO_READING
            for k in range(n_rows)
            for column in columns
        ]
        return self.encode(rows, elements)

    def encode(self, rows: Iterable[Reading], elements: Sequence[str] | None = None) -> str:
        """Return readings as a reply; the elements are those of the data format if not given."""
        names = self.data_format.elements if elements is None else elements
        return self.data_format.encode([value for row in rows for value in row.select(names)])
