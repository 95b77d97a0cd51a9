"""Pulses and pulsed updates of every response have the mean and the variance of their formula."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hil.errors import UnmodelledError, UsageError
from twin.tiles.management import Management
from twin.tiles.msdc import PulsePair, msdc_response
from twin.tiles.presets import PRESETS, find_preset, with_states
from twin.tiles.responses import (
    ConstantStep,
    ExpStep,
    LinearStep,
    PowStep,
    Response,
    SoftBounds,
    SoftBoundsReference,
    TabulatedStep,
)
from twin.tiles.tile import SimulatedTile

N, REPEATS, W0, STEP, NOISE = 316, 317, 0.25, 0.01, 0.4
ALIKE: dict[str, Any] = {
    "dw_min": STEP,
    "w_max": 1.0,
    "w_min": -0.8,
    "dw_min_dtod": 0.0,
    "w_max_dtod": 0.0,
    "w_min_dtod": 0.0,
    "up_down_dtod": 0.0,
    "dw_min_std": NOISE,
}


def exponential(w: float) -> tuple[float, float]:
    z = 2 * 0.244 * w / 1.8 + 0.2425
    return 1 - 0.00081 * np.exp(12.44625 * z), 1 - 0.36833 * np.exp(-12.78785 * z)


# Response, relative steps up and down at a weight, and whether noise is additive.
RESPONSES: dict[str, tuple[Response, Callable[[float], tuple[float, float]], bool]] = {
    "constant": (ConstantStep(**ALIKE), lambda w: (1, 1), False),
    "linear": (
        LinearStep(**ALIKE, gamma_up=0.5, gamma_down=0.3, gamma_dtod=0),
        lambda w: (1 - 0.5 * w, 1 + 0.3 * w / 0.8),
        False,
    ),
    "linear, additive": (
        LinearStep(**ALIKE, gamma_up=0.5, gamma_down=0.3, gamma_dtod=0, is_additive=True),
        lambda w: (1 - 0.5 * w, 1 + 0.3 * w / 0.8),
        True,
    ),
    "soft bounds": (SoftBounds(**ALIKE), lambda w: (1 - w, 1 + w / 0.8), False),
    "soft bounds, reference": (
        SoftBoundsReference(**ALIKE),
        lambda w: (1 - w, 1 + w / 0.8),
        True,
    ),
    "exponential": (ExpStep(**ALIKE), exponential, False),
    "power": (
        PowStep(**ALIKE, gamma_up=2.0, gamma_down=0.5),
        lambda w: (((1 - w) / 1.8) ** 2, ((w + 0.8) / 1.8) ** 0.5),
        False,
    ),
    "table": (
        TabulatedStep(**ALIKE, curve_up=(2.0, 1.0, 0.5), curve_down=(0.2, 1.0, 1.4)),
        lambda w: (1 - 0.5 * (w - 0.1) / 0.9, 1 + 0.4 * (w - 0.1) / 0.9),
        False,
    ),
}


def moments(samples: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Return mean and variance, each with its standard error."""
    n, off = samples.size, samples - samples.mean()
    variance = float((off**2).mean())
    fourth = float((off**4).mean())
    return (
        float(samples.mean()),
        np.sqrt(variance / n),
        variance,
        np.sqrt(max(fourth - variance**2, 0.0) / n),
    )


@pytest.mark.parametrize("polarity", [1, -1])
@pytest.mark.parametrize("name", RESPONSES)
def test_one_pulse(name: str, polarity: int) -> None:
    response, steps, is_additive = RESPONSES[name]
    tile = SimulatedTile(response, (N, REPEATS), 1)
    tile.set_weights(np.full((N, REPEATS), W0, np.float32))
    tile.pulse(np.full((N, REPEATS), polarity, np.int32))
    mean, mean_se, variance, variance_se = moments(tile.weights.astype(float) - W0)
    relative = steps(W0)[0 if polarity > 0 else 1]
    sigma = STEP * NOISE * (1 if is_additive else relative)
    assert mean == pytest.approx(polarity * STEP * relative, abs=3 * mean_se)
    assert variance == pytest.approx(sigma**2, abs=3 * variance_se)
    assert tile.counts.n_pulses == N * REPEATS


