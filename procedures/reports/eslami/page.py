"""The whole report as one page, and its files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hil.errors import HilError
from procedures.reports.eslami import (
    accuracy,
    circuit,
    dopants,
    error,
    handwriting,
    headline,
    in_situ,
    limits,
    methods,
    noise,
    retraining,
    sensitivity,
    summary,
)
from procedures.reports.eslami.blocks import Picture, Section, Text
from procedures.reports.eslami.gather import Study
from procedures.reports.eslami.wording import typeset
from procedures.studies.eslami.claims import Verdict, verdicts

if TYPE_CHECKING:
    from jinja2 import Template

SIGNATURE = "memristor-hil report eslami"
"""A page that says so in its head is one of ours."""

TITLE = "On-chip learning with 30 memristors and 4 neurons"


@dataclass(frozen=True)
class Report:
    """A report, ready to be written.

    Attributes:
        html: the page.
        pictures: its figures.
        judged: verdicts of the claims.
    """

    html: str
    pictures: Sequence[Picture]
    judged: Sequence[Verdict]


_PARTS: Sequence[tuple[tuple[str, ...], str, str, Callable[[Study], Section]]] = (
    (("accuracy",), "accuracy", "Accuracy", accuracy.section),
    (("training-noise", "gaussian-noise"), "noise", "Noise in training", noise.section),
    (("conductance-error", "tolerance"), "error", "Errors of the conductances", error.section),
    (("dopant",), "dopants", "Reset pulse and dopant", dopants.section),
    (("sensitivity",), "sensitivity", "Sensitivity", sensitivity.section),
    (("dopant", "tolerance"), "headline", "Time and energy", headline.section),
    (("retraining",), "retraining", "Retraining", retraining.section),
    (("circuit",), "circuit", "Neuron circuit and differential pairs", circuit.section),
    (("in-situ",), "in-situ", "In-situ training against write-verify", in_situ.section),
    (("handwriting",), "handwriting", "Handwriting", handwriting.section),
)


def make_report(study: Study) -> Report:
    """Return the report of a study.

    Raises:
        HilError: matplotlib or jinja2 is not installed.
    """
    judged = verdicts(study.results)
    sections = [
        summary.section(study, judged),
        methods.section(),
        *(_part(study, *part) for part in _PARTS),
        limits.section(study),
        methods.appendix(),
    ]
    html = _template("index.html.j2").render(
        signature=SIGNATURE,
        title=TITLE,
        summary=summary.paragraph(study, judged),
        facts=summary.facts(study.provenance),
        sections=sections,
        is_whole=study.provenance.is_whole,
        numbered=_numbered(sections),
    )
    pictures = [b for s in sections for b in s.blocks if isinstance(b, Picture)]
    return Report(html, pictures, judged)


def _part(
    study: Study,
    needs: tuple[str, ...],
    name: str,
    title: str,
    make: Callable[[Study], Section],
) -> Section:
    if any(study.has(question) for question in needs):
        return make(study)
    command = " ".join(f"--question {question}" for question in needs)
    missing = Text(f"Not run in this study. It takes: hil study eslami {command}", "note")
    return Section(name, title, [missing])


def _numbered(sections: Sequence[Section]) -> dict[int, int]:
    """Return the number of each table and figure, by its identity: they count on their own."""
    numbers, n_pictures, n_tables = {}, 0, 0
    for block in (block for section in sections for block in section.blocks):
        if isinstance(block, Picture):
            n_pictures += 1
            numbers[id(block)] = n_pictures
        elif not isinstance(block, Text):
            n_tables += 1
            numbers[id(block)] = n_tables
    return numbers


def _template(name: str) -> Template:
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error_:
        raise HilError("reports need jinja2: pip install 'memristor-hil[plot]'") from error_
    environment = Environment(
        loader=PackageLoader("procedures.reports.eslami"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["typeset"] = typeset
    environment.globals["identity"] = id
    environment.globals["kind"] = lambda block: type(block).__name__
    return environment.get_template(name)
