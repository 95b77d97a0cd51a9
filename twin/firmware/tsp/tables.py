"""Tables, attributes and functions of an instrument as its scripts see them.

Assumed, because the manual leaves it open: reading a name that the instrument does not have gives
nil, as in any Lua table; writing one, or one that is read only, ends the script with -286.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol

from twin.firmware.tsp.errors import (
    COMMAND_UNAVAILABLE,
    DATA_TYPE,
    INVALID_PARAMETER,
    MISSING_PARAMETERS,
    TOO_BIG,
    TOO_SMALL,
    LuaFault,
    TspError,
)

Check = Callable[[object], Any]
_identifiers = count(1)


class LuaTable(Protocol):
    """A table that a script made."""

    def items(self) -> Iterable[tuple[object, object]]:
        """Return keys and values, in the order of the indices where they are numbers."""
        ...


@dataclass(frozen=True)
class Attribute:
    """What a script reads, and writes if ``write`` is given."""

    read: Callable[[], object]
    write: Callable[[object], None] | None = None


class Host:
    """Anything that scripts hold by reference.

    Attributes:
        identifier: tells objects apart.
        name: as in the manual.
    """

    def __init__(self, name: str) -> None:
        self.identifier = next(_identifiers)
        self.name = name


class Function(Host):
    """A function of the instrument.

    Args:
        name: as in the manual.
        body: called with what the script passes.
        n_required: error 1400 is raised where there are fewer arguments.
    """

    def __init__(self, name: str, body: Callable[..., object], n_required: int = 0) -> None:
        super().__init__(name)
        self._body = body
        self._n_required = n_required

    def call(self, arguments: tuple[object, ...]) -> object:
        """Carry out; arguments beyond those of the body are ignored, as in Lua."""
        if len(arguments) < self._n_required:
            raise TspError(MISSING_PARAMETERS, self._n_required)
        return self._body(*arguments)


class Table(Host):
    """A table of the instrument: attributes, functions, further tables, constants.

    Args:
        name: as in the manual.
        members: by name.
        unmodelled: names that the instrument has and the twin refuses, with error 1100.
    """

    def __init__(
        self, name: str, members: Mapping[str, object], unmodelled: Iterable[str] = ()
    ) -> None:
        super().__init__(name)
        self.members = dict(members)
        self._unmodelled = frozenset(unmodelled)

    def get(self, key: object) -> object:
        """Return what is at ``key``; None, which is nil, where there is nothing."""
        if key in self._unmodelled:
            raise TspError(COMMAND_UNAVAILABLE)
        member = self.members.get(key) if isinstance(key, str) else self.item(key)
        return member.read() if isinstance(member, Attribute) else member

    def item(self, key: object) -> object:
        """Return what is at a key that is no name."""
        return None

    def set(self, key: object, value: object) -> None:
        """Write an attribute."""
        if key in self._unmodelled:
            raise TspError(COMMAND_UNAVAILABLE)
        member = self.members.get(key) if isinstance(key, str) else None
        if member is None:
            raise LuaFault(f"attempt to write unknown attribute `{self.name}.{key}'")
        if not isinstance(member, Attribute) or member.write is None:
            raise LuaFault(f"attempt to write read-only attribute `{self.name}.{key}'")
        member.write(value)


class Refused(Table):
    """A part of the instrument that is not modelled: whatever a script does with it is error 1100.

    Args:
        name: as in the manual.
        functions: names that can be looked up and fail when they are called; other names fail when
            they are read, which leaves nil.
    """

    def __init__(self, name: str, functions: Iterable[str] = ()) -> None:
        super().__init__(name, refused_functions(functions, f"{name}."))

    def get(self, key: object) -> object:
        """Return a function that refuses, or refuse."""
        if key not in self.members:
            raise TspError(COMMAND_UNAVAILABLE)
        return self.members[str(key)]

    def set(self, key: object, value: object) -> None:
        """Refuse."""
        raise TspError(COMMAND_UNAVAILABLE)


def refused_functions(names: Iterable[str], prefix: str = "") -> dict[str, Host]:
    """Return functions that raise error 1100, by name."""
    return {name: Function(prefix + name, _refuse) for name in names}


def _refuse(*arguments: object) -> None:
    raise TspError(COMMAND_UNAVAILABLE)


class Items(Table):
    """A table with numbers for keys, from 1."""

    def __init__(self, name: str, items: Iterable[object]) -> None:
        super().__init__(name, {})
        self._items = tuple(items)

    def item(self, key: object) -> object:
        """Return the item with this number."""
        if isinstance(key, float | int) and key == int(key) and 1 <= key <= len(self._items):
            return self._items[int(key) - 1]
        return None


def stored(settings: Callable[[], object], field: str, check: Check) -> Attribute:
    """Return an attribute that is kept and answered, and no more.

    Args:
        settings: returns the object that has it now.
        field: name of it there.
        check: turns what a script writes into what is kept, or raises.
    """
    return Attribute(
        lambda: getattr(settings(), field),
        lambda value: setattr(settings(), field, check(value)),
    )


def number(value: object) -> float:
    """Return a number, or raise -104."""
    if isinstance(value, bool) or not isinstance(value, float | int) or math.isnan(value):
        raise TspError(DATA_TYPE)
    return float(value)


def within(low: float, high: float) -> Callable[[object], float]:
    """Return a check for numbers within [low, high]; beyond, it raises 1102 and 1101."""

    def check(value: object) -> float:
        wanted = number(value)
        if wanted < low:
            raise TspError(TOO_SMALL)
        if wanted > high:
            raise TspError(TOO_BIG)
        return wanted

    return check


def whole(low: float, high: float) -> Callable[[object], int]:
    """Return a check for whole numbers within [low, high]; fractions are cut off."""
    check = within(low, high)
    return lambda value: int(check(value))


def one_of(*allowed: int) -> Callable[[object], int]:
    """Return a check for the constants of an attribute."""
    check = within(min(allowed), max(allowed))

    def choose(value: object) -> int:
        wanted = check(value)
        if wanted not in allowed:
            raise TspError(INVALID_PARAMETER, 1)
        return int(wanted)

    return choose


def text(value: object) -> str:
    """Return a string, or raise -104."""
    if not isinstance(value, str):
        raise TspError(DATA_TYPE)
    return value


def numbers(value: object, place: int) -> list[float]:
    """Return the numbers of a table that a script passed as argument ``place``, or raise 1401."""
    if not hasattr(value, "items"):
        raise TspError(INVALID_PARAMETER, place)
    pairs = [(key, item) for key, item in value.items() if isinstance(key, float | int)]
    if not pairs:
        raise TspError(INVALID_PARAMETER, place)
    return [number(item) for _, item in sorted(pairs, key=lambda pair: pair[0])]
