"""Data that are supplied beside the repository and may not be part of it."""

from __future__ import annotations

from pathlib import Path

import pytest

_DATA = Path(__file__).parents[3] / "shared" / "data"


def supplied(name: str) -> Path:
    """Return a folder of supplied data, for example ``knowm/w-sdc-iv``, or skip the test."""
    folder = _DATA / name
    if not folder.is_dir():
        pytest.skip(f"data are not supplied: no folder {folder}")
    return folder
