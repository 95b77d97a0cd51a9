"""The cost model of arXiv 2510.02516 (section 6, appendix I), recomputed beside what it prints.

A layer gets one vector per sample and pass, whatever it is: the 576 patches that an image of
28 x 28 pixels is to the first convolution of LeNet-5 count as one. Where a formula has the side D
of a square layer, one that is not square has its inputs there, and its outputs for the rows that
mixed precision pulses; so the printed figures of networks come out. Times are of the update alone,
without the forward and the backward product.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from hil.errors import ParameterError
from hil.tiles import TileCounts

SOURCE = "arXiv 2510.02516v1, section 6 and appendix I"

Shape = tuple[int, int]
"""(n_outputs, n_inputs) of a layer."""


class CostedMethod(StrEnum):
    """The methods that are compared; the values are those of ``methods.Method``."""

    TIKI_TAKA_2 = "tiki-taka-2"
    ANALOG_SGD = "analog-sgd"
    MIXED_PRECISION = "mixed-precision"
    RESIDUAL = "residual"


@dataclass(frozen=True)
class CostConstants:
    """What the model takes for given; the defaults are those of the paper.

    Attributes:
        side: of the square layer that methods are compared on (D).
        batch: samples in a minibatch (B).
        transfer_period: updates of a tile between two transfers (n_s).
        n_pulses: mean length of a pulse train (l_avg).
        slot_s: one pulse (t_sp).
        product_s: one product of a vector with a tile, or one read (t_M).
        flops_per_s: of one tile; 0.7 TFLOPS are shared by four.
        flops_per_weight: of mixed precision, for a weight and sample: multiply and add.
        n_tiles: of residual learning; None is the limit of ever more, as the paper has it.

    Raises:
        ParameterError: one of them is not positive, or endless tiles would take endless time.
    """

    side: int = 512
    batch: int = 100
    transfer_period: int = 2
    n_pulses: float = 5.0
    slot_s: float = 5e-9
    product_s: float = 40e-9
    flops_per_s: float = 0.175e12
    flops_per_weight: int = 2
    n_tiles: int | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and value <= 0:
                raise ParameterError(f"{name} = {value:g}: the cost model needs more than 0")
        if self.n_tiles is None and self.transfer_period < 2:
            raise ParameterError(
                "transfer_period = 1: with ever more tiles the update never ends; give n_tiles"
            )

    @property
    def shape(self) -> Shape:
        """Of the square layer."""
        return self.side, self.side


PAPER = CostConstants()


@dataclass(frozen=True)
class UpdateCosts:
    """What it costs to update a layer with one sample.

    Attributes:
        analog_s: pulses, and reads to transfer.
        digital_s: floating-point operations at ``flops_per_s``.
        n_flops: floating-point operations.
        memory_bits: that go to and from digital memory; 0 where the paper has O(1).
        storage_bytes: digital, one byte for a number.
    """

    analog_s: float
    digital_s: float
    n_flops: float
    memory_bits: float
    storage_bytes: int

    @property
    def total_s(self) -> float:
        """Analog and digital time, one after the other."""
        return self.analog_s + self.digital_s


def update_costs(
    method: CostedMethod, shape: Shape, constants: CostConstants = PAPER
) -> UpdateCosts:
    """Return what the update of a layer with one sample costs.

    Args:
        method: that trains it.
        shape: (n_outputs, n_inputs).
        constants: of the model.

    Raises:
        ParameterError: a layer without inputs or outputs.
    """
    _check([shape])
    n_flops = _flops(method, shape, constants)
    return UpdateCosts(
        analog_s=_analog_s(method, shape, constants),
        digital_s=n_flops / constants.flops_per_s,
        n_flops=n_flops,
        memory_bits=_memory_bits(method, shape, constants),
        storage_bytes=_storage_bytes(method, shape, constants),
    )


def storage_bytes(
    method: CostedMethod, layers: Sequence[Shape], constants: CostConstants = PAPER
) -> int:
    """Return the digital storage of a network, the sum over its layers, in bytes.

    Raises:
        ParameterError: no layers, or one without inputs or outputs.
    """
    _check(layers)
    return sum(_storage_bytes(method, shape, constants) for shape in layers)


def runtime_s(
    method: CostedMethod, layers: Sequence[Shape], constants: CostConstants = PAPER
) -> float:
    """Return the time of an update of all layers at once, that of the slowest, in s.

    Raises:
        ParameterError: no layers, or one without inputs or outputs.
    """
    _check(layers)
    return max(update_costs(method, shape, constants).total_s for shape in layers)


def _check(layers: Sequence[Shape]) -> None:
    if not layers or any(side < 1 for shape in layers for side in shape):
        raise ParameterError(f"layers {list(layers)}: each has 1 output and 1 input or more")


def _analog_s(method: CostedMethod, shape: Shape, constants: CostConstants) -> float:
    """Return the time of pulses and reads; mixed precision pulses a row at a time, once a batch."""
    train_s, period = constants.n_pulses * constants.slot_s, constants.transfer_period
    match method:
        case CostedMethod.TIKI_TAKA_2:
            return train_s + (constants.slot_s + constants.product_s) / period
        case CostedMethod.ANALOG_SGD:
            return train_s
        case CostedMethod.MIXED_PRECISION:
            return shape[0] / constants.batch * constants.slot_s
        case CostedMethod.RESIDUAL:
            n_updates = _updates_of_all_tiles(constants)
            return n_updates * train_s + (n_updates - 1) * constants.product_s


def _updates_of_all_tiles(constants: CostConstants) -> float:
    """Return updates per sample: 1 of the finest tile, of each next one a period-th of these."""
    ratio = 1 / constants.transfer_period
    if constants.n_tiles is None:
        return 1 / (1 - ratio)
    return sum(ratio**n for n in range(constants.n_tiles))


def _flops(method: CostedMethod, shape: Shape, constants: CostConstants) -> float:
    n_outputs, n_inputs = shape
    match method:
        case CostedMethod.TIKI_TAKA_2:
            return 2 * n_inputs + 2 * n_inputs / constants.transfer_period
        case CostedMethod.MIXED_PRECISION:
            return constants.flops_per_weight * n_outputs * n_inputs + n_inputs
        case CostedMethod.ANALOG_SGD | CostedMethod.RESIDUAL:
            return 2 * n_inputs


def _memory_bits(method: CostedMethod, shape: Shape, constants: CostConstants) -> float:
    """Return bits per sample; 16 for a number."""
    n_outputs, n_inputs = shape
    match method:
        case CostedMethod.TIKI_TAKA_2:
            return 16 * n_inputs / constants.transfer_period
        case CostedMethod.MIXED_PRECISION:
            return 16 * n_outputs * n_inputs / constants.batch
        case CostedMethod.ANALOG_SGD | CostedMethod.RESIDUAL:
            return 0.0


def _storage_bytes(method: CostedMethod, shape: Shape, constants: CostConstants) -> int:
    n_outputs, n_inputs = shape
    match method:
        case CostedMethod.TIKI_TAKA_2:
            return n_outputs * n_inputs + 2 * n_inputs
        case CostedMethod.MIXED_PRECISION:
            return n_outputs * n_inputs + 2 * n_inputs * constants.batch
        case CostedMethod.ANALOG_SGD | CostedMethod.RESIDUAL:
            return 2 * n_inputs


# --- networks -----------------------------------------------------------------------------------

LENET5: tuple[Shape, ...] = ((16, 25), (32, 400), (128, 512), (10, 128))
"""The layers of ``network.lenet5``."""
LENET5_BATCH, RESNET18_BATCH = 8, 128


def resnet18(n_classes: int) -> tuple[Shape, ...]:
    """Return the layers of a ResNet-18 that the paper has on tiles: layer3, layer4 and fc."""
    return (*_stage(128, 256), *_stage(256, 512), (n_classes, 512))


def _stage(n_inputs: int, n: int) -> tuple[Shape, ...]:
    """Return two blocks of two 3 x 3 convolutions, the first with a 1 x 1 shortcut."""
    return (n, 9 * n_inputs), (n, 9 * n), (n, n_inputs), (n, 9 * n), (n, 9 * n)


# --- energy -------------------------------------------------------------------------------------

PERCEPTRON: tuple[Shape, ...] = ((250, 785), (10, 251))
"""Digits of 28 x 28 pixels and a bias, 250 hidden neurons and a bias, 10 classes."""
PERCEPTRON_LINES = 785 + 250 + 250 + 10
"""Lines of its two arrays; the printed pulse power leaves the second bias out."""

MIXED_UPDATE_J, MIXED_PRODUCTS_J = 62.03e-9, 21.21e-9
FORWARD_J, BACKWARD_J, READ_J = 7.29e-9, 2.15e-9, 7.29e-9
"""Products of one tile set of the perceptron, and its reads to transfer, for an image."""
DRIVERS_W, DRIVEN_LINES = 0.7, 2 * 4096
"""What drives the pulses of an array of 4096 x 4096."""


def pulse_power_w(n_lines: int) -> float:
    """Return the power that drives pulses on some lines, in W."""
    return DRIVERS_W * n_lines / DRIVEN_LINES


def pulse_energy_j(n_lines: int, constants: CostConstants = PAPER) -> float:
    """Return the energy of the pulses of residual learning for a sample, in J.

    All lines are driven for as long as the pulses of all tiles take: 50 ns with the defaults.
    """
    train_s = constants.n_pulses * constants.slot_s
    return pulse_power_w(n_lines) * _updates_of_all_tiles(constants) * train_s


def mixed_precision_energy_j() -> float:
    """Return the energy that mixed precision takes for an image of the perceptron, in J."""
    return MIXED_UPDATE_J + MIXED_PRODUCTS_J


def residual_update_energy_j() -> float:
    """Return the energy of pulses and reads for an image of the perceptron, in J."""
    return pulse_energy_j(PERCEPTRON_LINES) + READ_J


def residual_energy_j(n_tiles: float) -> float:
    """Return the energy that residual learning takes for an image of the perceptron, in J."""
    return residual_update_energy_j() + n_tiles * (FORWARD_J + BACKWARD_J)


def break_even_tiles(other_j: float = 0.0) -> float:
    """Return with how many tiles residual learning takes the energy of mixed precision.

    Args:
        other_j: for an image, besides update and products with tiles.
    """
    left_j = mixed_precision_energy_j() - residual_energy_j(0) - other_j
    return left_j / (FORWARD_J + BACKWARD_J)


# --- area ---------------------------------------------------------------------------------------

PITCH_M = 400e-9


def array_area_m2(layers: Sequence[Shape]) -> float:
    """Return the area of one array for each layer, in m^2.

    Raises:
        ParameterError: no layers, or one without inputs or outputs.
    """
    _check(layers)
    return PITCH_M**2 * sum(n_outputs * n_inputs for n_outputs, n_inputs in layers)


def n_arrays(method: CostedMethod, n_tiles: int = 1) -> int:
    """Return the arrays for a layer: a tile is one and another as its reference.

    Args:
        method: that trains it.
        n_tiles: of residual learning; others have their own number.
    """
    match method:
        case CostedMethod.ANALOG_SGD | CostedMethod.MIXED_PRECISION:
            return 2
        case CostedMethod.TIKI_TAKA_2:
            return 4
        case CostedMethod.RESIDUAL:
            return 2 * n_tiles


def area_m2(method: CostedMethod, layers: Sequence[Shape], n_tiles: int = 1) -> float:
    """Return the area of all arrays of a network, in m^2."""
    return n_arrays(method, n_tiles) * array_area_m2(layers)


# --- what a training did ------------------------------------------------------------------------


@dataclass(frozen=True)
class TrainingCosts:
    """What a training did for each of its samples, to stand beside the model.

    Attributes:
        pulses_per_cell: that reached a mean cell.
        n_slots: of all tiles; the model has ``n_pulses`` for each update of a tile.
        n_reads: columns or rows, of all tiles; the model has ``product_s`` for each.
        n_products: vectors that were multiplied with a tile, which the model leaves out.
        time_s: as the tiles counted it, products included, one tile after the other.
        energy_j: as the tiles counted it.
        modelled_s: slots and reads at the times of the model, one tile after the other.
    """

    pulses_per_cell: float
    n_slots: float
    n_reads: float
    n_products: float
    time_s: float
    energy_j: float
    modelled_s: float


def training_costs(
    counts: TileCounts, n_cells: int, n_samples: int, constants: CostConstants = PAPER
) -> TrainingCosts:
    """Return what a training did for each of its samples.

    An image is a sample, also where it is many vectors to a convolution, all of which count here.

    Args:
        counts: summed over all tiles of all layers; see ``tally``.
        n_cells: of all these tiles together.
        n_samples: that were trained on: epochs times images.
        constants: times of the model.

    Raises:
        ParameterError: no cells or no samples.
    """
    if n_cells < 1 or n_samples < 1:
        raise ParameterError(
            f"{n_cells} cells and {n_samples} samples: costs per sample need 1 of both or more"
        )
    modelled_s = counts.n_slots * constants.slot_s + counts.n_reads * constants.product_s
    return TrainingCosts(
        pulses_per_cell=counts.n_pulses / n_cells / n_samples,
        n_slots=counts.n_slots / n_samples,
        n_reads=counts.n_reads / n_samples,
        n_products=counts.n_products / n_samples,
        time_s=counts.time_s / n_samples,
        energy_j=counts.energy_j / n_samples,
        modelled_s=modelled_s / n_samples,
    )
