"""A run in a few lines, or as one JSON document."""

from __future__ import annotations

from typing import Any

from hil.store import RunDatabase, RunSummary
from hil.units import text
from procedures.reports.divider import divider_energy
from procedures.verdicts import VERDICT

ENERGY_LABELS = {
    "device_j": "devices",
    "series_j": "series resistors",
    "switch_j": "switches",
    "verify_reads_j": "reads, verifying or not",
    "half_select_j": "half-selected devices",
    "instrument_j": "SMU while on (estimated)",
}


def summarise(database: RunDatabase, run: RunSummary) -> dict[str, Any]:
    """Return what there is to say about a run, ready for JSON.

    The keys of ``headline``, and bench_time_s, metrics (last value by name), energy (joule by
    part), divider_formula (see ``divider_energy``), calibration (records in use; device records
    of a twin say whether they are fitted or assumed), verdicts (what became of a device, by name).
    """
    details = database.run(run.run_id)
    verdicts = [event for event in details["events"] if event["kind"] == VERDICT]
    return headline(run) | {
        "bench_time_s": database.bench_time_s(run.run_id),
        "metrics": details["metrics"],
        "energy": details["energy"],
        "divider_formula": divider_energy(database, run.run_id),
        "calibration": details["calibration"],
        "verdicts": {event["data"]["device"]: event["message"] for event in verdicts},
    }


def headline(run: RunSummary) -> dict[str, Any]:
    """Return what a list of runs says of one, ready for JSON.

    Keys: run_id, procedure, station, source, source_reason, status (``died`` if its process is
    gone), error, started_at, ended_at, rows (by table), n_pulses.
    """
    return {
        "run_id": run.run_id,
        "procedure": run.procedure,
        "station": run.station,
        "source": run.source.value,
        "source_reason": run.source_reason,
        "status": "died" if run.is_stale else run.status,
        "error": run.error,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "rows": dict(run.n_rows),
        "n_pulses": run.n_pulses,
    }


def provenance(summary: dict[str, Any]) -> str:
    """Return where the data come from, in words: shown wherever a run is shown."""
    reason = f" ({summary['source_reason']})" if summary["source_reason"] else ""
    return f"{summary['source'].upper()}{reason}, station {summary['station']}"


def as_text(summary: dict[str, Any]) -> str:
    """Return a summary as lines for a terminal."""
    lines = [
        f"run {summary['run_id']}: {summary['procedure']}, {summary['status']}",
        f"  data from    {provenance(summary)}",
        f"  started      {summary['started_at']}",
        f"  bench clock  {text(summary['bench_time_s'], 's', 4)}",
        f"  pulses       {summary['n_pulses']}",
        f"  readings     {summary['rows'].get('readings', 0)}",
    ]
    if summary["error"]:
        lines.insert(1, f"  error        {summary['error']}")
    verdicts = summary["verdicts"]
    lines += [f"  {sentence}" for sentence in verdicts.values()]
    lines += [
        f"  {name} = {value:.6g}"
        for name, value in summary["metrics"].items()
        if name.rpartition("/")[0] not in verdicts  # the verdict tells those
    ]
    lines += [
        f"  {name:25s} {status.split(',')[0]}" for name, status in summary["calibration"].items()
    ]
    energy = summary["energy"]
    if any(energy.values()):
        lines.append("  energy")
        lines += [
            f"    {ENERGY_LABELS.get(part, part):26s}{text(value, 'J')}"
            for part, value in energy.items()
        ]
    lines += _divider_lines(summary["divider_formula"])
    return "\n".join(lines)


def _divider_lines(compared: dict[str, Any] | None) -> list[str]:
    if compared is None:
        return []
    formula, ours = text(compared["formula_j"], "J"), text(compared["device_j"], "J")
    left_out = compared["n_left_out"]
    without = f"; {left_out} pulses that no read followed are left out" if left_out else ""
    return [
        f"    the divider formula V^2 n t / (R_end + R_series + R_switch) would give {formula}: "
        f"{compared['factor_ratio']:.3g} times the {ours} in the pulsed devices{without}"
    ]
