"""Measured conductance after pulse trains of several amplitudes: mean and spread over cycles."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hil.errors import UsageError
from hil.toml_lines import explain


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class ExperimentTable(_Table):
    """``[experiment]``: what was done in every cycle, and with what.

    Attributes:
        device: that was measured.
        dopant: of it.
        attribution: who measured, to be shown wherever a fit is.
        instrument: that measured.
        series_resistor_ohm: in series with the device.
        reset_v: of the reset that begins a cycle; negative.
        reset_s: how long it lasts altogether.
        train_s: how long the pulses of a train last altogether.
        wait_s: from the train to the read.
        v_read_v: of the read.
        assumed: names of those of these that nobody noted.
    """

    device: str = Field(min_length=1)
    dopant: Literal["W", "Cr", "C"]
    attribution: str = Field(min_length=1)
    instrument: str = ""
    series_resistor_ohm: float = Field(gt=0, allow_inf_nan=False)
    reset_v: float = Field(lt=0, ge=-10)
    reset_s: float = Field(gt=0, le=1e3)
    train_s: float = Field(gt=0, le=1e3)
    wait_s: float = Field(ge=0, le=1e6)
    v_read_v: float = Field(gt=0, le=2)
    assumed: list[str] = Field(default_factory=list)


class LevelTable(_Table):
    """``[[levels]]``: one amplitude; 0 V for the state that the reset leaves.

    Attributes:
        amplitude_v: of the pulses.
        mean_siemens: conductance at the read, mean over the cycles.
        sd_siemens: its standard deviation over the cycles.
        held_out: it is predicted, and not fitted.
    """

    amplitude_v: float = Field(ge=0, le=10)
    mean_siemens: float = Field(gt=0, allow_inf_nan=False)
    sd_siemens: float = Field(gt=0, allow_inf_nan=False)
    held_out: bool = False


class _File(_Table):
    experiment: ExperimentTable
    levels: list[LevelTable] = Field(min_length=2)


@dataclass(frozen=True)
class PulseLevels:
    """Pulse statistics that were read and checked.

    Attributes:
        experiment: what was done.
        levels: what came of it, by rising amplitude.
        sha256: of the file.
        name: of the file.
    """

    experiment: ExperimentTable
    levels: tuple[LevelTable, ...]
    sha256: str
    name: str


def read_pulse_levels(path: Path) -> PulseLevels:
    """Read a file of pulse statistics.

    Raises:
        UsageError: no such file, or something in it is wrong; with line and key.
    """
    try:
        data = path.read_bytes()
        text = data.decode("utf-8")
        file = _File.model_validate(tomllib.loads(text))
    except ValidationError as error:
        raise UsageError(f"{path}{explain(error, text)}") from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from error
    levels = tuple(sorted(file.levels, key=lambda level: level.amplitude_v))
    return PulseLevels(file.experiment, levels, hashlib.sha256(data).hexdigest(), path.name)
