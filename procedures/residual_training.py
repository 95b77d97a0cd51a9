"""Training a network on tiles: residual learning, the methods it is measured against, and ours.

Sources: arXiv 2510.02516 and those of the methods, see ``procedures.learning.analog``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hil.errors import ParameterError
from hil.limits import LimitChecker
from hil.tiles import Tile, TileMaker, WeightArray
from hil.types import BoardInfo, Capability, FloatArray
from procedures.board_tiles import BoardTiles, Places
from procedures.learning.analog.checkpoint import load_checkpoint, save_checkpoint
from procedures.learning.analog.methods import Method, make_weights
from procedures.learning.analog.network import MakeWeights, Network, lenet5, perceptron
from procedures.learning.analog.samples import MNIST, load_samples
from procedures.learning.analog.tally import statistics_of, tally
from procedures.learning.analog.training import EpochResult, Training
from procedures.learning.analog.weights import DigitalWeights, read_all
from procedures.learning.analog.zero_shift import shifting
from procedures.tile_training import TileTrainingProcedure

_N_TILES = {
    Method.DIGITAL: 0,
    Method.ANALOG_SGD: 1,
    Method.MIXED_PRECISION: 1,
    Method.TIKI_TAKA: 2,
    Method.BUFFERED: 2,
    Method.CHOPPED: 2,
    Method.DYNAMIC: 2,
}
_REPORT_EVERY = 50  # minibatches

_METRICS = (
    ("loss", "Loss", ""),
    ("training_accuracy", "Training accuracy", ""),
    ("test_accuracy", "Test accuracy", ""),
    ("tile_pulses", "Pulses", ""),
    ("tile_reads", "Reads", ""),
    ("tile_products", "Products", ""),
    ("tile_time_s", "Tile time (s)", "s"),
    ("tile_energy_j", "Tile energy (J)", "J"),
)
_DECIDES_NOTHING = {
    *("station", "database", "fallback", "mnist_folder", "epochs", "checkpoint"),
    *("test_every", "snapshot_every"),
}


class ResidualTraining(TileTrainingProcedure):
    """Train a network whose weights are tiles: simulated ones, or parts of a board.

    On a station of simulated tiles (``twin-tiles``) any network is trained at speed, and can go on
    from a checkpoint bit for bit. On a board of devices the same methods use real pulses and reads,
    each of which is logged; layers take rectangles of an array, or devices of a bank in turn.
    One row per epoch, with pulses, reads, energy and time of all tiles so far.
    """

    DATA_COLUMNS = [
        "Epoch",
        "Loss",
        "Training accuracy",
        "Test accuracy",
        "Warm tile",
        "Pulses",
        "Reads",
        "Products",
        "Tile time (s)",
        "Tile energy (J)",
        "Time (s)",
    ]

    def check_plan(self, info: BoardInfo, limits: LimitChecker) -> None:
        """Check settings, samples, places of tiles and the pulses on their devices."""
        self._settings = self.method_settings()
        self._course = self.course()
        hidden, has_devices = self.hidden_sizes(), Capability.TILES not in info.capabilities
        self._check_task(info, has_devices)
        samples = load_samples(self.task, self.mnist_folder)
        self._samples = (samples.held_back() if self.validation else samples).first(self.n_samples)
        self._sizes = (self._samples.n_inputs, *hidden, self._samples.n_classes)
        if has_devices:
            self._check_devices(info, limits)

    def _check_task(self, info: BoardInfo, has_devices: bool) -> None:
        if self.checkpoint and self.zero_shift:
            raise ParameterError(
                f"parameter checkpoint = {self.checkpoint!r}: shifted tiles cannot go back to an "
                f"earlier state; leave it empty, or set zero_shift = 0"
            )
        if self.checkpoint and has_devices:
            raise ParameterError(
                f"parameter checkpoint = {self.checkpoint!r}: real devices cannot go back to an "
                f"earlier state; leave it empty, or take a station of simulated tiles"
            )
        if self.task == MNIST and has_devices:
            raise ParameterError(
                f"parameter task = {self.task!r}: LeNet-5 has 80,016 weights, too many for board "
                f"{info.kind!r}; take --station twin-tiles"
            )

    def execute(self) -> None:
        """Go through all epochs, each with its row; from a checkpoint if there is one."""
        make_tile: TileMaker = self.board.make_tile
        if Capability.TILES not in self.board.info.capabilities:
            make_tile = BoardTiles(self.board, self.pulse_scheme())
        if self.zero_shift:
            make_tile = shifting(make_tile, self.zero_shift)
        method = Method(self.method)
        weights = make_weights(method, make_tile, self.seed, self._settings)
        network = self._network(weights)
        self.training = Training(network, self._samples, self._course, self.seed)
        self._rows: list[dict[str, float]] = []
        self._n_batches = 0
        self._resume()
        while self.training.n_epochs < self.epochs:
            result = self.training.epoch(self._after_minibatch)
            self._finish(result)
        self._store_tiles()

    def _after_minibatch(self, done: float) -> None:
        self.stop_if_asked()
        self._n_batches += 1
        if self._n_batches % _REPORT_EVERY == 0:
            self.progress((self.training.n_epochs + done) / self.epochs)

    def _finish(self, result: EpochResult) -> None:
        is_tested = result.epoch % self.test_every == 0 or result.epoch == self.epochs
        spent = tally(self.training.network.tiles)
        row = {
            "Epoch": result.epoch,
            "Loss": result.loss,
            "Training accuracy": result.accuracy,
            "Test accuracy": self.training.test_accuracy() if is_tested else np.nan,
            "Warm tile": np.nan if result.warm_tile is None else result.warm_tile,
            "Pulses": spent.n_pulses,
            "Reads": spent.n_reads,
            "Products": spent.n_products,
            "Tile time (s)": spent.time_s,
            "Tile energy (J)": spent.energy_j,
        }
        self._rows.append(row)
        self._store(row)
        self._end_of_epoch(result.epoch)
        if self.checkpoint:
            state = {"training": self.training.snapshot(), "rows": self._rows, "asked": self._asked}
            save_checkpoint(Path(self.checkpoint), state)

    def _store(self, row: dict[str, float]) -> None:
        epoch = int(row["Epoch"])
        self.emit("results", row | {"Time (s)": self.board.clock.now_s()})
        for name, column, unit in _METRICS:
            if np.isfinite(row[column]):
                self.metric(name, float(row[column]), unit, step=epoch)

    def _resume(self) -> None:
        """Go on from the checkpoint, if there is one; rows of its epochs are stored again."""
        path = Path(self.checkpoint)
        if not self.checkpoint or not path.exists():
            return
        state = load_checkpoint(path)
        for name, now in self._asked.items():
            if (then := state["asked"].get(name, now)) != now:
                raise ParameterError(
                    f"checkpoint {path}: it is of a training with {name} = {then!r}, now it is "
                    f"{now!r}; take another file"
                )
        self.training.restore(state["training"])
        self._rows = [dict(row) for row in state["rows"]]
        self.event("resumed", f"from epoch {self.training.n_epochs} on: {path}")
        for row in self._rows:
            self._store(row)

    @property
    def _asked(self) -> dict[str, object]:
        """All that decides how the training goes on, ready for JSON."""
        names = [name for name in self.parameter_names() if name not in _DECIDES_NOTHING]
        devices = dict(self.board.info.identity)
        return {name: getattr(self, name) for name in names} | {"devices": devices}

    def _end_of_epoch(self, epoch: int) -> None:
        if self.snapshot_every and epoch % self.snapshot_every == 0:
            for name, tile in self._named_tiles():
                self.snapshot(f"epoch {epoch} {name}", self._conductances(tile))

    def _store_tiles(self) -> None:
        """Store of each tile what it has been through."""
        for name, tile in self._named_tiles():
            found = statistics_of(tile, read_all(tile)) | {"tile": name}
            self.event("tile", f"{name}: {tile.counts.n_pulses} pulses", data=found)

    def _named_tiles(self) -> list[tuple[str, Tile]]:
        return [
            (f"layer {n_layer} tile {n_tile}", tile)
            for n_layer, weights in enumerate(self.training.network.weights)
            for n_tile, tile in enumerate(weights.tiles)
        ]

    def _conductances(self, tile: Tile) -> FloatArray:
        """Return the conductances of a tile, (n_rows, n_columns); of a simulated one, which has
        none, those that its weights have in the window of the parameters.
        """  # noqa: D205
        scheme = self.pulse_scheme()
        weights = np.asarray(read_all(tile), float)
        return scheme.middle_siemens + scheme.half_siemens * weights

    def _network(self, make: MakeWeights) -> Network:
        rng = np.random.default_rng([self.seed, *b"first weights"])
        return lenet5(make, rng) if self.task == MNIST else perceptron(self._sizes, make, rng)

    def _check_devices(self, info: BoardInfo, limits: LimitChecker) -> None:
        """Give each tile its devices as the run will, and try their pulses on the limits."""
        places, scheme = Places(info), self.pulse_scheme()

        def of_layer(weights: WeightArray, _: int) -> DigitalWeights:
            for _ in range(self._n_tiles_of_a_layer()):
                cells = places.take((weights.shape[0], weights.shape[1]))
                scheme.check(cells.reshape(-1, 2), limits)
            return DigitalWeights(weights)

        self._network(of_layer)

    def _n_tiles_of_a_layer(self) -> int:
        method = Method(self.method)
        if method in (Method.RESIDUAL, Method.CARRY):
            return int(self.n_tiles)
        return _N_TILES[method]
