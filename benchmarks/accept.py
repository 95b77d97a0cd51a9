"""Runs every acceptance benchmark (``accept_TOPIC_*.py``) and shows the last line of each.

Exits with 0 only if all of them met their goals.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def main() -> int:
    missed = []
    for script in sorted(Path(__file__).parent.glob("accept_*_*.py")):
        done = subprocess.run(
            [sys.executable, str(script)], capture_output=True, text=True, check=False
        )
        lines = done.stdout.strip().splitlines() or ["(printed nothing)"]
        verdict = "met" if done.returncode == 0 else "MISSED"
        print(f"{verdict:7}{script.stem}: {lines[-1]}", flush=True)
        if done.returncode:
            missed.append(script.stem)
            print(done.stderr.strip()[-2000:], file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
