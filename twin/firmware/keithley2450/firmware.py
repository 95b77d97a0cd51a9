"""A Keithley 2450 with its SCPI command set, at the far end of a wire.

Modelled: voltage and current source with limits and overvoltage protection, measurement of voltage,
current, resistance and power with filter, relative offset, math and limit tests, reading buffers by
name with statistics and binary formats, configuration lists, linear, logarithmic and list sweeps,
the trigger model with its blocks, templates and timers, event log, status registers, saved setups,
digital lines that nothing is connected to.

Refused with -113: contact check, event blenders, LAN triggers, scripts, files, network settings,
external data in buffers. ``*LANG`` is kept for the next power-on: this firmware speaks SCPI only.

Trigger models are overlapped: ``:INITiate`` returns, and the model runs on while bench time passes.
``*WAI``, ``*OPC?`` and ``*OPC`` wait for it. A model that never ends leaves ``*OPC?`` unanswered.

A level that was programmed settles before the next command is taken.

Assumed, because the bench does not tell its instruments that time has passed: a model that should
have run while others let time pass does so, late, when the next message arrives; a program that
asks for the state again and again lets ``POLL_S`` pass each time. Settings of source and
measurement are refused with -221 while a model runs; the output can be switched off.
"""

from __future__ import annotations

import math
from collections import deque

from twin.firmware.keithley2450.calculate_commands import CalculateCommands
from twin.firmware.keithley2450.commands import action, query
from twin.firmware.keithley2450.digital_commands import digital_commands
from twin.firmware.keithley2450.instrument import Instrument
from twin.firmware.keithley2450.reading_commands import ReadingCommands
from twin.firmware.keithley2450.sense_commands import SenseCommands
from twin.firmware.keithley2450.source_commands import SourceCommands
from twin.firmware.keithley2450.sweep_commands import SweepCommands
from twin.firmware.keithley2450.system_commands import SystemCommands
from twin.firmware.keithley2450.trigger_commands import TriggerCommands
from twin.firmware.keithley2450.trigger_model import TriggerModel
from twin.firmware.scpi import Command, ScpiEngine
from twin.wiring import SmuTerminals

POLL_S = 0.1
N_COMMANDS_KEPT = 10_000


class Keithley2450Firmware:
    """A Keithley 2450; a ``ByteDevice``.

    Bench time passes in measurements, source delays and trigger models. Front and rear terminals
    are wired to the same place.

    Args:
        terminals: ideal output terminals on the simulated bench.
        line_frequency_hz: of the simulated mains, 50 or 60.
        epoch: how often it has been calibrated; its errors are others each time.
        is_ideal: no errors and no noise.
        lead_ohm: of both leads, there and back; four-wire sensing does without them.

    Attributes:
        commands_seen: the last messages that arrived, without terminator.
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
        self._instrument = Instrument(
            terminals, line_frequency_hz, epoch=epoch, is_ideal=is_ideal, lead_ohm=lead_ohm
        )
        self._model = TriggerModel(self._instrument)
        self._turn_ended_s = terminals.now_s()
        self._caught_up = False
        self._completes = False
        model, log = self._model, self._instrument.log
        table = [
            *self._status_commands(),
            *SystemCommands(
                self._instrument,
                terminals.serial_number,
                self._reset,
                model.check_idle,
                self._poll,
            ).commands(),
            *SourceCommands(self._instrument, model.check_idle).commands(),
            *SenseCommands(self._instrument, model.check_idle).commands(),
            *CalculateCommands(self._instrument, model.check_idle).commands(),
            *digital_commands(lambda: self._instrument.digital),
            *ReadingCommands(self._instrument, model.check_idle, self._poll).commands(),
            *TriggerCommands(model, self._poll).commands(),
            *SweepCommands(model).commands(),
        ]
        self._engine = ScpiEngine(table, log, self._begin)

    @property
    def output_on(self) -> bool:
        """Whether the output is on."""
        return self._instrument.output.is_on

    @property
    def output_off_count(self) -> int:
        """How often the output went off, by whatever cause."""
        return self._instrument.output_off_count

    def receive(self, data: bytes) -> bytes:
        """Take what arrived and return the replies; bench time may pass."""
        replies = self._engine.receive(data)
        self._instrument.output.settle()
        self._turn_ended_s = self._model.now_s()
        return replies

    def _status_commands(self) -> list[Command]:
        """Return the common commands of the engine, with those that wait for the model."""
        own = ("*OPC", "*ESR", "*STB", ":STATus:QUEue")
        return [
            *(c for c in self._instrument.log.commands() if not c.pattern.startswith(own)),
            Command("*OPC", self._complete_later, self._complete),
            action("*WAI", self._finish),
            query("*ESR", self._event),
            query("*STB", self._byte),
        ]

    # --- time -------------------------------------------------------------------------------

    def _begin(self, message: str) -> None:
        """Let the model do what it should have done since the last message."""
        self.commands_seen.append(message)
        missed_s = self._model.now_s() - self._turn_ended_s
        self._caught_up = self._model.is_running and missed_s > 0
        if self._caught_up:
            self._run(self._model.now_s() + missed_s)
        self._turn_ended_s = self._model.now_s()

    def _poll(self) -> None:
        """Let some time pass for a program that asks again and again until something is over."""
        if self._model.is_running and not self._caught_up:
            self._run(self._model.now_s() + POLL_S)

    def _finish(self) -> None:
        """*WAI: run the model to its end."""
        self._run(math.inf)

    def _run(self, until_s: float) -> None:
        self._model.run(until_s)
        if self._completes and not self._model.is_running:
            self._completes = False
            self._instrument.log.operation_complete()

    # --- common commands --------------------------------------------------------------------

    def _reset(self) -> None:
        self._model.clear()
        self._instrument.reset()

    def _complete(self) -> str | None:
        self._finish()
        return None if self._model.is_running else "1"

    def _complete_later(self) -> None:
        self._completes = True
        self._run(self._model.now_s())

    def _event(self) -> str:
        self._poll()
        return str(self._instrument.log.take_event())

    def _byte(self) -> str:
        self._poll()
        return str(self._instrument.log.byte())
