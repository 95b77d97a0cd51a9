"""One API for a memristor bench and its twin: boards, drivers, limits, stations, run store."""

from hil.board import Board
from hil.opening import open_board
from hil.station import Station, load_station

__all__ = ["Board", "Station", "load_station", "open_board"]
