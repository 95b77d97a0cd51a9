"""How everything was done, with every free choice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from hil.station import load_station
from procedures.in_situ_training import InSituTraining
from procedures.learning.in_situ import V_HOLD_V
from procedures.learning.mapping import DEFAULT_WINDOWS
from procedures.learning.network import Training
from procedures.network_procedure import V_READ_V, NetworkProcedure
from procedures.on_chip_training import OnChipTraining
from procedures.programming import WriteVerify
from procedures.reports.eslami import paper
from procedures.reports.eslami.choices import (
    IN_SITU,
    LEFT_OUT,
    NETWORK,
    ON_CHIP,
    UNKNOWN,
    WRITE_VERIFY,
    Choice,
)
from procedures.reports.pages.blocks import Block, Section, Table, Text
from procedures.reports.pages.wording import NOTHING, si
from procedures.studies.stations import BASE_STATION

_HEADS = ("parameter", "default", "why", "the paper")
_UNITS = {"v": "V", "s": "s", "j": "J", "siemens": "S"}


def section() -> Section:
    """Return the section."""
    blocks: list[Block] = [
        *_prose(),
        Table(
            "What is known of the paper. P: its abstract. S1, S2: secondary and unchecked (a "
            "machine summary, an anonymous note). Everything else is a choice.",
            ["", "as given", "source"],
            [[known.what, known.value, known.tag] for known in paper.KNOWN],
            is_text=True,
        ),
        Text("Every free choice, with its reason, is in the appendix.", "note"),
    ]
    return Section("methods", "Methods", blocks)


def appendix() -> Section:
    """Return the tables of all free choices: parameters, defaults and reasons."""
    blocks: list[Block] = [
        _table("Task, network and devices", NetworkProcedure, NETWORK),
        _table("On-chip training by write-verify", OnChipTraining, ON_CHIP),
        _write_verify_table(),
        _table("In-situ training", InSituTraining, IN_SITU),
        _fixed_table(),
        _dopant_table(),
    ]
    return Section("choices", "Appendix: every free choice", blocks)


def own_parameters(procedure: type[Any]) -> list[str]:
    """Return the parameters of a procedure that its base for networks does not have."""
    common = set(NetworkProcedure.parameter_names()) if procedure is not NetworkProcedure else ()
    names = procedure.parameter_names()
    return [name for name in names if name not in common and name not in LEFT_OUT]


def _prose() -> Iterator[Text]:
    yield _lead(
        "Network.",
        "Nine inputs, three hidden neurons, one output neuron, no bias: 27 + 3 weights on "
        "30 memristors. Hidden neurons clip to 0..1 of the read voltage, as an amplifier on one "
        "supply does; the output neuron compares with zero. Pixels are voltages of 0 V to "
        f"{V_READ_V:g} V. A weight is the conductance of a branch (memristor, series resistor, "
        "switch) less a reference, so that positive conductances carry both signs.",
    )
    yield _lead(
        "Targets.",
        "Found off the chip by gradient descent with noise on the images and errors on "
        "the conductances, redrawn at every step, from several random starts; the start that is "
        "most accurate under device errors is taken.",
    )
    yield _lead(
        "Write-verify.",
        "One memristor at a time through the switch: read; while it is off its "
        "target by more than the tolerance, give a SET of a growing amplitude from below, or a "
        "RESET from above and then a SET between the amplitudes that fell short and overshot; "
        "read after every pulse; confirm twice after a pause.",
    )
    yield _lead(
        "Circuit.",
        "A source-measure unit drives one branch after the other. Instrument errors, "
        "tolerances of resistors, spread between devices and from cycle to cycle are drawn for "
        "each seed. Time is that of the bench clock: pulses, settling, integration, pauses. "
        "Energy is integrated over the waveform in the device, its series resistor and its switch.",
    )
    yield _lead(
        "In-situ.",
        "Images are driven through the devices; the outputs give a gradient; a memristor "
        "whose gradients add up to a threshold gets a SET of the next larger amplitude, or a RESET "
        "and a SET of the next smaller one.",
    )
    yield _lead(
        "Statistics.",
        "A seed decides devices, instrument, training and test images. Intervals are "
        "95 % (Student's t) over seeds; differences are taken seed by seed. An "
        "interval is symmetric around its mean, so one of accuracies may pass 100 %. Criteria, "
        "seeds and grid were fixed before the whole study was run. A pilot on seeds 1 to 6 came "
        "first: after it, devices that do not move any more were called stuck, and the threshold "
        "of in-situ training and its growth were chosen.",
    )


def _lead(lead: str, text: str) -> Text:
    return Text(text, lead=lead)


def _table(title: str, procedure: type[Any], choices: Mapping[str, Choice]) -> Table:
    rows = []
    for name in own_parameters(procedure):
        parameter, choice = getattr(procedure, name), choices.get(name, Choice(NOTHING))
        label = f"{parameter.name} ({name})"
        rows.append([label, _shown(parameter.default, parameter), choice.reason, choice.paper])
    return Table(f"{title}: parameters of the procedure.", _HEADS, rows, is_text=True)


def _shown(value: Any, parameter: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value == "":
        return "none"
    units = getattr(parameter, "units", None)
    shown = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{shown} {units}" if units else shown


def _write_verify_table() -> Table:
    rows = []
    for f in fields(WriteVerify):
        choice = WRITE_VERIFY.get(f.name, Choice(NOTHING))
        unit = _UNITS.get(f.name.split("_")[-1], "")
        rows.append([f.name, f"{f.default:g} {unit}".strip(), choice.reason, choice.paper])
    return Table("Write-verify: its settings.", _HEADS, rows, is_text=True)


def _fixed_table() -> Table:
    training, table = Training(), load_station(BASE_STATION).table
    rows = [
        ("gradient steps", f"{training.n_steps}", "set by hand", UNKNOWN),
        (
            "random starts",
            f"{training.n_restarts}",
            "small networks get stuck in poor solutions",
            UNKNOWN,
        ),
        ("images in a batch", f"{training.n_images}", "four copies of the 8 patterns", UNKNOWN),
        ("step size (Adam)", f"{training.rate:g}", "usual for weights in -1..1", UNKNOWN),
        (
            "integration of a read",
            si(table.smu.read_nplc / table.smu.line_frequency_hz, "s"),
            "one period of the mains, against its hum",
            UNKNOWN,
        ),
        (
            "settling before a read",
            si(table.smu.settle_s, "s"),
            "the instrument's, longer than the circuit's",
            UNKNOWN,
        ),
        (
            "power of the instrument",
            f"{table.smu.instrument_power_w:g} W",
            "assumed; only for the energy with peripherals",
            UNKNOWN,
        ),
        (
            "resistance of a switch",
            si(table.circuit.switch_resistance_ohm, "Ω"),
            "assumed: an analog multiplexer",
            "selected through a switch (S1)",
        ),
    ]
    return Table("Fixed in the code and in the station.", _HEADS, rows, is_text=True)


def _dopant_table() -> Table:
    table = load_station(BASE_STATION).table
    rows = []
    for dopant, window in DEFAULT_WINDOWS.items():
        device = next(d for d in table.devices.values() if d.dopant == dopant)
        r_ohm = device.series_resistor_ohm or table.circuit.series_resistor_ohm
        records = table.twin.records[dopant]
        rows.append(
            [
                dopant.value,
                f"{si(window.g_min_siemens, 'S')} to {si(window.g_max_siemens, 'S')}",
                si(r_ohm, "Ω"),
                si(V_HOLD_V[dopant], "V"),
                ", ".join(records),
                "assumed" if any("assumed" in name for name in records) else "fitted",
            ]
        )
    return Table(
        "Choices by dopant: window of conductances, series resistor, voltage that stays across a "
        "device after a SET, records of its parameters.",
        ["dopant", "window", "series resistor", "hold voltage", "records", "parameters"],
        rows,
        is_text=True,
    )
