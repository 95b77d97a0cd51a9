"""What a calibration record holds."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from hil.errors import StationError

Kind = Literal["device", "instrument", "board"]
Status = Literal["fitted", "measured", "assumed"]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Ratio = Annotated[float, Field(ge=-1, le=1)]
RecordId = Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Head(_Table):
    """``[record]``: what the record is and where it comes from.

    Attributes:
        id: also the name of the file.
        kind: of what was calibrated.
        subject: name of the device, model and serial number of the instrument, name of the board.
        created: day of the fit.
        software: that made the record, with its version.
        supersedes: id of the record that this one replaces; None for none.
        attribution: where the data come from.
        note: what a user has to know.
    """

    id: RecordId
    kind: Kind
    subject: str = Field(min_length=1)
    created: datetime.date
    software: str = ""
    supersedes: RecordId | None = None
    attribution: str = ""
    note: str = ""


class Conditions(_Table):
    """``[conditions]``: under what the data were taken; what is not known is left out."""

    dopant: Literal["W", "Cr", "C"] | None = None
    model: str | None = None
    board: str | None = None
    instrument: str | None = None
    instrument_serial: str | None = None
    series_resistor_ohm: list[Positive] | None = None
    temperature_k: Positive | None = None
    measured: datetime.date | None = None


class Data(_Table):
    """``[data]``: what was fitted; left out where nothing was measured.

    Attributes:
        sha256: of the data.
        n_points: how many numbers were fitted.
        runs: ids of the runs in the database that they are in.
        files: names of the files that they came from.
    """

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    n_points: int = Field(ge=1)
    runs: list[str] = Field(default_factory=list)
    files: list[str] = Field(default_factory=list)


class Validity(_Table):
    """``[validity]``: until when, and a range ``name = [low, high]`` for each quantity given.

    Attributes:
        until: last day on which the record may be applied; None for no end.
    """

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    __pydantic_extra__: dict[str, Annotated[list[Finite], Field(min_length=2, max_length=2)]]

    until: datetime.date | None = None

    @classmethod
    def of(
        cls,
        until: datetime.date | None = None,
        ranges: Mapping[str, tuple[float, float]] | None = None,
    ) -> Self:
        """Return the table for a last day and ranges by name."""
        pairs = {name: list(pair) for name, pair in (ranges or {}).items()}
        return cls.model_validate({"until": until} | pairs)

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Return (low, high) by name."""
        return {name: (pair[0], pair[1]) for name, pair in self.__pydantic_extra__.items()}

    @model_validator(mode="after")
    def _ranges_rise(self) -> Self:
        for name, (low, high) in self.ranges.items():
            if low > high:
                raise _at(("validity", name), f"a range is [low, high], not [{low:g}, {high:g}]")
        return self


class Quantity(_Table):
    """``[parameters.NAME]``: one value.

    Attributes:
        value: in ``unit``.
        unit: SI; ``1`` for a plain number.
        source: how it was found, or why it was assumed.
        status: how well founded it is.
        standard_uncertainty: in ``unit``; None if it is not known.
    """

    value: Finite
    unit: str = Field(min_length=1)
    source: str = Field(min_length=1)
    status: Status
    standard_uncertainty: NotNegative | None = None


class Tables(_Table):
    """A whole record file.

    Attributes:
        correlations: correlation coefficient of two parameters, by the name of the one and of the
            other; pairs that are not given are taken as uncorrelated. The other may be of another
            record: ``ID:NAME``.
    """

    record: Head
    conditions: Conditions = Conditions()
    data: Data | None = None
    quality: dict[str, Finite] = Field(default_factory=dict)
    validity: Validity = Field(default_factory=Validity.of)
    parameters: dict[str, Quantity] = Field(min_length=1)
    correlations: dict[str, dict[str, Ratio]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _correlations_are_of_parameters(self) -> Self:
        for first, others in self.correlations.items():
            for second in (first, *others):
                if second not in self.parameters and (":" not in second or second == first):
                    path = ("correlations", first) + ((second,) if second != first else ())
                    raise _at(path, f"there is no parameter {second!r}")
        return self


@dataclass(frozen=True)
class Record:
    """A calibration record that was read and checked; ``Tables`` says what its parts mean.

    Attributes:
        tables: its content.
        toml: its text.
        sha256: of the text; stored with every run that uses the record.
        origin: file it came from.
    """

    tables: Tables
    toml: str
    sha256: str
    origin: str

    @property
    def head(self) -> Head:
        """What the record is and where it comes from."""
        return self.tables.record

    @property
    def record_id(self) -> str:
        """Identifier, which is also the name of the file."""
        return self.head.id

    @property
    def conditions(self) -> Conditions:
        """Under what the data were taken."""
        return self.tables.conditions

    @property
    def data(self) -> Data | None:
        """What was fitted; None where nothing was measured."""
        return self.tables.data

    @property
    def quality(self) -> Mapping[str, float]:
        """How well the fit describes the data, by name."""
        return self.tables.quality

    @property
    def validity(self) -> Validity:
        """Until when and in which ranges it may be applied."""
        return self.tables.validity

    @property
    def parameters(self) -> Mapping[str, Quantity]:
        """The values, by name; each name carries its unit."""
        return self.tables.parameters

    def value(self, name: str) -> float:
        """Return the value of a parameter.

        Raises:
            StationError: the record has no such parameter.
        """
        return self.quantity(name).value

    def quantity(self, name: str) -> Quantity:
        """Return a parameter.

        Raises:
            StationError: the record has no such parameter.
        """
        if name not in self.parameters:
            known = ", ".join(self.parameters)
            raise StationError(f"{self.origin}: no parameter {name!r}; it has {known}")
        return self.parameters[name]

    def correlation(self, first: str, second: str) -> float:
        """Return the correlation coefficient of two parameters; 0 where none is given."""
        if first == second:
            return 1.0
        given = self.tables.correlations
        here = given.get(first, {}).get(second)
        return here if here is not None else given.get(second, {}).get(first, 0.0)


def _at(path: tuple[str, ...], message: str) -> Any:
    return PydanticCustomError("record", "{message}", {"message": message, "path": path})
