"""Calibration records in the run database, beside the runs that they come from and go into."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hil.errors import StoreError
from hil.records import Record, parse_record
from hil.store.files import create_or_upgrade, open_for_writing, store_errors
from hil.store.values import SqlValue


@dataclass(frozen=True)
class StoredCalibration:
    """A row of ``calibrations``.

    Attributes:
        record: what was added.
        added_at: when, ISO 8601, UTC.
    """

    record: Record
    added_at: str

    @classmethod
    def of(cls, row: dict[str, Any]) -> StoredCalibration:
        """Read a row back."""
        origin = f"calibrations.{row['id']}"
        return cls(parse_record(row["toml"].encode(), origin, row["id"]), row["added_at"])


def add_calibration(path: Path | str, record: Record) -> None:
    """Add a record to a run database; creates the file if needed. Once is enough.

    Raises:
        StoreError: another record of this id is there already, or nothing can be stored.
    """
    path = Path(path)
    create_or_upgrade(path)
    with store_errors(path), closing(open_for_writing(path)) as database, database.atomic():
        known = list(
            database.query("SELECT sha256 FROM calibrations WHERE id = ?", [record.record_id])
        )
        if not known:
            database.table("calibrations").insert(_row(record))
    if known and known[0]["sha256"] != record.sha256:
        raise StoreError(
            f"{path}: holds another calibration record {record.record_id!r} "
            f"(sha256 {known[0]['sha256'][:12]}, not {record.sha256[:12]}); a record is never "
            f"edited: take a new id"
        )


def _row(record: Record) -> dict[str, SqlValue]:
    head = record.head
    return {
        "id": head.id,
        "kind": head.kind,
        "subject": head.subject,
        "created": head.created.isoformat(),
        "supersedes": head.supersedes,
        "sha256": record.sha256,
        "toml": record.toml,
        "software": head.software,
        "added_at": datetime.now(UTC).isoformat(timespec="microseconds"),
    }
