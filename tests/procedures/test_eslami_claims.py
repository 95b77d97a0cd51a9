"""Claims of arXiv 2408.14680 on the quick seeds, which were fixed beforehand.

The criteria are those of the study. Those that five seeds cannot decide are left to the whole study
(``benchmarks/accept_study_claims.py``): how flat the accuracy is up to 10 % conductance error, how
soon it falls, and which dopant is best.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from procedures.studies.eslami import STUDY
from procedures.studies.eslami.claims import Verdict, verdicts
from procedures.studies.eslami.plan import QUICK_SEEDS, SEEDS, questions, seeds
from procedures.studies.figures import Results, last
from procedures.studies.study import Question, results_of, run_study
from procedures.studies.workers import LocalProcesses

JUDGED = {"accuracy", "training-noise", "dopant"}


def reduced(question: Question) -> Question:
    """The points that the claims look at."""
    points = [
        (point, make)
        for point, make in question.points
        if question.name != "dopant" or point["search"] == "ladder"
    ]
    return Question(question.name, question.text, points)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Results]:
    path = tmp_path_factory.mktemp("claims") / "study.sqlite"
    asked = {q.name: reduced(q) for q in questions(quick=True)}
    tasks = [task for name in JUDGED for _, task in asked[name].tasks(QUICK_SEEDS)]
    end = run_study(path, STUDY, tasks, LocalProcesses())
    assert (end.n_failed, end.n_done) == (0, end.n_tasks)
    return {
        name: Results(results_of(path, STUDY, question, QUICK_SEEDS))
        for name, question in asked.items()
    }


@pytest.fixture(scope="module")
def judged(results: Mapping[str, Results]) -> Mapping[str, Verdict]:
    return {verdict.claim: verdict for verdict in verdicts(results)}


def test_seeds_were_fixed_beforehand() -> None:
    assert seeds() == SEEDS == tuple(range(1, 21))
    assert seeds(quick=True) == QUICK_SEEDS == tuple(range(1, 6))


@pytest.mark.timeout(400)
@pytest.mark.parametrize("claim", ["a", "b1", "b2", "d"])
def test_the_claim_holds(claim: str, judged: Mapping[str, Verdict]) -> None:
    verdict = judged[claim]
    assert verdict.holds, verdict.evidence


@pytest.mark.timeout(400)
def test_what_has_no_results_is_not_judged(judged: Mapping[str, Verdict]) -> None:
    assert judged["c1"].holds is None
    assert judged["c2"].holds is None
    assert judged["e"].holds is not None


@pytest.mark.timeout(400)
def test_all_memristors_but_a_few_reach_their_targets(results: Mapping[str, Results]) -> None:
    reached = results["dopant"].by_seed(last("memristors_reached"))
    assert min(reached.values()) > 29
