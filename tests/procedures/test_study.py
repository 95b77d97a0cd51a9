"""Studies on local processes, in this process and as a command, and what may happen to both."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

import procedures.cli.study
from hil.errors import HilError
from hil.store import RunDatabase, StudyResult, read_study, software_versions
from procedures.studies.stations import StationVariant
from procedures.studies.study import Progress, results_of, run_study
from procedures.studies.tasks import StudyTask, run_task
from procedures.studies.workers import MAX_TRIES, LocalProcesses, Outcome, Workers
from tests.procedures.conftest import Hil
from tests.support.studies import (
    DIES,
    N_RUNS,
    PATIENCE_S,
    ROOT,
    STUDY,
    InThisProcess,
    below,
    dies_at_label,
    is_interrupted_at_label,
    lives,
    n_stored,
    question,
    result_of,
    rows_of,
    train,
    trains,
    wait_until,
)

linux_only = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "study.sqlite"


# --- the same results everywhere ----------------------------------------------------------------


def test_results_do_not_depend_on_where_they_were_made(tmp_path: Path) -> None:
    tasks = [*trains(3), StudyTask("read-array", {"repeats": 2}, StationVariant("Cr", 2), 1)]
    ways: dict[str, Workers] = {
        "here": InThisProcess(),
        "one": LocalProcesses(1),
        "two": LocalProcesses(2),
    }
    for name, workers in ways.items():
        end = run_study(tmp_path / f"{name}.sqlite", STUDY, tasks, workers)
        assert (end.n_tasks, end.n_before, end.n_done, end.n_failed) == (4, 0, 4, 0)
    here, one, two = (rows_of(tmp_path / f"{name}.sqlite") for name in ways)
    assert set(here) == {task.key for task in tasks}
    assert here == one == two
    stored = read_study(tmp_path / "two.sqlite", STUDY)
    assert os.getpid() not in {row["pid"] for row in stored.values()}
    assert stored[tasks[0].key]["results"]["n_pulses"] == 4
    assert stored[tasks[0].key]["source"] == "twin"


def test_a_task_runs_in_a_thread_that_is_not_the_main_one() -> None:
    """As a worker of Dask does it."""
    ended: list[StudyResult] = []
    thread = threading.Thread(target=lambda: ended.append(run_task(train(1))))
    thread.start()
    thread.join(PATIENCE_S)
    (there,), here = ended, run_task(train(1))
    assert (there.status, there.results) == ("done", here.results)


def test_a_task_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run_task(replace(train(1), keeps_rows=True)).rows
    assert run_task(replace(train(1), parameters={"loudness": 3})).status == "failed"
    assert list(tmp_path.iterdir()) == []


# --- going on -----------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [InThisProcess, lambda: LocalProcesses(2)])
def test_a_study_that_was_stopped_goes_on(workers: Callable[[], Workers], path: Path) -> None:
    tasks = trains(5)

    def stop_after_two(progress: Progress) -> None:
        if progress.n_done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_study(path, STUDY, tasks, workers(), stop_after_two)
    assert n_stored(path) == 2
    heard: list[Progress] = []
    end = run_study(path, STUDY, tasks, workers(), heard.append)
    assert (end.n_tasks, end.n_before, end.n_done, end.n_failed) == (5, 2, 3, 0)
    assert [progress.n_done for progress in heard] == [0, 1, 2, 3]
    assert {row["attempt"] for row in read_study(path, STUDY).values()} == {1}
    again = InThisProcess()
    assert run_study(path, STUDY, tasks, again).n_before == 5
    assert again.asked == []


def test_leaving_early_closes_the_workers(path: Path) -> None:
    workers = InThisProcess()

    def fail(progress: Progress) -> None:
        if progress.n_done:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_study(path, STUDY, trains(3), workers, fail)
    assert workers.is_closed
    assert len(workers.asked) == 1


@linux_only
def test_leaving_early_ends_the_processes(path: Path) -> None:
    before = below(os.getpid())
    results = LocalProcesses(2).run(trains(4, cycles=30))
    next(results)
    assert below(os.getpid()) > before
    getattr(results, "close")()  # noqa: B009 (an iterator, as the protocol has it)
    assert not {pid for pid in below(os.getpid()) - before if is_worker(pid)}


def is_worker(pid: int) -> bool:
    """Not the tracker of shared resources, which stays for the life of this process."""
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def test_what_is_asked_twice_runs_once_and_keeps_what_any_asks_for(path: Path) -> None:
    twice = [train(1, label="plain"), train(1, label="kept", keeps_rows=True), train(2)]
    workers = InThisProcess()
    end = run_study(path, STUDY, twice, workers)
    assert (end.n_tasks, end.n_done) == (2, 2)
    assert [task.label for task in workers.asked] == ["plain", ""]
    with RunDatabase(path) as opened:
        (run,) = opened.runs()
        assert run.run_id == read_study(path, STUDY)[twice[0].key]["run_id"]


def test_rows_are_kept_where_they_are_asked_for(path: Path, hil: Hil) -> None:
    tasks = [train(1, keeps_rows=True), train(2)]
    run_study(path, STUDY, tasks, LocalProcesses(1))
    kept, not_kept = (read_study(path, STUDY)[task.key]["run_id"] for task in tasks)
    said = hil("show", kept, "--db", path)
    assert (said.code, said.err) == (0, "")
    assert kept in said.out
    assert "4" in said.out
    assert hil("show", not_kept, "--db", path).code == 1
    with RunDatabase(path) as opened:
        assert [run.run_id for run in opened.runs()] == [kept]
        assert opened.find(kept).n_rows["readings"] == 4


def test_a_question_finds_its_results_in_the_order_of_its_points(path: Path) -> None:
    asked = question(n=3)
    tasks = [task for _, task in asked.tasks((1, 2))]
    assert tasks[0].label == "small: k 0, seed 1"
    run_study(path, STUDY, list(reversed(tasks)), InThisProcess(result_of))
    found = results_of(path, STUDY, asked, (1, 2))
    assert [(row["point"]["k"], row["seed"]) for row in found] == [
        (k, seed) for seed in (1, 2) for k in range(3)
    ]


# --- what goes wrong costs its own task ---------------------------------------------------------


@pytest.mark.parametrize("n_workers", [1, 2])
def test_a_worker_that_dies_costs_its_own_task_which_is_tried_again(
    n_workers: int, tmp_path: Path, path: Path
) -> None:
    tasks = [train(1, label=f"{DIES} once"), *trains(4)[1:]]
    workers = LocalProcesses(n_workers, partial(dies_at_label, tmp_path))
    end = run_study(path, STUDY, tasks, workers)
    assert (end.n_done, end.n_failed) == (4, 0)
    assert (tmp_path / tasks[0].key).read_text(encoding="utf-8") == "x"
    assert {row["attempt"] for row in read_study(path, STUDY).values()} == {1}


def test_a_task_whose_workers_always_die_fails_and_no_other(tmp_path: Path, path: Path) -> None:
    tasks = [train(1, label=f"{DIES} always"), *trains(4)[1:]]
    deadly = LocalProcesses(2, partial(dies_at_label, tmp_path, n_deaths=MAX_TRIES))
    end = run_study(path, STUDY, tasks, deadly)
    assert (end.n_done, end.n_failed) == (3, 1)
    assert (tmp_path / tasks[0].key).read_text(encoding="utf-8") == "x" * MAX_TRIES
    row = read_study(path, STUDY)[tasks[0].key]
    assert row["status"] == "failed"
    assert "worker" in row["error"]
    assert "SIGKILL" in row["error"]
    assert "\n" not in row["error"]
    later = run_study(path, STUDY, tasks, LocalProcesses(2))
    assert (later.n_before, later.n_done, later.n_failed) == (3, 1, 0)


def test_a_worker_that_gets_a_sigterm_is_no_result(tmp_path: Path, path: Path) -> None:
    tasks = [train(1, label=f"{DIES} once"), train(2)]
    workers = LocalProcesses(1, partial(is_interrupted_at_label, tmp_path))
    assert run_study(path, STUDY, tasks, workers).n_done == 2


@pytest.mark.parametrize(
    ("task", "says"),
    [
        (replace(train(1), parameters={"set_v": 11}), "0 to 10 V"),
        (replace(train(1), parameters={"loudness": 3}), "'loudness'"),
        (replace(train(1), parameters={"set_v": 5.0}), "5 V"),
        (replace(train(1), parameters={"device": "W99"}), "'W99'"),
        (replace(train(1), variant=StationVariant(n_devices=0)), "devices"),
        (replace(train(1), variant=StationVariant(n_devices=97)), "96"),
        (replace(train(1), places={"nowhere": "/x"}), "'nowhere'"),
    ],
)
def test_a_task_that_cannot_be_run_says_why_in_one_line(task: StudyTask, says: str) -> None:
    result = run_task(task)
    assert (result.status, result.rows) == ("failed", b"")
    assert says in result.error
    assert "\n" not in result.error
    assert "Traceback" not in result.error


def test_a_task_of_an_unknown_procedure_is_refused_before_anything_runs(path: Path) -> None:
    tasks = [train(1), replace(train(2), procedure="sing")]
    with pytest.raises(HilError, match="'sing'"):
        run_study(path, STUDY, tasks, InThisProcess())
    assert not path.exists()


def failing(asked: Sequence[StudyTask]) -> Callable[[StudyTask], Outcome]:
    def run(task: StudyTask) -> Outcome:
        return ValueError("two\nlines") if task in asked else result_of(task)

    return run


def test_only_what_failed_is_tried_again(path: Path) -> None:
    tasks = trains(4)
    end = run_study(path, STUDY, tasks, InThisProcess(failing(tasks[1:3])))
    assert (end.n_done, end.n_failed) == (2, 2)
    assert read_study(path, STUDY)[tasks[1].key]["error"] == "ValueError: two lines"
    second = InThisProcess(failing(tasks[1:2]))
    end = run_study(path, STUDY, tasks, second)
    assert (end.n_before, end.n_done, end.n_failed) == (2, 1, 1)
    assert second.asked == tasks[1:3]
    attempts = [read_study(path, STUDY)[task.key]["attempt"] for task in tasks]
    assert attempts == [1, 2, 2, 1]
    assert len(results_of(path, STUDY, question(), (1,))) == 0


def test_what_other_software_made_is_refused(path: Path) -> None:
    def older(task: StudyTask) -> StudyResult:
        versions = software_versions() | {"memristor-hil": "0.0.9"}
        return result_of(task, versions=versions, host="node7", rows=b"whatever")

    end = run_study(path, STUDY, trains(1), InThisProcess(older))
    assert (end.n_done, end.n_failed) == (0, 1)
    (row,) = read_study(path, STUDY).values()
    ours = software_versions()["memristor-hil"]
    assert row["error"] == (
        f"host node7 runs memristor-hil 0.0.9, this is {ours}: install the same version there"
    )
    assert row["results"] == {}
    assert run_study(path, STUDY, trains(1), InThisProcess()).n_done == 1


# --- the command --------------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command has a small study, of which one task has a parameter that is out of range."""
    asked = question(n=3)
    bad = ({"k": "bad"}, lambda seed: replace(train(seed), parameters={"set_v": 99}))
    wrong = replace(question("wrong", n=2), points=[*question("wrong", n=1).points, bad])
    monkeypatch.setattr(procedures.cli.study, "questions", lambda quick: [asked, wrong])


