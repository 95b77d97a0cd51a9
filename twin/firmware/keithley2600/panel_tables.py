"""Front and rear panel as scripts see them: display, beeper, ports, drives.

The display keeps what is set; what its operator would have to answer is refused. TSP-Link answers
as on an instrument that is alone. Ports and drives that are not on the bench are refused with error
1100.

Source: manual 2600BS-901-01, "TSP command reference".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from twin.firmware.keithley2600.checks import switch
from twin.firmware.tsp.buffers import Buffer
from twin.firmware.tsp.errors import (
    CANNOT_OPEN_FILE,
    INVALID_PARAMETER,
    NO_REMOTE_NODES,
    TspError,
)
from twin.firmware.tsp.tables import (
    Attribute,
    Function,
    Refused,
    Table,
    one_of,
    refused_functions,
    text,
    whole,
    within,
)

REFUSED = {
    "digio": ("readbit", "readport", "writebit", "writeport"),
    "lan": ("applysettings", "reset", "restoredefaults"),
    "dataqueue": ("add", "clear", "next"),
    "eventlog": ("all", "clear", "next"),
    "fs": ("chdir", "cwd", "is_dir", "is_file", "mkdir", "readdir", "rmdir"),
    "io": ("close", "flush", "input", "open", "output", "read", "type", "write"),
    "os": ("remove", "rename", "time"),
    "setup": ("recall", "save"),
    "tspnet": ("connect", "disconnect", "execute", "read", "write"),
    "gpib": (),
    "serial": ("read", "write"),
}
REFUSED_FUNCTIONS = (
    "InitiatePulseTestDual",
    "gm_isweep",
    "gm_vsweep",
    "i_leakage_measure",
    "i_leakage_threshold",
    "settime",
    "settimezone",
    "gettimezone",
    "meminfo",
)


def display_table(channels: tuple[str, ...]) -> Table:
    """Return ``display``; what is set is kept, what an operator would have to do is refused."""
    shown = {"screen": 0.0, "locallockout": 0.0, "numpad": 0.0}
    members: dict[str, object] = {
        "SMUA": 0, "SMUB": 1, "SMUA_SMUB": 2, "USER": 3, "DISABLE": 0, "ENABLE": 1,
        "DIGITS_4_5": 4, "DIGITS_5_5": 5, "DIGITS_6_5": 6,
        "MEASURE_DCAMPS": 0, "MEASURE_DCVOLTS": 1, "MEASURE_OHMS": 2, "MEASURE_WATTS": 3,
        "screen": _kept(shown, "screen", one_of(0, 1, 2, 3)),
        "locallockout": _kept(shown, "locallockout", switch),
        "numpad": _kept(shown, "numpad", switch),
        "clear": Function("display.clear", lambda *_: None),
        "setcursor": Function("display.setcursor", _cursor, 2),
        "settext": Function("display.settext", _check_text, 1),
    }  # fmt: skip
    for name in channels:
        members[name] = _display_channel(f"display.{name}")
    asked = ("getannunciators", "getcursor", "getlastkey", "gettext", "inputvalue", "menu",
             "prompt", "sendkey", "waitkey")  # fmt: skip
    members |= {name: Refused(f"display.{name}") for name in ("loadmenu", "trigger")}
    members |= refused_functions(asked, "display.")
    return Table("display", members)


def beeper_table() -> Table:
    """Return ``beeper``; nobody hears it."""
    settings = {"enable": 1.0}

    def beep(duration: object, frequency: object, *_: object) -> None:
        within(0.001, 100.0)(duration)
        within(20.0, 8000.0)(frequency)

    members: dict[str, object] = {"OFF": 0, "ON": 1, "enable": _kept(settings, "enable", switch)}
    return Table("beeper", members | {"beep": Function("beeper.beep", beep, 2)})


def link_table() -> Table:
    """Return ``tsplink`` of an instrument that is alone."""

    def reset(*_: object) -> None:
        raise TspError(NO_REMOTE_NODES)

    members: dict[str, object] = {
        "state": "offline",
        "node": 1.0,
        "master": 1.0,
        "group": 0.0,
        "reset": Function("tsplink.reset", reset),
    }
    refused = ("readbit", "readport", "writebit", "writeport")
    return Table("tsplink", members | refused_functions(refused, "tsplink."), ("trigger",))


def save_function() -> Function:
    """Return the factory script ``savebuffer``; there is no drive to save to."""

    def save(buffer: object, kind: object, name: object, *_: object) -> None:
        if not isinstance(buffer, Buffer):
            raise TspError(INVALID_PARAMETER, 1)
        if text(kind).lower() not in ("csv", "xml"):
            raise TspError(INVALID_PARAMETER, 2)
        text(name)
        raise TspError(CANNOT_OPEN_FILE)

    return Function("savebuffer", save, 3)


def _kept(settings: dict[str, float], name: str, check: Callable[[object], int]) -> Attribute:
    def write(value: object) -> None:
        settings[name] = float(check(value))

    return Attribute(partial(settings.__getitem__, name), write)


def _display_channel(name: str) -> Table:
    settings = {"digits": 5.0, "func": 0.0}
    function = _kept(settings, "func", one_of(0, 1, 2, 3))
    members = {
        "digits": _kept(settings, "digits", one_of(4, 5, 6)),
        "measure": Table(f"{name}.measure", {"func": function}),
    }
    return Table(name, members, ("limit",))


def _cursor(row: object, column: object, *_: object) -> None:
    whole(1, 2)(row)
    whole(1, 32)(column)


def _check_text(value: object, *_: object) -> None:
    text(value)
