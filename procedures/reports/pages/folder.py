"""The files of a report: all of them or none."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hil.errors import HilError, UsageError
from procedures.reports.pages.rendering import Report

INDEX, FIGURES = "index.html", "figures"
_HEAD_BYTES = 2000


def check_folder(folder: Path, signature: str) -> None:
    """Check that a report may be written there.

    Args:
        folder: for the report.
        signature: in the head of pages of this report.

    Raises:
        UsageError: something is there that is no report of ours.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UsageError(f"{folder} is there and is no folder; choose another with --out")
    if folder.is_dir() and any(folder.iterdir()) and not is_report(folder, signature):
        raise UsageError(
            f"{folder} is there and holds no report of this command; choose another with --out"
        )


def is_report(folder: Path, signature: str) -> bool:
    """Whether a folder holds a report of ours and nothing else."""
    index = folder / INDEX
    if not index.is_file() or {path.name for path in folder.iterdir()} - {INDEX, FIGURES}:
        return False
    with index.open("rb") as page:
        return signature.encode() in page.read(_HEAD_BYTES)


def write_report(report: Report, folder: Path) -> Path:
    """Write a report; returns its page. An older report of ours is replaced as a whole.

    Raises:
        UsageError: something is there that is no report of ours.
        HilError: nothing can be written there; what was there is left as it was.
    """
    check_folder(folder, report.signature)
    folder = folder.absolute()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as place:
            new = Path(place) / "new"
            _fill(report, new)
            _replace(folder, new, Path(place) / "old")
    except OSError as error:
        raise HilError(f"{folder}: the report cannot be written: {error.strerror}") from error
    return folder / INDEX


def _fill(report: Report, folder: Path) -> None:
    figures = folder / FIGURES
    figures.mkdir(parents=True)
    for picture in report.pictures:
        (figures / f"{picture.name}.svg").write_bytes(picture.svg)
        (figures / f"{picture.name}.png").write_bytes(picture.png)
    (folder / INDEX).write_text(report.html, encoding="utf-8")


def _replace(folder: Path, new: Path, old: Path) -> None:
    if folder.exists():
        folder.rename(old)
        try:
            new.rename(folder)
        except OSError:
            old.rename(folder)
            raise
        shutil.rmtree(old, ignore_errors=True)
    else:
        new.rename(folder)
