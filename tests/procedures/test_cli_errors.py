"""One clear line, the right exit code, and nothing written."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from hil.store import RunDatabase
from tests.procedures.conftest import Hil
from tests.support.rigs import station_text

FAILED, USAGE = 1, 2


def listing(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory with all kinds of wrong files in it, as the working directory."""
    monkeypatch.chdir(tmp_path)
    text = station_text()
    wrong = {
        "good.toml": text,
        "wrong-key.toml": text.replace("watchdog_s", "watch_dog_s"),
        "wrong-value.toml": text.replace("tolerance", "x").replace(
            "switch_resistance_ohm = 75.0", "switch_resistance_ohm = -1"
        ),
        "not.toml": "name = ",
        "wrong-board.toml": text.replace('"twin-wire"', '"abacus"'),
        "wide.toml": text.replace("[devices]", "[limits.C]\nmax_current_a = 1e-3\n[devices]"),
        "nobody.toml": station_text(
            "smu",
            addresses={
                "smu": "TCPIP0::127.0.0.1::1::SOCKET",
                "switch_board": "socket://127.0.0.1:1",
            },
        ),
        "no-such-tty.toml": station_text(
            "smu", addresses={"smu": "ASRL/dev/ttyNOPE::INSTR", "switch_board": "/dev/ttyNOPE"}
        ),
        "text.sqlite": "this is no database, it is only called one\n" * 30,
    }
    for name, content in wrong.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    with sqlite3.connect(tmp_path / "other.sqlite") as other:
        other.execute("CREATE TABLE stamps (country TEXT)")
    other.close()
    return tmp_path


SHORT = ("--set-pulses", 1, "--reset-pulses", 0, "--cycles", 1)
RUN = ("run", "pulse-train", *SHORT, "--station", "good.toml")

# arguments, exit code, what the line has to name
CASES: dict[str, tuple[tuple[object, ...], int, tuple[str, ...]]] = {
    "wrong key in a station": (
        (*RUN[:-1], "wrong-key.toml"),
        USAGE,
        ("wrong-key.toml, line 11", "switch_board.watch_dog_s", "no such key"),
    ),
    "wrong value in a station": (
        (*RUN[:-1], "wrong-value.toml"),
        USAGE,
        ("wrong-value.toml, line 15", "circuit.switch_resistance_ohm", "-1"),
    ),
    "station that is no TOML": ((*RUN[:-1], "not.toml"), USAGE, ("not.toml", "TOML")),
    "station that is nowhere": (
        (*RUN[:-1], "nowhere"),
        USAGE,
        ("'nowhere'", "twin-wire", "bench-2400"),
    ),
    "station of an unknown board": ((*RUN[:-1], "wrong-board.toml"), USAGE, ("abacus", "smu")),
    "limit widened without reason": ((*RUN[:-1], "wide.toml"), USAGE, ("limits.C", "reason")),
    "unknown procedure": (("run", "sing"), USAGE, ("'sing'", "pulse-train")),
    "unknown procedure of a window": (("gui", "sing"), USAGE, ("'sing'",)),
    "unknown command": (("sing",), USAGE, ("sing",)),
    "unknown parameter": ((*RUN, "--loudness", 3), USAGE, ("--loudness",)),
    "parameter out of range": ((*RUN, "--set-v", 11), USAGE, ("set_v", "11", "0 to 10 V")),
    "parameter that is no number": ((*RUN, "--set-v", "much"), USAGE, ("set_v", "much")),
    "parameter that is NaN": ((*RUN, "--set-v", "nan"), USAGE, ("set_v", "nan")),
    "parameter that is infinite": ((*RUN, "--set-v", "inf"), USAGE, ("set_v", "inf")),
    "half a pulse": ((*RUN, "--cycles", "1.5"), USAGE, ("cycles", "1.5")),
    "parameter of no choice": (
        ("run", "iv-sweep", "--shape", "square", "--station", "good.toml"),
        USAGE,
        ("shape", "square", "triangle"),
    ),
    "switch that is neither on nor off": (
        ("run", "read-array", "--allow-reverse=maybe", "--station", "good.toml"),
        USAGE,
        ("allow_reverse", "maybe"),
    ),
    "seed below zero": ((*RUN, "--seed", -1), USAGE, ("seed", "-1")),
    "fallback of a wrong kind": ((*RUN, "--fallback", "prayer"), USAGE, ("fallback", "prayer")),
    "unknown device": ((*RUN, "--device", "W99"), USAGE, ("'W99'", "W01")),
    "unknown devices": (
        ("run", "read-array", "--devices", "W01,X", "--station", "good.toml"),
        USAGE,
        ("'X'",),
    ),
    "device named twice": (
        ("run", "read-array", "--devices", "W01,W", "--station", "good.toml"),
        USAGE,
        ("twice",),
    ),
    "too few devices": (
        ("run", "on-chip-training", "--station", "good.toml"),
        USAGE,
        ("30",),
    ),
    "window upside down": (
        ("run", "on-chip-training", "--g-min-siemens", 0.1, "--g-max-siemens", 0.01),
        USAGE,
        ("rising",),
    ),
    "limit of the voltage": ((*RUN, "--set-v", 5), USAGE, ("5 V", "2 V", "W01")),
    "limit of a read": ((*RUN, "--v-read-v", 0.5), USAGE, ("500 mV", "100 mV")),
    "limit of the width": ((*RUN, "--width-s", 2), USAGE, ("2 s", "1 s")),
    "pulse that cannot be timed": ((*RUN, "--width-s", 0.001), USAGE, ("1 ms", "2 ms")),
    "read in the wrong direction": (
        ("run", "read-array", "--v-read-v", -0.05, "--station", "good.toml"),
        USAGE,
        ("-50 mV", "allow_reverse"),
    ),
    "sweep above the limit": (
        ("run", "iv-sweep", "--amplitude-v", 3, "--station", "good.toml"),
        USAGE,
        ("3 V",),
    ),
    "nobody listens": (
        (*RUN[:-1], "nobody.toml"),
        FAILED,
        ("TCPIP0::127.0.0.1::1::SOCKET", "refused"),
    ),
    "no such serial device": ((*RUN[:-1], "no-such-tty.toml"), FAILED, ("ttyNOPE",)),
    "no instrument on the bench": ((*RUN[:-1], "bench-2400"), FAILED, ("GPIB0::24::INSTR",)),
    "database that is text": ((*RUN, "--db", "text.sqlite"), FAILED, ("text.sqlite",)),
    "database of someone else": ((*RUN, "--db", "other.sqlite"), FAILED, ("other.sqlite",)),
    "database that is a folder": ((*RUN, "--db", "."), FAILED, ("not a file",)),
    "missing folder": ((*RUN, "--db", "no/where.sqlite"), FAILED, ("folder no", "create")),
    "runs of no database": (("runs", "--db", "none.sqlite"), FAILED, ("none.sqlite",)),
    "runs of text": (("runs", "--db", "text.sqlite"), FAILED, ("text.sqlite",)),
    "show of no database": (("show", "--db", "none.sqlite"), FAILED, ("none.sqlite",)),
    "show of someone else": (("show", "--db", "other.sqlite"), FAILED, ("other.sqlite",)),
    "export of no database": (("export", "--db", "none.sqlite"), FAILED, ("none.sqlite",)),
    "plot of no database": (("plot", "--db", "none.sqlite"), FAILED, ("none.sqlite",)),
    "station that is nowhere to show": (("stations", "nowhere"), USAGE, ("'nowhere'",)),
    "station that is nowhere to serve": (
        ("twin", "serve", "--station", "nowhere"),
        USAGE,
        ("'nowhere'",),
    ),
    "device that is nowhere to wire": (
        ("twin", "serve", "--station", "good.toml", "--connect", "W99"),
        USAGE,
        ("'W99'",),
    ),
    "fewer than one run": (("runs", "-n", 0), USAGE, ("0",)),
}


