"""What the commands of studies have in common: a bar, signals, and the last lines."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click
from tqdm import tqdm

from hil.store import to_json
from procedures.runner import STOPPING
from procedures.studies.study import Progress


def print_end(
    study: str, end: Progress, database: Path, wall_s: float, left_out: str, as_json: bool
) -> None:
    """Say how a study ended and what to do next."""
    told = {
        "study": study,
        "tasks": end.n_tasks,
        "done_before": end.n_before,
        "done": end.n_done,
        "failed": end.n_failed,
        "wall_time_s": round(wall_s, 1),
        "left_out": left_out,
        "database": str(database.resolve()),
    }
    if as_json:
        click.echo(to_json(told))
        return
    click.echo(
        f"study {study}: {end.n_tasks} runs, {end.n_before} done before, {end.n_done} now, "
        f"{end.n_failed} failed, {wall_s:.0f} s"
    )
    click.echo(f"database: {told['database']}")
    click.echo(f"next: hil report {study} --db {database}")


class Bar:
    """A bar on standard error if a person looks; a line for each failure in any case."""

    def __init__(self) -> None:
        self._bar = tqdm(unit="run", disable=not sys.stderr.isatty(), smoothing=0.05)
        self._n_failed = 0

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the bar."""
        self._bar.close()

    def show(self, progress: Progress) -> None:
        """Show how far the study is."""
        if self._bar.total is None:
            self._bar.reset(total=progress.n_tasks)
            self._bar.update(progress.n_before)
        if progress.n_failed > self._n_failed:
            self._n_failed = progress.n_failed
            self._bar.write(f"hil: failed: {progress.last}", file=sys.stderr)
        done = progress.n_before + progress.n_done + progress.n_failed
        self._bar.set_description(progress.last.split(":")[0], refresh=False)
        self._bar.update(done - self._bar.n)


@contextmanager
def signals_stop() -> Iterator[None]:
    """SIGTERM and SIGHUP end the study as Ctrl-C does: workers are stopped, the file is closed.

    Signals that arrive while that happens change nothing any more.
    """
    is_stopping = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal is_stopping
        if not is_stopping:
            is_stopping = True
            raise KeyboardInterrupt

    before = {
        number: signal.signal(number, stop)
        for number in STOPPING
        if signal.getsignal(number) not in (signal.SIG_IGN, None)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
