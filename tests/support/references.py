"""Twin stations with references in their sockets, and calibrations made on them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from procedures.read_references import ReadReferences
from procedures.runner import run

SERIES_OHM = 10_000.0
N_POSITIONS = 12


def reference_station(
    sockets: Sequence[Mapping[str, object]],
    *,
    board: str = "twin",
    source: str = "twin",
    load_ohm: float | None = 1e6,
    noise: bool = True,
    records: Sequence[str] = (),
    tolerance_ratio: float = 0.01,
) -> str:
    """Return the text of a station; a socket is the keys of its device, by rising position."""
    lines = []
    for k, socket in enumerate(sockets):
        keys = {"package_pin": f"U1.{k}", "position": k} | dict(socket)
        name = keys.pop("name", f"S{k}")
        written = ", ".join(
            f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}"
            for key, value in keys.items()
        )
        lines.append(f"{name} = {{ {written} }}")
    load = "" if load_ohm is None else f"parallel_load_ohm = {load_ohm}"
    named = ", ".join(f'"{record}"' for record in records)
    return f"""
name = "references"
board = "{board}"
source = "{source}"
[smu]
driver = "keithley2400"
address = "twin:"
[switch_board]
address = "twin:"
n_positions = {N_POSITIONS}
[circuit]
series_resistor_ohm = {SERIES_OHM}
tolerance_ratio = {tolerance_ratio}
{load}
[twin]
instrument_noise = {str(noise).lower()}
[calibration]
records = [{named}]
[devices]
""" + "\n".join(lines)


SHORTS: list[dict[str, object]] = [
    {"reference_ohm": 0.0},
    {"reference_ohm": 0.0},
    {"reference_ohm": 0.0},
    {"reference_ohm": 0.0, "series_resistor_ohm": 0.0},
    {"reference_ohm": 0.0},
]

RESISTORS: list[dict[str, object]] = [
    {"name": "R1M", "reference_ohm": 1e6, "reference_expanded_ratio": 1e-4},
    {"name": "R100k", "reference_ohm": 1e5, "reference_expanded_ratio": 1e-4},
    {"name": "R10k", "reference_ohm": 1e4, "reference_expanded_ratio": 1e-4},
    {
        "name": "R1k",
        "reference_ohm": 1e3,
        "reference_expanded_ratio": 1e-4,
        "series_resistor_ohm": 0.0,
    },
    {"name": "empty", "reference_ohm": math.inf},
]


def read_references(
    folder: Path, sockets: Sequence[Mapping[str, object]], seed: int = 5, **options: Any
) -> str:
    """Run ``read-references`` on the twin of such a station; return the id of the run."""
    station = folder / f"cal-{len(list(folder.glob('*.toml')))}.toml"
    station.write_text(reference_station(sockets, **options), encoding="utf-8")
    procedure = ReadReferences(
        station=str(station), database=str(folder / "runs.sqlite"), seed=seed, repeats=4
    )
    outcome = run(procedure)
    assert outcome.status == "finished", outcome
    return outcome.run_id
