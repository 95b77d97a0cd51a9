"""Firmware of source-measure units by the model that stations name; imported when needed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from twin.wiring import ByteDevice, SmuTerminals


class SmuFirmware(ByteDevice, Protocol):
    """The twin of a source-measure unit at the far end of a wire.

    Attributes:
        commands_seen: the last messages that arrived, without terminator.
    """

    commands_seen: deque[str]

    @property
    def output_on(self) -> bool:
        """Whether the output is on."""
        ...

    @property
    def output_off_count(self) -> int:
        """How often the output was switched off, by whatever command."""
        ...


def _keithley2400(terminals: SmuTerminals, mains_hz: int, is_ideal: bool) -> SmuFirmware:
    from twin.firmware.keithley2400 import Keithley2400Firmware

    return Keithley2400Firmware(terminals, mains_hz, is_ideal=is_ideal)


def _keithley2450(terminals: SmuTerminals, mains_hz: int, is_ideal: bool) -> SmuFirmware:
    from twin.firmware.keithley2450.firmware import Keithley2450Firmware

    return Keithley2450Firmware(terminals, mains_hz, is_ideal=is_ideal)


def _keithley2602b(terminals: SmuTerminals, mains_hz: int, is_ideal: bool) -> SmuFirmware:
    from twin.firmware.keithley2600 import K2602B, Keithley2600Firmware

    return Keithley2600Firmware(
        terminals, model=K2602B, line_frequency_hz=mains_hz, is_ideal=is_ideal
    )


def _keithley2636b(terminals: SmuTerminals, mains_hz: int, is_ideal: bool) -> SmuFirmware:
    from twin.firmware.keithley2600 import K2636B, Keithley2600Firmware

    return Keithley2600Firmware(
        terminals, model=K2636B, line_frequency_hz=mains_hz, is_ideal=is_ideal
    )


def _keysight_b2901a(terminals: SmuTerminals, mains_hz: int, is_ideal: bool) -> SmuFirmware:
    from twin.firmware.keysight_b2900.firmware import KeysightB2900Firmware

    return KeysightB2900Firmware(terminals, mains_hz, model="B2901A", is_ideal=is_ideal)


def _keysight_b2902a(terminals: SmuTerminals, mains_hz: int, is_ideal: bool) -> SmuFirmware:
    from twin.firmware.keysight_b2900.firmware import KeysightB2900Firmware

    return KeysightB2900Firmware(terminals, mains_hz, model="B2902A", is_ideal=is_ideal)


_BUILDERS: dict[str, Callable[[SmuTerminals, int, bool], SmuFirmware]] = {
    "2400": _keithley2400,
    "2450": _keithley2450,
    "2602B": _keithley2602b,
    "2636B": _keithley2636b,
    "B2901A": _keysight_b2901a,
    "B2902A": _keysight_b2902a,
}


def build_smu(
    model: str, terminals: SmuTerminals, line_frequency_hz: int, *, is_ideal: bool
) -> SmuFirmware:
    """Return the firmware of a model, as after power-on.

    Args:
        model: as in ``hil.instruments.drivers.MODELS``.
        terminals: of its first channel; nothing is connected to a second one.
        line_frequency_hz: of the simulated mains.
        is_ideal: without errors of gain and offset, and without noise.
    """
    return _BUILDERS[model](terminals, line_frequency_hz, is_ideal)
