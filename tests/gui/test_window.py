from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hil.station import Station
from hil.store import RunDatabase, RunSummary
from procedures.gui.packages import how_to_install
from procedures.registry import PROCEDURES
from tests.support.qt import qt_import_error
from twin import opening
from twin.opening import TwinInstruments

if problem := qt_import_error():
    if os.environ.get("HIL_REQUIRE_GUI") == "1":
        pytest.fail(f"HIL_REQUIRE_GUI is 1: {how_to_install(problem)}", pytrace=False)
    pytest.skip(how_to_install(problem), allow_module_level=True)

from PySide6 import QtCore, QtWidgets
from pytestqt.qtbot import QtBot

from procedures.gui.garbage import collecting_in_this_thread
from procedures.gui.window import BenchWindow, closing_on_signals, show_window

RUN_MS = 30_000
ENDLESS = {"cycles": 1_000_000}
SHORT = {"points": 16, "loops": 2}

OpenWindow = Callable[..., BenchWindow]


@pytest.fixture
def open_window(qtbot: QtBot, tmp_path: Path) -> Iterator[OpenWindow]:
    windows: list[BenchWindow] = []

    def open_it(procedure: str, **values: Any) -> BenchWindow:
        values = {"database": str(tmp_path / "runs.sqlite")} | values
        window = BenchWindow(PROCEDURES[procedure], values)
        windows.append(window)
        window.show()
        return window

    with collecting_in_this_thread():
        yield open_it
        while windows:
            windows[-1].quit()
            windows.pop().deleteLater()
        QtCore.QCoreApplication.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete.value)


@pytest.fixture
def twins(monkeypatch: pytest.MonkeyPatch) -> list[TwinInstruments]:
    """Instruments of the wire twins that were opened, in order."""
    opened: list[TwinInstruments] = []
    build = opening.build_instruments

    def build_and_keep(station: Station, seed: int | None = None) -> TwinInstruments:
        opened.append(build(station, seed))
        return opened[-1]

    monkeypatch.setattr(opening, "build_instruments", build_and_keep)
    return opened


def queue_and_wait(qtbot: QtBot, window: BenchWindow, n_runs: int = 1) -> None:
    """Press Queue and wait until so many runs have ended."""
    with qtbot.waitSignals([window.run_ended] * n_runs, timeout=RUN_MS):
        press(window.queue_button)


def queue_and_wait_for_rows(qtbot: QtBot, window: BenchWindow) -> None:
    press(window.queue_button)
    qtbot.waitUntil(lambda: len(window.manager.experiments[-1].results.data) > 2, timeout=RUN_MS)


def press(button: QtWidgets.QPushButton) -> None:
    assert button.isEnabled()
    button.click()


def set_input(window: BenchWindow, name: str, value: Any) -> None:
    getattr(window.inputs, name).setValue(value)


def runs(tmp_path: Path) -> list[RunSummary]:
    """All runs, oldest first."""
    with RunDatabase(tmp_path / "runs.sqlite") as database:
        return sorted(database.runs(), key=lambda run: run.run_id)


def statuses(window: BenchWindow) -> list[str]:
    return [experiment.browser_item.text(3) for experiment in window.manager.experiments]


def shown(window: BenchWindow, run: int = 0) -> int:
    """Number of points that the plot holds of a run."""
    curve = window.manager.experiments[run].curve_list[0]
    assert curve in window.plot_widget.plot.items
    return 0 if curve.xData is None else len(curve.xData)


THREADS_BEFORE: set[threading.Thread] = set()


@pytest.fixture(autouse=True)
def note_threads() -> None:
    THREADS_BEFORE.clear()
    THREADS_BEFORE.update(threading.enumerate())


def worker_threads() -> list[threading.Thread]:
    """Return the threads that this test has begun and that are alive."""
    return [thread for thread in threading.enumerate() if thread not in THREADS_BEFORE]


def last_output_command(instruments: TwinInstruments) -> str:
    return [text for text in instruments.smu.commands_seen if "OUTP" in text.upper()][-1].upper()


def assert_off(instruments: TwinInstruments) -> None:
    assert last_output_command(instruments).split()[-1] in {"0", "OFF"}
    assert not instruments.smu.output_on
    assert "ON" in " ".join(instruments.smu.commands_seen).upper()  # it had been on


# --- what a window looks like -----------------------------------------------------------------


