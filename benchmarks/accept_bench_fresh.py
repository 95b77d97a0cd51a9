"""The README's first command does everything in a fresh clone, and quickly after the install.

Clones this repository into an empty directory, makes the environment there, then times
``make demo`` and checks what it promises to print.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GOAL_S = 60.0
ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="accept_bench_fresh_") as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        start_s = time.perf_counter()
        make(clone, ".venv/.main")
        print(f"install: {time.perf_counter() - start_s:.1f} s")
        start_s = time.perf_counter()
        output = make(clone, "demo")
        demo_s = time.perf_counter() - start_s
        print(output)
        paths = {
            name: re.search(rf"^{name}: (.+)$", output, re.MULTILINE)
            for name in ("database", "picture")
        }
        there = all(found and Path(found[1]).is_file() for found in paths.values())
    print(f"demo_time = {demo_s:.1f} s (goal < {GOAL_S:.0f}, database and picture there: {there})")
    return 0 if demo_s < GOAL_S and there else 1


def make(folder: Path, target: str) -> str:
    """Run make in a folder and return what it printed."""
    done = subprocess.run(["make", target], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"make {target} failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
