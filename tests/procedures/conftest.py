from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import twin.opening
from hil.station import Station
from procedures.cli import main
from tests.support.rigs import station_text
from twin.opening import TwinInstruments

StationFile = Callable[..., str]


@pytest.fixture
def station_file(tmp_path: Path) -> StationFile:
    """Writes a station file and returns its path; arguments as of ``station_text``."""

    def write(*args: object, name: str = "station.toml", **kwargs: object) -> str:
        path = tmp_path / name
        path.write_text(station_text(*args, **kwargs), encoding="utf-8")  # type: ignore[arg-type]
        return str(path)

    return write


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "runs.sqlite"


@pytest.fixture
def benches(monkeypatch: pytest.MonkeyPatch) -> list[TwinInstruments]:
    """Every wire twin that is opened in the test, oldest first."""
    opened: list[TwinInstruments] = []
    build = twin.opening.build_instruments

    def noting(station: Station, seed: int | None = None) -> TwinInstruments:
        opened.append(build(station, seed))
        return opened[-1]

    monkeypatch.setattr(twin.opening, "build_instruments", noting)
    return opened


@dataclass(frozen=True)
class Said:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def error_line(self) -> str:
        """The only line on standard error."""
        assert self.err.count("\n") == 1, self.err
        assert self.err.startswith("hil: "), self.err
        assert "Traceback" not in self.err
        return self.err.removeprefix("hil: ").strip()


Hil = Callable[..., Said]


@pytest.fixture
def hil(capsys: pytest.CaptureFixture[str]) -> Iterator[Hil]:
    """The command line in this process: ``hil('run', 'pulse-train', ...)``."""
    log = logging.getLogger("procedures")
    level = log.level

    def call(*arguments: object) -> Said:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        code = end.value.code
        assert isinstance(code, int)
        return Said(code, out, err)

    yield call
    log.setLevel(level)
