"""From a stream of bytes to the handlers of a command table, and back to replies.

Source: SCPI-99 volume 1, section 6 (headers); IEEE 488.2, sections 6 and 7 (message exchange).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from twin.firmware.scpi.command import Command
from twin.firmware.scpi.errors import (
    INPUT_BUFFER_OVERRUN,
    MISSING_PARAMETER,
    PARAMETER_NOT_ALLOWED,
    QUERY_AFTER_INDEFINITE,
    UNDEFINED_HEADER,
    ScpiError,
)
from twin.firmware.scpi.parameters import Number, Parameter, Several, present
from twin.firmware.scpi.status import Status
from twin.firmware.scpi.text import spellings, split_outside

MAX_LINE_BYTES = 65536
MAX_HEADERS_KEPT = 4096

_PATTERN_NODE = re.compile(r"(\[)?:?(\*?[A-Za-z]+(?:\d+[A-Za-z]+)*)(?:(\d+)|\[(\d+)\])?(\])?")


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
        holds: whether a command has to wait, and with it what follows in its message and in later
            ones; asked again after every message. None waits if it is not given.

    Raises:
        ValueError: two commands of the table have a header in common.
    """

    def __init__(
        self,
        commands: Iterable[Command],
        status: Status,
        on_message: Callable[[str], None] = lambda message: None,
        holds: Callable[[Command], bool] = lambda command: False,
    ) -> None:
        self._root = _Node()
        for command in commands:
            self._root.insert(_nodes_of(command.pattern), command)
        self._status = status
        self._on_message = on_message
        self._holds = holds
        self._held: deque[_Units] = deque()
        self._pending = bytearray()
        self._overrun = False
        self._found: dict[tuple[str, ...], Command] = {}

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
        try:
            units = list(filter(None, split_outside(message, ";")))
        except ScpiError as error:
            self._status.report(error)
            return b""
        replies, rest = self._carry_out(_Units(units))
        self._held += [rest] if rest.units else []
        lines = self._line(replies)
        while self._held:
            replies, rest = self._carry_out(self._held.popleft())
            lines += self._line(replies)
            if rest.units:
                self._held.appendleft(rest)
                break
        return lines

    def drop_held(self) -> None:
        """Forget the commands that wait."""
        self._held.clear()

    def forget(self) -> None:
        """Forget what has arrived and is not carried out yet."""
        self.drop_held()
        self._pending.clear()
        self._overrun = False

    @staticmethod
    def _line(replies: list[str]) -> bytes:
        return ";".join(replies).encode("latin-1") + b"\n" if replies else b""

    def _carry_out(self, message: _Units) -> tuple[list[str], _Units]:
        """Return the replies, and what has to wait."""
        replies: list[str] = []
        path = message.path
        is_indefinite = False
        for position, unit in enumerate(message.units):
            header, *rest = unit.split(maxsplit=1)
            words, following = _resolve(header.removesuffix("?"), path)
            try:
                command = self._find(words)
                if self._holds(command):
                    return replies, _Units(message.units[position:], path)
                if header.endswith("?"):
                    if is_indefinite:
                        raise ScpiError(QUERY_AFTER_INDEFINITE)
                    reply = _ask(command, rest[0] if rest else "")
                    replies += [reply] if reply is not None else []
                    is_indefinite = command.is_indefinite
                else:
                    _tell(command, rest[0] if rest else "")
            except ScpiError as error:
                self._status.report(error)
                if -200 < error.code < -99:
                    break
            path = following
        return replies, _Units([])

    def _find(self, words: list[str]) -> Command:
        """Look a header up; those that were asked for before are remembered."""
        key = tuple(words)
        command = self._found.get(key)
        if command is None:
            command = self._root.find(words)
            if len(self._found) < MAX_HEADERS_KEPT:
                self._found[key] = command
        return command


@dataclass
class _Units:
    """Commands of a message, and the level that the first of them continues at."""

    units: list[str]
    path: list[str] = field(default_factory=list)


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
        (names, optional), *rest = nodes
        if optional:
            self.insert(rest, command)
        child = next((self.children[s] for s in names if s in self.children), _Node())
        self.children.update(dict.fromkeys(names, child))
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
        names = {form + suffix for form in spellings(word)}
        if optional_suffix:
            names |= {form + optional_suffix for form in names}
        nodes.append((frozenset(names), bool(opening)))
    return nodes


def _resolve(header: str, path: list[str]) -> tuple[list[str], list[str]]:
    """Return the words of a header from the root, and the path for the next one."""
    header = header.upper()
    if header.lstrip(":").startswith("*"):
        return [header.removeprefix(":")], path
    words = header[1:].split(":") if header.startswith(":") else [*path, *header.split(":")]
    return words, words[:-1]


def _tell(command: Command, arguments: str) -> None:
    if command.write is None:
        raise ScpiError(UNDEFINED_HEADER)
    command.write(*_parse_arguments(command.parameters, arguments, command.n_optional))


def _ask(command: Command, arguments: str) -> str | None:
    if command.query is None:
        raise ScpiError(UNDEFINED_HEADER)
    if command.query_parameters:
        return command.query(
            *_parse_arguments(command.query_parameters, arguments, command.n_optional_query)
        )
    if not arguments:
        return command.query()
    parameter = command.parameters[0] if len(command.parameters) == 1 else None
    value = parameter.named(arguments) if isinstance(parameter, Number) else None
    if parameter is None or value is None:
        raise ScpiError(PARAMETER_NOT_ALLOWED)
    return parameter.format(value)


def _parse_arguments(
    parameters: tuple[Parameter, ...], arguments: str, n_optional: int = 0
) -> list[Any]:
    if parameters and isinstance(parameters[-1], Several):
        return _parse_several(parameters, arguments)
    texts = split_outside(arguments, ",") if arguments else []
    if len(texts) < len(parameters) - n_optional:
        raise ScpiError(MISSING_PARAMETER)
    if len(texts) > len(parameters):
        raise ScpiError(PARAMETER_NOT_ALLOWED)
    return [
        parameter.parse(present(text)) for parameter, text in zip(parameters, texts, strict=False)
    ]


def _parse_several(parameters: tuple[Parameter, ...], arguments: str) -> list[Any]:
    """Parse parameters of which the last takes all that is left."""
    *first, last = parameters
    texts = split_outside(present(arguments), ",")
    if len(texts) <= len(first):
        raise ScpiError(MISSING_PARAMETER)
    values = [p.parse(present(text)) for p, text in zip(first, texts, strict=False)]
    return [*values, last.parse(",".join(texts[len(first) :]))]
