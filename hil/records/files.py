"""Finding, reading and writing calibration records."""

from __future__ import annotations

import datetime
import hashlib
import tomllib
from collections.abc import Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from pydantic import ValidationError

from hil.errors import CalibrationError, StationError
from hil.records.tables import Record, Tables
from hil.toml_lines import explain


def parse_record(data: bytes, origin: str, record_id: str | None = None) -> Record:
    """Check the content of a record file.

    Args:
        data: the file.
        origin: its name, for messages.
        record_id: identifier that the record has to carry, if any.

    Raises:
        StationError: with the file, the line and the key at fault.
    """
    try:
        text = data.decode("utf-8")
        content = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise StationError(f"{origin}: not valid TOML: {error}") from error
    try:
        tables = Tables.model_validate(content)
    except ValidationError as error:
        raise StationError(f"{origin}{explain(error, text)}") from error
    if record_id is not None and tables.record.id != record_id:
        raise StationError(f"{origin}: record.id: is {tables.record.id!r}, expected {record_id!r}")
    return Record(tables, text, hashlib.sha256(data).hexdigest(), origin)


def record_ids(folders: Sequence[Path | str] = ()) -> tuple[str, ...]:
    """Return the identifiers of all records in ``folders`` and of those that ship, sorted."""
    return tuple(sorted(_found(folders)))


def load_record(record_id: str, folders: Sequence[Path | str] = ()) -> Record:
    """Read a record from the first of ``folders`` that has it, else one that ships.

    Raises:
        StationError: no such record, or its file is wrong; the message names file, line and key.
    """
    found = _found(folders)
    if record_id not in found:
        raise StationError(
            f"no calibration record {record_id!r}; there are {', '.join(sorted(found)) or 'none'}"
        )
    return _read(*found[record_id], record_id)


def list_records(folders: Sequence[Path | str] = ()) -> list[Record]:
    """Read all records in ``folders`` and those that ship, sorted by identifier.

    Raises:
        StationError: one of the files is wrong.
    """
    found = _found(folders)
    return [_read(*found[record_id], record_id) for record_id in sorted(found)]


def write_record(record: Record, folder: Path | str) -> Path:
    """Write a record to ``folder`` (made if it is missing) and return the path of the file.

    Raises:
        StationError: there is a record of this identifier; records are never edited. Or the
            folder cannot be written.
    """
    path = Path(folder) / f"{record.record_id}.toml"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(record.toml.encode())
    except FileExistsError as error:
        raise StationError(
            f"{path}: exists already; a record is never edited: take a new id, with supersedes = "
            f"{record.record_id!r}"
        ) from error
    except OSError as error:
        raise StationError(f"{path}: cannot be written: {error}") from error
    return path


def require_valid(record: Record, on: datetime.date) -> None:
    """Refuse a record that is out of date.

    Raises:
        CalibrationError: ``on`` is later than the last day of the record.
    """
    until = record.validity.until
    if until is not None and on > until:
        raise CalibrationError(
            f"{record.origin}: {record.head.kind} record {record.record_id!r} expired on {until} "
            f"({(on - until).days} days ago); calibrate again, or take it off the station's "
            f"[calibration] records"
        )


def _found(folders: Sequence[Path | str]) -> dict[str, tuple[Traversable, str]]:
    """Return file and origin of each record by identifier; a folder hides what comes after it."""
    found: dict[str, tuple[Traversable, str]] = {}
    shipped = resources.files("calibration") / "records"
    places: list[tuple[Traversable, str]] = [(Path(folder), str(folder)) for folder in folders]
    for folder, name in (*places, (shipped, "calibration/records")):
        for file in folder.iterdir() if folder.is_dir() else ():
            if file.name.endswith(".toml"):
                found.setdefault(file.name.removesuffix(".toml"), (file, f"{name}/{file.name}"))
    return found


def _read(file: Traversable, origin: str, record_id: str) -> Record:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise StationError(f"{origin}: cannot be read: {error}") from error
    return parse_record(data, origin, record_id)
