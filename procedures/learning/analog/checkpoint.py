"""Checkpoint files: snapshots as numpy's ``.npz``, without pickles.

All arrays lie in it by number; one entry is JSON of the rest, in which ``{"array": n}`` stands for
an array.
"""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from hil.errors import ParameterError

_FORMAT = "memristor-hil checkpoint 1"


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a snapshot; the file there before is replaced once the new one is on the disk.

    Args:
        path: of the file.
        state: numbers, text, arrays, and dicts and lists of these.

    Raises:
        ParameterError: it cannot be written.
    """
    arrays: list[np.ndarray[Any, Any]] = []
    text = json.dumps({"format": _FORMAT, "state": _without_arrays(state, arrays)})
    numbered = {str(n): array for n, array in enumerate(arrays)}
    new = path.with_name(f"{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with new.open("wb") as file:
            np.savez(file, json=np.array(text), **numbered)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        raise ParameterError(f"checkpoint {path}: cannot be written: {error}") from error


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a snapshot.

    Raises:
        ParameterError: the file cannot be read, or is no checkpoint.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            found = json.loads(str(file["json"]))
            if found.get("format") != _FORMAT:
                raise ValueError(f"format {found.get('format')!r}, expected {_FORMAT!r}")
            state: dict[str, Any] = _with_arrays(found["state"], file)
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ParameterError(
            f"checkpoint {path}: cannot be read: {error}; take another one, or delete it to begin "
            f"anew"
        ) from error
    return state


def _without_arrays(value: Any, arrays: list[np.ndarray[Any, Any]]) -> Any:
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {"array": len(arrays) - 1}
    if isinstance(value, dict):
        return {key: _without_arrays(one, arrays) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_arrays(one, arrays) for one in value]
    return value.item() if isinstance(value, np.generic) else value


def _with_arrays(value: Any, file: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"array"}:
            return file[str(value["array"])]
        return {key: _with_arrays(one, file) for key, one in value.items()}
    if isinstance(value, list):
        return [_with_arrays(one, file) for one in value]
    return value
