from __future__ import annotations

import subprocess
import sys

import pytest

from procedures.cli import main
from procedures.gui.axes import Axes, first_axes, numeric_columns, parameters_as_written
from procedures.gui.packages import DEBIAN_PACKAGES, has_screen
from procedures.iv_sweep import IVSweep
from procedures.registry import PROCEDURES


def hil_gui(capsys: pytest.CaptureFixture[str]) -> tuple[object, str]:
    """Return exit code and complaint of ``hil gui iv-sweep``."""
    with pytest.raises(SystemExit) as ended:
        main(["gui", "iv-sweep"])
    return ended.value.code, capsys.readouterr().err


def test_the_command_line_names_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "procedures.gui.window", None)  # its import fails
    code, complaint = hil_gui(capsys)
    assert code == 1
    assert all(package in complaint for package in DEBIAN_PACKAGES)
    assert "pip install 'memristor-hil[gui]'" in complaint
    assert complaint.count("\n") == 1


def test_the_command_line_asks_for_a_screen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("PySide6.QtWidgets", exc_type=ImportError)
    monkeypatch.setattr("procedures.cli.gui.has_screen", lambda environment: False)
    code, complaint = hil_gui(capsys)
    assert code == 1
    assert "QT_QPA_PLATFORM" in complaint


def test_only_linux_can_be_without_a_screen() -> None:
    assert not has_screen({}, "linux")
    assert not has_screen({"DISPLAY": ""}, "linux")
    assert has_screen({"WAYLAND_DISPLAY": "wayland-0"}, "linux")
    assert has_screen({}, "win32")


def test_nothing_imports_qt_before_a_window_is_asked_for() -> None:
    code = (
        "import sys, procedures.cli, procedures.gui.axes, procedures.gui.rows\n"
        "sys.exit(any(name in sys.modules for name in ('PySide6', 'qtpy', 'pyqtgraph')))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


@pytest.mark.parametrize("name", PROCEDURES)
def test_parameters_keep_their_written_order_and_none_is_lost(name: str) -> None:
    procedure = PROCEDURES[name]
    written = parameters_as_written(procedure)
    assert sorted(written) == sorted(procedure.parameter_names())
    assert written[-4:] == ["station", "database", "fallback", "seed"]
    assert parameters_as_written(IVSweep)[:2] == ["device", "amplitude_v"]


def test_axes_of_an_unknown_procedure_are_its_outermost_numbers() -> None:
    class Counting(IVSweep):
        DATA_COLUMNS = ["Device", "Step", "Reads", "Bits", "Outcome"]

    assert numeric_columns(Counting) == ["Step", "Reads", "Bits"]
    assert first_axes(Counting) == Axes("Step", "Bits")
