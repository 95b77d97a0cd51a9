"""What the README tells a newcomer to type works as it stands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from procedures.cli import main
from procedures.registry import PROCEDURES
from tests.support.arrays import array_file

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
_UNTIL_STOPPED = ("hil twin serve", "hil gui")
_SHORTER = {
    "hil study residual": " --seeds 1 --question digits-quick",
    "hil study eslami": " --seeds 1 --question circuit --question in-situ",
    "hil run program-array": " --station array.toml",
}
"""What takes minutes is run on less."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    lines = [line.split("#")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith("hil ")]


def shortened(command: str) -> str:
    return command + "".join(more for start, more in _SHORTER.items() if command.startswith(start))


def test_every_command_of_the_tour_works_in_an_empty_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    tour = [command for command in commands() if not command.startswith(_UNTIL_STOPPED)]
    assert len(tour) >= 10
    array_file(tmp_path / "array.toml", 3, 3)
    for command in map(shortened, tour):
        with pytest.raises(SystemExit) as end:
            main(shlex.split(command)[1:])
        assert end.value.code == 0, (command, capsys.readouterr().err)
    left = {path.name for path in tmp_path.iterdir()}
    assert left >= {"runs.sqlite", "loop.png", "exported", "study.sqlite", "report-eslami"}
    assert "report-residual" in left


def test_the_tour_runs_every_procedure() -> None:
    named = {word for command in commands() for word in command.split()}
    assert named >= set(PROCEDURES)


def test_every_python_block_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert blocks("python")
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), {})
    assert "finished" in capsys.readouterr().out


def test_every_link_leads_somewhere() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    local = [target for target in targets if "://" not in target]
    assert local
    missing = [target for target in local if not (Path(__file__).parents[2] / target).exists()]
    assert not missing
