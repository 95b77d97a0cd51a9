from __future__ import annotations

from pathlib import Path

import pytest

from hil.errors import StationError
from hil.limits import DEFAULT_LIMITS
from hil.station import load_station, parse_station, shipped_stations
from hil.types import Dopant, Source
from tests.support.rigs import NEURONS, station_text

TEXT = station_text()


def line_of(text: str, key: str) -> int:
    return next(k for k, line in enumerate(text.splitlines(), 1) if line.startswith(key))


def refusal(text: str) -> str:
    with pytest.raises(StationError) as error:
        parse_station(text, "bench.toml")
    message = str(error.value)
    assert message.startswith("bench.toml")
    assert "\n" not in message
    return message


def test_a_station_and_its_defaults() -> None:
    station = parse_station(TEXT, "bench.toml")
    assert (station.name, station.source, station.origin) == ("small", Source.TWIN, "bench.toml")
    assert station.text == TEXT
    assert [device.name for device in station.devices] == [
        *(f"W0{k}" for k in range(1, 5)),
        "Cr01",
        "C01",
    ]
    assert station.devices[4].dopant is Dopant.CR
    assert station.devices[4].series_resistor_ohm == 47_000
    assert station.limits == DEFAULT_LIMITS
    assert station.table.smu.line_frequency_hz == 50
    assert station.table.fallback == "none"


def test_devices_come_in_the_order_of_their_switches() -> None:
    text = TEXT.replace("position = 0", "position = 7")
    assert [device.name for device in parse_station(text).devices][-1] == "W01"


def test_a_device_takes_the_resistor_of_the_circuit_unless_it_names_one() -> None:
    text = TEXT.replace(", series_resistor_ohm = 47000.0", "", 1)
    resistors = [device.series_resistor_ohm for device in parse_station(text).devices]
    assert resistors == [10_000.0] * 5 + [47_000.0]