@pytest.mark.parametrize("slots", [1, 31])
@pytest.mark.parametrize("wanted", [0.6 * STEP, -0.6 * STEP])
@pytest.mark.parametrize("name", ["constant", "soft bounds"])
def test_pulsed_updates_have_the_aggregate_form(name: str, wanted: float, slots: int) -> None:
    # w + D F - |D| G on average; the variance is that of the number of coincidences, |D| dw_min
    # (1 - |D| / (BL dw_min)), and that of the pulses. Cells of a diagonal share no line.
    response, steps, _ = RESPONSES[name]
    tile = SimulatedTile(response, (N, N), 2, management=Management(slots, fits_slots=False))
    start, moved = np.full((N, N), W0, np.float32), []
    one = np.full((1, N), 1.0, np.float32)
    for _ in range(REPEATS):
        tile.set_weights(start)
        tile.update(one, -np.sign(wanted) * one, abs(wanted))
        moved.append(np.diagonal(tile.weights).astype(float) - W0)
    mean, mean_se, variance, variance_se = moments(np.array(moved))
    up, down = steps(W0)
    expected = wanted * (up + down) / 2 - abs(wanted) * (down - up) / 2
    few = 1e-2 * STEP**2 if slots > 1 and name != "constant" else 0.0  # later pulses are smaller
    relative = up if wanted > 0 else down
    n_mean = abs(wanted) / STEP
    spread = STEP**2 * relative**2 * (n_mean * (1 - n_mean / slots) + n_mean * NOISE**2)
    assert mean == pytest.approx(expected, abs=3 * mean_se + few / STEP)
    assert variance == pytest.approx(spread, abs=3 * variance_se + few)


def test_states_are_range_over_step() -> None:
    assert with_states(10).dw_min == 0.2
    assert with_states(4).n_states == 4
    assert find_preset("reram-array-om").n_states == pytest.approx(21.1, abs=0.1)
    assert find_preset("reram-array-hfo2").n_states == pytest.approx(4.3, abs=0.1)
    with pytest.raises(UsageError, match="no device preset 'reram'; there are reram-es"):
        find_preset("reram")
    with pytest.raises(UsageError, match="at least one"):
        with_states(0.5)
    with pytest.raises(UsageError, match="steps are positive and bounds apart"):
        ConstantStep(dw_min=-1)
    with pytest.raises(UsageError, match="both have the same number"):
        TabulatedStep(curve_up=(1.0,), curve_down=(1.0, 2.0))


@pytest.mark.parametrize("name", PRESETS)
def test_presets_stay_within_the_bounds_of_each_device(name: str) -> None:
    preset = replace(find_preset(name), write_noise_std=0.0)
    tile = SimulatedTile(preset, (20, 30), 3)
    rng = np.random.default_rng(1)
    for _ in range(3):
        tile.pulse(rng.integers(-60, 60, (20, 30)).astype(np.int32))
    assert np.isfinite(tile.weights).all()
    tile.set_weights(np.full((20, 30), 100, np.float32))
    highest = tile.weights.copy()
    tile.pulse(np.full((20, 30), 500, np.int32))
    assert (tile.weights <= highest).all()


def test_the_symmetry_point_is_subtracted() -> None:
    # Alternating pulses end where steps up and down are equal: at 0, but for the spread of r.
    response = replace(find_preset("reram-array-om"), dw_min=0.01, write_noise_std=0.0)
    tile = SimulatedTile(replace(response, dw_min_std=0.0), (30, 30), 4)
    for _ in range(400):
        for polarity in (1, -1):
            tile.pulse(np.full((30, 30), polarity, np.int32))
    assert abs(tile.weights.mean()) < 0.02
    assert tile.weights.std() < 0.09


def test_write_noise_is_on_what_is_seen_alone() -> None:
    quiet = replace(find_preset("reram-array-om"), write_noise_std=0.0, dw_min_std=0.0)
    noisy = replace(quiet, write_noise_std=1.41)
    rng = np.random.default_rng(5)
    pulses = rng.integers(-2, 3, (100, 100)).astype(np.int32)
    tiles = [SimulatedTile(one, (100, 100), 6) for one in (quiet, noisy)]
    for tile in tiles:
        for sign in (1, -1, 1):
            tile.pulse(sign * pulses)
    off = (tiles[1].weights - tiles[0].weights)[pulses != 0]
    assert off.std() == pytest.approx(1.41 * 0.0949, rel=0.05)
    assert (tiles[1].weights == tiles[0].weights)[pulses == 0].all()


def test_an_m_sdc_cell_has_the_curve_of_its_device() -> None:
    response = msdc_response()
    assert 5 < response.n_states < 1000
    up, down = np.array(response.curve_up), np.array(response.curve_down)
    assert (np.diff(down) > 0).all()  # a low resistance is erased quicker
    assert (up >= 0).all()
    with pytest.raises(UnmodelledError, match="choose larger or longer ones"):
        msdc_response(pair=PulsePair(set_v=0.05))
