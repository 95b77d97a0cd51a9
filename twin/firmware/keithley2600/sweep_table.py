"""``smuX.trigger`` as scripts see it.

Source: manual 2600BS-901-01, "TSP command reference: smuX.trigger".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from twin.firmware.keithley2600.channel import Channel
from twin.firmware.keithley2600.checks import EVENT, magnitude, switch
from twin.firmware.keithley2600.measure_table import QUANTITIES, buffers_for
from twin.firmware.keithley2600.models import SOURCE_OVER_RANGE_RATIO
from twin.firmware.keithley2600.sweep import ASYNC, Sweep
from twin.firmware.source_measure import Function as Sourced
from twin.firmware.tsp.errors import COMMAND_UNAVAILABLE, INVALID_PARAMETER, TspError
from twin.firmware.tsp.events import Detector
from twin.firmware.tsp.tables import (
    Attribute,
    Function,
    Table,
    number,
    numbers,
    one_of,
    stored,
    whole,
    within,
)

MAX_COUNT = 1_048_575
MAX_POINTS = 1_000_000


def sweep_table(channel: Channel, sweep: Sweep, name: str) -> Table:
    """Return ``smuX.trigger``."""

    def settings() -> object:
        return sweep.settings

    source = _source_members(channel, sweep, f"{name}.source")
    measure = _measure_members(sweep, f"{name}.measure")
    end_pulse: dict[str, object] = {"action": stored(settings, "end_pulse_action", switch)}
    stages = {"arm": {}, "source": source, "measure": measure, "endpulse": end_pulse}
    members: dict[str, object] = {
        "count": stored(settings, "count", whole(0, MAX_COUNT)),
        "autoclear": stored(settings, "auto_clear", switch),
        "endsweep": Table(
            f"{name}.endsweep", {"action": stored(settings, "end_sweep_action", switch)}
        ),
        "initiate": Function(f"{name}.initiate", lambda *_: sweep.initiate()),
    }
    stages["arm"]["count"] = stored(settings, "arm_count", whole(0, MAX_COUNT))
    for stage, own in stages.items():
        detector = sweep.detectors[stage]
        members[stage] = Table(f"{name}.{stage}", own | _detector_members(detector))
    members |= {f"{event}_EVENT_ID": n for event, n in sweep.event_ids.items()}
    return Table(name, members)


def _detector_members(detector: Detector) -> dict[str, object]:
    def happen(*_: object) -> None:
        detector.detected = True

    return {
        "stimulus": stored(lambda: detector, "stimulus", EVENT),
        "set": Function("set", happen),
    }


def _source_members(channel: Channel, sweep: Sweep, name: str) -> dict[str, object]:
    model = channel.model
    members: dict[str, object] = {
        "action": stored(lambda: sweep.settings, "source_action", switch),
        "limiti": _swept_limit(sweep, "limit_a", magnitude(model.min_limit_a, model.max_a)),
        "limitv": _swept_limit(sweep, "limit_v", magnitude(model.min_limit_v, model.max_v)),
    }
    for letter, sourced, top in (
        ("v", Sourced.VOLTS, model.max_v),
        ("i", Sourced.AMPS, model.max_a),
    ):
        level = within(-top * SOURCE_OVER_RANGE_RATIO, top * SOURCE_OVER_RANGE_RATIO)
        for kind, (make, n_required) in _SHAPES.items():
            body = partial(_configure, sweep, sourced, level, make)
            members[f"{kind}{letter}"] = Function(f"{name}.{kind}{letter}", body, n_required)
    return members


def _configure(
    sweep: Sweep,
    sourced: Sourced,
    level: Callable[[object], float],
    make: Callable[..., list[float]],
    *arguments: object,
) -> None:
    sweep.settings.levels = [level(value) for value in make(*arguments)]
    sweep.settings.function = sourced


def _linear(start: object, stop: object, points: object, *_: object) -> list[float]:
    first, last, n = number(start), number(stop), whole(2, MAX_POINTS)(points)
    return [first + (last - first) * k / (n - 1) for k in range(n)]


def _logarithmic(
    start: object, stop: object, points: object, asymptote: object, *_: object
) -> list[float]:
    first, last, n = number(start), number(stop), whole(2, MAX_POINTS)(points)
    offset = number(asymptote)
    ratio = (last - offset) / (first - offset) if first != offset else 0.0
    if ratio <= 0:
        raise TspError(INVALID_PARAMETER, 4)
    return [offset + (first - offset) * ratio ** (k / (n - 1)) for k in range(n)]


def _listed(levels: object, *_: object) -> list[float]:
    return numbers(levels, 1)


_SHAPES: dict[str, tuple[Callable[..., list[float]], int]] = {
    "linear": (_linear, 3),
    "log": (_logarithmic, 4),
    "list": (_listed, 1),
}


def _swept_limit(sweep: Sweep, field: str, check: Callable[[object], float]) -> Attribute:
    """A limit of the sweep's own; 0 (``smuX.DISABLE``) for that of the source."""

    def write(value: object) -> None:
        setattr(sweep.settings, field, check(value) if number(value) else None)

    return Attribute(lambda: getattr(sweep.settings, field) or 0.0, write)


def _measure_members(sweep: Sweep, name: str) -> dict[str, object]:
    def act(value: object) -> None:
        wanted = one_of(0, 1, ASYNC)(value)
        if wanted == ASYNC:
            raise TspError(COMMAND_UNAVAILABLE)
        sweep.settings.measure_action = wanted

    def configure(quantities: str, *given: object) -> None:
        sweep.settings.buffers = tuple(buffers_for(quantities, given))
        sweep.settings.quantities = quantities

    members: dict[str, object] = {
        "action": Attribute(lambda: float(sweep.settings.measure_action), act)
    }
    for quantities in QUANTITIES:
        body = partial(configure, quantities)
        members[quantities] = Function(f"{name}.{quantities}", body, len(quantities))
    return members
