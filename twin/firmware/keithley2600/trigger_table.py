"""``trigger`` as scripts see it: timers, generators, the command interface.

Source: manual 2600BS-901-01, "TSP command reference: trigger".
"""

from __future__ import annotations

from functools import partial

from twin.firmware.keithley2600.checks import EVENT, switch
from twin.firmware.tsp.events import Detector, Events, Timer
from twin.firmware.tsp.tables import (
    Attribute,
    Function,
    Items,
    Refused,
    Table,
    numbers,
    stored,
    whole,
    within,
)

MAX_COUNT = 1_048_575
MAX_TIMER_DELAY_S = 100e3
N_TIMERS, N_GENERATORS = 8, 2


def trigger_table(events: Events, command: Detector, command_id: int) -> Table:
    """Return ``trigger``.

    Args:
        events: of the instrument; timers and generators are added to it.
        command: detects what ``*TRG`` makes.
        command_id: number of that event.
    """
    timers = [Timer(events.new_event()) for _ in range(N_TIMERS)]
    events.timers += timers
    members: dict[str, object] = {
        "EVENT_ID": command_id,
        "timer": Items("trigger.timer", [_timer_table(events, timer) for timer in timers]),
        "generator": Items(
            "trigger.generator", [_generator_table(events) for _ in range(N_GENERATORS)]
        ),
        "blender": Refused("trigger.blender"),
        "wait": Function("trigger.wait", partial(_wait, events, command), 1),
        "clear": _clear("trigger.clear", command),
    }
    return Table("trigger", members)


def _timer_table(events: Events, timer: Timer) -> Table:
    delay = within(0.0, MAX_TIMER_DELAY_S)
    detector = Detector(timer.event)
    events.detectors.append(detector)

    def set_delay(value: object) -> None:
        timer.delays_s = [delay(value)]

    def set_delays(value: object) -> None:
        timer.delays_s = [delay(item) for item in numbers(value, 1)]

    def pass_through(value: object) -> bool:
        return value if isinstance(value, bool) else bool(switch(value))

    name = "trigger.timer"
    members: dict[str, object] = {
        "EVENT_ID": timer.event,
        "delay": Attribute(lambda: timer.delays_s[0], set_delay),
        "delaylist": Attribute(lambda: Items("delaylist", timer.delays_s), set_delays),
        "count": stored(lambda: timer, "count", whole(0, MAX_COUNT)),
        "passthrough": stored(lambda: timer, "pass_through", pass_through),
        "stimulus": stored(lambda: timer, "stimulus", EVENT),
        "reset": Function(f"{name}.reset", lambda *_: events.reset_timer(timer)),
        "clear": _clear(f"{name}.clear", detector),
        "wait": Function(f"{name}.wait", partial(_wait, events, detector), 1),
    }
    return Table(name, members, ("overrun",))


def _generator_table(events: Events) -> Table:
    event = events.new_event()
    detector = Detector(event)
    events.detectors.append(detector)
    name = "trigger.generator"
    members: dict[str, object] = {
        "EVENT_ID": event,
        "assert": Function(f"{name}.assert", lambda *_: events.happen(event)),
        "clear": _clear(f"{name}.clear", detector),
        "wait": Function(f"{name}.wait", partial(_wait, events, detector), 1),
    }
    return Table(name, members, ("overrun",))


def _wait(events: Events, detector: Detector, timeout: object, *_: object) -> bool:
    """Let time pass until the event has happened; return whether it has."""
    events.wait_for(detector, within(0.0, MAX_TIMER_DELAY_S)(timeout))
    return detector.take()


def _clear(name: str, detector: Detector) -> Function:
    def body(*_: object) -> None:
        detector.take()

    return Function(name, body)
