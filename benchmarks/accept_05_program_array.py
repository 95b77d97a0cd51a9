"""A 16 x 16 array is programmed within 2 %, beside a write-verify that accepts on one reading.

    accept_05_program_array.py

``hil run program-array`` on the passive twin with 30 % device variation; then, on the same twin
with the same seed and targets, what ArC ONE's ConvergeToState does: amplitudes that rise step by
step, one reading within 5 % accepts, five changes of polarity at most. Its own bias is V/2; the
second time it has the bias of SDC parts. Its amplitudes are scaled to this array, whose limits
refuse 0.5 to 2 V. Of the baseline the truth is known, of ours what the delayed confirm reads say.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hil.arrays import Scheme
from hil.board import Board
from hil.opening import open_board
from hil.station import load_station
from hil.store import RunDatabase
from hil.types import FloatArray
from procedures.conductance_targets import target_matrix
from procedures.programming import Tally
from twin.crossbar_board import TwinCrossbar

STATION, SEED, TARGETS = "twin-crossbar-16x16", 1, "uniform 40e-6 120e-6"
V_READ_V, TOLERANCE_RATIO, MAX_FLIPS = 0.1, 0.05, 5
FIRST_V, STEP_V, WIDTH_S = 0.16, 0.02, 1e-4
MOST_V = {Scheme.HALF: (0.4, 0.34), Scheme.SDC: (0.3, 0.26)}  # SET, RESET
WIDEST_S, MAX_PULSES = 0.02, 200
WITHIN_GOAL, PARTS_GOAL = 0.99, 1e-3


@dataclass(frozen=True)
class Converged:
    """What the baseline made of one cell, and what it was in truth when it was accepted."""

    is_accepted: bool
    n_pulses: int
    program_j: float
    verify_j: float
    truth_siemens: float


def converge(
    board: TwinCrossbar, cell: tuple[int, int], target: float, scheme: Scheme
) -> Converged:
    """Approach a target by amplitudes that rise, and accept on the first reading inside."""
    tally = Tally(board, cell)
    amplitude_v, width_s, n_flips, last_side = FIRST_V, WIDTH_S, 0, 0
    while True:
        g = tally.read(V_READ_V)
        is_inside = abs(g / target - 1) <= TOLERANCE_RATIO
        if is_inside or n_flips > MAX_FLIPS or tally.n_pulses >= MAX_PULSES:
            outcome = tally.outcome(target, g, "")
            return Converged(
                is_inside,
                tally.n_pulses,
                outcome.program_j,
                outcome.verify_j,
                float(truth(board)[cell]),
            )
        side = 1 if g < target else -1
        if side == -last_side:
            n_flips += 1
            amplitude_v, width_s = FIRST_V, WIDTH_S
        elif last_side:
            amplitude_v += STEP_V
        most_v = MOST_V[scheme][0 if side > 0 else 1]
        if amplitude_v > most_v:
            amplitude_v, width_s = most_v, min(2 * width_s, WIDEST_S)
        tally.pulse(side * amplitude_v, width_s, scheme=scheme)
        last_side = side


def truth(board: TwinCrossbar) -> FloatArray:
    index = np.arange(len(board.info.devices))
    return board.plant.devices.conductance_siemens(index, V_READ_V).reshape(board.info.shape)


def crossbar() -> TwinCrossbar:
    board: Board = open_board(load_station(STATION), seed=SEED)
    assert isinstance(board, TwinCrossbar)
    return board


def baseline(scheme: Scheme) -> None:
    with crossbar() as board:
        targets = target_matrix(TARGETS, board.info.shape, SEED)
        cells = [(int(row), int(column)) for row, column in board.info.all_cells]
        done = [converge(board, cell, float(targets[cell]), scheme) for cell in cells]
        final = truth(board).ravel()
    accepted = np.array([one.is_accepted for one in done])
    then = np.array([one.truth_siemens for one in done])
    wanted = targets.ravel()
    n_false = int((np.abs(then / wanted - 1) > TOLERANCE_RATIO)[accepted].sum())
    n_disturbed = int((np.abs(final / then - 1) > TOLERANCE_RATIO)[accepted].sum())
    n_within = [int((np.abs(final / wanted - 1) <= near).sum()) for near in (0.02, 0.05)]
    n_pulses = [one.n_pulses for one in done]
    print(
        f"ConvergeToState, {scheme.value}: in the end {n_within[0]} of 256 within 2 %, "
        f"{n_within[1]} within 5 %; {accepted.sum()} accepted, {n_false} of them falsely, "
        f"{n_disturbed} disturbed after it"
    )
    print(
        f"  pulses median {np.median(n_pulses):.0f}, p95 {np.percentile(n_pulses, 95):.0f}; "
        f"program {sum(one.program_j for one in done) * 1e6:.0f} uJ, "
        f"verify {sum(one.verify_j for one in done) * 1e6:.0f} uJ"
    )


def ours(database: Path) -> tuple[float, float]:
    """Return which part of the cells is within 2 %, and how far parts are from the source."""
    command = [Path(sys.executable).with_name("hil"), "run", "program-array"]
    options = ["--station", STATION, "--seed", SEED, "--targets", TARGETS, "--db", database]
    subprocess.run([str(word) for word in command + options], check=True, capture_output=True)
    with RunDatabase(database) as stored:
        run = stored.find("latest")
        found = stored.run(run.run_id)["metrics"]
        energy = stored.table(run.run_id, "energy")
    parts_j = energy[["device_j", "series_j", "switch_j", "half_select_j"]].to_numpy().sum(axis=1)
    worst = float(np.max(np.abs(parts_j / energy["delivered_j"].to_numpy() - 1)))
    print(
        f"program-array: {found['cells_within']:.0f} of {found['cells_asked']:.0f} within 2 % by a "
        f"delayed confirm read, the farthest {found['largest_error_ratio']:.2%}; "
        f"{found['false_accepts']:.0f} false accepts found and undone, "
        f"{found['cells_disturbed']:.0f} disturbed"
    )
    print(
        f"  pulses median {found['pulses_median']:.0f}, p95 {found['pulses_p95']:.0f}; "
        f"program {found['program_energy'] * 1e6:.0f} uJ, verify "
        f"{found['verify_energy'] * 1e6:.0f} uJ; {found['guard_reads']:.0f} guard reads"
    )
    whole = float(parts_j.sum() / energy["delivered_j"].sum() - 1)
    print(
        f"  energy: {len(energy)} operations, parts sum to what sources delivered within "
        f"{abs(whole):.1e}, the worst operation {worst:.1e}"
    )
    return found["cells_within"] / found["cells_asked"], worst


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="accept_05_program_array_"))
    within, parts = ours(folder / "runs.sqlite")
    for scheme in (Scheme.HALF, Scheme.SDC):
        baseline(scheme)
    print(f"database: {folder / 'runs.sqlite'}")
    print(
        f"cells_within = {within:.4f} ratio (goal >= {WITHIN_GOAL}; energy parts within "
        f"{parts:.1e} of the source in every operation, goal < {PARTS_GOAL:g})"
    )
    return 0 if within >= WITHIN_GOAL and parts < PARTS_GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