@pytest.mark.usefixtures("small")
def test_the_command_says_what_it_did_and_goes_on(path: Path, hil: Hil) -> None:
    command = ("study", STUDY, "--db", path, "--question", "small", "--workers", 2)
    said = hil(*command, "--seeds", 1)
    assert (said.code, said.err) == (0, "")
    assert "3 runs, 0 done before, 3 now, 0 failed" in said.out
    said = hil(*command, "--seeds", 2, "--rows", "none")
    assert "6 runs, 3 done before, 3 now, 0 failed" in said.out
    with RunDatabase(path) as opened:
        assert len(opened.runs()) == 3, "those of the first seed"


@pytest.mark.usefixtures("small")
def test_a_task_that_fails_is_one_line_and_exit_code_1(path: Path, hil: Hil) -> None:
    command = ("study", STUDY, "--db", path, "--question", "wrong", "--workers", 1, "--seeds", 1)
    for n_before in (0, 1):
        said = hil(*command)
        assert said.code == 1
        assert "wrong: k bad, seed 1" in said.error_line
        assert "0 to 10 V" in said.error_line
        assert f"2 runs, {n_before} done before, {1 - n_before} now, 1 failed" in said.out
    attempts = sorted(row["attempt"] for row in read_study(path, STUDY).values())
    assert attempts == [1, 2]


