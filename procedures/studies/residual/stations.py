"""Stations of the study: simulated tiles of a kind, and shipped stations as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hil.station import load_station, shipped_stations
from procedures.studies.stations import toml_table

NOISY_PRODUCTS: Mapping[str, float] = {"input_bits": 7, "output_bits": 9, "output_noise": 0.06}
"""Converters and noise that aihwkit documents as its defaults."""


@dataclass(frozen=True)
class TileVariant:
    """Simulated tiles.

    Attributes:
        tiles: keys of the table ``[tiles]`` that are not left at their default.
    """

    tiles: Mapping[str, Any] = field(default_factory=dict)

    @property
    def as_json(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return {"tiles": dict(self.tiles)}

    def files(self) -> dict[str, str]:
        """Return the station file, by its path in a folder."""
        lines = [
            'name = "study-tiles"',
            'description = "Simulated tiles of a study"',
            'board = "twin-tiles"',
            'source = "twin"',
            *toml_table("tiles", self.tiles),
        ]
        return {"station.toml": "\n".join(lines) + "\n"}


@dataclass(frozen=True)
class ShippedVariant:
    """A station that comes with this package.

    Attributes:
        name: of the station; its boards have to be twins.
    """

    name: str

    @property
    def as_json(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return {"station": self.name}

    def files(self) -> dict[str, str]:
        """Return the station file, by its path in a folder."""
        load_station(self.name)
        return {"station.toml": Path(shipped_stations()[self.name]).read_text(encoding="utf-8")}
