"""Parameters of a device from pulse statistics; what they do not tell is taken from a base record.

Trains of one amplitude tell where SET stalls, what of it stays, and where RESET ends: the SET
threshold, the fresh share and R_off. The spread over cycles tells how far V_on and R_off are
redrawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import least_squares, nnls

from calibration.fitting.pulse_levels import LevelTable, PulseLevels
from hil.errors import UsageError
from hil.records import Record
from hil.types import FloatArray
from twin.devices.gmss import GmssDevices
from twin.devices.gmss_parameters import GmssParameters
from twin.parameters import DeviceRecord, device_record
from twin.waveforms import Constant

FREE = ("r_off_ohm", "v_on_v", "fresh_ratio", "a_on_v", "v_t_on_v")
"""Fitted to the means; R_off on a logarithmic scale."""

FROM_BASE = {"a_on_v": 0.1, "v_t_on_v": 0.01}
"""Of these the base record says something too: its value, give or take what devices differ by."""

_LOWER = np.array([np.log(3e3), 0.05, 0.0, -0.5, 0.004])
_UPPER = np.array([np.log(3e6), 1.5, 0.95, 0.6, 0.1])
_SCALE = np.array([0.2, 0.03, 0.1, 0.05, 0.01])
_STARTS_FRESH = (0.1, 0.4, 0.7)
_READ_S = 1e-3
_STEPS = np.array([1e-3, 1e-4, 1e-3, 1e-4, 1e-4])


@dataclass(frozen=True)
class PulseFit:
    """Result of ``fit_pulse_levels``.

    Attributes:
        values: of the fitted parameters and spreads, by name.
        standard: standard uncertainty of the fitted parameters, for one cycle's scatter as the
            uncertainty of each mean: how well a chip is known, not how well its mean is.
        means_siemens: predicted for each level, shape (n_levels,).
        sds_siemens: predicted for each level.
        base: record that everything else is from.
    """

    values: Mapping[str, float]
    standard: Mapping[str, float]
    means_siemens: FloatArray
    sds_siemens: FloatArray
    base: DeviceRecord


def fit_pulse_levels(data: PulseLevels, base_record: Record) -> PulseFit:
    """Fit a device to pulse statistics; some 10 s of CPU.

    Residuals are in standard deviations of the measured cycles. Levels that are held out count for
    nothing here.

    Raises:
        StationError: the base describes no device.
        UsageError: the base is of another model, or too few levels are left to fit.
    """
    base = device_record(base_record)
    if base.model != "gmss":
        raise UsageError(
            f"record {base.record_id!r} is of model {base.model!r}; a fit to pulses needs gmss"
        )
    fitted = [level for level in data.levels if not level.held_out]
    least = len(FREE) - len(FROM_BASE)
    if len(fitted) < least:
        raise UsageError(f"{data.name}: {len(fitted)} levels to fit; at least {least} are needed")
    mean, sd = _columns(fitted)

    first = np.array([np.log(1 / mean[0]), *(base.values()[name] for name in FREE[1:])])
    pulls = np.array([[name == of for of in FREE] for name in FROM_BASE], dtype=float)
    pulls /= np.array(list(FROM_BASE.values()))[:, None]

    def residuals(free: FloatArray) -> FloatArray:
        misses = (_after(data, base, fitted, free[None])[0] - mean) / sd
        return np.concatenate([misses, pulls @ (free - first)])

    def jacobian(free: FloatArray) -> FloatArray:
        return np.vstack([_sensitivity(data, base, fitted, free) / sd[:, None], pulls])

    best = min(
        (
            least_squares(
                residuals,
                np.clip([*first[:2], fresh, *first[3:]], _LOWER + 1e-6, _UPPER - 1e-6),
                jac=jacobian,
                bounds=(_LOWER, _UPPER),
                x_scale=_SCALE,
            )
            for fresh in _STARTS_FRESH
        ),
        key=lambda found: float(found.cost),
    )
    free = np.asarray(best.x)
    c2c_r_off_ratio, c2c_v_on_v = _spreads(_sensitivity(data, base, fitted, free), sd)
    slopes = _sensitivity(data, base, data.levels, free)
    weights = jacobian(free)
    deviation = np.sqrt(np.diag(np.linalg.pinv(weights.T @ weights)))
    values = dict(zip(FREE, free.tolist(), strict=True))
    standard = dict(zip(FREE, deviation.tolist(), strict=True))
    values["r_off_ohm"] = float(np.exp(values["r_off_ohm"]))
    standard["r_off_ohm"] *= values["r_off_ohm"]
    return PulseFit(
        values | {"c2c_r_off_ratio": c2c_r_off_ratio, "c2c_v_on_v": c2c_v_on_v},
        standard,
        _after(data, base, data.levels, free[None])[0],
        np.hypot(slopes[:, 0] * c2c_r_off_ratio, slopes[:, 1] * c2c_v_on_v),
        base,
    )


def _columns(levels: Sequence[LevelTable]) -> tuple[FloatArray, FloatArray]:
    return (
        np.array([level.mean_siemens for level in levels]),
        np.array([level.sd_siemens for level in levels]),
    )


def _sensitivity(
    data: PulseLevels, base: DeviceRecord, levels: Sequence[LevelTable], free: FloatArray
) -> FloatArray:
    """Return the derivative of each level by each free parameter."""
    n = len(free)
    away = np.where(free + _STEPS > _UPPER, -_STEPS, _STEPS)
    lanes = np.vstack([free, free + np.diag(away)])
    found = _after(data, base, levels, lanes)
    slopes: FloatArray = ((found[1:] - found[0]) / away[:, None]).T
    assert slopes.shape == (len(levels), n)
    return slopes


def _spreads(slopes: FloatArray, sd: FloatArray) -> tuple[float, float]:
    """Return the redraw of ln R_off and of V_on that explains the measured spreads best.

    Variances add, and none is negative; each level counts by its relative misfit.
    """
    weights = 1 / sd[:, None] ** 2
    squares, _ = nnls(slopes[:, :2] ** 2 * weights, np.ones(len(sd)))
    return float(np.sqrt(squares[0])), float(np.sqrt(squares[1]))


def _after(
    data: PulseLevels, base: DeviceRecord, levels: Sequence[LevelTable], lanes: FloatArray
) -> FloatArray:
    """Return what is read after each train for each set of free parameters; no redraws.

    Args:
        data: the experiment.
        base: everything that is not free.
        levels: trains to predict.
        lanes: sets of free parameters, shape (n_lanes, n_free).

    Returns:
        Conductance I / V of the device while it is read, shape (n_lanes, n_levels).
    """
    told, n = data.experiment, len(lanes) * len(levels)
    everyone = np.arange(n)
    values = base.values() | {"c2c_v_on_v": 0.0, "c2c_v_off_v": 0.0, "c2c_r_off_ratio": 0.0}
    free = dict(zip(FREE, np.repeat(lanes, len(levels), axis=0).T, strict=True))
    r_off_ohm = np.exp(free["r_off_ohm"])
    values |= {"r_init_ohm": values["r_on_ohm"], "tau_relax_s": 0.1 * told.wait_s or 0.01}
    varied = free | {"r_off_ohm": r_off_ohm, "r_init_ohm": 0.9 * r_off_ohm}
    parameters = replace(GmssParameters.broadcast(n, **values), **varied)
    devices = GmssDevices(parameters)
    unlimited = np.full(n, np.inf)
    r_ohm = np.full(n, told.series_resistor_ohm)
    trains_v = np.tile([level.amplitude_v for level in levels], len(lanes))
    for level_v, dt_s in ((np.full(n, told.reset_v), told.reset_s), (trains_v, told.train_s)):
        devices.drive(everyone, Constant(level_v), np.full(n, dt_s), r_ohm, unlimited)
        devices.rest(everyone, told.wait_s)
    read = devices.drive(
        everyone, Constant(np.full(n, told.v_read_v)), np.full(n, _READ_S), r_ohm, unlimited
    )
    g_siemens: FloatArray = read.i_end_a / read.v_device_end_v
    return g_siemens.reshape(len(lanes), len(levels))
