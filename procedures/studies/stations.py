"""Stations for studies: the direct twin with the devices, spreads and records of one grid point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import cache
from typing import Any

from hil.errors import UsageError
from hil.records import Head, Quantity, load_record, make_record
from hil.station import load_station
from hil.store import from_json, to_json
from hil.types import Dopant

BASE_STATION = "twin"


@dataclass(frozen=True)
class StationVariant:
    """How the station of a grid point differs from the shipped ``twin``.

    Attributes:
        dopant: of its devices.
        n_devices: how many.
        device_spread: how far devices differ from their records (``[twin]``).
        cycle_spread: whether thresholds are drawn anew from cycle to cycle.
        instrument_noise: errors and noise of the instrument, tolerances of resistors.
        changes: factors (names that end in ``_ohm`` or ``_s``) and shifts (all others) on the
            parameters of the records of this dopant, by name; for sensitivity studies.
    """

    dopant: str = "W"
    n_devices: int = 30
    device_spread: float = 1.0
    cycle_spread: bool = True
    instrument_noise: bool = True
    changes: Mapping[str, float] = field(default_factory=dict)

    @property
    def as_json(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return asdict(self)

    def files(self) -> dict[str, str]:
        """Return the station file and its changed records: text by path in a folder.

        Raises:
            UsageError: there is no such dopant or parameter.
        """
        return dict(_files(to_json(self.as_json)))

    def _make_files(self) -> dict[str, str]:
        records, names = {}, _record_names(self.dopant)
        if self.changes:
            for name in names:
                changed, text = _changed_record(name, self.changes)
                records[f"records/{changed}.toml"] = text
            names = [f"{name}-changed" for name in names]
        return {"station.toml": self._station_toml(names)} | records

    def _station_toml(self, records: list[str]) -> str:
        table = load_station(BASE_STATION).table
        device = next(d for d in table.devices.values() if d.dopant == self.dopant)
        r_series_ohm = device.series_resistor_ohm or table.circuit.series_resistor_ohm
        lines = [
            f'name = "study-{self.dopant.lower()}"',
            f'description = "{self.n_devices} {self.dopant} devices of a study, direct twin"',
            'board = "twin"',
            'source = "twin"',
            *toml_table("smu", table.smu.model_dump()),
            *toml_table("switch_board", table.switch_board.model_dump()),
            *toml_table(
                "circuit", {**table.circuit.model_dump(), "series_resistor_ohm": r_series_ohm}
            ),
            *toml_table(
                "twin",
                {
                    "instrument_noise": self.instrument_noise,
                    "device_spread": self.device_spread,
                    "cycle_spread": self.cycle_spread,
                },
            ),
            *toml_table("twin.records", {self.dopant: records}),
            *_neurons_toml(table),
            "[devices]",
            *(
                f'{self.dopant}{k + 1:02d} = {{ dopant = "{self.dopant}", '
                f'package_pin = "U{k // 8 + 1}.{k % 8 + 1}", position = {k} }}'
                for k in range(self.n_devices)
            ),
        ]
        return "\n".join(lines) + "\n"


@cache
def _files(variant: str) -> dict[str, str]:
    """Return the files of a variant, which is given as JSON: a study asks often for the same."""
    return StationVariant(**from_json(variant))._make_files()


def _neurons_toml(table: Any) -> list[str]:
    neurons = getattr(table, "neurons", None)
    if neurons is None:
        return []
    values = neurons.model_dump(exclude_none=True)
    flat = {name: value for name, value in values.items() if not isinstance(value, dict)}
    lines = toml_table("neurons", flat)
    for name, value in values.items():
        if isinstance(value, dict):
            lines += toml_table(f"neurons.{name}", value)
    return lines


def toml_table(name: str, values: Mapping[str, object]) -> list[str]:
    """Return the lines of a table of a station file."""
    return [f"[{name}]", *(f"{key} = {_value(value)}" for key, value in values.items())]


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return repr(value)


def _record_names(dopant: str) -> list[str]:
    records = load_station(BASE_STATION).table.twin.records
    if dopant not in records:
        raise UsageError(f"no dopant {dopant!r}; there are {', '.join(records)}")
    return list(records[Dopant(dopant)])


def _changed_record(record_id: str, changes: Mapping[str, float]) -> tuple[str, str]:
    """Return identifier and text of a record with changed parameters; all of it is assumed."""
    base = load_record(record_id)
    parameters = dict(base.parameters)
    if unknown := set(changes) - set(parameters):
        raise UsageError(f"record {record_id} has no parameter {min(unknown)!r} to change")
    for name, change in changes.items():
        old = parameters[name]
        is_factor = name.endswith(("_ohm", "_s"))
        value = old.value * change if is_factor else old.value + change
        how = f"times {change:.6g}" if is_factor else f"plus {change:.6g}"
        parameters[name] = Quantity(
            value=value,
            unit=old.unit,
            source=f"{record_id} {how}, for a sensitivity study",
            status="assumed",
        )
    low, high = (parameters[name].value for name in ("r_on_ohm", "r_off_ohm"))
    init = parameters["r_init_ohm"]
    parameters["r_init_ohm"] = init.model_copy(
        update={"value": min(max(init.value, low), 0.98 * high)}
    )
    changed = f"{record_id}-changed"
    head = Head(
        id=changed,
        kind="device",
        subject=f"{base.head.subject}, changed",
        created=date(2026, 11, 25),
        attribution="none: assumed",
        note=f"{record_id}, changed for a sensitivity study. Never report as measured.",
    )
    return changed, make_record(head, parameters, conditions=base.conditions).toml
