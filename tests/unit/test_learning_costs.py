"""The cost model of residual learning: every published figure, and how costs grow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hil.errors import ParameterError
from hil.tiles import TileCounts, WeightArray
from procedures.learning.analog.costs import (
    FORWARD_J,
    LENET5,
    PAPER,
    CostConstants,
    CostedMethod,
    area_m2,
    array_area_m2,
    break_even_tiles,
    mixed_precision_energy_j,
    n_arrays,
    pulse_energy_j,
    residual_energy_j,
    resnet18,
    runtime_s,
    storage_bytes,
    training_costs,
    update_costs,
)
from procedures.learning.analog.methods import Method
from procedures.learning.analog.network import lenet5
from procedures.learning.analog.published_costs import (
    PUBLISHED,
    Figure,
    Quantity,
    Verdict,
    compared,
)
from procedures.learning.analog.weights import DigitalWeights, LayerWeights

TT, SGD = CostedMethod.TIKI_TAKA_2, CostedMethod.ANALOG_SGD
MP, RL = CostedMethod.MIXED_PRECISION, CostedMethod.RESIDUAL
FIGURES = {(figure.name, figure.method): figure for figure in compared()}


def figure_of(quantity: Quantity, method: CostedMethod | None = None) -> Figure:
    return FIGURES[quantity, method]


# --- what is printed ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "analog_ns", "digital_ns", "total_ns"),
    [
        (TT, 47.5, 8.8, 56.3),
        (SGD, 25.0, 5.9, 30.9),
        (MP, 25.6, 2998.9, 3024.5),
        (RL, 90.0, 5.9, 95.9),
    ],
)
def test_time_of_an_update(
    method: CostedMethod, analog_ns: float, digital_ns: float, total_ns: float
) -> None:
    costs = update_costs(method, PAPER.shape)
    assert round(costs.analog_s * 1e9, 1) == analog_ns
    assert round(costs.digital_s * 1e9, 1) == digital_ns
    assert round(costs.total_s * 1e9, 1) == total_ns


@pytest.mark.parametrize(
    ("method", "storage", "bits", "n_flops"),
    [
        (TT, 512**2 + 2 * 512, 16 * 512 / 2, 3 * 512),
        (SGD, 2 * 512, 0, 2 * 512),
        (MP, 512**2 + 2 * 512 * 100, 16 * 512**2 / 100, 2 * 512**2 + 512),
        (RL, 2 * 512, 0, 2 * 512),
    ],
)
def test_formulas_of_an_update(
    method: CostedMethod, storage: int, bits: float, n_flops: float
) -> None:
    costs = update_costs(method, PAPER.shape)
    assert (costs.storage_bytes, costs.memory_bits, costs.n_flops) == (storage, bits, n_flops)


def test_every_published_figure_is_in_the_table_once() -> None:
    assert len(FIGURES) == len(PUBLISHED) == 42
    for one in PUBLISHED:
        figure = figure_of(one.quantity, one.method)
        assert (figure.published, figure.unit) == (one.value, one.unit)


def test_what_differs_is_explained() -> None:
    differing = {key for key, figure in FIGURES.items() if figure.verdict is Verdict.EXPLAINED}
    assert differing == {
        (Quantity.LENET5_RUNTIME, MP),
        (Quantity.RESNET18_RUNTIME, MP),
        (Quantity.LENET5_STORAGE, TT),
        (Quantity.LENET5_STORAGE, MP),
    }
    assert all(FIGURES[key].remark for key in differing)
    assert not [one for one in FIGURES.values() if one.verdict is Verdict.UNEXPLAINED]


def test_what_is_taken_over_says_so() -> None:
    taken = [figure for figure in FIGURES.values() if figure.verdict is Verdict.TAKEN_OVER]
    assert len(taken) == 9
    assert all("taken over" in figure.remark for figure in taken)
    assert "unexplained" in figure_of(Quantity.PRODUCTS_ENERGY, MP).remark


def test_networks_take_the_time_of_their_largest_layer() -> None:
    for quantity, values in {
        Quantity.LENET5_RUNTIME: (56.3, 30.9, 831.9, 95.9),
        Quantity.RESNET18_RUNTIME: (126.5, 77.7, 27009.7, 142.7),
    }.items():
        found = [figure_of(quantity, method).recomputed for method in CostedMethod]
        assert [round(value or 0, 1) for value in found] == list(values)


def test_mixed_precision_of_networks_is_printed_with_half_the_operations() -> None:
    once = replace(PAPER, batch=8, flops_per_weight=1)
    assert runtime_s(MP, LENET5, once) * 1e9 == pytest.approx(457.4, abs=0.05)
    once = replace(PAPER, batch=128, flops_per_weight=1)
    assert runtime_s(MP, resnet18(100), once) * 1e9 == pytest.approx(13528, abs=0.5)
    assert runtime_s(MP, resnet18(10), once) == runtime_s(MP, resnet18(100), once)


def test_storage_of_lenet5_is_printed_in_two_units() -> None:
    of_lenet5 = replace(PAPER, batch=8)
    found = [storage_bytes(method, LENET5, of_lenet5) for method in CostedMethod]
    assert found == [82146, 2130, 97056, 2130]
    assert round(found[0] / 1024, 1) == 80.2
    assert round(found[2] / 1024, 1) == 94.8
    assert round(found[1] / 1000, 2) == 2.13 != round(found[1] / 1024, 2)


def test_storage_of_resnet18_is_for_100_classes() -> None:
    of_resnet = replace(PAPER, batch=128)
    found_kb = [storage_bytes(m, resnet18(100), of_resnet) / 1000 for m in CostedMethod]
    assert [round(found_kb[0], -2), round(found_kb[2], -2)] == [10600, 17000]
    assert [round(found_kb[1], 1), round(found_kb[3], 1)] == [50.2, 50.2]
    of_ten = [storage_bytes(m, resnet18(10), of_resnet) / 1000 for m in (TT, MP)]
    assert [round(value, -2) for value in of_ten] == [10500, 16900]


def test_energy_for_an_image() -> None:
    assert round(mixed_precision_energy_j() * 1e9, 1) == 83.2
    assert round(residual_energy_j(0) * 1e9, 2) == 12.82
    assert round((residual_energy_j(1) - residual_energy_j(0)) * 1e9, 2) == 9.44
    assert round(break_even_tiles(), 1) == 7.5
    assert residual_energy_j(7) < mixed_precision_energy_j() < residual_energy_j(8)
    assert residual_energy_j(break_even_tiles()) == pytest.approx(mixed_precision_energy_j())
    assert "6.2 tiles" in figure_of(Quantity.BREAK_EVEN, RL).remark


def test_energy_of_pulses_is_that_of_driven_lines() -> None:
    assert round(pulse_energy_j(1295) * 1e9, 2) == 5.53
    assert round(pulse_energy_j(1296) * 1e9, 2) == 5.54
    assert pulse_energy_j(1295, replace(PAPER, n_tiles=1)) == pytest.approx(
        pulse_energy_j(1295) / 2
    )
    assert figure_of(Quantity.READ_ENERGY, RL).published == pytest.approx(FORWARD_J * 1e9)


def test_area() -> None:
    assert round(array_area_m2([(4096, 4096)]) * 1e6, 2) == 2.68
    assert round(array_area_m2([(128, 512)]) * 1e6, 4) == 0.0105
    assert round(array_area_m2(LENET5) * 1e6, 4) == 0.0128
    assert round(array_area_m2(resnet18(100)) * 1e6, 2) == 1.69
    assert [n_arrays(method) for method in CostedMethod] == [4, 2, 2, 2]
    assert area_m2(RL, LENET5, n_tiles=10) == pytest.approx(10 * area_m2(MP, LENET5))
    assert area_m2(RL, LENET5, n_tiles=10) == pytest.approx(5 * area_m2(TT, LENET5))


# --- how costs grow -----------------------------------------------------------------------------


def test_storage_of_tiles_grows_with_the_side_and_of_mixed_precision_with_its_square() -> None:
    def growth(method: CostedMethod) -> float:
        few, many = (storage_bytes(method, [(side, side)]) for side in (2**15, 2**16))
        return many / few

    assert growth(RL) == growth(SGD) == 2
    assert growth(MP) == pytest.approx(4, rel=0.01)
    assert growth(TT) == pytest.approx(4, rel=0.01)


def test_digital_time_grows_alike() -> None:
    few, many = (
        {m: update_costs(m, (side, side)).digital_s for m in CostedMethod} for side in (512, 1024)
    )
    assert many[RL] / few[RL] == pytest.approx(2)
    assert many[TT] / few[TT] == pytest.approx(2)
    assert many[MP] / few[MP] == pytest.approx(4, rel=0.01)


def test_only_mixed_precision_stores_a_minibatch() -> None:
    grown = replace(PAPER, batch=2 * PAPER.batch)
    more = {m: storage_bytes(m, LENET5, grown) - storage_bytes(m, LENET5) for m in CostedMethod}
    assert more == {TT: 0, SGD: 0, MP: 2 * 1065 * PAPER.batch, RL: 0}


def test_more_tiles_cost_ever_less_time_and_no_storage() -> None:
    costs = [update_costs(RL, PAPER.shape, replace(PAPER, n_tiles=n)) for n in (1, 2, 3, 40, None)]
    analog_ns = [cost.analog_s * 1e9 for cost in costs]
    assert analog_ns == pytest.approx([25, 57.5, 73.75, 90, 90])
    assert len({cost.storage_bytes for cost in costs}) == 1
    assert costs[0].total_s == pytest.approx(update_costs(SGD, PAPER.shape).total_s)


# --- what it is of ------------------------------------------------------------------------------


def test_methods_and_layers_are_those_that_are_trained() -> None:
    shapes: list[tuple[int, ...]] = []

    def weights(first: WeightArray, number: int) -> LayerWeights:
        shapes.append(first.shape)
        return DigitalWeights(first)

    lenet5(weights, np.random.default_rng(1))
    assert tuple(shapes) == LENET5
    assert sum(n * n_inputs for n, n_inputs in LENET5) == 80016
    assert {method.value for method in CostedMethod} <= {method.value for method in Method}


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ParameterError, match="batch = 0"):
        CostConstants(batch=0)
    with pytest.raises(ParameterError, match="give n_tiles"):
        CostConstants(transfer_period=1)
    assert CostConstants(transfer_period=1, n_tiles=3).transfer_period == 1
    for layers in ([], [(0, 3)]):
        with pytest.raises(ParameterError, match="1 output and 1 input"):
            storage_bytes(RL, layers)
    with pytest.raises(ParameterError, match="0 samples"):
        training_costs(TileCounts(), n_cells=1, n_samples=0)


def test_costs_of_a_training_are_per_sample() -> None:
    counts = TileCounts(
        n_pulses=6000, n_slots=500, n_updates=100, n_reads=50, n_products=300, energy_j=2e-6,
        time_s=4e-5,
    )  # fmt: skip
    found = training_costs(counts, n_cells=20, n_samples=100)
    assert found.pulses_per_cell == pytest.approx(3)
    assert (found.n_slots, found.n_reads, found.n_products) == (5, 0.5, 3)
    assert found.time_s == pytest.approx(4e-7)
    assert found.energy_j == pytest.approx(2e-8)
    assert found.modelled_s == pytest.approx(45e-9)


def test_a_training_as_the_model_has_it_costs_what_the_model_says() -> None:
    n = 1000
    counts = TileCounts(n_slots=n * 10, n_reads=n)  # five slots of each of two updates, one read
    assert training_costs(counts, 1, n).modelled_s == pytest.approx(
        update_costs(RL, PAPER.shape).analog_s
    )
