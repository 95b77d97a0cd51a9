"""Training methods by name: how the weights of a layer become tiles and what trains them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from hil.tiles import TileMaker, WeightArray
from procedures.learning.analog.carry import CarriedWeights, CarrySettings
from procedures.learning.analog.chopped import ChoppedSettings, ChoppedTikiTaka
from procedures.learning.analog.dynamic import DynamicSettings, DynamicTikiTaka
from procedures.learning.analog.network import MakeWeights
from procedures.learning.analog.residual import (
    ResidualSchedule,
    ResidualWeights,
    published_schedule,
)
from procedures.learning.analog.tiki_taka import BufferedTikiTaka, TikiTaka, TikiTakaSettings
from procedures.learning.analog.weights import (
    AnalogSGD,
    DigitalWeights,
    LayerWeights,
    MixedPrecision,
)

_SEEDS_OF_A_LAYER = 100


class Method(StrEnum):
    """How weights are trained."""

    DIGITAL = "digital"
    ANALOG_SGD = "analog-sgd"
    MIXED_PRECISION = "mixed-precision"
    TIKI_TAKA = "tiki-taka-1"
    BUFFERED = "tiki-taka-2"
    CHOPPED = "chopped-2"
    DYNAMIC = "agad"
    RESIDUAL = "residual"
    CARRY = "carry"

    @property
    def is_digital_memory_small(self) -> bool:
        """Whether digital memory grows with the sides of a layer, not with its area."""
        return self in (Method.ANALOG_SGD, Method.TIKI_TAKA, Method.RESIDUAL, Method.CARRY)


@dataclass(frozen=True)
class MethodSettings:
    """Settings of all methods; each takes its own.

    Attributes:
        residual: of ``residual``.
        carry: of ``carry``.
        tiki_taka: of ``tiki-taka-1`` and ``tiki-taka-2``.
        chopped: of ``chopped-2``.
        dynamic: of ``agad``.
        transfer_every: of ``mixed-precision``: minibatches.
    """

    residual: ResidualSchedule = field(default_factory=lambda: published_schedule(4))
    carry: CarrySettings = field(default_factory=CarrySettings)
    tiki_taka: TikiTakaSettings = field(default_factory=TikiTakaSettings)
    chopped: ChoppedSettings = field(default_factory=ChoppedSettings)
    dynamic: DynamicSettings = field(default_factory=DynamicSettings)
    transfer_every: int = 1


def make_weights(
    method: Method, make_tile: TileMaker, seed: int, settings: MethodSettings
) -> MakeWeights:
    """Return what makes the weights of each layer of a network.

    Args:
        method: which one.
        make_tile: of a shape and a seed.
        seed: of the run; each layer takes its tiles' seeds from it.
        settings: of the method.
    """

    def of_layer(weights: WeightArray, number: int) -> LayerWeights:
        return _MAKERS[method](
            make_tile, weights, (1000 * seed + number) * _SEEDS_OF_A_LAYER, settings
        )

    return of_layer


_Maker = Callable[[TileMaker, WeightArray, int, MethodSettings], LayerWeights]

_MAKERS: dict[Method, _Maker] = {
    Method.DIGITAL: lambda _, w, seed, s: DigitalWeights(w),
    Method.ANALOG_SGD: lambda make, w, seed, s: AnalogSGD(make, w, seed),
    Method.MIXED_PRECISION: lambda make, w, seed, s: MixedPrecision(
        make, w, seed, s.transfer_every
    ),
    Method.TIKI_TAKA: lambda make, w, seed, s: TikiTaka(make, w, seed, s.tiki_taka),
    Method.BUFFERED: lambda make, w, seed, s: BufferedTikiTaka(make, w, seed, s.tiki_taka),
    Method.CHOPPED: lambda make, w, seed, s: ChoppedTikiTaka(make, w, seed, s.chopped),
    Method.DYNAMIC: lambda make, w, seed, s: DynamicTikiTaka(make, w, seed, s.dynamic),
    Method.RESIDUAL: lambda make, w, seed, s: ResidualWeights(make, w, seed, s.residual),
    Method.CARRY: lambda make, w, seed, s: CarriedWeights(make, w, seed, s.carry),
}
