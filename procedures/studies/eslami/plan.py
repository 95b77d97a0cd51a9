"""The questions of the study, and the grid of each.

Seeds and criteria were fixed before the whole study was run: 1 to 20 (1 to 5 with ``quick``). A
pilot on the first seeds came before it: the rule that gives up stuck devices and the threshold of
in-situ training were chosen after it. A seed decides devices,
instrument, training and test images, so points are compared seed by seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from procedures.learning.tasks import HANDWRITING
from procedures.studies.eslami.sensitivity import draw_changes
from procedures.studies.stations import StationVariant
from procedures.studies.study import Point, Question
from procedures.studies.tasks import StudyTask, Values

SEEDS = tuple(range(1, 21))
QUICK_SEEDS = tuple(range(1, 6))

ON_CHIP, IN_SITU = "on-chip-training", "in-situ-training"
DOPANTS = ("W", "Cr", "C")

# Every point of one round: what a retraining adds is a question of its own.
_COMMON: Values = {"rounds_max": 1, "test_noise": "0.05,0.1", "test_images": 160}

VARIATIONS: Mapping[str, Mapping[str, Any]] = {
    "none": {"device_spread": 0.0, "cycle_spread": False},
    "cycle to cycle": {"device_spread": 0.0},
    "device to device as recorded": {"device_spread": 1.0},
    "device to device doubled": {"device_spread": 2.0},
}

LEAN: Values = {"search": "foreseen", "n_confirm": 0, "tolerance_ratio": 0.1}
"""Few pulses and reads: amplitudes are foreseen, nothing is confirmed, and the tolerance is the
error that the paper tolerates."""

SEARCHES: Mapping[str, Values] = {
    "ladder": {},
    "foreseen": {"search": "foreseen"},
    "lean": LEAN,
}

Grid = Sequence[tuple[Point, Callable[[int], StudyTask]]]


def questions(*, quick: bool = False) -> list[Question]:
    """Return the whole study, or a part of it that takes minutes; the part is a subset."""
    return [make(quick) for make in _QUESTIONS]


def seeds(*, quick: bool = False) -> tuple[int, ...]:
    """Return the seeds that were fixed beforehand."""
    return QUICK_SEEDS if quick else SEEDS


def needs_mnist(task: StudyTask) -> bool:
    """Return whether a run reads handwriting."""
    return task.parameters.get("task") == HANDWRITING


def with_mnist(task: StudyTask, folder: Path) -> StudyTask:
    """Return the task with the folder of the MNIST files, if it needs them."""
    return replace(task, places={"mnist_folder": str(folder)}) if needs_mnist(task) else task


def _accuracy(quick: bool) -> Question:
    tasks = ("T/L",) if quick else ("T/L", "X/O", "bars")
    variations = ("device to device as recorded",) if quick else tuple(VARIATIONS)
    return Question(
        "accuracy",
        "How accurate is the network with conductance variation and input noise?",
        [
            _point(
                {"task": task, "variation": variation},
                {"task": task},
                StationVariant(**VARIATIONS[variation]),
            )
            for task, variation in product(tasks, variations)
        ],
    )


def _training_noise(quick: bool) -> Question:
    flips = (0.0, 0.05, 0.1, 0.15, 0.4) if quick else (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4)
    return Question(
        "training-noise",
        "Does noise in training help against noise at the input, and how much is too much?",
        [
            _point(
                {"training noise": flip},
                {"training_noise": flip, "test_noise": "0.05,0.1,0.15,0.2,0.3"},
            )
            for flip in flips
        ],
    )


def _gaussian_noise(quick: bool) -> Question:
    sigmas = () if quick else (0.0, 0.1, 0.2, 0.4, 0.8, 1.6)
    return Question(
        "gaussian-noise",
        "The same with Gaussian noise on every pixel.",
        [
            _point(
                {"training sigma": sigma},
                {
                    "training_noise": 0.0,
                    "training_sigma": sigma,
                    "test_noise": "",
                    "test_sigma": "0.2,0.4,0.6",
                },
            )
            for sigma in sigmas
        ],
    )


def _conductance_error(quick: bool) -> Question:
    errors = (0.0, 0.1, 0.15, 0.3) if quick else (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
    grid = [("W", error) for error in errors]
    if not quick:
        grid += list(product(("Cr", "C"), (0.0, 0.1, 0.2, 0.3)))
    return Question(
        "conductance-error",
        "Which error of the conductances does the network bear?",
        [
            _point(
                {"dopant": dopant, "conductance error": error},
                {"dopant": dopant, "conductance_error": error},
                StationVariant(dopant),
            )
            for dopant, error in grid
        ],
    )


def _tolerance(quick: bool) -> Question:
    tolerances = () if quick else (0.01, 0.02, 0.05, 0.1, 0.15, 0.3)
    return Question(
        "tolerance",
        "What does the tolerance of write-verify leave, and what does it cost?",
        [
            _point(
                {"dopant": dopant, "tolerance": tolerance},
                {"dopant": dopant, "tolerance_ratio": tolerance},
                StationVariant(dopant),
            )
            for dopant, tolerance in product(DOPANTS, tolerances)
        ],
    )


def _dopant(quick: bool) -> Question:
    grid = list(product((False, True), SEARCHES))
    left_out = {(True, "foreseen")}
    if quick:
        left_out |= {(False, "foreseen"), (True, "lean")}
    return Question(
        "dopant",
        "Which dopant is fastest and takes the least energy, with an initial reset pulse or none?",
        [
            _point(
                {"dopant": dopant, "reset": reset, "search": search},
                {"dopant": dopant, "reset_pulse": reset, **SEARCHES[search]},
                StationVariant(dopant),
            )
            for dopant, (reset, search) in product(DOPANTS, grid)
            if (reset, search) not in left_out
        ],
    )


def _sensitivity(quick: bool) -> Question:
    n_draws = 1 if quick else 2
    return Question(
        "sensitivity",
        "Does the ranking of the dopants survive other parameters of the assumed Cr and C devices?",
        [
            (
                {"dopant": dopant, "draw": draw},
                _drawn(dopant, draw),
            )
            for dopant, draw in product(("Cr", "C"), range(n_draws))
        ],
    )


def _drawn(dopant: str, draw: int) -> Callable[[int], StudyTask]:
    def make(seed: int) -> StudyTask:
        changes = draw_changes(dopant, seed, draw)
        return _task(ON_CHIP, {"dopant": dopant}, StationVariant(dopant, changes=changes), seed)

    return make


def _retraining(quick: bool) -> Question:
    spoilt: Values = {"conductance_error": 0.3, "accuracy_goal": 1.0}
    shifted: Values = {"checks": 1, "check_interval_s": 3600.0, "later_noise": 0.2}
    grid: list[tuple[Point, Values]] = [
        *(
            ({"trouble": "30 % conductance error", "rounds": n}, {**spoilt, "rounds_max": n})
            for n in (1, 2, 4, 8)
        ),
        *(
            (
                {"trouble": "20 % flipped pixels after an hour", "rounds": n},
                {**shifted, "training_noise": 0.0, "retrain_below": 1.0 if n > 1 else 0.0},
            )
            for n in (1, 2)
        ),
    ]
    return Question(
        "retraining",
        "Does retraining recover what conductance errors and a shift of the input noise cost?",
        [] if quick else [_point(point, parameters) for point, parameters in grid],
    )


def _circuit(quick: bool) -> Question:
    schemes = ("reference",) if quick else ("reference", "differential")
    return Question(
        "circuit",
        "What do an analog neuron circuit and differential pairs change?",
        [
            _point(
                {"neurons": neurons, "signed weights": scheme},
                {"neurons": neurons, "signed_weights": scheme},
                StationVariant(n_devices=60 if scheme == "differential" else 30),
            )
            for neurons, scheme in product(("controller", "circuit"), schemes)
        ],
    )


def _in_situ(quick: bool) -> Question:
    kinds = ("circuit",) if quick else ("controller", "circuit")
    return Question(
        "in-situ",
        "Is in-situ training better than write-verify at equal energy, and at equal time?",
        [
            _point(
                {"neurons": neurons},
                {
                    "neurons": neurons,
                    "test_noise": "0.1",
                    "test_images": 80,
                    "epochs_max": 100 if neurons == "circuit" else 60,
                    "test_every": 5,
                },
                procedure=IN_SITU,
            )
            for neurons in kinds
        ],
    )


def _handwriting(quick: bool) -> Question:
    # 1/0 in black and white: some ones lose all their pixels, and a network without bias takes an
    # empty image for the first class.
    pairs: tuple[tuple[str, bool], ...] = (("0/1", False),)
    if not quick:
        pairs += (("1/0", True), ("3/8", False), ("3/8", True))
    return Question(
        "handwriting",
        "How much is lost on real handwriting, and where?",
        [
            _point(
                {"digits": digits, "pixels": "binary" if binary else "grey"},
                {
                    "task": HANDWRITING,
                    "digits": digits,
                    "binary_pixels": binary,
                    "training_noise": 0.0,
                    "test_noise": "",
                    "test_images": 400,
                    "float_reference": True,
                },
            )
            for digits, binary in pairs
        ],
    )


_QUESTIONS: tuple[Callable[[bool], Question], ...] = (
    _accuracy,
    _training_noise,
    _gaussian_noise,
    _conductance_error,
    _tolerance,
    _dopant,
    _sensitivity,
    _retraining,
    _circuit,
    _in_situ,
    _handwriting,
)


def _point(
    point: Point,
    parameters: Values,
    variant: StationVariant | None = None,
    procedure: str = ON_CHIP,
) -> tuple[Point, Callable[[int], StudyTask]]:
    used = variant or StationVariant()
    return point, lambda seed: _task(procedure, parameters, used, seed)


def _task(procedure: str, parameters: Values, variant: StationVariant, seed: int) -> StudyTask:
    common = _COMMON if procedure == ON_CHIP else {}
    return StudyTask(procedure, {**common, **parameters}, variant, seed)
