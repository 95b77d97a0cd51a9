"""From a measurement to a run that can never be taken for one of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration.imports.measurement import PROCEDURE, Measurement
from hil.errors import StoreError
from hil.interrupts import held_back
from hil.store import RunDatabase, RunStart, RunWriter, create_or_upgrade, software_versions
from hil.types import BoardInfo, Device, Dopant, EnergySplit, FloatArray, Source, SweepTrace

_SEEN_UNITS = {"series_resistor_ohm": "ohm", "amplitude_v": "V", "residual_v": "V"}


@dataclass(frozen=True)
class Stored:
    """A measurement that is a run now."""

    measurement: Measurement
    run_id: str


@dataclass(frozen=True)
class Duplicate:
    """A measurement that was left out, because the same numbers or the same file are there.

    Attributes:
        measurement: that was left out.
        run_id: of the run that holds it.
        device: that the run says it is of.
        files: names of the files that the run was made from.
    """

    measurement: Measurement
    run_id: str
    device: str
    files: str

    def __str__(self) -> str:
        facts = self.measurement.facts
        line = (
            f"{self.measurement.name}: left out, the same data as {self.files} "
            f"(device {self.device}) in run {self.run_id}"
        )
        if facts.device != self.device:
            line += f"; they cannot be of device {facts.device} as well: one name is wrong"
        return line


def store_measurements(
    path: Path, measurements: Sequence[Measurement]
) -> Iterator[Stored | Duplicate]:
    """Store each measurement as a run of its own, unless it is in the database already.

    An interrupt waits until the run that is being stored is whole, where the program's signal
    handler is one of ``hil.interrupts``. Costs about a tenth of a second for each run.

    Args:
        path: of the database; made if there is none.
        measurements: in the order in which they are stored; the first of two equal ones wins.

    Raises:
        StoreError: the database cannot be read or written; earlier runs stay.
    """
    create_or_upgrade(path)
    known = _known(path)
    for measurement in measurements:
        same = next((known[h] for h in sorted(measurement.hashes) if h in known), None)
        if same is not None:
            yield Duplicate(measurement, *same)
            continue
        rivals = [
            other
            for other in measurements
            if other is not measurement and other.hashes & measurement.hashes
        ]
        with held_back():  # also until the caller has heard of the run
            run_id = _store(path, measurement, rivals)
            here = (run_id, str(measurement.facts.device), measurement.name)
            known |= dict.fromkeys(measurement.hashes, here)
            yield Stored(measurement, run_id)


def _known(path: Path) -> dict[str, tuple[str, str, str]]:
    """Return run, device and file names of what was imported before, by hash."""
    known: dict[str, tuple[str, str, str]] = {}
    with RunDatabase(path) as database:
        for run_id, parameters in database.parameters_of(PROCEDURE).items():
            files = parameters["files"]
            names = " and ".join(file["name"] for file in files)
            hashes = [parameters["data_sha256"], *(file["sha256"] for file in files)]
            known |= dict.fromkeys(hashes, (run_id, parameters["device"], names))
    return known


def _store(path: Path, measurement: Measurement, rivals: Sequence[Measurement]) -> str:
    info = _board_info(measurement)
    writer = RunWriter.begin(path, _run_start(measurement, info))
    try:
        writer.event(PROCEDURE, f"imported from {measurement.name}", data=measurement.files)
        for other in rivals:
            writer.event(
                "duplicate",
                f"{other.name} hold the same data as device {other.facts.device}",
                level="warning",
                data=other.files,
            )
        writer.sweep(_trace(measurement))
        for name, value in measurement.seen.items():
            writer.metric(f"seen_{name}", value, _SEEN_UNITS[name])
        writer.finish("finished")
    except BaseException as error:  # whatever it is, the run must not look like a whole one
        with suppress(StoreError):
            writer.finish("failed", f"not stored whole: {error!r}")
        raise
    return writer.run_id


def _run_start(measurement: Measurement, info: BoardInfo) -> RunStart:
    told = measurement.facts.told()
    parameters = told | {
        "format": measurement.file_format,
        "periodic": measurement.is_periodic,
        "n_points": len(measurement.t_s),
        "files": measurement.files,
        "data_sha256": measurement.sha256,
    }
    return RunStart(
        procedure=PROCEDURE,
        parameters=parameters,
        station=info.station,
        station_toml="# No station: what was told of an import.\n" + _toml(told),
        info=info,
        seed=None,
        versions=software_versions(),
    )


def _board_info(measurement: Measurement) -> BoardInfo:
    """Return a board of one device that nothing can open and that can do nothing."""
    facts = measurement.facts
    assert facts.device  # the readers refuse a measurement without these
    assert facts.dopant
    assert facts.series_resistor_ohm
    identity = {
        "board": facts.board,
        "instrument": " ".join(filter(None, (facts.instrument, facts.instrument_serial))),
    }
    return BoardInfo(
        station=PROCEDURE,
        kind=PROCEDURE,
        source=Source.BENCH,
        source_reason=f"imported: {facts.attribution}",
        identity={name: said for name, said in identity.items() if said},
        shape=(1, 1),
        devices=(Device(facts.device, Dopant(facts.dopant), "-", 0, facts.series_resistor_ohm),),
        capabilities=frozenset(),
        min_pulse_width_s=0.0,
        switch_resistance_ohm=0.0,
        tolerance_ratio=0.0,
    )


def _trace(m: Measurement) -> SweepTrace:
    device_w, series_w = m.v_device_v * m.i_a, (m.v_source_v - m.v_device_v) * m.i_a
    none_j = np.zeros(1)
    return SweepTrace(
        cell=(0, 0),
        t_s=m.t_s,
        v_source_v=m.v_source_v,
        v_device_v=m.v_device_v,
        i_a=m.i_a,
        energy=EnergySplit(
            device_j=_integral_j(m, device_w),
            series_j=_integral_j(m, series_w),
            switch_j=none_j,  # part of the series resistance
            half_select_j=none_j,
            instrument_j=np.array([np.nan]),  # nobody knows
            method="trapezoid",
        ),
        source=Source.BENCH,
    )


def _integral_j(measurement: Measurement, power_w: FloatArray) -> FloatArray:
    if measurement.is_periodic:  # the last step leads back to the first point
        assert measurement.facts.frequency_hz
        return np.array([power_w.mean() / measurement.facts.frequency_hz])
    return np.array([(power_w[1:] + power_w[:-1]) @ np.diff(measurement.t_s) / 2])


def _toml(values: dict[str, object]) -> str:
    return "".join(f"{key} = {_toml_value(value)}\n" for key, value in values.items())


def _toml_value(value: object) -> str:
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case bool():
            return str(value).lower()
        case dict():
            inner = (f"{json.dumps(key)} = {_toml_value(item)}" for key, item in value.items())
            return f"{{ {', '.join(inner)} }}"
    return str(value)
