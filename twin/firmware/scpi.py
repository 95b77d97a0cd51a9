"""A small SCPI engine: bytes in pieces, replies out, errors into a queue.

An instrument is a table of ``Command`` lines, each written once in the notation of programming
manuals: ``[:SENSe[1]]:CURRent[:DC]:PROTection[:LEVel]``. Capitals are the short form, brackets may
be left out. What is not in the table is -113 in the error queue: no reply, no exception.

Source: SCPI-99 volume 1 (headers 6.2, parameters 7, errors 21.8); IEEE 488.2 (status, common
commands).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

DATA_TYPE_ERROR = -104
PARAMETER_NOT_ALLOWED = -108
MISSING_PARAMETER = -109
UNDEFINED_HEADER = -113
INVALID_STRING_DATA = -151
SETTINGS_CONFLICT = -221
OUT_OF_RANGE = -222
ILLEGAL_PARAMETER_VALUE = -224
QUEUE_OVERFLOW = -350
INPUT_BUFFER_OVERRUN = -363

STANDARD_MESSAGES = {
    0: "No error",
    DATA_TYPE_ERROR: "Data type error",
    PARAMETER_NOT_ALLOWED: "Parameter not allowed",
    MISSING_PARAMETER: "Missing parameter",
    UNDEFINED_HEADER: "Undefined header",
    INVALID_STRING_DATA: "Invalid string data",
    SETTINGS_CONFLICT: "Settings conflict",
    OUT_OF_RANGE: "Parameter data out of range",
    ILLEGAL_PARAMETER_VALUE: "Illegal parameter value",
    QUEUE_OVERFLOW: "Queue overflow",
    INPUT_BUFFER_OVERRUN: "Input buffer overrun",
}

MAX_LINE_BYTES = 65536

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_PATTERN_NODE = re.compile(r"(\[)?:?(\*?[A-Za-z]+)(?:(\d+)|\[(\d+)\])?(\])?")


class ScpiError(Exception):
    """What a handler raises to put an error into the instrument's queue.

    It never leaves the engine, so it is no part of the tree in ``hil.errors``.
    """

    def __init__(self, code: int, text: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.text = STANDARD_MESSAGES[code] if text is None else text

    def __str__(self) -> str:
        sign = "+" if self.code > 0 else ""
        return f'{sign}{self.code},"{self.text}"'


class Parameter(Protocol):
    """One kind of parameter: text to value and back."""

    def parse(self, text: str) -> Any:
        """Return the value, or raise ``ScpiError``."""
        ...

    def format(self, value: Any) -> str:
        """Return the value as a query answers it."""
        ...


@dataclass(frozen=True)
class Number:
    """A number within [low, high]; MINimum, MAXimum and DEFault name the ends and the default."""

    low: float
    high: float
    default: float
    integer: bool = False

    def named(self, text: str) -> float | None:
        """Return the value of MIN, MAX or DEF; None for anything else."""
        for word, value in (
            ("MINimum", self.low),
            ("MAXimum", self.high),
            ("DEFault", self.default),
        ):
            if text.upper() in _spellings(word):
                return value
        return None

    def parse(self, text: str) -> float:
        """Return the number that is meant."""
        value = float(text) if _NUMBER.fullmatch(text) else self.named(text)
        if value is None:
            raise ScpiError(DATA_TYPE_ERROR)
        if not self.low <= value <= self.high:
            raise ScpiError(OUT_OF_RANGE)
        return round(value) if self.integer else value

    def format(self, value: float) -> str:
        """Return seven significant digits, or an integer."""
        return f"{value:d}" if self.integer else f"{value:.6E}"


@dataclass(frozen=True)
class Boolean:
    """ON, OFF, or a number: anything that rounds to zero is off."""

    def parse(self, text: str) -> bool:
        """Return the state that is meant."""
        if text.upper() in ("ON", "OFF"):
            return text.upper() == "ON"
        if not _NUMBER.fullmatch(text):
            raise ScpiError(DATA_TYPE_ERROR)
        return abs(float(text)) >= 0.5

    def format(self, value: bool) -> str:
        """Return 0 or 1."""
        return str(int(value))


@dataclass(frozen=True)
class Choice:
    """One of some words, each in its short or long form; the value is the short form."""

    words: tuple[str, ...]

    def parse(self, text: str) -> str:
        """Return the short form of the word."""
        for word in self.words:
            if text.upper() in _spellings(word):
                return _short(word)
        if text[:1] in "'\"" or _NUMBER.fullmatch(text):
            raise ScpiError(DATA_TYPE_ERROR)
        raise ScpiError(ILLEGAL_PARAMETER_VALUE)

    def format(self, value: str) -> str:
        """Return the short form."""
        return value


@dataclass(frozen=True)
class Quoted:
    """Another parameter in single or double quotes; ``:DC`` after a function name is dropped."""

    inner: Choice

    def parse(self, text: str) -> str:
        """Return the value inside the quotes."""
        if len(text) < 2 or text[0] not in "'\"" or text[-1] != text[0]:
            raise ScpiError(DATA_TYPE_ERROR)
        return self.inner.parse(re.sub(r":DC$", "", text[1:-1].strip(), flags=re.IGNORECASE))

    def format(self, value: str) -> str:
        """Return the value in double quotes."""
        return f'"{value}"'


@dataclass(frozen=True)
class Several:
    """One or more parameters of a kind, separated by commas; only as the last of a command."""

    inner: Parameter

    def parse(self, text: str) -> list[Any]:
        """Return the values in the order that they were sent."""
        return [self.inner.parse(_present(part)) for part in _split(text, ",")]

    def format(self, value: Sequence[Any]) -> str:
        """Return the values separated by commas."""
        return ",".join(self.inner.format(item) for item in value)


@dataclass(frozen=True)
class Command:
    """One line of a command table.

    Attributes:
        pattern: header in manual notation.
        write: called with the parsed parameters; None where there is only a query.
        query: called for the header with ``?``; returns the reply; None where there is none.
        parameters: what ``write`` takes.
    """

    pattern: str
    write: Callable[..., None] | None = None
    query: Callable[[], str] | None = None
    parameters: tuple[Parameter, ...] = ()


@dataclass
class Status:
    """Error queue and status registers, with the common commands that show them.

    Attributes:
        event: standard event register; bit 7 says that the power came on.
        event_enable: which of its bits show in the status byte.
        request_enable: which bits of the status byte ask for service.
        depth: how many errors the queue holds; the last place is taken by -350 when it is full.
    """

    event: int = 0x80
    event_enable: int = 0
    request_enable: int = 0
    depth: int = 10
    _errors: deque[str] = field(default_factory=deque)

    def report(self, error: ScpiError) -> None:
        """Put an error into the queue and set its bit in the event register."""
        self.event |= _event_bit(error.code)
        if len(self._errors) < self.depth:
            self._errors.append(str(error))
        else:
            self._errors[-1] = str(ScpiError(QUEUE_OVERFLOW))

    def next_error(self) -> str:
        """Take the oldest error out of the queue; ``0,"No error"`` if there is none."""
        return self._errors.popleft() if self._errors else str(ScpiError(0))

    def clear_errors(self) -> None:
        """Empty the error queue."""
        self._errors.clear()

    def clear(self) -> None:
        """*CLS: empty the queue and the event register."""
        self.clear_errors()
        self.event = 0

    def take_event(self) -> int:
        """*ESR?: return the event register and clear it."""
        value, self.event = self.event, 0
        return value

    def byte(self) -> int:
        """*STB?: error available, event summary, and request for service."""
        value = (0x04 if self._errors else 0) | (0x20 if self.event & self.event_enable else 0)
        return value | (0x40 if value & self.request_enable else 0)

    def operation_complete(self) -> None:
        """*OPC: every operation is over when the next command is read."""
        self.event |= 0x01

    def commands(self) -> list[Command]:
        """Return the part of a command table that is about status."""
        mask = Number(0, 255, 0, integer=True)
        return [
            Command("*CLS", write=self.clear),
            Command("*ESR", query=lambda: str(self.take_event())),
            Command(
                "*ESE",
                lambda value: setattr(self, "event_enable", value),
                lambda: str(self.event_enable),
                (mask,),
            ),
            Command(
                "*SRE",
                lambda value: setattr(self, "request_enable", value & ~0x40),
                lambda: str(self.request_enable),
                (mask,),
            ),
            Command("*STB", query=lambda: str(self.byte())),
            Command("*OPC", self.operation_complete, lambda: "1"),
            Command(":SYSTem:ERRor[:NEXT]", query=self.next_error),
            Command(":STATus:QUEue[:NEXT]", query=self.next_error),
            Command(":STATus:QUEue:CLEar", write=self.clear_errors),
        ]


class ScpiEngine:
    """Turns a stream of bytes into calls of the handlers of a command table.

    A message ends with LF; CR and blanks around it are dropped. Commands in a message are
    separated by ``;``; one without a leading colon continues at the level of the one before it.
    Replies of one message are joined by ``;``. A command error (-1xx) drops the rest of its
    message, an execution error does not.

    Args:
        commands: the command table.
        status: where errors go.
        on_message: called with every message that is not blank, before it is carried out.

    Raises:
        ValueError: two commands of the table have a header in common.
    """

    def __init__(
        self,
        commands: Iterable[Command],
        status: Status,
        on_message: Callable[[str], None] = lambda message: None,
    ) -> None:
        self._root = _Node()
        for command in commands:
            self._root.insert(_nodes_of(command.pattern), command)
        self._status = status
        self._on_message = on_message
        self._pending = bytearray()
        self._overrun = False

    def receive(self, data: bytes) -> bytes:
        """Take some bytes; carry out the messages that they complete; return the replies."""
        self._pending += data
        *lines, rest = bytes(self._pending).split(b"\n")
        self._pending = bytearray(rest)
        replies = [self._take_line(line) for line in lines]
        if len(self._pending) > MAX_LINE_BYTES:
            self._pending.clear()
            self._overrun = True
        return b"".join(replies)

    def _take_line(self, line: bytes) -> bytes:
        overrun = self._overrun or len(line) > MAX_LINE_BYTES
        self._overrun = False
        if overrun:
            self._status.report(ScpiError(INPUT_BUFFER_OVERRUN))
            return b""
        message = line.decode("latin-1").strip()
        if not message:
            return b""
        self._on_message(message)
        replies = self._carry_out(message)
        return ";".join(replies).encode("latin-1") + b"\n" if replies else b""

    def _carry_out(self, message: str) -> list[str]:
        replies: list[str] = []
        path: list[str] = []
        try:
            units = _split(message, ";")
        except ScpiError as error:
            self._status.report(error)
            return replies
        for unit in filter(None, units):
            try:
                reply, path = self._carry_out_unit(unit, path)
            except ScpiError as error:
                self._status.report(error)
                if -200 < error.code < -99:
                    break
                path = _resolve(unit.split(maxsplit=1)[0], path)[1]
            else:
                replies += [reply] if reply is not None else []
        return replies

    def _carry_out_unit(self, unit: str, path: list[str]) -> tuple[str | None, list[str]]:
        header, *rest = unit.split(maxsplit=1)
        words, path = _resolve(header.removesuffix("?"), path)
        command = self._root.find(words)
        arguments = rest[0] if rest else ""
        if header.endswith("?"):
            return _ask(command, arguments), path
        if command.write is None:
            raise ScpiError(UNDEFINED_HEADER)
        command.write(*_parse_arguments(command.parameters, arguments))
        return None, path


@dataclass
class _Node:
    """A node of the command tree, reached by each spelling of its name."""

    children: dict[str, _Node] = field(default_factory=dict)
    command: Command | None = None

    def insert(self, nodes: Sequence[tuple[frozenset[str], bool]], command: Command) -> None:
        if not nodes:
            if self.command is not None:
                raise ValueError(f"{command.pattern} and {self.command.pattern} are the same")
            self.command = command
            return
        (spellings, optional), *rest = nodes
        if optional:
            self.insert(rest, command)
        child = next((self.children[s] for s in spellings if s in self.children), _Node())
        self.children.update(dict.fromkeys(spellings, child))
        child.insert(rest, command)

    def find(self, words: Sequence[str]) -> Command:
        node: _Node | None = self
        for word in words:
            node = node.children.get(word) if node else None
        if node is None or node.command is None:
            raise ScpiError(UNDEFINED_HEADER)
        return node.command


def _nodes_of(pattern: str) -> list[tuple[frozenset[str], bool]]:
    """Return the spellings of each node of a pattern, and whether it may be left out."""
    nodes = []
    for opening, word, suffix, optional_suffix, _ in _PATTERN_NODE.findall(pattern):
        spellings = {form + suffix for form in _spellings(word)}
        if optional_suffix:
            spellings |= {form + optional_suffix for form in spellings}
        nodes.append((frozenset(spellings), bool(opening)))
    return nodes


def _resolve(header: str, path: list[str]) -> tuple[list[str], list[str]]:
    """Return the words of a header from the root, and the path for the next one."""
    header = header.upper()
    if header.lstrip(":").startswith("*"):
        return [header.removeprefix(":")], path
    words = header[1:].split(":") if header.startswith(":") else [*path, *header.split(":")]
    return words, words[:-1]


def _ask(command: Command, arguments: str) -> str:
    if command.query is None:
        raise ScpiError(UNDEFINED_HEADER)
    if not arguments:
        return command.query()
    parameter = command.parameters[0] if len(command.parameters) == 1 else None
    value = parameter.named(arguments) if isinstance(parameter, Number) else None
    if parameter is None or value is None:
        raise ScpiError(PARAMETER_NOT_ALLOWED)
    return parameter.format(value)


def _parse_arguments(parameters: tuple[Parameter, ...], arguments: str) -> list[Any]:
    if parameters and isinstance(parameters[-1], Several):
        return [parameters[-1].parse(_present(arguments))]
    texts = _split(arguments, ",") if arguments else []
    if len(texts) < len(parameters):
        raise ScpiError(MISSING_PARAMETER)
    if len(texts) > len(parameters):
        raise ScpiError(PARAMETER_NOT_ALLOWED)
    return [
        parameter.parse(_present(text)) for parameter, text in zip(parameters, texts, strict=True)
    ]


def _present(text: str) -> str:
    if not text:
        raise ScpiError(MISSING_PARAMETER)
    return text


def _split(text: str, separator: str) -> list[str]:
    """Split at a separator that is not inside quotes; blanks around the parts are dropped."""
    if "'" not in text and '"' not in text:
        return [part.strip() for part in text.split(separator)]
    parts = [""]
    quote = ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == separator:
            parts.append("")
            continue
        parts[-1] += character
    if quote:
        raise ScpiError(INVALID_STRING_DATA)
    return [part.strip() for part in parts]


def _short(word: str) -> str:
    return "".join(character for character in word if not character.islower())


@cache
def _spellings(word: str) -> frozenset[str]:
    return frozenset((_short(word), word.upper()))


def _event_bit(code: int) -> int:
    if -200 < code <= -100:
        return 0x20
    if -400 < code <= -300:
        return 0x08
    return 0x10
