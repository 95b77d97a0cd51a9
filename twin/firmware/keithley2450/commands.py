"""How the command tables of a Keithley 2450 are written: settings, actions, queries, parameters.

Source: manual 2450-901-01, "SCPI command reference". Assumed: numbers of settings are answered with
seven digits; a parameter of the wrong kind is refused with the number of the SCPI standard.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from twin.firmware.keithley2450.instrument import Instrument
from twin.firmware.keithley2450.settings import ConfigurationLists
from twin.firmware.scpi import (
    OUT_OF_RANGE,
    Boolean,
    Command,
    Number,
    Parameter,
    ScpiError,
    String,
)

ON_OFF = Boolean()
Settings = TypeVar("Settings")


@dataclass(frozen=True)
class Magnitude(Number):
    """A number whose sign does not matter, of at least some magnitude.

    Attributes:
        least: what MINimum means; less is refused.
    """

    least: float = 0.0

    def named(self, text: str) -> float | None:
        """Return the value of MIN, MAX or DEF; None for anything else."""
        return self.least if text.upper() in ("MIN", "MINIMUM") else super().named(text)

    def parse(self, text: str) -> float:
        """Return the magnitude."""
        value = abs(super().parse(text))
        if value < self.least * (1 - 1e-9):
            raise ScpiError(OUT_OF_RANGE)
        return value


@dataclass(frozen=True)
class RangeValue(Number):
    """The largest value that is expected; MINimum and MAXimum are the ends of the ranges.

    Attributes:
        full_scales: of the ranges, in rising order.
    """

    full_scales: tuple[float, ...] = ()

    def named(self, text: str) -> float | None:
        """Return the value of MIN, MAX or DEF; None for anything else."""
        ends = {"MIN": 0, "MINIMUM": 0, "MAX": -1, "MAXIMUM": -1}
        end = ends.get(text.upper())
        return super().named(text) if end is None else self.full_scales[end]


@dataclass(frozen=True)
class DelayTime(Number):
    """A delay in seconds: the default, 0, or some least time and more.

    Attributes:
        least: shortest delay that is one.
    """

    least: float = 0.0

    def parse(self, text: str) -> float:
        """Return the delay."""
        value = super().parse(text)
        if value < self.least and value not in (0.0, self.default):
            raise ScpiError(OUT_OF_RANGE)
        return value


@dataclass(frozen=True)
class CountOrInfinite:
    """A count, or INFinite, which has a value of its own."""

    inner: Number
    infinite: int

    def parse(self, text: str) -> int:
        """Return the count."""
        if text.upper() in ("INF", "INFINITE", "INFINITY"):
            return self.infinite
        return int(self.inner.parse(text))

    def format(self, value: int) -> str:
        """Return the count."""
        return "INF" if value == self.infinite else str(value)


def control(
    pattern: str,
    parameter: Parameter,
    read: Callable[[], Any],
    write: Callable[[Any], None] | None,
) -> Command:
    """Return a command that sets something and whose query answers it."""
    return Command(pattern, write, lambda: parameter.format(read()), (parameter,))


def action(
    pattern: str, act: Callable[..., None], *parameters: Parameter, n_optional: int = 0
) -> Command:
    """Return a command without a query; the last parameters may be left out."""
    return Command(pattern, act, None, parameters, n_optional=n_optional)


def query(
    pattern: str, answer: Callable[..., str | None], *parameters: Parameter, n_optional: int = 0
) -> Command:
    """Return a query; the last parameters may be left out."""
    return Command(pattern, None, answer, query_parameters=parameters, n_optional_query=n_optional)


class FunctionTable(ABC, Generic[Settings]):
    """Commands that exist for each function and, without its name, for all of them.

    Args:
        functions: short form and header of each function.
        check_idle: called before a setting changes; raises while the trigger model runs.
    """

    def __init__(self, functions: Mapping[str, str], check_idle: Callable[[], None]) -> None:
        self._functions = functions
        self._check_idle = check_idle

    @abstractmethod
    def _settings(self, function: str) -> Settings:
        """Return the settings of a function."""

    @abstractmethod
    def _active(self) -> str:
        """Return the function that is in use."""

    def _stored(self, pattern: str, parameter: Parameter, name: str) -> list[Command]:
        """Return commands for a setting that is kept under a name."""

        def write(function: str, value: Any) -> None:
            setattr(self._settings(function), name, value)

        return self._each(pattern, parameter, lambda settings: getattr(settings, name), write)

    def _each(
        self,
        pattern: str,
        parameter: Parameter,
        read: Callable[[Settings], Any],
        write: Callable[[str, Any], None],
    ) -> list[Command]:
        """Return commands for each function, and one for all; ``{}`` is where the name goes."""

        def write_all(value: Any) -> None:
            for function in self._functions:
                write(function, value)

        def read_one(function: str) -> Any:
            return read(self._settings(function))

        return [
            self._idle(pattern.format(""), parameter, lambda: read_one(self._active()), write_all),
            *(
                self._idle(
                    pattern.format(f":{word}"),
                    parameter,
                    partial(read_one, function),
                    partial(write, function),
                )
                for function, word in self._functions.items()
            ),
        ]

    def _idle(
        self,
        pattern: str,
        parameter: Parameter,
        read: Callable[[], Any],
        write: Callable[[Any], None] | None,
    ) -> Command:
        """Return a setting that cannot change while the trigger model runs."""
        if write is None:
            return control(pattern, parameter, read, None)

        def checked(value: Any) -> None:
            self._check_idle()
            write(value)

        return control(pattern, parameter, read, checked)


def configuration_commands(
    root: str,
    lists: Callable[[], ConfigurationLists],
    store: Callable[[str, int | None], None],
    instrument: Instrument,
) -> list[Command]:
    """Return the commands of source or measure configuration lists."""
    index = Number(1, 300_000, 1, integer=True)

    def create(name: str) -> None:
        lists().create(name)

    def delete(name: str, position: int | None = None) -> None:
        entries = instrument.configuration(name).entries
        if position is None:
            lists().delete(name)
        elif position <= len(entries):
            del entries[position - 1]

    def recall(
        name: str, position: int = 1, other: str | None = None, at: int | None = None
    ) -> None:
        instrument.recall(name, position)
        if other is not None:
            instrument.recall(other, position if at is None else at)

    return [
        action(f"{root}:CREate", create, String()),
        action(
            f"{root}:STORe", lambda name, at=None: store(name, at), String(), index, n_optional=1
        ),
        action(f"{root}:RECall", recall, String(), index, String(), index, n_optional=3),
        action(f"{root}:DELete", delete, String(), index, n_optional=1),
        query(f"{root}:CATalog", lambda: lists().next_name()),
        query(
            f"{root}:SIZE", lambda name: str(len(instrument.configuration(name).entries)), String()
        ),
    ]
