"""The neuron circuit of the twin: single parts and one layer by hand, then whole boards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.boards.follower import Follower
from hil.boards.shadow import ShadowBoard
from hil.errors import LimitError, StationError, UnsupportedError
from hil.opening import open_board, open_twins
from hil.station import NeuronResistorsTable, NeuronsTable, Station
from hil.store import RunDatabase, RunWriter
from hil.types import CellArray, Dopant, FloatArray, Synapses
from tests.support.rigs import NEURONS, Rig, direct_rig, small_network, small_station
from tests.support.store_samples import run_start
from twin.neuron_parts import Amplifiers, LayerParts, PartsBin
from twin.neurons import NeuronLayer, NeuronNetwork
from twin.plant import Plant
from twin.references import References

RESISTORS = NeuronResistorsTable(reference_ohm=25e3, feedback_ohm=10e3)
TABLE = NeuronsTable(W=RESISTORS)
DEVICES_OHM = np.array([10e3, 40e3])  # behind 10 kohm: branches of 50 uS and 20 uS
NO_NOISE = "noise_v = 0.0\n"


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def amplifiers(
    feedback_ohm: float = 10e3,
    offset_v: float = 0.0,
    *,
    noise_v: float = 0.0,
    gain: float = np.inf,
    supply_v: float = 5.0,
) -> Amplifiers:
    return Amplifiers(np.array([feedback_ohm]), np.array([offset_v]), noise_v, gain, supply_v)


def plant_of(devices_ohm: FloatArray, r_series_ohm: float = 10e3) -> Plant:
    return Plant(References(devices_ohm), np.full(len(devices_ohm), r_series_ohm), 0.0)


def layer_of(summing: Amplifiers, inverting: Amplifiers, *, pairs: bool = False) -> NeuronLayer:
    """Return one neuron: two inputs and a reference of 40 uS, or one input and a pair."""
    input_ohm = np.zeros(0) if pairs else np.full(2, 10e3)
    coupling_ohm = np.array([10e3 if pairs else 25e3])
    parts = LayerParts(summing, inverting, input_ohm, coupling_ohm, np.zeros(1))
    halves = [np.array([[0]]), np.array([[1]])] if pairs else [np.array([[0], [1]])]
    return NeuronLayer(plant_of(DEVICES_OHM), parts, halves, np.full(2, 1e-3))


def sum_v(layer: NeuronLayer, *inputs_v: float) -> float:
    return float(layer.sums_v(np.array(inputs_v), 1e-3, rng())[0][0])


# --- parts by hand ------------------------------------------------------------------------------


def test_an_ideal_neuron_by_hand() -> None:
    layer = layer_of(amplifiers(), amplifiers())
    assert sum_v(layer, 0.1, 0.05) == pytest.approx(0.0, abs=1e-12)  # 6 uA less 6 uA
    assert sum_v(layer, 0.1, 0.0) == pytest.approx(0.01)  # 5 uA less 4 uA
    assert sum_v(layer, 0.0, 0.1) == pytest.approx(-0.02)  # 2 uA less 4 uA
    assert sum_v(layer, 0.0, 0.0) == 0.0


def test_an_offset_comes_out_times_the_noise_gain() -> None:
    noise_gain = 1 + 10e3 * (70e-6 + 40e-6)
    for inputs_v, ideal_v in (((0.1, 0.0), 0.01), ((0.0, 0.0), 0.0)):
        layer = layer_of(amplifiers(offset_v=1e-3), amplifiers())
        assert sum_v(layer, *inputs_v) == pytest.approx(ideal_v - 1e-3 * noise_gain)


def test_the_offset_of_the_inverter_comes_out_through_the_reference() -> None:
    layer = layer_of(amplifiers(), amplifiers(offset_v=1e-3))
    assert sum_v(layer, 0.1, 0.0) == pytest.approx(0.01 + 3 * 1e-3 * 10e3 / 25e3)


def test_a_pair_by_hand() -> None:
    assert sum_v(layer_of(amplifiers(), amplifiers(), pairs=True), 0.1) == pytest.approx(0.03)
    offset = layer_of(amplifiers(), amplifiers(offset_v=1e-3), pairs=True)
    assert sum_v(offset, 0.1) == pytest.approx(0.03 + 1e-3 * (1 + 10e3 * 20e-6))
    offset = layer_of(amplifiers(offset_v=1e-3), amplifiers(), pairs=True)
    assert sum_v(offset, 0.1) == pytest.approx(0.03 - 1e-3 * (1 + 10e3 * (50e-6 + 100e-6)))


def test_a_finite_gain_divides_by_what_the_noise_gain_leaves() -> None:
    layer = layer_of(amplifiers(gain=21.0), amplifiers())
    assert sum_v(layer, 0.1, 0.0) == pytest.approx(0.01 / (1 + 2.1 / 21))


def test_rails_stop_an_amplifier() -> None:
    layer = layer_of(amplifiers(10e6, supply_v=2.0), amplifiers())
    assert (sum_v(layer, 0.1, 0.0), sum_v(layer, 0.0, 0.1)) == (2.0, -2.0)
    stuck = layer_of(amplifiers(), amplifiers(10e6, supply_v=0.02))
    assert sum_v(stuck, 0.1, 0.0) == pytest.approx((5e-6 - 0.02 / 25e3) * 10e3)


def test_noise_is_drawn_for_each_image() -> None:
    noisy = amplifiers(noise_v=1e-3)
    stream = rng()
    drawn_v = np.concatenate([noisy.ground_v(stream) for _ in range(4000)])
    assert drawn_v.std() == pytest.approx(1e-3, rel=0.05)
    assert abs(drawn_v.mean()) < 1e-4
    layer = layer_of(noisy, amplifiers())
    outputs_v = [layer.sums_v(np.zeros(2), 1e-3, stream)[0][0] for _ in range(2000)]
    assert np.std(outputs_v) == pytest.approx(2.1e-3, rel=0.06)


def test_a_hidden_neuron_clips_and_a_comparator_decides() -> None:
    layer = layer_of(amplifiers(100e3), amplifiers())
    after = Plant(References(np.array([10e3])), np.array([10e3]), 0.0)
    parts = LayerParts(
        amplifiers(), amplifiers(), np.array([10e3]), np.array([25e3]), np.array([-1.5e-4])
    )
    last = NeuronLayer(after, parts, [np.array([[0]])], np.full(1, 1e-3))
    network = NeuronNetwork([layer, last], 0.08, 1e-3, rng())
    answers = [network.answer(np.array(v)) for v in ([0.1, 0.0], [0.0, 0.1], [0.015, 0.0])]
    assert [float(a.hidden_v[0]) for a in answers] == pytest.approx([0.08, 0.0, 0.015])
    assert [float(a.output_v[0]) for a in answers] == pytest.approx([0.008, 0.0, 0.0015])
    assert [bool(a.decisions[0]) for a in answers] == [True, False, True]
    weak = network.answer(np.array([0.001, 0.0]))
    assert 0 < float(weak.output_v[0]) < 1.5e-4
    assert not weak.decisions[0]


@given(
    st.lists(st.floats(1e3, 1e6), min_size=16, max_size=16),
    st.lists(st.floats(0, 0.1), min_size=3, max_size=3),
    st.booleans(),
)
@settings(deadline=None, max_examples=50)
def test_ideal_neurons_sum_what_their_branches_conduct(
    devices_ohm: list[float], image_v: list[float], pairs: bool
) -> None:
    """Two neurons on three inputs, then one on two: R_f (sum I - sum V / R_ref), clipped."""
    b = 1 / (np.array(devices_ohm) + 10e3)
    plant = plant_of(np.array(devices_ohm))
    bin_ = PartsBin(TABLE, 0.01, None)
    half = np.arange(8)
    shapes, cuts = [(3, 2), (2, 1)], [half[:6], half[6:8]]
    layers, expected_v = [], np.array(image_v)
    for k, (shape, cut) in enumerate(zip(shapes, cuts, strict=True)):
        halves = [cut.reshape(shape), cut.reshape(shape) + 8] if pairs else [cut.reshape(shape)]
        parts = bin_.take(k, shape, Dopant.W, RESISTORS, pairs=pairs)
        layers.append(NeuronLayer(plant, parts, halves, np.full(16, 1e-3)))
        less = b[halves[1]] if pairs else 1 / RESISTORS.reference_ohm
        feedback_ohm = RESISTORS.of_pairs_ohm if pairs else RESISTORS.feedback_ohm
        sums_v = feedback_ohm * expected_v @ (b[halves[0]] - less)
        expected_v = np.clip(sums_v, 0, 0.1)
    answer = NeuronNetwork(layers, 0.1, 1e-3, rng()).answer(np.array(image_v))
    assert answer.output_v == pytest.approx(sums_v, rel=1e-9, abs=1e-12)
    assert answer.decisions.tolist() == (answer.output_v > 0).tolist()


# --- what is drawn ------------------------------------------------------------------------------


def bin_of(seed: int) -> PartsBin:
    return PartsBin(TABLE, 0.01, lambda name: np.random.default_rng([seed, *name.encode()]))


def drawn(
    seed: int, shape: tuple[int, int] = (3, 2), layer: int = 0, pairs: bool = False
) -> LayerParts:
    return bin_of(seed).take(layer, shape, Dopant.W, RESISTORS, pairs=pairs)


def test_a_seed_is_one_circuit() -> None:
    one, again = drawn(1), drawn(1)
    assert one.summing.feedback_ohm.tolist() == again.summing.feedback_ohm.tolist()
    assert one.input_ohm.tolist() == again.input_ohm.tolist()
    others = drawn(2), drawn(1, layer=1)
    assert len({float(p.summing.offset_v[0]) for p in (one, *others)}) == 3
    assert len({*one.summing.offset_v, *one.comparator_offset_v, *one.inverting.offset_v}) == 5


@pytest.mark.parametrize("pairs", [False, True])
def test_a_neuron_keeps_its_parts_whatever_else_there_is(pairs: bool) -> None:
    few, many = drawn(1, (3, 2), pairs=pairs), drawn(1, (3, 5), pairs=pairs)
    assert many.summing.feedback_ohm[:2].tolist() == few.summing.feedback_ohm.tolist()
    assert many.coupling_ohm[:2].tolist() == few.coupling_ohm.tolist()
    assert many.comparator_offset_v[:2].tolist() == few.comparator_offset_v.tolist()


def test_resistors_are_within_their_tolerance_and_offsets_as_wide_as_they_say() -> None:
    many = drawn(1, (50, 400), pairs=True)
    for r_ohm in (many.summing.feedback_ohm, many.inverting.feedback_ohm, many.coupling_ohm):
        error = r_ohm / 5e3 - 1
        assert 0.009 < abs(error).max() <= 0.01
    assert many.summing.offset_v.std() == pytest.approx(1e-3, rel=0.15)
    assert many.comparator_offset_v.std() == pytest.approx(2e-3, rel=0.15)


# --- on a board ---------------------------------------------------------------------------------


def station(noise: bool = True, values: str = "", extra: str = "", **options: str) -> Station:
    neurons = NEURONS.replace("[neurons]\n", f"[neurons]\n{values}")
    return small_station("twin", noise=noise, extra=neurons + extra, **options)


def branches(rig: Rig, layer: Synapses) -> FloatArray:
    g_siemens = rig.truth_siemens(layer.cells)
    return (g_siemens / (1 + 10_075 * g_siemens)).reshape(layer.n_inputs, -1)


def programmed(made: Station, seed: int | None = None) -> Rig:
    rig = direct_rig(made, seed)
    rig.board.pulse(rig.board.info.cells_of(Dopant.W), [0.5, 0.4, 0.6, 0.5], 0.02)
    return rig


def test_a_board_without_errors_computes_with_its_conductances() -> None:
    rig = programmed(station(noise=False))
    layers = small_network(rig.board)
    inputs_v = np.array([[0.1, 0.0, 0.0], [0.0, 0.1, 0.02], [0.1, 0.1, 0.1], [0.0, 0.0, 0.0]])
    found = rig.board.infer(layers, inputs_v)
    hidden, last = (branches(rig, layer) - 1 / 23_520 for layer in layers)
    hidden_v = np.clip(38_650 * inputs_v @ hidden, 0, 0.1)
    assert found.hidden_v == pytest.approx(hidden_v, rel=1e-9, abs=1e-12)
    assert found.output_v == pytest.approx(38_650 * hidden_v @ last, rel=1e-9, abs=1e-12)
    assert found.decisions.tolist() == (found.output_v > 0).tolist()


def test_a_board_with_pairs() -> None:
    rig = programmed(station(noise=False))
    w = rig.board.info.cells_of(Dopant.W)
    layer = Synapses(w[:2].reshape(2, 1, 2), w[2:4].reshape(2, 1, 2))
    found = rig.board.infer([layer], [[0.1, 0.05]])
    b = branches(rig, Synapses(w[:4].reshape(4, 1, 2)))[:, 0]
    expected_v = 38_650 / 2 * np.array([0.1, 0.05]) @ (b[:2] - b[2:])
    assert found.output_v[0, 0] == pytest.approx(expected_v, rel=1e-9)
    assert found.hidden_v.shape == (1, 0)


def outputs(made: Station, seed: int, n_images: int = 3) -> FloatArray:
    rig = programmed(made, seed)
    return rig.board.infer(small_network(rig.board), np.full((n_images, 3), 0.05)).output_v


def test_one_seed_is_one_board() -> None:
    assert outputs(station(), 1).tolist() == outputs(station(), 1).tolist()
    assert outputs(station(), 1).tolist() != outputs(station(), 2).tolist()
    assert len(set(outputs(station(), 1).ravel())) == 3, "no noise"


def test_without_noise_a_circuit_repeats_itself_and_differs_from_the_next() -> None:
    quiet = station(values=NO_NOISE)
    assert np.ptp(outputs(quiet, 1)) == 0
    assert outputs(quiet, 1)[0, 0] != outputs(quiet, 2)[0, 0]


def test_inference_neither_needs_nor_disturbs_the_noise_of_the_instrument() -> None:
    with_it, without = (programmed(station()) for _ in range(2))
    with_it.board.infer(small_network(with_it.board), [[0.1, 0.1, 0.1]])
    readings = [rig.board.measure([[0, 0]], 0.1) for rig in (with_it, without)]
    assert readings[0].i_a.tolist() == readings[1].i_a.tolist()


def test_time_and_energy_of_every_image() -> None:
    rig = programmed(station(noise=False, values="settle_s = 2e-3\npower_w_per_neuron = 1e-3\n"))
    board, layers = rig.board, small_network(rig.board)
    start_s = board.clock.now_s()
    found = board.infer(layers, [[0.1, 0.1, 0.1], [0.0, 0.0, 0.0]])
    assert found.t_s - start_s == pytest.approx([2e-3, 4e-3])
    assert found.width_s.tolist() == [2e-3, 2e-3]
    assert board.clock.now_s() - start_s == pytest.approx(4e-3)
    energy = found.energy
    driven_v = np.array([0.1, 0.1, 0.1, found.hidden_v[0, 0]])
    b = np.concatenate([branches(rig, layer)[:, 0] for layer in layers])
    i_a = b * driven_v
    assert energy.source_j[0] == pytest.approx((driven_v * i_a).sum() * 2e-3)
    assert energy.series_j[0] == pytest.approx((10_000 * i_a**2).sum() * 2e-3)
    assert energy.switch_j[0] == pytest.approx((75 * i_a**2).sum() * 2e-3)
    assert energy.device_j[0] > 0
    assert energy.source_j[1] == 0, "ideal amplifiers drive nothing"
    assert energy.instrument_j == pytest.approx([2 * 1e-3 * 2e-3] * 2)
    assert energy.method == "integral"


def test_other_devices_rest_and_the_next_reading_connects_anew() -> None:
    rig = programmed(station(noise=False))
    wear = rig.plant.devices.wear(np.arange(6)) if rig.plant else None
    rig.board.measure([[0, 5]], 0.1)
    rig.board.infer(small_network(rig.board), [[0.1, 0.1, 0.1]])
    before_s = rig.board.clock.now_s()
    again = rig.board.measure([[0, 5]], 0.1)
    assert again.t_s[0] - before_s > again.width_s[0]
    assert rig.plant is not None
    assert wear is not None
    worn_c = rig.plant.devices.wear(np.arange(6)).charge_c - wear.charge_c
    assert (worn_c[:4] > 0).all()
    assert worn_c[4] == 0


def test_what_devices_relax_while_others_infer() -> None:
    """Time passes for all of the board: a volatile device is where a sleep would leave it."""
    made = station(noise=False, model="record")
    waiting, inferring = (programmed(made) for _ in range(2))
    cr = waiting.board.info.cells_of(Dopant.CR)
    for rig in (waiting, inferring):
        rig.board.pulse(cr, 0.8, 0.02)
    inferring.board.infer(small_network(inferring.board), np.full((40, 3), 0.05))
    waiting.board.clock.sleep_s(0.04)
    now = [rig.truth_siemens(cr)[0] for rig in (waiting, inferring)]
    assert now[0] == pytest.approx(now[1], rel=1e-9)


def test_limits_refuse_before_anything_is_driven() -> None:
    rig = programmed(station(extra="[limits.W]\nmax_read_v = 0.08\n"))
    layers, before = small_network(rig.board), rig.traces()
    with pytest.raises(LimitError, match="hidden neuron"):
        rig.board.infer(layers, [[0.05, 0.05, 0.05]])
    with pytest.raises(LimitError, match="input voltage 90 mV on W02"):
        rig.board.infer(layers[:1], [[0.05, 0.09, 0.05]])
    assert rig.traces() == before
    assert len(rig.board.infer(layers[:1], [[0.08, 0.08, 0.0]])) == 1


def test_a_dopant_without_resistors_is_refused_before_anything_is_driven() -> None:
    rig = programmed(station())
    before = rig.traces()
    for layers in (
        [Synapses(np.array([[[0, 5]]]))],
        [Synapses(np.array([[[0, 0]]])), Synapses(np.array([[[0, 4]]]))],
    ):
        with pytest.raises(StationError, match=r"\[neurons\.Cr?\]"):
            rig.board.infer(layers, [[0.01]])
    assert rig.traces() == before


@pytest.mark.parametrize(
    ("kind", "extra"), [("twin-wire", ""), ("twin-wire", NEURONS), ("twin", "")]
)
def test_who_has_no_neuron_circuit_says_so(kind: str, extra: str) -> None:
    with open_board(small_station(kind, extra=extra)) as board:
        before_s = board.clock.now_s()
        assert board.info.neuron_clip_v is None
        with pytest.raises(UnsupportedError, match=f"'{kind}' has no infer"):
            board.infer(small_network(board), [[0.1, 0.1, 0.1]])
        assert board.clock.now_s() == before_s


def network_of(board_cells: CellArray, shapes: Sequence[tuple[int, int]]) -> list[Synapses]:
    layers, start = [], 0
    for n_inputs, n_neurons in shapes:
        end = start + n_inputs * n_neurons
        layers.append(Synapses(board_cells[start:end].reshape(n_inputs, n_neurons, 2)))
        start = end
    return layers


@pytest.mark.parametrize("dopant", [Dopant.W, Dopant.CR, Dopant.C])
def test_the_shipped_twin_infers_with_all_dopants(dopant: Dopant) -> None:
    with open_board("twin") as board:
        layers = network_of(board.info.cells_of(dopant), [(9, 3), (3, 1)])
        found = board.infer(layers, 0.1 * np.eye(9)[:2])
    assert found.hidden_v.shape == (2, 3)
    assert found.output_v.shape == found.decisions.shape == (2, 1)


def test_a_shadow_lets_inference_pass_and_says_that_it_was_not_compared(tmp_path: Path) -> None:
    made = station()
    writer = RunWriter.begin(tmp_path / "a.db", run_start())
    board = direct_rig(made).board
    follower = Follower(open_twins(made, seed=2, source_reason="test"), board.info)
    with ShadowBoard(board, writer, follower) as shadow:
        shadow.measure([[0, 0]], 0.1)
        shadow.infer(small_network(shadow), np.full((100, 3), 0.1))
        shadow.measure([[0, 0]], 0.1)
        lag_s = shadow.clock.now_s() - follower.twin.clock.now_s()
    writer.finish("finished")
    assert lag_s == pytest.approx(0.0, abs=5e-3)
    with RunDatabase(tmp_path / "a.db") as database:
        kinds = [event["kind"] for event in database.run(writer.run_id)["events"]]
    assert kinds == ["inference", "shadow-skipped", "shadow"]
