"""Commands that return data: measurements, runs, trace buffers, and how they are sent.

Source: command reference B2910-90030, "FETCh Subsystem", "READ Subsystem", ":MEASure", "FORMat
Subsystem", ":SENSe:DATA", "TRACe Subsystem". Assumed: a buffer that was full starts anew when
storage is enabled again. Not modelled: feeds from limit tests and math, elements of calculations.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from twin.firmware.keysight_b2900.actions import KINDS
from twin.firmware.keysight_b2900.channel import Channel
from twin.firmware.keysight_b2900.instrument import Instrument
from twin.firmware.keysight_b2900.model import MAX_TRACE_POINTS
from twin.firmware.keysight_b2900.parameters import ChannelList, Only, node
from twin.firmware.keysight_b2900.readings import ELEMENTS, NO_READING, Trace, chosen
from twin.firmware.scpi import (
    ILLEGAL_PARAMETER_VALUE,
    MISSING_PARAMETER,
    Choice,
    Command,
    Number,
    ScpiError,
    Several,
)

_INDEX = Number(0, MAX_TRACE_POINTS, 0, integer=True)
_SPOT = {"VOLTage[:DC]": "VOLT", "CURRent[:DC]": "CURR", "RESistance": "RES"}
_STATISTICS = Choice(("MEAN", "SDEViation", "PKPK", "MINimum", "MAXimum"))


class _Offset(Number):
    """Where data begin: a number, CURRent or STARt; None for the position of the last reading."""

    def parse(self, text: str) -> float:
        if text.upper() in ("STAR", "START"):
            return 0
        if text.upper() in ("CURR", "CURRENT"):
            return -1
        return super().parse(text)


_PART = (_Offset(0, MAX_TRACE_POINTS, 0, integer=True), _INDEX)


class DataCommands:
    """The commands of all channels.

    Args:
        instrument: whose data they are.
    """

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self._list = (ChannelList(tuple(instrument.channels)),)

    def commands(self) -> list[Command]:
        """Return the part of the command table."""
        channels = self._instrument.channels.values()
        return [
            *self._format(),
            self._query(":MEASure", partial(self._measure, None)),
            *(
                self._query(f":MEASure:{name}", partial(self._measure, (element,)))
                for name, element in _SPOT.items()
            ),
            *(c for verb in ("FETCh", "READ") for c in self._run_data(verb)),
            *(c for channel in channels for c in self._channel_data(channel)),
            *(c for channel in channels for c in self._trace(channel)),
        ]

    def _query(self, pattern: str, answer: Callable[[list[int]], str]) -> Command:
        return Command(
            pattern,
            query=lambda numbers=None: answer(numbers or [1]),
            query_parameters=self._list,
            n_optional_query=1,
        )

    # --- measurements and runs --------------------------------------------------------------

    def _measure(self, elements: tuple[str, ...] | None, numbers: list[int]) -> str:
        return self._instrument.measure(numbers, elements)

    def _run_data(self, verb: str) -> list[Command]:
        commands = []
        for name in ("", *ELEMENTS):
            element = "".join(c for c in name if not c.islower())
            elements = (element,) if element else None
            tail = f":{name}" if name else ""
            commands += [
                self._query(f":{verb}[:SCALar]{tail}", partial(self._latest, verb, elements)),
                self._query(f":{verb}:ARRay{tail}", partial(self._arrays, verb, elements)),
            ]
        return commands

    def _latest(self, verb: str, elements: tuple[str, ...] | None, numbers: list[int]) -> str:
        self._run(verb, numbers)
        return self._instrument.latest(numbers, elements)

    def _arrays(self, verb: str, elements: tuple[str, ...] | None, numbers: list[int]) -> str:
        self._run(verb, numbers)
        return self._instrument.arrays(numbers, elements)

    def _run(self, verb: str, numbers: list[int]) -> None:
        if verb == "READ":
            self._instrument.initiate(numbers, KINDS)
        self._instrument.fetch()

    def _channel_data(self, channel: Channel) -> list[Command]:
        root = f"{node('SENSe', channel.number)}:DATA"

        def data(offset: int = 0, size: int | None = None) -> str:
            self._instrument.fetch()
            readings = channel.readings
            found = chosen(readings, len(readings) - 1 if offset < 0 else offset, size)
            return self._instrument.encode(found or [NO_READING])

        def latest() -> str:
            self._instrument.fetch()
            return self._instrument.latest([channel.number])

        def acquire() -> None:
            self._instrument.measure([channel.number])

        return [
            Command(root, query=data, query_parameters=_PART, n_optional_query=2),
            Command(f"{root}:LATest", query=latest),
            Command(f"{root}:ACQuire", write=acquire),
            Command(f"{root}:CLEar", write=channel.readings.clear),
        ]

    # --- formats ----------------------------------------------------------------------------

    def _format(self) -> list[Command]:
        elements = (Several(Choice(ELEMENTS)),)
        return [
            Command(
                ":FORMat[:DATA]",
                self._set_format,
                lambda: self._instrument.data_format.kind,
                (Choice(("ASCii", "REAL", "REAL32", "REAL64")), Number(32, 64, 32, integer=True)),
                n_optional=1,
            ),
            Command(
                ":FORMat:BORDer",
                lambda order: setattr(self._instrument.data_format, "swapped", order == "SWAP"),
                lambda: "SWAP" if self._instrument.data_format.swapped else "NORM",
                (Choice(("NORMal", "SWAPped")),),
            ),
            Command(
                ":FORMat:ELEMents[:SENSe]",
                lambda names: self._instrument.data_format.select(names),
                lambda: ",".join(self._instrument.data_format.elements),
                elements,
            ),
        ]

    def _set_format(self, word: str, n_bits: int | None = None) -> None:
        kind = word if word == "ASC" else f"REAL,{word.removeprefix('REAL') or n_bits}"
        if kind == "REAL,None":
            raise ScpiError(MISSING_PARAMETER)
        if kind not in ("ASC", "REAL,32", "REAL,64") or (word != "REAL" and n_bits is not None):
            raise ScpiError(ILLEGAL_PARAMETER_VALUE)
        self._instrument.data_format.kind = kind

    # --- trace buffer -----------------------------------------------------------------------

    def _trace(self, channel: Channel) -> list[Command]:
        root = node("TRACe", channel.number)
        points = Number(1, MAX_TRACE_POINTS, MAX_TRACE_POINTS, integer=True)

        def trace() -> Trace:
            return channel.trace

        def idle(change: Callable[[Trace], None]) -> None:
            trace().check_idle()
            change(trace())

        def control(word: str) -> None:
            if word == "NEXT":
                trace().start()
            else:
                trace().control = "NEV"

        def data(offset: int = 0, size: int | None = None) -> str:
            stamped = trace().stamped()
            found = chosen(stamped, len(stamped) - 1 if offset < 0 else offset, size)
            return self._instrument.encode(found or [NO_READING])

        def statistics() -> str:
            elements = self._instrument.data_format.elements
            return self._instrument.data_format.encode(trace().statistics(elements))

        def resize(n: int) -> None:
            idle(lambda buffer: setattr(buffer, "points", n))

        feed = Only(("SENSe", "MATH", "LIMit"), modelled=("SENS",))
        return [
            Command(f"{root}:POINts", resize, lambda: str(trace().points), (points,)),
            Command(f"{root}:POINts:ACTual", query=lambda: str(len(trace().readings))),
            Command(f"{root}:FEED", lambda _: idle(lambda _: None), lambda: "SENS", (feed,)),
            Command(
                f"{root}:FEED:CONTrol",
                control,
                lambda: trace().control,
                (Choice(("NEXT", "NEVer")),),
            ),
            Command(f"{root}:CLEar", write=lambda: idle(lambda buffer: buffer.readings.clear())),
            Command(
                f"{root}:FREE",
                query=lambda: f"{trace().points - len(trace().readings)},{trace().points}",
            ),
            Command(f"{root}[:DATA]", query=data, query_parameters=_PART, n_optional_query=2),
            Command(
                f"{root}:STATistic:FORMat",
                lambda word: setattr(trace(), "statistic", word),
                lambda: trace().statistic,
                (_STATISTICS,),
            ),
            Command(f"{root}:STATistic:DATA", query=statistics),
            Command(
                f"{root}:TSTamp:FORMat",
                lambda word: setattr(trace(), "is_delta", word == "DELT"),
                lambda: "DELT" if trace().is_delta else "ABS",
                (Choice(("DELTa", "ABSolute")),),
            ),
        ]
