"""Small twin stations, and boards on them with everything that a test may look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import ArrayLike
from pymeasure.adapters import Adapter

from hil.board import Board
from hil.boards.assembly import assemble
from hil.clock import Clock
from hil.instruments.switch_board import SerialPort
from hil.links import open_serial_port, open_visa_adapter
from hil.station import Station, parse_station
from hil.types import Dopant, FloatArray, Synapses, as_cells
from twin.opening import TwinInstruments, build_instruments, open_direct
from twin.plant import Plant
from twin.servers.inprocess import InProcessAdapter, InProcessPort
from twin.serving import serve_instruments
from twin.wiring import ByteDevice

SERIES_OHM = {"W": 10_000.0, "Cr": 47_000.0, "C": 47_000.0}
SWITCH_OHM = 75.0

NEURONS = """
[neurons]
[neurons.W]
reference_ohm = 23520.0
feedback_ohm = 38650.0
"""
"""Tables that give the direct twin of a small station a neuron circuit for its W devices."""


def station_text(
    board: str = "twin-wire",
    *,
    source: str = "twin",
    addresses: Mapping[str, str] | None = None,
    noise: bool = True,
    n_devices: Mapping[str, int] | None = None,
    watchdog_s: float = 1.0,
    fallback: str = "none",
    model: str = "mss",
    extra: str = "",
) -> str:
    """Return the text of a station: by default four W, one Cr and one C device.

    They are plain metastable switches, which hold their state and have one conductance at all
    voltages; ``model="record"`` for the devices that a station has by default.
    """
    address = {"smu": "twin:", "switch_board": "twin:"} | dict(addresses or {})
    names = [
        (dopant, f"{dopant}{k + 1:02d}")
        for dopant, n in (n_devices or {"W": 4, "Cr": 1, "C": 1}).items()
        for k in range(n)
    ]
    devices = "\n".join(
        f'{name} = {{ dopant = "{dopant}", package_pin = "U1.{k}", position = {k}, '
        f"series_resistor_ohm = {SERIES_OHM[dopant]} }}"
        for k, (dopant, name) in enumerate(names)
    )
    return f"""
