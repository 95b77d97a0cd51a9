"""Commands of the arm and trigger layers and of runs.

Source: command reference B2910-90030, "ARM Subsystem", "TRIGger Subsystem", ":INITiate", ":ABORt",
":IDLE?". Commands for both device actions at once have no query. Assumed: an event that no action
waits for is lost, and is no error. Not modelled, and refused with -221: events of the internal bus,
of digital lines and of LXI; trigger outputs are -113.
"""

from __future__ import annotations

from dataclasses import dataclass

from twin.firmware.keysight_b2900.actions import ACQUIRE, KINDS, TRANSIENT
from twin.firmware.keysight_b2900.channel import Channel
from twin.firmware.keysight_b2900.instrument import Instrument
from twin.firmware.keysight_b2900.model import MAX_TIME_S, MIN_TRIGGER_PERIOD_S
from twin.firmware.keysight_b2900.parameters import ChannelList, Count, Only, Time, node
from twin.firmware.keysight_b2900.settings import Layer
from twin.firmware.scpi import Choice, Command, Parameter

_SOURCES = Only(
    ("AINT", "BUS", "TIMer", "INT1", "INT2", "LAN", *(f"EXT{n}" for n in range(1, 15))),
    modelled=("AINT", "BUS", "TIM"),
)
_NODES = {"[:ALL]": KINDS, ":ACQuire": (ACQUIRE,), ":TRANsient": (TRANSIENT,)}
_LAYERS = {"ARM": "arm", "TRIGger": "trigger"}


@dataclass(frozen=True)
class _Bypass(Choice):
    """ONCE or OFF, as a truth value."""

    words: tuple[str, ...] = ("ONCE", "OFF")

    def parse(self, text: str) -> bool:  # type: ignore[override]
        return super().parse(text) == "ONCE"

    def format(self, value: bool) -> str:  # type: ignore[override]
        return "ONCE" if value else "OFF"


_SETTINGS: dict[str, tuple[str, Parameter]] = {
    ":SOURce[:SIGNal]": ("source", _SOURCES),
    ":COUNt": ("count", Count()),
    ":DELay": ("delay_s", Time(0, MAX_TIME_S, 0)),
    ":TIMer": ("period_s", Time(MIN_TRIGGER_PERIOD_S, MAX_TIME_S, MIN_TRIGGER_PERIOD_S)),
    ":BYPass": ("bypass", _Bypass()),
}


class TriggerCommands:
    """The commands of all channels.

    Args:
        instrument: whose trigger system it is.
    """

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self._list = ChannelList(tuple(instrument.channels))

    def commands(self) -> list[Command]:
        """Return the part of the command table."""
        channels = self._instrument.channels.values()
        return [
            Command("*TRG", write=self._bus_event),
            *(c for channel in channels for c in self._layers(channel)),
            *(c for name, kinds in _NODES.items() for c in self._runs(name, kinds)),
            *(Command(f":{word}[1]:LXI:LAN:DISable:ALL", lambda: None) for word in _LAYERS),
        ]

    def _layers(self, channel: Channel) -> list[Command]:
        return [
            self._setting(f"{node(word, channel.number)}{name}{what}", channel, layer, kinds, what)
            for word, layer in _LAYERS.items()
            for name, kinds in _NODES.items()
            for what in _SETTINGS
        ]

    def _setting(
        self, pattern: str, channel: Channel, layer: str, kinds: tuple[str, ...], what: str
    ) -> Command:
        """Return the command of one setting of a layer, for one device action or for both."""
        name, parameter = _SETTINGS[what]

        def layers() -> list[Layer]:
            return [getattr(channel.setup.actions[kind], layer) for kind in kinds]

        def write(value: object) -> None:
            self._instrument.check_idle([channel], kinds)
            for one in layers():
                setattr(one, name, value)

        def query() -> str:
            return parameter.format(getattr(layers()[0], name))

        return Command(pattern, write, query if len(kinds) == 1 else None, (parameter,))

    # --- runs -------------------------------------------------------------------------------

    def _runs(self, name: str, kinds: tuple[str, ...]) -> list[Command]:
        def initiate(numbers: list[int] | None = None) -> None:
            self._instrument.initiate(numbers or [1], kinds)

        def abort(numbers: list[int] | None = None) -> None:
            self._instrument.system.abort(self._chosen(numbers), kinds)

        def idle(numbers: list[int] | None = None) -> str:
            self._instrument.finish()
            return "1"

        numbers = (self._list,)
        return [
            Command(f":INITiate[:IMMediate]{name}", initiate, parameters=numbers, n_optional=1),
            Command(f":ABORt{name}", abort, parameters=numbers, n_optional=1),
            Command(f":IDLE{name}", query=idle, query_parameters=numbers, n_optional_query=1),
            *(self._event(root, layer, name, kinds) for root, layer in _LAYERS.items()),
        ]

    def _event(self, root: str, layer: str, name: str, kinds: tuple[str, ...]) -> Command:
        def happen(numbers: list[int] | None = None) -> None:
            self._instrument.system.happen(layer, self._chosen(numbers), kinds)

        return Command(f":{root}{name}[:IMMediate]", happen, parameters=(self._list,), n_optional=1)

    def _bus_event(self) -> None:
        self._instrument.system.happen(None, self._instrument.channels.values(), KINDS)

    def _chosen(self, numbers: list[int] | None) -> list[Channel]:
        return [self._instrument.channels[number] for number in numbers or [1]]
