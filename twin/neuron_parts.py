"""The parts of a neuron circuit: amplifiers and resistors, as one board has them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hil.station import NeuronResistorsTable, NeuronsTable
from hil.types import Dopant, FloatArray

Stream = Callable[[str], np.random.Generator]
"""Gives the random numbers of one part by its name, always the same ones."""


@dataclass(frozen=True)
class Amplifiers:
    """Inverting amplifiers that sum currents; arrays of shape (n_amplifiers,).

    Attributes:
        feedback_ohm: of each.
        offset_v: between the inputs of each: where its virtual ground stands.
        noise_v: rms of the noise at the input, from one image to the next.
        open_loop_gain: of all of them.
        supply_v: their rails.
    """

    feedback_ohm: FloatArray
    offset_v: FloatArray
    noise_v: float
    open_loop_gain: float
    supply_v: float

    def ground_v(self, rng: np.random.Generator) -> FloatArray:
        """Return where each virtual ground stands during one image: its offset and its noise.

        The noise is drawn once per image and stands still for as long: like the offset, it reaches
        the output through the noise gain, because it drives every resistor at the input.
        """
        ground_v: FloatArray = self.offset_v + self.noise_v * rng.standard_normal(
            len(self.offset_v)
        )
        return ground_v

    def sum_v(
        self, current_a: FloatArray, ground_v: FloatArray, load_siemens: FloatArray
    ) -> FloatArray:
        """Return minus the output of each: positive for a positive current into its input.

        Args:
            current_a: into each virtual ground.
            ground_v: where that stands.
            load_siemens: conductance of all that is connected to it, but the feedback.
        """
        noise_gain = 1 + self.feedback_ohm * load_siemens
        wanted_v = self.feedback_ohm * current_a - ground_v
        sum_v: FloatArray = np.clip(
            wanted_v / (1 + noise_gain / self.open_loop_gain), -self.supply_v, self.supply_v
        )
        return sum_v


@dataclass(frozen=True)
class LayerParts:
    """All parts of the neurons of one layer.

    Attributes:
        summing: one amplifier per neuron.
        inverting: what is subtracted passes through these: one for the layer, which sums its
            inputs; for differential pairs one per neuron, which sums the currents of minus devices.
        input_ohm: resistor from each input to the one inverting amplifier, shape (n_inputs,); empty
            for pairs.
        coupling_ohm: from an inverting amplifier to each summing one, shape (n_neurons,).
        comparator_offset_v: of the comparator behind each, shape (n_neurons,).
    """

    summing: Amplifiers
    inverting: Amplifiers
    input_ohm: FloatArray
    coupling_ohm: FloatArray
    comparator_offset_v: FloatArray


class PartsBin:
    """Gives the parts of a layer: each part drawn for itself, once for a seed.

    Offsets are normal, resistors uniform within their tolerance. Each dopant has a circuit of its
    own; a neuron keeps its parts whatever else a network has.

    Args:
        table: ``[neurons]`` of the station; its values are assumed.
        tolerance_ratio: of resistors.
        stream: random numbers of a part; None for an ideal circuit: no offsets, no noise, nominal
            resistors, infinite gain.
    """

    def __init__(self, table: NeuronsTable, tolerance_ratio: float, stream: Stream | None) -> None:
        self._table = table
        self._tolerance_ratio = tolerance_ratio
        self._stream = stream

    def take(
        self,
        layer: int,
        shape: tuple[int, int],
        dopant: Dopant,
        resistors: NeuronResistorsTable,
        *,
        pairs: bool,
    ) -> LayerParts:
        """Return the parts of a layer.

        Args:
            layer: its place in the network, from 0.
            shape: (n_inputs, n_neurons).
            dopant: of its devices.
            resistors: nominal ones.
            pairs: whether its synapses are differential pairs.
        """
        n_inputs, n_neurons = shape
        names = [f"{dopant.value} {layer} {neuron}" for neuron in range(n_neurons)]
        normal, error = (np.stack(drawn) for drawn in zip(*map(self._neuron, names), strict=True))
        feedback_ohm = resistors.of_pairs_ohm if pairs else resistors.feedback_ohm
        summing = self._amplifiers(feedback_ohm * error[:, 0], normal[:, 0])
        table = self._table
        comparator_offset_v = table.comparator_offset_v * normal[:, 1]
        if pairs:
            inverting = self._amplifiers(feedback_ohm * error[:, 1], normal[:, 2])
            input_ohm, coupling_ohm = np.zeros(0), feedback_ohm * error[:, 2]
        else:
            one_normal, one_error = self._draw(f"{dopant.value} {layer} inverter", 1, 1 + n_inputs)
            inverter_ohm = resistors.reference_ohm * one_error  # equal ones; any value would do
            inverting = self._amplifiers(inverter_ohm[:1], one_normal)
            input_ohm, coupling_ohm = inverter_ohm[1:], resistors.reference_ohm * error[:, 2]
        return LayerParts(summing, inverting, input_ohm, coupling_ohm, comparator_offset_v)

    def _neuron(self, name: str) -> tuple[FloatArray, FloatArray]:
        return self._draw(name, 3, 3)

    def _draw(self, name: str, n_normal: int, n_uniform: int) -> tuple[FloatArray, FloatArray]:
        """Return standard normals, and by what factor resistors are off."""
        if self._stream is None:
            return np.zeros(n_normal), np.ones(n_uniform)
        rng = self._stream(name)
        normal = rng.standard_normal(n_normal)
        return normal, 1 + self._tolerance_ratio * rng.uniform(-1, 1, n_uniform)

    def _amplifiers(self, feedback_ohm: FloatArray, normal: FloatArray) -> Amplifiers:
        table, is_ideal = self._table, self._stream is None
        return Amplifiers(
            feedback_ohm,
            table.offset_v * normal,
            0.0 if is_ideal else table.noise_v,
            np.inf if is_ideal else table.open_loop_gain,
            table.supply_v,
        )
