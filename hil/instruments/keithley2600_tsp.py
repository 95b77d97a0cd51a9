"""Keithley 2600B series over its script processor: what pymeasure's ``Keithley2600`` lacks.

pymeasure 0.16's class formats every number with six decimals: a current limit of 100 nA is sent as
zero. It has no pulses, no buffers, and its ``shutdown`` leaves the outputs on.

Source: Series 2600B reference manual 2600BS-901-01, "TSP command reference", "Triggering", "Pulse
training with trigger timers". Not checked on an instrument: that ``scriptVar.source`` keeps all
characters but white space.
"""

from __future__ import annotations

import numpy as np
from pymeasure.instruments import Channel, Instrument, SCPIMixin
from pymeasure.instruments.validators import strict_discrete_set, strict_range

from hil.types import FloatArray

MIN_NPLC, MAX_NPLC = 0.001, 25.0
IN_COMPLIANCE, OVER_TEMPERATURE = 0x40, 0x02
"""Bits of the status that a buffer keeps with each reading."""

SCRIPT_NAME = "pulsetrain"
SCRIPT = """\
trains = {}
function trains.load(smu, level, width, period, count, reading, nplc, range)
  local timer, sweep, measure = trigger.timer, smu.trigger, smu.measure
  smu.abort()
  smu.nvbuffer1.clear()
  smu.nvbuffer2.clear()
  smu.source.delay = 0
  measure.delay = 0
  measure.count = 1
  measure.filter.enable = 0
  measure.nplc = nplc
  measure.rangei = range
  measure.autozero = smu.AUTOZERO_ONCE
  for k = 1, 3 do timer[k].reset() end
  local start = sweep.ARMED_EVENT_ID
  timer[1].delay = period
  if count > 1 then
    timer[1].count = count - 1
    timer[1].passthrough = true
    timer[1].stimulus = start
    start = timer[1].EVENT_ID
  end
  timer[2].delay = width - reading
  timer[3].delay = width
  for k = 2, 3 do timer[k].stimulus = start end
  sweep.arm.count = 1
  sweep.arm.stimulus = 0
  sweep.count = count
  sweep.source.listv({level})
  sweep.source.action = smu.ENABLE
  sweep.source.stimulus = count > 1 and start or 0
  sweep.measure.iv(smu.nvbuffer1, smu.nvbuffer2)
  sweep.measure.action = smu.ENABLE
  sweep.measure.stimulus = timer[2].EVENT_ID
  sweep.endpulse.action = smu.SOURCE_IDLE
  sweep.endpulse.stimulus = timer[3].EVENT_ID
  sweep.endsweep.action = smu.SOURCE_IDLE
end
function trains.loaded(smu)
  local timer, measure = trigger.timer, smu.measure
  return smu.trigger.count, timer[1].delay, timer[2].delay, timer[3].delay, measure.nplc
end
"""
"""Timers 1 to 3 begin a pulse, its reading and its end; one range, no automatic zero, no delays.
Timer 1 ends with the start of the last pulse: a single pulse does without."""

_CHECKSUM = (
    "local sum = 0 for k = 1, string.len({0}.source) do local byte = string.byte({0}.source, k) "
    "if byte > 32 then sum = math.mod(31 * sum + byte, 65521) end end print(sum)"
)


def script_checksum(text: str) -> int:
    """Return the checksum of a script that ``Keithley2600Tsp.checksum`` asks for."""
    total = 0
    for byte in text.encode("ascii"):
        if byte > ord(" "):
            total = (31 * total + byte) % 65521
    return total


