"""``hil calibrate``: from runs to calibration records."""

from __future__ import annotations

import datetime
import re
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TypeVar

import click
from tqdm import tqdm

from calibration.fitting.device_calibration import FitSettings, calibrate_device
from calibration.fitting.loop_simulator import Parasitics
from calibration.fitting.pulse_fit import fit_pulse_levels
from calibration.fitting.pulse_levels import read_pulse_levels
from calibration.fitting.pulse_record import pulse_record
from calibration.fitting.residual_plots import FORMATS, draw_fit
from calibration.references.board import fit_board
from calibration.references.instrument import fit_instrument
from hil import interrupts
from hil.errors import UsageError
from hil.records import Record, load_record, write_record
from hil.station import CalibrationTable
from hil.store import add_calibration, to_json
from procedures.reports.device_fit import as_json_object, as_text, level_lines, parameter_lines

F = TypeVar("F", bound=Callable[..., object])


def _record_options(command: F) -> F:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
        click.option("--supersedes", metavar="ID", help="Record that the new one replaces."),
        click.option("--id", "record_id", help="Id of the record; made from subject and day."),
        click.option(
            "--out",
            type=click.Path(path_type=Path),
            default=CalibrationTable().folder,
            show_default=True,
            help="Folder for the record.",
        ),
        click.option(
            "--db",
            "database",
            type=click.Path(path_type=Path),
            default="runs.sqlite",
            show_default=True,
            help="SQLite file with the runs; gets the record as well.",
        ),
    ):
        command = option(command)
    return command


@click.group()
def calibrate() -> None:
    """Fit devices, instruments and boards to runs; each fit writes a calibration record."""


