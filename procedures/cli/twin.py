"""``hil twin serve``: the twin of a station on real wires, for clients that nobody here wrote."""

from __future__ import annotations

import signal
import threading
from contextlib import AbstractContextManager
from importlib.metadata import entry_points
from typing import Literal, Protocol

import click

from hil.errors import HilError
from hil.station import Station, load_station

GROUP = "memristor_hil.servers"


class ServesStation(Protocol):
    """What the entry point ``twin`` of the group ``memristor_hil.servers`` is."""

    def __call__(
        self, station: Station, *, wire: Literal["tcp", "pty"], seed: int | None, connect: str
    ) -> AbstractContextManager[dict[str, str]]:
        """Serve the instruments of a station; gives their addresses by name."""
        ...


@click.group()
def twin() -> None:
    """The simulated bench."""


@twin.command()
@click.option("--station", "name", default="twin-wire", show_default=True, help="Name or file.")
@click.option("--tcp", "wire", flag_value="tcp", default=True, help="TCP sockets (default).")
@click.option("--pty", "wire", flag_value="pty", help="Pseudo-terminals.")
@click.option("--seed", type=click.IntRange(min=0), help="The station's own if not given.")
@click.option(
    "--connect",
    default="",
    metavar="DEVICE",
    help="Device that is wired to the SMU until a host greets the switch board; the first if none.",
)
def serve(name: str, wire: Literal["tcp", "pty"], seed: int | None, connect: str) -> None:
    """Serve the instruments of a station until stopped (Ctrl-C or SIGTERM).

    Prints one line for each instrument: its name, and the address to open: a VISA resource for the
    SMU, a device path or pyserial URL for the switch board. The time between two messages passes on
    the simulated bench as well.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with _server()(load_station(name), wire=wire, seed=seed, connect=connect) as addresses:
        for instrument, address in addresses.items():
            click.echo(f"{instrument} {address}")
        stop.wait()


def _server() -> ServesStation:
    found = entry_points(group=GROUP, name="twin")
    if not found:
        raise HilError("no twin is installed: install memristor-hil again")
    server: ServesStation = next(iter(found)).load()
    return server
