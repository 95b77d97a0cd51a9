"""``bit`` and ``userstring`` as scripts see them.

Source: manual 2600BS-901-01, "TSP command reference". Assumed: how much user strings may hold.
"""

from __future__ import annotations

from collections.abc import Callable

from twin.firmware.tsp.errors import INVALID_PARAMETER, OUT_OF_MEMORY, TspError
from twin.firmware.tsp.tables import Function, Table, number, text, whole

N_BITS = 32
MAX_STRINGS_BYTES = 1 << 16

_word = whole(0, 2**N_BITS - 1)
_index = whole(1, N_BITS)


def bit_table() -> Table:
    """Return ``bit``: numbers as words of 32 bits, which count from 1."""

    def of_two(operate: Callable[[int, int], int]) -> Callable[..., float]:
        return lambda a, b, *_: float(operate(_word(a), _word(b)))

    def with_bit(operate: Callable[[int, int], int]) -> Callable[..., float]:
        return lambda value, index, *_: float(operate(_word(value), 1 << (_index(index) - 1)))

    def get_field(value: object, index: object, width: object, *_: object) -> float:
        shift, mask = _field(index, width)
        return float(_word(value) >> shift & mask)

    def set_field(value: object, index: object, width: object, field: object, *_: object) -> float:
        shift, mask = _field(index, width)
        return float(_word(value) & ~(mask << shift) | whole(0, mask)(field) << shift)

    bodies: dict[str, tuple[Callable[..., object], int]] = {
        "bitand": (of_two(int.__and__), 2),
        "bitor": (of_two(int.__or__), 2),
        "bitxor": (of_two(int.__xor__), 2),
        "clear": (with_bit(lambda value, bit: value & ~bit), 2),
        "get": (with_bit(int.__and__), 2),
        "set": (with_bit(int.__or__), 2),
        "test": (lambda value, index, *_: bool(_word(value) >> (_index(index) - 1) & 1), 2),
        "toggle": (with_bit(int.__xor__), 2),
        "getfield": (get_field, 3),
        "setfield": (set_field, 4),
    }
    return Table("bit", {name: Function(f"bit.{name}", *body) for name, body in bodies.items()})


def _field(index: object, width: object) -> tuple[int, int]:
    shift = _index(index) - 1
    return shift, (1 << whole(1, N_BITS - shift)(width)) - 1


def string_table() -> Table:
    """Return ``userstring``: text by name, which outlasts a reset."""
    strings: dict[str, str] = {}

    def add(name: object, value: object, *_: object) -> None:
        kept = {**strings, text(name): value if isinstance(value, str) else f"{number(value):g}"}
        if sum(len(key) + len(item) for key, item in kept.items()) > MAX_STRINGS_BYTES:
            raise TspError(OUT_OF_MEMORY)
        strings.update(kept)

    def get(name: object, *_: object) -> str:
        if text(name) not in strings:
            raise TspError(INVALID_PARAMETER, 1)
        return strings[text(name)]

    def delete(name: object, *_: object) -> None:
        get(name)
        del strings[text(name)]

    def catalog(*_: object) -> Function:
        names = iter(sorted(strings))
        return Function("next", lambda *_: next(names, None))

    members = {
        "add": Function("userstring.add", add, 2),
        "get": Function("userstring.get", get, 1),
        "delete": Function("userstring.delete", delete, 1),
        "catalog": Function("userstring.catalog", catalog),
    }
    return Table("userstring", members)
