"""What a bench user runs: pymeasure procedures, learning, the command line, windows and reports."""

from procedures.iv_sweep import IVSweep
from procedures.on_chip_training import OnChipTraining
from procedures.program_verify import ProgramVerify
from procedures.pulse_train import PulseTrain
from procedures.read_array import ReadArray
from procedures.runner import Outcome, run

__all__ = [
    "IVSweep",
    "OnChipTraining",
    "Outcome",
    "ProgramVerify",
    "PulseTrain",
    "ReadArray",
    "run",
]
