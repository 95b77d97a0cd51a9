"""Tables and views of the run database, and how an older file becomes a current one.

Columns carry their unit in their name; ``docs/reference/database.md`` says what each means.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlite_utils import Database

APPLICATION_ID = 0x4D48494C
"""``PRAGMA application_id`` of our files: the letters MHIL."""

_Columns = dict[str, type]

_ROW: _Columns = {"run_id": str, "seq": int, "t_s": float}
_CELL: _Columns = {"row": int, "column": int, "device": str}

RUNS: _Columns = {
    "id": str,
    "procedure": str,
    "parameters": str,
    "station": str,
    "station_toml": str,
    "source": str,
    "source_reason": str,
    "board_kind": str,
    "board_identity": str,
    "calibration": str,
    "versions": str,
    "seed": int,
    "started_at": str,
    "ended_at": str,
    "status": str,
    "error": str,
    "host": str,
    "pid": int,
}

CALIBRATIONS: _Columns = {
    "id": str,
    "kind": str,
    "subject": str,
    "created": str,
    "supersedes": str,
    "sha256": str,
    "toml": str,
    "software": str,
    "added_at": str,
}
"""One row per calibration record that was added; rows are never changed or taken out."""

STUDY_RESULTS: _Columns = {
    "study": str,
    "key": str,
    "attempt": int,
    "label": str,
    "task": str,
    "seed": int,
    "source": str,
    "status": str,
    "error": str,
    "results": str,
    "run_id": str,
    "versions": str,
    "host": str,
    "pid": int,
    "started_at": str,
    "ended_at": str,
}
"""One row per task of a study that came to an end; a task that is tried again gets another row."""

TABLES: dict[str, _Columns] = {
    "pulses": _ROW
    | _CELL
    | {
        "polarity": str,
        "amplitude_v": float,
        "width_s": float,
        "width_measured_s": float,
        "n_pulses": int,
        "i_end_a": float,
        "source": str,
    },
    "readings": _ROW
    | _CELL
    | {
        "purpose": str,
        "polarity": str,
        "v_read_v": float,
        "v_source_v": float,
        "v_device_v": float,
        "i_a": float,
        "g_siemens": float,
        "g_expanded_siemens": float,
        "width_s": float,
        "source": str,
    },
    "sweep_points": _ROW
    | _CELL
    | {
        "sweep_seq": int,
        "v_source_v": float,
        "v_device_v": float,
        "i_a": float,
        "source": str,
    },
    "energy": {"run_id": str, "of_seq": int, "t_s": float}
    | _CELL
    | {
        "operation": str,
        "device_j": float,
        "series_j": float,
        "switch_j": float,
        "half_select_j": float,
        "instrument_j": float,
        "method": str,
        "delivered_j": float,
    },
    "metrics": _ROW | {"name": str, "value": float, "unit": str, "step": int},
    "snapshots": _ROW | {"name": str, "n_rows": int, "n_columns": int, "g_siemens": bytes},
    "events": _ROW | {"level": str, "kind": str, "message": str, "data": str},
    "records": _ROW | {"data": str},
}
"""Tables with one row per thing that happened in a run, in the order of their columns."""

ENERGY_SPLIT = (
    "device_j",
    "series_j",
    "switch_j",
    "verify_reads_j",
    "half_select_j",
    "instrument_j",
)
"""Columns of the view ``energy_by_run``; together they are all the energy of a run."""


def order_of(table: str) -> str:
    """Return the column that counts the rows of a table within a run."""
    return "of_seq" if table == "energy" else "seq"


def _create(database: Database) -> None:
    """Version 1. Once released, a change of the tables is a new migration and a copy of this."""
    database.create_table(
        "runs",
        RUNS,
        pk="id",
        not_null=set(RUNS) - {"seed", "ended_at"},
    )
    for name, columns in TABLES.items():
        database.create_table(
            name,
            columns,
            pk=("run_id", order_of(name)),
            foreign_keys=[("run_id", "runs", "id")],
            not_null={"run_id", order_of(name)},
        )
    database.create_view("energy_by_run", _energy_by_run(reads=("read",)))
    database.create_view("conductances", _CONDUCTANCES)


def _add_calibrations(database: Database) -> None:
    """Version 2: calibration records, which cannot be edited here either."""
    database.create_table(
        "calibrations", CALIBRATIONS, pk="id", not_null=set(CALIBRATIONS) - {"supersedes"}
    )
    for change in ("UPDATE", "DELETE"):
        database.execute(
            f"CREATE TRIGGER calibrations_no_{change.lower()} BEFORE {change} ON calibrations "
            "BEGIN SELECT RAISE(ABORT, 'a calibration record is never edited'); END"
        )


def _add_studies(database: Database) -> None:
    """Results of studies: many runs on twins, of which the database may hold the rows or not."""
    database.create_table(
        "study_results",
        STUDY_RESULTS,
        pk=("study", "key", "attempt"),
        not_null=set(STUDY_RESULTS) - {"run_id"},
    )


def _count_inference(database: Database) -> None:
    """Version 4: the energy of a neuron circuit counts as that of reads."""
    database.execute("DROP VIEW energy_by_run")
    database.create_view("energy_by_run", _energy_by_run(reads=("read", "infer")))


def _add_delivered(database: Database) -> None:
    """Version 5: energy at the terminals of the sources; matrix-vector products count as reads."""
    if "delivered_j" not in database["energy"].columns_dict:  # a new file has it from the start
        database.execute("ALTER TABLE energy ADD COLUMN delivered_j FLOAT")
    database.execute("DROP VIEW energy_by_run")
    database.create_view("energy_by_run", _energy_by_run(reads=("read", "infer", "matvec")))


def _energy_by_run(reads: Sequence[str]) -> str:
    names = ", ".join(f"'{name}'" for name in reads)
    written = f"e.operation NOT IN ({names})"
    parts = {
        "device_j": (written, ("device_j",)),
        "series_j": (written, ("series_j",)),
        "switch_j": (written, ("switch_j",)),
        "verify_reads_j": (f"e.operation IN ({names})", ("device_j", "series_j", "switch_j")),
        "half_select_j": ("1", ("half_select_j",)),
        "instrument_j": ("1", ("instrument_j",)),
    }
    columns = ",\n    ".join(
        f"{_sum(columns, condition)} AS {name}" for name, (condition, columns) in parts.items()
    )
    return (
        f"SELECT r.id AS run_id, r.procedure, r.source, r.started_at,\n    {columns}\n"
        "FROM runs AS r LEFT JOIN energy AS e ON e.run_id = r.id GROUP BY r.id"
    )


def _sum(columns: Sequence[str], condition: str) -> str:
    """Sum columns over the rows that fit; a NaN among them makes the sum 'NaN', not a number."""
    unknown = " OR ".join(f"typeof(e.{column}) = 'text'" for column in columns)
    amount = " + ".join(f"e.{column}" for column in columns)
    return (
        f"CASE WHEN total({condition} AND ({unknown})) > 0 THEN 'NaN' "
        f"ELSE total(CASE WHEN {condition} THEN {amount} END) END"
    )


_CONDUCTANCES = """
SELECT c.run_id, c.seq, c.t_s, c."row", c."column", c.device, c.g_siemens, c.g_expanded_siemens,
    c.v_read_v, c.v_device_v, c.i_a, c.polarity, c.purpose, c.source, r.procedure, r.started_at
