"""Every free choice of the reconstruction, with the reason for it and what the paper says of it.

What the paper says is tagged as in ``paper.TAGS``; its body was not available.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

UNKNOWN = "not known"


@dataclass(frozen=True)
class Choice:
    """Why a parameter has its default.

    Attributes:
        reason: for the default.
        paper: what is known of it from the paper, with its tag.
    """

    reason: str
    paper: str = UNKNOWN


LEFT_OUT = ("station", "database", "fallback", "seed")
"""Parameters that say where and with which random numbers, and choose nothing."""

NETWORK: Mapping[str, Choice] = {
    "task": Choice(
        "T and L in four orientations: both classes are sets of patterns, so the clean test is "
        "more than two images; no pattern of one class is a rotation of the other",
        "two classes of 3 x 3 images (S1); which: not known",
    ),
    "patterns_file": Choice("none: only the task “drawn” reads one"),
    "digits": Choice("a pair that nine pixels can tell apart; only the task “handwriting” uses it"),
    "mnist_folder": Choice("none: the usual places are searched"),
    "binary_pixels": Choice("grey keeps what nine pixels have left of a digit"),
    "dopant": Choice(
        "W, the only one whose parameters are fitted to measured loops", "W, Cr and C (P)"
    ),
    "signed_weights": Choice(
        "a reference conductance per neuron: 30 memristors are exactly one per weight of a 9-3-1 "
        "network, so there are no pairs",
        "30 memristors (P); how signs are made: not known",
    ),
    "neurons": Choice(
        "the controller sums measured currents: needs no circuit that would have to be invented; "
        "the circuit is a variant",
        "4 neurons (P), a microcontroller runs the training (S1); the circuit: not known",
    ),
    "training_noise": Choice(
        "inside the range that the paper calls moderate; other values are a question of the study",
        "moderate noise, below 15 % (P); its definition: not known",
    ),
    "training_sigma": Choice("none: flipped pixels are the noise of 0/1 images; a variant"),
    "test_noise": Choice(
        "5 % and 10 % in the study: where the best classifier still reaches 97 % and where it no "
        "longer does",
        "accuracy “with input noise” (P); how much: not known",
    ),
    "test_sigma": Choice("none: flipped pixels are the noise of 0/1 images; a variant"),
    "test_images": Choice(
        "160 in the study: the 8 patterns 20 times, a resolution of 0.6 points per seed"
    ),
    "g_min_siemens": Choice(
        "0: the window of the dopant (table below), above the off state, so that one RESET always "
        "leaves the device below it"
    ),
    "g_max_siemens": Choice(
        "0: the window of the dopant (table below), within what one SET pulse of 20 ms reaches at "
        "amplitudes that the limits allow"
    ),
}

ON_CHIP: Mapping[str, Choice] = {
    "training_error_ratio": Choice(
        "5 %, as large as the tolerance of write-verify: the targets then bear what it leaves",
        "robust to device variation (P); how it is drawn: not known",
    ),
    "conductance_error": Choice(
        "none; a question of the study", "10 % tolerated (P), degraded at 15 % (S2)"
    ),
    "error_distribution": Choice("normal, as independent causes add up"),
    "reset_pulse": Choice(
        "none: the better variant in the paper; with it is a question of the study",
        "without it less time and energy (P)",
    ),
    "reset_v": Choice("-1 V: well beyond the RESET thresholds of the records, within the limits"),
    "reset_width_s": Choice("as in the paper", "200 ms (S2)"),
    "tolerance_ratio": Choice(
        "5 %: half of the error that the paper tolerates; other values are a question of the study"
    ),
    "search": Choice(
        "the ladder: needs to know nothing of the devices; “foreseen” is a variant",
        "tuned until the target is met (P); how: not known",
    ),
    "width_s": Choice(
        "20 ms: the instrument's own timing is a part of it at most; devices plateau within it"
    ),
    "n_confirm": Choice("2: one reading inside the band may be noise, or relax away"),
    "n_pulses_max": Choice(
        "200: an end for a memristor that does not settle; the report counts those"
    ),
    "accuracy_goal": Choice("the paper's best", "up to 97 % (P)"),
    "rounds_max": Choice("1 in the study, so that points compare; more is a question of its own"),
    "checks": Choice("none; a question of the study", "retraining is presented as recovery (S2)"),
    "check_interval_s": Choice("an hour: devices relax and drift within it"),
    "later_noise": Choice("0: as before; a shift is a question of the study"),
    "retrain_below": Choice("0: never, unless asked for"),
    "float_reference": Choice("off: only handwriting needs the comparison"),
}

IN_SITU: Mapping[str, Choice] = {
    "epochs_max": Choice("60 to 100 in the study: longer than write-verify takes"),
    "batch_images": Choice("16: each of the 8 patterns twice"),
    "threshold": Choice("0.05, set by hand: several batches have to agree before a pulse is given"),
    "threshold_growth": Choice("5 %: the noise of late batches moves less and less"),
    "reset_v": Choice("-1 V: a RESET runs away once it has begun, so that one pulse is enough"),
    "v_hold_v": Choice("0: the value of the dopant (table below)"),
    "n_levels": Choice("16 SET steps from weight -1 to 1, set by hand"),
    "width_s": Choice("20 ms, as write-verify"),
    "test_every": Choice("5 in the study: tests are left out of time and energy"),
    "time_budget_s": Choice("none: equal time is read off the trajectory"),
    "energy_budget_j": Choice("none: equal energy is read off the trajectory"),
}

WRITE_VERIFY: Mapping[str, Choice] = {
    "tolerance_ratio": Choice("set by the procedure, see above"),
    "v_read_v": Choice(
        "0.1 V, forward: below the least SET threshold of 0.2 V; in reverse it could erase"
    ),
    "width_s": Choice("set by the procedure, see above"),
    "set_start_v": Choice("0.14 V: below the published SET thresholds of 0.2 V and more"),
    "set_step_v": Choice("20 mV, set by hand; a bracket is halved afterwards"),
    "set_max_v": Choice("1.5 V: within the limits with every series resistor"),
    "reset_start_v": Choice("-0.1 V: about the least RESET threshold"),
    "reset_step_v": Choice("50 mV: a RESET needs no aim, as a SET follows"),
    "reset_max_v": Choice("-1.5 V: within the limits with every series resistor"),
    "n_pulses_max": Choice("set by the procedure, see above"),
    "n_stuck_max": Choice(
        "5: a device that has not moved at the largest amplitude by then is stuck"
    ),
    "n_confirm": Choice("set by the procedure, see above"),
    "confirm_delay_s": Choice("10 ms: lets a part of the relaxation pass first"),
}
