"""Time and energy beside the paper's, and what would have to be true for these to come out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hil.station import load_station
from procedures.learning.mapping import DEFAULT_WINDOWS
from procedures.programming import WriteVerify
from procedures.reports.eslami import paper
from procedures.reports.eslami.dopants import TIME, reads_per_memristor
from procedures.reports.eslami.gather import Study
from procedures.reports.pages.blocks import Block, Section, Table, Text, finding, note
from procedures.reports.pages.wording import (
    NOTHING,
    mean,
    percent_interval,
    quantity,
    si,
    times,
)
from procedures.studies.figures import (
    Results,
    Value,
    cycles_per_memristor,
    last,
    training_energy_j,
)
from procedures.studies.stations import BASE_STATION
from procedures.studies.statistics import Interval

MARGIN = 0.02
_TIME, _ENERGY = f"{paper.TIME_S:g} s", f"{paper.ENERGY_J * 1e3:g} mJ"
NOISY = last("accuracy_flip_0.05")

BOUNDARIES: Mapping[str, Value] = {
    "devices only": last("program_device_j"),
    "board: devices, series resistors, switches, verifying reads, reset": training_energy_j,
    "with the instrument, 30 W while it is on (assumed)": last("instrument_j"),
}
"""What an energy may mean."""


@dataclass(frozen=True)
class Configuration:
    """A way to train, and what it comes to.

    Attributes:
        name: of the grid point.
        dopant: of the devices.
        results: its runs.
    """

    name: str
    dopant: str
    results: Results

    @property
    def accuracy(self) -> Interval:
        """At 5 % flipped pixels."""
        return mean(self.results, NOISY)

    @property
    def time(self) -> Interval:
        """Of a training, in s."""
        return mean(self.results, TIME)

    @property
    def energy(self) -> Interval:
        """Of a training at the source, in J."""
        return mean(self.results, training_energy_j)

    @property
    def ours(self) -> paper.Ours:
        """What the arithmetic on the paper's figures needs."""
        asked = self.results.rows[0]["task"]["parameters"]
        return paper.Ours(
            mean(self.results, cycles_per_memristor).mean,
            mean(self.results, reads_per_memristor).mean,
            float(asked["width_s"]),
        )


def candidates(study: Study) -> list[Configuration]:
    """Return all ways to train 30 nominal devices, those within 2 points of the best accuracy."""
    found = list(_configurations(study))
    best = max((c.accuracy.mean for c in found), default=0.0)
    return [c for c in found if c.accuracy.mean >= best - MARGIN]


def fastest(found: list[Configuration]) -> Configuration:
    """Return the one of the lowest mean time."""
    return min(found, key=lambda c: c.time.mean)


def thriftiest(found: list[Configuration]) -> Configuration:
    """Return the one of the lowest mean energy at the source."""
    return min(found, key=lambda c: c.energy.mean)


def _configurations(study: Study) -> Iterator[Configuration]:
    for question in ("dopant", "tolerance"):
        results = study.of(question)
        for point in _different(results):
            rows = [row for row in results.rows if row["point"] == point]
            yield Configuration(_name(point), str(point["dopant"]), Results(rows))


def _different(results: Results) -> list[Mapping[str, Any]]:
    points: list[Mapping[str, Any]] = []
    for row in results.rows:
        if row["point"] not in points:
            points.append(row["point"])
    return points


def _name(point: Mapping[str, Any]) -> str:
    if "tolerance" in point:
        return f"{point['dopant']}, ladder, tolerance {point['tolerance']:.0%}".replace("%", " %")
    reset = "with reset" if point["reset"] else "no reset"
    return f"{point['dopant']}, {point['search']}, {reset}"


def section(study: Study) -> Section:
    """Return the section."""
    found = candidates(study)
    quick, thrifty = fastest(found), thriftiest(found)
    blocks: list[Block] = [
        Text(
            f"The paper's abstract gives 2.4 s and 18.9 mJ for a training with Cr devices, and "
            f"not what they contain. Of all ways to train that were run with nominal devices, "
            f"{len(found)} lie within two points of the best accuracy at 5 % flipped pixels. The "
            f"fastest and the thriftiest of them stand beside the paper's figures."
        ),
        _table({"fastest": quick, "thriftiest": thrifty}),
        finding(_compared(quick, thrifty)),
        *_would_have(study, quick),
        _loop_table(),
    ]
    return Section("headline", "Time and energy beside 2.4 s and 18.9 mJ", blocks)


def _compared(quick: Configuration, thrifty: Configuration) -> str:
    time, energy = quick.time.mean / paper.TIME_S, thrifty.energy.mean / paper.ENERGY_J
    text = (
        f"Our fastest training ({quick.name}) takes {quantity(quick.time, 's')}, "
        f"{times(max(time, 1 / time))} times {'more' if time > 1 else 'less'} than the paper's "
        f"{_TIME}. Our thriftiest ({thrifty.name}) takes {quantity(thrifty.energy, 'J')} at the "
        f"source, {times(max(energy, 1 / energy))} times {'more' if energy > 1 else 'less'} than "
        f"the paper's {_ENERGY}"
    )
    instrument = mean(thrifty.results, last("instrument_j")).mean / paper.ENERGY_J
    if energy < 1 < instrument:
        return (
            f"{text}; with the instrument, {times(instrument)} times more. The paper's energy lies "
            f"between what a board of memristors takes and what its bench takes: without its "
            f"boundary the figure cannot be compared."
        )
    return f"{text}."


