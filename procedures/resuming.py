"""Going on with an endurance run that has ended, in whatever way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hil.errors import ParameterError, StoreError
from hil.store import RunDatabase, RunSummary
from hil.types import BoardInfo, Polarity
from procedures.selection import select_cells
from procedures.wearing import Criteria, Wear

RESUMED = "resumed"
"""Kind of the event that says which run is continued, and what the devices had been through."""

Row = Mapping[str, Any]


def read_earlier(
    path: str, key: str, info: BoardInfo, parameters: Mapping[str, object], same: tuple[str, ...]
) -> tuple[str, dict[str, Wear]]:
    """Return the id of an earlier endurance run, and what it has done to each device, by name.

    Pulses are counted as the run recorded them, so that those count which no read followed.

    Args:
        path: of the database.
        key: id of the run, its beginning, or ``latest``.
        info: of the board that is to go on.
        parameters: with which it is to go on: ``same``, devices, criteria.
        same: parameters that may not differ.

    Raises:
        ParameterError: there is no such run, it is still running, or it did something else.
    """
    try:
        with RunDatabase(path) as database:
            run = database.find(key)
            _refuse_other_run(run, database.run(run.run_id), info, parameters, same)
            return run.run_id, _wear_after(database, run, parameters)
    except StoreError as error:
        raise ParameterError(f"parameter resume = {key!r}: {error}") from error


def _refuse_other_run(
    run: RunSummary, row: Row, info: BoardInfo, parameters: Row, same: tuple[str, ...]
) -> None:
    if run.status == "running" and not run.is_stale:
        raise ParameterError(
            f"parameter resume: run {run.run_id} is still running, process {run.pid} on "
            f"{run.host}; wait for its end, or resume it there if that process is gone"
        )
    pairs = [
        ("procedure", run.procedure, "Endurance"),
        ("station", run.station, info.station),
        ("source", run.source.value, info.source.value),
    ]
    pairs += [(name, row["parameters"].get(name), parameters[name]) for name in same]
    for name, then, now in pairs:
        if then != now:
            raise _differs(run, name, then, now)
    then, now = row["parameters"]["devices"], parameters["devices"]
    if sorted(_names(info, then)) != sorted(_names(info, now)):
        raise _differs(run, "devices", then, now)


def _differs(run: RunSummary, name: str, then: object, now: object) -> ParameterError:
    return ParameterError(
        f"parameter resume: run {run.run_id} had {name} = {then!r}, but now it is {now!r}; go on "
        f"with the same, or begin a new run"
    )


def _names(info: BoardInfo, devices: object) -> list[str]:
    return [info.device_at(cell).name for cell in select_cells(info, str(devices))]


def _wear_after(database: RunDatabase, run: RunSummary, parameters: Row) -> dict[str, Wear]:
    details = database.run(run.run_id)
    wear = _wear_before(details)
    pulses = database.arrays(run.run_id, "pulses")
    columns = (pulses[name].tolist() for name in ("device", "polarity", "n_pulses"))
    for device, polarity, n_pulses in zip(*columns, strict=True):
        one = wear.setdefault(device, Wear())
        one.n_set += n_pulses if polarity == Polarity.SET else 0
        one.n_reset += n_pulses if polarity == Polarity.RESET else 0
    criteria = Criteria(parameters["min_window_ratio"], parameters["open_siemens"])
    for record in database.records(run.run_id).to_dict("records"):
        wear[record["Device"]].note(
            int(record["Cycle"]),
            record["State"],
            criteria,
            record["On conductance (S)"],
            record["Off conductance (S)"],
        )
    return wear


def _wear_before(details: Row) -> dict[str, Wear]:
    """Return what the devices had been through when the run began."""
    for event in details["events"]:
        if event["kind"] == RESUMED:
            return {name: Wear(**values) for name, values in event["data"]["devices"].items()}
    if details["parameters"]["resume"]:
        raise ParameterError(
            f"parameter resume: run {details['id']} ended before it recorded what it continues; "
            f"resume the run before it: {details['parameters']['resume']!r}"
        )
    return {}
