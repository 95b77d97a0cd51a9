"""Results of a question as values by point and seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from procedures.studies.statistics import Interval, mean_interval

Value = Callable[[Mapping[str, Any]], float]
"""Takes the ``results`` of a task (see ``tasks.figures``), and returns one number."""


def last(metric: str) -> Value:
    """Return what reads the last value of a metric; NaN if there is none."""
    return lambda results: float(results["metrics"].get(metric, [[0, float("nan")]])[-1][1])


def first(metric: str) -> Value:
    """Return what reads the first value of a metric; NaN if there is none."""
    return lambda results: float(results["metrics"].get(metric, [[0, float("nan")]])[0][1])


def training_energy_j(results: Mapping[str, Any]) -> float:
    """Return what the source delivered for the training: reset, pulses, verifying reads."""
    parts = ("reset_j", "program_device_j", "program_series_j", "program_switch_j", "verify_j")
    return sum(value for part in parts if (value := last(part)(results)) == value)


def cycles_per_memristor(results: Mapping[str, Any]) -> float:
    """Return pulses per memristor, mean over the memristors of a run."""
    cycles = results["cycles"]
    return sum(cycles.values()) / len(cycles) if cycles else 0.0


@dataclass(frozen=True)
class Results:
    """Results of one question.

    Attributes:
        rows: as ``study.results_of`` returns them.
    """

    rows: Sequence[Mapping[str, Any]]

    @property
    def n_seeds(self) -> int:
        """Different seeds among the rows."""
        return len({row["seed"] for row in self.rows})

    def values(self, factor: str) -> list[Any]:
        """Return the values of a factor that occur, in the order of the plan."""
        return list(dict.fromkeys(row["point"][factor] for row in self.rows))

    def where(self, **point: Any) -> Results:
        """Return the rows at these values of factors; spaces in names are underscores here."""
        wanted = {name.replace("_", " "): value for name, value in point.items()}
        return Results(
            [
                row
                for row in self.rows
                if all(row["point"].get(name) == value for name, value in wanted.items())
            ]
        )

    def by_seed(self, value: Value) -> dict[int, float]:
        """Return a number of each seed; several rows of one seed are averaged."""
        found: dict[int, list[float]] = {}
        for row in self.rows:
            found.setdefault(row["seed"], []).append(value(row["results"]))
        return {seed: sum(numbers) / len(numbers) for seed, numbers in found.items()}

    def mean(self, value: Value) -> Interval:
        """Return the mean over seeds with its interval."""
        return mean_interval(list(self.by_seed(value).values()))
