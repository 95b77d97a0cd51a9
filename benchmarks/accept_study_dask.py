"""A study on a Dask cluster of which a worker is killed gives the table of a local run.

The questions ``dopant`` and ``circuit`` of the quick plan, with two seeds, run on two processes of
this machine into one database and on a scheduler with two workers on loopback into another. One of
the workers is killed when half of the runs are done. The two tables (point, seed, every figure) are
then the same, with nothing missing and nothing in it twice.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from hil.errors import StoreError
from hil.store import read_study, to_json
from procedures.studies.eslami import STUDY
from procedures.studies.eslami.plan import questions
from procedures.studies.study import results_of

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.support.dask_cluster import Cluster, dask_cluster

NAMES = ("dopant", "circuit")
SEEDS = (1, 2)
MAIN = [sys.executable, "-c", "from procedures.cli import main; main()"]
ASKED = [question for question in questions(quick=True) if question.name in NAMES]


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="accept_study_dask_"))
    local, remote = folder / "local.sqlite", folder / "cluster.sqlite"
    n_planned = sum(len(question.points) for question in ASKED) * len(SEEDS)
    codes = [_start(local, "--workers", "2").wait()]
    with dask_cluster(folder) as cluster:
        codes.append(run_on(cluster, remote, n_planned // 2))
    here, there = table(local), table(remote)
    n_twice = sum(row["attempt"] - 1 for row in read_study(remote, STUDY).values())
    n_equal = sum(there.get(place) == found for place, found in here.items())
    print(f"{n_planned} runs planned, {len(here)} in {local}, {len(there)} in {remote}")
    for place in sorted(here.keys() | there.keys()):
        if here.get(place) != there.get(place):
            print(f"differs: {place}")
    print(
        f"equal_results = {n_equal} of {n_planned} (goal: all, with one of two workers killed "
        f"half-way); run twice: {n_twice} (goal: none)"
    )
    is_whole = n_planned == len(here) == len(there) == n_equal
    return 0 if codes == [0, 0] and is_whole and not n_twice else 1


def run_on(cluster: Cluster, database: Path, kill_after: int) -> int:
    """Run the study on a cluster and kill a worker on the way; return its exit code."""
    process = _start(database, "--scheduler", cluster.address)
    while n_stored(database) < kill_after and process.poll() is None:
        time.sleep(0.1)
    cluster.workers[0].kill()
    print(f"a worker was killed after {n_stored(database)} results")
    return process.wait()


def _start(database: Path, *options: str) -> subprocess.Popen[bytes]:
    asked = [part for name in NAMES for part in ("--question", name)]
    seeds = ("--seeds", str(len(SEEDS)))
    return subprocess.Popen(
        [*MAIN, "study", STUDY, "--quick", *asked, *seeds, "--db", str(database), *options]
    )


def n_stored(database: Path) -> int:
    """Return how many results there are so far."""
    try:
        return len(read_study(database, STUDY))
    except StoreError:
        return 0


def table(database: Path) -> dict[str, Any]:
    """Return all figures of all runs, by question, point and seed."""
    return {
        to_json([question.name, row["point"], row["seed"]]): to_json(row["results"])
        for question in ASKED
        for row in results_of(database, STUDY, question, SEEDS)
    }


if __name__ == "__main__":
    sys.exit(main())