@pytest.mark.parametrize("name", PROCEDURES)
def test_inputs_are_all_parameters_with_their_defaults(open_window: OpenWindow, name: str) -> None:
    window = open_window(name)
    procedure = window.make_procedure()
    expected = PROCEDURES[name](database=procedure.database).checked_parameters()
    assert procedure.checked_parameters() == expected
    assert set(window.inputs.labels) <= set(expected)
    for parameter in expected:
        assert getattr(window.inputs, parameter).isVisibleTo(window), parameter


@pytest.mark.parametrize(
    ("name", "x", "y"),
    [
        ("iv-sweep", "Device voltage (V)", "Current (A)"),
        ("read-array", "Time (s)", "Conductance (S)"),
        ("pulse-train", "Pulse", "Conductance (S)"),
        ("program-verify", "Target (S)", "Conductance (S)"),
        ("on-chip-training", "Target (S)", "Conductance (S)"),
        ("read-references", "Time (s)", "Conductance (S)"),
    ],
)
def test_first_axes(open_window: OpenWindow, name: str, x: str, y: str) -> None:
    plot = open_window(name).plot_widget
    assert (plot.columns_x.currentText(), plot.columns_y.currentText()) == (x, y)
    assert (plot.plot_frame.x_axis, plot.plot_frame.y_axis) == (x, y)


def test_first_values_are_in_the_inputs(open_window: OpenWindow) -> None:
    window = open_window("iv-sweep", device="W03", amplitude_v=0.6, shape="triangle", seed=7)
    procedure = window.make_procedure()
    assert (procedure.device, procedure.amplitude_v) == ("W03", 0.6)
    assert (procedure.shape, procedure.seed) == ("triangle", 7)


def test_no_socket_is_opened(open_window: OpenWindow) -> None:
    assert open_window("iv-sweep").manager.port is None


# --- runs -------------------------------------------------------------------------------------


