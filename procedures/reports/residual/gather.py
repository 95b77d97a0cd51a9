"""What a database holds of the study, by question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hil.errors import HilError
from hil.store import read_study
from procedures.studies.figures import Results
from procedures.studies.residual import STUDY
from procedures.studies.residual.plan import questions, seeds_of


@dataclass(frozen=True)
class Found:
    """Results, and how much of the plan they are.

    Attributes:
        results: of each question, by name.
        texts: the questions as a person asks them.
        n_done: runs that ended, of each question.
        n_planned: runs that the plan has for it.
        n_failed: runs that failed, of all.
    """

    results: Mapping[str, Results]
    texts: Mapping[str, str]
    n_done: Mapping[str, int]
    n_planned: Mapping[str, int]
    n_failed: int

    @property
    def is_whole(self) -> bool:
        """Whether everything that is planned is there."""
        return dict(self.n_done) == dict(self.n_planned)


def gather(database: Path) -> Found:
    """Read the study out of a database.

    Raises:
        StoreError: there is no such database.
        HilError: it holds nothing that the plan asks for.
    """
    stored = read_study(database, STUDY)
    done = {key: row for key, row in stored.items() if row["status"] == "done"}
    results, n_planned = {}, {}
    for question in questions():
        tasks = list(question.tasks(seeds_of(question.name)))
        n_planned[question.name] = len({task.key for _, task in tasks})
        results[question.name] = Results(
            [{"point": dict(p), **done[t.key]} for p, t in tasks if t.key in done]
        )
    if not any(found.rows for found in results.values()):
        raise HilError(
            f"{database} holds no results of the study {STUDY!r} that this version asks for; run "
            f"`hil study {STUDY} --db {database}` first"
        )
    return Found(
        results,
        {question.name: question.text for question in questions()},
        {name: len(found.rows) for name, found in results.items()},
        n_planned,
        sum(row["status"] == "failed" for row in stored.values()),
    )
