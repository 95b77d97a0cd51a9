"""``hil shadow``, ``hil compare`` and ``hil drift``, as a person uses them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.procedures.conftest import Hil
from tests.support.twins import OTHER, SOUND, twin_file

SHORT = ("--set-pulses", 3, "--reset-pulses", 3, "--cycles", 1)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    twin_file(tmp_path, "sound")
    twin_file(tmp_path, "moved", drifted=[0])
    return tmp_path


def shadow(hil: Hil, *more: object) -> Any:
    return hil("shadow", "pulse-train", *SHORT, "--station", "sound.toml", *more)


def test_a_shadowed_run_in_words(hil: Hil) -> None:
    said = shadow(hil)
    assert (said.code, said.err) == (0, "")
    assert "no device drifted from its twin" in said.out
    assert "conductance" in said.out
    said = hil("show", "latest")
    assert "shadow: no device drifted" in said.out


def test_a_device_that_has_drifted_is_named_and_fails_the_command(hil: Hil) -> None:
    said = shadow(hil, "--twin", "moved.toml")
    assert said.code == 1
    assert "drifted from the twin: W01" in said.out
    assert "PulseTrain, finished" in said.out
    assert shadow(hil, "--twin", "moved.toml", "--model-uncertainty", 2).code == 0


def test_a_run_that_was_stopped_says_why(hil: Hil) -> None:
    said = shadow(hil, "--twin", "moved.toml", "--stop-on-divergence")
    assert said.code == 3
    assert said.error_line.endswith("aborted: stopped: W01 drifted from the twin")


def test_a_shadowed_run_as_json(hil: Hil) -> None:
    found = json.loads(shadow(hil, "--json", "--twin-seed", 9).out)
    assert found["status"] == "finished"
    assert found["shadow"]["drifted"] == []
    assert {row["device"] for row in found["shadow"]["scores"]} == {"W01"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--twin", "none.toml"), "no station 'none.toml'"),
        (("--model-uncertainty", "-1"), "--model-uncertainty"),
        (("--set-v", "99"), "set_v = 99 V"),
    ],
)
def test_wrong_use_of_shadow(hil: Hil, arguments: tuple[str, ...], message: str) -> None:
    said = shadow(hil, *arguments)
    assert said.code == 2
    assert message in said.error_line


def test_a_run_beside_its_twin(hil: Hil, here: Path) -> None:
    hil("run", "pulse-train", *SHORT, "--station", "sound.toml")
    said = hil("compare", "latest", "--twin", SOUND, "--out", "picture.png")
    assert (said.code, said.err) == (0, "")
    assert "R2 of conductance" in said.out
    assert "the twin agrees within its stated uncertainty" in said.out
    assert (here / "picture.png").stat().st_size > 10_000
    said = hil("compare", "--twin", "moved.toml")
    assert said.code == 1
    assert "differs from the twin: W01" in said.out


def test_a_comparison_as_json(hil: Hil) -> None:
    hil("run", "iv-sweep", "--points", 24, "--loops", 1, "--station", "sound.toml")
    found = json.loads(hil("compare", "--twin", OTHER, "--json").out)
    assert found["verdict"] == "differs"
    assert found["differing"] == ["W01"]
    assert found["twins"]["W01"]["record_id"] == OTHER
    assert {curve["quantity"] for curve in found["curves"]} == {"current"}
    quantities = {v["quantity"] for v in found["verdicts"]}
    assert {"current (rms)", "energy", "SET voltage", "RESET voltage"} <= quantities


def test_drift_names_what_has_drifted(hil: Hil) -> None:
    hil("run", "pulse-train", *SHORT, "--station", "sound.toml")
    said = hil("drift", "latest", "--against", SOUND)
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines()[-1] == "no device drifted"
    hil("run", "pulse-train", *SHORT, "--station", "moved.toml")
    said = hil("drift", "latest", "--against", SOUND)
    assert said.code == 1
    assert said.out.splitlines()[-1] == "drifted: W01"
    found = json.loads(hil("drift", "latest", "--against", SOUND, "--json").out)
    assert found["drifted"] == ["W01"]
    assert found["events"][0]["device"] == "W01"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("compare", "latest", "--twin", "w-m9"), 2, "no station 'w-m9'"),
        (("compare", "latest", "--twin", SOUND, "--out", "x.bmp"), 2, "a picture is one of"),
        (("compare", "ZZZ", "--twin", SOUND), 1, "no run starts with 'ZZZ'"),
        (("drift",), 2, "RUN"),
    ],
)
def test_wrong_use(hil: Hil, arguments: tuple[str, ...], code: int, message: str) -> None:
    hil("run", "pulse-train", *SHORT, "--station", "sound.toml")
    said = hil(*arguments)
    assert said.code == code
    assert message in said.error_line
