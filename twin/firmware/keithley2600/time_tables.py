"""``delay``, ``timer``, ``waitcomplete``, ``opc`` and ``exit``, as scripts see them.

Source: manual 2600BS-901-01, "TSP command reference". Assumed: reading the timer takes 20 us, so
that a script that waits for it comes to an end.
"""

from __future__ import annotations

from collections.abc import Callable

from twin.firmware.keithley2600.checks import MAX_DELAY_S
from twin.firmware.tsp.errors import ScriptEnd
from twin.firmware.tsp.tables import Function, Host, Table, within

TIMER_READ_S = 20e-6


def time_tables(
    now_s: Callable[[], float],
    pass_s: Callable[[float], None],
    finish: Callable[[], None],
    set_complete: Callable[[], None],
) -> list[Host]:
    """Return ``delay``, ``timer``, ``waitcomplete``, ``opc``, ``exit``.

    Args:
        now_s: returns the bench time.
        pass_s: lets bench time pass.
        finish: waits for everything that is under way.
        set_complete: sets the operation-complete bit.
    """
    zero_s = [now_s()]

    def wait(seconds: object, *_: object) -> None:
        pass_s(within(0.0, MAX_DELAY_S)(seconds))

    def reset(*_: object) -> None:
        zero_s[0] = now_s()

    def read(*_: object) -> float:
        pass_s(TIMER_READ_S)
        return now_s() - zero_s[0]

    def complete(*_: object) -> None:
        finish()
        set_complete()

    def leave(*_: object) -> None:
        raise ScriptEnd(0)

    members = {
        "reset": Function("timer.reset", reset),
        "measure": Table("timer.measure", {"t": Function("timer.measure.t", read)}),
    }
    return [
        Function("delay", wait, 1),
        Table("timer", members),
        Function("waitcomplete", lambda *_: finish()),
        Function("opc", complete),
        Function("exit", leave),
    ]
