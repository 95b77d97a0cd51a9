"""Parameters as this instrument reads and answers them.

Source: command reference B2910-90030, "SCPI Conventions and Data Formats"; "Numeric Suffix".
Assumed: a function name may be sent without quotes, as examples of the reference do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from twin.firmware.keysight_b2900.model import INFINITE, MAX_COUNT, TIME_STEP_S
from twin.firmware.scpi import (
    HEADER_SUFFIX_OUT_OF_RANGE,
    OUT_OF_RANGE,
    PARAMETER_ERROR,
    SETTINGS_CONFLICT,
    Channels,
    Choice,
    Number,
    Quoted,
    ScpiError,
)


@dataclass(frozen=True)
class Nr3(Number):
    """A number that is answered with sign and exponent."""

    def format(self, value: float) -> str:
        """Return seven significant digits."""
        return f"{value:+.6E}"


@dataclass(frozen=True)
class Clipped(Nr3):
    """A number that is moved into its range instead of being refused."""

    def parse(self, text: str) -> float:
        """Return the nearest number in the range."""
        value = Number(-1e99, 1e99, self.default, unit=self.unit).parse(self._known(text))
        return min(max(value, self.low), self.high)

    def _known(self, text: str) -> str:
        named = self.named(text)
        return text if named is None else repr(named)


@dataclass(frozen=True)
class Time(Nr3):
    """A time, in steps of the instrument's clock."""

    unit: str = "S"

    def parse(self, text: str) -> float:
        """Return the time, rounded to the step."""
        return round(super().parse(text) / TIME_STEP_S) * TIME_STEP_S


@dataclass(frozen=True)
class Count(Number):
    """How often: 1 to 100000, or INFinity."""

    low: float = 1
    high: float = MAX_COUNT
    default: float = 1
    integer: bool = True

    def parse(self, text: str) -> float:
        """Return the count."""
        return INFINITE if self.named(text) == INFINITE else super().parse(text)

    def named(self, text: str) -> float | None:
        """Return the value of MIN, MAX, DEF or INF."""
        if text.upper() in ("INF", "INFINITY", str(INFINITE)):
            return INFINITE
        return super().named(text)


@dataclass(frozen=True)
class Only(Choice):
    """A choice of which some words are refused, because what they mean is not modelled."""

    modelled: tuple[str, ...] = ()

    def parse(self, text: str) -> str:
        """Return the short form of the word."""
        word = super().parse(text)
        if word not in self.modelled:
            raise ScpiError(SETTINGS_CONFLICT, f"Settings conflict; {word} is not modelled")
        return word


@dataclass(frozen=True)
class FunctionName(Quoted):
    """The name of a measurement function, with or without quotes."""

    def parse(self, text: str) -> str:
        """Return the short form of the name."""
        return super().parse(text if text[:1] in "'\"" else f'"{text}"')


@dataclass(frozen=True)
class ChannelList(Channels):
    """A list of channels."""

    def parse(self, text: str) -> list[int]:
        """Return the channels in rising order, each once."""
        try:
            return sorted(set(super().parse(text)))
        except ScpiError as error:
            if error.code == OUT_OF_RANGE:
                raise ScpiError(PARAMETER_ERROR, "Parameter error; Invalid channel list") from error
            raise


def node(word: str, number: int, *, optional: bool = False) -> str:
    """Return a node of a header with the number of its channel; 1 may be left out."""
    name = f":{word}[1]" if number == 1 else f":{word}{number}"
    return f"[{name}]" if optional and number == 1 else name


def no_such_channel(*_: object) -> NoReturn:
    """Refuse a command to a channel that the instrument does not have.

    Raises:
        ScpiError: -114.
    """
    raise ScpiError(HEADER_SUFFIX_OUT_OF_RANGE)
