"""What an analog neuron circuit and differential pairs change."""

from __future__ import annotations

from collections.abc import Iterator

from procedures.reports.eslami.dopants import TIME
from procedures.reports.eslami.gather import Study
from procedures.reports.pages.blocks import Block, Section, Table, Text, finding
from procedures.reports.pages.wording import (
    mean,
    paired,
    percent_cell,
    points,
    quantity_cell,
)
from procedures.studies.figures import Results, last, training_energy_j

CLEAN, NOISY = last("accuracy_clean"), last("accuracy_flip_0.1")
_NEURONS = {
    "controller": "controller sums measured currents",
    "circuit": "summing amplifiers on the board",
}


def section(study: Study) -> Section:
    """Return the section."""
    results = study.of("circuit")
    blocks: list[Block] = [
        Text(
            "Neurons are the controller, which measures one synapse after the other and sums, or "
            "amplifiers and a comparator on the board, with offsets, noise and finite gain, which "
            "see all devices at once. Signed weights come from one reference conductance per "
            "neuron (30 memristors), or from a pair of memristors per weight (60)."
        ),
        *_findings(results),
        Table(
            "Neurons and signed weights, T/L, W devices.",
            [
                "neurons",
                "signed weights",
                "clean",
                "5 % flipped",
                "10 % flipped",
                "training time",
                "training energy",
            ],
            [
                [
                    _NEURONS.get(neurons, neurons),
                    scheme,
                    percent_cell(mean(found, CLEAN)),
                    percent_cell(mean(found, last("accuracy_flip_0.05"))),
                    percent_cell(mean(found, NOISY)),
                    quantity_cell(mean(found, TIME), "s"),
                    quantity_cell(mean(found, training_energy_j), "J"),
                ]
                for neurons, scheme, found in _points(results)
            ],
        ),
    ]
    return Section("circuit", "Neuron circuit and differential pairs", blocks)


def _points(results: Results) -> Iterator[tuple[str, str, Results]]:
    for neurons in results.values("neurons"):
        for scheme in results.values("signed weights"):
            found = results.where(neurons=neurons, signed_weights=scheme)
            if found.rows:
                yield neurons, scheme, found


def _findings(results: Results) -> Iterator[Text]:
    for scheme in results.values("signed weights"):
        found = results.where(signed_weights=scheme)
        change = paired(found.where(neurons="circuit"), found.where(neurons="controller"), NOISY)
        if change.n:
            yield finding(
                f"With {scheme} weights the circuit changes the accuracy at 10 % flipped pixels by "
                f"{points(change)} against the controller."
            )
    pairs = results.where(signed_weights="differential")
    singles = results.where(signed_weights="reference")
    for neurons in results.values("neurons"):
        two, one = pairs.where(neurons=neurons), singles.where(neurons=neurons)
        change = paired(two, one, NOISY)
        if change.n:
            time = mean(two, TIME).mean / mean(one, TIME).mean
            yield finding(
                f"Neurons {neurons}: pairs change the accuracy at 10 % flipped pixels by "
                f"{points(change)}, and take {time:.2f} times as long to train."
            )
