"""Small array stations for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hil.arrays import Scheme
from hil.opening import open_board
from hil.station import Station, load_station, parse_station
from hil.types import FloatArray
from twin.crossbar_board import TwinCrossbar

CALM = {
    "instrument_noise": "false",
    "device_spread": "0.0",
    "cycle_spread": "false",
    "read_noise_ratio": "0.0",
}
"""Nominal devices and an ideal instrument."""


def array_text(n_rows: int = 4, n_columns: int = 5, **changes: str) -> str:
    """Return the shipped station with another shape and other values of its keys."""
    text = load_station("twin-crossbar-16x16").text
    kind = changes.get("cell", '"1R"')
    if kind != '"1R"':
        changes = {"selector_ohm": "5000.0"} | changes
        changes |= {"read_scheme": '"isolated"', "write_scheme": '"isolated"'}
    for name, value in ({"rows": str(n_rows), "columns": str(n_columns)} | changes).items():
        lines = text.splitlines()
        at = [k for k, line in enumerate(lines) if line.split(" = ")[0] == name]
        table = "[array]" if name == "selector_ohm" else "[twin]"
        for k in at:
            lines[k] = f"{name} = {value}"
        if not at:
            lines.insert(lines.index(table) + 1, f"{name} = {value}")
        text = "\n".join(lines)
    return text


def array_station(n_rows: int = 4, n_columns: int = 5, **changes: str) -> Station:
    return parse_station(array_text(n_rows, n_columns, **changes))


def array_file(path: Path, n_rows: int = 4, n_columns: int = 5, **changes: str) -> str:
    path.write_text(array_text(n_rows, n_columns, **changes), encoding="utf-8")
    return str(path)


def open_array(station: Station, seed: int | None = None) -> TwinCrossbar:
    board = open_board(station, seed=seed)
    assert isinstance(board, TwinCrossbar)
    return board


def conductances(board: TwinCrossbar, v_v: float = 0.1) -> FloatArray:
    """Return the truth, shape (rows, columns)."""
    index = np.arange(len(board.info.devices))
    return board.plant.devices.conductance_siemens(index, v_v).reshape(board.info.shape)


def set_states(board: TwinCrossbar, seed: int = 3, low: float = 0.02, high: float = 0.3) -> None:
    n = len(board.info.devices)
    board.plant.devices.x = np.random.default_rng(seed).uniform(low, high, n)


PASSIVE_SCHEMES = [scheme for scheme in Scheme if scheme is not Scheme.ISOLATED]
