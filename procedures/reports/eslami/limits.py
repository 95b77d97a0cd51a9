"""What this study cannot say, and how to repeat it."""

from __future__ import annotations

from collections.abc import Iterator

from procedures.reports.eslami.gather import Study
from procedures.reports.pages.blocks import Section, Text


def section(study: Study) -> Section:
    """Return the section."""
    return Section("limits", "Limits, and how to repeat it", [*_limits(study), *_commands(study)])


def _limits(study: Study) -> Iterator[Text]:
    yield Text(
        "This is a reconstruction: patterns, mapping of weights, circuit, amplitudes and "
        "tolerances of the paper are not public, and a choice was made for each. Where a claim "
        "fails here, it may fail because of a choice.",
        "item",
    )
    yield Text(
        "Everything is from a twin. The parameters of W are fitted to loops that were measured "
        "elsewhere, which says little about conductances kept after pulses; those of Cr and C are "
        "assumed. Every statement on Cr or C is one on assumptions.",
        "item",
    )
    yield Text(
        "Intervals are over seeds: they contain the spread of devices, noise and training, and not "
        "that the model could be wrong.",
        "item",
    )
    yield Text(
        "Several claims are judged side by side, each at 95 %, without a correction for that.",
        "item",
    )
    yield Text(
        "Energies at the source leave out controller and converters; that of the instrument is an "
        "assumed 30 W while it is on.",
        "item",
    )
    missing = [name for name in study.texts if not study.has(name)]
    if missing:
        yield Text(f"Not run in this database: {', '.join(missing)}.", "item")
    if study.provenance.failures:
        shown = study.provenance.failures[:5]
        yield Text(
            f"{len(study.provenance.failures)} runs failed and are left out, among them "
            + "; ".join(f"{label} ({error})" for label, error in shown)
            + ".",
            "item",
        )


def _commands(study: Study) -> Iterator[Text]:
    seeds, database = study.provenance.seeds, study.provenance.database
    is_default = seeds == tuple(range(1, 21))
    options = (
        "" if is_default or seeds != tuple(range(1, len(seeds) + 1)) else f" --seeds {len(seeds)}"
    )
    yield Text(
        "The same seeds give the same numbers, to the last digit, with the same versions; these "
        "commands repeat everything (handwriting needs the MNIST files, see hil data):"
    )
    yield Text(
        "pip install 'memristor-hil[plot]'\n"
        f"hil study eslami --db {database}{options}\n"
        f"hil report eslami --db {database}",
        "code",
    )
