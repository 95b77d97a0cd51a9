"""Reading buffers: what is stored with each reading, statistics, and the view that scripts have.

Source: manual 2600BS-901-01, sections "Reading buffers" and "TSP command reference: bufferVar".
Assumed: a dedicated buffer collects time stamps when the power comes on, one from ``makebuffer``
does not; time stamps count from when the bench was switched on, not from 1970.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean, stdev
from weakref import WeakSet

from twin.firmware.tsp.errors import (
    BUFFER_NOT_CLEARED,
    INVALID_INDEX,
    OUT_OF_MEMORY,
    TspError,
)
from twin.firmware.tsp.tables import Attribute, Function, Table, one_of, stored, whole, within

FILL_ONCE, FILL_WINDOW = 0, 1
DEDICATED_CAPACITY = 140_000
MIN_RESOLUTION_S = 1e-6


@dataclass(frozen=True, slots=True)
class Entry:
    """One reading with what was stored beside it.

    Attributes:
        reading: in the unit of what was measured.
        t_s: bench time.
        status: bits of the buffer status.
        function: name of what was measured.
        full_scale: of the measurement range.
        source_value: level that was programmed.
        source_function: name of what was sourced.
        source_full_scale: of the source range.
        output: ``On`` or ``Off``.
    """

    reading: float
    t_s: float
    status: int
    function: str
    full_scale: float
    source_value: float
    source_function: str
    source_full_scale: float
    output: str


class Buffer(Table):
    """A reading buffer, as data and as the table of a script.

    Args:
        name: as in the manual.
        capacity: how many readings fit in.
        collects_times: whether time stamps are stored at first.
    """

    def __init__(self, name: str, capacity: int, *, collects_times: bool) -> None:
        self.capacity = capacity
        self.append = 0
        self.cache = 1
        self.collect_times = int(collects_times)
        self.collect_sources = 0
        self.fill_count = 0
        self.fill_mode = FILL_ONCE
        self.resolution_s = MIN_RESOLUTION_S
        self._entries: list[Entry] = []
        self._next = 0
        super().__init__(name, {})
        self.members = self._attributes() | self._columns()

    @property
    def entries(self) -> list[Entry]:
        """What is stored, by index."""
        return self._entries

    def begin(self) -> None:
        """Prepare for the readings of one command: without append mode, forget the older ones."""
        if not self.append:
            self.clear()

    def store(self, entry: Entry) -> None:
        """Store a reading; a full buffer drops it, or begins again where it is a window."""
        end = self.capacity
        if self.fill_mode == FILL_WINDOW:
            end = min(self.fill_count or end, end)
            self._next %= end
        if self._next >= end:
            return
        if self._next < len(self._entries):
            self._entries[self._next] = entry
        else:
            self._entries.append(entry)
        self._next += 1

    def clear(self) -> None:
        """Forget all readings."""
        self._entries = []
        self._next = 0

    def item(self, key: object) -> object:
        """Return a reading by its index, as ``buffer.readings`` does."""
        return self.value_at(lambda entry: entry.reading, key)

    def values(self) -> list[float]:
        """Return the readings."""
        return [entry.reading for entry in self._entries]

    def statistics(self) -> Table:
        """Return the table of ``smuX.buffer.getstats()``; empty for an empty buffer."""
        readings = self.values()
        if not readings:
            return Table("statistics", {"n": 0.0})
        order = range(len(readings))
        low, high = min(order, key=readings.__getitem__), max(order, key=readings.__getitem__)
        spread = stdev(readings) if len(readings) > 1 else 0.0
        members: dict[str, object] = {
            "n": float(len(readings)),
            "mean": fmean(readings),
            "stddev": spread,
            "min": self._extreme("min", low),
            "max": self._extreme("max", high),
        }
        return Table("statistics", members)

    def _extreme(self, name: str, index: int) -> Table:
        entry = self._entries[index]
        members: dict[str, object] = {
            "reading": entry.reading,
            "measurefunction": entry.function,
            "measurerange": entry.full_scale,
            "status": float(entry.status),
        }
        if self.collect_times:
            members["timestamp"] = self._timestamp(entry)
        if self.collect_sources:
            members["sourcevalue"] = entry.source_value
        return Table(name, members)

    def _timestamp(self, entry: Entry) -> float:
        since_s = entry.t_s - self._entries[0].t_s
        return round(since_s / self.resolution_s) * self.resolution_s

    def _attributes(self) -> dict[str, object]:
        def itself() -> Buffer:
            return self

        def when_empty(field: str, check: Callable[[object], float]) -> Attribute:
            def write(value: object) -> None:
                if self._entries:
                    raise TspError(BUFFER_NOT_CLEARED)
                setattr(self, field, check(value))

            return Attribute(lambda: getattr(self, field), write)

        switch = one_of(0, 1)
        return {
            "FILL_ONCE": FILL_ONCE,
            "FILL_WINDOW": FILL_WINDOW,
            "appendmode": when_empty("append", switch),
            "collecttimestamps": when_empty("collect_times", switch),
            "collectsourcevalues": when_empty("collect_sources", switch),
            "timestampresolution": when_empty("resolution_s", within(MIN_RESOLUTION_S, 1e3)),
            "cachemode": stored(itself, "cache", switch),
            "fillmode": stored(itself, "fill_mode", switch),
            "fillcount": stored(itself, "fill_count", whole(0, self.capacity)),
            "capacity": Attribute(lambda: float(self.capacity)),
            "n": Attribute(lambda: float(len(self._entries))),
            "next": Attribute(lambda: float(self._next + 1)),
            "basetimestamp": Attribute(lambda: self._entries[0].t_s if self._entries else 0.0),
            "clear": Function("clear", lambda *_: self.clear()),
            "clearcache": Function("clearcache", lambda *_: None),
        }

    def _columns(self) -> dict[str, object]:
        plain: dict[str, Callable[[Entry], object]] = {
            "readings": lambda e: e.reading,
            "statuses": lambda e: float(e.status),
            "measurefunctions": lambda e: e.function,
            "measureranges": lambda e: e.full_scale,
            "sourcefunctions": lambda e: e.source_function,
            "sourceranges": lambda e: e.source_full_scale,
            "sourceoutputstates": lambda e: e.output,
        }
        columns: dict[str, object] = {
            name: Column(f"{self.name}.{name}", self, value) for name, value in plain.items()
        }
        times = Column(f"{self.name}.timestamps", self, self._timestamp)
        sources = Column(f"{self.name}.sourcevalues", self, lambda e: e.source_value)
        columns["timestamps"] = Attribute(lambda: times if self.collect_times else None)
        columns["sourcevalues"] = Attribute(lambda: sources if self.collect_sources else None)
        return columns

    def value_at(self, value: Callable[[Entry], object], key: object) -> object:
        """Return a property of the reading with an index, or raise 4900; None for other keys."""
        if isinstance(key, bool) or not isinstance(key, float | int):
            return None
        if key != int(key) or not 1 <= key <= len(self._entries):
            raise TspError(INVALID_INDEX, f"{key:g}")
        return value(self._entries[int(key) - 1])


class Column(Table):
    """One property of all readings of a buffer; indices begin at 1."""

    def __init__(self, name: str, buffer: Buffer, value: Callable[[Entry], object]) -> None:
        super().__init__(name, {"n": Attribute(lambda: float(len(buffer.entries)))})
        self._buffer = buffer
        self._value = value

    def item(self, key: object) -> object:
        """Return the value of the reading with this index, or raise 4900."""
        return self._buffer.value_at(self._value, key)

    def values(self) -> list[object]:
        """Return the values of all readings."""
        return [self._value(entry) for entry in self._buffer.entries]


class Memory:
    """What buffers of scripts share.

    Args:
        n_readings: how many fit in altogether.
        collect: frees what no script can reach any more.
    """

    def __init__(self, n_readings: int, collect: Callable[[], None]) -> None:
        self._n_readings = n_readings
        self._collect = collect
        self._buffers: WeakSet[Buffer] = WeakSet()

    def make(self, capacity: int) -> Buffer:
        """Return a new buffer, or raise -225."""
        if capacity > self._left():
            self._collect()
        if capacity > self._left():
            raise TspError(OUT_OF_MEMORY)
        buffer = Buffer("bufferVar", capacity, collects_times=False)
        self._buffers.add(buffer)
        return buffer

    def _left(self) -> int:
        return self._n_readings - sum(buffer.capacity for buffer in self._buffers)
