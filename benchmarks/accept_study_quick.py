"""``hil study eslami --quick`` from nothing takes less than three minutes on two cores.

Runs the command as a user would, in an empty folder, on two workers, and then writes the report.
Handwriting takes part where MNIST is found (``HIL_MNIST``, or ``../shared/data/mnist``).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GOAL_S = 180.0
MAIN = [sys.executable, "-c", "from procedures.cli import main; main()"]
SHARED = Path(__file__).parents[2] / "shared" / "data" / "mnist"


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="accept_study_quick_"))
    if SHARED.is_dir():
        os.environ.setdefault("HIL_MNIST", str(SHARED))
    start_s = time.monotonic()
    study = _hil(folder, "study", "eslami", "--quick", "--workers", "2")
    wall_s = time.monotonic() - start_s
    report = _hil(folder, "report", "eslami")
    print(study.stdout + study.stderr + report.stdout + report.stderr)
    is_done = study.returncode == report.returncode == 0
    is_there = (folder / "report-eslami" / "index.html").is_file()
    print(f"report: {folder / 'report-eslami' / 'index.html'}, there: {is_there}")
    print(f"quick_study_wall_time = {wall_s:.0f} s (goal < {GOAL_S:.0f} s on 2 cores)")
    return 0 if is_done and is_there and wall_s < GOAL_S else 1


def _hil(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MAIN, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


if __name__ == "__main__":
    sys.exit(main())
