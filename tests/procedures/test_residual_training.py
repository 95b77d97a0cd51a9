"""Networks on tiles: every method, checkpoints, and real pulses on every kind of board."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hil.store import RunDatabase
from procedures.learning.analog.methods import Method
from procedures.learning.analog.samples import load_samples
from procedures.residual_training import ResidualTraining
from procedures.runner import Outcome, run
from procedures.tile_least_squares import TileLeastSquares
from tests.procedures.conftest import Hil
from tests.support.runs import run_of, tables_of

BANK: dict[str, Any] = {
    "task": "xor",
    "hidden": "",
    "n_samples": 16,
    "epochs": 1,
    "method": "residual",
    "schedule": "free",
    "n_tiles": 2,
    "warm_start": False,
    "first_period": 1,
    "transfer_rate": 0.5,
    "rate": 0.5,
    "set_v": 0.2,
    "reset_v": -0.3,
    "set_width_s": 0.02,
    "reset_width_s": 0.02,
    "low_siemens": 5e-6,
    "high_siemens": 40e-6,
    "abrupt_reset": True,
}
ARRAY: dict[str, Any] = {
    "station": "twin-crossbar-16x16",
    "task": "digits-pca",
    "hidden": "",
    "n_samples": 24,
    "epochs": 1,
    "method": "residual",
    "schedule": "free",
    "n_tiles": 2,
    "gamma": 0.4,
    "warm_start": False,
    "first_period": 1,
    "transfer_rate": 0.3,
    "rate": 0.3,
}


def train(database: Path, **parameters: Any) -> Outcome:
    asked = {"station": "twin-tiles", "task": "xor"} | parameters
    return run(ResidualTraining(database=str(database), **asked))


def epochs_of(database: Path, run_id: str = "latest") -> pd.DataFrame:
    return tables_of(database, run_id)["records"].drop(columns=["seq", "t_s"])


@pytest.mark.parametrize("method", [method.value for method in Method])
def test_every_method_trains_and_counts(database: Path, method: str) -> None:
    outcome = train(database, method=method, epochs=2, n_tiles=3, switches="1", rate=0.5)
    assert outcome.status == "finished", outcome.error
    rows = epochs_of(database)
    assert rows["Epoch"].tolist() == [1, 2]
    assert (rows["Loss"] > 0).all()
    is_digital = method == "digital"
    assert (rows["Pulses"].diff().dropna() > 0).all() != is_digital
    assert (rows["Tile energy (J)"] > 0).all() != is_digital
    with RunDatabase(database) as opened:
        events = opened.run(opened.find("latest").run_id)["events"]
    tiles = [event["data"] for event in events if event["kind"] == "tile"]
    n_tiles = {"digital": 0, "analog-sgd": 1, "mixed-precision": 1, "residual": 3, "carry": 3}
    assert len(tiles) == 2 * n_tiles.get(method, 2), "of two layers"
    assert sum(tile["n_pulses"] for tile in tiles) == rows["Pulses"].iloc[-1]


def test_residual_tiles_beat_one_tile_on_digits(database: Path) -> None:
    """Three classes of four components on 10 states; the digital control learns as well."""
    found = {}
    for method in ("analog-sgd", "carry", "digital"):
        outcome = train(
            database,
            task="digits-pca",
            hidden="8",
            method=method,
            n_tiles=4,
            gamma=0.4,
            visit_every=1,
            visit_columns=8,
            rate=0.1,
            rate_epochs=10,
            epochs=30,
            test_every=30,
        )
        assert outcome.status == "finished", outcome.error
        rows = epochs_of(database)
        found[method] = (rows["Loss"].iloc[-1], rows["Test accuracy"].iloc[-1])
    assert found["digital"][1] > 0.97
    assert found["carry"][0] < found["analog-sgd"][0]
    assert found["carry"][1] > found["analog-sgd"][1]
    assert found["carry"][1] > 0.94


def test_a_checkpoint_goes_on_bit_for_bit(database: Path, tmp_path: Path) -> None:
    common = {"task": "digits-pca", "method": "residual", "n_tiles": 3, "switches": "1,2"}
    train(database, epochs=4, **common)
    whole = epochs_of(database)
    file = tmp_path / "new folder" / "state.npz"
    train(database, epochs=2, checkpoint=str(file), **common)
    outcome = train(database, epochs=4, checkpoint=str(file), **common)
    assert outcome.status == "finished"
    pd.testing.assert_frame_equal(epochs_of(database), whole)
    kinds = [event.kind for event in _events(database)]
    assert kinds.count("resumed") == 1
    assert not list(file.parent.glob("*.new"))


def _events(database: Path) -> list[Any]:
    with RunDatabase(database) as opened:
        table = opened.table(opened.find("latest").run_id, "events")
    return list(table.itertuples())


def test_a_checkpoint_of_something_else_is_refused(database: Path, tmp_path: Path) -> None:
    file = tmp_path / "state.npz"
    train(database, epochs=1, checkpoint=str(file))
    outcome = train(database, epochs=2, checkpoint=str(file), rate=0.1)
    assert outcome.status == "failed"
    assert "it is of a training with rate = 0.05, now it is 0.1" in outcome.error
    before = file.read_bytes()
    for content in (b"", b"no zip at all", before[: len(before) // 2]):
        file.write_bytes(content)
        outcome = train(database, epochs=2, checkpoint=str(file))
        assert outcome.status == "failed"
        assert f"checkpoint {file}: cannot be read" in outcome.error
        assert file.read_bytes() == content, "it is left as it is"


def test_snapshots_are_conductances_of_the_window(database: Path) -> None:
    train(database, epochs=2, snapshot_every=2, method="analog-sgd", hidden="3")
    with RunDatabase(database) as opened:
        run_id = opened.find("latest").run_id
        found = opened.snapshots(run_id)
    names = [snapshot.name for snapshot in found]
    assert names == ["epoch 2 layer 0 tile 0", "epoch 2 layer 1 tile 0"]
    assert [snapshot.g_siemens.shape for snapshot in found] == [(3, 2), (2, 3)]
    assert all(0 < g < 40e-6 for snapshot in found for g in snapshot.g_siemens.ravel())


# --- on boards ----------------------------------------------------------------------------------


@pytest.mark.parametrize("station", ["twin", "twin-wire"])
def test_a_bank_trains_with_real_pulses(database: Path, station: str) -> None:
    outcome = train(database, station=station, **BANK)
    assert outcome.status == "finished", outcome.error
    tables = tables_of(database)
    rows = epochs_of(database)
    assert tables["pulses"]["n_pulses"].sum() == rows["Pulses"].iloc[-1] > 50
    energy = tables["energy"]
    source_j = energy[["device_j", "series_j", "switch_j", "half_select_j"]].sum().sum()
    counted_j = sum(e.data["energy_j"] for e in _run_events(database) if e.kind == "tile")
    assert counted_j == pytest.approx(source_j, rel=1e-9)
    assert set(tables["pulses"]["device"]) == {f"W{k:02d}" for k in range(1, 9)}, "two tiles"


class _Event:
    def __init__(self, event: dict[str, Any]) -> None:
        self.kind, self.data = event["kind"], event["data"]


def _run_events(database: Path) -> list[_Event]:
    with RunDatabase(database) as opened:
        details = opened.run(opened.find("latest").run_id)
    return [_Event(event) for event in details["events"]]


@pytest.mark.parametrize("products", ["lines", "cells"])
def test_an_array_trains_with_real_pulses_and_products(database: Path, products: str) -> None:
    outcome = train(database, **ARRAY, products=products)
    assert outcome.status == "finished", outcome.error
    tables = tables_of(database)
    assert tables["pulses"]["n_pulses"].sum() == epochs_of(database)["Pulses"].iloc[-1]
    used = set(zip(tables["pulses"]["row"], tables["pulses"]["column"], strict=True))
    assert used == {(row, column) for row in range(4) for column in range(6)}, "side by side"
    n_products = sum(event.kind == "matvec" for event in _run_events(database))
    assert (n_products > 0) == (products == "lines")


def test_products_on_lines_are_those_of_the_weights_that_are_read() -> None:
    from hil.opening import open_board
    from procedures.board_tiles import BoardTiles, PulseScheme

    with open_board("twin-crossbar-16x16", seed=1) as board:
        make = BoardTiles(board, PulseScheme())
        one, other = make((3, 4), 1), make((3, 4), 2)
        stack = one.stacked([other], [1.0, 0.5])
        rng = np.random.default_rng(3)
        x = rng.uniform(-1, 1, (6, 4)).astype(np.float32)
        d = rng.uniform(-1, 1, (6, 3)).astype(np.float32)
        every = np.arange(4)
        reads = [one.read_columns(every) + 0.5 * other.read_columns(every) for _ in range(8)]
        weights = np.mean(reads, axis=0)
        assert stack.matvec(x) == pytest.approx(x @ weights.T, abs=0.05)
        assert stack.matvec_transposed(d) == pytest.approx(d @ weights, abs=0.05)
        assert one.counts.n_products == other.counts.n_products > 0
        assert 0.02 < one.dw_min < 1


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        (BANK | {"station": "twin", "task": "digits-pca", "n_tiles": 16}, "no room for a tile"),
        ({"station": "twin-crossbar-16x16", "task": "mnist"}, "too many for board"),
        ({"station": "twin", "checkpoint": "x.npz"}, "real devices cannot go back"),
        ({"switches": "1,b"}, "parameter switches = '1,b': whole numbers"),
        ({"hidden": "0"}, "parameter hidden = '0': each number is 1 or more"),
        ({"batch": 5000}, "batch = 5000: there are 200 samples only"),
        ({"method": "carry", "n_tiles": 1}, "a carry needs two tiles or more"),
        (BANK | {"station": "twin", "set_v": 9.0}, "refused before the run began"),
    ],
)
def test_what_cannot_be_is_one_line(database: Path, parameters: dict[str, Any], said: str) -> None:
    outcome = train(database, **parameters)
    assert outcome.status == "failed"
    assert said in outcome.error
    assert "\n" not in outcome.error


def test_a_board_of_tiles_refuses_all_that_is_for_devices(hil: Hil, database: Path) -> None:
    said = hil("run", "read-array", "--station", "twin-tiles", "--db", database)
    assert said.code == 1
    assert "twin-tiles" in said.err
    assert "has no measure" in said.err


def test_a_stopped_training_is_aborted_and_its_checkpoint_stays(
    database: Path, tmp_path: Path
) -> None:
    file = tmp_path / "state.npz"

    class StopsInTheThirdEpoch(ResidualTraining):
        def _finish(self, result: Any) -> None:
            super()._finish(result)
            if result.epoch == 2:
                self.should_stop = lambda: True

    outcome = run(
        StopsInTheThirdEpoch(
            station="twin-tiles", database=str(database), checkpoint=str(file), epochs=9
        )
    )
    assert outcome.status == "aborted"
    assert run_of(database).status == "aborted"
    train(database, epochs=3, checkpoint=str(file))
    assert epochs_of(database)["Epoch"].tolist() == [1, 2, 3]


# --- tasks and the toy problem ------------------------------------------------------------------


@pytest.mark.parametrize(("task", "n_inputs", "n_classes"), [("xor", 2, 2), ("digits", 64, 10)])
def test_tasks_have_tests_that_are_not_trained_on(task: str, n_inputs: int, n_classes: int) -> None:
    samples = load_samples(task)
    assert (samples.n_inputs, samples.n_classes) == (n_inputs, n_classes)
    train_set = {x.tobytes() for x in samples.x}
    n_shared = sum(x.tobytes() in train_set for x in samples.test_x)
    assert n_shared == 0
    held_back = samples.held_back()
    assert len(held_back.x) + len(held_back.test_x) == len(samples.x)


@pytest.mark.parametrize("n_states", [4, 10])
def test_the_error_of_the_toy_falls_with_each_tile(
    database: Path, tmp_path: Path, n_states: int
) -> None:
    station = tmp_path / "tiles.toml"
    station.write_text(
        'name = "toy"\nboard = "twin-tiles"\nsource = "twin"\n'
        f"[tiles]\nn_states = {n_states}\ndevice_spread = 0.0\ncycle_noise = 0.3\n"
    )
    medians = []
    for n_tiles in (1, 2, 3):
        outcome = run(
            TileLeastSquares(
                station=str(station),
                database=str(database),
                schedule="theory",
                n_tiles=n_tiles,
                warm_start=False,
                steps=40_000,
            )
        )
        assert outcome.status == "finished", outcome.error
        metrics = tables_of(database)["metrics"].set_index("name")["value"]
        medians.append(metrics["median_squared_error"])
    assert medians[1] < medians[0]
    assert medians[2] < 0.5 * medians[0]
