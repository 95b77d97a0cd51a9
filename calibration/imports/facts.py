"""What has to be known about a measurement beside its numbers, and where it is told."""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hil.errors import UsageError
from hil.toml_lines import explain

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1)]
Column = Literal["time", "source_voltage", "device_voltage", "current"]

FILE_NAME = "metadata.toml"
"""Facts about all measurements in a folder and below it."""


class Facts(BaseModel):
    """One place where facts are told: a file name, a TOML file, or the command line.

    What is not told there is None. The names of the conditions are those of a calibration record.

    Attributes:
        device: name of the memristor, which all its measurements share.
        dopant: of its active layer.
        series_resistor_ohm: all that lies between the source and the device.
        amplitude_v: of the source, as it was set.
        frequency_hz: of the source.
        attribution: who measured, in the words in which it has to be shown.
        licence: under which the data may be used.
        source_url: where the files come from, with version.
        board: that carried the device.
        instrument: that measured.
        instrument_serial: its serial number.
        measured: day of the measurement.
        temperature_k: of the device.
        note: what a user has to know.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    device: Text | None = None
    dopant: Literal["W", "Cr", "C"] | None = None
    series_resistor_ohm: Positive | None = None
    amplitude_v: Positive | None = None
    frequency_hz: Positive | None = None
    attribution: Text | None = None
    licence: Text | None = None
    source_url: Text | None = None
    board: Text | None = None
    instrument: Text | None = None
    instrument_serial: Text | None = None
    measured: datetime.date | None = None
    temperature_k: Positive | None = None
    note: Text | None = None

    def told(self) -> dict[str, object]:
        """Return the facts that are told here, by name, as JSON and TOML can hold them."""
        return self.model_dump(exclude_none=True)

    @classmethod
    def merged(cls, layers: Iterable[Facts]) -> Self:
        """Return the facts of several places; a later one wins."""
        values: dict[str, object] = {}
        for layer in layers:
            values |= layer.told()
        return cls.model_validate(values)

    @classmethod
    def of_settings(cls, settings: Iterable[str]) -> Self:
        """Return the facts of texts such as ``dopant=W``.

        Raises:
            UsageError: no ``=``, no such fact, or a value that cannot be meant.
        """
        values: dict[str, str] = {}
        for setting in settings:
            key, equals, value = setting.partition("=")
            if not equals:
                raise UsageError(f"--set {setting!r}: write KEY=VALUE, for example dopant=W")
            values[key.strip()] = value.strip()
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise UsageError(f"--set{explain(error, '')}") from error


class TableFacts(Facts):
    """Facts about a table, which also say how to read it.

    Attributes:
        step_s: time between rows, where no column tells it.
        periodic: whether the rows are exactly one period of a steady state.
        columns: heading of each quantity, where it is not one of the usual ones.
        units: unit of each quantity, where the heading does not tell it.
    """

    step_s: Positive | None = None
    periodic: bool | None = None
    columns: dict[Column, Text] | None = None
    units: dict[Column, Text] | None = None


F = TypeVar("F", bound=Facts)


def read_facts(path: Path, kind: type[F]) -> F:
    """Read a TOML file of facts.

    Raises:
        UsageError: it cannot be read, or is wrong; the message names file, line and key.
    """
    try:
        text = path.read_bytes().decode("utf-8")
        return kind.model_validate(tomllib.loads(text))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from error
    except ValidationError as error:
        raise UsageError(f"{path}{explain(error, text)}") from error


def require(facts: Facts, needed: Mapping[str, str], what: str, folder: Path) -> None:
    """Refuse a measurement of which something is not told.

    Args:
        facts: all that is told.
        needed: an example of each fact that has to be told, as TOML.
        what: the measurement, for the message.
        folder: where its TOML file would be.

    Raises:
        UsageError: it names what is missing, and where to write it.
    """
    missing = [name for name in needed if getattr(facts, name) is None]
    if missing:
        examples = ", ".join(f"{name} = {needed[name]}" for name in missing)
        raise UsageError(
            f"{what}: nothing tells its {', '.join(missing)}; write {examples} into "
            f"{folder / FILE_NAME}, or give --metadata FILE or --set {missing[0]}=..."
        )


ALWAYS_NEEDED = {
    "device": '"M1"',
    "dopant": '"W"',
    "series_resistor_ohm": "5000",
    "attribution": '"who measured it"',
}
"""Without these a measurement cannot be fitted, or not be shown; each with an example."""