def _table(chosen: Mapping[str, Configuration]) -> Table:
    paper_row = ["paper (abstract)", "Cr", _TIME, _ENERGY]
    rows = [[*paper_row, "boundary not known", "up to 97 %"]]
    for name, one in chosen.items():
        for k, (boundary, value) in enumerate(BOUNDARIES.items()):
            first = k == 0
            rows.append(
                [
                    f"ours, {name}" if first else "",
                    one.name if first else "",
                    quantity(one.time, "s") if first else "",
                    quantity(mean(one.results, value), "J"),
                    boundary,
                    percent_interval(one.accuracy) if first else "",
                ]
            )
    return Table(
        "Time and energy of a training of 30 memristors. Ours are means over seeds with 95 % "
        "intervals; the paper's are as given.",
        ["", "configuration", "time", "energy", "what the energy contains", "5 % flipped"],
        rows,
        is_text=True,
        widths=(11, 17, 15, 17, 25, 15),
    )


def _would_have(study: Study, quick: Configuration) -> Iterator[Text]:
    yield Text("What would have to be true for the paper's figures to come out?", "lead")
    yield Text(
        f"{si(paper.TIME_PER_MEMRISTOR_S, 's')} and {si(paper.ENERGY_PER_MEMRISTOR_J, 'J')}, a "
        f"mean power of {si(paper.POWER_W, 'W')} (derived: both divided by 30, and by each other).",
        "item",
        "Per memristor.",
    )
    yield Text(_time_needs(quick), "item", "Time.")
    nominal = _nominal_cr(study)
    if nominal is not None and nominal.name != quick.name:
        yield Text(_time_needs(nominal), "item", "Time, plain search.")
    yield Text(
        f"{si(paper.POWER_W, 'W')} is what 1 V drives through {si(paper.loop_ohm(1.0), 'Ω')}, or "
        f"5 V through {si(paper.loop_ohm(5.0), 'Ω')}, without a pause. Our loops have the "
        f"resistances of the table below and see pulses of at most {WriteVerify.set_max_v:g} V: "
        f"memristors and their resistors alone do not account for it.",
        "item",
        "Power.",
    )
    yield Text(
        f"A controller board at {paper.CONTROLLER_V:g} V and {si(paper.CONTROLLER_A, 'A')} "
        f"(assumed) takes {si(paper.CONTROLLER_J, 'J')} in {_TIME}, "
        f"{paper.CONTROLLER_J / paper.ENERGY_J:.0f} times the paper's energy: the figure cannot "
        f"contain one.",
        "item",
        "Peripherals.",
    )
    yield Text(
        f"{paper.N_MEMRISTORS} resets of 200 ms (secondary), one after the other, take "
        f"{paper.RESETS_S:g} s, more than {_TIME}: if memristors are reset one by one, the paper's "
        f"time is one without reset.",
        "item",
        "Reset.",
    )
    yield note(
        "These are conditions on the paper's figures, not statements on what the paper did: its "
        "circuit, pulses and energy boundary were not available."
    )


def _nominal_cr(study: Study) -> Configuration | None:
    found = study.of("dopant").where(dopant="Cr", search="ladder", reset=False)
    return Configuration("Cr, ladder, no reset", "Cr", found) if found.rows else None


def _time_needs(one: Configuration) -> str:
    ours, smu = one.ours, load_station(BASE_STATION).table.smu
    integrates_s = smu.read_nplc / smu.line_frequency_hz
    begin = (
        f"Our training {one.name} takes {ours.n_pulses:.1f} pulses of {si(ours.pulse_s, 's')} and "
        f"{ours.n_reads:.1f} reads of {si(integrates_s, 's')} per memristor. If reads took "
        f"{si(paper.ADC_READ_S, 's')}, as a microcontroller's converter does (assumed), "
    )
    width_s = paper.pulse_width_s(ours)
    if width_s <= 0:
        return f"{begin}they alone would still take longer than the paper's whole time."
    if width_s >= ours.pulse_s:
        return (
            f"{begin}the paper's time would have room for pulses of {si(width_s, 's')}: with quick "
            f"reads, our own pulses would do."
        )
    return (
        f"{begin}the paper's time would leave {si(width_s, 's')} for a pulse, or room for "
        f"{paper.pulses_in_time(ours):.1f} pulses as wide as ours."
    )


def _loop_table() -> Table:
    table = load_station(BASE_STATION).table
    rows = []
    for dopant, window in DEFAULT_WINDOWS.items():
        device = next(d for d in table.devices.values() if d.dopant == dopant)
        r_series_ohm = device.series_resistor_ohm or table.circuit.series_resistor_ohm
        fixed_ohm = r_series_ohm + table.circuit.switch_resistance_ohm
        low, high = (fixed_ohm + 1 / g for g in (window.g_max_siemens, window.g_min_siemens))
        rows.append(
            [
                dopant.value,
                f"{si(low, 'Ω')} to {si(high, 'Ω')}",
                f"{si(1.0 / high, 'W')} to {si(1.0 / low, 'W')}",
                f"{si(25.0 / high, 'W')} to {si(25.0 / low, 'W')}",
            ]
        )
    rows.append(["paper (derived)", NOTHING, si(paper.POWER_W, "W"), si(paper.POWER_W, "W")])
    return Table(
        "Resistance of a loop (series resistor, switch, memristor in its window), and the power "
        "that a constant voltage would drive through it.",
        ["", "loop", "power at 1 V", "power at 5 V"],
        rows,
    )