class SourceMeasureChannel(Channel):
    """One source-measure unit of the instrument: ``smua`` or ``smub``."""

    @property
    def name(self) -> str:
        """Get the name that scripts know it by."""
        return f"smu{self.id}"

    source_mode = Channel.control(
        "print(smu{ch}.source.func)",
        "smu{ch}.source.func = %d",
        """Control what is sourced: ``voltage`` or ``current``.""",
        validator=strict_discrete_set,
        values={"current": 0, "voltage": 1},
        map_values=True,
    )

    source_enabled = Channel.control(
        "print(smu{ch}.source.output)",
        "smu{ch}.source.output = %d",
        """Control whether the output is on.""",
        validator=strict_discrete_set,
        values={True: 1, False: 0},
        map_values=True,
    )

    source_voltage = Channel.control(
        "print(smu{ch}.source.levelv)",
        "smu{ch}.source.levelv = %.9g",
        """Control the source voltage in V.""",
    )

    source_current = Channel.control(
        "print(smu{ch}.source.leveli)",
        "smu{ch}.source.leveli = %.9g",
        """Control the source current in A.""",
    )

    source_voltage_range = Channel.control(
        "print(smu{ch}.source.rangev)",
        "smu{ch}.source.rangev = %.9g",
        """Control the range of the voltage source in V; it stays on the range that is set.""",
    )

    source_current_range = Channel.control(
        "print(smu{ch}.source.rangei)",
        "smu{ch}.source.rangei = %.9g",
        """Control the range of the current source in A; it stays on the range that is set.""",
    )

    source_delay = Channel.control(
        "print(smu{ch}.source.delay)",
        "smu{ch}.source.delay = %.9g",
        """Control the wait after every change of the level in s; -1 for automatic.""",
    )

    compliance_current = Channel.control(
        "print(smu{ch}.source.limiti)",
        "smu{ch}.source.limiti = %.9g",
        """Control the current limit of the voltage source in A.""",
    )

    compliance_voltage = Channel.control(
        "print(smu{ch}.source.limitv)",
        "smu{ch}.source.limitv = %.9g",
        """Control the voltage limit of the current source in V.""",
    )

    nplc = Channel.control(
        "print(smu{ch}.measure.nplc)",
        "smu{ch}.measure.nplc = %.9g",
        """Control the integration time in power line cycles, 0.001 to 25.""",
        validator=strict_range,
        values=[MIN_NPLC, MAX_NPLC],
    )

    measure_delay = Channel.control(
        "print(smu{ch}.measure.delay)",
        "smu{ch}.measure.delay = %.9g",
        """Control the wait before every measurement in s; -1 for that of the range.""",
    )

    auto_zero = Channel.control(
        "print(smu{ch}.measure.autozero)",
        "smu{ch}.measure.autozero = %d",
        """Control when zero is measured: ``off``, ``once`` or ``auto``.""",
        validator=strict_discrete_set,
        values={"off": 0, "once": 1, "auto": 2},
        map_values=True,
    )

    current_range = Channel.control(
        "print(smu{ch}.measure.rangei)",
        "smu{ch}.measure.rangei = %.9g",
        """Control the range of current measurements in A; setting it ends automatic ranging.""",
    )

    current_range_auto_enabled = Channel.control(
        "print(smu{ch}.measure.autorangei)",
        "smu{ch}.measure.autorangei = %d",
        """Control whether the range of current measurements follows the signal.""",
        validator=strict_discrete_set,
        values={True: 1, False: 0},
        map_values=True,
    )

    voltage_range = Channel.control(
        "print(smu{ch}.measure.rangev)",
        "smu{ch}.measure.rangev = %.9g",
        """Control the range of voltage measurements in V; setting it ends automatic ranging.""",
    )

    voltage_range_auto_enabled = Channel.control(
        "print(smu{ch}.measure.autorangev)",
        "smu{ch}.measure.autorangev = %d",
        """Control whether the range of voltage measurements follows the signal.""",
        validator=strict_discrete_set,
        values={True: 1, False: 0},
        map_values=True,
    )

    four_wire_enabled = Channel.control(
        "print(smu{ch}.sense)",
        "smu{ch}.sense = %d",
        """Control whether the voltage is sensed through wires of its own.""",
        validator=strict_discrete_set,
        values={True: 1, False: 0},
        map_values=True,
    )

    voltage = Channel.measurement("print(smu{ch}.measure.v())", """Measure the voltage in V.""")

    current = Channel.measurement("print(smu{ch}.measure.i())", """Measure the current in A.""")

    resistance = Channel.measurement(
        "print(smu{ch}.measure.r())", """Measure the resistance in Ohm."""
    )

    in_compliance = Channel.measurement(
        "print(smu{ch}.source.compliance)",
        """Get whether the source is limiting.""",
        cast=str,
        values={True: "true", False: "false"},
        map_values=True,
    )

    n_readings = Channel.measurement(
        "print(smu{ch}.nvbuffer1.n)", """Get how many readings ``nvbuffer1`` holds.""", cast=float
    )

    def read_source_measure(self) -> FloatArray:
        """Measure voltage and current at once; see ``buffer_readings``, shape (3,).

        What the dedicated buffers held is lost.
        """
        self.write("smu{ch}.measure.iv(smu{ch}.nvbuffer1, smu{ch}.nvbuffer2)")
        readings: FloatArray = self.buffer_readings(1, 1)[0]
        return readings

    def buffer_readings(self, start: int, end: int) -> FloatArray:
        """Return voltage, current and status bits of readings, shape (readings, 3).

        They are sent twice and compared: on this link nothing else protects a number.

        Args:
            start: first index in the dedicated buffers; they begin at 1.
            end: last index.

        Raises:
            ValueError: the two differ, or are not numbers.
        """
        buffers = "smu{ch}.nvbuffer2, smu{ch}.nvbuffer1, smu{ch}.nvbuffer1.statuses"
        self.write(f"for k = 1, 2 do printbuffer({start}, {end}, {buffers}) end")
        first, again = self.read(), self.read()
        if first != again:
            raise ValueError(f"readings were sent as {first[:80]!r} and as {again[:80]!r}")
        return np.array([float(item) for item in first.split(",")]).reshape(-1, 3)

    def load_pulses(
        self,
        amplitude_v: float,
        width_s: float,
        period_s: float,
        count: int,
        reading_s: float,
        nplc: float,
        range_a: float,
    ) -> None:
        """Load a train of pulses from the programmed level; ``initiate`` starts it.

        Needs ``Keithley2600Tsp.load_script``. Voltage and current are measured once in each pulse;
        the reading ends with the pulse.

        Args:
            amplitude_v: of all pulses.
            width_s: of each.
            period_s: from start to start.
            count: pulses.
            reading_s: what one reading takes.
            nplc: its integration time in power line cycles.
            range_a: range of the currents.
        """
        numbers = (width_s, period_s, count, reading_s, nplc, range_a)
        listed = ", ".join(f"{number:.9g}" for number in (amplitude_v, *numbers))
        self.write(f"trains.load({self.name}, {listed})")

    def loaded_pulses(self) -> list[float]:
        """Return number, period, delay of the reading, width and NPLC of the train that is loaded.

        The width is that from the start of a pulse to its end.
        """
        return [float(item) for item in self.ask("print(trains.loaded(smu{ch}))").split("\t")]

    def initiate(self) -> None:
        """Start the trigger model; returns at once."""
        self.write("smu{ch}.trigger.initiate()")

    def abort(self) -> None:
        """End a sweep; the source returns to its programmed level."""
        self.write("smu{ch}.abort()")

    def shutdown(self) -> None:
        """End a sweep, level to zero, output off; sends only."""
        self.abort()
        self.source_voltage = 0
        self.source_current = 0
        self.source_enabled = False


