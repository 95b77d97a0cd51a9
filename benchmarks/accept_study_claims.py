"""The claims of arXiv 2408.14680, judged on the whole study: 20 seeds, criteria fixed before.

Runs the study (under an hour on two cores; ``python accept_study_claims.py study.sqlite`` goes on
from what that file holds), prints the verdict on each claim with its evidence, and what handwriting
loses. Meets its goal if every run is done, every claim was judged, and the on-chip network on MNIST
0/1 is within two points of floating point. A claim that does not hold is a finding, not a miss: the
report has the section that shows why.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from procedures.learning.mnist import find_mnist
from procedures.studies.eslami import STUDY
from procedures.studies.eslami.claims import verdicts
from procedures.studies.eslami.plan import questions, seeds, with_mnist
from procedures.studies.figures import Results, last
from procedures.studies.statistics import difference
from procedures.studies.study import all_tasks, results_of, run_study
from procedures.studies.workers import LocalProcesses

GOAL_S = 3600.0
WITHIN = 0.02
SHARED = Path(__file__).parents[2] / "shared" / "data" / "mnist"


def main() -> int:
    given = sys.argv[1:]
    folder = Path(tempfile.mkdtemp(prefix="accept_study_claims_"))
    database = Path(given[0]) if given else folder / "study.sqlite"
    if SHARED.is_dir():
        os.environ.setdefault("HIL_MNIST", str(SHARED))
    asked = questions()
    mnist = find_mnist().resolve()
    tasks = [with_mnist(task, mnist) for task in all_tasks(asked, seeds())]
    start_s = time.monotonic()
    end = run_study(database, STUDY, tasks, LocalProcesses(2))
    wall_s = time.monotonic() - start_s
    print(f"{end.n_tasks} runs, {end.n_before} done before, {end.n_failed} failed, {wall_s:.0f} s")
    results = {q.name: Results(results_of(database, STUDY, q, seeds())) for q in asked}
    judged = verdicts(results)
    for verdict in judged:
        word = {True: "holds", False: "DOES NOT HOLD", None: "not judged"}[verdict.holds]
        print(f"({verdict.claim}) {verdict.says}: {word}")
        for name, i in verdict.evidence.items():
            print(f"      {name}: {i.mean:.4g} ({i.low:.4g} to {i.high:.4g}), n = {i.n}")
    digits = results["handwriting"].where(digits="0/1", pixels="grey")
    loss = difference(digits.by_seed(last("float_clean")), digits.by_seed(last("accuracy_clean")))
    print(f"handwriting 0/1: loss {loss.mean:.4f} ({loss.low:.4f} to {loss.high:.4f})")
    print(f"database: {database}")
    is_whole = not end.n_failed and all(verdict.holds is not None for verdict in judged)
    n_held = sum(verdict.holds is True for verdict in judged)
    print(
        f"claims_held = {n_held} of {len(judged)}; handwriting_loss = {loss.mean:.4f} (goal: all "
        f"judged, loss <= {WITHIN}, new study < {GOAL_S:.0f} s: {wall_s:.0f} s)"
    )
    return 0 if is_whole and loss.high <= WITHIN and wall_s < GOAL_S else 1


if __name__ == "__main__":
    sys.exit(main())
