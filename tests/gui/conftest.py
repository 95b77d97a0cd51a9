from __future__ import annotations

import os

# Before any test makes a QApplication: without a screen, and with the Qt that the package names.
os.environ["QT_QPA_PLATFORM"] = "offscreen"
os.environ["QT_API"] = os.environ["PYTEST_QT_API"] = "pyside6"
