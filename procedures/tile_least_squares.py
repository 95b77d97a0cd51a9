"""The toy problem of arXiv 2510.02516: many scalars, each to be brought to its target by pulses."""

from __future__ import annotations

import numpy as np
from pymeasure.experiment import FloatParameter, IntegerParameter

from hil.errors import ParameterError
from hil.limits import LimitChecker
from hil.tiles import WeightArray
from hil.types import BoardInfo, Capability, FloatArray
from procedures.learning.analog.methods import Method, make_weights
from procedures.learning.analog.residual import ResidualWeights
from procedures.learning.analog.tally import tally
from procedures.tile_training import PLATEAU, TileTrainingProcedure

_N_ROWS = 20
_AT_END = 0.1  # of the steps, over which errors are averaged


class TileLeastSquares(TileTrainingProcedure):
    """Minimise (w - b)^2 on one column of devices, each with a random target b.

    For each row: the median over devices of the squared error since the row before, as it is with
    all tiles, and right before and right after transfers into the coarsest one. Runs on simulated
    tiles. The parameters of networks do not count; ``switches`` are steps, or ``plateau`` for
    equal parts of the run.
    """

    steps = IntegerParameter("Steps", default=100_000, minimum=20, maximum=1_000_000_000)
    n_targets = IntegerParameter("Targets", default=101, minimum=1, maximum=1_000_000)
    gradient_noise = FloatParameter(
        "Gradient noise",
        default=0.0,
        minimum=0,
        maximum=1e3,
        description="Standard deviation of the noise on each gradient",
    )

    DATA_COLUMNS = [
        "Step",
        "Median squared error",
        "Mean squared error",
        "Before transfers",
        "After transfers",
        "Warm tile",
        "Pulses",
    ]

    def check_plan(self, info: BoardInfo, limits: LimitChecker) -> None:
        """Check the settings, and that the board makes tiles."""
        self._settings = self.method_settings()
        self._switch_steps = self._switches()
        if Capability.TILES not in info.capabilities:
            raise ParameterError(
                f"station {info.station!r}: the toy problem runs on simulated tiles; take "
                f"--station twin-tiles"
            )

    def execute(self) -> None:
        """Take all steps; one row for every twentieth of them."""
        rng = np.random.default_rng([self.seed, *b"targets"])
        self._targets = rng.uniform(-1, 1, (self.n_targets, 1)).astype(np.float32)
        make = make_weights(Method(self.method), self.board.make_tile, self.seed, self._settings)
        self._weights = make(np.zeros((self.n_targets, 1), np.float32), 0)
        every = max(self.steps // _N_ROWS, 1)
        errors: list[FloatArray] = []
        late: list[FloatArray] = []
        self._jumps: list[tuple[float, float]] = []
        for step in range(1, self.steps + 1):
            errors.append(self._step(rng))
            if step > (1 - _AT_END) * self.steps:
                late.append(errors[-1])
            if step in self._switch_steps and isinstance(self._weights, ResidualWeights):
                self._weights.go_finer()
            if step % every == 0:
                self.stop_if_asked()
                self._report(step, np.mean(errors, axis=0))
                errors.clear()
        of_each = np.mean(late, axis=0)
        for name, value in (
            ("median_squared_error", float(np.median(of_each))),
            ("mean_squared_error", float(of_each.mean())),
        ):
            self.metric(name, value, step=self.steps)

    def _step(self, rng: np.random.Generator) -> FloatArray:
        """Take a step; return the squared error of each device before it, (n_targets,)."""
        one = np.ones((1, 1), np.float32)
        off = self._weights.forward(one).T - self._targets
        d = 2 * off
        if self.gradient_noise:
            d = d + np.float32(self.gradient_noise) * rng.standard_normal(d.shape, np.float32)
        before = self._coarse_pulses()
        self._weights.update(one, d.T.astype(np.float32), self.rate)
        squared: FloatArray = (off[:, 0] ** 2).astype(float)
        if self._coarse_pulses() != before:
            self._jumps.append((float(np.median(squared)), self._median_error()))
        return squared

    def _coarse_pulses(self) -> int:
        tiles = self._weights.tiles
        return tiles[0].counts.n_pulses if len(tiles) > 1 else 0

    def _median_error(self) -> float:
        off: WeightArray = self._weights.forward(np.ones((1, 1), np.float32)).T - self._targets
        return float(np.median(off**2))

    def _report(self, step: int, squared: FloatArray) -> None:
        before, after = np.mean(self._jumps, axis=0) if self._jumps else (np.nan, np.nan)
        self._jumps.clear()
        is_residual = isinstance(self._weights, ResidualWeights)
        warm = self._weights.warm_tile if isinstance(self._weights, ResidualWeights) else None
        row = {
            "Step": step,
            "Median squared error": float(np.median(squared)),
            "Mean squared error": float(squared.mean()),
            "Before transfers": float(before),
            "After transfers": float(after),
            "Warm tile": warm if is_residual and warm is not None else np.nan,
            "Pulses": tally(self._weights.tiles).n_pulses,
        }
        self.emit("results", row)
        for name in ("Before transfers", "After transfers"):
            if np.isfinite(row[name]):
                self.metric(f"error_{name.lower().replace(' ', '_')}", float(row[name]), step=step)
        self.progress(step / self.steps)

    def _switches(self) -> frozenset[int]:
        """Return the steps at which a warm start goes on to the next tile."""
        if self.switches != PLATEAU:
            return frozenset(self.course().switch_epochs or ())
        share = self.steps // (2 * self.n_tiles)  # the second half is for the cascade
        return frozenset(share * (k + 1) for k in range(self.n_tiles))
