"""``smuX.source`` as scripts see it.

Source: manual 2600BS-901-01, "TSP command reference: smuX.source".
"""

from __future__ import annotations

from twin.firmware.keithley2600.channel import Channel
from twin.firmware.keithley2600.checks import delay, magnitude, switch
from twin.firmware.keithley2600.models import SOURCE_OVER_RANGE_RATIO
from twin.firmware.keithley2600.settings import Ranging
from twin.firmware.source_converters import ConverterSpec
from twin.firmware.source_measure import Function
from twin.firmware.tsp.errors import COMMAND_UNAVAILABLE, TspError
from twin.firmware.tsp.tables import Attribute, Table, one_of, stored, within

MAX_POWER_W = 200.0


def source_table(channel: Channel) -> Table:
    """Return the table of a channel."""

    def source() -> object:
        return channel.source

    model = channel.model
    members: dict[str, object] = {
        "func": Attribute(
            lambda: float(channel.source.function),
            lambda value: channel.set_function(switch(value)),
        ),
        "output": Attribute(
            lambda: float(channel.output), lambda value: channel.set_output(one_of(0, 1, 2)(value))
        ),
        "compliance": Attribute(lambda: channel.in_compliance),
        "limitp": _refreshing(channel, stored(source, "limit_w", within(0.0, MAX_POWER_W))),
        "delay": stored(source, "delay_s", delay),
        "offmode": stored(source, "off_mode", one_of(0, 1, 2)),
        "offfunc": stored(source, "off_function", switch),
        "offlimiti": stored(source, "off_limit_a", within(model.min_limit_a, model.max_a)),
        "offlimitv": stored(source, "off_limit_v", within(model.min_limit_v, model.max_v)),
        "sink": stored(source, "sink", switch),
        "settling": stored(source, "settling", one_of(0, 1, 2, 3, 4, 128)),
        "outputenableaction": stored(source, "output_enable_action", switch),
        "highc": Attribute(lambda: 0.0, _no_high_capacitance),
    }
    smu = model.smu
    members |= _quantity(channel, Function.VOLTS, smu.source_v)
    members |= _quantity(channel, Function.AMPS, smu.source_a)
    members |= _limits(channel)
    name = f"smu{channel.name}.source"
    return Table(name, members, ("calibratei", "calibratev"))


def _quantity(channel: Channel, function: Function, spec: ConverterSpec) -> dict[str, object]:
    is_volts = function is Function.VOLTS
    letter, unit = ("v", "v") if is_volts else ("i", "a")
    top = spec.full_scales[-1]
    level = within(-top * SOURCE_OVER_RANGE_RATIO, top * SOURCE_OVER_RANGE_RATIO)
    full_scale = within(-top, top)

    def get(name: str) -> object:
        return getattr(channel.source, f"{name}_{unit}")

    def set_low(value: object) -> None:
        ranging = getattr(channel.source, f"range_{unit}")
        ranging.low = spec.fitting(full_scale(value))
        channel.set_source_auto(function, ranging.auto)

    def range_now() -> float:
        ranging: Ranging = getattr(channel.source, f"range_{unit}")
        return spec.full_scales[ranging.index]

    return {
        f"level{letter}": Attribute(
            lambda: get("level"), lambda value: channel.set_level(function, level(value))
        ),
        f"range{letter}": Attribute(
            range_now, lambda value: channel.set_source_range(function, full_scale(value))
        ),
        f"autorange{letter}": Attribute(
            lambda: float(getattr(channel.source, f"range_{unit}").auto),
            lambda value: channel.set_source_auto(function, switch(value)),
        ),
        f"lowrange{letter}": Attribute(
            lambda: spec.full_scales[getattr(channel.source, f"range_{unit}").low], set_low
        ),
    }


def _limits(channel: Channel) -> dict[str, object]:
    model = channel.model

    amps = magnitude(model.min_limit_a, model.max_a)
    volts = magnitude(model.min_limit_v, model.max_v)
    return {
        "limiti": Attribute(
            lambda: channel.source.limit_a,
            lambda value: channel.set_limit(Function.VOLTS, amps(value)),
        ),
        "limitv": Attribute(
            lambda: channel.source.limit_v,
            lambda value: channel.set_limit(Function.AMPS, volts(value)),
        ),
    }


def _refreshing(channel: Channel, attribute: Attribute) -> Attribute:
    def write(value: object) -> None:
        assert attribute.write is not None
        attribute.write(value)
        channel.refresh()

    return Attribute(attribute.read, write)


def _no_high_capacitance(value: object) -> None:
    if switch(value):
        raise TspError(COMMAND_UNAVAILABLE)
