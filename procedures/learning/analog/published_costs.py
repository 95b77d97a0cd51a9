"""The figures of arXiv 2510.02516's cost model, each beside what comes out here, and why.

Source: ``costs.SOURCE``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from procedures.learning.analog.costs import (
    BACKWARD_J,
    FORWARD_J,
    LENET5,
    LENET5_BATCH,
    MIXED_PRODUCTS_J,
    PAPER,
    PERCEPTRON,
    PERCEPTRON_LINES,
    RESNET18_BATCH,
    CostConstants,
    CostedMethod,
    Shape,
    array_area_m2,
    break_even_tiles,
    mixed_precision_energy_j,
    n_arrays,
    pulse_energy_j,
    pulse_power_w,
    residual_update_energy_j,
    resnet18,
    runtime_s,
    storage_bytes,
    update_costs,
)


class Quantity(StrEnum):
    """What a published figure is of."""

    UPDATE = "update of a layer of 512 x 512"
    LENET5_RUNTIME = "update of LeNet-5"
    RESNET18_RUNTIME = "update of ResNet-18"
    LENET5_STORAGE = "digital storage of LeNet-5"
    RESNET18_STORAGE = "digital storage of ResNet-18"
    SYNAPSES = "synapses of the 785-250-10 perceptron"
    PULSE_POWER = "power of its pulses"
    PULSE_ENERGY = "pulses for an image"
    READ_ENERGY = "reads to transfer for an image"
    UPDATE_ENERGY = "update for an image"
    FORWARD_ENERGY = "forward product of a tile for an image"
    BACKWARD_ENERGY = "backward product of a tile for an image"
    PRODUCTS_ENERGY = "products for an image"
    ENERGY = "all for an image"
    BREAK_EVEN = "tiles that take the energy of mixed precision"
    LARGE_AREA = "array of 4096 x 4096"
    SMALL_AREA = "array of 128 x 512"
    LENET5_AREA = "one array for each layer of LeNet-5"
    RESNET18_AREA = "one array for each layer of ResNet-18"
    ARRAYS = "arrays for a layer, of residual learning for a tile"
    AREA_RATIO = "area of 10 tiles over that of this method"


@dataclass(frozen=True)
class Published:
    """A figure as it is printed in ``SOURCE``.

    Attributes:
        quantity: what it is of.
        method: of which method; None where that does not matter.
        value: in ``unit``.
        last_digit: what 1 in its last printed digit is worth.
        unit: as it is printed.
    """

    quantity: Quantity
    method: CostedMethod | None
    value: float
    last_digit: float
    unit: str


_TT, _MP = CostedMethod.TIKI_TAKA_2, CostedMethod.MIXED_PRECISION
_RL = CostedMethod.RESIDUAL


def _of_all(
    quantity: Quantity, unit: str, values: Sequence[float], last_digits: Sequence[float]
) -> tuple[Published, ...]:
    """Return a row of a table: TT-v2, Analog SGD, mixed precision, residual learning."""
    columns = zip(CostedMethod, values, last_digits, strict=True)
    return tuple(
        Published(quantity, method, value, digit, unit) for method, value, digit in columns
    )


PUBLISHED: tuple[Published, ...] = (
    *_of_all(Quantity.UPDATE, "ns", (56.3, 30.9, 3024.5, 95.9), (0.1,) * 4),
    *_of_all(Quantity.LENET5_RUNTIME, "ns", (56.3, 30.9, 457.4, 95.9), (0.1,) * 4),
    *_of_all(Quantity.RESNET18_RUNTIME, "ns", (126.5, 77.7, 13528, 142.7), (0.1, 0.1, 1, 0.1)),
    *_of_all(Quantity.LENET5_STORAGE, "KB", (80.2, 2.13, 94.8, 2.13), (0.1, 0.01, 0.1, 0.01)),
    *_of_all(Quantity.RESNET18_STORAGE, "KB", (10600, 50.2, 17000, 50.2), (100, 0.1, 100, 0.1)),
    Published(Quantity.SYNAPSES, None, 198760, 1, ""),
    Published(Quantity.PULSE_POWER, _RL, 0.1107, 1e-4, "W"),
    Published(Quantity.PULSE_ENERGY, _RL, 5.53, 0.01, "nJ"),
    Published(Quantity.READ_ENERGY, _RL, 7.29, 0.01, "nJ"),
    Published(Quantity.UPDATE_ENERGY, _RL, 12.82, 0.01, "nJ"),
    Published(Quantity.UPDATE_ENERGY, _MP, 62.03, 0.01, "nJ"),
    Published(Quantity.FORWARD_ENERGY, _RL, 7.29, 0.01, "nJ"),
    Published(Quantity.BACKWARD_ENERGY, _RL, 2.15, 0.01, "nJ"),
    Published(Quantity.PRODUCTS_ENERGY, _RL, 9.44, 0.01, "nJ per tile"),
    Published(Quantity.PRODUCTS_ENERGY, _MP, 21.21, 0.01, "nJ"),
    Published(Quantity.ENERGY, _MP, 83.2, 0.1, "nJ"),
    Published(Quantity.BREAK_EVEN, _RL, 7.5, 0.1, "tiles"),
    Published(Quantity.LARGE_AREA, None, 2.68, 0.01, "mm^2"),
    Published(Quantity.SMALL_AREA, None, 0.0105, 1e-4, "mm^2"),
    Published(Quantity.LENET5_AREA, None, 0.0128, 1e-4, "mm^2"),
    Published(Quantity.RESNET18_AREA, None, 1.69, 0.01, "mm^2"),
    *_of_all(Quantity.ARRAYS, "", (4, 2, 2, 2), (1,) * 4),
    Published(Quantity.AREA_RATIO, _MP, 10, 1, ""),
    Published(Quantity.AREA_RATIO, _TT, 5, 1, ""),
)


class Verdict(StrEnum):
    """How a published figure and the recomputed one stand to each other."""

    SAME = "same"
    EXPLAINED = "differs, explained"
    UNEXPLAINED = "differs, unexplained"
    TAKEN_OVER = "taken over"


@dataclass(frozen=True)
class Figure:
    """A published figure beside the recomputed one.

    Attributes:
        name: what it is of.
        method: of which method; None where that does not matter.
        published: as it is printed, in ``unit``.
        recomputed: from the paper's formulas, KB of 1000 bytes; None where they have none for it.
        unit: of all three.
        remark: what had to be found out or is odd; never empty where they differ.
        last_digit: what 1 in the last printed digit is worth.
        read_as: what comes out if it is read as the remark says; None where nothing is to be read.
    """

    name: str
    method: CostedMethod | None
    published: float
    recomputed: float | None
    unit: str
    remark: str
    last_digit: float
    read_as: float | None = None

    @property
    def verdict(self) -> Verdict:
        """Whether they are the same to the printed digits, and if not, whether it is known why."""
        if self.recomputed is None:
            return Verdict.TAKEN_OVER
        if self._is_published(self.recomputed):
            return Verdict.SAME
        is_read = self.read_as is not None and self._is_published(self.read_as)
        return Verdict.EXPLAINED if is_read else Verdict.UNEXPLAINED

    def _is_published(self, value: float) -> bool:
        return abs(value - self.published) <= self.last_digit / 2


def compared() -> tuple[Figure, ...]:
    """Return every published figure beside the recomputed one, in the order of ``PUBLISHED``."""
    recomputed, readings = _recomputed(), _readings()
    figures = []
    for one in PUBLISHED:
        key = (one.quantity, one.method)
        reading = readings.get(key, _Reading(""))
        figures.append(
            Figure(
                name=one.quantity,
                method=one.method,
                published=one.value,
                recomputed=recomputed.get(key),
                unit=one.unit,
                remark=reading.remark,
                last_digit=one.last_digit,
                read_as=reading.value,
            )
        )
    return tuple(figures)


_Key = tuple[Quantity, CostedMethod | None]


@dataclass(frozen=True)
class _Reading:
    """How a figure has to be read, and what comes out then."""

    remark: str
    value: float | None = None


_OF_LENET5 = replace(PAPER, batch=LENET5_BATCH)
_OF_RESNET18 = replace(PAPER, batch=RESNET18_BATCH)


def _recomputed() -> dict[_Key, float]:
    """Return what the formulas give; a figure that is not there is an input of the paper."""
    resnet = resnet18(n_classes=100)
    found: dict[_Key, float] = {
        (Quantity.SYNAPSES, None): sum(n * n_inputs for n, n_inputs in PERCEPTRON),
        (Quantity.PULSE_POWER, _RL): pulse_power_w(PERCEPTRON_LINES),
        (Quantity.PULSE_ENERGY, _RL): 1e9 * pulse_energy_j(PERCEPTRON_LINES),
        (Quantity.UPDATE_ENERGY, _RL): 1e9 * residual_update_energy_j(),
        (Quantity.PRODUCTS_ENERGY, _RL): 1e9 * (FORWARD_J + BACKWARD_J),
        (Quantity.ENERGY, _MP): 1e9 * mixed_precision_energy_j(),
        (Quantity.BREAK_EVEN, _RL): break_even_tiles(),
        (Quantity.LARGE_AREA, None): 1e6 * array_area_m2([(4096, 4096)]),
        (Quantity.SMALL_AREA, None): 1e6 * array_area_m2([(128, 512)]),
        (Quantity.LENET5_AREA, None): 1e6 * array_area_m2(LENET5),
        (Quantity.RESNET18_AREA, None): 1e6 * array_area_m2(resnet),
    }
    for method in CostedMethod:
        found |= {
            (Quantity.UPDATE, method): 1e9 * update_costs(method, PAPER.shape).total_s,
            (Quantity.LENET5_RUNTIME, method): 1e9 * runtime_s(method, LENET5, _OF_LENET5),
            (Quantity.RESNET18_RUNTIME, method): 1e9 * runtime_s(method, resnet, _OF_RESNET18),
            (Quantity.LENET5_STORAGE, method): storage_bytes(method, LENET5, _OF_LENET5) / 1000,
            (Quantity.RESNET18_STORAGE, method): storage_bytes(method, resnet, _OF_RESNET18) / 1000,
            (Quantity.AREA_RATIO, method): n_arrays(_RL, n_tiles=10) / n_arrays(method),
        }
    return found


def _readings() -> dict[_Key, _Reading]:
    """Return how to read what is not as the formulas have it, and what else is to be said."""
    return {**_runtime_readings(), **_storage_readings(), **_energy_readings(), **_area_readings()}


def _runtime_readings() -> dict[_Key, _Reading]:
    def half_flops(layers: Sequence[Shape], constants: CostConstants) -> _Reading:
        n_outputs, n_inputs = max(layers, key=lambda shape: shape[0] * shape[1])
        return _Reading(
            f"printed with n_outputs n_inputs + n_inputs operations of the largest layer, "
            f"{n_outputs} x {n_inputs}, at B = {constants.batch}: half of what the formula "
            f"2 D^2 + D of the same paper counts",
            1e9 * runtime_s(_MP, layers, replace(constants, flops_per_weight=1)),
        )

    return {
        (Quantity.LENET5_RUNTIME, _MP): half_flops(LENET5, _OF_LENET5),
        (Quantity.RESNET18_RUNTIME, _MP): half_flops(resnet18(100), _OF_RESNET18),
    }


def _storage_readings() -> dict[_Key, _Reading]:
    def binary(method: CostedMethod, formula: str) -> _Reading:
        return _Reading(
            f"{formula} in KB of 1024 bytes; the 2.13 KB beside it are of 1000",
            storage_bytes(method, LENET5, _OF_LENET5) / 1024,
        )

    def decimal(method: CostedMethod) -> _Reading:
        few_kb = storage_bytes(method, resnet18(10), _OF_RESNET18) / 1000
        return _Reading(_hundred_classes(f"{few_kb:,.0f} KB") + "; KB of 1000 bytes")

    return {
        (Quantity.LENET5_STORAGE, _TT): binary(_TT, "D^2 + 2 D"),
        (Quantity.LENET5_STORAGE, _MP): binary(_MP, f"D^2 + 2 D B at B = {LENET5_BATCH}"),
        (Quantity.RESNET18_STORAGE, _TT): decimal(_TT),
        (Quantity.RESNET18_STORAGE, _MP): decimal(_MP),
    }


def _hundred_classes(of_ten: str) -> str:
    return f"of layer3, layer4 and fc for 100 classes; for 10 classes it is {of_ten}"


_AS_PRINTED = "an input, taken over as it is printed"


def _energy_readings() -> dict[_Key, _Reading]:
    tile_j = FORWARD_J + BACKWARD_J
    other_j = MIXED_PRODUCTS_J - tile_j
    with_bias_j = pulse_energy_j(PERCEPTRON_LINES + 1)
    return {
        (Quantity.SYNAPSES, None): _Reading("785 x 250 and 251 x 10: both layers have a bias"),
        (Quantity.PULSE_POWER, _RL): _Reading(
            "0.7 W of the 8192 lines of 4096 x 4096, scaled to 785 + 250 + 250 + 10 lines; how it "
            "is scaled is inferred"
        ),
        (Quantity.PULSE_ENERGY, _RL): _Reading(
            "that power for 50 ns, the pulses of ever more tiles at a period of 2, which is "
            "inferred; with the line of the second layer's bias, which is among the synapses, it "
            f"is {1e9 * with_bias_j:.2f} nJ"
        ),
        (Quantity.READ_ENERGY, _RL): _Reading(
            f"{_AS_PRINTED}; that of one forward product, so one read per sample"
        ),
        (Quantity.UPDATE_ENERGY, _MP): _Reading(_AS_PRINTED),
        (Quantity.FORWARD_ENERGY, _RL): _Reading(_AS_PRINTED),
        (Quantity.BACKWARD_ENERGY, _RL): _Reading(_AS_PRINTED),
        (Quantity.PRODUCTS_ENERGY, _MP): _Reading(
            f"{_AS_PRINTED}; why it is {1e9 * other_j:.2f} nJ more than the products of one tile "
            f"is unexplained"
        ),
        (Quantity.BREAK_EVEN, _RL): _Reading(
            f"products are {1e9 * MIXED_PRODUCTS_J:.2f} nJ for mixed precision and "
            f"{1e9 * tile_j:.2f} nJ for a tile; if what is between them is needed whatever trains, "
            f"it is {break_even_tiles(other_j):.1f} tiles"
        ),
    }


def _area_readings() -> dict[_Key, _Reading]:
    of_ten = f"{1e6 * array_area_m2(resnet18(10)):.2f} mm^2"
    found: dict[_Key, _Reading] = {
        (Quantity.RESNET18_AREA, None): _Reading(_hundred_classes(of_ten))
    }
    return found | {(Quantity.ARRAYS, method): _Reading(_AS_PRINTED) for method in CostedMethod}
