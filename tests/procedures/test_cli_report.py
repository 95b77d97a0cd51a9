"""``hil report``: a page of what a study found, made from its database alone."""

from __future__ import annotations

import builtins
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hil.store import StudyStore
from procedures.cli.report import report
from procedures.studies.eslami import STUDY
from procedures.studies.eslami.plan import questions
from procedures.studies.study import Point
from procedures.studies.tasks import StudyTask
from tests.procedures.conftest import Hil
from tests.support.eslami import fill, variant_of
from tests.support.studies import result_of, train

for package in ("matplotlib", "jinja2"):
    pytest.importorskip(package, reason="reports need the extra 'plot'")

CLAIMS = ["a", "b1", "b2", "c1", "c2", "d", "e"]
FIGURES = {
    *("accuracy", "training-noise", "gaussian-noise", "conductance-error", "tolerance"),
    *("dopant-cost", "energy-split", "cycles", "sensitivity", "influence", "retraining"),
    *("in-situ-controller", "in-situ-circuit", "handwriting"),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study in which every claim holds; only read."""
    path = tmp_path_factory.mktemp("study") / "study.sqlite"
    assert fill(path, (1, 2, 3)) > 200
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of one question, which makes one figure; only read."""
    path = tmp_path_factory.mktemp("small") / "study.sqlite"
    fill(path, names=["retraining"])
    return path


def plain(html: str) -> str:
    """Return the text of a page as it was written: no tags, usual spaces and signs."""
    text = re.sub(r"<[^>]+>", " ", re.sub(r"<(svg|style).*?</\1>", "", html, flags=re.DOTALL))
    for one, other in (("\N{NO-BREAK SPACE}", " "), ("\N{MINUS SIGN}", "-"), ("&#39;", "'")):
        text = text.replace(one, other)
    return re.sub(r"\s+", " ", text)


@dataclass(frozen=True)
class Written:
    """A report of the whole study: what the command said, and where it is."""

    said: str
    folder: Path


@pytest.fixture(scope="module")
def written(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp("out") / "report"
    said = CliRunner().invoke(report, ["eslami", "--db", str(whole), "--out", str(folder)])
    assert said.exit_code == 0, said.output
    return Written(said.output, folder)


@pytest.fixture(scope="module")
def page(written: Written) -> str:
    return (written.folder / "index.html").read_text(encoding="utf-8")


# --- what the command says ------------------------------------------------------------------------


def test_it_names_the_page_and_every_verdict(written: Written) -> None:
    first, *lines = written.said.splitlines()
    assert first == f"report: {written.folder / 'index.html'}"
    assert [line.split()[0] for line in lines] == CLAIMS
    assert all(" holds " in line for line in lines)
    assert {path.name for path in written.folder.iterdir()} == {"index.html", "figures"}
    names = {path.name for path in (written.folder / "figures").iterdir()}
    assert names == {f"{name}.{suffix}" for name in FIGURES for suffix in ("svg", "png")}


def test_one_document_for_scripts(hil: Hil, tmp_path: Path) -> None:
    fill(tmp_path / "s.sqlite", (1, 2, 3), names=["accuracy"])
    said = hil("report", "eslami", "--db", tmp_path / "s.sqlite", "--out", tmp_path / "r", "--json")
    document = json.loads(said.out)
    assert document["page"] == str(tmp_path / "r" / "index.html")
    assert "accuracy" in document["figures"]
    assert document["seeds"] == [1, 2, 3]
    assert (document["runs"], document["failed"]) == (36, 0)
    assert document["planned"] > 200
    assert [claim["claim"] for claim in document["claims"]] == CLAIMS
    assert [claim["holds"] for claim in document["claims"]] == [True, *[None] * 6]
    evidence = document["claims"][0]["evidence"]["accuracy at 5 % flipped pixels"]
    assert evidence["mean"] == pytest.approx(0.979)
    assert evidence["n"] == 3


# --- the page -------------------------------------------------------------------------------------


def test_the_page_says_what_it_is(page: str) -> None:
    text = plain(page)
    assert "Nothing here was measured on a bench." in text
    assert "reconstruction" in text
    assert "Cr and C are assumed" in text
    assert "claims a, b1, b2, c1, c2, d and e of the paper hold" in text
    assert "This study is not complete" not in text
    assert "memristor-hil 0.1.0" in text


def test_numbers_of_the_study_appear(page: str) -> None:
    text = plain(page)
    assert "97.9 % (97.7 to 98.1)" in text  # accuracy, three seeds
    assert "80.0 ms and 630 µJ, a mean power of 7.88 mW" in text
    assert "1 V drives through 127 Ω, or 5 V through 3.17 kΩ" in text
    assert "the reset takes 6.00 s" in text
    assert "as in the paper, Cr needs least" in text
    assert "Cr, the best of the paper, is first in 100 %" in text
    assert "hil study eslami --db study.sqlite --seeds 3" in text


def test_secondary_sources_are_named_as_such(page: str) -> None:
    text = plain(page)
    assert "S1, S2: secondary and unchecked" in text
    assert "accuracy is degraded at 15 % S2" in text


def test_the_page_is_one_file_in_both_themes(page: str) -> None:
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page
    assert not re.findall(r"https?://|@import|<script|<link|url\((?!#)", page)
    assert page.count("<svg") == len(FIGURES)
    inline = "".join(re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL))
    assert "var(--ink)" in inline
    assert "#1c1c1e" not in inline  # ink: would vanish in the dark
    identities = re.findall(r'\bid="([^"]+)"', page)
    assert len(set(identities)) == len(identities)


def test_every_section_of_the_contents_is_there(page: str) -> None:
    anchors = re.findall(r'<a href="#([^"]+)"', page)
    assert len(anchors) == 14
    for anchor in anchors:
        assert f'<section id="{anchor}">' in page


# --- parts of a study, and other results ----------------------------------------------------------


def report_of(hil: Hil, database: Path, folder: Path) -> tuple[Mapping[str, Any], str]:
    said = hil("report", "eslami", "--db", database, "--out", folder, "--json")
    assert said.code == 0, said.err
    return json.loads(said.out), plain((folder / "index.html").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "name",
    [
        *("accuracy", "training-noise", "gaussian-noise", "conductance-error", "tolerance"),
        *("dopant", "sensitivity", "retraining", "circuit", "in-situ", "handwriting"),
    ],
)
def test_any_question_alone_makes_a_report(hil: Hil, tmp_path: Path, name: str) -> None:
    database = tmp_path / "study.sqlite"
    fill(database, (4,), names=[name])
    document, text = report_of(hil, database, tmp_path / "r")
    assert "This study is not complete" in text
    assert "Not run in this study" in text
    assert {claim["verdict"] for claim in document["claims"]} == {"not judged"}


def test_a_single_point_makes_a_report(hil: Hil, tmp_path: Path) -> None:
    def only(point: Point) -> bool:
        return point.get("dopant") == "C" and point.get("reset") is True

    fill(tmp_path / "s.sqlite", (1, 2), names=["dopant"], only=only)
    _, text = report_of(hil, tmp_path / "s.sqlite", tmp_path / "r")
    assert "C, ladder, with reset" in text


def test_a_claim_that_falls_says_why(hil: Hil, tmp_path: Path) -> None:
    def slow(task: StudyTask, metrics: dict[str, float]) -> None:
        if variant_of(task).dopant == "Cr":
            metrics["training_time_s"] += 50.0 + task.seed

    fill(tmp_path / "s.sqlite", (1, 2, 3), names=["dopant"], change=slow)
    document, text = report_of(hil, tmp_path / "s.sqlite", tmp_path / "r")
    verdicts = {claim["claim"]: claim["verdict"] for claim in document["claims"]}
    assert verdicts["d"] == "holds"
    assert verdicts["e"] == "does not hold"
    assert "Claim e does not hold here." in text
    assert "The opposite is found for W less Cr: time, -41.9 s (" in text
    assert "W needs least, not Cr as in the paper" in text


def test_failed_runs_are_told(hil: Hil, tmp_path: Path) -> None:
    database = tmp_path / "s.sqlite"
    fill(database, (1,), names=["accuracy"])
    (dopant,) = (q for q in questions() if q.name == "dopant")
    _, task = list(dopant.tasks((1,)))[-1]
    failed = result_of(task, status="failed", error="LinkError: <gone> & away", results={})
    with StudyStore(database, STUDY) as store:
        store.add(failed)
    document, text = report_of(hil, database, tmp_path / "r")
    assert document["failed"] == 1
    assert "1 failed" in text
    assert "LinkError: &lt;gone&gt; &amp; away" in text


# --- what it refuses ------------------------------------------------------------------------------


def test_no_database(hil: Hil, tmp_path: Path) -> None:
    said = hil("report", "eslami", "--db", tmp_path / "none.sqlite", "--out", tmp_path / "r")
    assert said.code == 1
    assert "none.sqlite" in said.error_line
    assert not (tmp_path / "r").exists()


def test_a_database_without_a_study(hil: Hil, tmp_path: Path) -> None:
    with StudyStore(tmp_path / "s.sqlite", "another") as store:
        store.add(result_of(train(1)))
    said = hil("report", "eslami", "--db", tmp_path / "s.sqlite", "--out", tmp_path / "r")
    assert said.code == 1
    assert "holds no results of the study 'eslami'; run `hil study eslami" in said.error_line


def test_results_that_the_plan_does_not_ask_for(hil: Hil, tmp_path: Path) -> None:
    with StudyStore(tmp_path / "s.sqlite", STUDY) as store:
        store.add(result_of(train(1)))
    said = hil("report", "eslami", "--db", tmp_path / "s.sqlite", "--out", tmp_path / "r")
    assert "holds 1 runs" in said.error_line
    assert not (tmp_path / "r").exists()


def test_a_folder_of_somebody_else_is_left_alone(hil: Hil, small: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "thesis"
    foreign.mkdir()
    (foreign / "index.html").write_text("<html>mine</html>", encoding="utf-8")
    said = hil("report", "eslami", "--db", small, "--out", foreign)
    assert said.code == 2
    assert "holds no report of this command; choose another with --out" in said.error_line
    assert (foreign / "index.html").read_text(encoding="utf-8") == "<html>mine</html>"
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    assert "is no folder" in hil("report", "eslami", "--out", tmp_path / "file").error_line


def test_an_older_report_is_replaced_as_a_whole(hil: Hil, small: Path, tmp_path: Path) -> None:
    part, out = tmp_path / "s.sqlite", tmp_path / "r"
    fill(part, (1, 2), names=["in-situ"])
    assert hil("report", "eslami", "--db", small, "--out", out).code == 0
    assert len(list((out / "figures").iterdir())) == 2
    assert hil("report", "eslami", "--db", part, "--out", out).code == 0
    left = {path.stem for path in (out / "figures").iterdir()}
    assert left == {"in-situ-controller", "in-situ-circuit"}
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_report_with_a_file_of_somebody_else_is_left_alone(
    hil: Hil, small: Path, tmp_path: Path
) -> None:
    assert hil("report", "eslami", "--db", small, "--out", tmp_path / "r").code == 0
    (tmp_path / "r" / "notes.txt").write_text("mine", encoding="utf-8")
    assert hil("report", "eslami", "--db", small, "--out", tmp_path / "r").code == 2
    assert (tmp_path / "r" / "notes.txt").exists()


def test_half_a_report_is_never_left(
    hil: Hil, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert hil("report", "eslami", "--db", small, "--out", tmp_path / "r").code == 0
    before = (tmp_path / "r" / "index.html").read_bytes()
    write = Path.write_bytes

    def is_full(path: Path, data: bytes) -> int:
        if path.name == "retraining.png":
            raise OSError(28, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", is_full)
    said = hil("report", "eslami", "--db", small, "--out", tmp_path / "r")
    assert said.code == 1
    assert "the report cannot be written: No space left on device" in said.error_line
    assert (tmp_path / "r" / "index.html").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


@pytest.mark.parametrize("package", ["matplotlib", "jinja2"])
def test_what_is_not_installed_is_named(
    hil: Hil, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.split(".")[0] == package:
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    said = hil("report", "eslami", "--db", small, "--out", tmp_path / "r")
    assert said.code == 1
    assert said.error_line == f"reports need {package}: pip install 'memristor-hil[plot]'"
    assert not (tmp_path / "r").exists()


def test_nothing_changes_by_itself(hil: Hil, small: Path, tmp_path: Path) -> None:
    pages = []
    for name in ("r", "s"):
        assert hil("report", "eslami", "--db", small, "--out", tmp_path / name).code == 0
        pages.append((tmp_path / name / "index.html").read_bytes())
    assert pages[0] == pages[1]
