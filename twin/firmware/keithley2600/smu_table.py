"""``smua`` and ``smub`` as scripts see them.

Source: manual 2600BS-901-01, "TSP command reference: smuX".
"""

from __future__ import annotations

from collections.abc import Callable

from twin.firmware.keithley2600.channel import Channel
from twin.firmware.keithley2600.measure_table import measure_and_step, measure_table
from twin.firmware.keithley2600.meter import Meter
from twin.firmware.keithley2600.source_table import source_table
from twin.firmware.keithley2600.sweep import Sweep
from twin.firmware.keithley2600.sweep_table import sweep_table
from twin.firmware.tsp.buffers import DEDICATED_CAPACITY, Buffer, Memory
from twin.firmware.tsp.errors import (
    BUFFER_NOT_FOUND,
    COMMAND_UNAVAILABLE,
    INVALID_PARAMETER,
    TspError,
)
from twin.firmware.tsp.tables import Attribute, Function, Refused, Table, one_of, whole

MAX_BUFFER = 1_000_000
SENSE_CALA = 3

CONSTANTS = {
    "OUTPUT_DCAMPS": 0, "OUTPUT_DCVOLTS": 1,
    "OUTPUT_OFF": 0, "OUTPUT_ON": 1, "OUTPUT_HIGH_Z": 2, "OUTPUT_NORMAL": 0, "OUTPUT_ZERO": 1,
    "OE_NONE": 0, "OE_OUTPUT_OFF": 1,
    "SENSE_LOCAL": 0, "SENSE_REMOTE": 1, "SENSE_CALA": SENSE_CALA,
    "AUTORANGE_OFF": 0, "AUTORANGE_ON": 1, "AUTORANGE_FOLLOW_LIMIT": 2,
    "AUTOZERO_OFF": 0, "AUTOZERO_ONCE": 1, "AUTOZERO_AUTO": 2,
    "FILTER_OFF": 0, "FILTER_ON": 1,
    "FILTER_MOVING_AVG": 0, "FILTER_REPEAT_AVG": 1, "FILTER_MEDIAN": 2,
    "REL_OFF": 0, "REL_ON": 1, "DELAY_OFF": 0, "DELAY_AUTO": -1,
    "DISABLE": 0, "ENABLE": 1, "ASYNC": 2, "SOURCE_IDLE": 0, "SOURCE_HOLD": 1,
    "SETTLE_SMOOTH": 0, "SETTLE_FAST_RANGE": 1, "SETTLE_FAST_POLARITY": 2,
    "SETTLE_DIRECT_IRANGE": 3, "SETTLE_SMOOTH_100NA": 4, "SETTLE_FAST_ALL": 128,
}  # fmt: skip


class Smu:
    """A channel with everything around it.

    Args:
        channel: source and settings.
        meter: what takes its readings.
        sweep: its trigger model.
        memory: what buffers of scripts share.

    Attributes:
        table: as scripts see it.
    """

    def __init__(self, channel: Channel, meter: Meter, sweep: Sweep, memory: Memory) -> None:
        self.channel = channel
        self.sweep = sweep
        self._meter = meter
        self._memory = memory
        name = f"smu{channel.name}"
        self._dedicated = [
            Buffer(f"{name}.nvbuffer{k}", DEDICATED_CAPACITY, collects_times=True) for k in (1, 2)
        ]
        self.table = Table(name, self._members(name))

    def reset(self) -> None:
        """Return to the settings of a reset; output off, buffers as they are."""
        self.sweep.reset()
        self.channel.reset()
        self._meter.forget()

    def _members(self, name: str) -> dict[str, object]:
        channel, meter = self.channel, self._meter

        def function(short: str, body: Callable[..., object], n: int = 0) -> Function:
            return Function(f"{name}.{short}", body, n)

        members: dict[str, object] = {
            "source": source_table(channel),
            "measure": measure_table(channel, meter),
            "trigger": sweep_table(channel, self.sweep, f"{name}.trigger"),
            "sense": Attribute(lambda: float(channel.sense), self._set_sense),
            "nvbuffer1": self._dedicated[0],
            "nvbuffer2": self._dedicated[1],
            "buffer": Table(
                f"{name}.buffer",
                {
                    "getstats": function("buffer.getstats", _statistics, 1),
                    "recalculatestats": function("buffer.recalculatestats", _check_buffer, 1),
                },
            ),
            "makebuffer": function("makebuffer", self._make_buffer, 1),
            "savebuffer": function("savebuffer", self._save_buffer, 1),
            "reset": function("reset", lambda *_: self.reset()),
            "abort": function("abort", lambda *_: self.sweep.abort()),
            "cal": Refused(f"{name}.cal", ("lock", "unlock", "restore", "save")),
            "contact": Refused(f"{name}.contact", ("check", "r", "calibratehi", "calibratelo")),
        }
        return members | measure_and_step(channel, meter) | CONSTANTS

    def _set_sense(self, value: object) -> None:
        wanted = one_of(0, 1, SENSE_CALA)(value)
        if wanted == SENSE_CALA:
            raise TspError(COMMAND_UNAVAILABLE)
        self.channel.set_sense(wanted)

    def _make_buffer(self, capacity: object, *_: object) -> Buffer:
        return self._memory.make(whole(1, MAX_BUFFER)(capacity))

    def _save_buffer(self, buffer: object, *_: object) -> None:
        """Keep a dedicated buffer; here it lives as long as the instrument anyway."""
        _check_buffer(buffer)
        if buffer not in self._dedicated:
            raise TspError(BUFFER_NOT_FOUND)


def _check_buffer(buffer: object, *_: object) -> None:
    if not isinstance(buffer, Buffer):
        raise TspError(INVALID_PARAMETER, 1)


def _statistics(buffer: object, *_: object) -> Table:
    if not isinstance(buffer, Buffer):
        raise TspError(INVALID_PARAMETER, 1)
    return buffer.statistics()
