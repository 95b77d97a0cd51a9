"""The two lines above the plot: where the data come from, and what went wrong."""

from __future__ import annotations

from pymeasure.display.Qt import QtCore, QtWidgets

from hil.types import BoardInfo, Source

_GREY = "#555555"
_COLOURS = {Source.BENCH: "#a61b1b", Source.TWIN: "#1b5e9e", Source.REPLAY: "#6a3d9a"}
_MEANINGS = {
    Source.BENCH: "real instruments",
    Source.TWIN: "simulated",
    Source.REPLAY: "recorded earlier",
}


class _Line(QtWidgets.QLabel):
    """Words on a coloured ground; as many lines as it takes, never read as mark-up."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        self.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setWordWrap(True)

    def write(self, text: str, colour: str) -> None:
        """Show ``text`` in white on ``colour``."""
        self.setText(text)
        self.setStyleSheet(
            f"background: {colour}; color: white; font-weight: bold; padding: 6px 10px;"
        )


class SourceBanner(_Line):
    """Says BENCH, TWIN or REPLAY of the board of the present run, or else of the last one."""

    def show_station(self, station: str) -> None:
        """Say that nothing is known of a board yet."""
        self.write(f"NOT CONNECTED: the board of station {station} opens when a run starts", _GREY)

    def show_opening(self, station: str) -> None:
        """Say that a board is being opened."""
        self.write(f"CONNECTING to the board of station {station}", _GREY)

    def show_board(self, info: BoardInfo) -> None:
        """Say what was opened, and why a twin if one stands in for a bench."""
        first = f"{info.source.value.upper()} ({_MEANINGS[info.source]}): station {info.station}"
        text = f"{first}, board {info.kind}"
        if info.source_reason:
            text += f"\n{info.source_reason}"
        self.write(text, _COLOURS[info.source])


class Notice(_Line):
    """The last thing that went wrong; takes no room while there is nothing to say."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.hide()

    def say(self, text: str) -> None:
        """Show ``text``, or nothing if it is empty."""
        self.write(text, "#7a3e00")
        self.setVisible(bool(text))
