"""Inference on the board: inputs are driven as voltages, outputs are what the board measures.

The network is never multiplied out here. Either the controller sums the currents that it measures,
one device after the other through the switch, and is the neurons itself (``ControllerNeurons``); or
the neurons are a circuit on the board that sees all devices at once (``CircuitNeurons``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hil.board import Board
from hil.types import BoardInfo, CellArray, FloatArray, Synapses
from procedures.learning.images import N_PIXELS
from procedures.learning.mapping import DIFFERENTIAL, ConductanceWindow, WeightMap
from procedures.learning.network import N_HIDDEN, N_WEIGHTS

CONTROLLER, CIRCUIT = "controller", "circuit"
NEURONS = (CONTROLLER, CIRCUIT)


@dataclass(frozen=True)
class Wiring:
    """Which device carries which weight.

    Attributes:
        cells: shape (30, 2), in the order of ``network.outputs``; (60, 2) for pairs, all plus
            devices first.
        weight_map: weights on their conductances.
    """

    cells: CellArray
    weight_map: WeightMap

    @classmethod
    def on(
        cls, info: BoardInfo, cells: CellArray, window: ConductanceWindow, scheme: str
    ) -> Wiring:
        """Return the wiring of the first devices of ``cells``.

        Raises:
            ParameterError: they sit behind different resistors.
        """
        n_devices = N_WEIGHTS * (2 if scheme == DIFFERENTIAL else 1)
        cells = cells[:n_devices]
        return cls(cells, WeightMap.on(info, cells, window, scheme))

    @property
    def layers(self) -> tuple[Synapses, Synapses]:
        """Both layers, 9 to 3 and 3 to 1."""
        halves = np.split(self.cells, self.weight_map.n_devices_per_weight)
        n_first = N_PIXELS * N_HIDDEN
        hidden = [half[:n_first].reshape(N_PIXELS, N_HIDDEN, 2) for half in halves]
        last = [half[n_first:].reshape(N_HIDDEN, 1, 2) for half in halves]
        return Synapses(*hidden), Synapses(*last)


@dataclass(frozen=True)
class Response:
    """What the network answered; voltages and currents in units of a weight of one at full scale.

    Attributes:
        hidden: outputs of the hidden neurons, 0..1, shape (n_images, 3).
        output: input of the comparator, shape (n_images,).
        decision: class, 0 or 1, shape (n_images,), integer.
        source_j: energy that the source, or the circuit's inputs, delivered.
    """

    hidden: FloatArray
    output: FloatArray
    decision: FloatArray
    source_j: float


class Neurons(Protocol):
    """Whatever turns images into answers with the devices of a board."""

    def respond(self, images: FloatArray) -> Response:
        """Drive images of shape (n_images, 9), one after the other.

        Costs reads of every lit device, or one settling time of the circuit, for each image.

        Raises:
            RunAborted: the run was asked to stop; images so far are lost to the caller.
        """
        ...


@dataclass(frozen=True)
class _OnBoard:
    """What neurons of either kind need.

    Attributes:
        board: that the devices sit on.
        wiring: which is which.
        v_read_v: full scale of an input, and of a hidden neuron.
        stop_if_asked: called before an image, or some; raises to leave.
    """

    board: Board
    wiring: Wiring
    v_read_v: float
    stop_if_asked: Callable[[], None]


class ControllerNeurons(_OnBoard):
    """The controller drives one device at a time and sums what it measures.

    Hidden neurons clip to 0..1 of the read voltage and drive the second layer with that. The
    reference conductance of a neuron is a number in the controller: it sees the voltages that the
    instrument reported with each current.
    """

    def respond(self, images: FloatArray) -> Response:
        """Drive images one after the other; see ``Neurons``."""
        first, last = self.wiring.layers
        hidden, output = np.zeros((len(images), N_HIDDEN)), np.zeros(len(images))
        source_j = 0.0
        for k, image in enumerate(images):
            self.stop_if_asked()
            sums, spent_j = self._sums(first, image)
            hidden[k] = np.clip(sums, 0.0, 1.0)
            (output[k],), more_j = self._sums(last, hidden[k])
            source_j += spent_j + more_j
        return Response(hidden, output, (output > 0).astype(np.int64), source_j)

    def _sums(self, layer: Synapses, inputs: FloatArray) -> tuple[FloatArray, float]:
        """Return the weighted sum of each neuron, from the currents of its synapses, and joule."""
        sums_a, source_j = self._currents(layer.plus, inputs)
        if layer.minus is not None:
            less_a, more_j = self._currents(layer.minus, inputs)
            sums_a, source_j = sums_a - less_a, source_j + more_j
        return sums_a / (self.wiring.weight_map.unit_siemens * self.v_read_v), source_j

    def _currents(self, cells: CellArray, inputs: FloatArray) -> tuple[FloatArray, float]:
        """Return the current into each neuron less that of the reference conductance, and joule."""
        n_neurons = cells.shape[1]
        lit = np.flatnonzero(inputs > 0)
        if not len(lit):
            return np.zeros(n_neurons), 0.0
        v_v = np.repeat(inputs[lit] * self.v_read_v, n_neurons)
        readings = self.board.measure(cells[lit].reshape(-1, 2), v_v)
        reference_a = self.wiring.weight_map.reference_siemens * readings.v_source_v
        sums_a: FloatArray = (readings.i_a - reference_a).reshape(len(lit), n_neurons).sum(axis=0)
        return sums_a, float(readings.energy.source_j.sum())


class CircuitNeurons(_OnBoard):
    """Summing amplifiers and a comparator on the board, which has the capability ``infer``.

    They see all devices at once.
    """

    def respond(self, images: FloatArray) -> Response:
        """Drive images one after the other; see ``Neurons``."""
        parts = []
        for start in range(0, len(images), _BLOCK):
            self.stop_if_asked()
            inputs_v = images[start : start + _BLOCK] * self.v_read_v
            parts.append(self.board.infer(self.wiring.layers, inputs_v))
        return Response(
            np.concatenate([part.hidden_v for part in parts]) / self.v_read_v,
            np.concatenate([part.output_v[:, 0] for part in parts]) / self.v_read_v,
            np.concatenate([part.decisions[:, 0] for part in parts]).astype(np.int64),
            sum(float(part.energy.source_j.sum()) for part in parts),
        )


_BLOCK = 64
"""Images that are driven before anybody asks whether to stop: at 1 ms each, a moment."""


def make_neurons(
    kind: str, board: Board, wiring: Wiring, v_read_v: float, stop_if_asked: Callable[[], None]
) -> Neurons:
    """Return neurons of a kind: ``controller`` or ``circuit``."""
    neurons = CircuitNeurons if kind == CIRCUIT else ControllerNeurons
    return neurons(board, wiring, v_read_v, stop_if_asked)
