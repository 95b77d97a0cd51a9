"""What a window needs to be installed, and how to say so where it is missing. No Qt in here."""

from __future__ import annotations

import sys
from collections.abc import Mapping

PIP_EXTRA = "memristor-hil[gui]"

DEBIAN_PACKAGES = (
    "libegl1",
    "libgl1",
    "libxkbcommon0",
    "libdbus-1-3",
    "libfontconfig1",
    "libglib2.0-0",
)
"""System libraries that Qt's own libraries and its ``offscreen`` platform are linked to."""

DEBIAN_PACKAGES_OF_X11 = (
    "libxcb-cursor0",
    "libxcb-icccm4",
    "libxcb-keysyms1",
    "libxcb-randr0",
    "libxcb-shape0",
    "libxkbcommon-x11-0",
)
"""The same for windows on an X11 screen, on top of the above."""

_WAYS_TO_A_SCREEN = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")


def how_to_install(error: ImportError) -> str:
    """Say in one line what to install, given what Qt's import complained about."""
    return (
        f"windows need Qt ({' '.join(str(error).split())}): pip install '{PIP_EXTRA}', and on "
        f"Debian or Ubuntu apt install {' '.join(DEBIAN_PACKAGES)}, for an X11 screen also "
        f"{' '.join(DEBIAN_PACKAGES_OF_X11)}"
    )


def has_screen(environment: Mapping[str, str], platform: str = sys.platform) -> bool:
    """Return whether Qt can find a screen; without one it ends the process with a core dump."""
    return platform != "linux" or any(environment.get(name) for name in _WAYS_TO_A_SCREEN)
