"""Which cells a person means by a text such as ``W01,W02`` or ``W`` or ``all``."""

from __future__ import annotations

import numpy as np

from hil.errors import ParameterError
from hil.types import BoardInfo, CellArray, Dopant


def select_cells(info: BoardInfo, devices: str) -> CellArray:
    """Return the cells of the named devices, in the order given, none twice.

    Args:
        info: of the board.
        devices: ``all``, a dopant, or device names, separated by commas.

    Raises:
        ParameterError: a name is neither a device of this station nor a dopant, or stands twice.
    """
    parts = [part.strip() for part in devices.split(",") if part.strip()]
    if not parts:
        raise ParameterError("no device was named; give names, a dopant, or 'all'")
    cells = np.concatenate([_cells(info, part) for part in parts])
    if not len(cells):
        raise ParameterError(f"station {info.station!r} has no device {devices!r}")
    index = info.index_of(cells)
    if len(np.unique(index)) < len(index):
        raise ParameterError(f"devices {devices!r} name a device twice")
    return cells


def select_one(info: BoardInfo, device: str) -> CellArray:
    """Return the cell of one device by its name, shape (1, 2).

    Raises:
        ParameterError: there is no such device, or the text means several.
    """
    cells = select_cells(info, device)
    if len(cells) != 1:
        raise ParameterError(f"device {device!r} means {len(cells)} devices; name one")
    return cells


def _cells(info: BoardInfo, part: str) -> CellArray:
    if part == "all":
        return info.all_cells
    if part in list(Dopant):
        return info.cells_of(Dopant(part))
    by_name = {device.name: index for index, device in enumerate(info.devices)}
    if part not in by_name:
        raise ParameterError(
            f"station {info.station!r} has no device {part!r}; it has "
            f"{info.devices[0].name} to {info.devices[-1].name} ({len(info.devices)} devices)"
        )
    return info.all_cells[[by_name[part]]]
