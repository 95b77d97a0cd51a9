"""Lua for scripts: a real interpreter that reaches nothing but the instrument, within bounds.

Scripts get tables and functions of Lua 5.0 and of the instrument; no files, no operating system, no
bytecode, no environments, no coroutines, no Python. Instructions, memory, output and actions of the
instrument are bounded; whoever exceeds a bound is stopped with an error of the instrument, and so
is nothing else. A script that has filled the memory for good loses what it has made.

Assumed: the number and text of the error where a script would not end (the real instrument runs on
until somebody aborts it).
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from typing import Any

from lupa import lua51  # type: ignore[import-untyped]

from twin.firmware.tsp.dialect import misfit
from twin.firmware.tsp.errors import (
    CANNOT_OPEN_FILE,
    INVALID_PARAMETER,
    OUT_OF_MEMORY,
    PROGRAM_SYNTAX,
    RUNTIME,
    SCRIPTS_LOST,
    ErrorQueue,
    LuaFault,
    ScriptEnd,
    TspError,
)
from twin.firmware.tsp.tables import Function, Host, Table

_POSITION = re.compile(r"^[^:\n]*:(?P<line>\d+): (?P<text>.*)$", re.DOTALL)
_QUOTED = re.compile(r"'([^'\n]*)'")
_OF_THE_INTERPRETER = ("attempt to", "bad argument", "unexpected symbol", "unfinished", "malformed")
_HEADROOM_BYTES = 32 << 20
"""Between the bound of scripts and the end of memory: what the host passes has to fit in."""

COLLECTION_ACTIONS = 3000
MAX_SAVED_BYTES = 8 << 20
"""Of scripts that are saved; assumed."""


@dataclass(frozen=True)
class Bounds:
    """What one message may take.

    Attributes:
        n_instructions: of the interpreter; those of the default take 0.2 s, or 2 s where each makes
            a table. A real instrument takes longer for a tenth of them.
        n_actions: uses of the instrument: attributes, calls, readings, events.
        memory_bytes: of everything that scripts hold.
        output_bytes: of what they print.
        cpu_s: of the processor; for single instructions that take long.
    """

    n_instructions: int = 30_000_000
    n_actions: int = 100_000
    memory_bytes: int = 16 << 20
    output_bytes: int = 16 << 20
    cpu_s: float = 120.0


class Sandbox:
    """An interpreter with the tables of one instrument.

    Args:
        errors: of the instrument.
        bounds: of one message.
    """

    def __init__(self, errors: ErrorQueue, bounds: Bounds) -> None:
        self.bounds = bounds
        self._errors = errors
        self._saved: dict[str, str] = {}
        self._globals: dict[str, Host] = {}
        self._factory: dict[str, str] = {}
        self._actions_left = bounds.n_actions
        self._ending = 0
        self._failure: BaseException | None = None
        self._restart()

    def define(self, table: Host, name: str = "") -> None:
        """Make a table or function of the instrument a global, under its own name or another."""
        self._globals[name or table.name] = table
        self._lua.define(name or table.name, table)

    def install(self, name: str, source: str) -> None:
        """Run a factory script; what it defines is there from now on."""
        self._factory[name] = source
        self._scripts.load_factory(source, name)

    def run(self, code: str, name: str = "TSP") -> None:
        """Run a chunk; its errors go into the queue."""
        self._carry_out(lambda: self._lua.run(code, name))

    def load(self, code: str, name: str) -> bool:
        """Keep a script, under its name if it has one; return whether it compiled."""
        kept: list[bool] = []
        self._carry_out(lambda: kept.append(self._scripts.load(code, name)))
        return any(kept)

    def renew(self) -> None:
        """Begin a message: it has all its actions before it."""
        self._actions_left = self.bounds.n_actions

    def collect(self) -> None:
        """Free what scripts cannot reach any more; takes long, and counts for that."""
        self.spend(COLLECTION_ACTIONS)
        self._runtime.gccollect()
        gc.collect()

    def report_end(self, code: int) -> None:
        """Queue the error of something that was ended outside of a script."""
        self._ending = code
        self._report("host", "")

    def spend(self, n_actions: int = 1) -> None:
        """Count uses of the instrument; too many end the script."""
        self._actions_left -= n_actions
        if self._actions_left < 0:
            raise ScriptEnd(RUNTIME)

    def _carry_out(self, action: Callable[[], Any]) -> None:
        self.renew()
        try:
            result = action()
        except lua51.LuaError:  # raised outside of what runs protected: there is no memory left
            result = ("memory", "")
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        if isinstance(result, tuple):
            self._report(*result)
        elif result in _STOPS:
            self._report(result, "")

    def _report(self, kind: str, message: str | None) -> None:
        if kind in ("syntax", "runtime"):
            self._errors.add(*_located(kind, message or ""))
        elif kind == "memory":
            self._errors.add(OUT_OF_MEMORY)
        elif kind == "overflow":
            self._errors.add(RUNTIME, "TSP Runtime error: stack overflow")
        elif kind == "time" or (kind == "host" and self._ending == RUNTIME):
            self._errors.add(RUNTIME, "TSP Runtime error: aborted, the script would not end")
        elif kind == "host" and self._ending:
            self._errors.add(self._ending)
        if kind == "memory" and self._lua.kilobytes() > 0.75 * self._memory_kb:
            self._restart()
            self._errors.add(SCRIPTS_LOST)

    @property
    def _memory_kb(self) -> float:
        return self.bounds.memory_bytes / 1024

    def _restart(self) -> None:
        runtime = lua51.LuaRuntime(
            max_memory=self.bounds.memory_bytes + _HEADROOM_BYTES,
            encoding="latin-1",
            source_encoding="latin-1",
            register_eval=False,
            register_builtins=False,
            unpack_returned_tuples=True,
            attribute_filter=_no_attributes,
        )
        self._runtime = runtime
        host = runtime.table_from(
            {
                "misfit": misfit,
                "describe": lambda host: (host.identifier, isinstance(host, Function)),
                "get": lambda table, key: self._guard(table.get, key),
                "set": lambda table, key, value=None: self._guard(table.set, key, value),
                "call": lambda f, *arguments: self._guard(f.call, arguments),
            }
        )
        bounds = runtime.table_from(
            {
                "n_instructions": self.bounds.n_instructions,
                "memory_kb": self._memory_kb,
                "cpu_s": self.bounds.cpu_s,
            }
        )
        runtime.execute(_source("library.lua"))
        self._lua = runtime.execute(_source("sandbox.lua"), host, bounds)
        for name, table in self._globals.items():
            self._lua.define(name, table)
        self._scripts = runtime.compile(_source("scripts.lua"))(self._lua, self._store())
        for name, source in self._factory.items():
            self._scripts.load_factory(source, name)

    def _store(self) -> Table:
        """What scripts.lua needs of the instrument."""

        def delete(name: object) -> None:
            if self._saved.pop(str(name), None) is None:
                raise TspError(INVALID_PARAMETER, 1)

        def complain(code: int) -> Callable[..., None]:
            def raise_error(*parameters: object) -> None:
                raise TspError(code, *parameters)

            return raise_error

        bodies: dict[str, Callable[..., object]] = {
            "save": self._save,
            "source": lambda name: self._saved.get(str(name)),
            "names": lambda: tuple(sorted(self._saved)),
            "delete": delete,
            "no_drive": complain(CANNOT_OPEN_FILE),
            "invalid": lambda place: complain(INVALID_PARAMETER)(int(place)),
            "syntax_error": lambda message: self._errors.add(*_located("syntax", message)),
        }
        return Table("store", {name: Function(name, body) for name, body in bodies.items()})

    def _save(self, name: object, source: object) -> None:
        kept = {**self._saved, str(name): str(source)}
        if sum(len(text) for text in kept.values()) > MAX_SAVED_BYTES:
            raise TspError(OUT_OF_MEMORY)
        self._saved = kept

    def _guard(self, action: Callable[..., object], *arguments: object) -> tuple[object, ...]:
        """Return true and results, false and a message, or ``host`` where the script has to end."""
        try:
            self.spend()
            result = action(*arguments)
        except TspError as error:
            self._errors.report(error)
            return (True,)
        except LuaFault as fault:
            return (False, str(fault))
        except ScriptEnd as end:
            self._ending = end.code
            return ("host",)
        except BaseException as failure:
            # no exception may travel through C; ``_carry_out`` raises it when Lua is done
            self._failure, self._ending = failure, 0
            return ("host",)
        return (True, *result) if isinstance(result, tuple) else (True, result)


_STOPS = ("time", "memory", "overflow", "host")


def _no_attributes(thing: object, name: object, is_setting: bool) -> object:
    raise AttributeError(name)


def _source(name: str) -> str:
    return resources.files("twin.firmware.tsp").joinpath(name).read_text(encoding="utf-8")


def _located(kind: str, message: str) -> tuple[int, str]:
    """Return number and text of an error from the interpreter's message."""
    code, title = (
        (PROGRAM_SYNTAX, "TSP Syntax error") if kind == "syntax" else (RUNTIME, "TSP Runtime error")
    )
    match = _POSITION.match(message)
    where, what = (f" at line {match['line']}", match["text"]) if match else ("", message)
    if kind == "syntax" or what.startswith(_OF_THE_INTERPRETER):
        what = _QUOTED.sub(r"`\1'", what)
    return code, f"{title}{where}: {what}"
