from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from serial.urlhandler import protocol_socket

from hil.opening import open_board
from hil.station import load_station
from tests.support.rigs import (
    NEURONS,
    Rig,
    direct_rig,
    in_process_rig,
    served_rig,
    small_station,
)

WIRES = ["twin-wire", "tcp", "pty"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the contract on every twin, and on the station of ``--board`` if there is one."""
    if "rig" not in metafunc.fixturenames:
        return
    kinds = list(WIRES)
    if "wire_rig" not in metafunc.fixturenames:
        kinds.insert(0, "twin")
        if "twin_rig" not in metafunc.fixturenames and metafunc.config.getoption("--board"):
            kinds.append("--board")
    metafunc.parametrize("rig", kinds, indirect=True)


@pytest.fixture(autouse=True)
def _closing_a_socket_takes_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the 0.3 s that pyserial sleeps after closing a ``socket://`` port."""
    monkeypatch.setattr(protocol_socket, "time", SimpleNamespace(sleep=lambda dt_s: None))


@pytest.fixture
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """Any board."""
    match request.param:
        case "twin":
            made = direct_rig(small_station("twin", extra=NEURONS))
            with made.board:
                yield made
        case "twin-wire":
            made = in_process_rig(small_station())
            with made.board:
                yield made
            made.assert_is_safe()
        case "tcp" | "pty" as wire:
            with served_rig(small_station(), wire) as made:
                yield made
            made.assert_is_safe()
        case _:
            station = load_station(request.config.getoption("--board"))
            with open_board(station) as board:
                yield Rig("--board", station, board)


@pytest.fixture
def twin_rig(rig: Rig) -> Rig:
    """A board of which the truth is known."""
    return rig


@pytest.fixture
def wire_rig(rig: Rig) -> Rig:
    """A board that the shipped drivers drive."""
    return rig
