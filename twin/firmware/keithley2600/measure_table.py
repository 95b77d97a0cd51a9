"""``smuX.measure`` as scripts see it.

Overlapped measurements are over when the command is: nothing else happens on the bench meanwhile.

Source: manual 2600BS-901-01, "TSP command reference: smuX.measure".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from twin.firmware.keithley2600.channel import Channel
from twin.firmware.keithley2600.checks import delay, switch
from twin.firmware.keithley2600.meter import Meter
from twin.firmware.keithley2600.settings import Ranging
from twin.firmware.source_converters import ConverterSpec
from twin.firmware.source_measure import Function as Sourced
from twin.firmware.tsp.buffers import Buffer
from twin.firmware.tsp.errors import (
    FILTER_AND_COUNT,
    INVALID_PARAMETER,
    MISSING_PARAMETERS,
    TspError,
)
from twin.firmware.tsp.tables import (
    Attribute,
    Function,
    Table,
    number,
    one_of,
    stored,
    whole,
    within,
)

MAX_COUNT = 1_000_000
QUANTITIES = ("v", "i", "r", "p", "iv")


def measure_table(channel: Channel, meter: Meter) -> Table:
    """Return the table of a channel."""

    def settings() -> object:
        return channel.measure

    smu, name = channel.model.smu, f"smu{channel.name}.measure"
    members: dict[str, object] = {
        "nplc": stored(settings, "nplc", within(0.001, 25.0)),
        "autozero": stored(settings, "autozero", one_of(0, 1, 2)),
        "count": stored(settings, "count", partial(_count, channel)),
        "delay": stored(settings, "delay_s", delay),
        "delayfactor": stored(settings, "delay_factor", within(0.0, 1e3)),
        "highcrangedelayfactor": stored(settings, "high_c_delay_factor", within(1.0, 99.0)),
        "interval": stored(settings, "interval_s", within(0.0, 1.0)),
        "filter": _filter_table(channel, meter, f"{name}.filter"),
        "rel": _relative_table(channel, f"{name}.rel"),
    }
    if smu.measure_a.full_scales[0] < smu.source_a.full_scales[0]:
        members["analogfilter"] = stored(settings, "analog_filter", switch)
    members |= _ranging(channel, meter, "v", smu.measure_v)
    members |= _ranging(channel, meter, "i", smu.measure_a)
    for quantities in QUANTITIES:
        body = partial(_measure, meter, quantities)
        members[quantities] = Function(f"{name}.{quantities}", body)
        members[f"overlapped{quantities}"] = Function(
            f"{name}.overlapped{quantities}", partial(_overlapped, meter, quantities)
        )
    return Table(name, members, ("calibratei", "calibratev"))


def measure_and_step(channel: Channel, meter: Meter) -> dict[str, object]:
    """Return ``smuX.measurevandstep`` and its like: a reading, then the next level."""

    def body(quantities: str, level: object, *buffers: object) -> object:
        readings = _measure(meter, quantities, *buffers)
        volts = channel.function is Sourced.VOLTS
        top = channel.model.max_v if volts else channel.model.max_a
        channel.set_level(channel.function, within(-top, top)(level))
        return readings

    return {
        f"measure{q}andstep": Function(f"smu{channel.name}.measure{q}andstep", partial(body, q), 1)
        for q in QUANTITIES
    }


def buffers_for(quantities: str, given: tuple[object, ...]) -> list[Buffer | None]:
    """Return one buffer for each quantity, from what a script passed; None where it passed nil."""
    buffers: list[Buffer | None] = []
    for place in range(len(quantities)):
        buffer = given[place] if place < len(given) else None
        if buffer is not None and not isinstance(buffer, Buffer):
            raise TspError(INVALID_PARAMETER, place + 1)
        buffers.append(buffer)
    return buffers


def _measure(meter: Meter, quantities: str, *buffers: object) -> object:
    return meter.measure(quantities, buffers_for(quantities, buffers))


def _overlapped(meter: Meter, quantities: str, *buffers: object) -> None:
    wanted = buffers_for(quantities, buffers)
    if None in wanted:
        raise TspError(MISSING_PARAMETERS, len(quantities))
    meter.measure(quantities, wanted)


def _count(channel: Channel, value: object) -> int:
    wanted = whole(1, MAX_COUNT)(value)
    if wanted > 1 and channel.measure.filter_count > 1:
        raise TspError(FILTER_AND_COUNT)
    return wanted


def _filter_table(channel: Channel, meter: Meter, name: str) -> Table:
    def count(value: object) -> int:
        wanted = whole(1, 100)(value)
        if wanted > 1 and channel.measure.count > 1:
            raise TspError(FILTER_AND_COUNT)
        return wanted

    def attribute(field: str, check: Callable[[object], int]) -> Attribute:
        def write(value: object) -> None:
            setattr(channel.measure, field, check(value))
            meter.forget()

        return Attribute(lambda: float(getattr(channel.measure, field)), write)

    members = {
        "enable": attribute("filter_on", switch),
        "type": attribute("filter_type", one_of(0, 1, 2)),
        "count": attribute("filter_count", count),
    }
    return Table(name, members)


def _relative_table(channel: Channel, name: str) -> Table:
    def relative() -> object:
        return channel.measure.relative

    members = {f"enable{q}": stored(relative, f"enable_{q}", switch) for q in "virp"}
    members |= {f"level{q}": stored(relative, f"level_{q}", number) for q in "virp"}
    return Table(name, members)


def _ranging(channel: Channel, meter: Meter, letter: str, spec: ConverterSpec) -> dict[str, object]:
    top = spec.full_scales[-1]
    value_of = within(-top, top)

    def own() -> Ranging:
        settings = channel.measure
        return settings.range_v if letter == "v" else settings.range_a

    def fix(value: object) -> None:
        own().index, own().auto = spec.fitting(value_of(value)), 0
        channel.refresh()

    def follow(value: object) -> None:
        own().auto = one_of(0, 1, 2)(value)
        channel.refresh()

    def set_low(value: object) -> None:
        own().low = spec.fitting(value_of(value))

    return {
        f"range{letter}": Attribute(lambda: spec.full_scales[meter.range_of(letter)[0]], fix),
        f"autorange{letter}": Attribute(lambda: float(own().auto), follow),
        f"lowrange{letter}": Attribute(lambda: spec.full_scales[own().low], set_low),
    }
