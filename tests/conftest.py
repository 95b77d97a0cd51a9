from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from procedures.runner import STOPPING
from tests.support.qt import qt_import_error


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    parser.addoption(
        "--board",
        metavar="STATION",
        help="run the board contract on this station too; drives real devices if it is a bench",
    )
    if qt_import_error():
        pluginmanager.set_blocked("pytest-qt")  # it would end the session, not skip some tests


@pytest.fixture(autouse=True)
def signal_handlers_are_restored() -> Iterator[None]:
    """The command line keeps them to the end of its process, which here is a test."""
    before = {number: signal.getsignal(number) for number in STOPPING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
