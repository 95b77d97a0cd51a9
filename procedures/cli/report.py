"""``hil report``: what a study found, as a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from hil.store import to_json
from procedures.reports.eslami.blocks import Picture
from procedures.reports.eslami.folder import check_folder, write_report
from procedures.reports.eslami.gather import Study, gather
from procedures.reports.eslami.page import Report, make_report
from procedures.reports.eslami.summary import evidence_lines, word
from procedures.studies.eslami import STUDY as ESLAMI
from procedures.studies.eslami.claims import Verdict


@click.group()
def report() -> None:
    """Write the report of a study."""


@report.command(ESLAMI)
@click.option(
    "--db",
    "database",
    type=click.Path(path_type=Path),
    default="study.sqlite",
    show_default=True,
    help="SQLite file of the study; only read.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=f"report-{ESLAMI}",
    show_default=True,
    help="Folder; an older report in it is replaced, anything else is not.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def eslami(database: Path, out: Path, as_json: bool) -> None:
    """On-chip learning with 30 memristors and 4 neurons (arXiv 2408.14680, a reconstruction).

    Writes OUT/index.html, one file with everything in it, and OUT/figures as SVG and PNG. It takes
    what there is: a part of a study makes a part of a report.
    """
    check_folder(out)
    study = gather(database)
    made = make_report(study)
    page = write_report(made, out)
    if as_json:
        click.echo(to_json(_document(study, made, page)))
        return
    click.echo(f"report: {page}")
    for verdict in made.judged:
        click.echo(f"  {verdict.claim:3}{word(verdict):14} {verdict.says}")


def _document(study: Study, made: Report, page: Path) -> dict[str, Any]:
    return {
        "study": ESLAMI,
        "page": str(page),
        "figures": _names(made.pictures),
        "runs": study.provenance.n_done,
        "planned": study.provenance.n_planned,
        "failed": len(study.provenance.failures),
        "seeds": list(study.provenance.seeds),
        "claims": [_claim(verdict) for verdict in made.judged],
    }


def _names(pictures: Sequence[Picture]) -> list[str]:
    return [picture.name for picture in pictures]


def _claim(verdict: Verdict) -> dict[str, Any]:
    return {
        "claim": verdict.claim,
        "says": verdict.says,
        "criterion": verdict.criterion,
        "holds": verdict.holds,
        "verdict": word(verdict),
        "evidence": {
            name: {"mean": i.mean, "low": i.low, "high": i.high, "n": i.n}
            for name, i in verdict.evidence.items()
        },
        "evidence_text": evidence_lines(verdict),
    }