@pytest.mark.parametrize("name", CASES)
def test_one_line_the_right_code_and_nothing_written(name: str, here: Path, hil: Hil) -> None:
    arguments, code, names = CASES[name]
    before = listing(here)
    said = hil(*arguments)
    assert said.out == ""
    for part in names:
        assert part in said.error_line
    assert said.code == code
    assert listing(here) == before


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_database_that_may_not_be_written(
    what: str, here: Path, hil: Hil, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Permissions are played, since root may write everywhere."""
    assert hil(*RUN).code == 0
    before = listing(here)
    closed = Path("runs.sqlite" if what == "file" else ".")
    monkeypatch.setattr("os.access", lambda path, mode: Path(path) != closed)
    said = hil(*RUN)
    assert said.code == FAILED
    assert f"{what}" in said.error_line
    assert "not writable" in said.error_line
    assert said.out == ""
    assert listing(here) == before


def test_a_file_system_that_takes_nothing(here: Path, hil: Hil) -> None:
    said = hil(*RUN, "--db", "/proc/runs.sqlite")
    assert said.code == FAILED
    assert "/proc/runs.sqlite" in said.error_line
    assert said.out == ""


def test_a_run_that_is_not_there(here: Path, hil: Hil) -> None:
    assert hil(*RUN).code == 0
    before = listing(here)
    for command in ("show", "export", "plot"):
        said = hil(command, "01ZZZ")
        assert said.code == FAILED
        assert "01ZZZ" in said.error_line
    assert listing(here) == before


def test_nothing_is_exported_over_a_file(here: Path, hil: Hil) -> None:
    assert hil(*RUN).code == 0
    assert hil("export", "--out", "out").code == 0
    before = listing(here)
    said = hil("export", "--out", "out")
    assert said.code == FAILED
    assert "exists already" in said.error_line
    assert listing(here) == before


def test_a_picture_of_an_unknown_kind(here: Path, hil: Hil) -> None:
    assert hil(*RUN).code == 0
    said = hil("plot", "--out", "run.txt")
    assert said.code == USAGE
    assert ".png" in said.error_line
    assert not (here / "run.txt").exists()


def test_a_picture_into_a_missing_folder(here: Path, hil: Hil) -> None:
    assert hil(*RUN).code == 0
    said = hil("plot", "--out", "no/run.png")
    assert said.code == FAILED
    assert "no/run.png" in said.error_line


def test_a_failure_in_the_middle_is_told_once_and_kept(
    here: Path, hil: Hil, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hil.instruments.keithley2400 import Keithley2400Smu

    def broken(self: Keithley2400Smu) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Keithley2400Smu, "measure", broken)
    said = hil(*RUN)
    assert said.code == FAILED
    assert "ZeroDivisionError: a bug" in said.error_line
    with RunDatabase("runs.sqlite") as opened:
        (run,) = opened.runs()
    assert run.run_id in said.error_line
    assert (run.status, run.error) == ("failed", "ZeroDivisionError: a bug")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["run", "sing"], USAGE), (["show", "--db", "none.sqlite"], FAILED)],
)
def test_as_a_process(arguments: list[str], code: int, here: Path) -> None:
    before = listing(here)
    process = subprocess.run(
        [sys.executable, "-c", "from procedures.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == code
    assert "Traceback" not in process.stderr + process.stdout
    assert process.stderr.startswith("hil: ")
    assert process.stderr.count("\n") == 1
    assert listing(here) == before
