"""The claims of the paper, each with a criterion that was fixed before the study was run.

A criterion is about differences seed by seed, with a 95 % interval. Where a claim does not hold the
verdict says by how much, and the report shows why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from procedures.studies.figures import Results, Value, last, training_energy_j
from procedures.studies.statistics import Interval, difference

ACCURACY_GOAL = 0.97
FLATNESS_MARGIN = 0.02
"""A loss of accuracy that counts as none: two points, about one image in fifty."""

TRAINED_WITH = (0.05, 0.1, 0.15)
STRONG_NOISE = 0.4
TESTED_AT = "accuracy_flip_0.1"
TIME: Value = last("training_time_s")


@dataclass(frozen=True)
class Verdict:
    """What became of a claim.

    Attributes:
        claim: letter of the claim.
        says: the claim.
        criterion: when it counts as held.
        holds: True, False, or None where there are no results to judge it by.
        evidence: by name, what it was judged by.
    """

    claim: str
    says: str
    criterion: str
    holds: bool | None
    evidence: Mapping[str, Interval]


def verdicts(results: Mapping[str, Results]) -> list[Verdict]:
    """Judge every claim by the results of the questions, by name; missing questions are None."""
    return [
        _accuracy(results["accuracy"]),
        _noise_helps(results["training-noise"]),
        _strong_noise_hurts(results["training-noise"]),
        _flat(results["conductance-error"]),
        _falls(results["conductance-error"]),
        _no_reset(results["dopant"]),
        _cr_is_best(results["dopant"]),
    ]


def _judge(
    claim: str, says: str, criterion: str, evidence: Mapping[str, Interval], checks: Sequence[bool]
) -> Verdict:
    is_known = bool(evidence) and all(interval.n > 1 for interval in evidence.values())
    return Verdict(claim, says, criterion, all(checks) if is_known else None, evidence)


def _accuracy(results: Results) -> Verdict:
    found = results.where(task="T/L", variation="device to device as recorded")
    evidence = {"accuracy at 5 % flipped pixels": found.mean(last("accuracy_flip_0.05"))}
    return _judge(
        "a",
        "97 % or more with conductance variation and input noise, moderate training noise",
        "T/L, devices that differ as recorded, 10 % training noise, 5 % of the test pixels "
        f"flipped: mean accuracy of at least {ACCURACY_GOAL:.0%}",
        evidence,
        [interval.mean >= ACCURACY_GOAL for interval in evidence.values()],
    )


def _noise_helps(results: Results) -> Verdict:
    value = last(TESTED_AT)
    clean = results.where(training_noise=0.0).by_seed(value)
    evidence = {
        f"trained with {noise:.0%} less trained clean": difference(
            results.where(training_noise=noise).by_seed(value), clean
        )
        for noise in TRAINED_WITH
    }
    return _judge(
        "b1",
        "training with 5 to 15 % noise beats training without, on noisy input",
        "at 10 % flipped test pixels the difference to the clean-trained network is above zero "
        "with its whole interval, for each of 5, 10 and 15 % training noise",
        evidence,
        [interval.is_above_zero for interval in evidence.values()],
    )


def _strong_noise_hurts(results: Results) -> Verdict:
    value = last(TESTED_AT)
    strong = results.where(training_noise=STRONG_NOISE).by_seed(value)
    moderate = results.where(training_noise=0.1).by_seed(value)
    evidence = {"trained with 40 % less trained with 10 %": difference(strong, moderate)}
    return _judge(
        "b2",
        "strong training noise is worse again",
        "at 10 % flipped test pixels the difference of 40 % to 10 % training noise is below zero "
        "with its whole interval",
        evidence,
        [interval.is_below_zero for interval in evidence.values()],
    )


def _error_difference(results: Results, error: float) -> Interval:
    value = last("accuracy_flip_0.05")
    found = results.where(dopant="W")
    return difference(
        found.where(conductance_error=error).by_seed(value),
        found.where(conductance_error=0.0).by_seed(value),
    )


def _flat(results: Results) -> Verdict:
    evidence = {"10 % error less none": _error_difference(results, 0.1)}
    return _judge(
        "c1",
        "accuracy is flat to 10 % conductance error",
        f"W devices, 5 % flipped test pixels: 10 % error costs less than {FLATNESS_MARGIN:.0%} "
        "with the whole interval",
        evidence,
        [interval.low > -FLATNESS_MARGIN for interval in evidence.values()],
    )


def _falls(results: Results) -> Verdict:
    evidence = {
        f"{error:.0%} error less none": _error_difference(results, error) for error in (0.15, 0.3)
    }
    return _judge(
        "c2",
        "and visibly falls beyond",
        "W devices, 5 % flipped test pixels: 15 % and 30 % error cost something with the whole "
        "interval",
        evidence,
        [interval.is_below_zero for interval in evidence.values()],
    )


def _no_reset(results: Results) -> Verdict:
    evidence = {}
    for dopant in ("W", "Cr", "C"):
        found = results.where(dopant=dopant, search="ladder")
        for name, value in (("time (s)", TIME), ("energy (J)", training_energy_j)):
            evidence[f"{dopant}: {name} with less without"] = difference(
                found.where(reset=True).by_seed(value), found.where(reset=False).by_seed(value)
            )
    return _judge(
        "d",
        "without the reset pulse training is faster and cheaper, for W, Cr and C",
        "time and energy with reset less those without are above zero with the whole interval, for "
        "each dopant",
        evidence,
        [interval.is_above_zero for interval in evidence.values()],
    )


def _cr_is_best(results: Results) -> Verdict:
    found = results.where(reset=False, search="ladder")
    evidence = {}
    for other in ("W", "C"):
        for name, value in (("time (s)", TIME), ("energy (J)", training_energy_j)):
            evidence[f"{other} less Cr: {name}"] = difference(
                found.where(dopant=other).by_seed(value), found.where(dopant="Cr").by_seed(value)
            )
    return _judge(
        "e",
        "Cr is the fastest and takes the least energy",
        "time and energy of W and of C less those of Cr are above zero with the whole interval",
        evidence,
        [interval.is_above_zero for interval in evidence.values()],
    )
