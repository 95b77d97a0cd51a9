"""On-chip training of a 9-3-1 network on 30 memristors (arXiv 2408.14680, a reconstruction).

The paper's body was not available: patterns, weight mapping, amplitudes and tolerances are free
choices, each a parameter with a default, and the results are a reconstruction, not a replication.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from pymeasure.experiment import BooleanParameter, FloatParameter, IntegerParameter, ListParameter

from hil.limits import LimitChecker
from hil.types import BoardInfo, CellArray, FloatArray, Pulses
from procedures.learning.images import Noise
from procedures.learning.inference import Neurons, Wiring
from procedures.learning.network import Training, train
from procedures.network_procedure import V_READ_V, ImageSet, NetworkProcedure
from procedures.programming import (
    OUTCOME_COLUMNS,
    REACHED,
    CellOutcome,
    Foresight,
    Programmer,
    WriteVerify,
)

LADDER, FORESEEN = "ladder", "foreseen"
NORMAL, UNIFORM, SIGN = "normal", "uniform", "sign"
_RETRAINING_STEPS = 200


@dataclass
class _Bench:
    """What a training has to do with, and what it has cost so far."""

    wiring: Wiring
    neurons: Neurons
    tests: list[ImageSet]
    programmer: Programmer
    rng: np.random.Generator
    programmed: list[CellOutcome] = field(default_factory=list)
    training_s: float = 0.0
    reset_instrument_j: float = 0.0
    g_siemens: FloatArray | None = None
    weights: FloatArray | None = None


class OnChipTraining(NetworkProcedure):
    """Train target weights with noise, tune 30 memristors to them, classify on the board.

    A round computes target weights, brings the memristors to their targets one at a time through
    the switch, and classifies by driving images through the devices. Rounds follow until the clean
    accuracy reaches its goal: they go on from the weights that were read back, and touch only
    devices that are off their new targets. Later checks retrain when accuracy has fallen.
    """

    training_error_ratio = FloatParameter(
        "Device variation in training",
        default=0.05,
        minimum=0,
        maximum=1,
        description="Relative error of every conductance while the target weights are found",
    )
    conductance_error = FloatParameter(
        "Conductance error",
        default=0,
        minimum=0,
        maximum=1,
        description="Imposed: targets are programmed with a relative error of this size",
    )
    error_distribution = ListParameter(
        "Error distribution",
        choices=[NORMAL, UNIFORM, SIGN],
        default=NORMAL,
        description="Of the imposed error; its size is the standard deviation in each case",
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
    search = ListParameter(
        "Search",
        choices=[LADDER, FORESEEN],
        default=LADDER,
        description="First SET amplitude: the same for all, or foreseen from earlier memristors",
    )
    width_s = FloatParameter(
        "Pulse width", units="s", default=WriteVerify.width_s, minimum=1e-9, maximum=60
    )
    n_confirm = IntegerParameter(
        "Confirming reads",
        default=WriteVerify.n_confirm,
        minimum=0,
        maximum=100,
        description="That have to agree before a memristor is accepted",
    )
    n_pulses_max = IntegerParameter(
        "Pulses at most",
        default=200,
        minimum=1,
        maximum=1_000_000,
        description="For one memristor in one round",
    )
    accuracy_goal = FloatParameter(
        "Accuracy goal",
        default=0.97,
        minimum=0,
        maximum=1,
        description="On clean images; training ends when it is reached",
    )
    rounds_max = IntegerParameter("Rounds at most", default=3, minimum=1, maximum=1000)
    checks = IntegerParameter(
        "Later checks",
        default=0,
        minimum=0,
        maximum=1000,
        description="After the training: wait, test again, retrain if accuracy has fallen",
    )
    check_interval_s = FloatParameter(
        "Check interval", units="s", default=3600, minimum=0, maximum=1e8
    )
    later_noise = FloatParameter(
        "Later noise",
        default=0,
        minimum=0,
        maximum=0.5,
        description="Flipped pixels at the checks and in retraining; 0: no other than before",
    )
    retrain_below = FloatParameter(
        "Retrain below",
        default=0,
        minimum=0,
        maximum=1,
        description="Noisy accuracy at a check below which the network is retrained",
    )
    float_reference = BooleanParameter(
        "Floating-point reference",
        default=False,
        description="Also train the same network without devices, and store its accuracy",
    )

    DATA_COLUMNS = ["Round", "Memristor", "Device", *OUTCOME_COLUMNS, "Time (s)"]

    def check_plan(self, info: BoardInfo, limits: LimitChecker) -> None:
        """Check task and devices, and every amplitude on them."""
        super().check_plan(info, limits)
        cells = self._wiring(info).cells
        self._settings().check(cells, limits)
        if self.reset_pulse:
            limits.check_pulse(cells, self.reset_v, self.reset_width_s, 1)

    def execute(self) -> None:
        """Train until the goal is reached or rounds are used up; then check as often as told."""
        bench = self._bench()
        if self.float_reference:
            self._test_float(bench)
        if self.reset_pulse:
            self._reset(bench)
        number, reached = 0, False
        while not reached and number < self.rounds_max:
            number += 1
            clean = self._round(bench, self.noise, bench.tests, number)["clean"]
            reached = clean >= self.accuracy_goal
        self._check_later(bench, number)

    def _bench(self) -> _Bench:
        wiring = self._wiring(self.board.info)
        foresight = Foresight() if self.search == FORESEEN else None
        programmer = Programmer(self.board, self._settings(), self.stop_if_asked, foresight)
        rng = np.random.default_rng(self.seed)
        return _Bench(wiring, self._neurons(wiring), self.test_sets(), programmer, rng)

    def _settings(self) -> WriteVerify:
        return WriteVerify(
            tolerance_ratio=self.tolerance_ratio,
            v_read_v=V_READ_V,
            width_s=self.width_s,
            n_pulses_max=self.n_pulses_max,
            n_confirm=self.n_confirm,
        )

    def _round(
        self, bench: _Bench, noise: Noise, tests: list[ImageSet], number: int
    ) -> dict[str, float]:
        """Find targets, tune, test; return the accuracies."""
        self.stop_if_asked()
        weights = self._targets(bench, noise)
        start_s = self.board.clock.now_s()
        outcomes = self._tune(bench, weights, number)
        bench.programmed += outcomes
        bench.training_s += self.board.clock.now_s() - start_s
        self._read_back(bench)
        found = self._test_on_board(bench.neurons, tests, number)
        assert bench.weights is not None
        self._test_in_numbers("target", weights, tests, number)
        self._test_in_numbers("readback", bench.weights, tests, number)
        self._report(bench, outcomes, number)
        return found

    def _targets(self, bench: _Bench, noise: Noise) -> FloatArray:
        weight_map = bench.wiring.weight_map
        training = Training(
            noise,
            lambda weights, rng: weight_map.disturbed(weights, self.training_error_ratio, rng),
        )
        if bench.weights is None:
            return train(self.loaded_task, training, bench.rng)
        again = Training(noise, training.disturb, n_steps=_RETRAINING_STEPS)
        return train(self.loaded_task, again, bench.rng, np.clip(bench.weights, -1, 1))

    def _tune(self, bench: _Bench, weights: FloatArray, number: int) -> list[CellOutcome]:
        """Bring memristors to their targets, one at a time through the switch."""
        targets = bench.wiring.weight_map.conductances(weights)
        places = self._off_target(bench, targets)
        asked = targets * self._error_factors(bench, len(targets))
        outcomes = []
        for done, k in enumerate(places, start=1):
            row, column = bench.wiring.cells[k].tolist()
            with self.board.reads_for("verify"):
                outcome = bench.programmer.program((row, column), float(asked[k]))
            outcomes.append(outcome)
            where = {
                "Round": number,
                "Memristor": k + 1,
                "Device": self.board.info.device_at((row, column)).name,
            }
            self.emit("results", where | outcome.record | {"Time (s)": self.board.clock.now_s()})
            if number <= self.rounds_max:
                self.progress(((number - 1) + done / len(places)) / self.rounds_max)
        return outcomes

    def _off_target(self, bench: _Bench, targets: FloatArray) -> list[int]:
        """Return the devices that have to be tuned: at first all, later those that are off."""
        if bench.g_siemens is None:
            return list(range(len(targets)))
        allowed = max(self.tolerance_ratio, self.conductance_error)
        off = np.abs(bench.g_siemens / targets - 1) > allowed
        return [int(k) for k in np.flatnonzero(off)]

    def _error_factors(self, bench: _Bench, n: int) -> FloatArray:
        """Return the imposed error of each target; 1 for none."""
        errors = _unit_errors(self.error_distribution, n, bench.rng)
        factors = 1 + float(self.conductance_error) * errors
        return np.clip(factors, _LEAST_FACTOR, 2 - _LEAST_FACTOR)

    def _reset(self, bench: _Bench) -> None:
        start_s = self.board.clock.now_s()
        parts = []
        for cell in bench.wiring.cells:
            self.stop_if_asked()
            parts.append(self.board.pulse([cell], self.reset_v, self.reset_width_s))
        energy, took_s = Pulses.join(parts).energy, self.board.clock.now_s() - start_s
        bench.training_s += took_s
        bench.reset_instrument_j += float(energy.instrument_j.sum())
        self.metric("reset_time_s", took_s, "s", step=0)
        self.metric("reset_j", float(energy.source_j.sum()), "J", step=0)

    def _read_back(self, bench: _Bench) -> None:
        """Read all devices; what they carry is where a retraining goes on from."""
        cells: CellArray = bench.wiring.cells
        readings = self.board.measure(cells, V_READ_V)
        bench.g_siemens = readings.g_siemens
        bench.weights = bench.wiring.weight_map.weights(readings.g_siemens)
        g_siemens = np.full(self.board.info.shape, np.nan)
        g_siemens[cells[:, 0], cells[:, 1]] = readings.g_siemens
        self.snapshot("trained", g_siemens)

    def _check_later(self, bench: _Bench, number: int) -> None:
        noise, tests = self._later(bench)
        for _ in range(self.checks):
            self.wait_s(self.check_interval_s)
            number += 1
            self._read_back(bench)
            found = self._test_on_board(bench.neurons, tests, number)
            self.metric("accuracy_at_check", found["noisy"], step=number)
            if found["noisy"] < self.retrain_below:
                number += 1
                self.metric("retrained", 1.0, step=number)
                self._round(bench, noise, tests, number)

    def _later(self, bench: _Bench) -> tuple[Noise, list[ImageSet]]:
        """Return noise and tests of the checks."""
        if not self.later_noise:
            return self.noise, bench.tests
        noise = Noise(self.later_noise, 0.0)
        rng = np.random.default_rng([self.seed, *b"later"])
        return noise, [self._image_set(f"flip_{self.later_noise:g}", noise, rng)]

    def _test_float(self, bench: _Bench) -> None:
        """Train the same network in floating point: no bounds, no devices, no errors."""
        rng = np.random.default_rng([self.seed, *b"float"])
        weights = train(self.loaded_task, Training(self.noise, bound=np.inf), rng)
        self._test_in_numbers("float", weights, bench.tests, 0)

    def _report(self, bench: _Bench, outcomes: list[CellOutcome], number: int) -> None:
        n_reached = len(bench.wiring.cells) - sum(o.status != REACHED for o in outcomes)
        residuals = [outcome.residual_ratio for outcome in outcomes] or [0.0]
        done = bench.programmed
        split_j = np.sum([o.program_split_j for o in done] or [(0.0, 0.0, 0.0)], axis=0)
        for name, value, unit in (
            ("memristors_reached", n_reached, ""),
            ("memristors_tuned", len(outcomes), ""),
            ("residual_rms_ratio", float(np.sqrt(np.mean(np.square(residuals)))), ""),
            ("training_time_s", bench.training_s, "s"),
            ("set_pulses", sum(o.n_set for o in done), ""),
            ("reset_pulses", sum(o.n_reset for o in done), ""),
            ("verify_reads", sum(o.n_reads for o in done), ""),
            ("program_device_j", split_j[0], "J"),
            ("program_series_j", split_j[1], "J"),
            ("program_switch_j", split_j[2], "J"),
            ("verify_j", sum(o.verify_j for o in done), "J"),
            ("instrument_j", bench.reset_instrument_j + sum(o.instrument_j for o in done), "J"),
        ):
            self.metric(name, float(value), unit, step=number)


def _unit_errors(distribution: str, n: int, rng: np.random.Generator) -> FloatArray:
    """Return n errors of mean 0 and standard deviation 1."""
    if distribution == UNIFORM:
        return rng.uniform(-np.sqrt(3), np.sqrt(3), n)
    if distribution == SIGN:
        return rng.choice(np.array([-1.0, 1.0]), n)
    return rng.standard_normal(n)


_LEAST_FACTOR = 0.2
"""Imposed errors end at -80 % and +80 %: beyond, there is no such conductance."""
