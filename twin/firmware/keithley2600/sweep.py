"""The trigger model of one channel: a sweep, step by step, as events let it.

In every pass of the trigger layer: wait, source, wait, measure, wait, end of pulse. A sweep goes on
where it was when the event that it waits for has happened.

Not modelled: measuring while the pulse ends (asynchronous measure action); power as swept limit.

Source: manual 2600BS-901-01, sections "Remote triggering model", "TSP command reference:
smuX.trigger".
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from itertools import count

from twin.firmware.keithley2600.channel import Channel
from twin.firmware.keithley2600.meter import Meter
from twin.firmware.keithley2600.settings import SOURCE_HOLD, SOURCE_IDLE
from twin.firmware.source_measure import Function
from twin.firmware.tsp.buffers import Buffer
from twin.firmware.tsp.errors import NO_MEASURE_ACTION, NO_SOURCE_ACTION, TspError
from twin.firmware.tsp.events import Detector, Events

DISABLE, ENABLE, ASYNC = 0, 1, 2
EVENTS = (
    "SWEEPING",
    "ARMED",
    "SOURCE_COMPLETE",
    "MEASURE_COMPLETE",
    "PULSE_COMPLETE",
    "SWEEP_COMPLETE",
    "IDLE",
)

Waiting = Generator[Detector, None, None]


@dataclass
class SweepSettings:
    """``smuX.trigger``, with its values after a reset.

    Attributes:
        count: passes of the trigger layer; 0 for no end.
        arm_count: passes of the arm layer; 0 for no end.
        source_action: whether levels are put out.
        measure_action: whether readings are taken.
        end_pulse_action: after every pass.
        end_sweep_action: after the last pass.
        function: what is swept.
        levels: one for each pass, again and again.
        limit_v: of a swept current; None for that of the source.
        limit_a: of a swept voltage.
        quantities: what is measured.
        buffers: where it goes to.
    """

    count: int = 1
    arm_count: int = 1
    source_action: int = DISABLE
    measure_action: int = DISABLE
    end_pulse_action: int = SOURCE_HOLD
    end_sweep_action: int = SOURCE_IDLE
    auto_clear: int = 0
    function: Function = Function.VOLTS
    levels: list[float] = field(default_factory=list)
    limit_v: float | None = None
    limit_a: float | None = None
    quantities: str = ""
    buffers: tuple[Buffer | None, ...] = ()


class Sweep:
    """The trigger model of a channel, idle or at work.

    Args:
        channel: what puts out the levels.
        meter: what takes the readings.
        events: of the instrument.

    Attributes:
        settings: of the next sweep.
        detectors: what each stage waits for: ``arm``, ``source``, ``measure``, ``endpulse``.
        event_ids: numbers of the events that a sweep makes.
    """

    def __init__(self, channel: Channel, meter: Meter, events: Events) -> None:
        self.settings = SweepSettings()
        self.detectors = {name: Detector() for name in ("arm", "source", "measure", "endpulse")}
        self.event_ids = {name: events.new_event() for name in EVENTS}
        events.detectors += self.detectors.values()
        self._channel = channel
        self._meter = meter
        self._events = events
        self._running: Waiting | None = None
        self._waits_for: Detector | None = None

    @property
    def is_active(self) -> bool:
        """Whether a sweep has begun and not ended."""
        return self._running is not None

    def initiate(self) -> None:
        """Begin a sweep; it goes on in ``resume``."""
        settings = self.settings
        is_other = settings.function is not self._channel.function
        if settings.source_action and (not settings.levels or is_other):
            raise TspError(NO_SOURCE_ACTION)
        if settings.measure_action and not settings.quantities:
            raise TspError(NO_MEASURE_ACTION)
        for detector in self.detectors.values():
            detector.detected = False
        for buffer in settings.buffers:
            if buffer is not None:
                buffer.begin()
        self._running, self._waits_for = self._run(), None

    def resume(self) -> bool:
        """Go on as far as events let it; return whether anything was done."""
        if self._running is None:
            return False
        if self._waits_for is not None and not self._waits_for.detected:
            return False
        try:
            self._waits_for = next(self._running)
        except StopIteration:
            self._running = None
        except BaseException:
            self.abort()
            raise
        return True

    def abort(self) -> None:
        """End a sweep; the source returns to its programmed level."""
        if self._running is not None:
            self._running = None
            self._channel.sweep_back()

    def reset(self) -> None:
        """Return to the settings of a reset."""
        self.abort()
        self.settings = SweepSettings()
        for detector in self.detectors.values():
            detector.stimulus, detector.detected = 0, False

    def _run(self) -> Waiting:
        settings = self.settings
        self._happen("SWEEPING")
        for _ in _passes(settings.arm_count):
            yield from self._await("arm")
            self._happen("ARMED")
            for k in _passes(settings.count):
                yield from self._pass(settings, k)
            if settings.source_action and settings.end_sweep_action == SOURCE_IDLE:
                self._channel.sweep_back()
            self._happen("SWEEP_COMPLETE")
        self._happen("IDLE")

    def _pass(self, settings: SweepSettings, k: int) -> Waiting:
        yield from self._await("source")
        if settings.source_action:
            level = settings.levels[k % len(settings.levels)]
            is_volts = settings.function is Function.VOLTS
            limit = settings.limit_a if is_volts else settings.limit_v
            self._channel.sweep_to(level, limit)
        self._happen("SOURCE_COMPLETE")
        yield from self._await("measure")
        if settings.measure_action:
            self._meter.measure(settings.quantities, settings.buffers, appends=True)
        self._happen("MEASURE_COMPLETE")
        yield from self._await("endpulse")
        if settings.source_action and settings.end_pulse_action == SOURCE_IDLE:
            self._channel.sweep_back()
        self._happen("PULSE_COMPLETE")

    def _await(self, stage: str) -> Waiting:
        detector = self.detectors[stage]
        if detector.stimulus or detector.detected:
            while not detector.take():
                yield detector

    def _happen(self, name: str) -> None:
        self._events.happen(self.event_ids[name])


def _passes(n: int) -> range | count[int]:
    return range(n) if n else count()
