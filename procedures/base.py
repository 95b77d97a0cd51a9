"""The base of all procedures: opens the board, logs everything, and leaves nothing on.

The same class runs in a pymeasure ``Worker`` (windows, consoles), from the command line and from
plain Python (``procedures.runner.run``).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from typing import Any

from pymeasure.experiment import IntegerParameter, ListParameter, Parameter, Procedure

from hil.board import Board
from hil.errors import LimitError, ParameterError, RunAborted
from hil.interrupts import held_back
from hil.limits import LimitChecker
from hil.opening import open_board
from hil.station import Fallback, load_station
from hil.store import RecordingBoard, RunStart, RunWriter, check_database, software_versions
from hil.store.writer import Level
from hil.types import BoardInfo, FloatArray
from procedures.guards import (
    ABORTED,
    FAILED,
    always_safe,
    is_guarded,
    note,
    noting_outcome,
    one_line,
)
from procedures.shadowing import Shadow, Shadowing

log = logging.getLogger(__name__)

_STOP_LATENCY_S = 0.5
_CLOCK_RESOLUTION_S = 1e-9


class BoardProcedure(Procedure):
    """A pymeasure ``Procedure`` on a memristor board.

    Subclasses write ``execute`` and use ``self.board``, ``self.emit``, ``self.stop_if_asked`` and
    ``self.progress``. Whatever they do, and however they end, the board is made safe and the run
    is closed with the right status: ``execute``, ``startup`` and ``shutdown`` of every subclass
    are wrapped for that when the class is made.

    Attributes:
        board: the open board, between ``startup`` and ``shutdown``; what is done to it is logged.
        run_id: of the run in the database; empty if none began.
        outcome: ``finished``, ``failed`` or ``aborted`` once it is over, empty before.
        error: why it failed or was aborted; empty otherwise.
        shadowing: how a twin follows the run; None for not at all.
    """

    station = Parameter(
        "Station", default="twin", description="Shipped station, or path of a station file"
    )
    database = Parameter(
        "Database", default="runs.sqlite", description="SQLite file that the run is written to"
    )
    fallback = ListParameter(
        "Fallback",
        choices=["station", "none", "twin"],
        default="station",
        description="If the board does not answer: do as the station says, fail, or take its twin",
    )
    seed = IntegerParameter(
        "Seed",
        default=1,
        minimum=0,
        maximum=2**31 - 1,
        description="Of everything random in the procedure and in a twin",
    )

    board: RecordingBoard
    emit: Callable[[str, Any], None]
    _open_run: RunWriter | None = None
    _shadow: Shadow | None = None
    shadowing: Shadowing | None = None
    status: int
    run_id = ""
    outcome = ""
    error = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, guard in (
            ("startup", noting_outcome),
            ("execute", noting_outcome),
            ("shutdown", always_safe),
        ):
            method = getattr(cls, name)  # its own, or that of a mixin
            if not is_guarded(method):
                setattr(cls, name, guard(method))

    def __init__(self, **kwargs: Any) -> None:
        unknown = set(kwargs) - set(self.parameter_names())
        if unknown:
            raise ParameterError(
                f"{type(self).__name__} has no parameter {min(unknown)!r}; it has "
                f"{', '.join(sorted(self.parameter_names()))}"
            )
        super().__init__(**kwargs)

    @classmethod
    def parameter_names(cls) -> list[str]:
        """Return the names of all parameters, those of the base last."""
        own = [name for name in dir(cls) if isinstance(getattr(cls, name), Parameter)]
        common = [name for name in vars(BoardProcedure) if name in own]
        return [name for name in own if name not in common] + common

    @noting_outcome
    def startup(self) -> None:
        """Check parameters and database, open the board, begin the run. Nothing is driven yet.

        Raises:
            ParameterError: a parameter is missing or out of its range.
            HilError: the station, the database or the board is not usable; nothing was written.
        """
        self.outcome, self.error, self._open_run, self.run_id = "", "", None, ""
        self._shadow = None
        parameters = self.checked_parameters()
        check_database(self.database)
        station = load_station(self.station)
        fallback: Fallback | None = None if self.fallback == "station" else self.fallback
        board = open_board(station, fallback=fallback, seed=self.seed)
        try:
            self._check_plan_on(board)
            start = RunStart(
                procedure=type(self).__name__,
                parameters=parameters,
                station=station.name,
                station_toml=station.text,
                info=board.info,
                seed=self.seed,
                versions=software_versions(),
            )
            with held_back():  # a row that says "running" has somebody who will end it
                if self.shadowing is not None:
                    self._shadow = self.shadowing.begin(board, station, start, self.database)
                    start = self._shadow.noted(start)
                run = self._open_run = RunWriter.begin(self.database, start)
                self.run_id = run.run_id
        except BaseException as error:
            board.close()
            self._end_shadow(FAILED, one_line(error))
            raise
        shadow = self._shadow
        self.board = RecordingBoard(board, run) if shadow is None else shadow.behind(board, run)
        self.emit = _tee(self.emit, run, board)
        if board.info.source_reason:
            log.warning(self.provenance)
            run.event("fallback", board.info.source_reason, level="warning")

    def check_plan(self, info: BoardInfo, limits: LimitChecker) -> None:
        """Check what ``execute`` is going to ask for; called before anything is written or driven.

        Procedures override it: look up devices, and try amplitudes, widths and read voltages on
        ``limits``. What it does not find the board refuses later, in the middle of the run.

        Raises:
            ParameterError: the station has no such device.
            LimitError: a limit of a device would be exceeded.
        """

    def _check_plan_on(self, board: Board) -> None:
        try:
            self.check_plan(board.info, LimitChecker(board.info, board.limits))
        except LimitError as error:
            raise ParameterError(f"refused before the run began: {error}") from error

    @always_safe
    def shutdown(self) -> None:
        """Clean up after the procedure; the board is made safe after it in any case.

        Never raises, whatever a subclass puts here: what fails is logged and stored.
        """

    def end(self) -> None:
        """Make the board safe, close the run; does nothing the second time. Never raises."""
        board = self.__dict__.pop("board", None)
        try:
            if board is not None:
                board.close()
        except Exception as error:  # whatever it is, the run has still to be closed
            log.error("the board could not be made safe: %s", one_line(error))
            note(self, FAILED, f"the board could not be made safe: {one_line(error)}")
        finally:
            self._close_run()

    def _close_run(self) -> None:
        run, self._open_run = self._open_run, None
        if not self.outcome:  # a Worker that is stopped early leaves out execute
            if self._was_asked_to_stop():
                note(self, ABORTED, "stopped before it was executed")
            else:
                note(self, FAILED, "ended before it was executed")
        if run is not None:
            try:
                run.finish(self.outcome, self.error)
            except Exception as error:  # nobody is left to hand it to
                log.error("the run could not be closed in the database: %s", one_line(error))
                note(self, FAILED, one_line(error))
        self._end_shadow(self.outcome, self.error)
        # A Worker, to which nothing is raised from here, takes what still runs for finished.
        if self.status == self.RUNNING and self.outcome in (FAILED, ABORTED):
            self.status = self.FAILED if self.outcome == FAILED else self.ABORTED
            self.emit("status", self.status)

    def _end_shadow(self, outcome: str, error: str) -> None:
        shadow, self._shadow = self._shadow, None
        if shadow is not None:
            try:
                shadow.end(outcome, error)
            except Exception as failure:  # the run of the board is what counts
                log.error("the run of the twin could not be closed: %s", one_line(failure))

    def _was_asked_to_stop(self) -> bool:
        try:
            return bool(self.should_stop())
        except NotImplementedError:  # nobody runs it: pymeasure's own placeholder
            return False

    @property
    def provenance(self) -> str:
        """One line: bench or twin, and why a twin if it stands in for a bench."""
        info = self.board.info
        reason = f" ({info.source_reason})" if info.source_reason else ""
        return f"{info.source.value.upper()}: station {info.station}, board {info.kind}{reason}"

    def stop_if_asked(self) -> None:
        """Leave the procedure here if someone asked it to stop.

        Raises:
            RunAborted: which ``execute`` need not catch.
        """
        if self.should_stop():
            raise RunAborted("stopped on request")

    def wait_s(self, dt_s: float) -> None:
        """Let time pass on the board's clock; ends early only by a request to stop.

        Raises:
            RunAborted: the run was asked to stop meanwhile.
        """
        end_s = self.board.clock.now_s() + dt_s
        while (left_s := end_s - self.board.clock.now_s()) > _CLOCK_RESOLUTION_S:
            self.stop_if_asked()
            self.board.clock.sleep_s(min(left_s, _STOP_LATENCY_S))

    def progress(self, ratio: float) -> None:
        """Report how much of the work is done, 0 to 1."""
        self.emit("progress", 100.0 * ratio)

    def metric(self, name: str, value: float, unit: str = "", step: int | None = None) -> None:
        """Store a figure of merit of this run."""
        if self._open_run is not None:
            self._open_run.metric(name, value, unit, step=step, t_s=self.board.clock.now_s())

    def event(self, kind: str, message: str, *, level: Level = "info", data: object = None) -> None:
        """Store something worth knowing of this run."""
        if self._open_run is not None:
            t_s = self.board.clock.now_s()
            self._open_run.event(kind, message, level=level, data=data, t_s=t_s)

    def snapshot(self, name: str, g_siemens: FloatArray) -> None:
        """Store the conductances of the whole board, shape (rows, columns)."""
        if self._open_run is not None:
            self._open_run.snapshot(name, g_siemens, t_s=self.board.clock.now_s())

    def checked_parameters(self) -> dict[str, object]:
        """Return all parameter values, converted and checked.

        Raises:
            ParameterError: a value is missing, not convertible, or out of range.
        """
        values: dict[str, object] = {}
        for name in self.parameter_names():
            parameter, value = self._parameters[name], getattr(self, name)
            if value is None:
                raise ParameterError(f"parameter {name} has no value; give one")
            values[name] = convert(name, parameter, value)
            setattr(self, name, values[name])
        return values


def convert(name: str, parameter: Parameter, value: object) -> object:
    """Return ``value`` as the parameter wants it.

    Raises:
        ParameterError: naming the parameter, the value, its unit and what is allowed.
    """
    try:
        converted: object = parameter.convert(value)
        if isinstance(converted, float) and not math.isfinite(converted):
            raise ValueError(f"{converted} is not finite")
    except (ValueError, TypeError, OverflowError) as error:
        unit = getattr(parameter, "units", None)
        shown = f"{value} {unit}" if unit else f"{value}"
        raise ParameterError(
            f"parameter {name} = {shown}: it takes {allowed(parameter)}"
        ) from error
    return converted


def allowed(parameter: Parameter) -> str:
    """Say in words which values a parameter takes."""
    unit = f" {parameter.units}" if getattr(parameter, "units", None) else ""
    if getattr(parameter, "choices", None):
        return f"one of {', '.join(str(choice) for choice in parameter.choices)}"
    if hasattr(parameter, "minimum"):
        if isinstance(parameter, IntegerParameter):
            return f"a whole number from {parameter.minimum} to {parameter.maximum}{unit}"
        return f"a number from {parameter.minimum:g} to {parameter.maximum:g}{unit}"
    return type(parameter).__name__.removesuffix("Parameter").lower() or "text"


def _tee(
    emit: Callable[[str, Any], None], run: RunWriter, board: Board
) -> Callable[[str, Any], None]:
    """Return an ``emit`` that also stores every record in the run."""

    def emit_and_store(topic: str, record: Any) -> None:
        if topic == "results":
            run.record(record, t_s=board.clock.now_s())
        elif topic == "batch results":
            for row in _rows(record):
                run.record(row, t_s=board.clock.now_s())
        emit(topic, record)

    return emit_and_store


def _rows(batch: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)]
