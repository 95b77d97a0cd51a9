from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.imports import Facts, read_memristor_discovery
from calibration.imports.memristor_discovery import facts_of_name
from hil.errors import UsageError
from tests.support.discovery import FACTS, METADATA, csv, made_up_loop, write_pair
from tests.support.supplied import supplied

SETTINGS = Facts.model_validate(FACTS)


@pytest.mark.parametrize(
    ("name", "r_ohm", "amplitude_v", "frequency_hz", "device"),
    [
        ("Rs5k_0p8V_10Hz_M1", 5e3, 0.8, 10.0, "M1"),
        ("Rs47k_0p8V_1000Hz_M2", 47e3, 0.8, 1e3, "M2"),
        ("5kΩ_.8V_1000Hz_M1", 5e3, 0.8, 1e3, "M1"),
        ("5kΩ_.3V_10Hz_M2", 5e3, 0.3, 10.0, "M2"),  # the ohm sign, not the Greek letter
        ("46.4kOhm_1.5V_2kHz_chip 3_4", 46.4e3, 1.5, 2e3, "chip 3_4"),
        ("Rs4p7k_1V_0p5Hz_A", 4.7e3, 1.0, 0.5, "A"),
    ],
)
def test_a_name_tells_the_conditions(
    name: str, r_ohm: float, amplitude_v: float, frequency_hz: float, device: str
) -> None:
    facts = facts_of_name(name)
    assert facts.series_resistor_ohm == pytest.approx(r_ohm)
    assert facts.amplitude_v == amplitude_v
    assert facts.frequency_hz == frequency_hz
    assert facts.device == device
    assert facts.dopant is None


@given(st.text(max_size=40))
def test_any_name_tells_something_or_nothing(name: str) -> None:
    assert set(facts_of_name(name).told()) <= {
        "series_resistor_ohm",
        "amplitude_v",
        "frequency_hz",
        "device",
    }


@pytest.mark.parametrize("upstream", [False, True])
def test_a_pair_becomes_a_measurement_in_si_units_and_file_order(
    tmp_path: Path, upstream: bool
) -> None:
    name = "5kΩ_.8V_10Hz_M1" if upstream else "Rs5k_0p8V_10Hz_M1"
    write_pair(tmp_path, name, upstream=upstream)
    (one,) = read_memristor_discovery([tmp_path], settings=SETTINGS)
    v_source_v, v_device_v, i_a = made_up_loop()
    np.testing.assert_array_equal(one.v_source_v, v_source_v)
    np.testing.assert_array_equal(one.v_device_v, v_device_v)
    np.testing.assert_allclose(one.i_a, i_a, rtol=1e-14)
    np.testing.assert_allclose(one.t_s, np.arange(200) * 5e-4, rtol=1e-12)
    assert one.is_periodic
    assert one.facts.dopant == "W"
    assert one.seen["series_resistor_ohm"] == pytest.approx(5000)
    assert one.seen["amplitude_v"] == pytest.approx(0.8)
    names = [file.name for file in one.files]
    expected = (
        ["Memristor.csv", "Resistor+Memristor.csv"]
        if upstream
        else [
            f"{name}_memristor.csv",
            f"{name}_applied.csv",
        ]
    )
    assert names == [f"{name}/{file}" if upstream else file for file in expected]


def test_the_nearer_word_wins(tmp_path: Path) -> None:
    folder = tmp_path / "chip" / "day"
    write_pair(folder, "Rs5k_0p8V_10Hz_M1")
    write_pair(folder, "Rs5k_0p8V_10Hz_M2", made_up_loop(phase_rad=1.0))
    (tmp_path / "metadata.toml").write_text(METADATA + 'board = "top"\nnote = "top"\n')
    (folder / "metadata.toml").write_text('board = "near"\ninstrument = "near"\n')
    (folder / "Rs5k_0p8V_10Hz_M2.toml").write_text('device = "X7"\ninstrument = "own"\n')
    given_file = tmp_path / "given.toml"
    given_file.write_text('note = "given"\ntemperature_k = 300\n')
    settings = Facts.of_settings(["temperature_k=310", "measured=2020-07-15"])
    first, second = read_memristor_discovery([tmp_path], given_file, settings)
    assert (first.facts.device, second.facts.device) == ("M1", "X7")
    assert (first.facts.board, first.facts.instrument) == ("near", "near")
    assert second.facts.instrument == "own"
    assert (first.facts.note, first.facts.temperature_k) == ("given", 310)
    assert str(first.facts.measured) == "2020-07-15"


