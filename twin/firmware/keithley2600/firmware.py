"""Firmware of a Keithley 2602B or 2636B over simulated terminals.

Scripts run in a real Lua interpreter (``twin.firmware.tsp.sandbox``). Modelled: what the tables of
this package hold; what the instrument has beyond them is refused with error 1100.

Bench time passes in measurements, delays, range changes and sweeps; commands themselves take none.
What overlaps a script on the instrument (sweeps, overlapped measurements) is finished at the latest
when its message is; a sweep that waits for an event that nothing makes stays where it is.

Source: manual 2600BS-901-01; data sheets in ``models``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from importlib import resources

from twin.firmware.keithley2600 import data_tables, node_tables, panel_tables
from twin.firmware.keithley2600.channel import Channel
from twin.firmware.keithley2600.meter import Meter
from twin.firmware.keithley2600.models import K2602B, Model
from twin.firmware.keithley2600.open_terminals import OpenTerminals
from twin.firmware.keithley2600.smu_table import Smu
from twin.firmware.keithley2600.sweep import Sweep
from twin.firmware.keithley2600.time_tables import time_tables
from twin.firmware.keithley2600.trigger_table import trigger_table
from twin.firmware.source_measure import SourceMeasureCore
from twin.firmware.tsp.buffers import Memory
from twin.firmware.tsp.errors import ErrorQueue, LuaFault, ScriptEnd, TspError
from twin.firmware.tsp.events import Detector, Events
from twin.firmware.tsp.formatting import Format
from twin.firmware.tsp.messages import Common, Messages, Output, mask
from twin.firmware.tsp.sandbox import Bounds, Sandbox
from twin.firmware.tsp.status import CURRENT_LIMIT, OPERATION_COMPLETE, VOLTAGE_LIMIT, Status
from twin.firmware.tsp.tables import Function, Host, Refused, Table, refused_functions
from twin.wiring import SmuTerminals

REVISION = "3.4.2"
N_COMMANDS_KEPT = 10_000
MAX_NOTED = 1000
"""Characters that are kept of each."""

DYNAMIC_READINGS = 200_000
FACTORY = {"KISweep": "kisweep.lua", "KIPulse": "kipulse.lua"}


class Keithley2600Firmware:
    """A two-channel instrument of the 2600B series at the far end of a wire; a ``ByteDevice``.

    Args:
        terminals: of channel A, ideal, on the simulated bench.
        terminals_b: of channel B; nothing is connected to it if not given.
        model: of the instrument.
        line_frequency_hz: of the simulated mains.
        epoch: how often it has been calibrated; the errors of its converters depend on it.
        is_ideal: converters without errors and noise.
        lead_ohm: of both leads that carry the current of a channel, there and back.
        bounds: what one message may take.

    Attributes:
        commands_seen: the last messages that arrived, without terminator.
        output_off_count: how often an output was switched off, by whatever command.
    """

    def __init__(
        self,
        terminals: SmuTerminals,
        *,
        terminals_b: SmuTerminals | None = None,
        model: Model = K2602B,
        line_frequency_hz: float = 50.0,
        epoch: int = 0,
        is_ideal: bool = False,
        lead_ohm: float = 0.0,
        bounds: Bounds | None = None,
    ) -> None:
        self.commands_seen: deque[str] = deque(maxlen=N_COMMANDS_KEPT)
        self.output_off_count = 0
        self._node = node_tables.Node(
            model.name, terminals.serial_number, REVISION, line_frequency_hz
        )
        self._model = model
        self._terminals = terminals
        self._errors = ErrorQueue()
        self._format = Format()
        bounds = bounds or Bounds()
        self._output = Output(bounds.output_bytes)
        self._sandbox = Sandbox(self._errors, bounds)
        self._events = Events(terminals.now_s, self._wait_s, self._sandbox.spend)
        self._memory = Memory(DYNAMIC_READINGS, self._sandbox.collect)

        def core(name: str, its: SmuTerminals) -> SourceMeasureCore:
            return SourceMeasureCore(
                its,
                model.smu,
                line_frequency_hz,
                channel=name,
                epoch=epoch,
                is_ideal=is_ideal,
                lead_ohm=lead_ohm,
            )

        cores = {"a": core("a", terminals), "b": core("b", terminals_b or OpenTerminals(terminals))}
        self._smus = {name: self._smu(name, its) for name, its in cores.items()}
        self._events.waiting += [smu.sweep for smu in self._smus.values()]
        self._trigger_id = self._events.new_event()
        self._status = Status(self._errors, self._limits, lambda: self._output.has_message)
        self._messages = Messages(
            self._sandbox,
            self._errors,
            self._output,
            self._common(),
            self._note,
            self._after_message,
        )
        for host in self._tables():
            self._sandbox.define(host)
        for script, file in FACTORY.items():
            path = resources.files("twin.firmware.keithley2600").joinpath(file)
            self._sandbox.install(script, path.read_text(encoding="utf-8"))

    @property
    def output_on(self) -> bool:
        """Whether the output of a channel is on."""
        return any(smu.channel.is_on for smu in self._smus.values())

    def receive(self, data: bytes) -> bytes:
        """Take what arrived and return the replies; bench time passes in measurements."""
        return self._messages.receive(data)

    # --- assembly ---------------------------------------------------------------------------

    def _smu(self, name: str, core: SourceMeasureCore) -> Smu:
        def take_turn() -> None:
            self._settle_others(name)

        channel = Channel(name, self._model, core, take_turn, self._count_off)
        meter = Meter(channel, take_turn, self._sandbox.spend)
        return Smu(channel, meter, Sweep(channel, meter, self._events), self._memory)

    def _tables(self) -> list[Host]:
        command = Detector(self._trigger_id)
        self._events.detectors.append(command)
        local = node_tables.node_table(self._node, self._messages.manners, self._reset)
        tables = [
            *(smu.table for smu in self._smus.values()),
            node_tables.error_table(self._errors),
            node_tables.format_table(self._format),
            *node_tables.printing(self._format, self._output),
            *time_tables(
                self._terminals.now_s,
                self._events.pass_s,
                self._finish,
                lambda: self._status.set_event(OPERATION_COMPLETE),
            ),
            trigger_table(self._events, command, self._trigger_id),
            self._status.table(),
            panel_tables.display_table(tuple(smu.table.name for smu in self._smus.values())),
            panel_tables.beeper_table(),
            panel_tables.link_table(),
            panel_tables.save_function(),
            data_tables.bit_table(),
            data_tables.string_table(),
            Function("reset", lambda *_: self._reset()),
            *refused_functions(panel_tables.REFUSED_FUNCTIONS).values(),
            *(Refused(name, functions) for name, functions in panel_tables.REFUSED.items()),
        ]
        local.members |= {table.name: table for table in tables if isinstance(table, Table)}
        return [local, node_tables.Nodes(local), *tables]

    def _common(self) -> dict[str, Common]:
        status, node = self._status, self._node

        def silent(action: Callable[[], object]) -> Common:
            def command(argument: str) -> None:
                action()

            return command

        def enable(field: str) -> Common:
            return lambda argument: setattr(status, field, mask(argument))

        identity = (
            f"Keithley Instruments Inc., Model {node.model}, {node.serial_number}, {node.revision}"
        )
        return {
            "*IDN?": lambda _: identity,
            "*RST": silent(self._reset),
            "*CLS": silent(status.clear),
            "*ESR?": lambda _: str(status.take_event()),
            "*ESE": enable("standard_enable"),
            "*ESE?": lambda _: str(status.standard_enable),
            "*SRE": enable("request_enable"),
            "*SRE?": lambda _: str(status.request_enable),
            "*STB?": lambda _: str(status.byte()),
            "*TST?": lambda _: "0",
            "*OPC": silent(lambda: status.set_event(OPERATION_COMPLETE)),
            "*OPC?": lambda _: "1" if self._events.finish() else None,
            "*WAI": silent(self._events.finish),
            "*TRG": silent(lambda: self._events.happen(self._trigger_id)),
            "ABORT": silent(self._abort),
        }

    # --- what the instrument does as a whole ------------------------------------------------

    def _reset(self) -> None:
        for smu in self._smus.values():
            smu.reset()
        self._events.reset()
        fresh = Format()
        self._format.data, self._format.precision = fresh.data, fresh.precision
        self._format.byte_order = fresh.byte_order

    def _abort(self) -> None:
        for smu in self._smus.values():
            smu.sweep.abort()

    def _finish(self) -> None:
        if not self._events.finish():
            raise LuaFault("a sweep waits for an event that nothing makes")

    def _after_message(self) -> None:
        try:
            self._events.finish()
        except TspError as error:
            self._errors.report(error)
        except ScriptEnd as end:
            self._abort()
            self._sandbox.report_end(end.code)

    def _wait_s(self, dt_s: float) -> None:
        if dt_s <= 0:
            return
        channels = [smu.channel for smu in self._smus.values()]
        lead = next((channel for channel in channels if channel.core.is_settling), channels[0])
        lead.wait_s(dt_s)

    def _settle_others(self, name: str) -> None:
        for other, smu in self._smus.items():
            if other != name:
                smu.channel.core.settle_now()

    def _limits(self) -> int:
        bits = 0
        for smu in self._smus.values():
            if smu.channel.in_compliance:
                bits |= CURRENT_LIMIT if smu.channel.is_sourcing_volts else VOLTAGE_LIMIT
        return bits

    def _note(self, message: str) -> None:
        self.commands_seen.append(message[:MAX_NOTED])

    def _count_off(self) -> None:
        self.output_off_count += 1
