"""The wire path costs what the wire costs: the drivers against a bare loop of the same bytes.

A twin is served on TCP by another process. The drivers run pulses and reads over it; then the very
bytes that they sent are sent again by a loop over pyvisa and pyserial that does nothing else. Both
are repeated in turn; the ratio of the medians is what the drivers add. Only the path is timed:
waits are simulated, and the pulses stay in the devices' dead band, where the twin's physics costs
next to nothing and cannot hide what the drivers cost.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import serial
from pymeasure.adapters import VISAAdapter

import hil
from hil.board import Board
from hil.boards.assembly import assemble
from hil.links import open_serial_port, open_visa_adapter
from hil.station import load_station

N_CYCLES = 300
N_REPEATS = 7
GOAL = 1.5

Log = list[tuple[str, Any]]


class NoWait:
    """A host clock on which waits take no time."""

    def __init__(self) -> None:
        self._now_s = 0.0

    def now_s(self) -> float:
        return self._now_s

    def sleep_s(self, dt_s: float) -> None:
        self._now_s += dt_s


class RecordingAdapter(VISAAdapter):
    """Notes what goes over an adapter that is open already."""

    def __init__(self, adapter: VISAAdapter, log: Log) -> None:
        super().__init__(adapter)
        self._opened = adapter  # it closes the connection when it is collected
        self._log = log

    def _write(self, command: str, **kwargs: Any) -> None:
        self._log.append(("smu write", command))
        super()._write(command, **kwargs)

    def _read(self, **kwargs: Any) -> str:
        self._log.append(("smu read", None))
        return str(super()._read(**kwargs))


class RecordingPort:
    """Notes what is written to a port; reads pass."""

    def __init__(self, port: serial.Serial, log: Log) -> None:
        self._port = port
        self._log = log

    def write(self, data: bytes) -> int | None:
        self._log.append(("switch exchange", bytes(data)))
        return self._port.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


def main() -> int:
    recorded: Log = []
    cycles(N_CYCLES, recorded)
    driver_s = [cycles(N_CYCLES)]
    bare_s = [replay(recorded)]
    for _ in range(N_REPEATS - 1):
        driver_s.append(cycles(N_CYCLES))
        bare_s.append(replay(recorded))
    for station in ("twin", "twin-wire"):
        with hil.open_board(station) as board:
            show(station, timed(board, N_CYCLES))
    driver, bare = statistics.median(driver_s), statistics.median(bare_s)
    show("drivers over TCP", driver)
    show("bare loop, same bytes", bare)
    print(f"messages per cycle: {len(recorded) / N_CYCLES:.1f}")
    ratio = driver / bare
    print(f"driver_overhead = {ratio:.3f} ratio (goal < {GOAL})")
    return 0 if ratio < GOAL else 1


def show(what: str, seconds: float) -> None:
    """Print a rate."""
    print(f"{what:28}{N_CYCLES / seconds:10.0f} pulses/s, each with a read")


def cycles(n_cycles: int, log: Log | None = None) -> float:
    """Run pulses and reads through the drivers on a fresh twin; return the seconds they took."""
    station = load_station("twin-wire")
    with served() as (smu, switch_board):
        adapter = open_visa_adapter(smu, 5.0)
        port = open_serial_port(switch_board, 115200, 5.0)
        if log is not None:
            adapter = RecordingAdapter(adapter, log)
        wire: Any = port if log is None else RecordingPort(port, log)
        with assemble(station, adapter, wire, NoWait(), kind="smu", source_reason="") as board:
            first = len(log) if log is not None else 0
            board.measure([(0, 0)], 0.1)  # the first one sets limits and switches the output on
            seconds = timed(board, n_cycles)
            if log is not None:
                log.insert(first, ("start", None))
                log.append(("stop", None))
    return seconds


def timed(board: Board, n_cycles: int) -> float:
    """Return the seconds that cycles of one pulse and one read take."""
    start_s = time.perf_counter()
    for k in range(n_cycles):
        board.pulse([(0, 0)], 0.05 if k % 2 else -0.05, 0.02)
        board.measure([(0, 0)], 0.1)
    return time.perf_counter() - start_s


def replay(log: Log) -> float:
    """Send the recorded bytes again on a fresh twin; return the seconds between its marks."""
    with served() as (smu, switch_board):
        adapter = open_visa_adapter(smu, 5.0)
        visa = adapter.connection
        port = open_serial_port(switch_board, 115200, 5.0)
        start_s = seconds = 0.0
        for what, data in log:
            if what == "smu write":
                visa.write(data)
            elif what == "smu read":
                visa.read()
            elif what == "switch exchange":
                port.write(data)
                reply = port.read(1)
                while not reply.endswith(b"\0"):
                    reply += port.read(max(1, port.in_waiting))
            elif what == "start":
                start_s = time.perf_counter()
            else:
                seconds = time.perf_counter() - start_s
                break
        adapter.close()
        port.close()
    return seconds


@contextmanager
def served() -> Iterator[tuple[str, str]]:
    """Serve a twin from another process; give the addresses of both instruments."""
    command = [str(Path(sys.executable).with_name("hil")), "twin", "serve", "--tcp"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().split() for _ in range(2)]
        addresses = dict(lines)
        try:
            yield addresses["smu"], addresses["switch_board"]
        finally:
            process.terminate()


if __name__ == "__main__":
    sys.exit(main())
