"""What procedures that judge devices left in the database, always of the latest run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hil.store import RunDatabase
from procedures.reports.summary import as_text, summarise


def events_of(database: Path, kind: str) -> list[dict[str, Any]]:
    """Return the events of one kind."""
    with RunDatabase(database) as opened:
        events = opened.run(opened.find("latest").run_id)["events"]
    return [event for event in events if event["kind"] == kind]


def outcomes_of(database: Path) -> dict[str, str]:
    """Return what became of each device."""
    verdicts = [event["data"] for event in events_of(database, "verdict")]
    return {verdict["device"]: verdict["outcome"] for verdict in verdicts}


def metrics_of(database: Path) -> dict[str, float]:
    """Return the metrics."""
    with RunDatabase(database) as opened:
        metrics: dict[str, float] = opened.run(opened.find("latest").run_id)["metrics"]
    return metrics


def text_of(database: Path) -> str:
    """Return the summary as people see it."""
    with RunDatabase(database) as opened:
        return as_text(summarise(opened, opened.find("latest")))
