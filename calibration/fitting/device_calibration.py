"""The whole way from runs to the record of a device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from calibration.fitting.board_parasitics import parasitics_of
from calibration.fitting.covariance import Uncertainty, uncertainty
from calibration.fitting.cross_validation import LeftOut, leave_one_out, predict
from calibration.fitting.device_record import device_record, provenance
from calibration.fitting.fit import LoopFit, Progress, fit_loops
from calibration.fitting.loop_simulator import Parasitics
from calibration.fitting.profiles import Profile, profiles, worst
from calibration.fitting.quality import r2_by_loop
from calibration.loops import Loop, read_loops, runs_with_loops
from hil.errors import UsageError
from hil.records import Record
from hil.store import RunDatabase


@dataclass(frozen=True)
class FitSettings:
    """How a device is fitted; see ``fit_loops``.

    Attributes:
        model: ``gmss`` or ``mss``.
        n_starts: that are followed.
        seed: of the starts.
        parasitics: of the board; what the runs tell if None.
        held: parameters that are not fitted.
        test: loops whose label contains this are predicted, not fitted; none if empty.
        leave_out: whether each condition is predicted from the others.
        n_profiles: of the worst parameters.
        base: record that tells what loops do not.
        supersedes: id of the record that the new one replaces.
    """

    model: str = "gmss"
    n_starts: int = 6
    seed: int = 0
    parasitics: Parasitics | None = None
    held: Mapping[str, float] = field(default_factory=dict)
    test: str = ""
    leave_out: bool = False
    n_profiles: int = 0
    base: Record | None = None
    supersedes: str | None = None


@dataclass(frozen=True)
class DeviceCalibration:
    """A fitted device and all that is said about the fit.

    Attributes:
        fit: to the loops.
        uncertain: of its parameters.
        left_out: predictions of each condition from the others; empty if not asked for.
        tests: loops that were predicted, with R2.
        profiles: of the worst parameters; empty if not asked for.
        record: what is to be written.
    """

    fit: LoopFit
    uncertain: Uncertainty
    left_out: list[LeftOut]
    tests: list[tuple[Loop, float]]
    profiles: list[Profile]
    record: Record


def calibrate_device(
    database: Path | str,
    runs: Sequence[str],
    record_id: str,
    *,
    device: str | None = None,
    settings: FitSettings | None = None,
    progress: Progress | None = None,
) -> DeviceCalibration:
    """Fit a device to the loops of runs; writes nothing.

    Takes about 15 s for eight loops of 200 points, eight times that with ``leave_out``.

    Args:
        database: file with the runs.
        runs: ids, beginnings of ids, or ``latest``; all finished runs with loops if none.
        record_id: of the record.
        device: whose loops; may be left out where the runs hold those of one device only.
        settings: of the fit.
        progress: is told how far it is.

    Raises:
        UsageError: no loops, or loops of several devices.
        StoreError: no such run or file.
    """
    chosen = settings or FitSettings()
    with RunDatabase(database) as opened:
        loops = read_loops(opened, runs or runs_with_loops(opened), device)
        tests = [loop for loop in loops if chosen.test and chosen.test in loop.label]
        fitted = [loop for loop in loops if loop not in tests] if tests else loops
        if chosen.test and not tests:
            labels = ", ".join(dict.fromkeys(loop.label for loop in loops))
            raise UsageError(f"no loop's label contains {chosen.test!r}; there are {labels}")
        parasitics = chosen.parasitics or parasitics_of(opened, fitted)
        origin = provenance(opened, fitted)
    fit = fit_loops(
        fitted,
        chosen.model,
        parasitics=parasitics,
        held=chosen.held,
        n_starts=chosen.n_starts,
        seed=chosen.seed,
        progress=progress,
    )
    uncertain = uncertainty(fit)
    left_out = leave_one_out(fit, seed=chosen.seed, progress=progress) if chosen.leave_out else []
    found = profiles(fit, uncertain, worst(uncertain, fit, chosen.n_profiles), progress)
    predicted = r2_by_loop(tests, predict(fit, tests)) if tests else []
    record = device_record(
        fit,
        uncertain,
        record_id,
        origin,
        left_out=left_out,
        tests=dict(zip((loop.label for loop in tests), predicted, strict=True)),
        base=chosen.base,
        supersedes=chosen.supersedes,
    )
    return DeviceCalibration(
        fit, uncertain, left_out, list(zip(tests, predicted, strict=True)), found, record
    )