def test_one_file_finds_its_partner_and_none_is_read_twice(tmp_path: Path) -> None:
    memristor, applied = write_pair(tmp_path)
    read = read_memristor_discovery([applied, tmp_path, memristor], settings=SETTINGS)
    assert len(read) == 1


def test_rounded_copies_of_the_current_are_the_same_current(tmp_path: Path) -> None:
    _, applied = write_pair(tmp_path)
    v_source_v, _, i_a = made_up_loop()
    applied.write_text(csv(v_source_v, np.round(i_a * 1e6, 5)), encoding="utf-8")
    assert len(read_memristor_discovery([tmp_path], settings=SETTINGS)) == 1


# --- what is refused ----------------------------------------------------------------------------


def change_line(path: Path, line: int, to: str) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[line - 1] = to
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def refusal(folder: Path, *says: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_memristor_discovery([folder], settings=SETTINGS)
    message = str(refused.value)
    assert "\n" not in message
    for part in says:
        assert part in message, message


@pytest.mark.parametrize(
    ("line", "to", "says"),
    [
        (3, "0.1,2.0,3.0", "3 columns where 2"),
        (3, "0.1", "1 columns where 2"),
        (3, "", "0 columns where 2"),
        (7, "0.1,abc", "'abc' is not a number"),
        (7, "0,1;2", "'1;2' is not a number"),
        (7, "1_0,2.0", "is not a number"),
        (9, "nan,1.0", "nan is not a finite number"),
        (9, "0.1,-inf", "-inf is not a finite number"),
        (1, "V,I", "line 1: 'V' is not a number"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, line: int, to: str, says: str) -> None:
    memristor, _ = write_pair(tmp_path)
    change_line(memristor, line, to)
    refusal(tmp_path, f"{memristor}, line {line}: ", says)


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("n", [199, 201, 1])
def test_another_number_of_rows_is_refused(tmp_path: Path, which: int, n: int) -> None:
    file = write_pair(tmp_path)[which]
    lines = file.read_text(encoding="utf-8").splitlines() * 2
    file.write_text("\n".join(lines[:n]), encoding="utf-8")
    refusal(tmp_path, str(file), f"{n} rows", "200")


@pytest.mark.parametrize("which", [0, 1])
def test_a_missing_partner_is_named(tmp_path: Path, which: int) -> None:
    files = write_pair(tmp_path)
    files[which].unlink()
    refusal(tmp_path, str(files[1 - which]), files[which].name, "missing")


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_an_empty_file_is_refused(tmp_path: Path, content: bytes) -> None:
    _, applied = write_pair(tmp_path)
    applied.write_bytes(content)
    refusal(tmp_path, str(applied), "empty")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    _, applied = write_pair(tmp_path)
    applied.write_bytes(b"\xff\xfe\x00\x01")
    refusal(tmp_path, str(applied), "UTF-8")


def test_files_of_two_measurements_are_refused(tmp_path: Path) -> None:
    memristor, applied = write_pair(tmp_path)
    v_source_v, _, i_a = made_up_loop(swing=0.8)
    applied.write_text(csv(v_source_v, i_a * 1e6), encoding="utf-8")
    refusal(tmp_path, str(applied), memristor.name, "not of one measurement")


@pytest.mark.parametrize(("name", "seen"), [("Rs10k", "10 kOhm"), ("Rs4k", "4 kOhm")])
def test_another_resistor_than_the_stated_is_refused(tmp_path: Path, name: str, seen: str) -> None:
    write_pair(tmp_path, f"{name}_0p8V_10Hz_M1")
    refusal(tmp_path, "5 kOhm", seen, "series_resistor_ohm")


def test_a_resistor_within_its_tolerance_is_taken(tmp_path: Path) -> None:
    write_pair(tmp_path, "Rs5k_0p8V_10Hz_M1", made_up_loop(r_ohm=5100))
    (one,) = read_memristor_discovery([tmp_path], settings=SETTINGS)
    assert one.seen["series_resistor_ohm"] == pytest.approx(5100)


def test_another_amplitude_than_the_stated_is_refused(tmp_path: Path) -> None:
    write_pair(tmp_path, "Rs5k_0p3V_10Hz_M1")
    refusal(tmp_path, "800 mV", "300 mV", "amplitude_v")


def test_what_is_no_period_of_a_sine_is_refused(tmp_path: Path) -> None:
    v_source_v, _, i_a = made_up_loop()
    half = np.arcsin(v_source_v / 0.8) * 0.8 * 2 / np.pi
    write_pair(tmp_path, loop=(half, half - 5000 * i_a, i_a))
    refusal(tmp_path, "not one period of a sine", "8.6%")


def test_no_current_is_refused(tmp_path: Path) -> None:
    v_source_v, _, _ = made_up_loop()
    write_pair(tmp_path, loop=(v_source_v, v_source_v, np.zeros(200)))
    refusal(tmp_path, "current is zero")


def test_what_nobody_tells_is_asked_for(tmp_path: Path) -> None:
    write_pair(tmp_path, "loop7")
    with pytest.raises(UsageError, match=r"frequency_hz.*metadata\.toml.*--metadata") as refused:
        read_memristor_discovery([tmp_path])
    for key in ("device", "dopant", "series_resistor_ohm", "attribution"):
        assert key in str(refused.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("dopant = \n", "not valid TOML"),
        ('colour = "red"\n', "line 1: colour: no such key"),
        ('\nboard = "B"\ndopant = "Sn"\n', "line 3: dopant: "),
        ("series_resistor_ohm = -1\n", "line 1: series_resistor_ohm: "),
        ("frequency_hz = inf\n", "line 1: frequency_hz: "),
        ('measured = "July"\n', "line 1: measured: "),
        ('device = ""\n', "line 1: device: "),
    ],
)
def test_bad_metadata_is_named_by_line(tmp_path: Path, content: str, says: str) -> None:
    write_pair(tmp_path)
    (tmp_path / "metadata.toml").write_text(content)
    refusal(tmp_path, str(tmp_path / "metadata.toml"), says)


@pytest.mark.parametrize("setting", ["dopant", "dopant=Sn", "colour=red", "frequency_hz=ten"])
def test_a_bad_setting_is_refused(setting: str) -> None:
    with pytest.raises(UsageError, match="--set"):
        Facts.of_settings([setting])


def test_a_folder_without_such_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text("a,b\n")
    refusal(tmp_path, str(tmp_path), "_memristor.csv")
    refusal(tmp_path / "index.csv", "not called like")
    refusal(tmp_path / "nowhere", "no such file or folder")


# --- the measured loops -------------------------------------------------------------------------


def test_all_supplied_loops_are_read() -> None:
    read = read_memristor_discovery([supplied("knowm/w-sdc-iv")], settings=SETTINGS)
    assert len(read) == 18
    assert {one.facts.device for one in read} == {"M1", "M2"}
    for one in read:
        assert one.facts.series_resistor_ohm is not None
        assert one.seen["series_resistor_ohm"] == pytest.approx(one.facts.series_resistor_ohm)
        assert one.seen["residual_v"] < 1e-3
    assert len({one.sha256 for one in read}) == 17  # 47 kOhm, 10 Hz: M1 and M2 are the same file