FAILED, USAGE = 1, 2


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--question", "weather"), USAGE, ("'weather'", "accuracy")),
        (("--scheduler", "tcp://127.0.0.1:1", "--workers", 2), USAGE, ("--workers",)),
        (("--scheduler", "tcp://127.0.0.1:1"), FAILED, ("tcp://127.0.0.1:1", "refused")),
        (("--scheduler", "somewhere"), USAGE, ("'somewhere'", "tcp://HOST:PORT")),
        (("--scheduler", ""), USAGE, ("''", "tcp://HOST:PORT")),
        (("--scheduler", "tcp://127.0.0.1:port"), USAGE, ("tcp://HOST:PORT",)),
        (("--db", "no/study.sqlite"), FAILED, ("folder no", "create")),
        (("--db", "."), FAILED, ("not a file",)),
        (("--seeds", 0), USAGE, ("0",)),
        (("--workers", 0), USAGE, ("0",)),
        (("--rows", "some"), USAGE, ("some",)),
        (("--mnist", "no"), USAGE, ("no",)),
    ],
)
def test_what_is_wrong_is_one_line(
    arguments: tuple[object, ...],
    code: int,
    says: tuple[str, ...],
    tmp_path: Path,
    hil: Hil,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if "--scheduler" in arguments:
        pytest.importorskip("distributed", reason="needs the extra 'cluster'")
    monkeypatch.chdir(tmp_path)
    known = () if arguments[0] in ("--question", "--mnist") else ("--question", "circuit")
    said = hil("study", STUDY, "--quick", *known, *arguments)
    assert said.out == ""
    for part in says:
        assert part in said.error_line
    assert said.code == code


def start(path: Path, *options: str) -> subprocess.Popen[str]:
    """Begin the command with a small study, in a process group of its own."""
    options = (*options, "--db", str(path), "--workers", "2", "--seeds", "1")
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.studies", "study", STUDY, *options],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(path.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def end_of(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=PATIENCE_S)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert "Traceback" not in out + err, err
    return process.returncode, out, err


def go_on(path: Path) -> None:
    """The same command again: what is left is done, nothing twice."""
    n_before = n_stored(path)
    code, out, err = end_of(start(path))
    assert (code, err) == (0, "")
    assert f"{N_RUNS} runs, {n_before} done before, {N_RUNS - n_before} now, 0 failed" in out
    assert {row["attempt"] for row in read_study(path, STUDY).values()} == {1}


@linux_only
@pytest.mark.parametrize(
    ("number", "to_all"),
    [(signal.SIGINT, True), (signal.SIGTERM, False), (signal.SIGHUP, True)],
    ids=["Ctrl-C in a terminal", "SIGTERM", "terminal closed"],
)
def test_a_signal_stops_the_study_in_one_line(
    number: signal.Signals, to_all: bool, path: Path
) -> None:
    process = start(path)
    wait_until(lambda: n_stored(path) >= 1, "a result")
    workers = below(process.pid)
    assert len(workers) >= 2
    for _ in range(2):  # the second one changes nothing
        (os.killpg if to_all else os.kill)(process.pid, number)
    code, out, err = end_of(process)
    assert code == 3
    assert err == f"hil: stopped; the same command goes on from there ({path})\n"
    assert out == ""
    wait_until(lambda: not any(map(lives, workers)), "the workers to end")
    assert 1 <= n_stored(path) < N_RUNS
    assert {row["status"] for row in read_study(path, STUDY).values()} == {"done"}
    if number == signal.SIGTERM:
        go_on(path)


@linux_only
def test_ctrl_c_while_the_workers_begin_is_one_line_too(path: Path) -> None:
    process = start(path)
    wait_until(lambda: any(map(is_worker, below(process.pid))), "a worker to begin")
    os.killpg(process.pid, signal.SIGINT)
    code, _, err = end_of(process)
    assert code == 3
    assert err == f"hil: stopped; the same command goes on from there ({path})\n"


@linux_only
def test_a_study_that_is_killed_leaves_no_process_and_goes_on(path: Path) -> None:
    process = start(path)
    wait_until(lambda: n_stored(path) >= 1, "a result")
    workers = below(process.pid)
    assert len(workers) >= 2
    process.kill()
    process.communicate(timeout=PATIENCE_S)
    wait_until(lambda: not any(map(lives, workers)), "the workers to end")
    wait_until(lambda: not list(path.parent.glob("hil-study-*")), "what the workers left to go")
    go_on(path)
