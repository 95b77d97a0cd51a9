"""The twin of a station on real wires, for clients that know nothing of this project."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Literal

from hil.clock import WallClock
from hil.errors import StationError
from hil.station import Station
from twin.bench import TwinBench
from twin.opening import TwinInstruments, build_instruments
from twin.servers.pty import PtyServer
from twin.servers.tcp import TcpServer


@contextmanager
def serve_station(
    station: Station, *, wire: Literal["tcp", "pty"], seed: int | None = None, connect: str = ""
) -> Iterator[dict[str, str]]:
    """Serve the instruments of a station while the context lasts; entry point ``twin``.

    The time between two messages passes on the bench as well. Until a host greets the switch
    board, one device is wired to the source-measure unit, so that a client that knows nothing of
    switches finds one.

    Args:
        station: any station; its own addresses do not matter.
        wire: TCP sockets on the loopback interface, or pseudo-terminals.
        seed: of everything random; the station's own if not given.
        connect: name of the device that is wired at first; the first one if empty.

    Yields:
        The address of each instrument: a VISA resource for ``smu``, a pyserial port or URL for
        ``switch_board``.
    """
    instruments = build_instruments(station, seed, jumper=_position(station, connect))
    with serve_instruments(instruments, wire) as addresses:
        yield addresses


@contextmanager
def serve_instruments(
    instruments: TwinInstruments, wire: Literal["tcp", "pty"], *, follow_wall_clock: bool = True
) -> Iterator[dict[str, str]]:
    """Serve instruments that exist already; see ``serve_station``.

    Args:
        instruments: the twin.
        wire: TCP or pseudo-terminals.
        follow_wall_clock: otherwise time moves only with what the instruments do.
    """
    follow = _WallTime(instruments.bench).pass_on if follow_wall_clock else None
    lock = threading.Lock()
    with ExitStack() as opened:
        if wire == "tcp":
            smu = TcpServer(instruments.smu, lock, before_receive=follow)
            opened.callback(smu.close)
            switches = TcpServer(instruments.switch_board, lock, before_receive=follow)
            opened.callback(switches.close)
            yield {
                "smu": f"TCPIP0::127.0.0.1::{smu.port}::SOCKET",
                "switch_board": f"socket://127.0.0.1:{switches.port}",
            }
        else:
            smu_pty = PtyServer(instruments.smu, lock, before_receive=follow)
            opened.callback(smu_pty.close)
            switches_pty = PtyServer(instruments.switch_board, lock, before_receive=follow)
            opened.callback(switches_pty.close)
            yield {
                "smu": f"ASRL{smu_pty.path}::INSTR",
                "switch_board": switches_pty.path,
            }


class _WallTime:
    """Passes the time between two messages on to the bench.

    What the instruments do takes simulated time as well, at once; it is added and not set off
    against the wall clock, or a pulse that a client times would lose what a measurement before it
    took.
    """

    def __init__(self, bench: TwinBench) -> None:
        self._bench = bench
        self._wall = WallClock()
        self._passed_s = 0.0

    def pass_on(self) -> None:
        now_s = self._wall.now_s()
        self._bench.owe_s(now_s - self._passed_s)
        self._passed_s = now_s


def _position(station: Station, device_name: str) -> int:
    if not device_name:
        return station.devices[0].position
    for device in station.devices:
        if device.name == device_name:
            return device.position
    raise StationError(f"{station.origin}: no device {device_name!r} to connect")