name = "small"
board = "{board}"
source = "{source}"
fallback = "{fallback}"
[smu]
driver = "keithley2400"
address = "{address["smu"]}"
[switch_board]
address = "{address["switch_board"]}"
watchdog_s = {watchdog_s}
n_positions = {max(8, len(names))}
[circuit]
series_resistor_ohm = 10000.0
switch_resistance_ohm = {SWITCH_OHM}
[twin]
instrument_noise = {str(noise).lower()}
model = "{model}"
{extra}
[devices]
{devices}
"""


def small_station(board: str = "twin-wire", **options: Any) -> Station:
    """Return the station of ``station_text``."""
    return parse_station(station_text(board, **options), "small.toml")


@dataclass
class Wiretap:
    """A byte device that notes what arrives, in one log for all instruments of a bench."""

    name: str
    device: ByteDevice
    log: list[tuple[str, bytes]]
    before: Callable[[bytes], None] = lambda data: None

    def receive(self, data: bytes) -> bytes:
        self.log.append((self.name, data))
        self.before(data)
        return self.device.receive(data)


@dataclass
class Rig:
    """A board, and what is behind it if it is a twin."""

    kind: str
    station: Station
    board: Board
    plant: Plant | None = None
    instruments: TwinInstruments | None = None
    log: list[tuple[str, bytes]] = field(default_factory=list)
    switched_at_v: list[float] = field(default_factory=list)

    @property
    def is_wire(self) -> bool:
        return self.instruments is not None

    def truth_siemens(self, cells: ArrayLike, v_device_v: ArrayLike = 0.0) -> FloatArray:
        """Return the conductance that devices have at a voltage; 0 for the small-signal one."""
        assert self.plant is not None
        index = self.board.info.index_of(as_cells(cells, self.board.info.shape))
        return self.plant.devices.conductance_siemens(index, v_device_v)

    def traces(self) -> object:
        """Return all that a request could have left behind anywhere."""
        truth = None if self.plant is None else self.truth_siemens(self.board.info.all_cells)
        state = None if truth is None else truth.tolist()
        time_s = None if self.plant is None else self.board.clock.now_s()
        return state, time_s, len(self.log)

    def cells_of(self, dopant: Dopant) -> list[tuple[int, int]]:
        return [(int(row), int(column)) for row, column in self.board.info.cells_of(dopant)]

    def assert_is_safe(self) -> None:
        if self.instruments is not None:
            assert not self.instruments.smu.output_on
            assert self.instruments.bench.smu.v_source_v == 0
            assert self.instruments.bench.switch.position is None


def wire(
    station: Station,
    instruments: TwinInstruments,
    adapter: Adapter,
    port: SerialPort,
    clock: Clock | None = None,
) -> Board:
    """Put the shipped drivers on two links that lead to the twin."""
    return assemble(
        station, adapter, port, clock or instruments.bench, kind="smu", source_reason=""
    )


def small_network(board: Board) -> list[Synapses]:
    """Return a network of three inputs, one hidden and one output neuron on the W devices."""
    cells = board.info.cells_of(Dopant.W)
    return [Synapses(cells[:3].reshape(3, 1, 2)), Synapses(cells[3:4].reshape(1, 1, 2))]


def direct_rig(station: Station, seed: int | None = None) -> Rig:
    """Return the direct twin of a station."""
    board = open_direct(station, seed=seed, source_reason="")
    return Rig("twin", station, board, board.plant)


def in_process_rig(
    station: Station,
    seed: int | None = None,
    before_smu: Callable[[TwinInstruments, bytes], None] = lambda instruments, data: None,
) -> Rig:
    """Return the wire twin of a station, as the entry point ``twin-wire`` makes it, but open."""
    instruments, log, switched = _tapped(station, seed, before_smu)
    adapter = InProcessAdapter(instruments.smu)
    port = InProcessPort(instruments.switch_board, timeout=0.1)
    board = wire(station, instruments, adapter, port)
    return Rig(
        "twin-wire", station, board, instruments.bench.plant, _bare(instruments), log, switched
    )


@contextmanager
def served_rig(
    station: Station, kind: Literal["tcp", "pty"], seed: int | None = None
) -> Iterator[Rig]:
    """Give the wire twin behind real sockets or terminals, in simulated time."""
    instruments, log, switched = _tapped(station, seed)
    with serve_instruments(instruments, kind, follow_wall_clock=False) as address:
        adapter = open_visa_adapter(address["smu"], 5.0)
        try:
            port = open_serial_port(address["switch_board"], 115_200, 5.0)
            try:
                board = wire(station, instruments, adapter, cast(SerialPort, port))
                bare = _bare(instruments)
                yield Rig(
                    f"twin-wire-{kind}", station, board, bare.bench.plant, bare, log, switched
                )
                board.close()
            finally:
                port.close()
        finally:
            adapter.close()


def _tapped(
    station: Station,
    seed: int | None,
    before_smu: Callable[[TwinInstruments, bytes], None] = lambda instruments, data: None,
) -> tuple[TwinInstruments, list[tuple[str, bytes]], list[float]]:
    plain = build_instruments(station, seed)
    log: list[tuple[str, bytes]] = []
    switched_at_v: list[float] = []
    connect = plain.bench.switch.connect

    def noting(position: int | None) -> None:
        switched_at_v.append(plain.bench.smu.v_source_v)
        connect(position)

    setattr(plain.bench.switch, "connect", noting)  # noqa: B010 (a method of an instance)
    smu: Any = Wiretap("smu", plain.smu, log, lambda data: before_smu(plain, data))
    switch_board: Any = Wiretap("switch board", plain.switch_board, log)
    return replace(plain, smu=smu, switch_board=switch_board), log, switched_at_v


def _bare(instruments: TwinInstruments) -> TwinInstruments:
    smu, switch_board = cast(Any, instruments.smu), cast(Any, instruments.switch_board)
    return replace(instruments, smu=smu.device, switch_board=switch_board.device)


def smu_messages(log: list[tuple[str, bytes]]) -> list[str]:
    """Return what the source-measure unit was told, one message each."""
    text = b"".join(data for name, data in log if name == "smu").decode()
    return text.splitlines()


def is_level(message: str) -> bool:
    """Whether a message sets the level of the source."""
    return message.upper().startswith(":SOURCE:VOLTAGE ")


def level_v(message: str) -> float:
    """Return the level that a message sets."""
    return float(message.split()[1])


def same(a: ArrayLike, b: ArrayLike, rtol: float) -> bool:
    """Whether two arrays agree within a relative tolerance, NaN with NaN."""
    return bool(np.allclose(a, b, rtol=rtol, atol=0, equal_nan=True))
