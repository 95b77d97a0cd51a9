"""Inference on the board: what is driven, what is measured, and what comes out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import hil
from hil.errors import RunAborted
from hil.station import load_station, parse_station
from hil.types import Dopant, FloatArray
from procedures.learning.inference import (
    CIRCUIT,
    CONTROLLER,
    NEURONS,
    ControllerNeurons,
    Wiring,
    make_neurons,
)
from procedures.learning.mapping import DEFAULT_WINDOWS, DIFFERENTIAL, REFERENCE
from procedures.learning.network import N_WEIGHTS, outputs, split
from procedures.learning.tasks import make_task

V_READ_V = 0.1


def nobody_stops() -> None:
    pass


@pytest.fixture
def board() -> Iterator[Any]:
    """Noise, offsets and tolerances off: what is left is the devices."""
    text = load_station("twin").text.replace("instrument_noise = true", "instrument_noise = false")
    with hil.open_board(parse_station(text)) as opened:
        yield opened


def wired(board: Any, weights: FloatArray, scheme: str = REFERENCE) -> Wiring:
    """Devices that carry these weights, without programming them."""
    cells = board.info.cells_of(Dopant.W)
    if scheme == DIFFERENTIAL:  # pairs for part of the network would do; here all sit in one bank
        cells = np.concatenate([cells, cells])
    wiring = Wiring.on(board.info, cells, DEFAULT_WINDOWS[Dopant.W], scheme)
    if scheme == REFERENCE:
        g = wiring.weight_map.conductances(weights)
        r = wiring.weight_map.r_path_ohm
        board.adopt(wiring.cells, g, V_READ_V / (1 + r * g))
    return wiring


@pytest.mark.parametrize("kind", NEURONS)
def test_the_board_computes_what_its_weights_say(board: Any, kind: str) -> None:
    rng = np.random.default_rng(4)
    weights = rng.uniform(-0.8, 0.8, N_WEIGHTS)
    neurons = make_neurons(kind, board, wired(board, weights), V_READ_V, nobody_stops)
    images = make_task("T/L").images
    response = neurons.respond(images)
    hidden = np.clip(images @ split(weights)[0], 0, 1)
    # full-scale inputs see the conductance that was adopted; parts see that of a lower voltage
    assert response.hidden == pytest.approx(hidden, abs=0.02)
    assert response.output == pytest.approx(outputs(weights, images), abs=0.15)
    assert response.source_j > 0


def test_controller_and_circuit_agree(board: Any) -> None:
    weights = np.random.default_rng(5).uniform(-0.8, 0.8, N_WEIGHTS)
    wiring = wired(board, weights)
    images = make_task("T/L").test(40, hil_noise(), np.random.default_rng(1))[0]
    answers = {
        kind: make_neurons(kind, board, wiring, V_READ_V, nobody_stops).respond(images)
        for kind in (CONTROLLER, CIRCUIT)
    }
    for name in ("hidden", "output"):
        one, other = (getattr(answers[kind], name) for kind in (CONTROLLER, CIRCUIT))
        assert one == pytest.approx(other, abs=5e-3), name
    assert (answers[CONTROLLER].decision == answers[CIRCUIT].decision).mean() > 0.95


def hil_noise() -> Any:
    from procedures.learning.tasks import Noise

    return Noise(0.1)


class Noting:
    """Passes reads on, and remembers what was asked."""

    def __init__(self, board: Any) -> None:
        self._board = board
        self.asked: list[tuple[int, FloatArray]] = []

    def measure(self, cells: Any, v_read_v: Any) -> Any:
        self.asked.append((len(cells), np.asarray(v_read_v)))
        return self._board.measure(cells, v_read_v)


def test_only_lit_pixels_are_driven_and_never_beyond_the_read_voltage(board: Any) -> None:
    noting = Noting(board)
    wiring = wired(board, np.full(N_WEIGHTS, 0.5))
    neurons = ControllerNeurons(noting, wiring, V_READ_V, nobody_stops)  # type: ignore[arg-type]
    image = np.zeros((1, 9))
    image[0, [0, 4]] = (1.0, 0.5)
    response = neurons.respond(image)
    (n_first, first_v), (n_last, last_v) = noting.asked
    assert (n_first, n_last) == (6, 3)
    assert first_v == pytest.approx([0.1] * 3 + [0.05] * 3)
    assert last_v == pytest.approx(response.hidden[0] * 0.1)
    assert (last_v > 0).all()
    assert (last_v <= 0.1).all()


def test_a_dark_image_drives_nothing(board: Any) -> None:
    noting = Noting(board)
    wiring = wired(board, np.full(N_WEIGHTS, 0.5))
    neurons = ControllerNeurons(noting, wiring, V_READ_V, nobody_stops)  # type: ignore[arg-type]
    response = neurons.respond(np.zeros((2, 9)))
    assert noting.asked == []
    assert response.output.tolist() == [0.0, 0.0]
    assert response.decision.tolist() == [0, 0]


@pytest.mark.parametrize("kind", NEURONS)
def test_inference_leaves_the_devices_as_they_are(board: Any, kind: str) -> None:
    wiring = wired(board, np.random.default_rng(6).uniform(-0.9, 0.9, N_WEIGHTS))
    before = board.measure(wiring.cells, V_READ_V).g_siemens
    make_neurons(kind, board, wiring, V_READ_V, nobody_stops).respond(make_task("bars").images)
    after = board.measure(wiring.cells, V_READ_V).g_siemens
    assert after == pytest.approx(before, rel=1e-6)


@pytest.mark.parametrize("kind", NEURONS)
def test_it_stops_before_an_image_if_asked(board: Any, kind: str) -> None:
    def stop() -> None:
        raise RunAborted("stopped on request")

    neurons = make_neurons(kind, board, wired(board, np.zeros(N_WEIGHTS)), V_READ_V, stop)
    with pytest.raises(RunAborted):
        neurons.respond(make_task("X/O").images)


def test_pairs_are_wired_plus_before_minus(board: Any) -> None:
    hidden, last = wired(board, np.zeros(N_WEIGHTS), DIFFERENTIAL).layers
    assert hidden.plus.shape == (9, 3, 2)
    assert hidden.minus is not None
    assert hidden.minus.shape == (9, 3, 2)
    assert last.minus is not None
    assert last.minus.shape == (3, 1, 2)
