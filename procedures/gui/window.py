"""A pymeasure window over a procedure, which says what it drives and leaves nothing on."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

from pymeasure.display.manager import Experiment
from pymeasure.display.Qt import QtCore, QtGui, QtWidgets
from pymeasure.display.windows import ManagedWindow
from pymeasure.experiment import Procedure

from hil.types import BoardInfo
from procedures.base import BoardProcedure
from procedures.cli import exits
from procedures.guards import FAILED
from procedures.gui.axes import TEXT_COLUMNS, first_axes, parameters_as_written
from procedures.gui.banner import Notice, SourceBanner
from procedures.gui.garbage import collecting_in_this_thread
from procedures.gui.rows import PlotRows

_LOGGERS = ("hil", "procedures", "pymeasure")
_N_PARAMETERS_LISTED = 3
_STOP_LIMIT_MS = 30_000
_TICK_MS = 100
_STOPPING = "Stopping the run; the window closes as soon as its outputs are off."


class BenchWindow(ManagedWindow):
    """Queues runs of one procedure, plots them, and says which board they drive.

    Every run is written to the database of its parameters. A failed run shows why, and the next
    one in the queue starts. Closing the window aborts the run that is on; the window goes when
    the board is safe. Aborting pauses the queue if there is more in it.

    Args:
        procedure_class: what to run.
        values: first values of parameters, by name; the defaults for all others.

    Raises:
        ParameterError: a value is of no known parameter.
    """

    board_opening = QtCore.Signal(object)
    board_opened = QtCore.Signal(object, str)
    run_ended = QtCore.Signal(object)

    def __init__(
        self, procedure_class: type[BoardProcedure], values: Mapping[str, object] | None = None
    ) -> None:
        self._paused = self._closing = False
        self._n_queued = 0
        self._folder = TemporaryDirectory(prefix="hil-window-")
        first = procedure_class(**dict(values or {}))
        self._axes = first_axes(procedure_class)
        names = parameters_as_written(procedure_class)
        super().__init__(
            procedure_class,
            x_axis=self._axes.x,
            y_axis=self._axes.y,
            inputs=names,
            displays=["station", *names[:_N_PARAMETERS_LISTED]],
            inputs_in_scrollarea=True,
            enable_file_input=False,
            log_channel="procedures",
        )
        self.setWindowTitle(f"{procedure_class.__name__} - memristor-hil")
        self.resize(1280, 860)
        self.set_parameters(first.parameter_objects())
        self.manager.port = None  # else every run listens on all network interfaces
        self.manager.failed.connect(self.failed)
        self.board_opening.connect(self._show_opening)
        self.board_opened.connect(self._show_opened)
        self._keep_numeric_axes()
        self._keep_to_the_database()
        self._log_here()
        self.inputs.parentWidget().layout().setStretchFactor(self.inputs, 1)  # all of the height
        self.banner, self.notice = SourceBanner(self.main), Notice(self.main)
        self.main.layout().insertWidget(0, self.banner)
        self.main.layout().insertWidget(1, self.notice)
        self.banner.show_station(first.station)

    def queue(self, procedure: BoardProcedure | None = None) -> None:
        """Queue a run with the parameters in the window, or one that is given."""
        procedure = procedure or self.make_procedure()
        self._announce_board(procedure)
        self.notice.say("")
        self._n_queued += 1
        rows = PlotRows(procedure, Path(self._folder.name) / f"{self._n_queued}.csv")
        experiment = self.new_experiment(rows)
        experiment.browser_item.setText(1, "")
        self.manager.queue(experiment)

    def abort(self) -> None:
        """Abort the run that is on; what else is queued waits for Resume."""
        self._paused = True
        super().abort()

    def resume(self) -> None:
        """Go on with the queue."""
        self._paused = False
        super().resume()

    def finished(self, experiment: Experiment) -> None:
        """Take note of a run that pymeasure calls finished; its board may have failed since."""
        super().finished(experiment)
        self._end(experiment)

    def abort_returned(self, experiment: Experiment) -> None:
        """Take note of a run that was aborted."""
        super().abort_returned(experiment)
        self._end(experiment)

    def failed(self, experiment: Experiment) -> None:
        """Show why a run failed, and start the next one, which pymeasure does not."""
        super().finished(experiment)
        self._end(experiment)
        if not self._paused:
            self.manager.next()

    def closeEvent(self, event: QtGui.QCloseEvent) -> None:  # noqa: N802 (Qt's name)
        """Close, or if a run is on abort it and close when its outputs are off."""
        if self.manager.is_running():
            event.ignore()
            self._closing = True
            self.queue_button.setEnabled(False)
            self.notice.say(_STOPPING)
            if not self._paused:
                self.abort()
            return
        self._log_here(False)
        self._folder.cleanup()
        event.accept()

    def quit(self, evt: object = None) -> None:
        """Close although Qt no longer asks: wait for the end of the run, within 30 s."""
        deadline = QtCore.QDeadlineTimer(_STOP_LIMIT_MS)
        self.close()
        while self.manager.is_running() and not deadline.hasExpired():
            QtCore.QCoreApplication.processEvents(
                QtCore.QEventLoop.ProcessEventsFlag.AllEvents, _TICK_MS
            )
        self.close()

    def new_curve(
        self, wdg: QtWidgets.QWidget, results: PlotRows, color: Any = None, **kwargs: Any
    ) -> Any:
        """Return the curve of a run: a line, or points where rows do not follow from each other."""
        curve = super().new_curve(wdg, results, color=color, **kwargs)
        if curve is not None and not self._axes.joined:
            curve.pen.setStyle(QtCore.Qt.PenStyle.NoPen)
            curve.setPen(curve.pen)
            curve.setSymbol("o")
            curve.setSymbolSize(6)
            curve.setSymbolPen(None)
            curve.setSymbolBrush(curve.color)
        return curve

    def _announce_board(self, procedure: BoardProcedure) -> None:
        """Have the run say over Qt's queue, from its own thread, what it opens or why it cannot."""
        startup = procedure.startup

        def startup_and_say() -> None:
            self.board_opening.emit(procedure.station)
            try:
                startup()
            except Exception as error:
                procedure.error = procedure.error or " ".join(str(error).split())
                raise
            if procedure.run_id:
                self.board_opened.emit(procedure.board.info, procedure.run_id)

        procedure.startup = startup_and_say  # type: ignore[method-assign]

    def _show_opening(self, station: str) -> None:
        self.banner.show_opening(station)

    def _show_opened(self, info: BoardInfo, run_id: str) -> None:
        self.banner.show_board(info)
        item = self.manager.running_experiment().browser_item
        item.setText(1, run_id)
        item.setToolTip(1, run_id)

    def _end(self, experiment: Experiment) -> None:
        """Draw the last rows, say what went wrong, and get ready for what comes next."""
        for curve in filter(None, experiment.curve_list):
            curve.update_data()
        procedure, item = experiment.procedure, experiment.browser_item
        if procedure.outcome == FAILED or procedure.status == Procedure.FAILED:
            self._show_failure(procedure, item)
        if self._closing:
            QtCore.QTimer.singleShot(0, self.close)
        elif self._paused and self.manager.experiments.has_next():
            self.abort_button.setText("Resume")
            self.abort_button.setEnabled(True)
        elif self._paused:
            self.resume()
            self.manager.resume()
        self.run_ended.emit(experiment)

    def _show_failure(self, procedure: BoardProcedure, item: Any) -> None:
        procedure.status = Procedure.FAILED
        item.setStatus(Procedure.FAILED)
        error = procedure.error or "no reason given; see the log"
        item.setToolTip(3, error)
        run_id = item.text(1)
        self.notice.say(f"Run {run_id} failed: {error}" if run_id else f"No run: {error}")
        if not run_id:
            self.banner.show_station(procedure.station)

    def _keep_numeric_axes(self) -> None:
        for choice in (self.plot_widget.columns_x, self.plot_widget.columns_y):
            for column in TEXT_COLUMNS.intersection(self.procedure_class.DATA_COLUMNS):
                choice.removeItem(choice.findText(column))

    def _keep_to_the_database(self) -> None:
        """List runs by their id, and do not load CSV files: they do not say what they are of."""
        self.browser.headerItem().setText(1, "Run")
        self.browser.header().resizeSection(1, 230)
        self.browser_widget.open_button.hide()

    def _log_here(self, on: bool = True) -> None:
        """Show in the log tab what concerns the runs, or stop doing so."""
        handler = self.log_widget.handler
        logging.getLogger().removeHandler(handler)
        for name in _LOGGERS:
            logger = logging.getLogger(name)
            logger.addHandler(handler) if on else logger.removeHandler(handler)
        if not on:
            self.tabs.setCurrentWidget(self.log_widget)  # ends the blinking of its tab


