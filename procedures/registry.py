"""The procedures by the names that the command line uses."""

from __future__ import annotations

from hil.errors import UsageError
from procedures.base import BoardProcedure
from procedures.crossbar_map import CrossbarMap
from procedures.endurance import Endurance
from procedures.forming import Forming
from procedures.in_situ_training import InSituTraining
from procedures.iv_sweep import IVSweep
from procedures.matvec import MatVec
from procedures.on_chip_training import OnChipTraining
from procedures.program_array import ProgramArray
from procedures.program_verify import ProgramVerify
from procedures.pulse_train import PulseTrain
from procedures.read_array import ReadArray
from procedures.read_references import ReadReferences
from procedures.residual_training import ResidualTraining
from procedures.retention import Retention
from procedures.tile_least_squares import TileLeastSquares

PROCEDURES: dict[str, type[BoardProcedure]] = {
    "iv-sweep": IVSweep,
    "read-array": ReadArray,
    "pulse-train": PulseTrain,
    "program-verify": ProgramVerify,
    "on-chip-training": OnChipTraining,
    "in-situ-training": InSituTraining,
    "read-references": ReadReferences,
    "forming": Forming,
    "retention": Retention,
    "endurance": Endurance,
    "program-array": ProgramArray,
    "crossbar-map": CrossbarMap,
    "matvec": MatVec,
    "residual-training": ResidualTraining,
    "tile-least-squares": TileLeastSquares,
}


def find_procedure(name: str) -> type[BoardProcedure]:
    """Return a procedure class by its name.

    Raises:
        UsageError: there is none of this name.
    """
    if name not in PROCEDURES:
        raise UsageError(f"no procedure {name!r}; there are {', '.join(PROCEDURES)}")
    return PROCEDURES[name]


def first_line(procedure: type[BoardProcedure]) -> str:
    """Return the first sentence of a procedure's description."""
    return (procedure.__doc__ or "").strip().splitlines()[0]
