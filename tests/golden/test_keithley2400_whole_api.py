"""Every property and method of pymeasure's 2400 drivers, one by one, on a fresh twin each.

``DEFECTS`` are those of the drivers, not of the twin; the test fails if one of them goes away.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from pymeasure.instruments import Instrument, SCPIMixin
from pymeasure.instruments.keithley import Keithley2400, Keithley2400Legacy
from pymeasure.instruments.keithley import buffer as buffer_module
from pymeasure.instruments.keithley import keithley2400 as driver_module
from pymeasure.instruments.keithley import keithley2400_legacy as legacy_module

from tests.unit.test_keithley2400_firmware import ResistorBench
from twin.firmware.keithley2400 import Keithley2400Firmware
from twin.servers.inprocess import InProcessAdapter

Driver = Any

OF_EVERY_INSTRUMENT = set(dir(Instrument)) - set(dir(SCPIMixin)) - {"shutdown"}
OF_THE_BUFFER = ("mean", "max", "min", "std", "standard", "buffer_data", "maximums", "minimums")
ARGUMENTS: dict[str, tuple[object, ...]] = {
    "apply_current": (1e-3, 1.0),
    "apply_voltage": (2.0, 1e-3),
    "beep": (440, 0.1),
    "triad": (440, 0.1),
    "ramp_to_current": (1e-4,),
    "ramp_to_voltage": (0.1,),
    "RvsI": (0, 1e-4, 2e-5, 1.0),
    "RvsIaboutZero": (1e-5, 1e-4, 3e-5, 1.0),
    "set_trigger_counts": (2, 3),
    "set_timed_arm": (0.5,),
    "output_trigger_on_external": (2,),
    "trigger_on_external": (2,),
    "config_buffer": (4, 0.0),
    "wait_for_buffer": (lambda: True,),
}
PREPARATIONS: dict[str, Callable[[Driver], None]] = {
    # a bus trigger needs somebody who waits for it
    "trigger": lambda smu: (smu.write(":ARM:SOUR BUS;:INIT"), None)[1],
    # the range of what is sourced is that of the source, which the instrument says with +823
    "voltage_range": lambda smu: smu.write(":SOUR:FUNC CURR;:OUTP ON"),
}
DEFECTS = {
    ("Keithley2400", "filter_state"): "reads 0 or 1 and takes ON or OFF only",
    ("Keithley2400Legacy", "filter_state"): "reads 0 or 1 and takes ON or OFF only",
    ("Keithley2400Legacy", "trigger_on_bus"): "sends :TRIG:SOUR BUS, which is of the arm layer",
    ("Keithley2400Legacy", "RvsI"): "uses an attribute that instruments have no more",
    ("Keithley2400Legacy", "RvsIaboutZero"): "uses an attribute that instruments have no more",
    ("Keithley2400Legacy", "current"): "is a list of all elements, and not a current, after reset",
    ("Keithley2400Legacy", "voltage"): "is a list of all elements, and not a voltage, after reset",
    ("Keithley2400Legacy", "resistance"): "is a list of all elements after reset",
}


def names_of(driver: type) -> list[str]:
    return [
        name for name in dir(driver) if not name.startswith("_") and name not in OF_EVERY_INSTRUMENT
    ]


CASES = [(driver, n) for driver in (Keithley2400, Keithley2400Legacy) for n in names_of(driver)]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (driver_module, legacy_module):
        monkeypatch.setattr(module.time, "sleep", lambda dt_s: None)
    monkeypatch.setattr(buffer_module, "sleep", lambda dt_s: None)


def is_settable(smu: Driver, name: str, value: object) -> bool:
    """Set a property to what it is, if it can be set."""
    if inspect.getattr_static(type(smu), name).fset is None:
        return False
    try:
        setattr(smu, name, value)
    except LookupError as error:  # pymeasure gives its measurements setters that raise
        if "can not be set" not in str(error):
            raise
        return False
    return True


def exercise(smu: Driver, name: str) -> str:
    """Use one property or method; return what is wrong with the answer, if anything."""
    member = inspect.getattr_static(type(smu), name)
    if not isinstance(member, property):
        getattr(smu, name)(*ARGUMENTS.get(name, ()))
        return ""
    before = getattr(smu, name)
    if is_settable(smu, name, before):
        after = getattr(smu, name)
        return "" if after == before else f"{before} became {after}"
    is_plural = name.endswith("s") or name in ("buffer_data", "complete", "error", "next_error")
    return "" if is_plural or not isinstance(before, list) else f"{before} is no single value"


def problem_with(driver: type, name: str) -> str:
    """Use one property or method of a fresh driver; return what went wrong."""
    firmware = Keithley2400Firmware(ResistorBench(), 50, is_ideal=True)
    smu: Driver = driver(InProcessAdapter(firmware))
    smu.reset()
    smu.source_enabled = True
    if name in PREPARATIONS:
        PREPARATIONS[name](smu)
    if name.startswith(OF_THE_BUFFER):
        smu.write(":SENS:RES:MODE MAN;:SENS:FUNC:ALL")
        smu.config_buffer(3, 0)
        smu.start_buffer()
    try:
        found = exercise(smu, name)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        return f"{type(error).__name__}: {error}"
    errors = firmware.receive(b":SYST:ERR:ALL?\n").decode().splitlines()
    return found or ("" if errors in ([], ['0,"No error"']) else "; ".join(errors))


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    ("driver", "name"), CASES, ids=lambda part: getattr(part, "__name__", part)
)
def test_every_member_works_or_is_a_known_defect(driver: type, name: str) -> None:
    found = problem_with(driver, name)
    defect = DEFECTS.get((driver.__name__, name), "")
    assert bool(found) == bool(defect), found


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_statistics_come_for_what_was_measured_only() -> None:
    """The manual's order is voltage, current, resistance; the driver counts on all three."""
    firmware = Keithley2400Firmware(ResistorBench(), 50, is_ideal=True)
    smu = Keithley2400(InProcessAdapter(firmware))
    smu.reset()
    smu.source_enabled = True
    smu.config_buffer(3, 0)
    smu.start_buffer()
    assert smu.is_buffer_full()
    assert smu.means == 0.0  # of the current, the only function after reset
    with pytest.raises(TypeError):
        _ = smu.mean_current
