"""Runs with a shadow: the twin that a board is compared with, and the run that it is stored in."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hil.board import Board
from hil.boards.follower import Follower
from hil.boards.shadow import ShadowBoard
from hil.boards.twin_of_board import TwinOfBoard
from hil.opening import open_twins
from hil.station import Station, load_station
from hil.store import RecordingBoard, RunStart, RunWriter


@dataclass(frozen=True)
class Shadowing:
    """How a run is followed by a twin.

    Attributes:
        twin: station of the twin; empty for the twin of the board's own station.
        seed: of everything random in the twin; that of the run if not given.
        stop_on_divergence: end the run, as aborted, as soon as a device has drifted or the twin
            can follow no longer.
        model_ratio: relative standard uncertainty of the twin's models; what their records say if
            not given.
    """

    twin: str = ""
    seed: int | None = None
    stop_on_divergence: bool = False
    model_ratio: float | None = None

    def begin(self, board: Board, station: Station, start: RunStart, database: str) -> Shadow:
        """Open the twin and begin the run of the twin; nothing is driven.

        Raises:
            StationError: there is no such station, or its devices are others.
            StoreError: the run of the twin cannot be stored.
        """
        seed = start.seed if self.seed is None else self.seed
        twin_station = load_station(self.twin) if self.twin else station
        reason = f"shadow of station {station.name!r}"
        twins = open_twins(twin_station, seed=seed, source_reason=reason)
        twin = twins[0]
        try:
            follower = Follower(twins, board.info, model_ratio=self.model_ratio)
            twin_start = replace(
                start,
                station=twin_station.name,
                station_toml=twin_station.text,
                info=twin.info,
                seed=seed,
            )
            run = RunWriter.begin(database, twin_start)
        except BaseException:
            for one in twins:
                one.close()
            raise
        follower.goes_through(RecordingBoard(twin, run))
        return Shadow(twin, run, follower, self.stop_on_divergence)


@dataclass(frozen=True)
class Shadow:
    """The twin that follows a run.

    Attributes:
        twin: the twin.
        run: what it does is stored here, as a run of a twin.
        follower: what compares it.
        stops: whether a divergence ends the run.
    """

    twin: TwinOfBoard
    run: RunWriter
    follower: Follower
    stops: bool

    def noted(self, start: RunStart) -> RunStart:
        """Return what is known of the run of the board, with the twin's identity in it."""
        info, twin = start.info, self.twin.info
        identity = f"{'; '.join(twin.identity.values())}; station {twin.station}; run {self.run_id}"
        records = {
            f"shadow {what}": which
            for what, which in twin.calibration.items()
            if info.calibration.get(what) != which
        }
        noted = replace(
            info,
            identity={**info.identity, "shadow": identity},
            calibration={**info.calibration, **records},
        )
        return replace(start, info=noted)

    @property
    def run_id(self) -> str:
        """Run of the twin in the database."""
        return self.run.run_id

    def behind(self, board: Board, run: RunWriter) -> ShadowBoard:
        """Return the board of the run, with this twin behind it."""
        return ShadowBoard(board, run, self.follower, stops=self.stops)

    def end(self, status: str, error: str) -> None:
        """Close the twin and its run; does nothing the second time.

        Raises:
            StoreError: rows of the twin were lost.
        """
        try:
            self.follower.close()
        finally:
            self.run.finish(status, error)
