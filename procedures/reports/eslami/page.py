"""The whole report as one page, and its files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
from procedures.reports.eslami.gather import Study
from procedures.reports.pages.blocks import Section, Text
from procedures.reports.pages.rendering import Report, pictures_of, render
from procedures.studies.eslami.claims import Verdict, verdicts

SIGNATURE = "memristor-hil report eslami"
"""A page that says so in its head is one of ours."""

TITLE = "On-chip learning with 30 memristors and 4 neurons"


@dataclass(frozen=True)
class EslamiReport(Report):
    """A report with its verdicts.

    Attributes:
        judged: verdicts of the claims.
    """

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


def make_report(study: Study) -> EslamiReport:
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
    html = render(
        "eslami",
        SIGNATURE,
        TITLE,
        sections,
        summary=summary.paragraph(study, judged),
        facts=summary.facts(study.provenance),
        is_whole=study.provenance.is_whole,
    )
    return EslamiReport(SIGNATURE, html, pictures_of(sections), judged)


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
