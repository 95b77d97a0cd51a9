"""The Keithley 2400, over simulated terminals.

Source of all files here: Series 2400 SourceMeter User's Manual, 2400S-900-01 Rev. K (sections named
at each file), and data sheet SPEC-2400 Rev. H.
"""

from twin.firmware.keithley2400.firmware import Keithley2400Firmware

__all__ = ["Keithley2400Firmware"]
