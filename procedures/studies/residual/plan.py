"""The questions of the study, and the runs of each.

Settings of methods were chosen on held-back training samples (question ``digits-tuning``), never on
tests, each method among the same number of settings. Seeds of tuning are not those of results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from procedures.learning.analog.methods import Method
from procedures.learning.analog.samples import COMPONENTS, DIGITS, MNIST, XOR
from procedures.studies.residual.settings import BEST, CARRY, CHOSEN, SHORT_METHODS, TUNING
from procedures.studies.residual.stations import NOISY_PRODUCTS, ShippedVariant, TileVariant
from procedures.studies.study import Point, Question
from procedures.studies.tasks import StudyTask, Values, Variant

SEEDS = (1, 2, 3, 4, 5)
MNIST_SEEDS = (1, 2, 3)
BOARD_SEEDS = tuple(range(1, 11))
TUNING_SEEDS = (91, 92)

TRAINING, LEAST_SQUARES = "residual-training", "tile-least-squares"

PRESETS: Mapping[str, tuple[str, ...]] = {
    "toy": ("toy-theory", "toy-published"),
    "digits": ("digits",),
    "digits-tuning": ("digits-tuning",),
    "mnist-lenet": ("mnist-short", "mnist-carry", "mnist-4-states"),
    "mnist-published": ("mnist-published",),
    "mnist-best": ("mnist-best",),
    "board": ("board",),
    "quick": ("toy-theory", "digits-quick"),
}
"""Questions of each preset."""

_SHORT_EPOCHS = 8
_DIGITS: Values = {"task": DIGITS, "hidden": "32"}

Grid = Sequence[tuple[Point, Callable[[int], StudyTask]]]


def questions(names: Sequence[str] = ()) -> list[Question]:
    """Return the questions with these names; all of them if none is given."""
    made = [make() for make in _QUESTIONS]
    return [question for question in made if not names or question.name in names]


def seeds_of(question: str) -> tuple[int, ...]:
    """Return the seeds that were fixed beforehand."""
    return _SEEDS.get(question, SEEDS)


def with_places(task: StudyTask, mnist: Path | None, checkpoints: Path) -> StudyTask:
    """Return a task with the folder of MNIST if it reads it, and with its checkpoint if it is long.

    Args:
        task: of this study.
        mnist: folder of the files.
        checkpoints: folder of checkpoints.
    """
    if not needs_mnist(task):
        return task
    places: dict[str, str] = {"checkpoint": str(checkpoints / f"{task.key}.npz")}
    if mnist is not None:
        places["mnist_folder"] = str(mnist)
    return replace(task, places=places)


def needs_mnist(task: StudyTask) -> bool:
    """Return whether a run reads MNIST."""
    return task.parameters.get("task") == MNIST


def _toy_theory() -> Question:
    grid = product((4, 10), (1, 2, 3, 4), (0.5,))
    return Question(
        "toy-theory",
        "Does the error fall with each tile if time scales are as far apart as the theory asks?",
        [
            _point(
                {"states": states, "tiles": n, "gamma": gamma},
                {
                    "schedule": "theory",
                    "n_tiles": n,
                    "gamma": gamma,
                    "warm_start": False,
                    "steps": 100_000,
                },
                _states(states, 0.0, 0.3),
                LEAST_SQUARES,
            )
            for states, n, gamma in grid
        ],
    )


def _toy_published() -> Question:
    grid = product((4,), (1, 2, 3, 4, 5), (False, True))
    return Question(
        "toy-published",
        "What does the published schedule of the toy problem do?",
        [
            _point(
                {"states": states, "tiles": n, "warm start": is_warm},
                {
                    "schedule": "free",
                    "n_tiles": n,
                    "gamma": 0.1,
                    "first_period": 2,
                    "period_ratio": 2,
                    "transfer_rate": 0.01,
                    "rate": 1.0,
                    "fast_rate": 0.01 * 0.1 ** (n - 1),  # 0.01 on the finest tile
                    "warm_start": is_warm,
                    "steps": 100_000,
                },
                _states(states, 0.0, 0.3),
                LEAST_SQUARES,
            )
            for states, n, is_warm in grid
        ],
    )


def _digits_tuning() -> Question:
    points = [
        _point(
            {"states": states, "spread": spread, "method": name, "setting": k},
            {**_DIGITS, "epochs": 12, "test_every": 4, "validation": True, **settings},
            _states(states, spread, 0.3, NOISY_PRODUCTS),
        )
        for states, spread, name in product((4, 10), (0.0, 0.3), TUNING)
        for k, settings in enumerate(TUNING[name])
    ]
    return Question("digits-tuning", "Which settings suit each method?", points)


def _digits() -> Question:
    points = [
        _point(
            {"states": states, "spread": spread, "method": name},
            {**_DIGITS, "epochs": 60, **CHOSEN[name, states, spread]},
            _states(states, spread, 0.3, NOISY_PRODUCTS),
        )
        for states, spread, name in product((4, 10), (0.0, 0.3), TUNING)
        if (name, states, spread) in CHOSEN
    ]
    return Question("digits", "How accurate is each method on the digits of 8 x 8 pixels?", points)


def _digits_quick() -> Question:
    points = [
        _point(
            {"states": 10, "spread": 0.3, "method": name},
            {**_DIGITS, "epochs": 5, **CHOSEN[name, 10, 0.3]},
            _states(10, 0.3, 0.3, NOISY_PRODUCTS),
        )
        for name in TUNING
        if (name, 10, 0.3) in CHOSEN
    ]
    return Question("digits-quick", "The same in five epochs, to try the study out.", points)


def _mnist(
    name: str, text: str, states: int, methods: Mapping[str, Values] = SHORT_METHODS
) -> Question:
    points = [
        _point(
            {"states": states, "method": method},
            {"task": MNIST, "epochs": _SHORT_EPOCHS, "rate_epochs": 3, **settings},
            _states(states, 0.3, 0.3),
        )
        for method, settings in methods.items()
    ]
    return Question(name, text, points)


def _mnist_short() -> Question:
    text = f"LeNet-5 on MNIST with 10 states, {_SHORT_EPOCHS} epochs: every method alike."
    return _mnist("mnist-short", text, 10)


def _mnist_4_states() -> Question:
    return _mnist("mnist-4-states", "The same with 4 states.", 4)


def _mnist_carry() -> Question:
    return _mnist("mnist-carry", "The same with a closed-loop carry, 10 states.", 10, CARRY)


def _mnist_published() -> Question:
    points = [
        _point(
            {"states": 10, "tiles": n},
            {
                "task": MNIST,
                "method": Method.RESIDUAL.value,
                "schedule": "published",
                "n_tiles": n,
                "gamma": 0.5,
                "epochs": 100,
            },
            _states(10, 0.3, 0.3),
        )
        for n in (3, 4, 6)
    ]
    return Question("mnist-published", "The published schedule: 100 epochs.", points)


def _mnist_best() -> Question:
    points = [
        _point({"states": 10, "schedule": name}, {"task": MNIST, **values}, _states(10, 0.3, 0.3))
        for name, values in BEST.items()
    ]
    return Question("mnist-best", "How far do tiles alone get with schedules of ours?", points)


def _board() -> Question:
    return Question(
        "board",
        "Do more tiles beat one on an array of devices, with real pulses and reads?",
        [
            _point(
                {"task": task, "tiles": n},
                {"task": task, **_BOARD[task], **_on_tiles(n)},
                ShippedVariant("twin-crossbar-16x16"),
            )
            for task, n in product((XOR, COMPONENTS), (1, 2, 3))
            if task in _BOARD
        ],
    )


_BOARD: Mapping[str, Values] = {
    COMPONENTS: {"hidden": "", "epochs": 12, "rate": 0.1, "rate_epochs": 4, "test_every": 4},
}


def _on_tiles(n: int) -> Values:
    if n == 1:
        return {"method": Method.ANALOG_SGD.value}
    return {
        "method": Method.RESIDUAL.value,
        "schedule": "free",
        "n_tiles": n,
        "gamma": 0.4,
        "first_period": 4,
        "period_ratio": 5,
        "transfer_rate": 0.2,
        "warm_start": False,
    }


def _states(
    n_states: int, spread: float, noise: float, others: Mapping[str, Any] | None = None
) -> TileVariant:
    return TileVariant(
        {"n_states": n_states, "device_spread": spread, "cycle_noise": noise} | dict(others or {})
    )


def _point(
    point: Point, parameters: Values, variant: Variant, procedure: str = TRAINING
) -> tuple[Point, Callable[[int], StudyTask]]:
    return point, lambda seed: StudyTask(procedure, parameters, variant, seed)


def plan(names: Sequence[str], n_seeds: int | None) -> Iterator[tuple[Point, StudyTask]]:
    """Yield all tasks of questions, seed by seed.

    Args:
        names: of the questions.
        n_seeds: the first of each; all if not given.
    """
    asked = questions(names)
    most = max(len(seeds_of(question.name)) for question in asked)
    for k in range(min(most, n_seeds or most)):
        for question in asked:
            yield from question.tasks(seeds_of(question.name)[k : k + 1])


_QUESTIONS = (
    _toy_theory,
    _toy_published,
    _digits_tuning,
    _digits,
    _digits_quick,
    _mnist_short,
    _mnist_4_states,
    _mnist_carry,
    _mnist_published,
    _mnist_best,
    _board,
)

_SEEDS: Mapping[str, tuple[int, ...]] = {
    "toy-theory": (1, 2, 3),
    "toy-published": (1, 2, 3),
    "digits-tuning": TUNING_SEEDS,
    "digits-quick": (1,),
    "mnist-short": MNIST_SEEDS,
    "mnist-4-states": MNIST_SEEDS,
    "mnist-carry": MNIST_SEEDS,
    "mnist-published": (1,),
    "mnist-best": (1,),
    "board": BOARD_SEEDS,
}
