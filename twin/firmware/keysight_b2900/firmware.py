"""A Keysight B2901A or B2902A at the far end of a wire.

Modelled: sources (fixed, sweeps, lists, pulses), measurement, limits and protection, ranges, arm
and trigger layers, runs, data in all formats, trace buffers, status, error queue. The default
command set is spoken. Anything else (limit tests, math, program memory, mass memory, digital lines,
LXI, the conventional command set) is -113, or -221 where a known command asks for it.

Source: SCPI command reference B2910-90030, user's guide B2910-90010, data sheet 5990-7009EN; each
module says which part, and what is assumed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from twin.firmware.keithley2600.open_terminals import OpenTerminals
from twin.firmware.keysight_b2900.data_commands import DataCommands
from twin.firmware.keysight_b2900.instrument import Instrument
from twin.firmware.keysight_b2900.model import MODELS
from twin.firmware.keysight_b2900.parameters import no_such_channel, node
from twin.firmware.keysight_b2900.sense_commands import SenseCommands
from twin.firmware.keysight_b2900.source_commands import SourceCommands
from twin.firmware.keysight_b2900.system_commands import SystemCommands
from twin.firmware.keysight_b2900.trigger_commands import TriggerCommands
from twin.firmware.scpi import Command, ScpiEngine
from twin.wiring import SmuTerminals

N_COMMANDS_KEPT = 10_000


class KeysightB2900Firmware:
    """A Keysight B2901A or B2902A; a ``ByteDevice``.

    Bench time passes in measurements and runs. A run goes on when a message arrives.

    Args:
        terminals: ideal output terminals of channel 1.
        line_frequency_hz: of the simulated mains, 50 or 60.
        model: ``B2901A`` or ``B2902A``.
        second: ideal output terminals of channel 2; nothing is connected there if not given.
        epoch: how often the instrument has been calibrated; its errors are others each time.
        is_ideal: no errors and no noise.
        lead_ohm: of both leads of a channel, there and back; four-wire sensing does without them.

    Attributes:
        commands_seen: the last messages that arrived, without terminator.
    """

    def __init__(
        self,
        terminals: SmuTerminals,
        line_frequency_hz: int = 50,
        *,
        model: str = "B2901A",
        second: SmuTerminals | None = None,
        epoch: int = 0,
        is_ideal: bool = False,
        lead_ohm: float = 0.0,
    ) -> None:
        self.commands_seen: deque[str] = deque(maxlen=N_COMMANDS_KEPT)
        both = (terminals, second or OpenTerminals(terminals))
        self._instrument = Instrument(
            model,
            both[: MODELS[model]],
            line_frequency_hz,
            epoch=epoch,
            is_ideal=is_ideal,
            lead_ohm=lead_ohm,
        )
        self._system_commands = SystemCommands(self._instrument, model, terminals.serial_number)
        self._engine = ScpiEngine(
            self._table(),
            self._instrument.registers.errors,
            self._message_arrives,
        )

    @property
    def output_on(self) -> bool:
        """Whether the output of channel 1 is on."""
        return self._instrument.channels[1].is_on

    @property
    def output_off_count(self) -> int:
        """How often an output was switched off, by whatever command."""
        return self._instrument.output_off_count

    def receive(self, data: bytes) -> bytes:
        """Take what arrived and return the replies."""
        replies = self._engine.receive(data)
        self._instrument.message_is_over()
        return replies

    def power_cycle(self) -> None:
        """Lose the power for a moment: outputs off, settings of a reset, status cleared."""
        self._system_commands.reset()
        self._instrument.reset_timer()
        self._instrument.registers.power_on()
        self._engine.forget()
        self._instrument.message_is_over()

    def _message_arrives(self, message: str) -> None:
        self.commands_seen.append(message)
        self._instrument.system.message_arrives()
        if "?" in message:
            self._instrument.system.look()
            self._instrument.update()

    def _table(self) -> list[Command]:
        instrument = self._instrument
        commands = [
            *self._system_commands.commands(),
            *instrument.registers.commands(instrument.finish),
            *TriggerCommands(instrument).commands(),
            *DataCommands(instrument).commands(),
        ]
        for channel in instrument.channels.values():
            commands += SourceCommands(instrument, channel).commands()
            commands += SenseCommands(instrument, channel).commands()
        if len(instrument.channels) == 1:
            commands += _refused(commands)
        return commands


def _refused(commands: Iterable[Command]) -> list[Command]:
    """Return the commands of channel 2, for an instrument that has none."""
    refused = []
    for word in ("SOURce", "SENSe", "OUTPut", "TRIGger", "ARM", "TRACe"):
        first = node(word, 1)
        for command in commands:
            pattern = command.pattern.replace(f"[{first}]", first, 1)
            if pattern.startswith(first) and ":LXI" not in pattern:
                refused.append(
                    replace(
                        command,
                        pattern=node(word, 2) + pattern.removeprefix(first),
                        write=no_such_channel if command.write else None,
                        query=no_such_channel if command.query else None,
                    )
                )
    return refused
