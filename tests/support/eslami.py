"""Made-up results of the study of arXiv 2408.14680: plain numbers at every point of its plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hil.store import StudyStore
from procedures.studies.eslami import STUDY
from procedures.studies.eslami.plan import questions
from procedures.studies.figures import Results
from procedures.studies.stations import StationVariant
from procedures.studies.study import Point
from procedures.studies.tasks import StudyTask
from tests.support.studies import result_of

TIME_S = {"W": 20.0, "Cr": 10.0, "C": 30.0}
ENERGY_J = {"W": 20e-6, "Cr": 10e-6, "C": 30e-6}
RESET_S, RESET_J = 6.0, 40e-6
EPOCHS = (
    {"Training time (s)": 5.0, "Training energy (J)": 4e-6, "Noisy accuracy": float("nan")},
    {"Training time (s)": 10.0, "Training energy (J)": 8e-6, "Noisy accuracy": 0.6},
    {"Training time (s)": 15.0, "Training energy (J)": 16e-6, "Noisy accuracy": float("nan")},
    {"Training time (s)": 30.0, "Training energy (J)": 32e-6, "Noisy accuracy": 0.9},
)

Change = Callable[[StudyTask, dict[str, float]], None]
"""Changes the metrics of a task, by name."""


def variant_of(task: StudyTask) -> StationVariant:
    """Return the station of a task of this study."""
    assert isinstance(task.variant, StationVariant)
    return task.variant


def leave(task: StudyTask, metrics: dict[str, float]) -> None:
    """Change nothing."""


def metrics_of(task: StudyTask) -> dict[str, float]:
    """Return numbers that make all claims hold: Cr first, noise helps, errors cost from 15 % on."""
    asked = task.as_json["parameters"]
    dopant = variant_of(task).dopant
    jitter = 0.001 * (task.seed % 3)
    trained, error = asked["training_noise"], asked.get("conductance_error", 0.0)
    accuracy = 0.98 - jitter - 2.0 * max(0.0, error - 0.1)
    if task.parameters.get("task") != "handwriting":
        accuracy -= 0.05 * (trained == 0) + 0.04 * (trained > 0.3)
    names = [
        "clean",
        *(f"flip_{x:g}" for x in (0.05, 0.1, 0.15, 0.2, 0.3)),
        *(f"sigma_{x:g}" for x in (0.2, 0.4, 0.6)),
    ]
    found = {f"accuracy_{name}": accuracy for name in names}
    found |= {f"readback_{name}": accuracy + 0.003 for name in names}
    found |= {f"target_{name}": accuracy + 0.008 for name in names}
    found |= {f"float_{name}": accuracy + 0.010 for name in names}
    is_reset = bool(asked.get("reset_pulse"))
    scale = 1.0 + 10 * jitter
    for name, change in variant_of(task).changes.items():
        scale *= 1 + 0.1 * change if name == "tau_on_s" else 1.0
    found |= {
        "training_time_s": TIME_S[dopant] * scale + RESET_S * is_reset,
        "program_device_j": ENERGY_J[dopant] * scale * 0.5,
        "program_series_j": ENERGY_J[dopant] * scale * 0.4,
        "program_switch_j": ENERGY_J[dopant] * scale * 0.01,
        "verify_j": ENERGY_J[dopant] * scale * 0.09,
        "instrument_j": 300.0 * scale,
        "residual_rms_ratio": asked.get("tolerance_ratio", 0.05) / 2,
        "memristors_reached": 30.0,
        "verify_reads": 360.0,
    }
    if is_reset:
        found |= {"reset_time_s": RESET_S, "reset_j": RESET_J}
    return found


def made_up(task: StudyTask, change: Change = leave) -> dict[str, Any]:
    """Return the results of a task, as ``tasks.figures`` gives them."""
    metrics = metrics_of(task)
    change(task, metrics)
    is_in_situ = task.procedure == "in-situ-training"
    devices = [f"{variant_of(task).dopant}{k:02d}" for k in range(30)]
    return {
        "metrics": {name: [[1.0, value]] for name, value in metrics.items()},
        "energy": {},
        "bench_time_s": 1.0,
        "n_pulses": 300,
        "cycles": {} if is_in_situ else dict.fromkeys(devices, 10),
        "epochs": [dict(row) for row in EPOCHS] if is_in_situ else [],
    }


def fill(
    path: Path,
    seeds: Sequence[int] = (1, 2),
    *,
    names: Sequence[str] = (),
    only: Callable[[Point], bool] = lambda _: True,
    change: Change = leave,
) -> int:
    """Write made-up results of the plan; return how many.

    Args:
        path: of the database.
        seeds: of the runs.
        names: of the questions; all if there are none.
        only: whether a point is written.
        change: changes metrics.
    """
    written = set()
    with StudyStore(path, STUDY) as store:
        for question in questions():
            if names and question.name not in names:
                continue
            for point, task in question.tasks(seeds):
                if only(point) and task.key not in written:
                    store.add(result_of(task, results=made_up(task, change)))
                    written.add(task.key)
    return len(written)


def results(name: str, seeds: Sequence[int] = (1, 2), change: Change = leave) -> Results:
    """Return made-up results of a question, without a database."""
    (question,) = (q for q in questions() if q.name == name)
    rows: list[Mapping[str, Any]] = [
        {
            "point": dict(point),
            "seed": task.seed,
            "task": task.as_json,
            "results": made_up(task, change),
        }
        for point, task in question.tasks(seeds)
    ]
    return Results(rows)