def show_window(procedure_class: type[BoardProcedure], values: Mapping[str, object]) -> int:
    """Show a window and return when it is closed; then no run is on and the outputs are off.

    Ctrl-C and SIGTERM close the window: the run is aborted and made safe first.

    Args:
        procedure_class: what to run.
        values: first values of parameters, by name.

    Returns:
        Exit code: 0, or 3 if a signal closed the window.

    Raises:
        ParameterError: a value is of no known parameter.
    """
    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication(["hil"])
    with collecting_in_this_thread():
        window = BenchWindow(procedure_class, values)
        window.show()
        with closing_on_signals(window) as received:
            application.exec()
    return exits.ABORTED if received else exits.FINISHED


@contextmanager
def closing_on_signals(window: QtWidgets.QWidget) -> Iterator[list[int]]:
    """Close ``window`` on Ctrl-C and SIGTERM; yield the list of those that came.

    Python runs its handlers only when Qt hands over to Python, so a timer makes it do that.
    """
    received: list[int] = []

    def close(number: int, frame: FrameType | None) -> None:
        received.append(number)
        QtCore.QTimer.singleShot(0, window.close)

    before = {number: signal.signal(number, close) for number in (signal.SIGINT, signal.SIGTERM)}
    tick = QtCore.QTimer()
    tick.timeout.connect(lambda: None)
    tick.start(_TICK_MS)
    try:
        yield received
    finally:
        tick.stop()
        for number, handler in before.items():
            signal.signal(number, handler)
