"""What software a run was made with."""

from __future__ import annotations

import platform
import sqlite3
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = (
    "memristor-hil",
    "numpy",
    "pymeasure",
    "pyvisa",
    "pyvisa-py",
    "pyserial",
    "sqlite-utils",
)


def software_versions() -> dict[str, str]:
    """Return versions by name; a package that is not there is ``not installed``."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "SQLite": sqlite3.sqlite_version,
    } | {package: _version(package) for package in _PACKAGES}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
