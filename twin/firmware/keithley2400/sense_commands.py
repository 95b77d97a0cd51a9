"""Command table of the measurements of a Keithley 2400.

Source: manual 2400S-900-01 Rev. K, sections 17 (CONFigure, FETCh, READ, MEASure) and 18 (SENSe1).
Assumed: MEASure and CONFigure keep compliance and ohms mode, and set integration time, range of the
function, source mode and trigger model to their *RST values.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from twin.firmware.keithley2400.output import Output
from twin.firmware.keithley2400.parameters import (
    COMPLIANCES,
    EXPECTED,
    LONG_NAMES,
    SENSE_NAMES,
    RangeNumber,
    next_range,
)
from twin.firmware.keithley2400.readings import written_readings
from twin.firmware.keithley2400.settings import CURR, LIMITED_BY, RES, VOLT, Layer, Setup
from twin.firmware.keithley2400.trigger import TriggerModel
from twin.firmware.scpi import (
    SETTINGS_CONFLICT,
    Boolean,
    Choice,
    Command,
    Number,
    Parameter,
    Quoted,
    ScpiError,
    Several,
    setting,
)

ROOT = "[:SENSe[1]]"
QUANTITIES = (VOLT, CURR, RES)
ON_OFF = Boolean()
FUNCTION = Quoted(Choice(tuple(LONG_NAMES[q] for q in QUANTITIES)))


class SenseCommands:
    """Commands of the measurement.

    Args:
        output: has the settings.
        model: makes readings.
    """

    def __init__(self, output: Output, model: TriggerModel) -> None:
        self._output, self._model = output, model

    @property
    def _setup(self) -> Setup:
        return self._output.setup

    def _stored(self, pattern: str, parameter: Parameter, name: str) -> Command:
        return setting(pattern, parameter, lambda: self._setup, name)

    def commands(self) -> list[Command]:
        """Return the table."""
        table = [*self._functions(), *self._filter(), *self._measurement()]
        for quantity in QUANTITIES:
            table += self._ranges(quantity)
        for quantity in (VOLT, CURR):
            table += self._protection(quantity)
        return table

    # --- functions --------------------------------------------------------------------------

    def _functions(self) -> list[Command]:
        functions = Several(FUNCTION)
        root = f"{ROOT}:FUNCtion"
        return [
            Command(f"{root}[:ON]", self._enable, lambda: self._listed(True), (functions,)),
            Command(f"{root}[:ON]:ALL", write=self._enable_all),
            Command(f"{root}[:ON]:COUNt", query=lambda: str(len(self._setup.functions))),
            Command(f"{root}:OFF", self._disable, lambda: self._listed(False), (functions,)),
            Command(f"{root}:OFF:ALL", write=lambda: self._disable(QUANTITIES)),
            Command(f"{root}:OFF:COUNt", query=lambda: str(3 - len(self._setup.functions))),
            Command(
                f"{root}:STATe",
                query=lambda name: ON_OFF.format(name in self._setup.functions),
                query_parameters=(FUNCTION,),
            ),
            Command(
                f"{root}:CONCurrent",
                self._set_concurrent,
                lambda: ON_OFF.format(self._setup.concurrent),
                (ON_OFF,),
            ),
            Command(
                f"{ROOT}:RESistance:MODE",
                self._set_ohms_mode,
                lambda: self._setup.ohms_mode,
                (Choice(("AUTO", "MANual")),),
            ),
        ]

    def _enable(self, functions: list[str]) -> None:
        setup = self._setup
        if not setup.concurrent and len(set(functions)) > 1:
            raise ScpiError(SETTINGS_CONFLICT)
        before = setup.functions if setup.concurrent else frozenset[str]()
        self._set_functions(before | frozenset(functions))

    def _enable_all(self) -> None:
        if not self._setup.concurrent:
            raise ScpiError(SETTINGS_CONFLICT)
        self._set_functions(frozenset(QUANTITIES))

    def _disable(self, functions: Iterable[str]) -> None:
        self._set_functions(self._setup.functions - frozenset(functions))

    def _set_concurrent(self, concurrent: bool) -> None:
        self._setup.concurrent = concurrent
        if not concurrent and len(self._setup.functions) > 1:
            self._set_functions(frozenset({VOLT}))

    def _set_functions(self, functions: frozenset[str]) -> None:
        self._setup.functions = functions
        self._output.refresh()

    def _set_ohms_mode(self, mode: str) -> None:
        self._setup.ohms_mode = mode
        self._output.refresh()

    def _listed(self, on: bool) -> str:
        names = [q for q in QUANTITIES if (q in self._setup.functions) is on]
        return ",".join(f'"{n}"' if n == RES else f'"{n}:DC"' for n in names) or '""'

    # --- ranges, integration, filter ----------------------------------------------------------

    def _ranges(self, quantity: str) -> list[Command]:
        output, expected = self._output, EXPECTED[quantity]
        root = f"{ROOT}:{SENSE_NAMES[quantity]}"

        def set_range(value: float | str) -> None:
            if isinstance(value, str):
                value = next_range(quantity, output.sense_range(quantity).full_scale, value)
            output.set_sense_range(quantity, value)

        def lowest() -> str:
            return expected.format(self._setup.lowest_auto[quantity])

        table = [
            self._stored(f"{root}:NPLCycles", Number(0.01, 10, 1), "n_plc"),
            Command(
                f"{root}:RANGe[:UPPer]",
                set_range,
                lambda: expected.format(output.sense_range(quantity).full_scale),
                (RangeNumber(expected.low, expected.high, expected.default),),
            ),
            Command(
                f"{root}:RANGe:AUTO",
                partial(output.set_sense_auto, quantity),
                lambda: ON_OFF.format(self._setup.ranges[quantity].auto),
                (ON_OFF,),
            ),
            Command(
                f"{root}:RANGe:AUTO:LLIMit",
                lambda value: self._setup.lowest_auto.update({quantity: abs(value)}),
                lowest,
                (expected,),
            ),
        ]
        if quantity == RES:
            limit = self._stored(f"{root}:RANGe:AUTO:ULIMit", expected, "highest_ohms")
        else:
            limit = Command(
                f"{root}:RANGe:AUTO:ULIMit",
                query=lambda: expected.format(self._compliance_range(quantity)),
            )
        return [*table, limit]

    def _compliance_range(self, quantity: str) -> float:
        return self._setup.ranges[quantity].fitting(self._setup.compliance(quantity))

    def _protection(self, quantity: str) -> list[Command]:
        level = COMPLIANCES[quantity]
        root = f"{ROOT}:{SENSE_NAMES[quantity]}:PROTection"
        return [
            Command(
                f"{root}[:LEVel]",
                partial(self._output.set_compliance, quantity),
                lambda: level.format(self._setup.compliance(quantity)),
                (level,),
            ),
            Command(f"{root}:TRIPped", query=lambda: ON_OFF.format(self._is_tripped(quantity))),
            self._stored(f"{root}:RSYNchronize", ON_OFF, "synchronizes_ranges"),
        ]

    def _is_tripped(self, quantity: str) -> bool:
        return LIMITED_BY[self._output.sourced] == quantity and self._output.is_limiting

    def _filter(self) -> list[Command]:
        root = f"{ROOT}:AVERage"
        return [
            self._stored(f"{root}[:STATe]", ON_OFF, "filter_on"),
            self._stored(f"{root}:TCONtrol", Choice(("REPeat", "MOVing")), "filter_type"),
            self._stored(f"{root}:COUNt", Number(1, 100, 10, integer=True), "filter_count"),
        ]

    # --- readings ---------------------------------------------------------------------------

    def _measurement(self) -> list[Command]:
        model = self._model
        commands = [
            Command(":READ", query=self._read),
            Command(":FETCh", query=lambda: written_readings(model.fetch(), self._setup)),
            Command(
                f"{ROOT}:DATA[:LATest]",
                query=lambda: written_readings(model.fetch()[-1:], self._setup),
            ),
            Command(":CONFigure", query=lambda: self._listed(True)),
            Command(":MEASure", query=self._measure),
        ]
        for quantity in QUANTITIES:
            name = SENSE_NAMES[quantity]
            commands += [
                Command(f":CONFigure:{name}", write=partial(self._configure, quantity)),
                Command(f":MEASure:{name}", query=partial(self._measure, quantity)),
            ]
        return commands

    def _read(self) -> str | None:
        readings = self._model.read()
        return None if readings is None else written_readings(readings, self._setup)

    def _measure(self, quantity: str | None = None) -> str | None:
        if quantity is not None:
            self._configure(quantity)
        elif not self._output.is_on:
            self._output.switch_on()
        return self._read()

    def _configure(self, quantity: str) -> None:
        setup = self._setup
        fresh = Setup()
        setup.functions = frozenset({quantity})
        setup.n_plc = fresh.n_plc
        setup.ranges[quantity] = fresh.ranges[quantity]
        setup.source.mode = "FIX"
        setup.arm, setup.trigger = _one_shot(setup.arm), _one_shot(setup.trigger)
        self._output.switch_on()


def _one_shot(layer: Layer) -> Layer:
    """Return a layer that lets one pass through at once, on the lines that it has."""
    return Layer(layer.input_line, layer.output_line)
