"""The run store: every run, pulse, conductance and joule in one SQLite file.

Plain tables with units in their column names, readable in any SQLite browser; described in
``docs/reference/database.md``.
"""

from hil.store.batches import MAX_LAG_S, MAX_ROWS_BEHIND
from hil.store.calibrations import StoredCalibration, add_calibration
from hil.store.export import export_run
from hil.store.files import check_database, create_or_upgrade
from hil.store.reader import LATEST, RunDatabase, RunSummary, Snapshot
from hil.store.recording import RecordingBoard
from hil.store.schema import ENERGY_SPLIT, SCHEMA_VERSION, TABLES
from hil.store.studies import StudyResult, StudyStore, pack_run, read_study
from hil.store.values import from_json, to_json
from hil.store.versions import software_versions
from hil.store.writer import RunStart, RunWriter

__all__ = [
    "ENERGY_SPLIT",
    "LATEST",
    "MAX_LAG_S",
    "MAX_ROWS_BEHIND",
    "SCHEMA_VERSION",
    "TABLES",
    "RecordingBoard",
    "RunDatabase",
    "RunStart",
    "RunSummary",
    "RunWriter",
    "Snapshot",
    "StoredCalibration",
    "StudyResult",
    "StudyStore",
    "add_calibration",
    "check_database",
    "create_or_upgrade",
    "export_run",
    "from_json",
    "pack_run",
    "read_study",
    "software_versions",
    "to_json",
]
