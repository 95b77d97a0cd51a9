"""Whether windows can be tested here. Imports nothing of Qt by itself."""

from __future__ import annotations


def qt_import_error() -> ImportError | None:
    """Return what is missing for the tests of the windows: a package, or a system library."""
    try:
        import pytestqt
        import qtpy
        from PySide6 import QtGui, QtTest, QtWidgets  # these are linked to the system libraries
    except ImportError as error:
        return error
    del pytestqt, qtpy, QtGui, QtTest, QtWidgets
    return None
