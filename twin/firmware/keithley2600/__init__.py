"""Firmware of a Keithley 2602B or 2636B: two source-measure units, a script processor."""

from twin.firmware.keithley2600.firmware import Keithley2600Firmware
from twin.firmware.keithley2600.models import K2602B, K2636B, Model

__all__ = ["K2602B", "K2636B", "Keithley2600Firmware", "Model"]
