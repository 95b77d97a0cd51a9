"""On-chip training of a 9-3-1 network on 30 memristors (arXiv 2408.14680, a reconstruction).

The paper's body was not available: patterns, weight mapping, amplitudes and tolerances are free
choices, each a parameter with a default, and the results are a reconstruction, not a replication.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pymeasure.experiment import (
    BooleanParameter,
    FloatParameter,
    IntegerParameter,
    ListParameter,
)

from hil.errors import ParameterError
from hil.limits import LimitChecker
from hil.types import MEMRISTORS, BoardInfo, CellArray, Dopant, FloatArray
from procedures.base import BoardProcedure
from procedures.learning.mapping import DEFAULT_WINDOWS, ConductanceWindow
from procedures.learning.network import N_WEIGHTS, Training, accuracy, train
from procedures.learning.tasks import Task, make_task, task_names
from procedures.programming import OUTCOME_COLUMNS, CellOutcome, Programmer, WriteVerify


@dataclass(frozen=True)
class _Score:
    clean: float
    noisy: float


class OnChipTraining(BoardProcedure):
    """Train target weights with noise, tune 30 memristors to them, classify with what they became.

    A round computes target weights, brings the memristors to their targets one at a time through
    the switch, reads all 30 back and classifies with the weights that were read: the controller
    sums the measured conductances. Rounds follow until the clean accuracy reaches its goal.
    """

    task = ListParameter(
        "Task", choices=task_names(), default="T/L", description="Two classes of 3 x 3 images"
    )
    dopant = ListParameter(
        "Dopant",
        choices=[dopant.value for dopant in MEMRISTORS],
        default="W",
        description="Devices to train on: the first 30 of this dopant. Cr and C are assumed sets",
    )
    training_noise = FloatParameter(
        "Training noise",
        default=0.1,
        minimum=0,
        maximum=0.5,
        description="Probability that a pixel is flipped while the target weights are found",
    )
    test_noise = FloatParameter(
        "Test noise",
        default=0.1,
        minimum=0,
        maximum=0.5,
        description="The same in the noisy test",
    )
    test_copies = IntegerParameter(
        "Test copies",
        default=100,
        minimum=1,
        maximum=100_000,
        description="Noisy copies of every image in the noisy test",
    )
    reset_pulse = BooleanParameter(
        "Reset pulse",
        default=False,
        description="Begin with one long RESET pulse on every memristor",
    )
    reset_v = FloatParameter(
        "Reset amplitude", units="V", default=-1.0, minimum=-10, maximum=-0.001
    )
    reset_width_s = FloatParameter(
        "Reset width",
        units="s",
        default=0.2,
        minimum=1e-9,
        maximum=60,
        description="200 ms in the paper",
    )
    tolerance_ratio = FloatParameter(
        "Tolerance",
        default=0.05,
        minimum=1e-4,
        maximum=1,
        description="Accepted relative distance of a conductance from its target",
    )
    n_pulses_max = IntegerParameter(
        "Pulses at most",
        default=200,
        minimum=1,
        maximum=1_000_000,
        description="For one memristor in one round",
    )
    g_min_siemens = FloatParameter(
        "Lowest conductance",
        units="S",
        default=0,
        minimum=0,
        maximum=1,
        description="Carries weight -1; 0 takes the default window of the dopant",
    )
    g_max_siemens = FloatParameter(
        "Highest conductance",
        units="S",
        default=0,
        minimum=0,
        maximum=1,
        description="Carries weight +1; 0 takes the default window of the dopant",
    )
    accuracy_goal = FloatParameter(
        "Accuracy goal",
        default=0.97,
        minimum=0,
        maximum=1,
        description="On clean images; training ends when it is reached",
    )
    rounds_max = IntegerParameter("Rounds at most", default=3, minimum=1, maximum=1000)

    DATA_COLUMNS = ["Round", "Memristor", "Device", *OUTCOME_COLUMNS, "Time (s)"]

    def check_plan(self, info: BoardInfo, limits: LimitChecker) -> None:
        """Check that there are 30 devices, and every amplitude on them."""
        self._window()
        cells = self._cells(info)
        self._settings().check(cells, limits)
        if self.reset_pulse:
            limits.check_pulse(cells, self.reset_v, self.reset_width_s, 1)

    def execute(self) -> None:
        """Train until the goal is reached or the rounds are used up."""
        rng = np.random.default_rng(self.seed)
        task, window, cells = make_task(self.task), self._window(), self._cells(self.board.info)
        start_s = self.board.clock.now_s()
        if self.reset_pulse:
            self._reset(cells)
        settings = self._settings()
        for round_number in range(1, self.rounds_max + 1):
            weights = train(task, Training(self.training_noise, self.tolerance_ratio), rng)
            outcomes = self._tune(cells, window.conductances(weights), settings, round_number)
            trained_s = self.board.clock.now_s() - start_s
            score = self._classify(task, window, cells, rng)
            self._report(round_number, score, outcomes, trained_s)
            if score.clean >= self.accuracy_goal:
                break

    def _settings(self) -> WriteVerify:
        return WriteVerify(tolerance_ratio=self.tolerance_ratio, n_pulses_max=self.n_pulses_max)

    def _window(self) -> ConductanceWindow:
        default = DEFAULT_WINDOWS[Dopant(self.dopant)]
        return ConductanceWindow(
            self.g_min_siemens or default.g_min_siemens,
            self.g_max_siemens or default.g_max_siemens,
        )

    def _cells(self, info: BoardInfo) -> CellArray:
        cells = info.cells_of(Dopant(self.dopant))
        if len(cells) < N_WEIGHTS:
            raise ParameterError(
                f"station {info.station!r} has {len(cells)} devices of dopant "
                f"{self.dopant}; the network needs {N_WEIGHTS}"
            )
        return cells[:N_WEIGHTS]

    def _reset(self, cells: CellArray) -> None:
        for cell in cells:
            self.stop_if_asked()
            self.board.pulse([cell], self.reset_v, self.reset_width_s)

    def _tune(
        self,
        cells: CellArray,
        targets_siemens: FloatArray,
        settings: WriteVerify,
        round_number: int,
    ) -> list[CellOutcome]:
        programmer = Programmer(self.board, settings, self.stop_if_asked)
        outcomes = []
        for k, (row, column) in enumerate(cells.tolist()):
            with self.board.reads_for("verify"):
                outcome = programmer.program((row, column), float(targets_siemens[k]))
            outcomes.append(outcome)
            where = {
                "Round": round_number,
                "Memristor": k + 1,
                "Device": self.board.info.device_at((row, column)).name,
            }
            self.emit("results", where | outcome.record | {"Time (s)": self.board.clock.now_s()})
            self.progress(((round_number - 1) + (k + 1) / len(cells)) / self.rounds_max)
        return outcomes

    def _classify(
        self, task: Task, window: ConductanceWindow, cells: CellArray, rng: np.random.Generator
    ) -> _Score:
        """Read all weights back and classify clean and noisy images with them."""
        readings = self.board.measure(cells, WriteVerify.v_read_v)
        weights = window.weights(readings.g_siemens)
        g_siemens = np.full(self.board.info.shape, np.nan)
        g_siemens[cells[:, 0], cells[:, 1]] = readings.g_siemens
        self.snapshot("trained", g_siemens)
        images, labels = task.noisy(self.test_copies, self.test_noise, rng)
        return _Score(
            float(accuracy(weights, task.images, task.labels)),
            float(accuracy(weights, images, labels)),
        )

    def _report(
        self, round_number: int, score: _Score, outcomes: list[CellOutcome], trained_s: float
    ) -> None:
        n_reached = sum(outcome.status == "reached" for outcome in outcomes)
        self.metric("accuracy_clean", score.clean, step=round_number)
        self.metric("accuracy_noisy", score.noisy, step=round_number)
        self.metric("memristors_reached", n_reached, step=round_number)
        self.metric("training_time_s", trained_s, "s", step=round_number)
