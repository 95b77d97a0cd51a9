"""Calibration records with what uses them, ready for a terminal or for JSON."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hil.errors import HilError, StationError
from hil.records import Record, list_records
from hil.station import Station, load_station, shipped_stations
from hil.store import RunDatabase

_HEADS = ("id", "kind", "subject", "age", "state", "stations", "runs")


def list_calibrations(folder: Path, database: Path, today: datetime.date) -> list[dict[str, Any]]:
    """Return one row for each record, sorted by kind and identifier.

    Keys: id, kind, subject, created, age_days, until (None for no end), state (``valid``,
    ``expired`` or ``superseded``), superseded_by, origin, sha256, stations, runs (newest first).

    Args:
        folder: with records, beside those that ship.
        database: with more records, and the runs that use them; need not exist.
        today: for ages.

    Raises:
        StationError: a record is wrong.
    """
    records = _records(folder, database)
    stations, runs = list(_stations()), _used_by_runs(database)
    oldest_first = sorted(records, key=lambda record: record.head.created)
    replaced = {r.head.supersedes: r.record_id for r in oldest_first if r.head.supersedes}
    rows = [
        {
            "id": record.record_id,
            "kind": record.head.kind,
            "subject": record.head.subject,
            "created": record.head.created,
            "age_days": (today - record.head.created).days,
            "until": record.validity.until,
            "state": _state(record, replaced, today),
            "superseded_by": replaced.get(record.record_id),
            "origin": record.origin,
            "sha256": record.sha256,
            "stations": [s.name for s in stations if record.record_id in _names_in(s)],
            "runs": runs.get(record.record_id, []),
        }
        for record in records
    ]
    return sorted(rows, key=lambda row: (str(row["kind"]), str(row["id"])))


def show_calibration(
    record_id: str, folder: Path, database: Path, today: datetime.date
) -> dict[str, Any]:
    """Return the row of one record, with its text under ``toml``.

    Raises:
        StationError: there is none of this identifier.
    """
    rows = {row["id"]: row for row in list_calibrations(folder, database, today)}
    if record_id not in rows:
        known = ", ".join(sorted(rows)) or "none"
        raise StationError(f"no calibration record {record_id!r}; there are {known}")
    (record,) = (r for r in _records(folder, database) if r.record_id == record_id)
    return rows[record_id] | {"toml": record.toml}


def table_text(rows: Sequence[dict[str, Any]]) -> str:
    """Return the rows of ``list_calibrations`` as lines for a terminal."""
    cells = [_HEADS, *(_cells(row) for row in rows)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(_HEADS))]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    state = row["state"]
    if row["superseded_by"]:
        state = f"superseded by {row['superseded_by']}"
    elif row["until"]:
        state = f"{state}, until {row['until']}"
    return (
        row["id"],
        row["kind"],
        row["subject"],
        f"{row['age_days']} d",
        state,
        ", ".join(row["stations"]) or "-",
        str(len(row["runs"])),
    )


def _records(folder: Path, database: Path) -> list[Record]:
    """Return the records of files, and those that only the database has."""
    found = {record.record_id: record for record in list_records([folder])}
    if database.is_file():
        with RunDatabase(database) as opened:
            for stored in opened.calibrations():
                found.setdefault(stored.record.record_id, stored.record)
    return list(found.values())


def _state(record: Record, replaced: dict[str, str], today: datetime.date) -> str:
    if record.record_id in replaced:
        return "superseded"
    until = record.validity.until
    return "expired" if until is not None and today > until else "valid"


def _stations() -> Iterator[Station]:
    """Yield the stations that ship, and those in this folder; other TOML files are none."""
    for name in shipped_stations():
        yield load_station(name)
    for path in sorted(Path().glob("*.toml")):
        try:
            yield load_station(path)
        except HilError:
            continue


def _names_in(station: Station) -> set[str]:
    devices = {name for names in station.table.twin.records.values() for name in names}
    return devices | set(station.table.calibration.records)


def _used_by_runs(database: Path) -> dict[str, list[str]]:
    """Return the runs that used each record, newest first."""
    used: dict[str, list[str]] = {}
    if not database.is_file():
        return used
    with RunDatabase(database) as opened:
        for run in opened.runs():
            for title in opened.run(run.run_id)["calibration"]:
                used.setdefault(title.split()[-1], []).append(run.run_id)
    return used
