from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike

from calibration.imports import TableFacts, read_table
from hil.errors import UsageError
from tests.support.discovery import csv, made_up_loop

R_OHM = 10e3
ALL = {"device": "X1", "dopant": "Cr", "series_resistor_ohm": R_OHM, "attribution": "Nobody"}
SETTINGS = TableFacts.model_validate(ALL)
V_SOURCE_V, V_DEVICE_V, I_A = made_up_loop(r_ohm=R_OHM, n=50)
T_S = np.arange(50) * 2e-3
BY_NAME = {"t": T_S, "source": V_SOURCE_V, "device": V_DEVICE_V, "i": I_A}


def write(path: Path, heading: str, *columns: ArrayLike, delimiter: str = ",") -> Path:
    table = csv(*columns).replace(",", delimiter)
    path.write_text(f"{heading}\n{table}", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("heading", "scales"),
    [
        ("t_s,v_source_v,v_device_v,i_a", (1, 1, 1, 1)),
        ("Time (s),Source voltage (V),Device voltage (V),Current (A)", (1, 1, 1, 1)),
        ("time [ms],v_applied [mV],v_memristor [mV],current [uA]", (1e3, 1e3, 1e3, 1e6)),
        ("t (us),v_source (V),v-device (V),I (µA)", (1e6, 1, 1, 1e6)),
        ('"T_ms","Applied Voltage [V]","memristor voltage (mV)","i_na"', (1e3, 1, 1e3, 1e9)),
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_headings_tell_quantity_and_unit(
    tmp_path: Path, heading: str, scales: tuple[float, ...], delimiter: str
) -> None:
    columns = [c * k for c, k in zip(BY_NAME.values(), scales, strict=True)]
    path = write(tmp_path / "a.csv", heading.replace(",", delimiter), *columns, delimiter=delimiter)
    one = read_table(path, settings=SETTINGS)
    np.testing.assert_allclose(one.t_s, T_S, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(one.v_source_v, V_SOURCE_V, rtol=1e-12)
    np.testing.assert_allclose(one.v_device_v, V_DEVICE_V, rtol=1e-12)
    np.testing.assert_allclose(one.i_a, I_A, rtol=1e-12)
    assert one.seen["series_resistor_ohm"] == pytest.approx(R_OHM)
    assert not one.is_periodic


def test_metadata_name_columns_and_units(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write(path, "Ch1,Ch2 (V),note (V),Ch3", T_S, V_SOURCE_V * 1e3, V_SOURCE_V * 0, I_A * 1e6)
    metadata = tmp_path / "m.toml"
    metadata.write_text(
        'columns = { time = "Ch1", source_voltage = "Ch2", current = "Ch3" }\n'
        'units = { time = "s", source_voltage = "mV", current = "uA" }\n'
    )
    one = read_table(path, metadata, SETTINGS)
    np.testing.assert_allclose(one.v_source_v, V_SOURCE_V, rtol=1e-12)
    np.testing.assert_allclose(one.v_device_v, V_DEVICE_V, rtol=1e-9)
    np.testing.assert_allclose(one.i_a, I_A, rtol=1e-12)


@pytest.mark.parametrize("measured", ["source", "device"])
def test_the_resistor_gives_the_other_voltage(tmp_path: Path, measured: str) -> None:
    path = write(tmp_path / "a.csv", f"v_{measured}_v,i_a", BY_NAME[measured], I_A)
    settings = TableFacts.model_validate(ALL | {"step_s": 2e-3})
    one = read_table(path, settings=settings)
    np.testing.assert_allclose(one.v_source_v, V_SOURCE_V, atol=1e-12)
    np.testing.assert_allclose(one.v_device_v, V_DEVICE_V, atol=1e-12)
    np.testing.assert_allclose(one.t_s, T_S, rtol=1e-12)
    assert one.seen == {}


def test_frequency_gives_the_time_of_one_period(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "v_source_v,i_a", V_SOURCE_V, I_A)
    settings = TableFacts.model_validate(ALL | {"frequency_hz": 10, "periodic": True})
    one = read_table(path, settings=settings)
    np.testing.assert_allclose(one.t_s, T_S, rtol=1e-12)
    assert one.is_periodic


def test_comments_before_the_heading_and_a_byte_order_mark_are_passed_over(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "# made by\n# hand\nt_s,v_source_v,i_a", T_S, V_SOURCE_V, I_A)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    np.testing.assert_array_equal(read_table(path, settings=SETTINGS).i_a, I_A)


def test_time_need_not_begin_at_zero_nor_step_evenly(tmp_path: Path) -> None:
    t_s = 5 + np.cumsum(np.linspace(1e-3, 3e-3, 50))
    path = write(tmp_path / "a.csv", "t_s,v_source_v,i_a", t_s, V_SOURCE_V, I_A)
    np.testing.assert_allclose(read_table(path, settings=SETTINGS).t_s, t_s - t_s[0], atol=1e-12)


FALLING = np.concatenate([T_S[:-1], T_S[:1]])
PERIODIC = {"periodic": True}


@pytest.mark.parametrize(
    ("heading", "columns", "facts", "says"),
    [
        ("t_s,v_source_v,i", (T_S, V_SOURCE_V, I_A), {}, "column 'i': no unit; write one of A, mA"),
        ("t_s,v_source_v,i (kA)", (T_S, V_SOURCE_V, I_A), {}, "unit 'kA' is not known"),
        ("t_s,v_source (A),i_a", (T_S, V_SOURCE_V, I_A), {}, "unit 'A' is not known"),
        ("t_s,voltage (V),i_a", (T_S, V_SOURCE_V, I_A), {}, "source or the device voltage"),
        ("t_s,v_source_v,x", (T_S, V_SOURCE_V, I_A), {}, "no column is the current"),
        ("t_s,i_a,i_ua", (T_S, V_SOURCE_V, I_A), {}, "2 columns may be the current"),
        ("v_source_v,i_a", (V_SOURCE_V, I_A), {}, "nothing tells the time"),
        ("v_source_v,i_a", (V_SOURCE_V, I_A), {"frequency_hz": 5}, "nothing tells the time"),
        ("t_s,v_source_v,i_a", (FALLING, V_SOURCE_V, I_A), {}, "from row 49 to row 50"),
        ("t_s,v_source_v,i_a", (T_S, V_SOURCE_V, I_A), PERIODIC, "needs frequency_hz"),
        (
            "t_s,v_source_v,i_a",
            (T_S, V_SOURCE_V, I_A),
            PERIODIC | {"frequency_hz": 9.8},
            "0.98 periods of 9.8 Hz",
        ),
        (
            "t_s,v_source_v,i_a",
            (T_S**2, V_SOURCE_V, I_A),
            PERIODIC | {"frequency_hz": 10},
            "equal steps",
        ),
        (
            "t_s,v_source_v,i_a",
            (T_S, V_SOURCE_V, I_A),
            {"columns": {"current": "I2"}},
            "no column 'I2' (columns.current); there are 't_s'",
        ),
        (
            "t_s,v_source_v,v_device_v,i_ma",
            (T_S, V_SOURCE_V, V_DEVICE_V, I_A),
            {},
            "10 MOhm, but the series resistor is said to be 10 kOhm",
        ),
        ("t_s,v_source_v,i_a", (T_S[:7], V_SOURCE_V[:7], I_A[:7]), {}, "7 rows are no loop"),
        ("t_s,v_source_v", (T_S, V_SOURCE_V, I_A), {}, "line 2: 3 columns where 2"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(
    tmp_path: Path,
    heading: str,
    columns: tuple[ArrayLike, ...],
    facts: dict[str, object],
    says: str,
) -> None:
    path = write(tmp_path / "a.csv", heading, *columns)
    with pytest.raises(UsageError) as refused:
        read_table(path, settings=TableFacts.model_validate(ALL | facts))
    assert str(refused.value).startswith(str(path))
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("missing", ["device", "dopant", "series_resistor_ohm", "attribution"])
def test_what_nobody_tells_is_asked_for(tmp_path: Path, missing: str) -> None:
    path = write(tmp_path / "a.csv", "t_s,v_source_v,i_a", T_S, V_SOURCE_V, I_A)
    told = {key: value for key, value in ALL.items() if key != missing}
    with pytest.raises(UsageError, match=f"nothing tells its {missing}; "):
        read_table(path, settings=TableFacts.model_validate(told))


@pytest.mark.parametrize("content", ["", "# only a comment\n", "t_s,v_source_v,i_a\n"])
def test_a_table_without_rows_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content)
    with pytest.raises(UsageError, match=r"a\.csv: .*(empty|no rows|0 rows)"):
        read_table(path, settings=SETTINGS)


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_table(tmp_path, settings=SETTINGS)
