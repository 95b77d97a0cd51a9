"""Real processes that end in all kinds of ways, with the twin served by the test.

Everything waits for what the instruments saw or for a process to end, never for some time.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pytest
from pymeasure.adapters import VISAAdapter
from pymeasure.instruments.keithley import Keithley2400

from hil.store import RunDatabase, RunSummary
from procedures.read_array import ReadArray
from procedures.runner import run
from tests.procedures.conftest import Hil, StationFile
from tests.support.rigs import Wiretap, small_station, station_text
from tests.support.runs import assert_switched_off, run_of, tables_of
from twin.firmware.keithley2400 import Keithley2400Firmware
from twin.firmware.switch_board import SwitchBoardFirmware
from twin.opening import TwinInstruments, build_instruments
from twin.serving import serve_instruments

MAIN = [sys.executable, "-c", "from procedures.cli import main; main()"]
PATIENCE_S = 60.0  # for a process that hangs


class Bench:
    """A twin on TCP ports, and a station file that leads to it as to a bench with real wires."""

    def __init__(self, folder: Path, **station: Any) -> None:
        self.folder = folder
        self.station = station
        self.instruments = build_instruments(small_station(**station))
        self.n_readings = 0
        self._tail = b""
        self.reading_seen = threading.Condition()
        self.log: list[tuple[str, bytes]] = []

    @contextmanager
    def served(self) -> Iterator[None]:
        smu: Any = Wiretap("smu", self.instruments.smu, self.log, self._note)
        tapped = replace(self.instruments, smu=smu)
        with serve_instruments(tapped, "tcp", follow_wall_clock=False) as addresses:
            text = station_text("smu", addresses=addresses, watchdog_s=5.0, **self.station)
            (self.folder / "served.toml").write_text(text, encoding="utf-8")
            yield

    def _note(self, data: bytes) -> None:
        with self.reading_seen:
            received = self._tail + data  # a command may come in two pieces
            self.n_readings += received.count(b":READ?")
            self._tail = received[1 - len(b":READ?") :]
            self.reading_seen.notify_all()

    def wait_for_readings(self, n: int) -> None:
        with self.reading_seen:
            assert self.reading_seen.wait_for(lambda: self.n_readings >= n, PATIENCE_S)


@dataclass
class Ended:
    code: int
    out: str
    err: str


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*MAIN, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> Ended:
    try:
        out, err = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    assert "Traceback" not in out + err, err
    return Ended(process.returncode, out, err)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


LONG = ("run", "pulse-train", "--station", "served.toml", "--cycles", "100000")


@pytest.mark.parametrize(
    ("numbers", "n_readings"),
    [
        ([signal.SIGTERM], 1),
        ([signal.SIGINT], 20),
        ([signal.SIGINT, signal.SIGTERM, signal.SIGINT], 40),
    ],
    ids=["SIGTERM at the first reading", "SIGINT", "signals in a row"],
)
def test_a_signal_switches_off_and_keeps_the_rows_so_far(
    numbers: list[signal.Signals], n_readings: int, bench: Bench
) -> None:
    with bench.served():
        process = start(bench.folder, *LONG)
        bench.wait_for_readings(n_readings)
        for number in numbers:
            process.send_signal(number)
        ended = end(process)
    assert ended.code == 3
    assert_switched_off(bench.instruments)
    summary = run_of(bench.folder / "runs.sqlite")
    tables = tables_of(bench.folder / "runs.sqlite")
    assert (summary.status, summary.ended_at is None) == ("aborted", False)
    assert any(number.name in summary.error for number in numbers)  # they may overtake
    assert ended.err == f"hil: run {summary.run_id} aborted: {summary.error}\n"
    # three readings a step: two in the pulse, one after it; the last step may be incomplete
    n_steps, n_more = divmod(bench.n_readings, 3)
    assert len(tables["records"]) in (n_steps, n_steps - (n_more == 0))
    assert n_steps <= summary.n_pulses <= n_steps + 1
    assert len(tables["energy"]) == len(tables["pulses"]) + len(tables["readings"])


def test_a_process_that_is_killed_is_seen_to_have_died_and_loses_its_device(
    bench: Bench,
) -> None:
    with bench.served():
        process = start(bench.folder, *LONG)
        bench.wait_for_readings(60)
        process.kill()
        process.communicate(timeout=PATIENCE_S)
    switch = bench.instruments.bench.switch
    assert switch.position == 0
    bench.instruments.bench.sleep_s(5.1)
    assert switch.position is None, "its watchdog has nobody to hear any more"
    with RunDatabase(bench.folder / "runs.sqlite") as opened:
        summary = opened.find("latest")
        assert (summary.status, summary.is_stale) == ("running", True)
        assert summary.n_pulses >= 1
    ended = end(start(bench.folder, "show"))
    assert ended.code == 0
    assert ", died" in ended.out


def test_a_link_that_goes_away_in_the_middle_fails_the_run(bench: Bench) -> None:
    with bench.served():
        process = start(bench.folder, *LONG)
        bench.wait_for_readings(30)
    ended = end(process)  # the servers hung up
    assert ended.code == 1
    summary = run_of(bench.folder / "runs.sqlite")
    assert summary.status == "failed"
    assert "SMU" in summary.error or "switch board" in summary.error
    assert summary.n_rows["records"] >= 5
    # one line on what could not be switched off, one on the run
    assert [line.split(":")[0] for line in ended.err.splitlines()] == ["hil", "hil"]
    assert "could not be made safe" in ended.err


# --- a bench is a bench, and a twin is a twin ---------------------------------------------------


class Impostor(Keithley2400Firmware):
    """Says of itself that it is an instrument."""

    def receive(self, data: bytes) -> bytes:
        return super().receive(data).replace(b"TWIN00000001", b"1234567")


def station_on(
    station_file: StationFile, addresses: dict[str, str], source: Literal["bench", "twin"]
) -> str:
    return station_file("smu", source=source, addresses=addresses)


def serve(smu_class: type[Keithley2400Firmware]) -> tuple[TwinInstruments, Any]:
    plain = build_instruments(small_station())
    instruments = replace(plain, smu=smu_class(plain.bench.smu))
    return instruments, serve_instruments(instruments, "tcp", follow_wall_clock=False)


@pytest.mark.parametrize(
    ("smu_class", "source", "found"),
    [
        (Keithley2400Firmware, "bench", "SMU that answered is a twin"),
        (Impostor, "twin", "SMU that answered is a bench"),
        (Impostor, "bench", "switch board that answered is a twin"),
    ],
)
def test_nobody_passes_for_what_he_is_not(
    smu_class: type[Keithley2400Firmware],
    source: Literal["bench", "twin"],
    found: str,
    station_file: StationFile,
    hil: Hil,
    tmp_path: Path,
) -> None:
    instruments, server = serve(smu_class)
    database = tmp_path / "runs.sqlite"
    for fallback in ("none", "twin"):  # an instrument that answers is no reason to fall back
        with server if fallback == "none" else serve(smu_class)[1] as addresses:
            station = station_on(station_file, addresses, source)
            options = ("--station", station, "--fallback", fallback, "--db", database)
            said = hil("run", "read-array", *options)
        assert said.code == 1
        assert found in said.error_line
        assert not database.exists()
    assert not any(m.upper() == "OUTPUT 1" for m in instruments.smu.commands_seen)


def test_what_is_no_keithley_is_refused(
    station_file: StationFile, hil: Hil, tmp_path: Path
) -> None:
    class Other(Keithley2400Firmware):
        def receive(self, data: bytes) -> bytes:
            return super().receive(data).replace(b"MODEL 2400", b"MODEL 2000")

    _, server = serve(Other)
    with server as addresses:
        station = station_on(station_file, addresses, "twin")
        said = hil("run", "read-array", "--station", station, "--db", tmp_path / "r.sqlite")
    assert said.code == 1
    assert "MODEL 2000" in said.error_line


def test_a_twin_that_is_declared_as_one_may_be_used_over_its_wires(
    station_file: StationFile, database: Path
) -> None:
    instruments, server = serve(Keithley2400Firmware)
    with server as addresses:
        station = station_on(station_file, addresses, "twin")
        outcome = run(ReadArray(station=station, database=str(database)))
    assert outcome.status == "finished"
    summary = run_of(database)
    assert (summary.source.value, summary.source_reason) == ("twin", "")
    assert_switched_off(instruments)
    assert isinstance(instruments.switch_board, SwitchBoardFirmware)


# --- hil twin serve -----------------------------------------------------------------------------


@contextmanager
def served_by_command(folder: Path, *options: str) -> Iterator[tuple[Any, dict[str, str]]]:
    process = subprocess.Popen(
        [*MAIN, "twin", "serve", *options],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        # A pipe is buffered in full: without a flush this would wait for ever.
        lines = [process.stdout.readline() for _ in range(2)]
        yield process, dict(line.split() for line in lines)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=PATIENCE_S)


Stop = Callable[[subprocess.Popen[str]], None]


# pymeasure 0.16 warns of its own methods.
@pytest.mark.filterwarnings("ignore:Deprecated to use .Keithley2400:FutureWarning")
@pytest.mark.parametrize(("wire", "number"), [("--tcp", signal.SIGTERM), ("--pty", signal.SIGINT)])
def test_pymeasures_own_driver_on_a_served_twin(
    wire: str, number: signal.Signals, tmp_path: Path
) -> None:
    with served_by_command(tmp_path, wire, "--connect", "W03") as (process, addresses):
        assert list(addresses) == ["smu", "switch_board"]
        if wire == "--tcp":
            assert addresses["smu"].startswith("TCPIP0::127.0.0.1::")
            assert addresses["switch_board"].startswith("socket://")
        else:
            assert addresses["smu"].startswith("ASRL/dev/")
            assert os.path.exists(addresses["switch_board"])
        adapter = VISAAdapter(
            addresses["smu"], visa_library="@py", read_termination="\n", write_termination="\n"
        )
        with_driver(Keithley2400(adapter))
        adapter.close()
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out, err) == (0, "", "")


def with_driver(smu: Any) -> None:
    """Source, measure, SET and RESET as a client that knows nothing of this project."""
    assert "TWIN" in smu.id
    smu.reset()
    smu.apply_voltage(compliance_current=1e-3)
    smu.measure_current()
    smu.source_voltage = 0.0
    smu.enable_source()

    def current_a(level_v: float) -> float:
        smu.source_voltage = level_v
        value: float = smu.current
        smu.source_voltage = 0.0
        return value

    before = current_a(0.1)
    current_a(0.8)
    after_set = current_a(0.1)
    current_a(-1.0)
    after_reset = current_a(0.1)
    assert after_set > 1.5 * before > 0
    assert after_reset < after_set / 1.5
    assert smu.check_errors() == []
    smu.shutdown()
    assert smu.check_errors() == []


def test_a_station_runs_on_a_served_twin_in_another_process(
    tmp_path: Path, station_file: StationFile, hil: Hil
) -> None:
    """Simulated time follows the wall clock there, and the watchdog is fed in real time."""
    (tmp_path / "small.toml").write_text(station_text(), encoding="utf-8")
    with served_by_command(tmp_path, "--station", "small.toml", "--seed", "7") as (_, addresses):
        station = station_file("smu", addresses=addresses)
        database = tmp_path / "runs.sqlite"
        options = ("--set-pulses", 2, "--reset-pulses", 2, "--cycles", 1, "--db", database)
        said = hil("run", "pulse-train", "--station", station, *options)
    assert (said.code, said.err) == (0, "")
    summary: RunSummary = run_of(database)
    assert summary.n_pulses == 4
    pulses = tables_of(database)["pulses"]
    assert (pulses["width_measured_s"] >= 0.02).all()
    with RunDatabase(database) as opened:
        assert "TWIN00000007" in opened.run(summary.run_id)["board_identity"]["smu"]


# The C devices are the quickest: bench time is wall-clock time here.
TRAINING = (
    *("run", "on-chip-training", "--dopant", "C", "--search", "foreseen", "--n-confirm", "0"),
    *("--tolerance-ratio", "0.15", "--rounds-max", "1", "--test-images", "1", "--test-noise", ""),
)


@pytest.mark.parametrize("wire", ["--tcp", "--pty"])
def test_training_runs_on_a_served_twin_in_another_process(
    wire: str, tmp_path: Path, station_file: StationFile, hil: Hil
) -> None:
    given: dict[str, Any] = {"n_devices": {"C": 30}, "model": "record"}
    (tmp_path / "bank.toml").write_text(station_text(**given), encoding="utf-8")
    with served_by_command(tmp_path, wire, "--station", "bank.toml", "--seed", "7") as (_, found):
        station = station_file("smu", addresses=found, **given)
        database = tmp_path / "runs.sqlite"
        said = hil(*TRAINING, "--station", station, "--db", database)
    assert (said.code, said.err) == (0, "")
    tables = tables_of(database)
    assert tables["records"]["Device"].nunique() == 30
    assert (tables["records"]["Outcome"] == "reached").sum() >= 28
    assert "inference" in set(tables["readings"]["purpose"])
    metrics = tables["metrics"].set_index("name")["value"]
    assert metrics["readback_clean"] in (0.0, 1.0)  # one image


def test_a_training_that_is_stopped_tells_what_each_memristor_has_had_done_to_it(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path, n_devices={"C": 30}, model="record")
    with bench.served():
        process = start(tmp_path, *TRAINING, "--station", "served.toml")
        bench.wait_for_readings(60)
        process.send_signal(signal.SIGTERM)
        ended = end(process)
    assert ended.code == 3
    assert_switched_off(bench.instruments)
    assert run_of(tmp_path / "runs.sqlite").status == "aborted"
    tables = tables_of(tmp_path / "runs.sqlite")
    records, pulses, readings = (tables[name] for name in ("records", "pulses", "readings"))
    assert 0 < len(records) < 30
    for row in records.to_dict("records"):
        mine = pulses[pulses["device"] == row["Device"]]
        assert mine["n_pulses"].sum() == row["SET pulses"] + row["RESET pulses"]
        seen = readings[readings["device"] == row["Device"]]
        assert len(seen) == row["Reads"]
        assert seen["g_siemens"].iloc[-1] == row["Conductance (S)"]
    touched = set(readings["device"]) | set(pulses["device"])
    assert len(touched - set(records["Device"])) <= 1, "only the one that it was interrupted at"
