"""``hil data``: what is there, what is not, and how to get it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from procedures.learning.mnist import MD5
from tests.procedures.conftest import Hil
from tests.support.idx_files import write_small_mnist
from tests.support.supplied import supplied


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("HIL_MNIST", "HIL_KNOWM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    return tmp_path


def data_sets(hil: Hil, *options: object, code: int = 0) -> dict[str, Any]:
    said = hil("data", "--json", *options)
    assert said.code == code
    return {found["name"]: found for found in json.loads(said.out)["data_sets"]}


def states(found: dict[str, Any]) -> list[str]:
    return [file["state"] for file in found["files"]]


def test_nothing_is_there(hil: Hil, here: Path) -> None:
    said = hil("data")
    assert said.code == 0
    for text in (
        "mnist: not found",
        "knowm: not found",
        str(here / "data" / "mnist"),
        str(here / "xdg" / "memristor-hil" / "knowm"),
        "HIL_MNIST",
        "github.com/knowm/memristor-discovery, data/",
        "hil import memristor-discovery FOLDER",
        *MD5,
        *MD5.values(),
    ):
        assert text in said.out, text
    assert hil("data", "--check").code == 1


def test_the_document_says_the_same(hil: Hil, here: Path) -> None:
    found = data_sets(hil)["mnist"]
    assert found["found"] is False
    assert found["folder"] == ""
    assert found["looked_at"] == [
        str(here / "data" / "mnist"),
        str(here / "xdg" / "memristor-hil" / "mnist"),
    ]
    assert {file["name"]: file["md5"] for file in found["files"]} == MD5
    assert states(found) == ["missing"] * 4


@pytest.mark.parametrize("gz", [False, True])
def test_files_that_are_there_and_wrong(hil: Hil, here: Path, gz: bool) -> None:
    folder = here / "data" / "mnist"
    folder.mkdir(parents=True)
    write_small_mnist(folder, gz)
    found = data_sets(hil)["mnist"]
    assert found["found"] is True
    assert found["folder"] == str(folder)
    assert states(found) == ["present"] * 4
    checked = data_sets(hil, "--check", code=1)["mnist"]
    assert states(checked) == ["wrong"] * 4
    assert all("get it again" in file["reason"] for file in checked["files"])
    assert "wrong" in hil("data", "--check").out


def test_a_damaged_file_is_wrong_and_does_not_end_the_check(hil: Hil, here: Path) -> None:
    write_small_mnist(here, gz=True)
    path = here / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-20])
    found = data_sets(hil, "--check", "--mnist-folder", here, code=1)["mnist"]
    assert "cut off" in found["files"][0]["reason"]
    assert states(found) == ["wrong"] * 4


def test_a_set_that_is_not_complete(hil: Hil, here: Path) -> None:
    write_small_mnist(here)
    (here / "t10k-images-idx3-ubyte").unlink()
    found = data_sets(hil, "--mnist-folder", here)["mnist"]
    assert found["found"] is False
    assert found["folder"] == str(here)
    assert states(found) == ["present", "present", "missing", "present"]
    said = hil("data", "--mnist-folder", here, "--check")
    assert said.code == 1
    assert f"mnist: not complete in {here}" in said.out


def test_loops_of_both_ways_to_name_them(hil: Hil, here: Path) -> None:
    folder = here / "data" / "knowm"
    (folder / "5k" / "5k_M1").mkdir(parents=True)
    (folder / "5k" / "5k_M1" / "Memristor.csv").touch()
    (folder / "Rs5k_0p8V_1Hz_M1_memristor.csv").touch()
    (folder / "index.csv").touch()
    found = data_sets(hil)["knowm"]
    assert found["found"] is True
    assert [file["name"] for file in found["files"]] == [
        str(Path("5k", "5k_M1", "Memristor.csv")),
        "Rs5k_0p8V_1Hz_M1_memristor.csv",
    ]
    assert "present   2 loops" in hil("data").out


def test_the_published_files_are_right(hil: Hil) -> None:
    folder = supplied("mnist")
    found = data_sets(hil, "--check", "--mnist-folder", folder)["mnist"]
    assert states(found) == ["right"] * 4


def test_the_task_names_what_hil_data_explains(hil: Hil) -> None:
    said = hil("run", "on-chip-training", "--station", "twin", "--task", "handwriting")
    assert said.code != 0
    assert "`hil data`" in said.error_line
