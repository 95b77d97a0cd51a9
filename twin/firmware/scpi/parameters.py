"""Parameters of SCPI commands: from text to values and back.

Source: SCPI-99 volume 1, section 7; IEEE 488.2, 7.7 (numbers, suffixes, strings, expressions).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from twin.firmware.scpi.errors import (
    DATA_TYPE_ERROR,
    ILLEGAL_PARAMETER_VALUE,
    INVALID_EXPRESSION,
    INVALID_SUFFIX,
    MISSING_PARAMETER,
    OUT_OF_RANGE,
    ScpiError,
)
from twin.firmware.scpi.text import short_form, spellings, split_outside

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_NUMBER_AND_SUFFIX = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-z]+)")
_NON_DECIMAL = re.compile(r"#(?:([Hh])([0-9A-Fa-f]+)|([Qq])([0-7]+)|([Bb])([01]+))")
_BASES = {"H": 16, "Q": 8, "B": 2}
_CHANNELS = re.compile(r"\(@\s*(\d+(?::\d+)?(?:\s*,\s*\d+(?::\d+)?)*)\s*\)")

_MULTIPLIERS = {
    "EX": 1e18, "PE": 1e15, "T": 1e12, "G": 1e9, "MA": 1e6, "K": 1e3, "": 1.0,
    "M": 1e-3, "U": 1e-6, "N": 1e-9, "P": 1e-12, "F": 1e-15, "A": 1e-18,
}  # fmt: skip
_MEGA = ("HZ", "OHM")
"""Units whose M means mega (IEEE 488.2, 7.7.3)."""


class Parameter(Protocol):
    """One kind of parameter: text to value and back."""

    def parse(self, text: str) -> Any:
        """Return the value, or raise ``ScpiError``."""
        ...

    def format(self, value: Any) -> str:
        """Return the value as a query answers it."""
        ...


@cache
def _suffixes(unit: str) -> dict[str, float]:
    table = {multiplier + unit: factor for multiplier, factor in _MULTIPLIERS.items()}
    if unit in _MEGA:
        table[f"M{unit}"] = 1e6
    return table


def non_decimal(text: str) -> int | None:
    """Return the number that #H, #Q or #B digits mean; None for anything else."""
    match = _NON_DECIMAL.fullmatch(text)
    if match is None:
        return None
    base, digits = (group for group in match.groups() if group)
    return int(digits, _BASES[base.upper()])


@dataclass(frozen=True)
class Number:
    """A number within [low, high]; MINimum, MAXimum and DEFault name the ends and the default.

    Attributes:
        low: least value.
        high: greatest value.
        default: what DEFault means.
        integer: whether it is rounded.
        unit: suffix that may follow, with or without a multiplier (``V``: 10 mV); none if empty.
    """

    low: float
    high: float
    default: float
    integer: bool = False
    unit: str = ""

    def named(self, text: str) -> float | None:
        """Return the value of MIN, MAX or DEF; None for anything else."""
        for word, value in (
            ("MINimum", self.low),
            ("MAXimum", self.high),
            ("DEFault", self.default),
        ):
            if text.upper() in spellings(word):
                return value
        return None

    def parse(self, text: str) -> float:
        """Return the number that is meant."""
        value = float(text) if _NUMBER.fullmatch(text) else self._unusual(text)
        if not self.low <= value <= self.high:
            raise ScpiError(OUT_OF_RANGE)
        return round(value) if self.integer else value

    def _unusual(self, text: str) -> float:
        named = self.named(text)
        if named is not None:
            return named
        digits = non_decimal(text)
        if digits is not None:
            return digits
        match = _NUMBER_AND_SUFFIX.fullmatch(text)
        if match is None or not self.unit:
            raise ScpiError(DATA_TYPE_ERROR)
        factor = _suffixes(self.unit.upper()).get(match[2].upper())
        if factor is None:
            raise ScpiError(INVALID_SUFFIX)
        value = float(match[1])
        return value * factor if factor >= 1 else value / round(1 / factor)

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
            if text.upper() in spellings(word):
                return short_form(word)
        if text[:1] in "'\"" or _NUMBER.fullmatch(text):
            raise ScpiError(DATA_TYPE_ERROR)
        raise ScpiError(ILLEGAL_PARAMETER_VALUE)

    def format(self, value: str) -> str:
        """Return the short form."""
        return value


@dataclass(frozen=True)
class String:
    """Any text in single or double quotes, where a quote is written twice.

    Attributes:
        max_length: more characters are refused with -222; inf for any number.
    """

    max_length: float = math.inf

    def parse(self, text: str) -> str:
        """Return what is inside the quotes."""
        if len(text) < 2 or text[0] not in "'\"" or text[-1] != text[0]:
            raise ScpiError(DATA_TYPE_ERROR)
        content = text[1:-1].replace(text[0] * 2, text[0])
        if len(content) > self.max_length:
            raise ScpiError(OUT_OF_RANGE)
        return content

    def format(self, value: str) -> str:
        """Return the text in double quotes."""
        return '"' + value.replace('"', '""') + '"'


@dataclass(frozen=True)
class Quoted:
    """Another parameter in single or double quotes; ``:DC`` after a function name is dropped."""

    inner: Choice

    def parse(self, text: str) -> str:
        """Return the value inside the quotes."""
        content = String().parse(text).strip()
        return self.inner.parse(re.sub(r":DC$", "", content, flags=re.IGNORECASE))

    def format(self, value: str) -> str:
        """Return the value in double quotes."""
        return f'"{value}"'


@dataclass(frozen=True)
class Channels:
    """A list of channels: ``(@1)``, ``(@1,3)``, ``(@1:3)``.

    Attributes:
        known: the channels that there are; others are refused with -222.
    """

    known: tuple[int, ...] = (1,)

    def parse(self, text: str) -> list[int]:
        """Return the channels in the order that they are listed."""
        match = _CHANNELS.fullmatch(text)
        if match is None:
            raise ScpiError(INVALID_EXPRESSION if text.startswith("(") else DATA_TYPE_ERROR)
        channels: list[int] = []
        for part in match[1].split(","):
            first, last = (int(end) for end in (part.split(":") * 2)[:2])
            if first not in self.known or last not in self.known:
                raise ScpiError(OUT_OF_RANGE)
            step = 1 if last >= first else -1
            channels += [k for k in range(first, last + step, step) if k in self.known]
        return channels

    def format(self, value: Sequence[int]) -> str:
        """Return the list."""
        return f"(@{','.join(map(str, value))})"


@dataclass(frozen=True)
class Several:
    """One or more parameters of a kind, separated by commas; only as the last of a command."""

    inner: Parameter

    def parse(self, text: str) -> list[Any]:
        """Return the values in the order that they were sent."""
        return [self.inner.parse(present(part)) for part in split_outside(text, ",")]

    def format(self, value: Sequence[Any]) -> str:
        """Return the values separated by commas."""
        return ",".join(self.inner.format(item) for item in value)


def present(text: str) -> str:
    """Return a parameter that must not be empty."""
    if not text:
        raise ScpiError(MISSING_PARAMETER)
    return text


def definite_block(data: bytes) -> str:
    """Return bytes as a reply of definite length (IEEE 488.2, 8.7.9); engines send Latin-1."""
    length = str(len(data))
    return f"#{len(length)}{length}" + data.decode("latin-1")


def indefinite_block(data: bytes) -> str:
    """Return bytes as a reply that ends with the message (IEEE 488.2, 8.7.10)."""
    return "#0" + data.decode("latin-1")