@pytest.mark.parametrize(
    ("old", "new", "key", "says"),
    [
        ("watchdog_s", "watch_dog_s", "switch_board.watch_dog_s", "no such key"),
        ("watchdog_s = 1.0", "watchdog_s = 0.01", "switch_board.watchdog_s", "0.1"),
        ('driver = "keithley2400"', 'driver = "abacus"', "smu.driver", "abacus"),
        ("75.0", "nan", "circuit.switch_resistance_ohm", ""),
        ('dopant = "Cr"', 'dopant = "Cu"', "devices.Cr01.dopant", "Cu"),
        ("position = 3", "position = -3", "devices.W04.position", "-3"),
        ("position = 3", "position = 2", "devices.W04.position", "W03"),
        ("position = 3", "position = 99", "devices.W04.position", "0 to 7"),
        ('"U1.3"', '"U1.2"', "devices.W04.package_pin", "W03"),
        ('source = "twin"', 'source = "hope"', "source", "hope"),
        ('source = "twin"', 'source = "bench"', "smu.address", "bench"),
        ('fallback = "none"', 'fallback = "prayer"', "fallback", "prayer"),
        ('name = "small"', 'name = "two words"', "name", "two words"),
        ("instrument_noise = true", "instrument_noise = 3", "twin.instrument_noise", "3"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(old: str, new: str, key: str, says: str) -> None:
    assert old in TEXT
    text = TEXT.replace(old, new, 1)
    message = refusal(text)
    table, *rest = key.split(".")
    line = line_of(text, rest[0] if rest else table)
    assert f"line {line}: {key}: " in message
    assert says in message


def test_what_is_missing_is_named() -> None:
    assert "smu.driver: this key is missing" in refusal(TEXT.replace('driver = "keithley2400"', ""))
    without_smu = TEXT[: TEXT.index("[smu]")] + TEXT[TEXT.index("[switch_board]") :]
    assert "smu: this key is missing" in refusal(without_smu)
    assert "devices" in refusal(TEXT[: TEXT.index("[devices]")] + "[devices]\n")


def test_an_address_that_is_none_in_a_simulated_station() -> None:
    text = TEXT.replace('address = "twin:"', 'address = "GPIB0::24::INSTR"', 1)
    assert "smu.address" in refusal(text)
    text = text.replace('board = "twin-wire"', 'board = "smu"')
    assert parse_station(text).table.smu.address == "GPIB0::24::INSTR"


def test_text_that_is_no_toml() -> None:
    assert "line 2" in refusal("\nname = \n")


def test_limits_may_be_tightened_but_widened_only_with_a_reason() -> None:
    def with_limits(lines: str) -> str:
        return TEXT.replace("[devices]", f"[limits.C]\n{lines}\n[devices]")

    tight = parse_station(with_limits("max_voltage_v = 0.5")).limits
    assert tight[Dopant.C].max_voltage_v == 0.5
    assert tight[Dopant.C].max_current_a == 50e-6
    assert tight[Dopant.W] == DEFAULT_LIMITS[Dopant.W]
    message = refusal(with_limits("max_current_a = 1e-3"))
    assert "limits.C" in message
    assert "reason" in message
    assert "reason" in refusal(with_limits('max_current_a = 1e-3\nreason = " "'))
    wide = parse_station(with_limits('max_current_a = 1e-3\nreason = "measured"')).limits
    assert wide[Dopant.C].max_current_a == 1e-3
    assert "max_current_a" in refusal(with_limits("max_current_a = 0"))


def test_a_neuron_circuit_and_its_defaults() -> None:
    text = TEXT.replace("[devices]", f"{NEURONS}[devices]")
    neurons = parse_station(text).table.neurons
    assert neurons is not None
    assert (neurons.clip_v, neurons.settle_s, neurons.supply_v) == (0.1, 1e-3, 5.0)
    of_w = neurons.resistors(Dopant.W)
    assert of_w is not None
    assert of_w.of_pairs_ohm == of_w.feedback_ohm / 2
    assert neurons.resistors(Dopant.C) is neurons.resistors(Dopant.REFERENCE) is None
    assert parse_station(TEXT).table.neurons is None


@pytest.mark.parametrize(
    ("lines", "key", "says"),
    [
        ("[neurons]\nsettle_s = 1e-3\n", "neurons", "W, Cr or C"),
        (f"{NEURONS}pair_feedback_ohm = 0.0\n", "neurons.W.pair_feedback_ohm", "greater"),
        (NEURONS.replace("[neurons]", "[neurons]\nclip_v = 9.0"), "neurons.clip_v", "supply_v"),
        (NEURONS.replace("[neurons]", "[neurons]\nsettle_s = 0.0"), "neurons.settle_s", "greater"),
    ],
)
def test_a_neuron_circuit_that_cannot_be(lines: str, key: str, says: str) -> None:
    message = refusal(TEXT.replace("[devices]", f"{lines}[devices]"))
    assert f"{key}: " in message
    assert says in message


@pytest.mark.parametrize(
    ("dopant", "r_ohm", "window_siemens"),
    [
        (Dopant.W, 10_075.0, (20e-6, 220e-6)),
        (Dopant.CR, 47_075.0, (20e-6, 120e-6)),
        (Dopant.C, 47_075.0, (5e-6, 45e-6)),
    ],
)
def test_a_weight_of_one_passes_full_scale_on(
    dopant: Dopant, r_ohm: float, window_siemens: tuple[float, float]
) -> None:
    neurons = load_station("twin").table.neurons
    assert neurons is not None
    resistors = neurons.resistors(dopant)
    assert resistors is not None
    low, high = (g / (1 + g * r_ohm) for g in window_siemens)
    weights = [resistors.feedback_ohm * (b - 1 / resistors.reference_ohm) for b in (low, high)]
    assert weights == pytest.approx([-1, 1], abs=2e-3)


@pytest.mark.parametrize("name", ["twin", "twin-wire", "bench-2400"])
def test_shipped_stations_are_found_by_name(name: str) -> None:
    station = load_station(name)
    assert station.name == name
    assert Path(station.origin) == shipped_stations()[name]
    n_w = sum(device.dopant is Dopant.W for device in station.devices)
    assert n_w == 30, "what the network needs"


def test_the_two_twins_differ_in_nothing_but_the_wires() -> None:
    direct, wire = (load_station(name).table for name in ("twin", "twin-wire"))
    changed = {"name": "", "description": "", "board": "", "neurons": None}
    assert direct.model_copy(update=changed) == wire.model_copy(update=changed)


def test_the_template_is_a_bench() -> None:
    station = load_station("bench-2400")
    assert station.source is Source.BENCH
    assert station.table.board == "smu"
    assert station.table.fallback == "none"


def test_files_are_found_by_path(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text(TEXT, encoding="utf-8")
    assert load_station(path).origin == load_station(str(path)).origin == str(path)
    with pytest.raises(StationError, match=r"nowhere\.toml.*twin-wire"):
        load_station(tmp_path / "nowhere.toml")
    path.write_bytes(b"name = '\xff'")
    with pytest.raises(StationError, match="cannot be read"):
        load_station(path)
