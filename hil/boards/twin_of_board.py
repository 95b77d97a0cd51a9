"""What a twin can do that no bench can: take over a state, and say how good its model is."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from hil.board import Board
from hil.boards.model_uncertainty import ModelUncertainty
from hil.errors import StationError
from hil.types import BoardInfo, CellArray, FloatArray


@runtime_checkable
class TwinOfBoard(Board, Protocol):
    """A board that can take over the state of another one: a twin."""

    def adopt(self, cells: CellArray, g_siemens: FloatArray, v_device_v: FloatArray) -> None:
        """Put devices into the state that has these conductances, or the nearest that they have.

        Args:
            cells: which, none twice.
            g_siemens: conductance of each, as read.
            v_device_v: voltage across each at which it was read.
        """
        ...

    def model_uncertainty(self, cells: CellArray) -> list[ModelUncertainty]:
        """Return how far the model of each device may be from the device."""
        ...


def require_same_devices(twin: BoardInfo, board: BoardInfo) -> None:
    """Refuse a twin that has other devices than a board, or has them in other places.

    Raises:
        StationError: it has.
    """
    missing = sorted({d.name for d in board.devices} - {d.name for d in twin.devices})
    if missing:
        raise StationError(
            f"the twin station {twin.station!r} has no device {missing[0]!r}, which station "
            f"{board.station!r} has; give the twin of the same devices"
        )
    elsewhere = [d.name for d in board.devices if twin.cell_of(d.name) != board.cell_of(d.name)]
    if elsewhere or twin.shape != board.shape:
        raise StationError(
            f"the twin station {twin.station!r} has other devices than station {board.station!r}, "
            f"or in other places; give the twin of the same devices"
        )
