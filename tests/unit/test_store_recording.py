from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pytest
from numpy.typing import ArrayLike

from hil.arrays import Coding, Scheme
from hil.board import Board
from hil.clock import Clock, WallClock
from hil.errors import LimitError, LinkError
from hil.limits import DEFAULT_LIMITS, DeviceLimits
from hil.patterns import LineDrive, LinePattern
from hil.store import RecordingBoard, RunDatabase, RunWriter
from hil.store.batches import BatchWriter
from hil.tiles import Tile
from hil.types import (
    BoardInfo,
    Dopant,
    Inference,
    MatVec,
    Pulses,
    Readings,
    SweepTrace,
    Synapses,
)
from tests.support.store_samples import (
    board_info,
    inference,
    line_drive,
    matvec,
    pulses,
    readings,
    run_start,
    sweep,
)


class BrokenLink(LinkError):
    def __init__(self, done: object) -> None:
        super().__init__("the cable fell out")
        self.done = done


class CannedBoard:
    """Answers with fixed results, or fails."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error
        self.calls: list[str] = []
        self._clock = WallClock()

    @property
    def info(self) -> BoardInfo:
        return board_info()

    @property
    def limits(self) -> Mapping[Dopant, DeviceLimits]:
        return DEFAULT_LIMITS

    @property
    def clock(self) -> Clock:
        return self._clock

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self.error is not None:
            raise self.error

    def measure(
        self,
        cells: ArrayLike,
        v_read_v: ArrayLike,
        *,
        allow_reverse: bool = False,
        scheme: Scheme | None = None,
    ) -> Readings:
        self._call(f"measure {allow_reverse} {scheme}")
        return readings(3)

    def pulse(
        self,
        cells: ArrayLike,
        amplitude_v: ArrayLike,
        width_s: ArrayLike,
        n_pulses: int = 1,
        *,
        scheme: Scheme | None = None,
        compliance_a: float | None = None,
    ) -> Pulses:
        self._call(f"pulse {n_pulses} {scheme} {compliance_a}")
        return pulses(3)

    def make_tile(self, shape: tuple[int, int], seed: int) -> Tile:
        raise NotImplementedError

    def drive_lines(self, pattern: LinePattern, width_s: float, n_pulses: int = 1) -> LineDrive:
        self._call(f"lines {n_pulses}")
        return line_drive(pattern)

    def sweep(self, cell: ArrayLike, waveform_v: ArrayLike, dt_s: float) -> SweepTrace:
        self._call("sweep")
        return sweep(5)

    def matvec(
        self,
        inputs_v: ArrayLike,
        *,
        coding: Coding = Coding.AMPLITUDE,
        transposed: bool = False,
    ) -> MatVec:
        self._call(f"matvec {coding} {transposed}")
        return matvec(cell_by_cell=not transposed)

    def infer(self, layers: Sequence[Synapses], inputs_v: ArrayLike) -> Inference:
        self._call("infer")
        return inference(2)

    def make_safe(self) -> None:
        self._call("make_safe")

    def close(self) -> None:
        self._call("close")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def test_everything_that_a_board_does_is_entered(tmp_path: Path) -> None:
    inner = CannedBoard()
    writer = RunWriter.begin(tmp_path / "a.db", run_start())
    recording = RecordingBoard(inner, writer)
    board: Board = recording  # the protocol holds
    with board:
        assert board.info == inner.info
        assert board.clock is inner.clock
        assert board.limits is DEFAULT_LIMITS
        board.measure([[0, 0]], 0.05, allow_reverse=True)
        with recording.reads_for("verify"):
            board.measure([[0, 0]], 0.05)
        board.pulse([[0, 0]], 0.8, 0.02, 4, scheme=Scheme.HALF, compliance_a=1e-4)
        board.drive_lines(
            LinePattern(np.array([0.1]), np.array([0.0, np.nan]), np.array([[0, 0]])), 0.02, 7
        )
        board.sweep([0, 1], [0.0, 0.1], 0.02)
        board.matvec([0.05])
        board.matvec([0.05], coding=Coding.TIME, transposed=True)
        board.make_safe()
    writer.finish("finished")
    assert inner.calls == [
        "measure True None", "measure False None", "pulse 4 v/2 0.0001", "lines 7", "sweep",
        "matvec amplitude False", "matvec time True", "make_safe", "close",
    ]  # fmt: skip
    with RunDatabase(tmp_path / "a.db") as database:
        run = database.run(writer.run_id)
        purposes = database.arrays(writer.run_id, "readings")["purpose"].tolist()
    assert run["n_rows"] == {
        "pulses": 3, "readings": 9, "sweep_points": 5, "energy": 15, "metrics": 0,
        "snapshots": 0, "events": 3, "records": 0,
    }  # fmt: skip
    assert purposes == ["read"] * 3 + ["verify"] * 3 + ["matvec"] * 3
    lines, product, transposed = run["events"]
    assert lines["kind"] == "lines"
    assert lines["data"]["columns_v"][0] == 0.0
    assert lines["data"]["cells"] == [[0, 0]]
    assert product["data"]["currents_a"] == [1e-6, 2e-6, 3e-6]
    assert transposed["data"]["transposed"] is True


@pytest.mark.parametrize(
    ("done", "table", "n_rows"),
    [(readings(2), "readings", 2), (pulses(1), "pulses", 1), (sweep(4), "sweep_points", 4)],
)
def test_what_was_done_before_an_error_is_entered(
    tmp_path: Path, done: object, table: str, n_rows: int
) -> None:
    writer = RunWriter.begin(tmp_path / "a.db", run_start())
    board = RecordingBoard(CannedBoard(BrokenLink(done)), writer)
    with pytest.raises(BrokenLink):
        board.pulse([[0, 0]], 0.8, 0.02)
    writer.finish("failed", "link")
    with RunDatabase(tmp_path / "a.db") as database:
        run = database.run(writer.run_id)
    assert run["n_rows"][table] == n_rows
    (event,) = run["events"]
    assert event["level"] == "error"
    assert event["message"] == "pulse: BrokenLink: the cable fell out"


@pytest.mark.parametrize("error", [LimitError("3 V is too much"), KeyboardInterrupt()])
def test_errors_of_the_board_are_events_and_go_on(tmp_path: Path, error: BaseException) -> None:
    writer = RunWriter.begin(tmp_path / "a.db", run_start())
    board = RecordingBoard(CannedBoard(error), writer)
    with pytest.raises(type(error)) as caught:
        board.measure([[0, 0]], 3.0)
    assert caught.value is error
    for step in (board.make_safe, board.close):
        with pytest.raises(type(error)):
            step()
    writer.finish("failed")
    with RunDatabase(tmp_path / "a.db") as database:
        events = database.table(writer.run_id, "events")
    assert [text.split(":")[0] for text in events["message"]] == ["measure", "make_safe", "close"]


def test_a_store_that_fails_too_does_not_hide_the_error_of_the_board(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = RunWriter.begin(tmp_path / "a.db", run_start())
    writer.finish("aborted")
    board = RecordingBoard(CannedBoard(LinkError("gone")), writer)
    with pytest.raises(LinkError, match="gone"):
        board.make_safe()
    assert writer._batches.failure is None
    assert isinstance(writer._batches, BatchWriter)


def test_an_inference_is_one_event_and_its_energy_counts_as_that_of_reads(tmp_path: Path) -> None:
    writer = RunWriter.begin(tmp_path / "a.db", run_start())
    board = RecordingBoard(CannedBoard(), writer)
    sent = board.infer([Synapses(np.array([[[0, 0]]]))], [[0.1], [0.1]])
    writer.finish("finished")
    with RunDatabase(tmp_path / "a.db") as database:
        (event,) = database.run(writer.run_id)["events"]
        (row,) = database.table(writer.run_id, "energy").to_dict("records")
        split = database.energy(writer.run_id)
        bench_time_s = database.bench_time_s(writer.run_id)
    assert (event["kind"], event["t_s"]) == ("inference", 8.0)
    assert event["data"] == {
        "inputs_v": [[0.1] * 3] * 2,
        "hidden_v": [[0.05] * 2] * 2,
        "output_v": [[-0.02]] * 2,
        "decisions": [[False]] * 2,
    }
    assert (row["of_seq"], row["operation"], row["device"]) == (event["seq"], "infer", "")
    assert np.isnan([row["row"], row["column"]]).all()
    assert row["device_j"] == pytest.approx(sent.energy.device_j.sum())
    circuit_j = sent.energy.device_j + sent.energy.series_j + sent.energy.switch_j
    assert split["verify_reads_j"] == pytest.approx(circuit_j.sum())
    assert split["device_j"] == split["series_j"] == split["switch_j"] == 0
    assert split["half_select_j"] == pytest.approx(sent.energy.half_select_j.sum())
    assert split["instrument_j"] == pytest.approx(sent.energy.instrument_j.sum())
    assert bench_time_s == 8.0


def test_an_inference_that_was_interrupted_is_entered(tmp_path: Path) -> None:
    writer = RunWriter.begin(tmp_path / "a.db", run_start())
    board = RecordingBoard(CannedBoard(BrokenLink(inference(1))), writer)
    with pytest.raises(BrokenLink):
        board.infer([Synapses(np.array([[[0, 0]]]))], [[0.1]])
    writer.finish("failed", "link")
    with RunDatabase(tmp_path / "a.db") as database:
        kinds = [event["kind"] for event in database.run(writer.run_id)["events"]]
    assert kinds == ["inference", "board-error"]
