"""Commands of the instrument as a whole: identity, reset, timer, and settings without effect.

Display, beeper and the like are kept and answered. Source: command reference B2910-90030, "Common
Commands", "SYSTem Subsystem", "DISPlay Subsystem". Assumed: the timer runs from the start of the
last run on; *TST? and *CAL? pass; setups are kept in five places; text of windows is up to 32
characters.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

from twin.firmware.keysight_b2900.instrument import Instrument
from twin.firmware.keysight_b2900.model import MODELS
from twin.firmware.keysight_b2900.parameters import ChannelList, Nr3
from twin.firmware.keysight_b2900.settings import ChannelSetup
from twin.firmware.keysight_b2900.status import NOTHING_SAVED
from twin.firmware.scpi import (
    ILLEGAL_PARAMETER_VALUE,
    Boolean,
    Choice,
    Command,
    Number,
    ScpiError,
    String,
    saved_setups,
    setting,
)

FIRMWARE_REVISION = "3.4.2011.5100"
N_SETUPS = 5


@dataclass
class Panel:
    """What the front panel shows and does."""

    display_on: bool = True
    view: str = "SING1"
    digits: int = 6
    beeper_on: bool = True
    colours: int = 1
    zoom_on: bool = False
    text_on: dict[int, bool] = field(default_factory=lambda: {1: False, 2: False})
    text: dict[int, str] = field(default_factory=lambda: {1: "", 2: ""})


class SystemCommands:
    """Commands that belong to no channel.

    Args:
        instrument: that they act on.
        model: B2901A or B2902A.
        serial_number: that *IDN? tells.
    """

    def __init__(self, instrument: Instrument, model: str, serial_number: str) -> None:
        self._instrument = instrument
        self._model = model
        self._serial_number = serial_number
        self._panel = Panel()
        self._grouped = list(instrument.channels)
        self._saved: dict[int, dict[int, ChannelSetup]] = {}

    def commands(self) -> list[Command]:
        """Return the part of the command table."""
        return [
            Command("*IDN", query=self._identity),
            Command("*RST", write=self.reset),
            Command("*TST", query=self._self_test),
            Command("*CAL", query=self._self_test),
            Command("*OPT", query=lambda: "0"),
            *saved_setups(N_SETUPS, self._save, self._recall),
            *self._system(),
            *self._timer(),
            *self._display(),
        ]

    # --- common commands --------------------------------------------------------------------

    def _identity(self) -> str:
        return f"Keysight Technologies,{self._model},{self._serial_number},{FIRMWARE_REVISION}"

    def reset(self) -> None:
        """*RST: settings of a reset, on the front panel as well."""
        self._instrument.reset()
        self._panel = Panel()
        self._grouped = list(self._instrument.channels)

    def _self_test(self) -> str:
        for channel in self._instrument.channels.values():
            self._instrument.switch_off(channel)
        return "0"

    def _save(self, place: int) -> None:
        channels = self._instrument.channels
        self._saved[place] = {n: copy.deepcopy(channel.setup) for n, channel in channels.items()}

    def _recall(self, place: int) -> None:
        if place not in self._saved:
            raise ScpiError(*NOTHING_SAVED)
        for number, setup in self._saved[place].items():
            self._instrument.recall(self._instrument.channels[number], setup)

    # --- system -----------------------------------------------------------------------------

    def _system(self) -> list[Command]:
        mains = Number(50, 60, self._instrument.line_frequency_hz, integer=True)
        tone = (Number(55, 6640, 440), Number(0.05, 12.75, 0.1))
        return [
            Command(
                ":SYSTem:LFRequency",
                self._set_line_frequency,
                lambda: str(self._instrument.line_frequency_hz),
                (mains,),
            ),
            Command(":SYSTem:VERSion", query=lambda: "1999.0"),
            Command(":SYSTem:LANGuage", query=lambda: '"DEF"'),
            Command(":SYSTem:PRESet", write=self.reset),
            Command(":SYSTem:INTerlock:TRIPped", query=lambda: "0"),
            Command(":SYSTem:BEEPer[:IMMediate]", lambda _hz, _s: None, parameters=tone),
            setting(":SYSTem:BEEPer:STATe", Boolean(), lambda: self._panel, "beeper_on"),
            *(Command(f":SYSTem:{word}", lambda: None) for word in ("LOCal", "REMote", "RWLock")),
            Command(
                ":SYSTem:GROup[:DEFine]",
                lambda numbers: setattr(self, "_grouped", numbers),
                lambda: ChannelList().format(self._grouped),
                (ChannelList(tuple(self._instrument.channels)),),
            ),
            Command(
                ":SYSTem:GROup:RESet",
                lambda: setattr(self, "_grouped", list(self._instrument.channels)),
            ),
            Command(":SYSTem:CHANnel:COUNt", query=lambda: str(MODELS[self._model])),
        ]

    def _set_line_frequency(self, frequency_hz: int) -> None:
        if frequency_hz not in (50, 60):
            raise ScpiError(ILLEGAL_PARAMETER_VALUE)
        self._instrument.set_line_frequency(frequency_hz)

    def _timer(self) -> list[Command]:
        root = ":SYSTem:TIME:TIMer:COUNt"
        return [
            Command(root, query=lambda: Nr3(0, 0, 0).format(self._instrument.timer_s)),
            Command(f"{root}:RESet[:IMMediate]", write=self._instrument.reset_timer),
            setting(f"{root}:RESet:AUTO", Boolean(), lambda: self._instrument, "timer_auto_reset"),
        ]

    # --- display ----------------------------------------------------------------------------

    def _display(self) -> list[Command]:
        def panel() -> Panel:
            return self._panel

        views = Choice(("SINGle1", "SINGle2", "DUAL", "GRAPh", "ROLL"))
        return [
            setting(":DISPlay:ENABle", Boolean(), panel, "display_on"),
            setting(":DISPlay:VIEW", views, panel, "view"),
            setting(":DISPlay:DIGits", Number(4, 7, 6, integer=True), panel, "digits"),
            setting(":DISPlay:CSET", Number(1, 2, 1, integer=True), panel, "colours"),
            setting(":DISPlay:ZOOM", Boolean(), panel, "zoom_on"),
            *(command for half in (1, 2) for command in self._text(half)),
        ]

    def _text(self, half: int) -> list[Command]:
        root = ":DISPlay[:WINDow[1]]:TEXT" if half == 1 else ":DISPlay:WINDow2:TEXT"

        def set_text(text: str) -> None:
            self._panel.text[half] = text

        def set_text_on(is_on: bool) -> None:
            self._panel.text_on[half] = is_on

        return [
            Command(
                f"{root}[:DATA]",
                set_text,
                lambda: String().format(self._panel.text[half]),
                (String(32),),
            ),
            Command(
                f"{root}:STATe",
                set_text_on,
                lambda: Boolean().format(self._panel.text_on[half]),
                (Boolean(),),
            ),
        ]