FROM readings AS c JOIN runs AS r ON r.id = c.run_id
"""

Migration = Callable[[Database], None]

MIGRATIONS: tuple[Migration, ...] = (
    _create,
    _add_calibrations,
    _add_studies,
    _count_inference,
    _add_delivered,
)
"""``MIGRATIONS[n]`` turns a file of version n into one of version n + 1."""

SCHEMA_VERSION = len(MIGRATIONS)
"""``PRAGMA user_version`` of a current file."""


def upgrade(database: Database, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Create the tables of an empty file, or bring those of an older file up to date.

    All of it is one transaction: a crash leaves the file as it was. Several programs may do this
    to one file at the same time.

    Args:
        database: of ours or empty, opened for writing, outside a transaction.
        migrations: the whole list, from version 0 on.
    """
    if read_version(database) >= len(migrations):
        return
    database.execute("BEGIN IMMEDIATE")  # whoever comes second sees what the first one did
    try:
        for version in range(read_version(database), len(migrations)):
            migrations[version](database)
            database.execute(f"PRAGMA user_version = {version + 1}")
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.commit()
    except BaseException:
        database.rollback()
        raise


def read_version(database: Database) -> int:
    """Return the schema version of a file; 0 for an empty one."""
    return int(database.execute("PRAGMA user_version").fetchone()[0])
