"""What a database holds of the study: results by question, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from hil.errors import HilError
from hil.store import read_study
from procedures.studies.eslami import STUDY
from procedures.studies.eslami.plan import questions
from procedures.studies.figures import Results


@dataclass(frozen=True)
class Provenance:
    """Where the results come from.

    Attributes:
        database: name of the file.
        seeds: that occur.
        n_done: runs that ended.
        n_planned: runs that the whole plan has for these seeds.
        failures: label and error of each run that failed.
        n_other: rows that this version of the plan does not ask for.
        wall_s: time in which at least one run was going.
        run_s: durations of the runs, added up.
        versions: of the software, each with all values that occur.
        n_machines: on which they ran.
        first_at: when the first began, ISO 8601.
        last_at: when the last ended.
    """

    database: str
    seeds: tuple[int, ...]
    n_done: int
    n_planned: int
    failures: Sequence[tuple[str, str]]
    n_other: int
    wall_s: float
    run_s: float
    versions: Mapping[str, Sequence[str]]
    n_machines: int
    first_at: str
    last_at: str

    @property
    def is_whole(self) -> bool:
        """Whether everything that is planned for these seeds is there."""
        return self.n_done == self.n_planned


@dataclass(frozen=True)
class Study:
    """All that the report is made of.

    Attributes:
        results: of each question that the plan has, by name; empty where nothing was run.
        texts: the questions as a person asks them, by name.
        provenance: where they come from.
    """

    results: Mapping[str, Results]
    texts: Mapping[str, str]
    provenance: Provenance

    def of(self, question: str) -> Results:
        """Return the results of a question; none if it was not run."""
        return self.results.get(question, Results([]))

    def has(self, question: str) -> bool:
        """Whether anything of a question was run."""
        return bool(self.of(question).rows)


def gather(database: Path) -> Study:
    """Read the study out of a database.

    Raises:
        StoreError: there is no such database.
        HilError: it holds no result that the plan asks for.
    """
    stored = read_study(database, STUDY)
    todo = f"run `hil study {STUDY} --db {database}` first"
    if not stored:
        raise HilError(f"{database} holds no results of the study {STUDY!r}; {todo}")
    seeds = sorted({row["seed"] for row in stored.values()})
    plan = questions()
    asked = {question.name: list(question.tasks(seeds)) for question in plan}
    keys = {task.key for tasks in asked.values() for _, task in tasks}
    found = {key: row for key, row in stored.items() if key in keys}
    done = {key: row for key, row in found.items() if row["status"] == "done"}
    if not done:
        raise HilError(
            f"{database} holds {len(stored)} runs of the study {STUDY!r}, but none that ended and "
            f"that this version asks for; {todo}"
        )
    results = {
        name: Results(
            [{"point": dict(point), **done[t.key]} for point, t in tasks if t.key in done]
        )
        for name, tasks in asked.items()
    }
    provenance = _provenance(database, found, done, len(keys), len(stored) - len(found))
    return Study(results, {q.name: q.text for q in plan}, provenance)


def _provenance(
    database: Path,
    found: Mapping[str, Mapping[str, Any]],
    done: Mapping[str, Mapping[str, Any]],
    n_planned: int,
    n_other: int,
) -> Provenance:
    versions: dict[str, list[str]] = {}
    for row in done.values():
        for name, version in row["versions"].items():
            if version not in versions.setdefault(name, []):
                versions[name].append(version)
    spans = [(row["started_at"], row["ended_at"]) for row in done.values()]
    return Provenance(
        database=database.name,
        seeds=tuple(sorted({row["seed"] for row in done.values()})),
        n_done=len(done),
        n_planned=n_planned,
        failures=[
            (row["label"], row["error"]) for row in found.values() if row["status"] != "done"
        ],
        n_other=n_other,
        wall_s=busy_s(spans),
        run_s=sum(_s(end) - _s(start) for start, end in spans),
        versions=versions,
        n_machines=len({row["host"] for row in done.values()}),
        first_at=min(start for start, _ in spans),
        last_at=max(end for _, end in spans),
    )


def busy_s(spans: Sequence[tuple[str, str]]) -> float:
    """Return the time in which at least one of the spans was going, in s; ISO 8601 in pairs."""
    total_s, until_s = 0.0, float("-inf")
    for start_s, end_s in sorted((_s(start), _s(end)) for start, end in spans):
        total_s += max(0.0, end_s - max(start_s, until_s))
        until_s = max(until_s, end_s)
    return total_s


def _s(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
