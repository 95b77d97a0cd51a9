"""A run as files that other programs read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import pandas as pd

from hil.errors import HilError, StoreError
from hil.store.files import store_errors
from hil.store.reader import RunDatabase
from hil.store.schema import TABLES
from hil.store.values import to_json

Format = Literal["csv", "parquet"]


def export_run(
    database: RunDatabase,
    run_id: str,
    folder: Path | str,
    format: Format = "csv",  # noqa: A002  # the word for it everywhere else
) -> list[Path]:
    """Write the run itself and every table that has rows of it, one file each.

    Files are called ``RUN_ID-TABLE.csv``; the folder is made if it is not there. Nothing is
    overwritten, and unless all files could be written none is there. In CSV, NaN and numbers that
    were not given are ``NaN``, infinities ``inf``, text that was not given is empty.

    Returns:
        The files.

    Raises:
        StoreError: a file exists, the folder cannot be written, or the run cannot be read.
        HilError: the format needs a package that is not installed.
    """
    folder = Path(folder)
    if format == "parquet":
        _require_pyarrow()
    frames = {folder / f"{run_id}-{k}.{format}": v for k, v in _frames(database, run_id).items()}
    with store_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for path in frames:
            if path.exists():
                raise StoreError(f"{path}: exists already; remove it or export to another folder")
        _write_all(frames, format)
    return list(frames)


def _frames(database: RunDatabase, run_id: str) -> dict[str, pd.DataFrame]:
    run = database.run(run_id)
    summary = {key: run[key] for key in run if key not in ("metrics", "events")}
    frames = {"runs": pd.DataFrame([summary])}
    frames |= {name: database.table(run_id, name) for name in TABLES if run["n_rows"][name]}
    return {name: _flat(frame) for name, frame in frames.items()}


def _flat(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with what is neither number nor text written as JSON."""
    for column in frame.columns:
        if pd.api.types.is_object_dtype(frame[column]):
            frame[column] = [_cell(value) for value in frame[column]]
    return frame


def _cell(value: object) -> str | None:
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return None  # a key that this record does not have
    return value if isinstance(value, str) else to_json(value)


def _write_all(frames: dict[Path, pd.DataFrame], kind: Format) -> None:
    drafts = {path: path.with_name(f".{path.name}.{os.getpid()}.tmp") for path in frames}
    done: list[Path] = []
    try:
        for path, frame in frames.items():
            if kind == "csv":
                _write_csv(frame, drafts[path])
            else:
                frame.to_parquet(drafts[path], index=False, engine="pyarrow")
        for path, draft in drafts.items():
            draft.rename(path)
            done.append(path)
    except BaseException:
        for path in (*drafts.values(), *done):
            path.unlink(missing_ok=True)
        raise


def _write_csv(frame: pd.DataFrame, path: Path) -> None:
    texts = frame.columns[[not pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes]]
    frame = frame.assign(**{column: frame[column].fillna("") for column in texts})
    frame.to_csv(path, index=False, na_rep="NaN")


def _require_pyarrow() -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise HilError(
            "Parquet files need the package pyarrow: pip install memristor-hil[parquet]"
        ) from error
