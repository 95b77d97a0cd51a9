"""From a station to an open board. The only place that chooses between a bench and its twin."""

from __future__ import annotations

from contextlib import ExitStack
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

from hil.board import Board
from hil.boards.twin_of_board import TwinOfBoard
from hil.errors import HilError, LinkError, StationError
from hil.station import Fallback, Station, load_station

GROUP = "memristor_hil.boards"

N_MEMBERS = 8
"""Twins whose spread tells how far off the one may be that foresees; each costs as much."""


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


def open_twins(
    address: str | Path | Station,
    *,
    seed: int | None,
    source_reason: str,
    n_members: int = N_MEMBERS,
) -> list[TwinOfBoard]:
    """Open the direct twin of any station, also of a bench, and others around it.

    The first foresees the mean device on the nominal bench: no instrument noise, nothing drawn from
    cycle to cycle. The others draw instrument, resistors and cycles as station and records say:
    their spread is how far off the first may be. Records of instruments and boards are not applied,
    for the twins have other ones. The caller closes all of them.

    Args:
        address: name of a shipped station, path of a station file, or a station.
        seed: of everything random in the first, the next ones for the others; the station's own if
            not given.
        source_reason: why there is a twin, for the run that it is stored in.
        n_members: how many there are beside the first.

    Raises:
        StationError: the station is wrong, or its twin cannot follow a board.
    """
    station = address if isinstance(address, Station) else load_station(address)
    seed = station.table.twin.seed if seed is None else seed
    with ExitStack() as opened:
        twins = []
        for k in range(1 + n_members):
            board = _opener("twin", station)(
                _for_twin(station, is_mean=k == 0), seed=seed + k, source_reason=source_reason
            )
            opened.callback(board.close)
            if not isinstance(board, TwinOfBoard):
                raise StationError(
                    f"{station.origin}: the twin of this station cannot follow a board"
                )
            twins.append(board)
        opened.pop_all()
    return twins


def _for_twin(station: Station, *, is_mean: bool) -> Station:
    calibration = station.table.calibration.model_copy(update={"records": []})
    changes = {"cycle_spread": False, "instrument_noise": False} if is_mean else {}
    twin = station.table.twin.model_copy(update=changes)
    table = station.table.model_copy(update={"calibration": calibration, "twin": twin})
    return Station(table, station.text, station.origin)


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
