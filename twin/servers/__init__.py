"""Byte devices on wires: in process, on a TCP port, on a pseudo-terminal."""
