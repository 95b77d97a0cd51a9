"""Commands of a Keithley 2450 for its digital lines.

Source: manual 2450-901-01, "DIGital subsystem", ":TRIGger:DIGital<n>".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from twin.firmware.keithley2450.commands import action, query
from twin.firmware.keithley2450.digital_lines import N_LINES, DigitalLines, Line
from twin.firmware.keithley2450.trigger_events import EventName
from twin.firmware.scpi import Choice, Command, Number, Parameter, setting

PATTERN = Number(0, 2**N_LINES - 1, 0, integer=True)
TYPES = Choice(("DIGital", "TRIGger", "SYNChronous"))
DIRECTIONS = Choice(("IN", "OUT", "OPENdrain", "MASTer", "ACCeptor"))


def digital_commands(lines: Callable[[], DigitalLines]) -> list[Command]:
    """Return the command table of the digital lines."""
    table = [
        query(":DIGital:READ", lambda: str(lines().read())),
        action(":DIGital:WRITe", lambda pattern: lines().write(pattern), PATTERN),
    ]
    for k in range(N_LINES):
        table += _of_line(k + 1, partial(_line, lines, k))
    return table


def _of_line(n: int, line: Callable[[], Line]) -> list[Command]:
    root, trigger = f":DIGital:LINE{n}", f":TRIGger:DIGital{n}"

    def stored(node: str, parameter: Parameter, name: str) -> Command:
        return setting(f"{trigger}:{node}", parameter, line, name)

    return [
        Command(
            f"{root}:MODE",
            lambda kind, direction: line().set_mode(kind, direction),
            lambda: f"{line().kind},{line().direction}",
            (TYPES, DIRECTIONS),
        ),
        Command(
            f"{root}:STATe",
            lambda level: line().write(level),
            lambda: str(line().state),
            (Number(0, 1, 0, integer=True),),
        ),
        stored("IN:EDGE", Choice(("FALLing", "RISing", "EITHer")), "edge"),
        action(f"{trigger}:IN:CLEar", lambda: None),
        query(f"{trigger}:IN:OVERrun", lambda: "0"),
        stored("OUT:LOGic", Choice(("POSitive", "NEGative")), "logic"),
        stored("OUT:PULSewidth", Number(0, 1e5, 1e-5), "pulse_width_s"),
        stored("OUT:STIMulus", EventName(), "stimulus"),
    ]


def _line(lines: Callable[[], DigitalLines], k: int) -> Line:
    return lines().lines[k]
