"""Where data sets are looked for that do not come with the package."""

from __future__ import annotations

import os
from pathlib import Path


def places(name: str, folder: str | Path | None = None) -> list[Path]:
    """Return the folders in which a data set is looked for, in this order; touches no file.

    A folder that is given is the only one. Else the environment variable ``HIL_NAME`` names the
    only one, so that a mistake in it does not go unnoticed. Else ``data/name`` in the working
    directory, then ``memristor-hil/name`` in the user's data folder: ``XDG_DATA_HOME``, or
    ``~/.local/share`` where that is not set or, as its specification says, not absolute.

    Args:
        name: of the data set, for example ``mnist``.
        folder: what the user said; empty is the same as None.
    """
    told = str(folder or os.environ.get(variable(name), ""))
    if told:
        return [Path(os.path.expanduser(told))]
    home = os.environ.get("XDG_DATA_HOME", "")
    if not os.path.isabs(home):
        home = os.path.expanduser("~/.local/share")
    return [Path("data", name), Path(home, "memristor-hil", name)]


def variable(name: str) -> str:
    """Return the environment variable that names the folder of a data set."""
    return f"HIL_{name.upper()}"
