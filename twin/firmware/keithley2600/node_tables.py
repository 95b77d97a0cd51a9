"""``localnode``, ``node``, ``errorqueue``, ``format`` and what prints, as scripts see them.

Source: manual 2600BS-901-01, "TSP command reference".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twin.firmware.keithley2600.checks import switch
from twin.firmware.tsp.buffers import Buffer, Column
from twin.firmware.tsp.errors import (
    INVALID_BYTE_ORDER,
    INVALID_FORMAT,
    INVALID_PRECISION,
    NODE_INACCESSIBLE,
    ErrorQueue,
    TspError,
)
from twin.firmware.tsp.formatting import DREAL, MAX_PRECISION, Format
from twin.firmware.tsp.messages import Manners, Output
from twin.firmware.tsp.tables import (
    Attribute,
    Function,
    Host,
    Items,
    Table,
    number,
    numbers,
    stored,
)


@dataclass(frozen=True)
class Node:
    """What the instrument says about itself.

    Attributes:
        model: for example ``2602B``.
        serial_number: starts with ``TWIN``.
        revision: of the firmware.
        line_frequency_hz: of the simulated mains.
    """

    model: str
    serial_number: str
    revision: str
    line_frequency_hz: float


def node_table(node: Node, manners: Manners, reset: Callable[[], None]) -> Table:
    """Return ``localnode``."""

    def itself() -> Manners:
        return manners

    members: dict[str, object] = {
        "model": node.model,
        "serialno": node.serial_number,
        "revision": node.revision,
        "description": f"Keithley Instruments SMU {node.model} - {node.serial_number}",
        "linefreq": float(node.line_frequency_hz),
        "autolinefreq": True,
        "prompts": stored(itself, "prompts", switch),
        "prompts4882": stored(itself, "prompts_4882", switch),
        "showerrors": stored(itself, "show_errors", switch),
        "reset": Function("localnode.reset", lambda *_: reset()),
    }
    return Table("localnode", members, ("password", "passwordmode", "license", "gettimezone"))


class Nodes(Items):
    """``node``: those of TSP-Link, of which this instrument is the only one.

    Args:
        local: ``localnode``.
    """

    def __init__(self, local: Table) -> None:
        super().__init__("node", [local])

    def item(self, key: object) -> object:
        """Return the node with this number, or raise 1211."""
        found = super().item(key)
        if found is None:
            raise TspError(NODE_INACCESSIBLE, f"{number(key):g}")
        return found


def error_table(errors: ErrorQueue) -> Table:
    """Return ``errorqueue``."""

    def take(*_: object) -> tuple[object, ...]:
        entry = errors.next()
        return float(entry.code), entry.text, float(entry.severity), float(entry.node)

    members = {
        "count": Attribute(lambda: float(errors.count)),
        "next": Function("errorqueue.next", take),
        "clear": Function("errorqueue.clear", lambda *_: errors.clear()),
    }
    return Table("errorqueue", members)


def format_table(settings: Format) -> Table:
    """Return ``format``."""

    def itself() -> Format:
        return settings

    def choice(low: int, high: int, code: int) -> Callable[[object], int]:
        def check(value: object) -> int:
            wanted = number(value)
            if not low <= wanted <= high or wanted != int(wanted):
                raise TspError(code)
            return int(wanted)

        return check

    members: dict[str, object] = {
        "ASCII": 1, "SREAL": 2, "REAL32": 2, "REAL": DREAL, "DREAL": DREAL, "REAL64": DREAL,
        "NORMAL": 0, "NETWORK": 0, "BIGENDIAN": 0, "SWAPPED": 1, "LITTLEENDIAN": 1,
        "data": stored(itself, "data", choice(1, 3, INVALID_FORMAT)),
        "asciiprecision": stored(itself, "precision", choice(1, MAX_PRECISION, INVALID_PRECISION)),
        "byteorder": stored(itself, "byte_order", choice(0, 1, INVALID_BYTE_ORDER)),
    }  # fmt: skip
    return Table("format", members)


def printing(settings: Format, output: Output) -> list[Function]:
    """Return ``print``, ``printnumber``, ``printbuffer``."""

    def shown(value: object) -> str:
        if value is None:
            return "nil"
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, float | int):
            return settings.text(value)
        return value if isinstance(value, str) else _address(value)

    def print_line(*values: object) -> None:
        output.send("\t".join(map(shown, values)).encode("latin-1", "replace"))

    def print_numbers(*values: object) -> None:
        output.send(settings.message([number(value) for value in values]))

    def print_buffer(first: object, last: object, *sources: object) -> None:
        columns = [_values(source, 3 + k) for k, source in enumerate(sources)]
        begin = max(1, int(number(first)))
        end = min(int(number(last)), *map(len, columns))
        rows = zip(*(column[begin - 1 : end] for column in columns), strict=True)
        items = [item for row in rows for item in row]
        if all(isinstance(item, float) for item in items):
            output.send(settings.message(items))
        else:
            output.send(", ".join(map(shown, items)).encode("latin-1"))

    return [
        Function("print", print_line),
        Function("printnumber", print_numbers, 1),
        Function("printbuffer", print_buffer, 3),
    ]


def _values(source: object, place: int) -> list[object]:
    if isinstance(source, Buffer | Column):
        return list(source.values())
    return list(numbers(source, place))


def _address(value: object) -> str:
    kind = "function" if isinstance(value, Function) else "table"
    return f"{kind}: {value.name}" if isinstance(value, Host) else f"{kind}: script"
