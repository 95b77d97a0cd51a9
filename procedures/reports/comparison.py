"""Comparisons of boards with their twins, as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from calibration.comparing.compare import Report
from calibration.comparing.drift import DriftCheck
from calibration.comparing.verdicts import Verdict
from hil.units import text

_SCORE_HEADS = ("device", "quantity", "compared", "apart", "worst: board", "twin", "U (k=2)", "")
_VERDICT_HEADS = ("quantity", "measured", "twin", "apart by", "U (k=2)", "in U", "apart", "")
_DRIFT_HEADS = ("device", "records", "compared", "apart", "worst", "in U", "")


def scores_text(message: str, data: Mapping[str, Any]) -> str:
    """Return what a comparison came to: a line, and a table with a line per device and quantity.

    Args:
        message: the line.
        data: ``scores``: rows of ``hil.boards.divergence.Tally.rows``.
    """
    scores = data.get("scores", ())
    table = _table(_SCORE_HEADS, map(_score_cells, scores), "    ") if scores else []
    return "\n".join([f"  twin         {message}", *table])


def report_text(report: Report) -> str:
    """Return the comparison of a run with its twins as lines for a terminal."""
    lines = [
        f"run {report.run_id}: {report.procedure}, {report.source.upper()}, station "
        f"{report.station}"
    ]
    if report.attribution:
        lines.append(f"  data: {report.attribution}")
    lines += [
        f"  {device}: record {twin.record_id} ({twin.why}), model uncertainty "
        f"{twin.model_ratio:.1%} (k = 1)"
        for device, twin in report.twins.items()
    ]
    lines += [f"  note: {note}" for note in report.notes]
    for name, conditions in dict.fromkeys((v.device, v.conditions) for v in report.verdicts):
        curve = next(
            (o for o in report.overlays if (o.device, o.conditions) == (name, conditions)), None
        )
        figures = ""
        if curve is not None:
            unit = curve.figures()["unit"]
            figures = (
                f": R2 of {curve.quantity} {curve.r2:.4f}, residual "
                f"{text(curve.residual_rms, unit)} rms"
            )
        lines.append(f"  {name} {conditions}".rstrip() + figures)
        here = [v for v in report.verdicts if (v.device, v.conditions) == (name, conditions)]
        lines += _table(_VERDICT_HEADS, map(_verdict_cells, here), "    ")
    lines.append(
        f"differs from the twin: {', '.join(report.differing)}"
        if report.differing
        else "the twin agrees within its stated uncertainty"
    )
    return "\n".join(lines)


def drift_text(checked: DriftCheck) -> str:
    """Return a check of devices against their records as lines for a terminal."""
    rows = (
        (
            found.device,
            ", ".join(found.record_ids),
            str(found.n_compared),
            str(found.n_apart),
            "" if found.worst is None else found.worst.quantity,
            "" if found.worst is None else f"{found.worst.ratio:.2f}",
            found.verdict.upper() if found.verdict == "drifted" else found.verdict,
        )
        for found in checked.devices
    )
    attributions = dict.fromkeys(r.attribution for r in checked.reports if r.attribution)
    notes = dict.fromkeys(note for report in checked.reports for note in report.notes)
    choices = dict.fromkeys(
        f"{device}: record {twin.record_id} ({twin.why})"
        for report in checked.reports
        for device, twin in report.twins.items()
    )
    return "\n".join(
        [
            *(f"data: {attribution}" for attribution in attributions),
            *choices,
            *(f"note: {note}" for note in notes),
            *_table(_DRIFT_HEADS, rows, ""),
            f"drifted: {', '.join(checked.drifted)}" if checked.drifted else "no device drifted",
        ]
    )


def _score_cells(score: Mapping[str, Any]) -> tuple[str, ...]:
    unit = score["unit"]
    return (
        score["device"],
        score["quantity"],
        str(score["n_compared"]),
        str(score["n_diverged"]),
        text(score["worst_board"], unit),
        text(score["worst_twin"], unit),
        text(score["worst_expanded"], unit),
        "DRIFTED" if score["has_drifted"] else "undecided" if score["is_undecided"] else "agrees",
    )


def _verdict_cells(v: Verdict) -> tuple[str, ...]:
    word = v.verdict.upper() if v.verdict == "differs" and v.decides else v.verdict
    return (
        v.quantity,
        text(v.measured, v.unit),
        text(v.twin, v.unit),
        text(v.difference, v.unit),
        text(v.expanded, v.unit),
        f"{v.ratio:.2f}",
        f"{v.n_apart} of {v.n_compared}",
        word,
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], indent: str) -> list[str]:
    cells = [heads, *rows]
    widths = [max(len(row[k]) for row in cells) for k in range(len(heads))]
    return [
        indent + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
