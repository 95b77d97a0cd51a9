from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--board",
        metavar="STATION",
        help="run the board contract on this station too; drives real devices if it is a bench",
    )
