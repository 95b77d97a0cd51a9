"""From bytes to messages of a TSP instrument: lines, scripts that span lines, common commands.

A message is a line; CR before its LF is dropped. Lines between ``loadscript`` or
``loadandrunscript`` and ``endscript`` are a script. Common commands (``*IDN?``) come alone in a
message, in capitals or not. Every ``print`` is a reply of its own, ended by LF.

Source: manual 2600BS-901-01, sections "Common commands", "Fundamentals of script programming",
"localnode.prompts", "localnode.showerrors". Assumed: longest line, largest script.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from twin.firmware.tsp.errors import (
    DATA_TYPE,
    INPUT_OVERRUN,
    MISSING_PARAMETER,
    OUT_OF_MEMORY,
    QUERY_DEADLOCKED,
    TOO_BIG,
    TOO_SMALL,
    Entry,
    ErrorQueue,
    ScriptEnd,
    TspError,
)
from twin.firmware.tsp.sandbox import Sandbox

MAX_LINE_BYTES = 65536
MAX_SCRIPT_BYTES = 1 << 20

Common = Callable[[str], str | None]


@dataclass
class Manners:
    """Settings of ``localnode`` about what is sent unasked; they outlast a reset.

    Attributes:
        prompts: a prompt after every message.
        prompts_4882: after common commands as well.
        show_errors: errors are sent at once and leave the queue.
    """

    prompts: int = 0
    prompts_4882: int = 1
    show_errors: int = 0


class Output:
    """The output queue.

    Args:
        limit_bytes: what fits in; a script that prints more is ended, and its replies are lost.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._sent = bytearray()
        self._begin = 0

    def begin(self) -> None:
        """Begin the replies to a further message."""
        self._begin = len(self._sent)

    @property
    def has_message(self) -> bool:
        """Whether the present message has left a reply so far."""
        return len(self._sent) > self._begin

    def send(self, reply: bytes) -> None:
        """Leave a reply, without its terminator."""
        if len(self._sent) + len(reply) > self._limit_bytes:
            del self._sent[self._begin :]
            raise ScriptEnd(QUERY_DEADLOCKED)
        self._sent += reply + b"\n"

    def take(self) -> bytes:
        """Return all replies."""
        sent = bytes(self._sent)
        self._sent.clear()
        self._begin = 0
        return sent


class Messages:
    """Carries out what arrives.

    Args:
        sandbox: runs what is no common command.
        errors: of the instrument.
        output: where replies go.
        common: common commands by header in capitals; each takes its argument and returns a reply.
        on_message: called with every message before it is carried out.
        after_message: called when it is.

    Attributes:
        manners: what is sent unasked.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        errors: ErrorQueue,
        output: Output,
        common: Mapping[str, Common],
        on_message: Callable[[str], None],
        after_message: Callable[[], None],
    ) -> None:
        self.manners = Manners()
        self._sandbox = sandbox
        self._errors = errors
        self._output = output
        self._common = common
        self._on_message = on_message
        self._after_message = after_message
        self._pending = bytearray()
        self._overrun = False
        self._script: list[str] | None = None
        self._script_name = ""
        self._runs_script = False
        self._script_bytes = 0

    def receive(self, data: bytes) -> bytes:
        """Take some bytes; carry out the messages that they complete; return the replies."""
        self._pending += data
        *lines, rest = bytes(self._pending).split(b"\n")
        self._pending = bytearray(rest)
        for line in lines:
            self._take(line)
        if len(self._pending) > MAX_LINE_BYTES:
            self._pending.clear()
            self._overrun = True
        return self._output.take()

    def _take(self, line: bytes) -> None:
        overrun, self._overrun = self._overrun or len(line) > MAX_LINE_BYTES, False
        message = line.decode("latin-1").removesuffix("\r")
        self._output.begin()
        self._sandbox.renew()
        if overrun:
            self._errors.add(INPUT_OVERRUN)
        elif self._script is not None:
            self._take_script_line(message)
        elif message.strip():
            self._on_message(message.strip())
            self._carry_out(message)
        self._after_message()
        self._say_more(is_common=message.strip().startswith("*") and self._script is None)

    def _carry_out(self, message: str) -> None:
        header, _, rest = message.strip().partition(" ")
        if header in ("loadscript", "loadandrunscript"):
            self._script, self._script_bytes = [], 0
            self._script_name = rest.strip()
            self._runs_script = header == "loadandrunscript"
        elif header.upper() in self._common:
            self._carry_out_common(self._common[header.upper()], rest.strip())
        else:
            self._sandbox.run(message)

    def _carry_out_common(self, command: Common, argument: str) -> None:
        try:
            reply = command(argument)
        except TspError as error:
            self._errors.report(error)
        else:
            if reply is not None:
                self._output.send(reply.encode("latin-1"))

    def _take_script_line(self, line: str) -> None:
        assert self._script is not None
        if line.strip() == "endscript":
            self._end_script("\n".join(self._script))
            return
        self._script_bytes += len(line) + 1
        if self._script_bytes <= MAX_SCRIPT_BYTES:
            self._script.append(line)

    def _end_script(self, code: str) -> None:
        self._script = None
        self._on_message(f"script {self._script_name}".strip())
        if self._script_bytes > MAX_SCRIPT_BYTES:
            self._errors.add(OUT_OF_MEMORY)
        elif self._sandbox.load(code, self._script_name) and self._runs_script:
            self._sandbox.run(code, self._script_name or "TSP")

    def _say_more(self, *, is_common: bool) -> None:
        while self.manners.show_errors and self._errors.count:
            self._output.send(_shown(self._errors.next()))
        if not self.manners.prompts or (is_common and not self.manners.prompts_4882):
            return
        if self._script is not None:
            self._output.send(b">>>>")
        else:
            self._output.send(b"TSP?" if self._errors.count else b"TSP>")


def mask(argument: str) -> int:
    """Return the argument of ``*ESE`` or ``*SRE``."""
    if not argument:
        raise TspError(MISSING_PARAMETER)
    try:
        value = float(argument)
    except ValueError:
        raise TspError(DATA_TYPE) from None
    if not 0 <= value <= 255:
        raise TspError(TOO_SMALL if value < 0 else TOO_BIG)
    return round(value)


def _shown(entry: Entry) -> bytes:
    return f"{entry.code}\t{entry.text}\t{entry.severity}\t{entry.node}".encode(
        "latin-1", "replace"
    )
