"""From a station to an open board. The only place that chooses between a bench and its twin."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

from hil.board import Board
from hil.errors import HilError, LinkError, StationError
from hil.station import Fallback, Station, load_station

GROUP = "memristor_hil.boards"


class OpensBoard(Protocol):
    """What an entry point of the group ``memristor_hil.boards`` is."""

    def __call__(self, station: Station, *, seed: int | None, source_reason: str) -> Board:
        """Open the board of ``station``; ``source_reason`` says why a twin stands in."""
        ...


def board_kinds() -> dict[str, str]:
    """Return the known kinds of board and what opens them."""
    return {entry.name: entry.value for entry in entry_points(group=GROUP)}


def open_board(
    address: str | Path | Station, *, fallback: Fallback | None = None, seed: int | None = None
) -> Board:
    """Open the board of a station. The caller closes it (it is a context manager).

    Connects, checks identities and limits, and leaves the output off and the switches open.

    Args:
        address: name of a shipped station, path of a station file, or a station.
        fallback: ``twin`` lets the twin of this very station take over if the board does not
            answer; ``none`` does not; ``None`` does as the station says. The choice is made here,
            before the first pulse, and never again.
        seed: of everything random in a twin; the station's own if not given. A bench ignores it.

    Raises:
        StationError: the station is wrong, or names a kind of board that nobody provides.
        LinkError: the board does not answer and no fallback was allowed.
        IdentityError: a twin answers where a bench was declared, or the other way round.
    """
    station = address if isinstance(address, Station) else load_station(address)
    opener = _opener(station.table.board, station)
    try:
        return opener(station, seed=seed, source_reason="")
    except LinkError as error:
        allowed = fallback or station.table.fallback
        if allowed != "twin" or station.table.board != "smu":
            raise type(error)(
                f"station {station.name!r} does not answer: {error} "
                f"(--fallback twin would run on its twin)"
            ) from error
        reason = f"fallback: station {station.name!r} does not answer: {error}"
    return _opener("twin-wire", station)(station, seed=seed, source_reason=reason)


def _opener(kind: str, station: Station) -> OpensBoard:
    found = entry_points(group=GROUP, name=kind)
    if not found:
        known = ", ".join(board_kinds()) or "none installed"
        raise StationError(f"{station.origin}: board: no board kind {kind!r}; known: {known}")
    try:
        opener: OpensBoard = next(iter(found)).load()
    except ImportError as error:
        raise HilError(f"board kind {kind!r} cannot be loaded: {error}") from error
    return opener
