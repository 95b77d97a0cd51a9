from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from hil.errors import LimitError, UnsupportedError, UsageError
from hil.limits import DEFAULT_LIMITS, DeviceLimits, LimitChecker
from hil.types import (
    MEMRISTORS,
    BoardInfo,
    Capability,
    Device,
    Dopant,
    Source,
    Synapses,
    as_cells,
)

DEVICES = (
    Device("W1", Dopant.W, "U1.1", 0, 10_000.0),
    Device("C1", Dopant.C, "U1.2", 1, 47_000.0),
    Device("W2", Dopant.W, "U1.3", 2, 1_000.0),
)
INFO = BoardInfo(
    station="bank",
    kind="twin",
    source=Source.TWIN,
    source_reason="",
    identity={},
    shape=(1, 3),
    devices=DEVICES,
    capabilities=frozenset(Capability),
    min_pulse_width_s=0.02,
    switch_resistance_ohm=75.0,
    tolerance_ratio=0.0,
)
W1, C1, W2 = ([[0, k]] for k in range(3))


def checker(info: BoardInfo = INFO, **of_w: float) -> LimitChecker:
    limits = dict(DEFAULT_LIMITS)
    limits[Dopant.W] = replace(limits[Dopant.W], **of_w)
    return LimitChecker(info, limits)


def cells(*pairs: list[list[int]]) -> np.ndarray[tuple[int, ...], np.dtype[np.intp]]:
    return as_cells(np.concatenate(pairs), INFO.shape)


def test_the_published_limits() -> None:
    assert DEFAULT_LIMITS[Dopant.W].max_current_a == 1e-3
    assert DEFAULT_LIMITS[Dopant.C].max_current_a == 50e-6
    assert DEFAULT_LIMITS[Dopant.CR] == DEFAULT_LIMITS[Dopant.C], "until one is measured"
    assert all(DEFAULT_LIMITS[dopant].max_read_v == 0.1 for dopant in MEMRISTORS)


def test_what_passes_is_returned_unchanged_one_value_a_cell() -> None:
    v = checker().check_read(cells(W1, C1), 0.1, allow_reverse=False)
    assert v.tolist() == [0.1, 0.1]
    v = checker().check_read(cells(W1, C1), [0.1, -0.05], allow_reverse=True)
    assert v.tolist() == [0.1, -0.05]
    amplitude_v, width_s = checker().check_pulse(cells(W1, C1), [2.0, -1.0], 1.0, 3)
    assert amplitude_v.tolist() == [2.0, -1.0]
    assert width_s.tolist() == [1.0, 1.0]
    assert checker().check_sweep(cells(W1), [1, -1, 2], 0.01).tolist() == [1.0, -1.0, 2.0]


@given(st.floats(-3, 3), st.sampled_from([0.0, 0.01, 0.05]))
def test_the_worst_case_current_never_exceeds_the_limit(
    amplitude_v: float, tolerance_ratio: float
) -> None:
    """A shorted device behind resistors at the lower end of their tolerance."""
    info = replace(INFO, tolerance_ratio=tolerance_ratio)
    worst_a = abs(amplitude_v) / (1075.0 * (1 - tolerance_ratio))
    allowed = worst_a <= 1e-3 and abs(amplitude_v) <= 2
    try:
        checker(info).check_pulse(cells(W2), amplitude_v, 0.02, 1)
    except LimitError:
        assert not allowed
    else:
        assert allowed


def test_messages_name_device_value_limit_and_what_to_do() -> None:
    with pytest.raises(LimitError) as error:
        checker().check_pulse(cells(W1, W2), 1.5, 0.02, 1)
    for part in ("W2", "(0, 2)", "1.5 V", "1.4 mA", "1.07 kohm", "W devices", "1 mA", "stay below"):
        assert part in str(error.value), part
    with pytest.raises(LimitError, match=r"-2\.1 V on W1 .* 2 V for W devices"):
        checker().check_pulse(cells(W1), -2.1, 0.02, 1)
    with pytest.raises(LimitError, match=r"1 ms on W1 .* shortest .* 20 ms"):
        checker().check_pulse(cells(W1), 0.5, 0.001, 1)


