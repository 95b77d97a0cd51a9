"""What was done in a run of ours, done again to a twin."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from calibration.comparing.loop_replay import START_V, start_siemens
from calibration.comparing.stored_operations import operations
from calibration.loops import Loop, read_loops
from hil.boards.divergence import Comparison, Tally
from hil.boards.follower import Follower
from hil.errors import UsageError
from hil.store import RunDatabase
from hil.types import BoardInfo, Pulses, Readings, SweepTrace


@dataclass
class Replay:
    """What a replay came to.

    Attributes:
        comparisons: of readings and pulses, in the order in which things happened.
        loops: each whole sweep as measured, with that of the twin.
        notes: what has to be known of it.
    """

    comparisons: list[Comparison] = field(default_factory=list)
    loops: list[tuple[Loop, Loop]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def tally(self) -> Tally:
        """The comparisons, counted."""
        tally = Tally()
        tally.add(self.comparisons)
        return tally


def replay_run(database: RunDatabase, run_id: str, follower: Follower, info: BoardInfo) -> Replay:
    """Repeat every reading, pulse and sweep of a run on a twin, in order.

    Each device of the twin starts from the first reading of it, or else from what the first points
    of its first sweep show. Costs some 3 ms of CPU per pulse and 0.3 ms per reading.

    Args:
        database: open for reading.
        run_id: a whole id.
        follower: the twin, with the devices of the run in the same places.
        info: board of the follower.

    Raises:
        UsageError: the run holds neither readings nor pulses nor whole sweeps.
    """
    replay, blind = Replay(), dict[str, None]()
    swept = len(database.arrays(run_id, "sweep_points")["seq"]) > 0
    loops = read_loops(database, [run_id]) if swept else []
    for operation in operations(database, run_id):
        match operation:
            case Readings():
                replay.comparisons += follower.measured(operation)
            case Pulses():
                if len(follower.unknown(operation.cells)):
                    blind[info.device_at(operation.cells[0]).name] = None
                replay.comparisons += follower.pulsed(operation)
            case SweepTrace():
                _sweep(replay, operation, loops, follower)
    if blind:
        replay.notes.append(
            f"{', '.join(blind)}: pulsed before anything was read; the twin began as delivered, "
            f"and took over at the first reading"
        )
    if not replay.comparisons and not replay.loops:
        raise UsageError(f"run {run_id} holds nothing that a twin could be compared with")
    return replay


def _sweep(replay: Replay, trace: SweepTrace, loops: list[Loop], follower: Follower) -> None:
    cell = np.array([trace.cell])
    loop = next((loop for loop in loops if np.array_equal(loop.i_a, trace.i_a)), None)
    if loop is not None and len(follower.unknown(cell)):
        start = np.array([start_siemens(loop)])
        follower.start_from(cell, start, np.zeros(1), np.full(1, START_V))
        replay.notes.append(
            f"{loop.device}: swept before it was read; the twin began with the conductance of the "
            f"first points"
        )
    follower.swept(trace)
    twin = follower.last_sweep
    if loop is not None and twin is not None:
        changed = {name: getattr(twin, name) for name in ("v_source_v", "v_device_v", "i_a")}
        replay.loops.append((loop, replace(loop, source=twin.source, **changed)))
