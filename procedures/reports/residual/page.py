"""The whole report as one page."""

from __future__ import annotations

from collections.abc import Callable

from procedures.reports.pages.blocks import Section, Text
from procedures.reports.pages.rendering import Report, pictures_of, render
from procedures.reports.residual.gather import Found
from procedures.reports.residual.sections import PARTS, costs

SIGNATURE = "memristor-hil report residual"
TITLE = "Training on tiles with few conductance states"


def make_report(found: Found) -> Report:
    """Return the report of a study; of a part of it, a part.

    Raises:
        HilError: matplotlib or jinja2 is not installed.
    """
    sections = [*(_part(found, *part) for part in PARTS), costs()]
    html = render(
        "residual",
        SIGNATURE,
        TITLE,
        sections,
        summary=(
            "Multi-tile residual learning and the methods it is measured against, each on the same "
            "devices, products and samples; the published figures stand beside ours."
        ),
        facts=_facts(found),
        is_whole=found.is_whole,
    )
    return Report(SIGNATURE, html, pictures_of(sections))


def _facts(found: Found) -> list[tuple[str, str]]:
    facts = [
        (name, f"{found.n_done[name]} of {n} runs")
        for name, n in found.n_planned.items()
        if found.n_done[name]
    ]
    return [*facts, ("failed", str(found.n_failed))]


def _part(
    found: Found, needs: tuple[str, ...], name: str, title: str, make: Callable[[Found], Section]
) -> Section:
    if any(found.results[question].rows for question in needs):
        return make(found)
    command = " ".join(f"--question {question}" for question in needs)
    missing = Text(f"Not run in this study. It takes: hil study residual {command}", "note")
    return Section(name, title, [missing])
