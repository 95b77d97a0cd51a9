"""Loops that Memristor Discovery exported: two CSV files each, one period of a sine.

Format (README of ``data/`` in github.com/knowm/memristor-discovery, and its files): 200 rows, no
heading, voltage in V and current in uA. One file holds the voltage across the memristor, the other
that across resistor and memristor; both hold the same current.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration.imports.checks import check_resistor, check_sine
from calibration.imports.facts import ALWAYS_NEEDED, FILE_NAME, Facts, read_facts, require
from calibration.imports.measurement import Measurement, SourceFile
from calibration.imports.text_tables import numbers, read_lines, split_rows
from calibration.sine import fit_sine
from hil.errors import UsageError
from hil.types import FloatArray

N_ROWS = 200
"""Rows of an export: equal steps of one period."""

_AMPERE = 1e-6
_NEEDED = ALWAYS_NEEDED | {"frequency_hz": "10"}
_NUMBER = r"(\d*[.p]?\d+)"
_NAME = re.compile(rf"^(?:Rs)?{_NUMBER}([kM]?)(?:Ω|[oO]hm)?_{_NUMBER}V_{_NUMBER}(k?)Hz_(.+)$")
_PREFIXES = {"": 1.0, "k": 1e3, "M": 1e6}
_EXPECTED = (
    "NAME_memristor.csv beside NAME_applied.csv, or Memristor.csv beside Resistor+Memristor.csv"
)


@dataclass(frozen=True)
class _Pair:
    """Two files of one loop; ``root`` is the folder that was asked for."""

    root: Path
    name: str
    memristor: Path
    applied: Path

    @property
    def folder(self) -> Path:
        return self.memristor.parent


def read_memristor_discovery(
    paths: Sequence[Path], metadata: Path | None = None, settings: Facts | None = None
) -> list[Measurement]:
    """Read and check all loops in files and folders; writes nothing.

    What is known of a loop is taken from its name (``Rs5k_0p8V_10Hz_M1``, or a folder
    ``5kΩ_.8V_10Hz_M1``), then from ``metadata.toml`` in the folder given and in those below it
    down to its own, then from ``NAME.toml`` beside it, then from ``metadata`` and ``settings``;
    the later wins.

    Args:
        paths: of either file of a pair, or of folders, which are searched to the bottom.
        metadata: a TOML file of facts about all of them.
        settings: facts that win over all others.

    Returns:
        One measurement for each pair, in the order of ``paths`` and, in a folder, of the names.

    Raises:
        UsageError: a file is missing or wrong, something about it is not told, or its numbers
            disagree with what is told.
    """
    last = [read_facts(metadata, Facts)] if metadata else []
    if settings:
        last.append(settings)
    return [_read_pair(pair, last) for pair in _find_pairs(paths)]


def facts_of_name(name: str) -> Facts:
    """Return what the name of a loop tells; nothing if it is not built like the usual ones."""
    found = _NAME.match(unicodedata.normalize("NFKC", name))
    if not found:
        return Facts()
    ohm, ohm_prefix, volt, hertz, hertz_prefix, device = found.groups()
    return Facts.model_validate(
        {
            "series_resistor_ohm": _number(ohm) * _PREFIXES[ohm_prefix] or None,
            "amplitude_v": _number(volt) or None,
            "frequency_hz": _number(hertz) * _PREFIXES[hertz_prefix] or None,
            "device": device,
        }
    )


def _number(text: str) -> float:
    return float(text.replace("p", "."))


def _find_pairs(paths: Sequence[Path]) -> list[_Pair]:
    pairs: dict[tuple[Path, str], _Pair] = {}
    for path in map(Path.absolute, paths):
        for pair in _pairs_at(path):
            pairs.setdefault((pair.folder, pair.name), pair)
    return list(pairs.values())


def _pairs_at(path: Path) -> Iterator[_Pair]:
    if path.is_dir():
        found = [_pair_of(file, path) for file in sorted(path.rglob("*.csv"))]
        pairs = [pair for pair in found if pair]
        if not pairs:
            raise UsageError(f"{path}: no Memristor Discovery files in this folder: {_EXPECTED}")
        yield from pairs
        return
    if not path.is_file():
        raise UsageError(f"{path}: no such file or folder")
    pair = _pair_of(path, path.parent)
    if pair is None:
        raise UsageError(f"{path}: not called like a Memristor Discovery file: {_EXPECTED}")
    yield pair


def _pair_of(file: Path, root: Path) -> _Pair | None:
    folder = file.parent
    if file.name in ("Memristor.csv", "Resistor+Memristor.csv"):
        memristor, applied = folder / "Memristor.csv", folder / "Resistor+Memristor.csv"
        return _Pair(root, folder.name, memristor, applied)
    name, _, last = file.stem.rpartition("_")
    if not name or last not in ("memristor", "applied"):
        return None
    memristor, applied = folder / f"{name}_memristor.csv", folder / f"{name}_applied.csv"
    return _Pair(root, name, memristor, applied)


def _read_pair(pair: _Pair, last: Sequence[Facts]) -> Measurement:
    for file, other in ((pair.memristor, pair.applied), (pair.applied, pair.memristor)):
        if not file.is_file():
            raise UsageError(f"{other}: its partner {file.name} is missing beside it")
    facts = Facts.merged([facts_of_name(pair.name), *_facts_beside(pair), *last])
    require(facts, _NEEDED, str(pair.memristor), pair.folder)
    v_device_v, i_a, memristor = _read_file(pair.memristor)
    v_source_v, i_applied_a, applied = _read_file(pair.applied)
    _check_currents(pair, i_a, i_applied_a)
    return _measurement(pair, facts, (memristor, applied), v_source_v, v_device_v, i_a)


def _facts_beside(pair: _Pair) -> list[Facts]:
    below = pair.folder.relative_to(pair.root).parts
    folders = [pair.root.joinpath(*below[:k]) for k in range(len(below) + 1)]
    files = [folder / FILE_NAME for folder in folders] + [pair.folder / f"{pair.name}.toml"]
    return [read_facts(file, Facts) for file in files if file.exists()]


def _read_file(path: Path) -> tuple[FloatArray, FloatArray, SourceFile]:
    name = path.name if "_" in path.name else f"{path.parent.name}/{path.name}"
    lines, file = read_lines(path, name)
    rows = numbers(split_rows(lines, 2, path), (0, 1), path)
    if len(rows) != N_ROWS:
        raise UsageError(f"{path}: {len(rows)} rows; one period has {N_ROWS} in these files")
    return rows[:, 0], rows[:, 1] * _AMPERE, file


def _check_currents(pair: _Pair, i_a: FloatArray, i_applied_a: FloatArray) -> None:
    # Equal but for rounding: a program that saved one of the files again may have kept six digits.
    apart = np.abs(i_a - i_applied_a) > 1e-5 * np.abs(i_a).max()
    if apart.any():
        line = int(np.argmax(apart)) + 1
        raise UsageError(
            f"{pair.applied}, line {line}: the current is not that of {pair.memristor.name}; "
            "the two files are not of one measurement"
        )


def _measurement(
    pair: _Pair,
    facts: Facts,
    files: tuple[SourceFile, ...],
    v_source_v: FloatArray,
    v_device_v: FloatArray,
    i_a: FloatArray,
) -> Measurement:
    assert facts.series_resistor_ohm  # required above
    assert facts.frequency_hz
    sine = fit_sine(v_source_v, facts.frequency_hz)
    check_sine(sine, facts.amplitude_v, str(pair.applied))
    r_ohm = facts.series_resistor_ohm
    seen_ohm = check_resistor(v_source_v, v_device_v, i_a, r_ohm, str(pair.applied))
    seen = {"series_resistor_ohm": seen_ohm, "amplitude_v": sine.amplitude_v}
    return Measurement(
        file_format="memristor-discovery",
        facts=facts,
        files=files,
        t_s=np.arange(N_ROWS) / (N_ROWS * facts.frequency_hz),
        v_source_v=v_source_v,
        v_device_v=v_device_v,
        i_a=i_a,
        is_periodic=True,
        seen=seen | {"residual_v": sine.residual_v},
    )
