"""``hil report``: what a study found, as a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from hil.store import to_json
from procedures.reports.eslami.gather import Study, gather
from procedures.reports.eslami.page import SIGNATURE, EslamiReport, make_report
from procedures.reports.eslami.summary import evidence_lines, word
from procedures.reports.pages.blocks import Picture
from procedures.reports.pages.folder import check_folder, write_report
from procedures.reports.residual import gather as residual_gather
from procedures.reports.residual import page as residual_page
from procedures.studies.eslami import STUDY as ESLAMI
from procedures.studies.eslami.claims import Verdict
from procedures.studies.residual import STUDY as RESIDUAL


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
    check_folder(out, SIGNATURE)
    study = gather(database)
    made = make_report(study)
    page = write_report(made, out)
    if as_json:
        click.echo(to_json(_document(study, made, page)))
        return
    click.echo(f"report: {page}")
    for verdict in made.judged:
        click.echo(f"  {verdict.claim:3}{word(verdict):14} {verdict.says}")


def _document(study: Study, made: EslamiReport, page: Path) -> dict[str, Any]:
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


@report.command(RESIDUAL)
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
    default=f"report-{RESIDUAL}",
    show_default=True,
    help="Folder; an older report in it is replaced, anything else is not.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def residual(database: Path, out: Path, as_json: bool) -> None:
    """Multi-tile residual learning and its baselines (arXiv 2510.02516).

    Writes OUT/index.html, one file with everything in it, and OUT/figures as SVG and PNG. It takes
    what there is: a part of a study makes a part of a report.
    """
    check_folder(out, residual_page.SIGNATURE)
    found = residual_gather.gather(database)
    made = residual_page.make_report(found)
    page = write_report(made, out)
    if as_json:
        runs = {name: found.n_done[name] for name in found.n_planned}
        told = {"study": RESIDUAL, "page": str(page), "runs": runs, "failed": found.n_failed}
        click.echo(to_json(told | {"figures": _names(made.pictures)}))
        return
    click.echo(f"report: {page}")
    for name, n in found.n_planned.items():
        click.echo(f"  {name:18}{found.n_done[name]:4} of {n} runs")
