"""A study on a real Dask cluster on loopback; the clients are processes of their own."""

from __future__ import annotations

import asyncio
import concurrent.futures
import signal
import socket
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import procedures.studies.cluster
from hil.errors import LinkError, UsageError
from hil.store import RunDatabase, read_study
from procedures.studies.cluster import DaskCluster
from procedures.studies.study import Progress, run_study
from tests.support.studies import (
    N_RUNS,
    PATIENCE_S,
    ROOT,
    STUDY,
    InThisProcess,
    n_stored,
    question,
    rows_of,
    train,
    trains,
    wait_until,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("distributed", reason="needs the extra 'cluster'")

from tests.support.dask_cluster import Cluster, dask_cluster


def start(path: Path, address: str) -> subprocess.Popen[str]:
    options = ("--db", str(path), "--seeds", "1", "--scheduler", address)
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.studies", "study", STUDY, *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end_of(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    assert "Traceback" not in out + err, err
    return process.returncode, out, err


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two workers, of which one test kills one; the others are content with what is left."""
    with dask_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


def test_a_worker_that_is_killed_changes_no_result(cluster: Cluster, tmp_path: Path) -> None:
    path, local = tmp_path / "cluster.sqlite", tmp_path / "local.sqlite"
    process = start(path, cluster.address)
    wait_until(lambda: n_stored(path) >= 1, "a result")
    cluster.workers[0].send_signal(signal.SIGKILL)
    code, out, err = end_of(process)
    assert (code, err) == (0, "")
    assert f"{N_RUNS} runs, 0 done before, {N_RUNS} now, 0 failed" in out
    tasks = [task for _, task in question(n=N_RUNS, cycles=3).tasks((1,))]
    run_study(local, STUDY, tasks, InThisProcess())
    assert rows_of(path) == rows_of(local)
    assert {row["attempt"] for row in read_study(path, STUDY).values()} == {1}
    assert {row["pid"] for row in read_study(path, STUDY).values()} <= {
        worker.pid for worker in cluster.workers
    }


# Dask's own event loop warns of what Python deprecates.
@pytest.mark.filterwarnings("ignore")
def test_a_study_in_this_process_is_stopped_and_goes_on(cluster: Cluster, tmp_path: Path) -> None:
    path, workers = tmp_path / "study.sqlite", DaskCluster(cluster.address)
    tasks = [*trains(3, keeps_rows=True), replace(train(4), parameters={"set_v": 99})]

    def stop_after_one(progress: Progress) -> None:
        if progress.n_done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_study(path, STUDY, tasks, workers, stop_after_one)
    end = run_study(path, STUDY, tasks, workers)
    assert end.n_before + end.n_done == 3
    assert (end.n_before >= 1, end.n_failed) == (True, 1)
    rows = read_study(path, STUDY)
    assert "0 to 10 V" in rows[tasks[3].key]["error"]
    with RunDatabase(path) as opened:
        kept = {run.run_id: run.n_pulses for run in opened.runs()}
    assert kept == {rows[task.key]["run_id"]: 4 for task in tasks[:3]}


def test_a_scheduler_that_dies_is_one_line_and_the_same_command_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    with dask_cluster(tmp_path, n_workers=1) as cluster:
        process = start(path, cluster.address)
        wait_until(lambda: n_stored(path) >= 1, "a result")
        cluster.scheduler.send_signal(signal.SIGKILL)
        code, out, err = end_of(process)
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert cluster.address in err
    assert "the same command goes on" in err
    assert 1 <= n_stored(path) < N_RUNS
    assert {row["status"] for row in read_study(path, STUDY).values()} == {"done"}


@pytest.mark.filterwarnings("ignore")
def test_a_scheduler_without_workers_is_refused(tmp_path: Path) -> None:
    with (
        dask_cluster(tmp_path, n_workers=0) as alone,
        pytest.raises(UsageError, match="has no workers"),
    ):
        next(DaskCluster(alone.address).run(trains(1)))


@pytest.mark.filterwarnings("ignore")
def test_what_is_no_scheduler_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(procedures.studies.cluster, "_ANSWER_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(LinkError, match=f"no Dask scheduler at {address}") as caught:
            next(DaskCluster(address).run(trains(1)))
    assert "\n" not in str(caught.value)


def test_nothing_to_do_needs_no_scheduler() -> None:
    assert list(DaskCluster("tcp://127.0.0.1:1").run([])) == []


@pytest.mark.parametrize(
    "address",
    ["", "here", "here:", ":8786", "tcp://here", "tcp://here:x", "tcp://here:99999", "foo://a:1"],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="tcp://HOST:PORT"):
        DaskCluster(address)


class KilledWorker(Exception):
    """As Dask's, of a task whose workers died."""


def future(error: BaseException | None = None, raises: BaseException | None = None) -> Any:
    def exception() -> BaseException | None:
        if raises is not None:
            raise raises
        return error

    return SimpleNamespace(exception=exception, result=lambda: "a result")


def test_what_becomes_of_a_future() -> None:
    outcome: Callable[[Any], Any] = DaskCluster("tcp://here:1")._outcome
    assert outcome(future()) == "a result"
    error = ZeroDivisionError("a bug")
    assert outcome(future(error)) is error
    assert outcome(future(OSError("of the task"))).args == ("of the task",)
    assert "every worker that ran it died" in str(outcome(future(KilledWorker("many\nlines"))))
    for lost in (concurrent.futures.CancelledError(), asyncio.CancelledError()):
        for each in (future(lost), future(raises=lost)):
            with pytest.raises(LinkError, match="goes on from there"):
                outcome(each)
