from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calibration.fitting.pulse_fit import FREE, PulseFit, fit_pulse_levels
from calibration.fitting.pulse_levels import PulseLevels, read_pulse_levels
from calibration.fitting.pulse_record import pulse_record
from hil.errors import UsageError
from hil.records import load_record
from twin.devices.gmss import GmssDevices
from twin.devices.gmss_parameters import GmssParameters
from twin.parameters import device_record
from twin.waveforms import Constant

TRUTH = {"r_off_ohm": 1.2e5, "v_on_v": 0.31, "fresh_ratio": 0.4}
SPREADS = {"c2c_v_on_v": 0.012, "c2c_r_off_ratio": 0.2}
R_OHM, TRAIN_S, N = 10e3, 0.01, 400
SHIPPED = Path(__file__).parents[2] / "calibration" / "measured" / "sdc-pulse-levels.toml"


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> PulseLevels:
    """Return what a device with known parameters leaves after trains, over many cycles."""
    values = device_record(load_record("w-typical")).values() | TRUTH | SPREADS
    values |= {"r_init_ohm": 1.1e5, "c2c_v_off_v": 0.0, "tau_relax_s": 0.1}
    everyone = np.arange(N)
    text = f"""
[experiment]
device = "D1"
dopant = "W"
attribution = "nobody: simulated"
series_resistor_ohm = {R_OHM}
reset_v = -2.0
reset_s = {TRAIN_S}
train_s = {TRAIN_S}
wait_s = 1.0
v_read_v = 0.1
"""
    for amplitude_v in (0.0, 0.4, 0.5, 0.8, 1.0):
        devices = GmssDevices(GmssParameters.broadcast(N, **values), seed=3)
        for level_v, dt_s in ((-2.0, TRAIN_S), (amplitude_v, TRAIN_S), (0.1, 1e-3)):
            response = devices.drive(
                everyone,
                Constant(np.full(N, level_v)),
                np.full(N, dt_s),
                np.full(N, R_OHM),
                np.full(N, np.inf),
            )
            devices.rest(everyone, 1.0)
        g_siemens = response.i_end_a / response.v_device_end_v
        text += (
            f"[[levels]]\namplitude_v = {amplitude_v}\nmean_siemens = {g_siemens.mean()}\n"
            f"sd_siemens = {g_siemens.std(ddof=1)}\n"
        )
    path = tmp_path_factory.mktemp("levels") / "levels.toml"
    path.write_text(text, encoding="utf-8")
    return read_pulse_levels(path)


@pytest.fixture(scope="module")
def fit(measured: PulseLevels) -> PulseFit:
    return fit_pulse_levels(measured, load_record("w-typical"))


def test_a_planted_device_is_found_again(measured: PulseLevels, fit: PulseFit) -> None:
    for name, value in TRUTH.items():
        assert abs(fit.values[name] - value) < 2 * fit.standard[name], name
    mean = np.array([level.mean_siemens for level in measured.levels])
    sd = np.array([level.sd_siemens for level in measured.levels])
    assert np.abs((fit.means_siemens - mean) / sd).max() < 0.5
    assert fit.values["c2c_r_off_ratio"] == pytest.approx(SPREADS["c2c_r_off_ratio"], rel=0.25)
    assert fit.values["c2c_v_on_v"] == pytest.approx(SPREADS["c2c_v_on_v"], rel=0.5)


def test_its_record_says_what_was_fitted_and_what_was_not(
    measured: PulseLevels, fit: PulseFit
) -> None:
    record = pulse_record(measured, fit, "d1")
    device = device_record(record)
    fitted = {name for name, q in record.parameters.items() if q.status == "fitted"}
    assert fitted == {*FREE, *SPREADS}
    assert device.status == "assumed"
    assert all("w-typical" in record.parameters[name].source for name in ("r_on_ohm", "tau_on_s"))
    assert record.data is not None
    assert record.data.sha256 == measured.sha256
    assert record.conditions.series_resistor_ohm == [R_OHM]


@pytest.mark.parametrize(
    ("wrong", "right", "says"),
    [
        ("reset_v = -2.0", "reset_v = 2.0", "experiment.reset_v"),
        ("dopant", "dopand", "experiment.dopa"),
        ("mean_siemens", "mean_ohm", "levels.0.mean_"),
        ("[experiment]", "[experiment", "not valid TOML"),
    ],
)
def test_a_wrong_file_is_told_in_one_line(
    tmp_path: Path, wrong: str, right: str, says: str
) -> None:
    text = (SHIPPED).read_text(encoding="utf-8").replace(wrong, right)
    path = tmp_path / "levels.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=says.replace("[", r"\[")) as raised:
        read_pulse_levels(path)
    assert "\n" not in str(raised.value)


def test_too_few_levels_or_another_model_are_refused(measured: PulseLevels, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'w-m1' is of model 'mss'"):
        fit_pulse_levels(measured, load_record("w-m1"))
    text = SHIPPED.read_text(encoding="utf-8").replace("sd_siemens", "held_out = true\nsd_siemens")
    path = tmp_path / "levels.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="0 levels to fit; at least 3"):
        fit_pulse_levels(read_pulse_levels(path), load_record("w-typical"))
    with pytest.raises(UsageError, match="No such file"):
        read_pulse_levels(tmp_path / "none.toml")
