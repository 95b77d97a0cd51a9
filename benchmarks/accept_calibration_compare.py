"""A twin agrees with what its record was fitted to, and names the devices that have drifted.

Measured loops (where they are supplied): each of them, in the run database, beside the record of
its device. Simulated boards: over many seeds, one device of four is made from another record than
its twin has, or none is; both have instruments and resistors of their own. How small a drift is
named is shown for some parameters.
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from calibration.comparing.compare import Report, compare_run
from calibration.imports import Facts, read_memristor_discovery, store_measurements
from calibration.loops import runs_with_loops
from hil.records import load_record, make_record, write_record
from hil.store import RunDatabase
from procedures.cli.shadow import conclusion_of
from procedures.iv_sweep import IVSweep
from procedures.program_verify import ProgramVerify
from procedures.runner import run
from procedures.shadowing import Shadowing

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "knowm" / "w-sdc-iv"
RECORDS = {"M1": "w-m1", "M2": "w-m2"}
SOUND, OTHER = "w-m1", "w-m2"
SEEDS = range(1, int(os.environ.get("SEEDS", "20")) + 1)
N_DEVICES = 4
SHIFT_SEEDS = range(1, 9)
SHIFTS = (
    ("r_on_ohm", 1.1),
    ("r_on_ohm", 1.3),
    ("r_off_ohm", 1.3),
    ("v_on_v", 1.03),
    ("v_on_v", 1.1),
    ("v_off_v", 1.1),
)
FALSE_GOAL_RATIO = 0.05


@dataclass
class Named:
    """Which devices were named, over all runs."""

    n_drifted: int = 0
    n_found: int = 0
    n_sound: int = 0
    n_false: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, what: str, drifted: set[str], named: set[str], all_names: set[str]) -> None:
        """Count one run."""
        self.n_drifted += len(drifted)
        self.n_found += len(drifted & named)
        self.n_sound += len(all_names - drifted)
        self.n_false += len(named - drifted)
        if named != drifted:
            self.wrong.append(f"{what}: drifted {sorted(drifted)}, named {sorted(named)}")


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="accept_calibration_compare_"))
    loops_agree = measured_loops(folder / "loops.sqlite")
    tally = Named()
    for seed in SEEDS:
        for drifted in ((), (seed % N_DEVICES,)):
            tally.add(*shadowed(folder, seed, drifted))
    for line in tally.wrong:
        print(line)
    for parameter, factor in SHIFTS:
        print(sensitivity(folder, parameter, factor))
    false_ratio = tally.n_false / tally.n_sound
    print(f"database: {folder / 'runs.sqlite'}")
    print(
        f"drifted_named = {tally.n_found} of {tally.n_drifted} (goal: all), false_alarms = "
        f"{tally.n_false} of {tally.n_sound} sound devices (goal <= {FALSE_GOAL_RATIO:.0%}), "
        f"measured 5 kOhm 0.8 V loops agree with the records of their devices: {loops_agree}"
    )
    named = tally.n_found == tally.n_drifted and false_ratio <= FALSE_GOAL_RATIO
    return 0 if named and loops_agree != "no" else 1


def measured_loops(path: Path) -> str:
    """Compare every supplied loop with the record of its device; ``yes``, ``no``, ``not there``."""
    if not DATA.is_dir():
        print("measured loops are not supplied: only simulated boards are compared")
        return "not there"
    facts = Facts(dopant="W", attribution="Knowm Memristor Discovery, Knowm Inc.")
    list(store_measurements(path, read_memristor_discovery([DATA], None, facts)))
    with RunDatabase(path) as database:
        reports = [
            compare_run(database, run_id, RECORDS[database.run(run_id)["parameters"]["device"]])
            for run_id in runs_with_loops(database)
        ]
    for report in reports:
        (curve,) = report.overlays
        print(
            f"{curve.device} {curve.conditions:22s} R2 {curve.r2:7.4f}  "
            f"{_worst(report):40s} {report.verdict}"
        )
    fitted = [r for r in reports if r.overlays[0].conditions.startswith("5 kOhm 0.8 V")]
    return "no" if any(report.differing for report in fitted) or len(fitted) != 8 else "yes"


def _worst(report: Report) -> str:
    worst = max((v for v in report.verdicts if v.decides), key=lambda v: v.ratio)
    return f"{worst.quantity} {worst.ratio:.2f} U"


def sensitivity(folder: Path, parameter: str, factor: float) -> str:
    """Say how often a device is named of which one parameter has moved, by procedure."""
    moved = shifted_record(folder, parameter, factor)
    counts: dict[str, list[bool]] = {}
    n_false = 0
    for seed in SHIFT_SEEDS:
        _, drifted, named, touched = shadowed(folder, seed, (seed % N_DEVICES,), moved)
        counts.setdefault("one loop" if len(touched) == 1 else "write-verify", []).append(
            bool(drifted & named)
        )
        n_false += len(named - drifted)
    found = ", ".join(f"{what} {sum(hits)} of {len(hits)}" for what, hits in counts.items())
    return f"{parameter} x {factor}: named by {found}; {n_false} others named"


def shifted_record(folder: Path, parameter: str, factor: float) -> str:
    """Write the record of the sound devices with one parameter changed; return its id."""
    old = load_record(SOUND)
    record_id = f"{SOUND}-{parameter.replace('_', '-')}-{factor * 100:.0f}"
    head = old.head.model_copy(update={"id": record_id, "note": f"{parameter} x {factor}"})
    value = old.parameters[parameter].model_copy(update={"value": old.value(parameter) * factor})
    new = make_record(head, {**old.parameters, parameter: value}, conditions=old.conditions)
    write_record(new, folder / "records")
    return record_id


def shadowed(
    folder: Path, seed: int, drifted: tuple[int, ...], moved: str = OTHER
) -> tuple[str, set[str], set[str], set[str]]:
    """Run a procedure with its twin beside it; return who had drifted and who was named."""
    board = station(folder, f"board-{moved if drifted else 'sound'}", drifted, moved)
    names = [f"W{k + 1:02d}" for k in range(N_DEVICES)]
    database = str(folder / "runs.sqlite")
    if seed % 2:
        procedure, touched = ProgramVerify(devices="W"), names
    else:
        touched = [names[seed % N_DEVICES]]
        procedure = IVSweep(device=touched[0], points=60)
    procedure.station, procedure.database, procedure.seed = board, database, seed
    procedure.shadowing = Shadowing(station(folder, "twin", ()), seed=1000 + seed)
    outcome = run(procedure)
    if outcome.status != "finished":
        raise SystemExit(f"seed {seed}: {outcome.status}: {outcome.error}")
    named = set(conclusion_of(Path(database), outcome.run_id)["data"]["drifted"])
    what = f"seed {seed}, {type(procedure).__name__}"
    return what, {names[k] for k in drifted}, named, set(touched)


def station(folder: Path, name: str, drifted: tuple[int, ...], moved: str = OTHER) -> str:
    """Write a station of four W devices, some of them made from another record."""
    records = ", ".join(f'"{moved if k in drifted else SOUND}"' for k in range(N_DEVICES))
    devices = "\n".join(
        f'W{k + 1:02d} = {{ dopant = "W", package_pin = "U1.{k + 1}", position = {k} }}'
        for k in range(N_DEVICES)
    )
    path = folder / f"{name}.toml"
    path.write_text(
        f"""
name = "{name}"
board = "twin"
source = "twin"
[smu]
driver = "keithley2400"
address = "twin:"
[switch_board]
address = "twin:"
[circuit]
series_resistor_ohm = 10000.0
[twin.records]
W = [{records}]
[devices]
{devices}
""",
        encoding="utf-8",
    )
    return str(path)


if __name__ == "__main__":
    sys.exit(main())