@calibrate.command()
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@_record_options
@click.option("--device", metavar="NAME", help="Whose loops, where the runs are of several.")
@click.option("--model", type=click.Choice(["gmss", "mss"]), default="gmss", show_default=True)
@click.option("--starts", type=click.IntRange(min=1), default=6, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the starts.")
@click.option("--loo", is_flag=True, help="Predict each condition from a fit to all others.")
@click.option(
    "--test",
    default="",
    metavar="TEXT",
    help="Predict loops whose label has TEXT; do not fit them.",
)
@click.option(
    "--profiles", type=click.IntRange(min=0), default=0, help="Profile the N worst parameters."
)
@click.option("--base", metavar="ID", help="Record to take from what loops do not tell.")
@click.option(
    "--board-capacitance",
    "c_board_f",
    type=click.FloatRange(min=0),
    metavar="F",
    help="See --load.",
)
@click.option(
    "--load",
    "g_load_siemens",
    type=click.FloatRange(min=0),
    metavar="S",
    help="Parallel to the device; what the runs tell of their board if not given.",
)
@click.option("--plot", type=click.Path(path_type=Path), help="Picture: PNG, SVG or PDF.")
def device(
    runs: Sequence[str],
    database: Path,
    out: Path,
    record_id: str | None,
    supersedes: str | None,
    as_json: bool,
    device: str | None,
    model: str,
    starts: int,
    seed: int,
    loo: bool,
    test: str,
    profiles: int,
    base: str | None,
    c_board_f: float | None,
    g_load_siemens: float | None,
    plot: Path | None,
) -> None:
    """Fit one parameter set to all current-voltage loops of a device.

    Takes the loops of the runs given, or of all runs; 10 s to 30 s, with --loo eight times that.
    """
    if plot and plot.suffix.lower() not in FORMATS:
        raise UsageError(f"{plot}: a picture is one of {', '.join(FORMATS)}")
    name = record_id or _id(device or "device")
    _refuse_taken(out, name)
    parasitics = None
    if c_board_f is not None or g_load_siemens is not None:
        parasitics = Parasitics(c_board_f or 0.0, g_load_siemens or 0.0)
    settings = FitSettings(
        model=model,
        n_starts=starts,
        seed=seed,
        parasitics=parasitics,
        test=test,
        leave_out=loo,
        n_profiles=profiles,
        base=load_record(base, [out]) if base else None,
        supersedes=supersedes,
    )
    with _stopping(), _Bar(hidden=as_json) as bar:
        done = calibrate_device(
            database, runs, name, device=device, settings=settings, progress=bar.show
        )
    path = _keep(done.record, out, database)
    drawn = draw_fit(done.fit, plot, done.profiles) if plot else None
    if as_json:
        click.echo(to_json(as_json_object(done) | {"file": str(path), "picture": drawn}))
        return
    click.echo(as_text(done))
    click.echo(f"record: {path.resolve()}")
    if drawn:
        click.echo(f"picture: {drawn.resolve()}")


@calibrate.command()
@click.argument("levels", type=click.Path(path_type=Path), metavar="LEVELS.toml")
@click.option(
    "--base", required=True, metavar="ID", help="Record to take from what pulses do not tell."
)
@_record_options
def pulses(
    levels: Path,
    base: str,
    database: Path,
    out: Path,
    record_id: str | None,
    supersedes: str | None,
    as_json: bool,
) -> None:
    """Fit a device to what pulse trains leave: mean and spread over cycles, by amplitude.

    LEVELS.toml says what was done and measured; see docs/how-to/calibrate.md. Takes 10 s to 20 s.
    """
    data = read_pulse_levels(levels)
    name = record_id or _id(data.experiment.device)
    _refuse_taken(out, name)
    with _stopping():
        fit = fit_pulse_levels(data, load_record(base, [out]))
    record = pulse_record(data, fit, name, supersedes=supersedes)
    _finish(record, out, database, as_json, level_lines(data, fit))


@calibrate.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@_record_options
def instrument(
    runs: Sequence[str],
    database: Path,
    out: Path,
    record_id: str | None,
    supersedes: str | None,
    as_json: bool,
) -> None:
    """Fit the instrument that took runs of read-references: offsets and gains."""
    name = record_id or _id("instrument")
    _refuse_taken(out, name)
    with _stopping():
        record = fit_instrument(database, runs, name, supersedes=supersedes)
    _finish(record, out, database, as_json)


@calibrate.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("--instrument", required=True, metavar="ID", help="Record of the instrument.")
@_record_options
def board(
    runs: Sequence[str],
    instrument: str,
    database: Path,
    out: Path,
    record_id: str | None,
    supersedes: str | None,
    as_json: bool,
) -> None:
    """Fit the board behind runs of read-references: resistances of its paths, and its load."""
    name = record_id or _id("board")
    _refuse_taken(out, name)
    with _stopping():
        record = fit_board(
            database, runs, name, load_record(instrument, [out]), supersedes=supersedes
        )
    _finish(record, out, database, as_json)


def _finish(
    record: Record, out: Path, database: Path, as_json: bool, more: Sequence[str] = ()
) -> None:
    path = _keep(record, out, database)
    if as_json:
        click.echo(to_json({"file": str(path), "record": record.tables.model_dump()}))
        return
    click.echo(f"{record.head.kind} {record.head.subject}")
    for line in parameter_lines(record):
        click.echo(f"  {line}")
    for line in more:
        click.echo(line)
    click.echo(f"record: {path.resolve()}")


def _keep(record: Record, out: Path, database: Path) -> Path:
    with interrupts.held_back():  # the file and the row belong together
        add_calibration(database, record)
        return write_record(record, out)


def _id(subject: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", subject.lower()).strip("-")
    return f"{plain}-{datetime.date.today():%Y%m%d}"


def _refuse_taken(out: Path, record_id: str) -> None:
    """Refuse before the work what ``write_record`` would refuse after it."""
    if not re.fullmatch(r"[a-z0-9-]+", record_id):
        raise UsageError(f"--id {record_id!r}: only a to z, 0 to 9 and -")
    if (out / f"{record_id}.toml").exists():
        raise UsageError(
            f"{out / record_id}.toml: exists already; a record is never edited: give --id NEW, "
            f"with --supersedes {record_id}"
        )


@contextmanager
def _stopping() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does: end the fit; nothing has been written by then."""

    def handle(number: int, frame: FrameType | None) -> None:
        interrupts.interrupt(signal.Signals(number).name)

    before = signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Bar:
    """A progress bar on the terminal; none elsewhere."""

    def __init__(self, hidden: bool) -> None:
        self._bar = tqdm(total=1.0, leave=False, disable=True if hidden else None, bar_format=_FORM)

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def show(self, what: str, share: float) -> None:
        """Say what is being done and how much of it is done."""
        self._bar.set_description_str(what)
        self._bar.n = share
        self._bar.refresh()


_FORM = "{desc} |{bar}| {percentage:3.0f} % {elapsed}"
