from __future__ import annotations

import pytest

from tests.support.qt import qt_import_error


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    parser.addoption(
        "--board",
        metavar="STATION",
        help="run the board contract on this station too; drives real devices if it is a bench",
    )
    if qt_import_error():
        pluginmanager.set_blocked("pytest-qt")  # it would end the session, not skip some tests