def test_limits_are_those_of_the_device_not_of_the_first() -> None:
    tight = checker(max_voltage_v=0.5, max_pulse_width_s=0.1, max_read_v=0.05)
    tight.check_pulse(cells(C1), 1.0, 0.5, 1)
    tight.check_read(cells(C1), 0.1, allow_reverse=False)
    for amplitude_v, width_s in ((1.0, 0.05), (0.4, 0.5)):
        with pytest.raises(LimitError, match="W1"):
            tight.check_pulse(cells(C1, W1), amplitude_v, width_s, 1)
    with pytest.raises(LimitError, match="W1"):
        tight.check_read(cells(C1, W1), 0.1, allow_reverse=False)


@pytest.mark.parametrize("n_pulses", [0, -1, 1.5])
def test_a_number_of_pulses_that_is_none(n_pulses: float) -> None:
    with pytest.raises(UsageError, match=str(n_pulses)):
        checker().check_pulse(cells(W1), 0.5, 0.02, n_pulses)  # type: ignore[arg-type]


def test_a_board_without_shortest_pulse_still_wants_a_positive_one() -> None:
    fast = checker(replace(INFO, min_pulse_width_s=0.0))
    fast.check_pulse(cells(W1), 0.5, 1e-9, 1)
    with pytest.raises(LimitError):
        fast.check_pulse(cells(W1), 0.5, 0.0, 1)


def test_one_point_of_a_sweep_is_enough() -> None:
    for point_v in (2.5, -2.5, float("nan"), float("-inf")):
        with pytest.raises(LimitError):
            checker().check_sweep(cells(W1), [0.1, point_v, 0.1], 0.01)
    with pytest.raises(LimitError, match="mA"):
        checker().check_sweep(cells(W2), [0.1, -1.2], 0.01)


def test_limits_are_values() -> None:
    assert DeviceLimits(1e-3) == DeviceLimits(1e-3, 2.0, 1.0, 0.1)


# --- networks -----------------------------------------------------------------------------------

WITH_NEURONS = replace(INFO, neuron_clip_v=0.1)
ONE, TWO = (Synapses(np.array([[[0, k]]])) for k in (0, 2))  # W1, W2


def test_zero_volt_is_an_input_and_what_passes_is_returned() -> None:
    inputs_v = checker(WITH_NEURONS).check_inference([ONE, TWO], [[0.0], [0.1]])
    assert inputs_v.tolist() == [[0.0], [0.1]]


def test_what_hidden_neurons_put_out_obeys_the_devices_behind_them() -> None:
    loud = replace(WITH_NEURONS, neuron_clip_v=0.11)
    checker(loud).check_inference([ONE], [[0.1]])
    with pytest.raises(LimitError, match=r"hidden neuron 110 mV on W2 .* 100 mV"):
        checker(loud).check_inference([ONE, TWO], [[0.0]])


def test_the_worst_current_of_a_network_is_that_of_shorts() -> None:
    tight = checker(WITH_NEURONS, max_current_a=50e-6)
    tight.check_inference([ONE], [[0.1]])
    with pytest.raises(LimitError, match="W2"):  # behind 1 kohm
        tight.check_inference([TWO], [[0.06]])
    with pytest.raises(LimitError, match="W2"):
        tight.check_inference([ONE, TWO], [[0.01]])


def test_no_neurons_no_inference() -> None:
    with pytest.raises(UnsupportedError, match="no neuron circuit"):
        checker().check_inference([ONE], [[0.1]])


@pytest.mark.parametrize(
    ("plus", "minus"),
    [
        ([[0, 0]], None),
        (np.zeros((0, 1, 2), dtype=int), None),
        ([[[0.0, 1.0]]], None),
        ([[[0, 0, 0]]], None),
        ([[[0, 0]]], [[[0, 1]], [[0, 2]]]),
    ],
)
def test_synapses_have_a_shape(plus: ArrayLike, minus: ArrayLike | None) -> None:
    with pytest.raises(UsageError, match="synapses"):
        Synapses(plus, minus)  # type: ignore[arg-type]


def test_the_cells_of_pairs_are_all_plus_cells_then_all_minus_cells() -> None:
    pairs = Synapses(np.array([[[0, 0]], [[0, 1]]]), np.array([[[0, 2]], [[0, 3]]]))
    assert (pairs.n_inputs, pairs.n_neurons) == (2, 1)
    assert pairs.cells.tolist() == [[0, 0], [0, 1], [0, 2], [0, 3]]
