"""What trainings did to their tiles, added up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields

import numpy as np

from hil.tiles import Tile, TileCounts, WeightArray


def tally(tiles: Iterable[Tile]) -> TileCounts:
    """Return the counts of all tiles together; times are added as if one worked after the other."""
    total = TileCounts()
    for tile in tiles:
        counts = tile.counts
        for one in fields(TileCounts):
            setattr(total, one.name, getattr(total, one.name) + getattr(counts, one.name))
    return total


def statistics_of(tile: Tile, weights: WeightArray) -> dict[str, float]:
    """Return what a tile has been through and what it holds, ready for JSON.

    Args:
        tile: whose counts are taken.
        weights: that were read from it, (n_rows, n_columns).
    """
    counts = {one.name: getattr(tile.counts, one.name) for one in fields(TileCounts)}
    n_rows, n_columns = tile.shape
    return counts | {
        "n_rows": n_rows,
        "n_columns": n_columns,
        "dw_min": tile.dw_min,
        "mean": float(weights.mean()),
        "deviation": float(weights.std()),
        "least": float(weights.min()),
        "most": float(weights.max()),
        "near_bounds_ratio": float((np.abs(weights) > 0.9).mean()),
    }
