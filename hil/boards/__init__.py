"""Boards: one file each, one interface (``hil.board.Board``)."""