def test_a_run_is_plotted_and_stored(open_window: OpenWindow, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window("iv-sweep", **SHORT)
    queue_and_wait(qtbot, window)
    assert statuses(window) == ["Finished"]
    assert shown(window) == 32
    (run,) = runs(tmp_path)
    assert (run.status, run.source, run.procedure) == ("finished", "twin", "IVSweep")
    assert window.manager.experiments[0].browser_item.text(1) == run.run_id
    assert not window.notice.isVisibleTo(window)
    assert not window.abort_button.isEnabled()


@pytest.mark.parametrize(
    ("name", "values", "n_rows"),
    [
        ("read-array", {"devices": "W"}, 30),
        ("pulse-train", {"cycles": 1, "set_pulses": 3, "reset_pulses": 2}, 5),
        ("program-verify", {"devices": "W01,W02"}, 2),
        ("on-chip-training", {"rounds_max": 1, "test_images": 4}, 30),
    ],
)
def test_every_axis_offered_can_be_drawn(
    open_window: OpenWindow, qtbot: QtBot, name: str, values: dict[str, Any], n_rows: int
) -> None:
    window = open_window(name, **values)
    queue_and_wait(qtbot, window)
    assert statuses(window) == ["Finished"]
    plot = window.plot_widget
    offered = [plot.columns_x.itemText(k) for k in range(plot.columns_x.count())]
    assert offered == [plot.columns_y.itemText(k) for k in range(plot.columns_y.count())]
    for index, column in enumerate(offered):
        plot.columns_x.setCurrentIndex(index)
        plot.update_x_column(index)
        assert plot.plot_frame.x_axis == column
        assert shown(window) == n_rows, column
    words = {"Device", "Outcome"} & set(PROCEDURES[name].DATA_COLUMNS)
    assert set(PROCEDURES[name].DATA_COLUMNS) - set(offered) == words
    rows = window.manager.experiments[0].results.data
    assert all(isinstance(word, str) for column in words for word in rows[column])


def test_words_with_commas_quotes_and_hashes_stay_in_their_column(tmp_path: Path) -> None:
    from procedures.gui.rows import PlotRows

    rows = PlotRows(PROCEDURES["read-array"](), tmp_path / "rows.csv")
    record = dict.fromkeys(PROCEDURES["read-array"].DATA_COLUMNS, 1.5)
    names = ['W,1 "left"', "#2", "two\nlines"]
    for name in names:
        with open(rows.data_filename, "a", encoding="utf-8") as file:
            file.write(rows.format(record | {"Device": name}) + "\n")
        assert rows.data["Device"].iloc[-1] == " ".join(name.split())  # grows as a plot reads it
    assert list(rows.data["Current (A)"]) == [1.5] * len(names)


def test_a_failed_run_says_why_and_the_next_one_runs(
    open_window: OpenWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    window = open_window("iv-sweep", **SHORT)
    set_input(window, "device", "Z9")
    press(window.queue_button)
    set_input(window, "device", "W02")
    queue_and_wait(qtbot, window, n_runs=2)
    assert statuses(window) == ["Failed", "Finished"]
    assert window.notice.isVisibleTo(window)
    assert "no device 'Z9'" in window.notice.text()
    assert "no device 'Z9'" in window.manager.experiments[0].browser_item.toolTip(3)
    assert shown(window, run=1) == 32
    assert [run.status for run in runs(tmp_path)] == ["finished"]  # the other one never began
    assert not window.abort_button.isEnabled()


def test_an_amplitude_above_the_limit_is_explained(open_window: OpenWindow, qtbot: QtBot) -> None:
    window = open_window("iv-sweep", amplitude_v=9.0, **SHORT)
    queue_and_wait(qtbot, window)
    assert statuses(window) == ["Failed"]
    assert "limit" in window.notice.text()
    assert "9 V" in window.notice.text()


def test_an_instrument_that_falls_silent_fails_the_run_not_the_queue(
    open_window: OpenWindow,
    qtbot: QtBot,
    tmp_path: Path,
    twins: list[TwinInstruments],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    window = open_window("pulse-train", station="twin-wire", **ENDLESS)
    queue_and_wait_for_rows(qtbot, window)
    set_input(window, "cycles", 1)
    press(window.queue_button)
    with qtbot.waitSignals([window.run_ended] * 2, timeout=RUN_MS):
        monkeypatch.setattr(twins[0].smu, "receive", lambda data: b"")
    assert statuses(window) == ["Failed", "Finished"]
    first, second = runs(tmp_path)
    assert (first.status, second.status) == ("failed", "finished")
    assert first.error
    assert first.error in window.notice.text()
    assert first.run_id in window.notice.text()
    assert shown(window) > 2


# --- aborting ---------------------------------------------------------------------------------


def test_abort_ends_the_run_with_the_output_off(
    open_window: OpenWindow, qtbot: QtBot, tmp_path: Path, twins: list[TwinInstruments]
) -> None:
    window = open_window("pulse-train", station="twin-wire", **ENDLESS)
    queue_and_wait_for_rows(qtbot, window)
    with qtbot.waitSignal(window.run_ended, timeout=RUN_MS):
        press(window.abort_button)
    (run,) = runs(tmp_path)
    assert run.status == "aborted"
    assert run.n_pulses >= 2
    assert statuses(window) == ["Aborted"]
    assert_off(twins[0])


def test_abort_holds_back_what_is_queued_until_resume(
    open_window: OpenWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    window = open_window("pulse-train", **ENDLESS)
    queue_and_wait_for_rows(qtbot, window)
    set_input(window, "cycles", 1)
    press(window.queue_button)
    with qtbot.waitSignal(window.run_ended, timeout=RUN_MS):
        press(window.abort_button)
    assert statuses(window) == ["Aborted", "Queued"]
    assert window.abort_button.text() == "Resume"
    with qtbot.waitSignal(window.run_ended, timeout=RUN_MS):
        press(window.abort_button)
    assert statuses(window) == ["Aborted", "Finished"]
    assert [run.status for run in runs(tmp_path)] == ["aborted", "finished"]


def test_after_an_abort_with_nothing_queued_the_next_run_starts_at_once(
    open_window: OpenWindow, qtbot: QtBot
) -> None:
    window = open_window("pulse-train", **ENDLESS)
    queue_and_wait_for_rows(qtbot, window)
    with qtbot.waitSignal(window.run_ended, timeout=RUN_MS):
        press(window.abort_button)
    assert window.abort_button.text() == "Abort"
    set_input(window, "cycles", 1)
    queue_and_wait(qtbot, window)
    assert statuses(window) == ["Aborted", "Finished"]


# --- closing ----------------------------------------------------------------------------------


def assert_closes_safely(
    qtbot: QtBot, window: BenchWindow, tmp_path: Path, instruments: TwinInstruments
) -> None:
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=RUN_MS)
    (run,) = runs(tmp_path)
    assert (run.status, run.ended_at is not None) == ("aborted", True)
    assert_off(instruments)
    qtbot.waitUntil(lambda: worker_threads() == [], timeout=RUN_MS)


def test_closing_aborts_the_run_and_leaves_nothing_on(
    open_window: OpenWindow, qtbot: QtBot, tmp_path: Path, twins: list[TwinInstruments]
) -> None:
    window = open_window("pulse-train", station="twin-wire", **ENDLESS)
    queue_and_wait_for_rows(qtbot, window)
    folder = Path(window.manager.experiments[0].data_filename).parent
    assert not window.close()  # it stays until the run is over
    assert window.isVisible()
    assert "Stopping" in window.notice.text()
    assert_closes_safely(qtbot, window, tmp_path, twins[0])
    assert not folder.exists()


def test_quitting_the_application_waits_for_the_run(
    open_window: OpenWindow, qtbot: QtBot, tmp_path: Path, twins: list[TwinInstruments]
) -> None:
    window = open_window("pulse-train", station="twin-wire", **ENDLESS)
    queue_and_wait_for_rows(qtbot, window)
    window.quit()  # what pymeasure connects to Qt's aboutToQuit
    assert not window.manager.is_running()
    assert_closes_safely(qtbot, window, tmp_path, twins[0])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_closes_the_window(
    open_window: OpenWindow,
    qtbot: QtBot,
    tmp_path: Path,
    twins: list[TwinInstruments],
    number: signal.Signals,
) -> None:
    before = signal.getsignal(number)
    window = open_window("pulse-train", station="twin-wire", **ENDLESS)
    queue_and_wait_for_rows(qtbot, window)
    with closing_on_signals(window) as received:
        os.kill(os.getpid(), number)
        assert_closes_safely(qtbot, window, tmp_path, twins[0])
    assert received == [number]
    assert signal.getsignal(number) == before


def test_a_signal_acts_although_nothing_happens_in_python(qapp: QtWidgets.QApplication) -> None:
    widget = QtWidgets.QWidget()
    widget.show()
    too_late = QtCore.QTimer(singleShot=True, interval=RUN_MS)
    too_late.timeout.connect(qapp.quit)
    too_late.start()
    with closing_on_signals(widget):
        QtCore.QProcess.startDetached("kill", ["-TERM", str(os.getpid())])
        qapp.exec()
        assert too_late.isActive()
        assert not widget.isVisible()


def test_show_window_returns_the_exit_code_of_the_signal(qtbot: QtBot, tmp_path: Path) -> None:
    values: dict[str, object] = {"database": str(tmp_path / "runs.sqlite")}
    QtCore.QTimer.singleShot(0, lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert show_window(PROCEDURES["iv-sweep"], values) == 3
    QtCore.QTimer.singleShot(0, QtWidgets.QApplication.closeAllWindows)
    assert show_window(PROCEDURES["iv-sweep"], values) == 0


# --- the banner -------------------------------------------------------------------------------


def test_the_banner_says_twin_only_once_a_board_is_open(
    open_window: OpenWindow, qtbot: QtBot
) -> None:
    window = open_window("iv-sweep", **SHORT)
    assert window.banner.isVisible()
    assert "NOT CONNECTED" in window.banner.text()
    unknown_colour = window.banner.styleSheet()
    queue_and_wait(qtbot, window)
    assert window.banner.text().startswith("TWIN")
    assert "station twin" in window.banner.text()
    assert window.banner.styleSheet() != unknown_colour


def test_the_banner_gives_the_reason_of_a_fallback(
    open_window: OpenWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    window = open_window("iv-sweep", station="bench-2400", fallback="twin", **SHORT)
    queue_and_wait(qtbot, window)
    (run,) = runs(tmp_path)
    assert run.source_reason
    assert window.banner.text().startswith("TWIN")
    assert "bench-2400" in window.banner.text()
    assert run.source_reason in window.banner.text()


def test_the_banner_forgets_the_last_board_when_the_next_one_does_not_open(
    open_window: OpenWindow, qtbot: QtBot
) -> None:
    window = open_window("iv-sweep", **SHORT)
    queue_and_wait(qtbot, window)
    set_input(window, "station", "bench-2400")
    queue_and_wait(qtbot, window)
    assert "TWIN" not in window.banner.text()
    assert "NOT CONNECTED" in window.banner.text()
    assert "bench-2400" in window.notice.text()


@pytest.mark.parametrize(("source", "word"), [("bench", "BENCH"), ("replay", "REPLAY")])
def test_the_banner_has_a_word_and_a_colour_for_every_source(
    open_window: OpenWindow, source: str, word: str
) -> None:
    from dataclasses import replace

    from hil.opening import open_board
    from hil.types import Source
    from procedures.gui.banner import SourceBanner

    with open_board("twin") as board:
        info = board.info
    banner, of_a_twin = SourceBanner(), SourceBanner()
    banner.show_board(replace(info, source=Source(source)))
    of_a_twin.show_board(info)
    assert banner.text().startswith(word)
    assert banner.styleSheet() != of_a_twin.styleSheet()
