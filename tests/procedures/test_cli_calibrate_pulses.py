"""``hil calibrate pulses``."""

from __future__ import annotations

from pathlib import Path

import pytest

from hil.records import load_record
from hil.store import RunDatabase
from tests.procedures.conftest import Hil

LEVELS = Path(__file__).parents[2] / "calibration" / "measured" / "sdc-pulse-levels.toml"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_shipped_levels_become_the_shipped_record(hil: Hil) -> None:
    said = hil("calibrate", "pulses", LEVELS, "--base", "w-typical", "--id", "mine")
    assert (said.code, said.err) == (0, "")
    assert "measured  110.3 +- 7.0 uS" in said.out
    mine, shipped = load_record("mine", ["records"]), load_record("w-pulsed")
    for name, quantity in shipped.parameters.items():
        assert mine.value(name) == pytest.approx(quantity.value, rel=1e-3), name
    with RunDatabase("runs.sqlite") as database:
        assert [stored.record.record_id for stored in database.calibrations()] == ["mine"]
    again = hil("calibrate", "pulses", LEVELS, "--base", "w-typical", "--id", "mine")
    assert again.code == 2
    assert "never edited" in again.err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((LEVELS, "--base", "w-m1"), 2, "of model 'mss'"),
        ((LEVELS, "--base", "none"), 2, "'none'"),
        (("no.toml", "--base", "w-typical"), 2, "no.toml: No such file"),
        ((LEVELS,), 2, "--base"),
    ],
)
def test_wrong_requests_write_nothing(
    hil: Hil, tmp_path: Path, arguments: tuple[object, ...], code: int, says: str
) -> None:
    said = hil("calibrate", "pulses", *arguments)
    assert (said.code, said.out) == (code, "")
    assert says in said.err
    assert len(said.err.splitlines()) == 1
    assert not list(tmp_path.iterdir())
