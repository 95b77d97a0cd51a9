"""Do devices still do what their last records say?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from calibration.comparing.compare import Report, compare_run
from calibration.comparing.verdicts import AGREES, DIFFERS, Verdict
from hil.store import RunDatabase

DRIFTED = "drifted"


@dataclass(frozen=True)
class DeviceDrift:
    """What runs say of one device.

    Attributes:
        device: its name.
        record_ids: records that it was checked against.
        verdict: ``agrees``, ``drifted``, or ``cannot tell`` where nothing could be compared.
        n_compared: values that were compared, in all runs.
        n_apart: of these, apart by more than their uncertainty.
        worst: what is furthest apart, in units of the uncertainty.
    """

    device: str
    record_ids: tuple[str, ...]
    verdict: str
    n_compared: int
    n_apart: int
    worst: Verdict | None


@dataclass(frozen=True)
class DriftCheck:
    """A check of the devices of some runs.

    Attributes:
        reports: of each run.
        devices: what they say together, by device.
    """

    reports: tuple[Report, ...]
    devices: tuple[DeviceDrift, ...]

    @property
    def drifted(self) -> list[str]:
        """Names of the devices that have drifted."""
        return [found.device for found in self.devices if found.verdict == DRIFTED]

    @property
    def events(self) -> list[dict[str, Any]]:
        """Every deciding quantity that differs, with the run that it is in."""
        return [
            {"kind": "divergence", "run_id": report.run_id} | asdict(verdict)
            for report in self.reports
            for verdict in report.verdicts
            if verdict.decides and verdict.verdict == DIFFERS
        ]

    def as_json(self) -> dict[str, Any]:
        """Return all of it, ready for JSON."""
        return {
            "drifted": self.drifted,
            "devices": [asdict(found) for found in self.devices],
            "events": self.events,
            "runs": [
                {"run_id": report.run_id, "verdict": report.verdict, "notes": report.notes}
                for report in self.reports
            ],
        }


def check_drift(
    database: RunDatabase,
    runs: Sequence[str],
    against: str = "",
    *,
    folder: Path | None = None,
    model_ratio: float | None = None,
) -> DriftCheck:
    """Compare runs with the last records of their devices; see ``compare_run``.

    A device has drifted if a quantity that decides differs in at least one of the runs.

    Raises:
        UsageError: a run holds nothing to compare, or no record fits a device.
        StoreError: no such run.
    """
    ids = dict.fromkeys(database.find(run).run_id for run in runs)
    reports = tuple(
        compare_run(database, run_id, against, folder=folder, model_ratio=model_ratio)
        for run_id in ids
    )
    names = dict.fromkeys(name for report in reports for name in report.twins)
    return DriftCheck(reports, tuple(_of_device(reports, name) for name in names))


def _of_device(reports: Sequence[Report], name: str) -> DeviceDrift:
    verdicts = [v for report in reports for v in report.verdicts if v.device == name and v.decides]
    known = [v for v in verdicts if v.verdict in (AGREES, DIFFERS)]
    records = dict.fromkeys(r.twins[name].record_id for r in reports if name in r.twins)
    differs = any(v.verdict == DIFFERS for v in known)
    return DeviceDrift(
        device=name,
        record_ids=tuple(records),
        verdict=DRIFTED if differs else AGREES if known else "cannot tell",
        n_compared=sum(v.n_compared for v in known),
        n_apart=sum(v.n_apart for v in known),
        worst=max(known, key=lambda v: v.ratio, default=None),
    )
