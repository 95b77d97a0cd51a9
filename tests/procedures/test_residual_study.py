"""The study of residual learning: its plan, its command, and what the report makes of results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hil.store import StudyStore, read_study
from procedures.learning.analog.methods import Method
from procedures.studies.residual import STUDY
from procedures.studies.residual.plan import PRESETS, needs_mnist, plan, questions, seeds_of
from procedures.studies.residual.settings import CHOSEN, TUNING
from procedures.studies.tasks import StudyTask
from procedures.tile_training import TileTrainingProcedure
from tests.procedures.conftest import Hil
from tests.support.studies import result_of

ALL = [question.name for question in questions()]
ACCURACY = {1: 0.55, 2: 0.65, 3: 0.811, 4: 0.822, 6: 0.833}


def made_up(task: StudyTask) -> dict[str, Any]:
    """Return results: each tile makes the error ten times less; later epochs are better."""
    n_tiles = int(task.as_json["parameters"]["n_tiles"])
    values = {
        "test_accuracy": ACCURACY.get(n_tiles, 0.9),
        "loss": 1 / n_tiles,
        "median_squared_error": 10.0**-n_tiles,
        "tile_pulses": 6e4,
        "tile_reads": 1.2e5,
        "tile_products": 6e5,
        "tile_time_s": 0.06,
        "tile_energy_j": 6e-5,
    }
    metrics = {name: [[1.0, value]] for name, value in values.items()}
    return {"metrics": metrics, "energy": {}, "bench_time_s": 0.0, "n_pulses": 0, "cycles": {}}


def fill(path: Path, names: tuple[str, ...]) -> None:
    with StudyStore(path, STUDY) as store:
        for _, task in plan(names, 2):
            store.add(result_of(task, results=made_up(task)))


def test_presets_name_questions_that_there_are() -> None:
    assert {name for names in PRESETS.values() for name in names} == set(ALL)


def test_every_task_of_the_plan_is_a_training_with_parameters_that_exist() -> None:
    keys = set()
    n_tasks = 0
    for question in questions():
        for _, task in question.tasks(seeds_of(question.name)):
            names = set(TileTrainingProcedure.parameter_names()) | {"steps"}
            assert set(task.parameters) <= names
            keys.add(task.key)
            n_tasks += 1
    assert len(keys) == n_tasks, "no task is asked twice"


def test_every_method_is_tried_with_as_many_settings() -> None:
    assert {len(settings) for settings in TUNING.values()} == {4}
    tried = {str(setting["method"]) for settings in TUNING.values() for setting in settings}
    assert tried == {method.value for method in Method}
    assert all(setting in TUNING[method] for (method, _, _), setting in CHOSEN.items())
    tuned_on = set(seeds_of("digits-tuning"))
    assert not tuned_on & set(seeds_of("digits")), "seeds of results had no part in the choice"


def test_only_tasks_on_mnist_are_left_out_without_it(
    hil: Hil, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIL_MNIST", str(tmp_path))
    assert any(needs_mnist(task) for _, task in plan(("mnist-short",), 1))
    said = hil("study", STUDY, "--db", tmp_path / "s.sqlite", "--question", "mnist-short")
    assert said.code == 0
    assert "MNIST is left out" in said.err
    assert "0 runs" in said.out


def test_an_unknown_question_is_one_line(hil: Hil, tmp_path: Path) -> None:
    said = hil("study", STUDY, "--db", tmp_path / "s.sqlite", "--question", "nonsense")
    assert said.code == 2
    assert "no question 'nonsense'; there are toy-theory" in said.error_line


def test_the_report_prints_published_figures_beside_ours(hil: Hil, tmp_path: Path) -> None:
    path, out = tmp_path / "s.sqlite", tmp_path / "r"
    fill(path, ("toy-theory", "toy-published", "mnist-short", "mnist-published", "digits", "board"))
    said = hil("report", STUDY, "--db", path, "--out", out)
    assert (said.code, said.err) == (0, "")
    text = (out / "index.html").read_text(encoding="utf-8").replace("\N{NO-BREAK SPACE}", " ")
    for shown in ("81.10", "95.07 ± 0.35 %", "98.53 ± 0.09 %", "1.00e-04", "not complete"):
        assert shown in text, shown
    assert "3024.5" in text, "the cost model"
    assert "arXiv 2510.02516" in text
    assert "2408.14680" not in text
    assert (out / "figures" / "toy.svg").stat().st_size > 1000
    again = hil("report", STUDY, "--db", path, "--out", out, "--json")
    assert again.code == 0, "an older report is replaced"


def test_a_part_of_a_study_is_a_part_of_a_report(hil: Hil, tmp_path: Path) -> None:
    path, out = tmp_path / "s.sqlite", tmp_path / "r"
    fill(path, ("toy-theory",))
    assert hil("report", STUDY, "--db", path, "--out", out).code == 0
    text = (out / "index.html").read_text(encoding="utf-8")
    assert "hil study residual --question mnist-short" in text
    said = hil("report", "eslami", "--db", path, "--out", out)
    assert said.code == 2, "it is no report of that study"


def test_nothing_to_report_is_one_line(hil: Hil, tmp_path: Path) -> None:
    with StudyStore(tmp_path / "s.sqlite", STUDY):
        pass
    said = hil("report", STUDY, "--db", tmp_path / "s.sqlite", "--out", tmp_path / "r")
    assert said.code == 1
    assert "holds no results of the study 'residual'" in said.error_line
    assert not (tmp_path / "r").exists()


def test_a_study_goes_on_from_what_is_done(hil: Hil, tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    fill(path, ("digits-quick",))
    n_done = len(read_study(path, STUDY))
    said = hil("study", STUDY, "--db", path, "--question", "digits-quick", "--workers", 1)
    assert said.code == 0
    assert f"{n_done} runs, {n_done} done before, 0 now" in said.out
