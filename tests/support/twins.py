"""Stations whose devices differ from those of another one: a board that has drifted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.support.rigs import station_text

SOUND, OTHER = "w-m1", "w-m2"


def twin_file(
    folder: Path, name: str, *, drifted: Sequence[int] = (), board: str = "twin", n: int = 4
) -> str:
    """Write a station with ``n`` W devices of which some are made from another record.

    Args:
        folder: that gets the file.
        name: of the station.
        drifted: positions of the devices that are other ones.
        board: kind of board.
        n: devices.
    """
    records = ", ".join(f'"{OTHER if k in drifted else SOUND}"' for k in range(n))
    text = station_text(board, n_devices={"W": n}, extra=f"[twin.records]\nW = [{records}]")
    path = folder / f"{name}.toml"
    path.write_text(text.replace('name = "small"', f'name = "{name}"'), encoding="utf-8")
    return str(path)