class Keithley2600Tsp(SCPIMixin, Instrument):
    """Keithley 2600B series with one or two channels, ``smua`` and ``smub``."""

    smua = Instrument.ChannelCreator(SourceMeasureChannel, "a")
    smub = Instrument.ChannelCreator(SourceMeasureChannel, "b")

    def __init__(self, adapter: object, name: str = "Keithley 2600B", **kwargs: object) -> None:
        super().__init__(adapter, name, **kwargs)

    line_frequency = Instrument.measurement(
        "print(localnode.linefreq)", """Get the frequency of the mains in Hz."""
    )

    ascii_precision = Instrument.control(
        "print(format.asciiprecision)",
        "format.asciiprecision = %d",
        """Control how many significant digits are sent, 1 to 16.""",
        validator=strict_range,
        values=[1, 16],
        cast=float,
    )

    @property
    def next_error(self) -> tuple[int, str]:
        """Take the oldest error out of the queue: number and text; 0 if there is none."""
        code, message, *_ = self.ask("print(errorqueue.next())").strip().split("\t")
        return int(float(code)), message

    def load_script(self, name: str, text: str) -> None:
        """Send a script and run it; its lines must not be ``endscript``."""
        self.write(f"loadandrunscript {name}")
        for line in text.splitlines():
            self.write(line)
        self.write("endscript")

    def checksum(self, name: str) -> int:
        """Return ``script_checksum`` of a script, as the instrument holds it."""
        return int(float(self.ask(_CHECKSUM.format(name))))

    def wait_complete(self) -> None:
        """Return once all that overlaps is over; costs one exchange."""
        self.ask("waitcomplete() print(1)")

    def abort_script(self) -> None:
        """End a script that is running; outputs stay as they are."""
        self.write("abort")

    def shutdown(self) -> None:
        """End what is running, both levels to zero, both outputs off."""
        self.abort_script()
        for channel in (self.smua, self.smub):
            channel.shutdown()
        super().shutdown()
