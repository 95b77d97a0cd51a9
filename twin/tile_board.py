"""A board of simulated tiles: nothing to drive, tiles of any shape to train on."""

from __future__ import annotations

from hil.boards.checked import CheckedBoard
from hil.errors import StationError, UnsupportedError
from hil.station import Station, TilesTable
from hil.tiles import Tile
from hil.types import BoardInfo, Capability, CellArray, FloatArray, Pulses, Readings, Source
from hil.types import SweepTrace as Trace
from twin.tiles.converters import Converters
from twin.tiles.management import Management
from twin.tiles.msdc import msdc_response
from twin.tiles.presets import PRESETS, on_grid, with_states
from twin.tiles.responses import Response
from twin.tiles.tile import SimulatedTile

_SOFT_BOUNDS, _GRID, _MSDC = "soft-bounds", "grid", "msdc"
_BOUND = 12.0  # full scale of the converters behind a tile, as aihwkit has it


class TileClock:
    """Simulated time: it passes only in waits. What tiles take is in their counts."""

    def __init__(self) -> None:
        self._now_s = 0.0

    def now_s(self) -> float:
        """Return the time."""
        return self._now_s

    def sleep_s(self, dt_s: float) -> None:
        """Let time pass."""
        self._now_s += max(0.0, dt_s)


class TwinTiles(CheckedBoard):
    """Makes tiles as its station says. It has no devices: everything else is refused.

    Args:
        info: of the board.
        station: its table ``[tiles]``.
        seed: of the board, with which the seed of a tile is mixed.

    Raises:
        StationError: the station has no such table, or no such device.
    """

    def __init__(self, info: BoardInfo, station: Station, seed: int) -> None:
        table = station.table.tiles
        if table is None:
            raise StationError(
                f"{station.origin}: board {station.table.board!r} needs a table [tiles]"
            )
        self._table, self._seed = table, seed
        self._response = response_of(table, station.origin)
        super().__init__(info, station.limits, TileClock())

    def make_safe(self) -> None:
        """Do nothing: there is nothing that is on."""

    def _make_tile(self, shape: tuple[int, int], seed: int) -> Tile:
        table = self._table
        has_converters = table.input_bits or table.output_bits or table.output_noise
        return SimulatedTile(
            self._response,
            shape,
            self._seed * 1_000_003 + seed,
            management=Management(max_slots=table.max_slots),
            converters=_converters(table) if has_converters else None,
            read_noise=table.read_noise,
            is_folded=table.is_folded,
            is_discrete=table.device == _GRID,
        )

    def _measure(self, *_: object) -> Readings:
        raise self._unsupported()

    def _pulse(self, *_: object) -> Pulses:
        raise self._unsupported()

    def _sweep(self, cells: CellArray, waveform_v: FloatArray, dt_s: float) -> Trace:
        raise self._unsupported()

    def _close_links(self) -> None:
        pass

    def _unsupported(self) -> UnsupportedError:
        return UnsupportedError(f"board {self._info.kind!r} has tiles, no devices to drive")


def open_tiles(station: Station, *, seed: int | None, source_reason: str) -> TwinTiles:
    """Open a board of simulated tiles; entry point ``twin-tiles``.

    Raises:
        StationError: the station describes no tiles.
    """
    seed = station.table.twin.seed if seed is None else seed
    tiles = station.table.tiles
    info = BoardInfo(
        station=station.name,
        kind="twin-tiles",
        source=Source.TWIN,
        source_reason=source_reason,
        identity={
            "twin": f"simulated tiles, seed {seed}",
            "tiles": "" if tiles is None else tiles.model_dump_json(),
        },
        shape=(1, 1),
        devices=station.devices,
        capabilities=frozenset({Capability.TILES}),
        min_pulse_width_s=0.0,
        switch_resistance_ohm=0.0,
        tolerance_ratio=0.0,
    )
    return TwinTiles(info, station, seed)


def response_of(table: TilesTable, origin: str) -> Response:
    """Return the devices of a table ``[tiles]``.

    Raises:
        StationError: there are none of this name.
    """
    if table.device == _SOFT_BOUNDS:
        return with_states(table.n_states, table.device_spread, table.cycle_noise)
    if table.device == _GRID:
        return on_grid(table.n_states)
    if table.device == _MSDC:
        return msdc_response(spread=table.device_spread)
    if table.device not in PRESETS:
        known = ", ".join([_SOFT_BOUNDS, _GRID, _MSDC, *PRESETS])
        raise StationError(f"{origin}: tiles.device: no device {table.device!r}; known: {known}")
    return PRESETS[table.device]


def _converters(table: TilesTable) -> Converters:
    return Converters(
        input_bits=table.input_bits,
        output_bits=table.output_bits,
        output_bound=_BOUND,
        output_noise=table.output_noise,
    )
