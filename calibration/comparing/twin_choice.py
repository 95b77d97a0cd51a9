"""Which calibration record, or which station, the twin of a measured device is made from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hil.errors import StationError, UsageError
from hil.records import list_records, record_ids
from hil.station import CalibrationTable, Station, TwinTable, load_station
from hil.types import Device, Dopant
from twin.opening import DEFAULT_RECORDS, device_records
from twin.parameters import DeviceRecord


@dataclass(frozen=True)
class Choice:
    """Which record stands for a device.

    Attributes:
        record_id: of the device record.
        why: in words, to be shown.
    """

    record_id: str
    why: str


class TwinChoice:
    """Says for each device which record its twin is made from.

    Args:
        twin: a record, a station, or empty for the newest record of each device.
        folder: with records, beside those that ship; None for that of the station given, or else
            ``records``.

    Raises:
        StationError: there is neither a record nor a station of this name.
    """

    def __init__(self, twin: str = "", folder: Path | None = None) -> None:
        self._twin = twin
        self._station: Station | None = None
        self.folder = folder or Path(CalibrationTable().folder)
        self._is_record = twin in record_ids([self.folder])
        if twin and not self._is_record:
            self._station = self._named(twin)
            self.folder = folder or self._station.records_folder
        records = [] if twin else list_records([self.folder])
        self._records = [r for r in records if r.head.kind == "device"]

    def of(self, device: Device) -> Choice:
        """Return the record for one device.

        Raises:
            UsageError: none fits.
        """
        if self._is_record:
            return Choice(self._twin, "as asked")
        if self._station is not None:
            return _of_station(self._station, device)
        return self._newest(device)

    def on(self, station: Station, devices: Iterable[str]) -> tuple[Station, dict[str, Choice]]:
        """Return a station with these devices made from their records, and the choices.

        Nothing of it is drawn from device to device.
        """
        wanted = set(devices)
        memristors = [device for device in station.devices if device.reference_ohm is None]
        chosen = {d.name: self.of(d) for d in memristors if d.name in wanted}
        names: dict[Dopant, list[str]] = {}
        for device in memristors:
            found = chosen.get(device.name)
            name = found.record_id if found else DEFAULT_RECORDS[device.dopant][0]  # never touched
            names.setdefault(device.dopant, []).append(name)
        changed = {
            "twin": TwinTable(records=names),
            "calibration": CalibrationTable(folder=str(self.folder.resolve())),
        }
        table = station.table.model_copy(update=changed)
        return Station(table, station.text, station.origin), chosen

    def _named(self, name: str) -> Station:
        try:
            return load_station(name)
        except StationError as error:
            known = ", ".join(record_ids([self.folder]))
            raise StationError(f"{error}; nor a record: {known}") from error

    def _newest(self, device: Device) -> Choice:
        replaced = {record.head.supersedes for record in self._records}
        current = [record for record in self._records if record.record_id not in replaced]
        own = [record for record in current if device.name in record.head.subject.split()]
        if own:
            newest = max(own, key=lambda record: record.head.created)
            return Choice(newest.record_id, f"newest record of {newest.head.subject}")
        dopant = device.dopant.value
        alike = [record for record in current if record.conditions.dopant == dopant]
        if not alike:
            raise UsageError(
                f"there is no record of device {device.name!r}, nor of any {dopant} device: give "
                f"one with --twin RECORD"
            )
        newest = max(alike, key=lambda record: record.head.created)
        return Choice(
            newest.record_id,
            f"there is NO RECORD OF {device.name}; newest of a {dopant} device, "
            f"{newest.head.subject}",
        )


def _of_station(station: Station, device: Device) -> Choice:
    for other, record in _memristors(station):
        if other.name == device.name:
            return Choice(record.record_id, f"{device.name} of station {station.name}")
    for other, record in _memristors(station):
        if other.dopant is device.dopant:
            return Choice(
                record.record_id,
                f"station {station.name} has NO DEVICE {device.name}; its {other.name}, "
                f"also {device.dopant.value}",
            )
    raise UsageError(
        f"station {station.name!r} has no device {device.name!r}, and none of {device.dopant.value}"
    )


def _memristors(station: Station) -> list[tuple[Device, DeviceRecord]]:
    devices = [device for device in station.devices if device.reference_ohm is None]
    return list(zip(devices, device_records(station), strict=True))
