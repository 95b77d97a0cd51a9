"""pymeasure's own hardware tests, unmodified, against the twin of the Keithley 2400.

The tests come out of pymeasure's source distribution on PyPI, of the version that is installed, and
run in a process of their own that is told an address, as for an instrument on a bench. Behind the
address is a pseudo-terminal that the station ``twin-wire`` is served on. The distribution is kept
in a temporary folder, so that only the first run needs a network; where it cannot be had, the
script says so and ends with 3.
"""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from hil.station import load_station
from twin.serving import serve_station

VERSION = importlib.metadata.version("pymeasure")
CACHE = Path(tempfile.gettempdir()) / "hil-pymeasure-sdist"
SUITES = (
    "tests/instruments/keithley/test_keithley2400_with_device.py",
    "tests/instruments/test_scpi_mixin_with_device.py",
)
GOAL = 80  # the least that a version has; all that it has have to pass
NOT_FETCHED = 3
TIMEOUT_S = 300


def fetch() -> Path | None:
    """Return the folder of the distribution; None if it cannot be had."""
    folder = CACHE / f"pymeasure-{VERSION}"
    if not all((folder / suite).exists() for suite in SUITES):
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest"]
        what = [str(CACHE), "--no-binary", "pymeasure", f"pymeasure=={VERSION}"]
        done = subprocess.run([*download, *what], capture_output=True, text=True, check=False)
        archive = CACHE / f"pymeasure-{VERSION}.tar.gz"
        if done.returncode or not archive.exists():
            return None
        with tarfile.open(archive) as opened:
            opened.extractall(CACHE, filter="data")
    return folder


def run_suite(folder: Path, suite: str, address: str) -> dict[str, int]:
    """Run one file of tests; return how many passed, failed, and so on."""
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", suite]
    done = subprocess.run(
        [*command, "--device-address", address],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    lines = done.stdout.strip().splitlines() or ["(printed nothing)"]
    print(f"{suite}: {lines[-1]}")
    if done.returncode:
        print(done.stdout[-4000:] + done.stderr[-2000:], file=sys.stderr)
    return {
        word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|error|skipped)", lines[-1])
    }


def main() -> int:
    folder = fetch()
    if folder is None:
        print(f"not run: pymeasure {VERSION} as a source distribution cannot be fetched from PyPI")
        return NOT_FETCHED
    n_passed = n_other = 0
    with serve_station(load_station("twin-wire"), wire="pty") as addresses:
        for suite in SUITES:
            counts = run_suite(folder, suite, addresses["smu"])
            n_passed += counts.pop("passed", 0)
            n_other += sum(counts.values())
    n_tests = n_passed + n_other
    print(f"pymeasure {VERSION} on the 2400 twin over a pseudo-terminal: {n_passed} of {n_tests}")
    return 0 if n_passed == n_tests >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
