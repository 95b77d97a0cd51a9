"""From device records to a population of memristors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hil.errors import StationError
from twin.devices.base import DeviceModel
from twin.devices.composite import CompositeDevices
from twin.devices.gmss import GmssDevices
from twin.devices.gmss_parameters import GmssParameters
from twin.devices.mss import MssDevices
from twin.devices.mss_parameters import MssParameters
from twin.devices.mss_stochastic import StochasticMssDevices
from twin.devices.vteam import VteamDevices, VteamParameters
from twin.parameters import DeviceRecord, stack

BY_RECORD = "record"
"""Each device by the model of its record."""


def build_memristors(
    records: Sequence[DeviceRecord],
    *,
    model: str = BY_RECORD,
    seed: int = 0,
    numbers: Sequence[int] | None = None,
    device_spread: float = 0.0,
    cycle_spread: bool = True,
) -> DeviceModel:
    """Return devices as their records describe them.

    Args:
        records: one for each device.
        model: ``record``: each device by the model of its record. ``mss`` or ``mss-stochastic``:
            all of them by that one.
        seed: of the twin.
        numbers: of the devices in their station; decide what is drawn for each.
        device_spread: draw devices around their records, this many times as far as these say.
        cycle_spread: draw thresholds anew from cycle to cycle, where the records say so.

    Raises:
        StationError: a record is of another model than the station asks for.
    """
    numbers = range(len(records)) if numbers is None else numbers
    if model != BY_RECORD:
        for record in records:
            if record.model != "mss":
                raise StationError(
                    f"[twin] model {model!r} takes mss records; {record.record_id!r} is of model "
                    f"{record.model!r}: set model = {BY_RECORD!r}, or name others in [twin.records]"
                )
    if model == "mss-stochastic":
        rng = np.random.default_rng([seed, *b"devices"])
        return StochasticMssDevices(stack(records, MssParameters), rng)
    spreads = (device_spread, cycle_spread)
    parts = []
    for name in dict.fromkeys(record.model for record in records):
        places = np.array([k for k, record in enumerate(records) if record.model == name])
        of_model = [records[k] for k in places]
        parts.append(
            (_one_model(name, of_model, seed, [numbers[k] for k in places], spreads), places)
        )
    return parts[0][0] if len(parts) == 1 else CompositeDevices(parts)


def _one_model(
    model: str,
    records: Sequence[DeviceRecord],
    seed: int,
    numbers: Sequence[int],
    spreads: tuple[float, bool],
) -> DeviceModel:
    device_spread, cycle_spread = spreads
    if model == "gmss":
        parameters = stack(records, GmssParameters)
        if not cycle_spread:
            none = np.zeros(len(records))
            names = [name for name in parameters.names() if name.startswith("c2c_")]
            parameters = replace(parameters, **dict.fromkeys(names, none))
        return GmssDevices(parameters, seed=seed, numbers=numbers, device_spread=device_spread)
    if model == "vteam":
        return VteamDevices(stack(records, VteamParameters))
    return MssDevices(stack(records, MssParameters))
