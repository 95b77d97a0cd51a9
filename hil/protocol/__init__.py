"""The framed serial protocol of the switch board; see docs/reference/switch-board-protocol.md."""
