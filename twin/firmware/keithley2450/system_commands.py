"""Commands of a Keithley 2450 about itself: identity, setups, status, log, clock, display.

Source: manual 2450-901-01, "Common commands", "SYSTem subsystem", "STATus subsystem", "DISPlay
subsystem", "ROUTe subsystem". What is shown, heard or communicated is kept and answered, and does
no more. Not modelled: contact check, scripts, files, network settings.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from twin.firmware.keithley2450.commands import action, control, query
from twin.firmware.keithley2450.event_log import (
    ERROR,
    INFORMATION,
    N_BITS,
    USER_EVENT,
    WARNING,
    EventRegister,
)
from twin.firmware.keithley2450.instrument import N_SAVED_SETUPS, Instrument
from twin.firmware.scpi import (
    MISSING_PARAMETER,
    OUT_OF_RANGE,
    Choice,
    Command,
    Number,
    ScpiError,
    String,
    setting,
)

FIRMWARE_REVISION = "1.7.12b"
COMMAND_SETS = Choice(("SCPI", "TSP", "SCPI2400"))
KINDS = {"ERR": ERROR, "WARN": WARNING, "INF": INFORMATION, "ALL": ERROR | WARNING | INFORMATION}
EVENT_KINDS = Choice(("ERRor", "WARNing", "INFormational", "ALL"))
SCREENS = Choice(
    (
        "HOME",
        "HOME_LARGe_reading",
        "READing_table",
        "GRAPh",
        "HISTogram",
        "PROCessing",
        "SWIPE_FUNCtions",
        "SWIPE_GRAPh",
        "SWIPE_SECondary",
        "SWIPE_SETTings",
        "SWIPE_STATistics",
        "SWIPE_USER",
        "SOURce",
    )
)
LIGHTS = Choice(("ON100", "ON75", "ON50", "ON25", "OFF", "BLACkout"))
WORD = Number(0, 65535, 0, integer=True)
EVENT_NUMBER = Number(0, 32767, 0, integer=True)
BIT = Number(0, N_BITS - 1, 0, integer=True)


class SystemCommands:
    """Command table of the rest.

    Args:
        instrument: what the commands act on.
        serial_number: of the instrument.
        reset: *RST.
        check_idle: raises while the trigger model runs.
        poll: called before a query that programs repeat.
    """

    def __init__(
        self,
        instrument: Instrument,
        serial_number: str,
        reset: Callable[[], None],
        check_idle: Callable[[], None],
        poll: Callable[[], None],
    ) -> None:
        self._instrument = instrument
        self._log = instrument.log
        self._serial_number = serial_number
        self._reset = reset
        self._check_idle = check_idle
        self._poll = poll
        self._kept = {
            "command_set": "SCPI",
            "power_on": "RST",
            "light": "ON50",
            "screen": "HOME",
            "format": "PREF",
            "access": "FULL",
        }

    def commands(self) -> list[Command]:
        """Return the table."""
        return [
            *self._common(),
            *self._system(),
            *self._events(),
            *self._display(),
            *self._registers("OPERation", self._log.operation),
            *self._registers("QUEStionable", self._log.questionable),
            action(":STATus:PRESet", self._log.preset),
            action(":STATus:CLEar", self._log.clear_registers),
        ]

    def _common(self) -> list[Command]:
        instrument = self._instrument
        setups = Number(0, N_SAVED_SETUPS - 1, 0, integer=True)
        return [
            query("*IDN", self._identity),
            action("*RST", self._reset),
            query("*TST", lambda: "0"),
            action("*SAV", instrument.save_setup, setups),
            action("*RCL", self._recall_setup, setups),
            self._keeps("*LANG", COMMAND_SETS, "command_set"),
        ]

    def _system(self) -> list[Command]:
        instrument = self._instrument
        setups = Choice(("RST", *(f"SAV{k}" for k in range(N_SAVED_SETUPS))))
        access = Choice(("FULL", "EXCLusive", "PROTected", "LOCKout"))
        mains = instrument.core.line_frequency_hz
        return [
            query(":SYSTem:LFRequency", lambda: f"{mains:.0f}"),
            query(":SYSTem:VERSion", lambda: "1996.0"),
            self._keeps(":SYSTem:POSetup", setups, "power_on"),
            self._keeps(":SYSTem:ACCess", access, "access"),
            action(
                ":SYSTem:BEEPer[:IMMediate]",
                lambda frequency_hz, duration_s: None,
                Number(20, 8000, 500),
                Number(0.001, 100, 1),
            ),
            Command(
                ":SYSTem:TIME",
                self._set_time,
                self._time,
                (Number(0, 9999, 0, integer=True),) * 6,
                n_optional=5,
                query_parameters=(Choice(("1", "2")),),
                n_optional_query=1,
            ),
            control(
                ":ROUTe:TERMinals",
                Choice(("FRONt", "REAR")),
                lambda: instrument.setup.terminals,
                self._set_terminals,
            ),
        ]

    def _events(self) -> list[Command]:
        log = self._log
        return [
            action(":SYSTem:CLEar", log.clear_errors),
            query(":SYSTem:ERRor:CODE[:NEXT]", log.next_code),
            query(":SYSTem:ERRor:COUNt", lambda: str(log.count(ERROR))),
            query(
                ":SYSTem:EVENtlog:NEXT",
                lambda *kinds: log.next_event(_kinds(kinds)),
                *[EVENT_KINDS] * 3,
                n_optional=3,
            ),
            query(
                ":SYSTem:EVENtlog:COUNt",
                lambda *kinds: str(log.count(_kinds(kinds))),
                *[EVENT_KINDS] * 3,
                n_optional=3,
            ),
            action(
                ":SYSTem:EVENtlog:POST",
                lambda message, kind="INF": log.log(USER_EVENT, f"User: {message}", KINDS[kind]),
                String(),
                EVENT_KINDS,
                n_optional=1,
            ),
        ]

    def _display(self) -> list[Command]:
        return [
            self._keeps(":DISPlay:LIGHt:STATe", LIGHTS, "light"),
            self._keeps(":DISPlay:SCReen", SCREENS, "screen"),
            self._keeps(":DISPlay:READing:FORMat", Choice(("EXPonent", "PREFix")), "format"),
            action(":DISPlay:CLEar", lambda: None),
            *(
                action(f":DISPlay:USER{line}:TEXT[:DATA]", lambda message: None, String())
                for line in (1, 2)
            ),
        ]

    def _registers(self, word: str, register: EventRegister) -> list[Command]:
        root = f":STATus:{word}"

        def map_events(bit: int, sets: int, clears: int = 0) -> None:
            register.mapping[bit] = (sets, clears)

        def mapped(bit: int) -> str:
            sets, clears = register.mapping.get(bit, (0, 0))
            return f"{sets},{clears}"

        def polled(read: Callable[[], int]) -> str:
            self._poll()
            return str(read())

        return [
            query(f"{root}[:EVENt]", partial(polled, register.take_event)),
            query(f"{root}:CONDition", partial(polled, lambda: register.condition)),
            setting(f"{root}:ENABle", WORD, lambda: register, "enable"),
            Command(
                f"{root}:MAP",
                map_events,
                mapped,
                (BIT, EVENT_NUMBER, EVENT_NUMBER),
                n_optional=1,
                query_parameters=(BIT,),
            ),
        ]

    # --- what they do -----------------------------------------------------------------------

    def _identity(self) -> str:
        return f"KEITHLEY INSTRUMENTS,MODEL 2450,{self._serial_number},{FIRMWARE_REVISION}"

    def _recall_setup(self, number: int) -> None:
        self._check_idle()
        self._instrument.recall_setup(number)

    def _set_terminals(self, terminals: str) -> None:
        self._check_idle()
        if terminals != self._instrument.setup.terminals:
            self._instrument.output.switch_off()
        self._instrument.setup.terminals = terminals

    def _set_time(self, *numbers: int) -> None:
        if len(numbers) not in (1, 3, 6):
            raise ScpiError(MISSING_PARAMETER)
        now = self._instrument.clock.now()
        try:
            if len(numbers) == 6:
                when = datetime(*numbers, tzinfo=UTC)
            elif len(numbers) == 3:
                hour, minute, second = numbers
                when = now.replace(hour=hour, minute=minute, second=second, microsecond=0)
            else:
                when = datetime.fromtimestamp(numbers[0], UTC)
        except ValueError as error:
            raise ScpiError(OUT_OF_RANGE) from error
        self._instrument.clock.set(when)

    def _time(self, form: str = "0") -> str:
        now = self._instrument.clock.now()
        return f"{now:%a %b %d %H:%M:%S %Y}" if form == "1" else str(int(now.timestamp()))

    def _keeps(self, pattern: str, choice: Choice, name: str) -> Command:
        """Return a setting that is kept and answered, and no more."""
        return control(
            pattern,
            choice,
            lambda: self._kept[name],
            lambda value: self._kept.__setitem__(name, value),
        )


def _kinds(names: tuple[str, ...]) -> int:
    kinds = 0
    for name in names or ("ALL",):
        kinds |= KINDS[name]
    return kinds
