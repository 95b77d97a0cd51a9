"""Data sets that do not come with the package: whether they are there, and how to get them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from hil.errors import ParameterError
from procedures.learning.mnist import MD5, file_in, md5_of, missing_files, mnist_places
from procedures.learning.places import places, variable

PRESENT, MISSING, RIGHT, WRONG = "present", "missing", "right", "wrong"

_KNOWM_NAMES = ("*_memristor.csv", "Memristor.csv")


@dataclass(frozen=True)
class DataFile:
    """A file of a data set.

    Attributes:
        name: as published, uncompressed.
        md5: published sum of the uncompressed file; empty where none is published.
        path: where it is; empty if it is missing.
        state: ``present`` (not checked), ``missing``, ``right``, ``wrong``.
        reason: what is wrong, empty if nothing.
    """

    name: str
    md5: str
    path: str
    state: str
    reason: str = ""


@dataclass(frozen=True)
class DataSet:
    """What is known of a data set on this computer.

    Attributes:
        name: short.
        what: it is.
        source: who published it, and where.
        to_get: what to do.
        variable: environment variable that names its folder.
        looked_at: folders, in this order.
        found: whether all of it is there.
        folder: where; empty if nothing of it is.
        files: that it consists of, or that are there where the number is open.
    """

    name: str
    what: str
    source: str
    to_get: str
    variable: str
    looked_at: list[str]
    found: bool
    folder: str
    files: list[DataFile]

    @property
    def is_right(self) -> bool:
        """Whether all files are there and none is known to be wrong."""
        return self.found and all(file.state in (PRESENT, RIGHT) for file in self.files)

    def as_json_object(self) -> dict[str, object]:
        """Return all of it by name."""
        return asdict(self)


def mnist(folder: Path | None = None, check: bool = False) -> DataSet:
    """Return the state of MNIST; a check reads all files and takes half a second.

    Args:
        folder: the only place to look at; the usual places if not given.
        check: whether to compare checksums.
    """
    looked_at = mnist_places(folder)
    with_some = [place for place in looked_at if len(missing_files(place)) < len(MD5)]
    complete = [place for place in with_some if not missing_files(place)]
    place = next(iter(complete + with_some), None)
    return DataSet(
        name="mnist",
        what="handwritten digits, for the task 'handwriting'",
        source="the four canonical IDX files of LeCun, Cortes and Burges",
        to_get="put the four files, each with or without .gz, into one of the folders above",
        variable=variable("mnist"),
        looked_at=_shown(looked_at),
        found=bool(complete),
        folder=str(place.absolute()) if place else "",
        files=[_mnist_file(place, name, check) for name in MD5],
    )


def knowm() -> DataSet:
    """Return the state of the loops that Knowm measured; they have no published checksums."""
    looked_at = places("knowm")
    found = {
        place: sorted(path for pattern in _KNOWM_NAMES for path in place.rglob(pattern))
        for place in looked_at
    }
    place = next((place for place in looked_at if found[place]), None)
    return DataSet(
        name="knowm",
        what="measured current-voltage loops of W memristors, for calibrations",
        source="Knowm Memristor Discovery, Knowm Inc.: github.com/knowm/memristor-discovery, data/",
        to_get="copy that folder into one of the folders above, or anywhere, "
        "then `hil import memristor-discovery FOLDER`",
        variable=variable("knowm"),
        looked_at=_shown(looked_at),
        found=place is not None,
        folder=str(place.absolute()) if place else "",
        files=[
            DataFile(str(path.relative_to(place)), "", str(path.absolute()), PRESENT)
            for path in found[place]
        ]
        if place
        else [],
    )


def as_text(found: DataSet) -> str:
    """Return the lines that a person reads."""
    state = f"found in {found.folder}" if found.found else "not found"
    if found.folder and not found.found:
        state = f"not complete in {found.folder}"
    lines = [f"{found.name}: {state}", f"  what      {found.what}", f"  source    {found.source}"]
    lines += [f"  looked at {place}" for place in found.looked_at]
    if len(found.looked_at) > 1:
        lines.append(f"  (the environment variable {found.variable} names another folder)")
    if any(file.md5 for file in found.files):
        lines += [f"  {file.state:10}{_file_line(file)}" for file in found.files]
    elif found.files:
        lines.append(f"  present   {len(found.files)} loops")
    if not found.is_right:
        lines.append(f"  to get it {found.to_get}")
    return "\n".join(lines)


def _file_line(file: DataFile) -> str:
    line = f"{file.name:25}MD5 of the uncompressed file {file.md5}"
    return f"{line}: {file.reason}" if file.reason else line


def _mnist_file(place: Path | None, name: str, check: bool) -> DataFile:
    path = file_in(place, name) if place else None
    if path is None:
        return DataFile(name, MD5[name], "", MISSING)
    shown = str(path.absolute())
    if not check:
        return DataFile(name, MD5[name], shown, PRESENT)
    reason = _difference(path, MD5[name])
    return DataFile(name, MD5[name], shown, WRONG if reason else RIGHT, reason)


def _difference(path: Path, md5: str) -> str:
    try:
        found = md5_of(path)
    except ParameterError as error:
        return str(error)
    return "" if found == md5 else f"its sum is {found}; get it again"


def _shown(looked_at: list[Path]) -> list[str]:
    return [str(place.absolute()) for place in looked_at]
