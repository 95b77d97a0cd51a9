"""In-situ training: the board's own outputs give the error, pulses follow the gradient's sign.

The second algorithm on the network of arXiv 2408.14680 (ours, for comparison: the paper computes
targets and programs them).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pymeasure.experiment import FloatParameter, IntegerParameter

from hil.limits import LimitChecker
from hil.types import BoardInfo, CellArray, Dopant, FloatArray
from procedures.learning.in_situ import V_HOLD_V, Accumulator, PulseLadder, gradient
from procedures.learning.inference import Neurons, Wiring
from procedures.learning.network import N_WEIGHTS, split
from procedures.network_procedure import V_READ_V, ImageSet, NetworkProcedure
from procedures.programming import WriteVerify


class InSituTraining(NetworkProcedure):
    """Train without targets: drive images, see the error, give each memristor a pulse or none.

    An epoch drives a batch of noisy training images through the devices and computes the gradient
    from the outputs that came back. A memristor whose gradients add up to a threshold gets a SET of
    the next larger amplitude, or a RESET and a SET of the next smaller one: the sign alone decides.
    One row per epoch, with what it has cost so far without the tests.
    """

    epochs_max = IntegerParameter("Epochs at most", default=60, minimum=1, maximum=1_000_000)
    batch_images = IntegerParameter("Images per epoch", default=16, minimum=1, maximum=100_000)
    threshold = FloatParameter(
        "Gradient threshold",
        default=0.05,
        minimum=0,
        maximum=1000,
        description="Sum of the gradients of a weight at which it gets a pulse",
    )
    threshold_growth = FloatParameter(
        "Threshold growth",
        default=0.05,
        minimum=0,
        maximum=10,
        description="By how much of itself the threshold grows with every epoch",
    )
    reset_v = FloatParameter(
        "Reset amplitude", units="V", default=-1.0, minimum=-10, maximum=-0.001
    )
    v_hold_v = FloatParameter(
        "Hold voltage",
        units="V",
        default=0,
        minimum=0,
        maximum=2,
        description="Left across a device after a SET; 0 takes that of the dopant",
    )
    n_levels = IntegerParameter(
        "Levels", default=16, minimum=1, maximum=10_000, description="SET steps from weight -1 to 1"
    )
    width_s = FloatParameter(
        "Pulse width", units="s", default=WriteVerify.width_s, minimum=1e-9, maximum=60
    )
    test_every = IntegerParameter(
        "Test every", default=4, minimum=1, maximum=1_000_000, description="So many epochs"
    )
    time_budget_s = FloatParameter(
        "Time budget",
        units="s",
        default=0,
        minimum=0,
        maximum=1e9,
        description="Ends the training on the bench clock; 0 for none",
    )
    energy_budget_j = FloatParameter(
        "Energy budget",
        units="J",
        default=0,
        minimum=0,
        maximum=1e9,
        description="Ends the training by what the source delivered; 0 for none",
    )

    DATA_COLUMNS = [
        "Epoch",
        "Batch accuracy",
        "SET pulses",
        "RESET pulses",
        "Training time (s)",
        "Training energy (J)",
        "Clean accuracy",
        "Noisy accuracy",
        "Time (s)",
    ]

    def check_plan(self, info: BoardInfo, limits: LimitChecker) -> None:
        """Check task and devices, and the extreme amplitudes on them."""
        super().check_plan(info, limits)
        wiring = self._wiring(info)
        ladder = self._ladder(wiring, np.random.default_rng(0))
        for amplitude_v in (ladder.set_max_v, self.reset_v):
            limits.check_pulse(wiring.cells, amplitude_v, self.width_s, 1)

    def execute(self) -> None:
        """Begin with random weights, then learn until epochs or a budget are used up."""
        rng = np.random.default_rng(self.seed)
        wiring = self._wiring(self.board.info)
        neurons, tests = self._neurons(wiring), self.test_sets()
        ladder = self._ladder(wiring, rng)
        gradients = Accumulator(N_WEIGHTS, self.threshold, self.threshold_growth)
        self._spent_s = self._spent_j = 0.0
        self._n_set = self._n_reset = 0
        self._pulse(wiring, ladder, np.ones(len(wiring.cells), dtype=bool))
        for epoch in range(1, self.epochs_max + 1):
            self.stop_if_asked()
            batch, wanted = self._learn(wiring, neurons, gradients, rng)
            self._pulse(wiring, ladder, ladder.step(wanted), falls=wanted < 0)
            is_over = epoch == self.epochs_max or self._is_spent()
            row: dict[str, object] = {
                "Epoch": epoch,
                "Batch accuracy": batch,
                "SET pulses": self._n_set,
                "RESET pulses": self._n_reset,
                "Training time (s)": self._spent_s,
                "Training energy (J)": self._spent_j,
            }
            self._finish_epoch(
                row, neurons, tests, is_tested=is_over or not epoch % self.test_every
            )
            self.progress(epoch / self.epochs_max)
            if is_over:
                break

    def _learn(
        self, wiring: Wiring, neurons: Neurons, gradients: Accumulator, rng: np.random.Generator
    ) -> tuple[float, NDArray[np.int64]]:
        """Drive a batch; return how much of it was right, and where each device has to go."""
        start_s = self.board.clock.now_s()
        images, labels = self.loaded_task.batch(self.batch_images, self.noise, rng)
        with self.board.reads_for("learn"):
            response = neurons.respond(images)
            last = self._last_weights(wiring)
        self._spent_s += self.board.clock.now_s() - start_s
        self._spent_j += response.source_j
        wanted = gradients.directions(gradient(response, images, labels, last))
        if wiring.weight_map.n_devices_per_weight == 2:
            wanted = np.concatenate([wanted, -wanted])
        return float((response.decision == labels).mean()), wanted

    def _last_weights(self, wiring: Wiring) -> FloatArray:
        """Read the weights of the output neuron: the error goes back through them."""
        halves = np.split(wiring.cells, wiring.weight_map.n_devices_per_weight)
        n_last = split(np.zeros(N_WEIGHTS))[1].size
        cells = np.concatenate([half[-n_last:] for half in halves])
        readings = self.board.measure(cells, V_READ_V)
        self._spent_j += float(readings.energy.source_j.sum())
        return wiring.weight_map.weights(readings.g_siemens)

    def _pulse(
        self,
        wiring: Wiring,
        ladder: PulseLadder,
        moves: NDArray[np.bool_],
        falls: NDArray[np.bool_] | None = None,
    ) -> None:
        """Give the devices that move their pulses, one device after the other."""
        start_s, set_v = self.board.clock.now_s(), ladder.set_v
        for k in np.flatnonzero(moves):
            self.stop_if_asked()
            if falls is not None and falls[k]:
                self._one_pulse(wiring.cells[k], self.reset_v)
                self._n_reset += 1
            self._one_pulse(wiring.cells[k], float(set_v[k]))
            self._n_set += 1
        self._spent_s += self.board.clock.now_s() - start_s

    def _one_pulse(self, cell: CellArray, amplitude_v: float) -> None:
        done = self.board.pulse([cell], amplitude_v, self.width_s)
        self._spent_j += float(done.energy.source_j.sum())

    def _finish_epoch(
        self, row: dict[str, object], neurons: Neurons, tests: list[ImageSet], *, is_tested: bool
    ) -> None:
        found = {"clean": np.nan, "noisy": np.nan}
        epoch = int(str(row["Epoch"]))
        if is_tested:
            found = self._test_on_board(neurons, tests, epoch)
            self.metric("training_time_s", self._spent_s, "s", step=epoch)
            self.metric("training_energy_j", self._spent_j, "J", step=epoch)
        tested = {"Clean accuracy": found["clean"], "Noisy accuracy": found["noisy"]}
        self.emit("results", row | tested | {"Time (s)": self.board.clock.now_s()})

    def _is_spent(self) -> bool:
        is_late = 0 < self.time_budget_s <= self._spent_s
        is_dear = 0 < self.energy_budget_j <= self._spent_j
        return bool(is_late or is_dear)

    def _ladder(self, wiring: Wiring, rng: np.random.Generator) -> PulseLadder:
        v_hold_v = self.v_hold_v or V_HOLD_V[Dopant(self.dopant)]
        return PulseLadder(wiring.weight_map, v_hold_v, self.n_levels, len(wiring.cells), rng)
