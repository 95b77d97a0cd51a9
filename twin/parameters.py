"""Parameter records of the twin's devices: TOML files with a unit, source and status per value."""

from __future__ import annotations

import datetime
import hashlib
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hil.errors import StationError, UsageError
from hil.toml_lines import find_line
from hil.types import Dopant
from twin.devices.mss_parameters import MssParameters

Status = Literal["fitted", "assumed"]

# Held during a fit (room temperature, dead band) or outside of it (state as delivered, graininess):
# their own status does not decide that of a record.
_WITHOUT_STATUS = frozenset({"v_t_v", "v_dead_on_v", "v_dead_off_v", "r_init_ohm", "n_switches"})


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Entry(_Table):
    value: float = Field(allow_inf_nan=False)
    unit: str
    source: str = Field(min_length=1)
    status: Status


class _Ohm(_Entry):
    value: float = Field(gt=0, allow_inf_nan=False)
    unit: Literal["ohm"]


class _Volt(_Entry):
    unit: Literal["V"]


class _Thermal(_Volt):
    value: float = Field(gt=0, allow_inf_nan=False)


class _Edge(_Volt):
    value: float = Field(ge=0, allow_inf_nan=False)


class _Second(_Entry):
    value: float = Field(gt=0, allow_inf_nan=False)
    unit: Literal["s"]


class _Count(_Entry):
    value: int = Field(ge=1)
    unit: Literal["1"]


class MssTable(_Table):
    """``[parameters]`` of a metastable-switch device; see ``MssParameters`` for the meaning."""

    r_on_ohm: _Ohm
    r_off_ohm: _Ohm
    v_on_v: _Volt
    v_off_v: _Volt
    tau_s: _Second
    v_t_v: _Thermal
    v_dead_on_v: _Edge
    v_dead_off_v: _Edge
    r_init_ohm: _Ohm
    n_switches: _Count

    @model_validator(mode="after")
    def _makes_a_device(self) -> Self:
        MssParameters.broadcast(1, **{name: entry.value for name, entry in self})
        return self


class HeadTable(_Table):
    """``[record]``: what the record is and where it comes from."""

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    device: str = Field(min_length=1)
    dopant: Literal["W", "Cr", "C"]
    model: Literal["mss"]
    created: datetime.date
    attribution: str
    note: str


class _File(_Table):
    record: HeadTable
    parameters: MssTable


@dataclass(frozen=True)
class DeviceRecord:
    """A parameter record that was read and checked.

    Attributes:
        head: what it is and where it comes from.
        parameters: values, each with unit, source and status.
        sha256: of the file; stored with every run that uses it.
    """

    head: HeadTable
    parameters: MssTable
    sha256: str

    @property
    def record_id(self) -> str:
        """Identifier, which is also the name of the file."""
        return self.head.id

    @property
    def dopant(self) -> Dopant:
        """Dopant of the device."""
        return Dopant(self.head.dopant)

    @property
    def status(self) -> Status:
        """``assumed`` as soon as one parameter of the device itself is assumed."""
        statuses = {e.status for name, e in self.parameters if name not in _WITHOUT_STATUS}
        return "assumed" if "assumed" in statuses else "fitted"

    def values(self) -> dict[str, float]:
        """Return the bare numbers by name; each name carries its unit."""
        return {name: entry.value for name, entry in self.parameters}


def record_ids() -> tuple[str, ...]:
    """Return the identifiers of all records that ship, sorted."""
    files = (resources.files("calibration") / "records").iterdir()
    return tuple(sorted(f.name[:-5] for f in files if f.name.endswith(".toml")))


def load_record(record_id: str) -> DeviceRecord:
    """Read a record that ships with the package.

    Raises:
        StationError: no such record, or its file is wrong; the message names file, line and key.
    """
    known = record_ids()
    if record_id not in known:
        raise StationError(f"no device record {record_id!r}; there are {', '.join(known)}")
    name = f"{record_id}.toml"
    data = (resources.files("calibration") / "records" / name).read_bytes()
    return parse_record(data, origin=f"calibration/records/{name}", record_id=record_id)


def parse_record(data: bytes, origin: str, record_id: str | None = None) -> DeviceRecord:
    """Check the content of a record file.

    Args:
        data: the file.
        origin: its name, for messages.
        record_id: identifier that the record has to carry, if any.

    Raises:
        StationError: with the file and the key at fault.
    """
    try:
        text = data.decode("utf-8")
        tables = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise StationError(f"{origin}: not valid TOML: {error}") from error
    try:
        file = _File.model_validate(tables)
    except ValidationError as error:
        raise StationError(f"{origin}{_explain(error, text)}") from error
    if record_id is not None and file.record.id != record_id:
        raise StationError(f"{origin}: record.id: is {file.record.id!r}, expected {record_id!r}")
    return DeviceRecord(file.record, file.parameters, hashlib.sha256(data).hexdigest())


def stack_records(records: Sequence[DeviceRecord]) -> MssParameters:
    """Return the parameters of ``len(records)`` devices, in order.

    Raises:
        UsageError: no record was given.
    """
    if not records:
        raise UsageError("no device records to stack; a twin needs at least one device")
    rows = [record.values() for record in records]
    return MssParameters(**{name: np.array([row[name] for row in rows], float) for name in rows[0]})


def _explain(error: ValidationError, text: str) -> str:
    first: Any = error.errors(include_url=False)[0]
    path = list(first["loc"])
    line = find_line(text, path)
    message = {"extra_forbidden": "no such key", "missing": "this key is missing"}.get(
        first["type"], first["msg"]
    )
    given = first["input"]
    shown = f" (got {given!r})" if isinstance(given, str | int | float) else ""
    where = f", line {line}" if line else ""
    return f"{where}: {'.'.join(str(part) for part in path)}: {message}{shown}"
