"""Command table of system and display of a Keithley 2400.

Settings that are kept and change nothing here: guard, display, digits, caching of zeros, range
change mode, beeper. Not modelled: keys, calibration, source memory, contact check.

Source: manual 2400S-900-01 Rev. K, sections 16 and 18 (DISPlay, SYSTem).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from twin.firmware.keithley2400.meter import Meter
from twin.firmware.keithley2400.model import N_SETUPS
from twin.firmware.keithley2400.output import Output
from twin.firmware.keithley2400.settings import Setup, preset
from twin.firmware.scpi import (
    OUT_OF_RANGE,
    Boolean,
    Choice,
    Command,
    Number,
    Parameter,
    ScpiError,
    String,
    saved_setups,
    setting,
)

ON_OFF = Boolean()
POWER_ON_SETUPS = Choice(("RST", "PRESet", *(f"SAV{k}" for k in range(N_SETUPS))))
WINDOW_LENGTHS = {1: 20, 2: 32}


@dataclass
class Window:
    """One line of the display: a text, and whether it shows."""

    text: str = ""
    is_on: bool = False


@dataclass
class Panel:
    """What *RST leaves alone.

    Attributes:
        windows: lines of the display.
        power_on: setup that the instrument wakes up with.
        beeps: the beeper is on.
        line_frequency_auto: the line frequency is taken from the mains.
        mains_hz: of the simulated mains.
    """

    mains_hz: int
    windows: dict[int, Window] = field(
        default_factory=lambda: {number: Window() for number in WINDOW_LENGTHS}
    )
    power_on: str = "PRES"
    beeps: bool = True
    line_frequency_auto: bool = True


class SystemCommands:
    """Commands of the system.

    Args:
        output: has the settings.
        meter: has the line frequency.
        panel: what *RST leaves alone.
        serial_number: for ``*IDN?``.
        reset: goes back to idle, output off, with these settings.
        save: stores the settings in a place.
        recall: takes them out of a place.
    """

    def __init__(
        self,
        output: Output,
        meter: Meter,
        panel: Panel,
        serial_number: str,
        reset: Callable[[Setup], None],
        save: Callable[[int], None],
        recall: Callable[[int], None],
    ) -> None:
        self._output, self._meter, self._panel = output, meter, panel
        self._serial_number = serial_number
        self._reset, self._save, self._recall = reset, save, recall

    @property
    def _setup(self) -> Setup:
        return self._output.setup

    def _stored(self, pattern: str, parameter: Parameter, name: str) -> Command:
        return setting(pattern, parameter, lambda: self._setup, name)

    def _kept(self, pattern: str, parameter: Parameter, name: str) -> Command:
        return setting(pattern, parameter, lambda: self._panel, name)

    def commands(self) -> list[Command]:
        """Return the table."""
        table = [*self._common(), *self._system(), *self._display()]
        for number in WINDOW_LENGTHS:
            table += self._window(number)
        return table

    def _common(self) -> list[Command]:
        return [
            Command("*IDN", query=self._identity, is_indefinite=True),
            Command("*OPT", query=lambda: "0", is_indefinite=True),
            Command("*TST", query=lambda: "0"),
            Command("*RST", write=lambda: self._reset(Setup())),
            Command(":SYSTem:PRESet", write=lambda: self._reset(preset())),
            *saved_setups(N_SETUPS, self._save, self._recall),
        ]

    def _identity(self) -> str:
        return (
            f"KEITHLEY INSTRUMENTS INC.,MODEL 2400,{self._serial_number},"
            "C30   Mar 17 2006/A02  /K/J"
        )

    def _system(self) -> list[Command]:
        meter, panel = self._meter, self._panel
        return [
            Command(":SYSTem:VERSion", query=lambda: "1996.0"),
            self._kept(":SYSTem:POSetup", POWER_ON_SETUPS, "power_on"),
            Command(":SYSTem:TIME", query=lambda: f"{self._output.core.now_s():.6E}"),
            Command(":SYSTem:TIME:RESet", write=meter.reset_time),
            self._stored(":SYSTem:TIME:RESet:AUTO", ON_OFF, "resets_time"),
            Command(":SYSTem:MEP[:STATe]", query=lambda: "1"),  # messages as in IEEE 488.2
            Command(
                ":SYSTem:BEEPer[:IMMediate]",
                write=lambda frequency_hz, duration_s: None,
                parameters=(Number(65, 2e6, 65), Number(0, 7.9, 0)),
            ),
            self._kept(":SYSTem:BEEPer:STATe", ON_OFF, "beeps"),
            Command(
                ":SYSTem:LFRequency",
                self._set_line_frequency,
                lambda: str(meter.line_frequency_hz),
                (Number(50, 60, panel.mains_hz, integer=True),),
            ),
            Command(
                ":SYSTem:LFRequency:AUTO",
                self._set_line_frequency_auto,
                lambda: ON_OFF.format(panel.line_frequency_auto),
                (ON_OFF,),
            ),
            Command(
                ":SYSTem:AZERo[:STATe]",
                self._set_auto_zero,
                lambda: ON_OFF.format(self._setup.auto_zero),
                (Choice(("ON", "OFF", "ONCE", "1", "0")),),
            ),
            self._stored(":SYSTem:AZERo:CACHing[:STATe]", ON_OFF, "caches_zero"),
            Command(":SYSTem:AZERo:CACHing:REFResh", write=lambda: None),
            Command(":SYSTem:AZERo:CACHing:RESet", write=lambda: None),
            self._stored(":SYSTem:RCMode", Choice(("SINGle", "MULTiple")), "range_change_mode"),
            Command(":SYSTem:LOCal", write=lambda: None),
            Command(":SYSTem:REMote", write=lambda: None),
            Command(":SYSTem:RWLock", write=lambda: None),
        ]

    def _set_line_frequency(self, frequency_hz: int) -> None:
        if frequency_hz not in (50, 60):
            raise ScpiError(OUT_OF_RANGE)
        self._meter.line_frequency_hz = frequency_hz
        self._panel.line_frequency_auto = False

    def _set_line_frequency_auto(self, auto: bool) -> None:
        self._panel.line_frequency_auto = auto
        if auto:
            self._meter.line_frequency_hz = self._panel.mains_hz

    def _set_auto_zero(self, state: str) -> None:
        if state != "ONCE":
            self._setup.auto_zero = state in ("ON", "1")

    def _display(self) -> list[Command]:
        return [
            self._stored(":DISPlay:ENABle", ON_OFF, "display_on"),
            self._stored(":DISPlay:DIGits", Number(4, 7, 6, integer=True), "digits"),
            Command(":DISPlay:CNDisplay", write=lambda: None),
        ]

    def _window(self, number: int) -> list[Command]:
        root = ":DISPlay[:WINDow[1]]" if number == 1 else f":DISPlay:WINDow{number}"
        text = String(WINDOW_LENGTHS[number])

        def window() -> Window:
            return self._panel.windows[number]

        return [
            setting(f"{root}:TEXT[:DATA]", text, window, "text"),
            setting(f"{root}:TEXT:STATe", ON_OFF, window, "is_on"),
            Command(f"{root}:DATA", query=lambda: text.format(window().text)),
        ]
