"""Parameters of the twin's devices, out of calibration records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from hil import records as files
from hil.boards.model_uncertainty import ModelUncertainty, model_uncertainty
from hil.errors import StationError, UsageError
from hil.records import Head, Quantity, Record
from hil.toml_lines import find_line
from hil.types import Dopant
from twin.devices.device_parameters import DeviceParameters
from twin.devices.gmss_parameters import GmssParameters
from twin.devices.mss_parameters import MssParameters
from twin.devices.vteam import VteamParameters

MODELS: Mapping[str, type[DeviceParameters]] = {
    "mss": MssParameters,
    "gmss": GmssParameters,
    "vteam": VteamParameters,
}
"""Device models that a record can be of, with what they need."""

P = TypeVar("P", bound=DeviceParameters)


@dataclass(frozen=True)
class DeviceRecord:
    """A calibration record of a device, checked against its model.

    Attributes:
        record: what was read.
    """

    record: Record

    @property
    def head(self) -> Head:
        """What it is and where it comes from."""
        return self.record.head

    @property
    def record_id(self) -> str:
        """Identifier, which is also the name of the file."""
        return self.record.record_id

    @property
    def parameters(self) -> Mapping[str, Quantity]:
        """The values, by name."""
        return self.record.parameters

    @property
    def sha256(self) -> str:
        """Of the file; stored with every run that uses the record."""
        return self.record.sha256

    @property
    def model(self) -> str:
        """Name of the device model, a key of ``MODELS``."""
        return self.record.conditions.model or ""

    @property
    def dopant(self) -> Dopant:
        """Dopant of the device."""
        return Dopant(self.record.conditions.dopant or "")

    @property
    def status(self) -> Literal["fitted", "assumed"]:
        """``assumed`` as soon as one parameter that loops decide is assumed.

        Parameters that are held during a fit (dead band, temperature) or that loops do not tell
        (state as delivered, memory, spreads) have a status of their own, and no say.
        """
        statuses = {self.parameters[name].status for name in MODELS[self.model].decided}
        return "assumed" if "assumed" in statuses else "fitted"

    @property
    def model_uncertainty(self) -> ModelUncertainty:
        """How far its model may be from the device that it was fitted to."""
        return model_uncertainty(self.record.quality, self.values())

    def values(self) -> dict[str, float]:
        """Return the bare numbers by name; each name carries its unit."""
        return {name: quantity.value for name, quantity in self.parameters.items()}


def record_ids(folders: Sequence[Path | str] = ()) -> tuple[str, ...]:
    """Return the identifiers of all device records in ``folders`` and that ship, sorted."""
    return tuple(r.record_id for r in files.list_records(folders) if r.head.kind == "device")


def load_record(record_id: str, folders: Sequence[Path | str] = ()) -> DeviceRecord:
    """Read a device record from the first of ``folders`` that has it, else one that ships.

    Raises:
        StationError: no such record, or its file is wrong; the message names file, line and key.
    """
    return device_record(files.load_record(record_id, folders))


def parse_record(data: bytes, origin: str, record_id: str | None = None) -> DeviceRecord:
    """Check the content of a record file.

    Args:
        data: the file.
        origin: its name, for messages.
        record_id: identifier that the record has to carry, if any.

    Raises:
        StationError: with the file, the line and the key at fault.
    """
    return device_record(files.parse_record(data, origin, record_id))


def device_record(record: Record) -> DeviceRecord:
    """Check that a record describes a device of a known model.

    Raises:
        StationError: with the file, the line and the key at fault.
    """
    if record.head.kind != "device":
        raise _wrong(record, "record.kind", f"is {record.head.kind!r}; a twin needs a device")
    if record.conditions.dopant is None:
        raise _wrong(record, "conditions.dopant", "this key is missing")
    model = record.conditions.model or ""
    if model not in MODELS:
        raise _wrong(record, "conditions.model", f"is {model!r}, not one of {', '.join(MODELS)}")
    names = MODELS[model].names()
    for name in names:
        if name not in record.parameters:
            raise _wrong(record, f"parameters.{name}", "this key is missing")
    for name, quantity in record.parameters.items():
        if name not in names:
            raise _wrong(
                record, f"parameters.{name}", f"a device of model {model!r} has no such parameter"
            )
        if quantity.unit != unit_of(name):
            message = f"is {quantity.unit!r}, expected {unit_of(name)!r}"
            raise _wrong(record, f"parameters.{name}.unit", message)
    device = DeviceRecord(record)
    try:
        MODELS[model].broadcast(1, **device.values())
    except UsageError as error:
        at_fault = next(name for name in names if f" {name} " in str(error))
        raise _wrong(record, f"parameters.{at_fault}.value", str(error)) from error
    return device


def unit_of(name: str) -> str:
    """Return the unit that the name of a device parameter carries."""
    for ending, unit in (("_per_v", "1/V"), ("_ohm", "ohm"), ("_v", "V"), ("_s", "s")):
        if name.endswith(ending):
            return unit
    return "1"


def stack(records: Sequence[DeviceRecord], into: type[P]) -> P:
    """Return the parameters of ``len(records)`` devices of one model, in order.

    Raises:
        UsageError: no record was given, or one of another model.
    """
    if not records:
        raise UsageError("no device records to stack; a twin needs at least one device")
    for record in records:
        if MODELS[record.model] is not into:
            wanted = next(name for name, model in MODELS.items() if model is into)
            raise UsageError(
                f"record {record.record_id!r} is of model {record.model!r}, not {wanted!r}"
            )
    rows = [record.values() for record in records]
    return into(**{name: np.array([row[name] for row in rows], float) for name in into.names()})


def stack_records(records: Sequence[DeviceRecord]) -> MssParameters:
    """Return the parameters of metastable-switch devices; see ``stack``."""
    return stack(records, MssParameters)


def _wrong(record: Record, path: str, message: str) -> StationError:
    line = find_line(record.toml, path.split("."))
    where = f", line {line}" if line else ""
    return StationError(f"{record.origin}{where}: {path}: {message}")
