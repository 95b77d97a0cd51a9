"""Errors of a TSP instrument: numbers, texts, queue.

Source: manual 2600BS-901-01, sections "Troubleshooting guide: Error summary list", "Effects of
errors on scripts", "TSP command reference: errorqueue". Assumed: depth of the queue, whose
last place is taken by -350; longest text.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

QUERY_DEADLOCKED = -430
INPUT_OVERRUN = -363
QUEUE_OVERFLOW = -350
RUNTIME = -286
PROGRAM_SYNTAX = -285
OUT_OF_MEMORY = -225
MISSING_PARAMETER = -109
DATA_TYPE = -104
COMMAND_UNAVAILABLE = 1100
TOO_BIG = 1101
TOO_SMALL = 1102
NO_REMOTE_NODES = 1205
NODE_INACCESSIBLE = 1211
MISSING_PARAMETERS = 1400
INVALID_PARAMETER = 1401
SCRIPTS_LOST = 1402
INVALID_BYTE_ORDER = 1404
INVALID_PRECISION = 1405
INVALID_FORMAT = 1406
CANNOT_OPEN_FILE = 2203
INVALID_INDEX = 4900
TOO_BIG_FOR_RANGE = 5005
SAFE_AREA = 5007
NOT_WITH_OUTPUT_ON = 5008
FILTER_AND_COUNT = 5025
BUFFER_NOT_CLEARED = 5032
BUFFER_NOT_FOUND = 5033
NO_SOURCE_ACTION = 5059
NO_MEASURE_ACTION = 5060

TEXTS = {
    0: "Queue Is Empty",
    QUERY_DEADLOCKED: "Query DEADLOCKED",
    INPUT_OVERRUN: "Input buffer over-run",
    QUEUE_OVERFLOW: "Queue overflow",
    RUNTIME: "TSP Runtime error",
    PROGRAM_SYNTAX: "Program syntax",
    OUT_OF_MEMORY: "Out of memory or TSP memory allocation error",
    MISSING_PARAMETER: "Missing parameter",
    DATA_TYPE: "Data type error",
    COMMAND_UNAVAILABLE: "Command unavailable",
    TOO_BIG: "Parameter too big",
    TOO_SMALL: "Parameter too small",
    NO_REMOTE_NODES: "TSP-Link initialization failed (no remote nodes found)",
    NODE_INACCESSIBLE: "Node {} is inaccessible",
    MISSING_PARAMETERS: "Expected at least {} parameters",
    INVALID_PARAMETER: "Parameter {} is invalid",
    SCRIPTS_LOST: "User scripts lost",
    INVALID_BYTE_ORDER: "Invalid byte order",
    INVALID_PRECISION: "Invalid ASCII precision",
    INVALID_FORMAT: "Invalid data format",
    CANNOT_OPEN_FILE: "Cannot open file",
    INVALID_INDEX: "Reading buffer index {} is invalid",
    TOO_BIG_FOR_RANGE: "Value too big for range",
    SAFE_AREA: "Operation would exceed safe operating area of the instrument",
    NOT_WITH_OUTPUT_ON: "Operation not permitted while output is on",
    FILTER_AND_COUNT: "Cannot set filter.count > 1 when measure.count > 1",
    BUFFER_NOT_CLEARED: "Cannot change this setting unless buffer is cleared",
    BUFFER_NOT_FOUND: "Reading buffer not found within device",
    NO_SOURCE_ACTION: "trigger.source.action enabled without configuration",
    NO_MEASURE_ACTION: "trigger.measure.action enabled without configuration",
}

NO_SEVERITY, RECOVERABLE = 0, 20
NODE = 1
MAX_ERRORS = 100
MAX_TEXT_LENGTH = 255


class TspError(Exception):
    """What the instrument's own code raises to queue an error; a script goes on after it.

    Like the two below it never leaves the firmware, so it is no part of the tree in ``hil.errors``.

    Args:
        code: error number.
        parameters: what the text of the error has places for.
    """

    def __init__(self, code: int, *parameters: object) -> None:
        super().__init__(code)
        self.code = code
        self.text = TEXTS[code].format(*parameters)


class LuaFault(Exception):
    """What the instrument's own code raises to end a script with -286; ``pcall`` can catch it."""


class ScriptEnd(Exception):
    """What the instrument's own code raises to end a script whatever it has in its ``pcall``.

    Args:
        code: error number; 0 where a script ends without an error.
    """

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Entry:
    """One place of the error queue."""

    code: int
    text: str
    severity: int
    node: int


EMPTY = Entry(0, TEXTS[0], NO_SEVERITY, 0)


class ErrorQueue:
    """First in, first out.

    Attributes:
        events: bits of the standard event register that errors have set since they were taken.
    """

    def __init__(self) -> None:
        self.events = 0
        self._entries: deque[Entry] = deque()

    @property
    def count(self) -> int:
        """How many errors wait."""
        return len(self._entries)

    def report(self, error: TspError) -> None:
        """Queue what the instrument's code raised."""
        self.add(error.code, error.text)

    def add(self, code: int, text: str = "") -> None:
        """Queue an error, with the text of its number if none is given; set its event bit."""
        self.events |= _event_bit(code)
        if len(self._entries) < MAX_ERRORS:
            shown = (text or TEXTS[code])[:MAX_TEXT_LENGTH]
            self._entries.append(Entry(code, shown, RECOVERABLE, NODE))
        else:
            self._entries[-1] = Entry(QUEUE_OVERFLOW, TEXTS[QUEUE_OVERFLOW], RECOVERABLE, NODE)

    def next(self) -> Entry:
        """Take the oldest error out; code 0 if there is none."""
        return self._entries.popleft() if self._entries else EMPTY

    def clear(self) -> None:
        """Empty the queue."""
        self._entries.clear()


def _event_bit(code: int) -> int:
    if code == PROGRAM_SYNTAX or -200 < code <= -100:
        return 0x20
    if -500 < code <= -400:
        return 0x04
    if -400 < code <= -300:
        return 0x08
    return 0x10
