from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from hil.errors import HilError, IdentityError, LinkError, StationError
from hil.opening import GROUP, board_kinds, open_board
from hil.station import Station, load_station, parse_station
from hil.types import Source
from tests.support.rigs import small_station, station_text

NOBODY = {"smu": "TCPIP0::127.0.0.1::1::SOCKET", "switch_board": "/dev/ttyNOPE"}


def test_the_kinds_of_boards_that_there_are() -> None:
    assert board_kinds() == {
        "smu": "hil.boards.assembly:open_smu_board",
        "twin": "twin.opening:open_direct",
        "twin-crossbar": "twin.opening:open_crossbar",
        "twin-wire": "twin.opening:open_wire",
        "twin-tiles": "twin.tile_board:open_tiles",
    }


@pytest.mark.parametrize("name", ["twin", "twin-wire"])
def test_a_shipped_station_is_opened_by_name(name: str) -> None:
    with open_board(name) as board:
        assert board.info.station == board.info.kind == name
        assert board.info.source is Source.TWIN
        assert len(board.measure([[0, 0]], 0.1)) == 1


@pytest.mark.parametrize("kind", ["twin", "twin-wire"])
def test_the_seed_of_the_caller_goes_before_that_of_the_station(kind: str) -> None:
    def first_reading(seed: int | None) -> float:
        with open_board(small_station(kind), seed=seed) as board:
            return float(board.measure([[0, 0]], 0.1).i_a[0])

    assert first_reading(None) == first_reading(1) != first_reading(2)


def missing(fallback: str = "none") -> Station:
    text = station_text("smu", source="bench", addresses=NOBODY, fallback=fallback)
    return parse_station(text)


def test_a_board_that_does_not_answer_is_an_error_unless_its_twin_may_take_over() -> None:
    with pytest.raises(LinkError, match=r"refused.*--fallback twin"):
        open_board(missing())
    with open_board(missing(), fallback="twin") as board:
        assert board.info.source is Source.TWIN
        assert board.info.source_reason.startswith("fallback: ")
        assert "refused" in board.info.source_reason
        assert board.measure([[0, 0]], 0.1).source is Source.TWIN


def test_the_station_may_allow_it_and_the_caller_forbid_it() -> None:
    with open_board(missing(fallback="twin")) as board:
        assert board.info.source is Source.TWIN
    with pytest.raises(LinkError):
        open_board(missing(fallback="twin"), fallback="none")


def test_an_identity_is_no_reason_to_fall_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def impostor(*_: object, **__: object) -> None:
        raise IdentityError("a twin answers")

    monkeypatch.setattr("hil.boards.assembly.open_smu_board", impostor)
    with pytest.raises(IdentityError):
        open_board(missing(), fallback="twin")


def test_a_kind_that_nobody_provides() -> None:
    station = parse_station(station_text("abacus"), "my.toml")
    with pytest.raises(StationError, match=r"my\.toml: board: .*'abacus'.*twin-wire"):
        open_board(station)


def test_a_kind_that_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = EntryPoint("twin", "no.such.module:open", GROUP)
    monkeypatch.setattr("hil.opening.entry_points", lambda **_: [broken])
    with pytest.raises(HilError, match="cannot be loaded"):
        open_board(load_station("twin"))
