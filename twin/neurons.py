"""The neurons of a network as a circuit: all devices conduct at once into summing amplifiers.

Every synapse is a branch (device, series resistor, switch) from its input to the virtual ground of
its neuron's summing amplifier. That ground stands at the amplifier's offset V_os, so a branch sees
V_i - V_os, also where its input is at 0 V. What a neuron subtracts comes through a resistor from an
inverting amplifier: the sum of all inputs, through R_ref, or, of differential pairs, the current of
the minus devices. With R_f for the feedback and without errors

    V_sum = R_f (sum_i I_i - sum_i V_i / R_ref)    or    R_f (sum_i I_i+ - sum_i I_i-)

Hidden neurons put out V_sum clipped to 0..clip_v and drive the next layer; behind the last one
comparators say whether V_sum is positive. Quasi-static: all layers are driven for the same settling
time, and hidden outputs stand from its beginning. The circuit is assumed; that of arXiv 2408.14680
is not public.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.errors import StationError
from hil.station import NeuronsTable
from hil.types import BoardInfo, FloatArray, IndexArray, Synapses
from twin.neuron_parts import LayerParts, PartsBin
from twin.plant import Plant, PlantInputs, PlantOutputs

Joules = FloatArray
"""In the devices, in their series resistors, in their switches; shape (3,)."""


@dataclass(frozen=True)
class Answer:
    """What a network answered to one image.

    Attributes:
        hidden_v: outputs of the hidden neurons, layer by layer, shape (n_hidden,).
        output_v: of the last summing amplifiers, shape (n_outputs,).
        decisions: of the comparators, shape (n_outputs,).
        joules: what it cost in all branches.
    """

    hidden_v: FloatArray
    output_v: FloatArray
    decisions: NDArray[np.bool_]
    joules: Joules


class NeuronLayer:
    """Branches of one layer and the amplifiers that sum their currents.

    Args:
        plant: that the branches are part of.
        parts: of its neurons.
        halves: devices of each branch, shape (n_inputs, n_neurons): plus devices, and minus devices
            where synapses are pairs.
        i_limit_a: of each device of the plant.
    """

    def __init__(
        self,
        plant: Plant,
        parts: LayerParts,
        halves: Sequence[IndexArray],
        i_limit_a: FloatArray,
    ) -> None:
        self._plant = plant
        self._parts = parts
        self._shape = halves[0].shape
        self._index = np.concatenate([half.ravel() for half in halves])
        self._i_limit_a = i_limit_a[self._index]
        # Small-signal and once per network: devices keep their state at the voltages of a read.
        into_v = branch_siemens(plant, self._index).reshape(len(halves), *self._shape).sum(axis=1)
        self._plus_siemens = into_v[0]
        self._minus_siemens = into_v[1] if len(halves) == 2 else np.zeros(0)

    def sums_v(
        self, inputs_v: FloatArray, dt_s: float, rng: np.random.Generator
    ) -> tuple[FloatArray, Joules]:
        """Drive every branch for ``dt_s``; return V_sum of each neuron and what it cost.

        Others than these devices do not rest meanwhile: who keeps the time sees to it.
        """
        parts = self._parts
        ground_v, inverter_v = parts.summing.ground_v(rng), parts.inverting.ground_v(rng)
        is_paired = len(self._minus_siemens) > 0
        grounds_v = [ground_v, inverter_v] if is_paired else [ground_v]
        across_v = np.concatenate([np.subtract.outer(inputs_v, v_v).ravel() for v_v in grounds_v])
        out = self._plant.drive(PlantInputs(self._index, across_v, self._i_limit_a), dt_s)
        currents_a = out.i_end_a.reshape(len(grounds_v), *self._shape).sum(axis=1)
        subtracted_a, load_siemens = (
            (currents_a[1], self._minus_siemens)
            if is_paired
            else input_current(inputs_v, inverter_v, parts.input_ohm)
        )
        subtracted_v = parts.inverting.sum_v(subtracted_a, inverter_v, load_siemens)
        through_a = (subtracted_v + ground_v) / parts.coupling_ohm
        load_siemens = self._plus_siemens + 1 / parts.coupling_ohm
        sums_v = parts.summing.sum_v(currents_a[0] - through_a, ground_v, load_siemens)
        return sums_v, joules_of(out)

    def decide(self, sums_v: FloatArray) -> NDArray[np.bool_]:
        """Return what the comparators behind the sums say."""
        said: NDArray[np.bool_] = sums_v + self._parts.comparator_offset_v > 0
        return said


class NeuronNetwork:
    """Layers in a row.

    Args:
        layers: at least one.
        clip_v: where the output of a hidden neuron ends.
        settle_s: how long an image is driven.
        rng: noise of the amplifiers.
    """

    def __init__(
        self,
        layers: Sequence[NeuronLayer],
        clip_v: float,
        settle_s: float,
        rng: np.random.Generator,
    ) -> None:
        self._layers = layers
        self._clip_v = clip_v
        self._settle_s = settle_s
        self._rng = rng

    def answer(self, inputs_v: FloatArray) -> Answer:
        """Drive one image, shape (n_inputs,); devices outside of the network do not rest."""
        hidden: list[FloatArray] = [np.zeros(0)]
        driven_v, sums_v, joules = inputs_v, np.zeros(0), np.zeros(3)
        for layer in self._layers:
            sums_v, cost = layer.sums_v(driven_v, self._settle_s, self._rng)
            driven_v = np.clip(sums_v, 0.0, self._clip_v)
            hidden.append(driven_v)
            joules = joules + cost
        decisions = self._layers[-1].decide(sums_v)
        return Answer(np.concatenate(hidden[:-1]), sums_v, decisions, joules)


class NeuronCircuit:
    """The neurons of a board, to be wired to its devices.

    Args:
        table: ``[neurons]`` of the station.
        parts: its amplifiers and resistors.
        rng: noise of the amplifiers.
    """

    def __init__(self, table: NeuronsTable, parts: PartsBin, rng: np.random.Generator) -> None:
        self.table = table
        self._parts = parts
        self._rng = rng

    def wire(
        self, plant: Plant, info: BoardInfo, layers: Sequence[Synapses], i_limit_a: FloatArray
    ) -> NeuronNetwork:
        """Return the network; layers and their cells are checked.

        Raises:
            StationError: no resistors for the dopant of a layer.
        """
        wired = [self._layer(k, plant, info, layer, i_limit_a) for k, layer in enumerate(layers)]
        return NeuronNetwork(wired, self.table.clip_v, self.table.settle_s, self._rng)

    def _layer(
        self, k: int, plant: Plant, info: BoardInfo, layer: Synapses, i_limit_a: FloatArray
    ) -> NeuronLayer:
        dopant = info.device_at(layer.plus[0, 0]).dopant
        resistors = self.table.resistors(dopant)
        if resistors is None:
            raise StationError(
                f"station {info.station!r} has no resistors for neurons of {dopant.value} devices; "
                f"add a table [neurons.{dopant.value}]"
            )
        halves = [layer.plus] if layer.minus is None else [layer.plus, layer.minus]
        shape = layer.n_inputs, layer.n_neurons
        parts = self._parts.take(k, shape, dopant, resistors, pairs=len(halves) == 2)
        index = [info.index_of(half.reshape(-1, 2)).reshape(shape) for half in halves]
        return NeuronLayer(plant, parts, index, i_limit_a)


def branch_siemens(plant: Plant, index: IndexArray) -> FloatArray:
    """Return the small-signal conductance of devices with what is in series and in parallel."""
    g_siemens = plant.devices.conductance_siemens(index) + plant.load_siemens
    siemens: FloatArray = g_siemens / (1 + g_siemens * plant.r_path_ohm[index])
    return siemens


def input_current(
    inputs_v: FloatArray, ground_v: FloatArray, input_ohm: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the current of all inputs into one virtual ground, and the conductance there.

    Args:
        inputs_v: shape (n_inputs,).
        ground_v: shape (1,).
        input_ohm: shape (n_inputs,).

    Returns:
        Both of shape (1,).
    """
    siemens = 1 / input_ohm
    return np.array([(inputs_v - ground_v) @ siemens]), np.array([siemens.sum()])


def joules_of(out: PlantOutputs) -> Joules:
    """Return what all branches of a step dissipated."""
    return np.array([out.device_j.sum(), out.series_j.sum(), out.switch_j.sum()])
