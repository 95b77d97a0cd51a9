"""What every board owes to its callers: twins, wires of all kinds, and ``--board STATION``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from hil.board import Board
from hil.errors import BoardError, HilError, LimitError, UnsupportedError, UsageError
from hil.instruments.accuracy import KEITHLEY_2400
from hil.types import (
    ONE_AT_A_TIME,
    Capability,
    Dopant,
    EnergySplit,
    FloatArray,
    Pulses,
    Readings,
    Source,
    Synapses,
)
from tests.support.rigs import Rig, in_process_rig, small_network, small_station
from twin.plant import PlantInputs, PlantOutputs

READ_V = 0.1
SET_V, RESET_V, WIDTH_S = 0.5, -1.0, 0.02
NAN, INF = float("nan"), float("inf")


def first(board: Board, n: int = 1) -> Any:
    return board.info.cells_of(Dopant.W)[:n]


def arrays_of(result: Readings | Pulses | EnergySplit) -> dict[str, FloatArray]:
    values = {f.name: getattr(result, f.name) for f in fields(result)}
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


# --- what it says of itself ---------------------------------------------------------------------


def test_info_tells_what_was_opened(rig: Rig) -> None:
    info, station = rig.board.info, rig.station
    assert info.station == station.name
    assert info.source is station.source
    assert info.source_reason == ""
    assert info.devices == station.devices
    assert info.shape == (1, len(station.devices))
    neurons = {Capability.INFER} if rig.kind == "twin" else set()
    assert info.capabilities - {Capability.INFER} == ONE_AT_A_TIME
    if rig.kind != "--board":
        assert info.capabilities == ONE_AT_A_TIME | neurons
    assert (info.neuron_clip_v is not None) == (Capability.INFER in info.capabilities)
    assert info.identity
    assert 0 < info.min_pulse_width_s <= WIDTH_S
    assert rig.board.limits == station.limits


def test_a_twin_says_so_everywhere(twin_rig: Rig) -> None:
    readings = twin_rig.board.measure(first(twin_rig.board), READ_V)
    pulses = twin_rig.board.pulse(first(twin_rig.board), SET_V, WIDTH_S)
    trace = twin_rig.board.sweep(first(twin_rig.board), [0.1], 0.01)
    assert {twin_rig.board.info.source, readings.source, pulses.source, trace.source} == {
        Source.TWIN
    }
    assert any("twin" in text.lower() for text in twin_rig.board.info.identity.values())


# --- results ------------------------------------------------------------------------------------


def test_readings_have_one_entry_a_cell_in_the_order_asked(rig: Rig) -> None:
    cells = rig.board.info.cells_of(Dopant.W)[[2, 0, 1]]
    readings = rig.board.measure(cells, [0.1, 0.08, 0.06])
    assert len(readings) == 3
    assert readings.cells.tolist() == cells.tolist()
    assert readings.v_read_v.tolist() == [0.1, 0.08, 0.06]
    shapes = {a.shape for a in arrays_of(readings).values()} - {(3, 2)}
    assert shapes == {(3,)}
    assert {a.shape for a in arrays_of(readings.energy).values()} == {(3,)}
    assert (np.diff(readings.t_s) > 0).all()
    assert (readings.g_siemens > 0).all()
    assert (readings.g_expanded_siemens > 0).all()
    assert readings.v_source_v == pytest.approx(readings.v_read_v, rel=0.02)


def test_pulses_have_one_entry_a_cell_in_the_order_asked(rig: Rig) -> None:
    cells = first(rig.board, 2)[::-1]
    pulses = rig.board.pulse(cells, [SET_V, RESET_V], [WIDTH_S, 2 * WIDTH_S], 3)
    assert len(pulses) == 2
    assert pulses.cells.tolist() == cells.tolist()
    assert pulses.n_pulses.tolist() == [3, 3]
    assert pulses.amplitude_v.tolist() == [SET_V, RESET_V]
    assert pulses.width_s.tolist() == [WIDTH_S, 2 * WIDTH_S]
    assert (pulses.width_measured_s >= pulses.width_s * (1 - 1e-9)).all()
    assert (np.diff(pulses.t_s) > 0).all()
    assert np.sign(pulses.i_end_a).tolist() == [1, -1]


def test_on_a_twin_a_pulse_is_as_wide_as_asked(twin_rig: Rig) -> None:
    pulses = twin_rig.board.pulse(first(twin_rig.board), SET_V, [0.0375], 4)
    assert pulses.width_measured_s == pytest.approx([0.0375], abs=1e-9)


def test_the_same_cell_may_stand_twice_in_one_request(rig: Rig) -> None:
    cell = first(rig.board)[0].tolist()
    readings = rig.board.measure([cell, cell], READ_V)
    assert readings.g_siemens[0] == pytest.approx(readings.g_siemens[1], rel=0.05)


# --- physics ------------------------------------------------------------------------------------


def test_set_raises_and_reset_lowers_the_conductance(rig: Rig) -> None:
    cells = first(rig.board, 2)
    rig.board.pulse(cells, RESET_V, 0.1)
    low = rig.board.measure(cells, READ_V).g_siemens
    rig.board.pulse(cells, SET_V, WIDTH_S)
    high = rig.board.measure(cells, READ_V).g_siemens
    rig.board.pulse(cells, RESET_V, 0.1)
    again = rig.board.measure(cells, READ_V).g_siemens
    assert (high > 2 * low).all()
    assert (again < high / 2).all()


def test_reads_do_not_change_a_device(twin_rig: Rig) -> None:
    board = twin_rig.board
    cells = board.info.cells_of(Dopant.W)
    board.pulse(cells, SET_V, WIDTH_S)
    before = twin_rig.truth_siemens(cells)
    for _ in range(3):
        board.measure(cells, READ_V)
    board.matvec([READ_V / 2])
    if can_infer(twin_rig):
        board.infer(small_network(board), np.full((5, 3), READ_V))
    assert twin_rig.truth_siemens(cells).tolist() == before.tolist()


def test_two_reads_agree_within_their_uncertainty(rig: Rig) -> None:
    cells = first(rig.board, 2)
    one, two = (rig.board.measure(cells, READ_V) for _ in range(2))
    assert (abs(one.g_siemens - two.g_siemens) <= one.g_expanded_siemens).all()


@pytest.mark.parametrize("amplitude_v", [RESET_V, 0.25, 0.5, 1.0])
def test_conductance_is_true_within_its_uncertainty(twin_rig: Rig, amplitude_v: float) -> None:
    board = twin_rig.board
    cells = np.concatenate([board.info.cells_of(Dopant.W), board.info.cells_of(Dopant.CR)])
    board.pulse(cells, amplitude_v, WIDTH_S)
    readings = board.measure(cells, READ_V)
    off = abs(readings.g_siemens - twin_rig.truth_siemens(cells, readings.v_device_v))
    assert (off <= readings.g_expanded_siemens).all()
    assert (readings.g_expanded_siemens < 0.2 * readings.g_siemens + 1e-6).all(), "says nothing"


def test_a_read_in_the_reset_direction_is_possible_if_it_is_meant(rig: Rig) -> None:
    cell = first(rig.board)
    forward = rig.board.measure(cell, 0.05)
    reverse = rig.board.measure(cell, -0.05, allow_reverse=True)
    assert reverse.i_a[0] < 0 < forward.i_a[0]
    within = forward.g_expanded_siemens + reverse.g_expanded_siemens
    assert abs(reverse.g_siemens - forward.g_siemens)[0] <= within[0]


def test_a_sweep_follows_its_waveform(rig: Rig) -> None:
    waveform_v = 0.6 * np.sin(2 * np.pi * np.arange(1, 25) / 24)
    start_s = rig.board.clock.now_s()
    trace = rig.board.sweep(first(rig.board), waveform_v, 0.01)
    assert trace.cell == tuple(first(rig.board)[0])
    assert {a.shape for a in (trace.t_s, trace.v_source_v, trace.v_device_v, trace.i_a)} == {(24,)}
    assert trace.v_source_v == pytest.approx(waveform_v, abs=2e-3)
    assert (np.diff(trace.t_s) >= 0.01 - 1e-9).all()
    assert 0 < trace.t_s[0] - start_s <= 0.01 + 2e-3  # measured as soon as it has settled
    assert (abs(trace.v_device_v) <= abs(trace.v_source_v) + 1e-3).all()
    conducting = abs(waveform_v) > 0.2
    assert (np.sign(trace.i_a) == np.sign(waveform_v))[conducting].all()
    rising, falling = trace.i_a[2], trace.i_a[8]  # the same voltage, before and after the peak
    assert falling > 1.05 * rising, "no hysteresis"


def test_matvec_is_the_sum_of_what_was_measured(rig: Rig) -> None:
    product = rig.board.matvec([READ_V])
    info = rig.board.info
    assert product.currents_a.shape == (info.shape[1],)
    assert product.readings is not None
    assert len(product.readings) == len(info.devices)
    assert (
        product.currents_a[product.readings.cells[:, 1]].tolist() == product.readings.i_a.tolist()
    )
    singly = rig.board.measure(info.all_cells, READ_V)
    assert product.currents_a == pytest.approx(singly.i_a, rel=2e-3, abs=2e-9)


def can_infer(rig: Rig) -> bool:
    return Capability.INFER in rig.board.info.capabilities


def test_a_board_infers_or_says_that_it_cannot_and_does_nothing(rig: Rig) -> None:
    board, layers = rig.board, small_network(rig.board)
    inputs_v = [[READ_V, 0.0, 0.05], [0.0, 0.0, 0.0]]
    before = rig.traces()
    if not can_infer(rig):
        with pytest.raises(UnsupportedError, match="infer"):
            board.infer(layers, inputs_v)
        assert rig.traces() == before
        return
    start_s = board.clock.now_s()
    found = board.infer(layers, inputs_v)
    assert len(found) == 2
    assert found.inputs_v.tolist() == inputs_v
    assert found.source is board.info.source
    assert {a.shape for a in (found.hidden_v, found.output_v, found.decisions)} == {(2, 1)}
    assert board.info.neuron_clip_v is not None
    assert ((found.hidden_v >= 0) & (found.hidden_v <= board.info.neuron_clip_v)).all()
    assert found.decisions.dtype == bool
    assert found.t_s == pytest.approx(start_s + np.cumsum(found.width_s), abs=1e-8)
    assert board.clock.now_s() == pytest.approx(found.t_s[-1], abs=1e-8)
    assert {a.shape for a in arrays_of(found.energy).values()} == {(2,)}
    assert (found.energy.source_j > 0).all(), "an input of 0 V still sees the amplifier's offset"
    assert (found.energy.instrument_j > 0).all()


# --- energy -------------------------------------------------------------------------------------


class Ledger:
    """What the plant itself gave and took, for what it drove."""

    def __init__(self, rig: Rig) -> None:
        assert rig.plant is not None
        self.source_j = self.device_j = 0.0
        drive = rig.plant.drive

        def noting(inputs: PlantInputs, dt_s: FloatArray | float) -> PlantOutputs:
            outputs = drive(inputs, dt_s)
            self.source_j += float((inputs.v_source_v * outputs.charge_c).sum())
            self.device_j += float(outputs.device_j.sum())
            return outputs

        setattr(rig.plant, "drive", noting)  # noqa: B010 (a method of an instance)


def operate(board: Board, what: str) -> EnergySplit:
    match what:
        case "measure":
            return board.measure(first(board, 2), READ_V).energy
        case "set":
            return board.pulse(first(board, 2), SET_V, WIDTH_S, 3).energy
        case "reset":
            return board.pulse(first(board, 2), RESET_V, WIDTH_S, 3).energy
        case _:
            return board.sweep(first(board), 0.6 * np.sin(np.arange(1, 31) / 5), 0.01).energy


@pytest.mark.parametrize("what", ["measure", "set", "reset", "sweep"])
def test_energy_goes_somewhere(rig: Rig, what: str) -> None:
    energy = operate(rig.board, what)
    parts = [energy.device_j, energy.series_j, energy.switch_j, energy.half_select_j]
    total = energy.source_j
    assert (total > 0).all()
    assert sum(parts) == pytest.approx(total, rel=1e-6)
    assert all((part >= -1e-12 * total).all() for part in parts)
    assert (energy.instrument_j > 0).all()
    device = rig.board.info.device_at(first(rig.board)[0])
    circuit = rig.station.table.circuit
    share = energy.switch_j / energy.series_j
    nominal = circuit.switch_resistance_ohm / device.series_resistor_ohm
    assert share == pytest.approx(nominal, rel=2.1 * circuit.tolerance_ratio)  # of either


# How far the energy of a run may be from what the source of the twin gave, V times its charge.
# integral: tolerances of the device model. trapezoid: the instrument's gain and offset (0.027 % +
# 300 uV of 0.1 V in a read), and two samples a pulse, the first of them 1 ms after the edge.
ENERGY_RTOL = {
    ("integral", "measure"): 1e-6,
    ("integral", "set"): 1e-6,
    ("integral", "reset"): 1e-6,
    ("integral", "sweep"): 1e-6,
    ("trapezoid", "measure"): 0.01,
    ("trapezoid", "set"): 0.05,
    ("trapezoid", "reset"): 0.05,
    ("trapezoid", "sweep"): 0.05,
}


@pytest.mark.parametrize("what", ["measure", "set", "reset", "sweep"])
def test_energy_is_what_the_source_gave(twin_rig: Rig, what: str) -> None:
    twin_rig.board.pulse(first(twin_rig.board, 2), SET_V, WIDTH_S)
    ledger = Ledger(twin_rig)
    energy = operate(twin_rig.board, what)
    rtol = ENERGY_RTOL[energy.method, what]
    assert energy.source_j.sum() == pytest.approx(ledger.source_j, rel=rtol)
    assert energy.device_j.sum() == pytest.approx(ledger.device_j, rel=3 * rtol)


# --- refusals -----------------------------------------------------------------------------------

Request = Callable[[Board], object]

LIMITS = (
    "[limits.C]\n"
    "max_current_a = 2e-6\n"  # below what 0.1 V drives through 47 kohm
    "[limits.Cr]\n"
    "max_pulse_width_s = 0.05\n"
)


def limit(board: Board, name: str, dopant: Dopant = Dopant.W) -> float:
    return float(getattr(board.limits[dopant], name))


def short_circuit_v(board: Board) -> float:
    """Return a voltage that a short in place of the first device would make too much."""
    device = board.info.device_at(first(board)[0])
    return limit(board, "max_current_a") * device.series_resistor_ohm * 1.05


TOO_MUCH: dict[str, Request] = {
    "no read voltage": lambda b: b.measure(first(b), 0.0),
    "reverse read": lambda b: b.measure(first(b), -0.05),
    "large read": lambda b: b.measure(first(b), 1.01 * limit(b, "max_read_v")),
    "large reverse read": lambda b: b.measure(
        first(b), -1.01 * limit(b, "max_read_v"), allow_reverse=True
    ),
    "NaN read": lambda b: b.measure(first(b), NAN),
    "infinite read": lambda b: b.measure(first(b), INF),
    "the last of many reads": lambda b: b.measure(first(b, 3), [0.1, 0.1, 1.0]),
    "large SET": lambda b: b.pulse(first(b), 1.01 * limit(b, "max_voltage_v"), WIDTH_S),
    "large RESET": lambda b: b.pulse(first(b), -1.01 * limit(b, "max_voltage_v"), WIDTH_S),
    "NaN pulse": lambda b: b.pulse(first(b), NAN, WIDTH_S),
    "infinite pulse": lambda b: b.pulse(first(b), -INF, WIDTH_S),
    "the last of many pulses": lambda b: b.pulse(first(b, 2), [SET_V, 9.0], WIDTH_S),
    "long pulse": lambda b: b.pulse(first(b), SET_V, 1.01 * limit(b, "max_pulse_width_s")),
    "short pulse": lambda b: b.pulse(first(b), SET_V, 0.99 * b.info.min_pulse_width_s),
    "pulse of no width": lambda b: b.pulse(first(b), SET_V, 0.0),
    "pulse of negative width": lambda b: b.pulse(first(b), SET_V, -WIDTH_S),
    "pulse of NaN width": lambda b: b.pulse(first(b), SET_V, NAN),
    "the last width": lambda b: b.pulse(first(b, 2), SET_V, [WIDTH_S, 0.001]),
    "large sweep": lambda b: b.sweep(first(b), [0.1, 9.0, 0.1], 0.01),
    "large negative sweep": lambda b: b.sweep(first(b), [0.1, -9.0, 0.1], 0.01),
    "NaN sweep": lambda b: b.sweep(first(b), [0.1, NAN], 0.01),
    "large matvec": lambda b: b.matvec([1.01 * limit(b, "max_read_v")]),
    "reverse matvec": lambda b: b.matvec([-0.05]),
    "NaN matvec": lambda b: b.matvec([NAN]),
}

NONSENSE: dict[str, Request] = {
    "cell right of the board": lambda b: b.measure([[0, b.info.shape[1]]], READ_V),
    "cell below the board": lambda b: b.pulse([[1, 0]], SET_V, WIDTH_S),
    "negative cell": lambda b: b.measure([[0, -1]], READ_V),
    "one of two cells": lambda b: b.measure([[0, 0], [7, 7]], READ_V),
    "no cells": lambda b: b.measure([], READ_V),
    "no cells of a shape": lambda b: b.measure(np.zeros((0, 2), int), READ_V),
    "a flat cell": lambda b: b.measure([0, 0], READ_V),
    "three indices": lambda b: b.measure([[0, 0, 0]], READ_V),
    "cells that are no integers": lambda b: b.measure([[0.0, 0.0]], READ_V),
    "cells that are truths": lambda b: b.measure([[False, True]], READ_V),
    "two voltages for one cell": lambda b: b.measure(first(b), [0.1, 0.1]),
    "two widths for three cells": lambda b: b.pulse(first(b, 3), SET_V, [WIDTH_S, WIDTH_S]),
    "a table of amplitudes": lambda b: b.pulse(first(b), [[SET_V]], WIDTH_S),
    "no pulses": lambda b: b.pulse(first(b), SET_V, WIDTH_S, 0),
    "negative pulses": lambda b: b.pulse(first(b), SET_V, WIDTH_S, -3),
    "sweep of two cells": lambda b: b.sweep(first(b, 2), [0.1], 0.01),
    "sweep of no points": lambda b: b.sweep(first(b), [], 0.01),
    "sweep of a table": lambda b: b.sweep(first(b), [[0.1]], 0.01),
    "sweep in no time": lambda b: b.sweep(first(b), [0.1], 0.0),
    "sweep in NaN time": lambda b: b.sweep(first(b), [0.1], NAN),
    "sweep in infinite time": lambda b: b.sweep(first(b), [0.1], INF),
    "sweep outside": lambda b: b.sweep([0, 99], [0.1], 0.01),
    "inputs of a wrong length": lambda b: b.matvec([0.1, 0.1]),
    "inputs without row": lambda b: b.matvec(0.1),
    "nothing to multiply": lambda b: b.matvec([0.0]),
}


def infer(
    inputs_v: Any, change: Callable[[list[Synapses]], Any] = lambda layers: layers
) -> Request:
    return lambda b: b.infer(change(small_network(b)), inputs_v)


INFER_TOO_MUCH: dict[str, Request] = {
    "large input": infer([[0.0, 1.01 * READ_V, 0.0]]),
    "negative input": infer([[0.05, -0.001, 0.0]]),
    "NaN input": infer([[0.05, NAN, 0.0]]),
    "infinite input": infer([[0.05, INF, 0.0]]),
    "the last of many images": infer([[0.05, 0.05, 0.0], [0.0, 0.0, 1.0]]),
}

INFER_NONSENSE: dict[str, Request] = {
    "no layers": infer([[0.0, 0.0, 0.0]], lambda layers: []),
    "a flat image": infer([0.0, 0.0, 0.0]),
    "no image": infer(np.zeros((0, 3))),
    "an image of another size": infer([[0.05, 0.05]]),
    "layers that do not fit": infer([[0.05]], lambda layers: layers[::-1]),
    "a device twice": infer([[0.05, 0.05, 0.05]], lambda layers: [layers[0], layers[0]][:1] * 2),
    "a device of two layers": infer(
        [[0.05] * 3], lambda layers: [layers[0], Synapses(layers[0].plus[:1])]
    ),
    "a pair of one device": infer(
        [[0.05] * 3], lambda layers: [Synapses(layers[0].plus, layers[0].plus)]
    ),
    "two dopants in a layer": infer(
        [[0.05, 0.05]], lambda layers: [Synapses(np.array([[[0, 0]], [[0, 4]]]))]
    ),
    "a layer outside the board": infer([[0.05]], lambda layers: [Synapses(np.array([[[0, 99]]]))]),
}


def refusal(request: Request, board: Board) -> HilError | None:
    """Return how a request was refused; None if it was carried out."""
    try:
        request(board)
    except (LimitError, UsageError) as error:
        return error
    return None


def test_what_cannot_be_is_refused_and_nothing_is_sent(rig: Rig) -> None:
    rig.board.pulse(first(rig.board), SET_V, WIDTH_S)
    before = rig.traces()
    limits, nonsense = dict(TOO_MUCH), dict(NONSENSE)
    if can_infer(rig):
        limits |= INFER_TOO_MUCH
        nonsense |= INFER_NONSENSE
    for name, request in (limits | nonsense).items():
        error = refusal(request, rig.board)
        assert type(error) is (LimitError if name in limits else UsageError), name
        assert "\n" not in str(error), name
        assert rig.traces() == before, name


def test_the_current_of_a_short_is_refused_and_nothing_is_sent() -> None:
    rig = in_process_rig(small_station(extra=LIMITS))
    (c,), (cr,) = rig.cells_of(Dopant.C), rig.cells_of(Dopant.CR)
    with rig.board as board:
        before = rig.traces()
        for refused in (
            lambda: board.measure([c], 0.1),
            lambda: board.pulse([c], 0.2, WIDTH_S),
            lambda: board.pulse([c], -0.2, WIDTH_S),
            lambda: board.pulse([(0, 0), c], 0.2, WIDTH_S),
            lambda: board.sweep(c, [0.01, -0.2], 0.01),
            lambda: board.matvec([0.1]),
        ):
            with pytest.raises(LimitError, match="the limit of C devices is 2 µA"):
                refused()
        with pytest.raises(LimitError, match="limit of 50 ms for Cr"):
            board.pulse([cr], 0.2, 0.051)
        assert rig.traces() == before
        assert board.measure([c], 0.09).g_siemens[0] > 0
        assert len(board.pulse([cr], 0.2, 0.05)) == 1


def test_what_is_just_allowed_is_done(rig: Rig) -> None:
    board = rig.board
    assert len(board.measure(first(board), limit(board, "max_read_v"))) == 1
    highest_v = min(limit(board, "max_voltage_v"), short_circuit_v(board) / 1.06)
    assert len(board.pulse(first(board), highest_v, board.info.min_pulse_width_s)) == 1
    assert len(board.pulse(first(board), -highest_v, board.info.min_pulse_width_s)) == 1


# --- being safe, being closed, time -------------------------------------------------------------


def test_make_safe_may_come_at_any_time_and_twice(rig: Rig) -> None:
    rig.board.make_safe()
    rig.board.make_safe()
    before = rig.board.measure(first(rig.board), READ_V).g_siemens
    rig.board.make_safe()
    after = rig.board.measure(first(rig.board), READ_V)
    assert abs(after.g_siemens - before)[0] <= after.g_expanded_siemens[0]
    rig.board.make_safe()


@pytest.mark.parametrize(
    "use",
    [
        lambda b: b.measure([[0, 0]], READ_V),
        lambda b: b.pulse([[0, 0]], SET_V, WIDTH_S),
        lambda b: b.sweep([0, 0], [0.1], 0.01),
        lambda b: b.matvec([READ_V]),
        lambda b: b.infer(small_network(b), [[READ_V, 0.0, 0.0]]),
    ],
)
def test_a_closed_board_is_closed(rig: Rig, use: Request) -> None:
    rig.board.close()
    rig.board.close()
    with pytest.raises(BoardError, match="closed"):
        use(rig.board)


def test_leaving_the_context_by_an_error_closes_and_tells(rig: Rig) -> None:
    rig.board.pulse(first(rig.board), SET_V, WIDTH_S)
    with pytest.raises(ZeroDivisionError), rig.board as entered:
        raise ZeroDivisionError
    assert entered is rig.board
    with pytest.raises(BoardError, match="closed"):
        rig.board.measure(first(rig.board), READ_V)


def test_the_clock_only_goes_forward(rig: Rig) -> None:
    clock = rig.board.clock
    times = [clock.now_s()]
    for act in (
        lambda: rig.board.measure(first(rig.board), READ_V),
        lambda: clock.sleep_s(0.0),
        lambda: clock.sleep_s(-1.0),
        lambda: rig.board.pulse(first(rig.board), SET_V, WIDTH_S),
        lambda: clock.sleep_s(0.05),
        rig.board.make_safe,
    ):
        act()
        times.append(clock.now_s())
    assert (np.diff(times) >= 0).all()
    assert times[1] - times[0] >= 0.02
    assert times[4] - times[3] >= WIDTH_S - 1e-9
    assert times[5] - times[4] >= 0.05 - 1e-9
    if rig.plant is not None:
        assert times[2:4] == [times[1], times[1]]
        assert times[5] - times[4] == pytest.approx(0.05, abs=1e-8)


def test_a_twin_sleeps_for_hours_in_no_time(twin_rig: Rig) -> None:
    board = twin_rig.board
    before, start_s = twin_rig.truth_siemens([[0, 0]]), board.clock.now_s()
    board.clock.sleep_s(100.0)
    assert board.clock.now_s() - start_s == pytest.approx(100.0, abs=1e-6)
    assert twin_rig.truth_siemens([[0, 0]]).tolist() == before.tolist()
    assert len(board.measure(first(board), READ_V)) == 1


def test_no_switch_moves_under_voltage(wire_rig: Rig) -> None:
    board = wire_rig.board
    board.pulse(first(board, 4), SET_V, WIDTH_S, 2)
    board.measure(board.info.all_cells, READ_V)
    board.sweep(first(board), [0.3, 0.4], 0.01)
    board.pulse(first(board, 3), RESET_V, WIDTH_S)
    board.make_safe()
    assert len(wire_rig.switched_at_v) > 20
    zero_v = float(KEITHLEY_2400.source_v.bound(0.0))  # level 0 of an instrument with an offset
    assert max(map(abs, wire_rig.switched_at_v)) <= zero_v


def test_one_seed_makes_one_board_noise_included(wire_rig: Rig) -> None:
    other = in_process_rig(small_station())
    with other.board:
        results = [
            (r.board.pulse(first(r.board), SET_V, WIDTH_S), r.board.measure(first(r.board), READ_V))
            for r in (wire_rig, other)
        ]
    (pulses, readings), (pulses_2, readings_2) = results
    assert arrays_of(pulses).keys()
    for name, values in (arrays_of(pulses) | arrays_of(readings)).items():
        assert values.tolist() == (arrays_of(pulses_2) | arrays_of(readings_2))[name].tolist(), name


def test_the_contract_on_real_devices(request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("--board"):
        pytest.skip("opt-in: pytest tests/contract --board STATION runs this contract on a bench")
