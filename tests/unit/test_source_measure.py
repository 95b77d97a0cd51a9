"""The core that all simulated source-measure units share: what its readings are worth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from twin.firmware.keithley2600.models import K2602B, K2636B, Model
from twin.firmware.source_converters import Aperture, Converter, ConverterSpec
from twin.firmware.source_measure import OVERFLOW, Drive, Function, SourceMeasureCore
from twin.wiring import Sample

SPEC = K2602B.smu
LINE_HZ = 50.0
N_SERIALS = 400


class Resistor:
    """Terminals with a resistor on them."""

    def __init__(self, ohm: float, serial_number: str = "TWIN1") -> None:
        self.ohm = ohm
        self.serial_number = serial_number
        self.level_v, self.limit_a = 0.0, 0.0
        self.applied: list[tuple[float, float, float]] = []
        self._t_s = 0.0

    def now_s(self) -> float:
        return self._t_s

    def wait_s(self, dt_s: float) -> None:
        self._t_s += dt_s

    def apply(self, level_v: float, compliance_a: float) -> None:
        self.level_v, self.limit_a = level_v, compliance_a
        self.applied.append((self._t_s, level_v, compliance_a))

    def release(self) -> None:
        self.level_v = 0.0

    def measure(self, aperture_s: float) -> Sample:
        self._t_s += aperture_s
        i_a = self.level_v / self.ohm
        limited = abs(i_a) >= self.limit_a
        if limited:
            i_a = math.copysign(self.limit_a, i_a)
        return Sample(self._t_s, i_a * self.ohm, i_a, limited)


def volts(level_v: float, limit_a: float = 1.0, range_limit: float = math.inf) -> Drive:
    limit_range = SPEC.source_a.fitting(limit_a)
    return Drive(
        Function.VOLTS,
        level_v,
        SPEC.source_v.fitting(level_v),
        limit_a,
        limit_range,
        range_limit,
    )


def amps(level_a: float, limit_v: float = 6.0) -> Drive:
    return Drive(
        Function.AMPS,
        level_a,
        SPEC.source_a.fitting(level_a),
        limit_v,
        SPEC.source_v.fitting(limit_v),
    )


def core_on(
    terminals: Resistor, *, is_ideal: bool = True, lead_ohm: float = 0.0
) -> SourceMeasureCore:
    return SourceMeasureCore(terminals, SPEC, LINE_HZ, is_ideal=is_ideal, lead_ohm=lead_ohm)


def settled(core: SourceMeasureCore, drive: Drive, amp_range: int) -> None:
    core.drive(drive)
    core.select_amp_range(amp_range)
    core.wait_s(1.0)


# --- what a serial number is worth ---------------------------------------------------------------


@pytest.mark.parametrize("model", [K2602B, K2636B], ids=lambda model: model.name)
@pytest.mark.parametrize("quantity", ["source_v", "source_a", "measure_v", "measure_a"])
def test_every_range_of_every_serial_number_is_inside_its_accuracy_table(
    model: Model, quantity: str
) -> None:
    converter: ConverterSpec = getattr(model.smu, quantity)
    rng = np.random.default_rng(1)
    for _ in range(N_SERIALS):
        one = Converter(converter, rng)
        for index, row in enumerate(converter.accuracy.ranges):
            value = row.full_scale * rng.uniform(-1, 1)
            bound = row.gain_ratio * abs(value) + row.offset
            if quantity.startswith("source"):
                result = one.convert(value, index)
            else:
                result = one.read(value, index, rng.standard_normal(), Aperture(1.0, 0.0))
            noise = 1.5 * row.noise_rms  # a draw beyond 3 sigma on an instrument at the bound
            assert abs(result - value) <= bound + noise


def test_serial_numbers_differ_and_use_what_the_table_allows() -> None:
    row = SPEC.measure_a.accuracy.ranges[3]
    rng = np.random.default_rng(2)
    errors = [
        Converter(SPEC.measure_a, rng).read(0.0, 3, 0.0, Aperture(1.0, 0.0))
        for _ in range(N_SERIALS)
    ]
    assert 0.9 * row.offset < max(errors) < row.offset
    assert -row.offset < min(errors) < -0.9 * row.offset


def reading(serial_number: str, *, epoch: int = 0, channel: str = "a") -> float:
    core = SourceMeasureCore(
        Resistor(1e3, serial_number), SPEC, LINE_HZ, channel=channel, epoch=epoch
    )
    settled(core, volts(0.5), 4)
    return core.convert(1.0, 1, 4).i_a


def test_errors_belong_to_serial_number_channel_and_epoch() -> None:
    assert reading("TWIN1") == reading("TWIN1")
    others = {reading("TWIN2"), reading("TWIN1", epoch=1), reading("TWIN1", channel="b")}
    assert len(others | {reading("TWIN1")}) == 4


def test_ideal_readings_are_exact() -> None:
    core = core_on(Resistor(1e3))
    settled(core, volts(0.123456789), 4)
    result = core.convert(1.0, 1, 4)
    assert result.v_v == 0.123456789
    assert result.i_a == pytest.approx(0.123456789e-3, rel=1e-12)


def test_readings_come_in_steps_of_the_resolution() -> None:
    core = core_on(Resistor(1e3), is_ideal=False)
    settled(core, volts(0.5), 4)
    n_steps = core.convert(1.0, 1, 4).i_a / SPEC.measure_a.resolutions[4]
    assert n_steps == pytest.approx(round(n_steps), abs=1e-3)


def scatter(nplc: float) -> float:
    core = core_on(Resistor(1e6), is_ideal=False)
    settled(core, volts(0.5), 1)
    return float(np.std([core.convert(nplc, 1, 1).i_a for _ in range(400)], ddof=1))


def test_noise_falls_with_the_root_of_the_integration_time() -> None:
    row = SPEC.measure_a.accuracy.ranges[1]
    assert scatter(1.0) == pytest.approx(row.noise_rms, rel=0.15)
    assert scatter(25.0) == pytest.approx(row.noise_rms / 5, rel=0.15)


def test_short_integrations_scatter_by_a_third_of_their_bound_and_no_more() -> None:
    row = SPEC.measure_a.accuracy.ranges[1]
    expected = math.hypot(row.noise_rms / math.sqrt(0.01), 7e-4 / 3 * row.full_scale)
    assert scatter(0.01) == pytest.approx(expected, rel=0.15)


# --- limits ---------------------------------------------------------------------------------------


def test_the_current_is_clamped() -> None:
    core = core_on(Resistor(1e3))
    settled(core, volts(1.0, limit_a=1e-4), 3)
    result = core.convert(1.0, 1, 3)
    assert result.i_a == pytest.approx(1e-4)
    assert result.v_v == pytest.approx(0.1)
    assert result.in_compliance


def test_the_clamp_has_the_error_of_its_source_range() -> None:
    row = SPEC.source_a.accuracy.ranges[2]
    limits = set()
    for k in range(20):
        terminals = Resistor(1e3, f"TWIN{k}")
        core = core_on(terminals, is_ideal=False)
        core.drive(volts(1.0, limit_a=10e-6))
        assert abs(terminals.limit_a - 10e-6) <= row.gain_ratio * 10e-6 + row.offset
        limits.add(terminals.limit_a)
    assert len(limits) == 20


def test_a_fixed_measurement_range_limits_too() -> None:
    core = core_on(Resistor(1e3))
    settled(core, volts(1.0, range_limit=1.05e-6), 1)
    assert core.convert(1.0, 1, 1).in_compliance


def test_a_smallest_limit_arrives_and_never_as_zero() -> None:
    terminals = Resistor(1e3)
    core = core_on(terminals, is_ideal=False)
    core.drive(volts(1.0, limit_a=100e-9))
    assert terminals.limit_a == pytest.approx(100e-9, rel=2e-3)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_current_is_sourced(sign: int) -> None:
    core = core_on(Resistor(1e3))
    settled(core, amps(sign * 1e-3), 4)
    result = core.convert(1.0, 2, 4)
    assert result.i_a == pytest.approx(sign * 1e-3)
    assert result.v_v == pytest.approx(sign * 1.0)
    assert not result.in_compliance


@pytest.mark.parametrize("sign", [1, -1])
def test_a_current_source_stops_at_its_voltage_limit(sign: int) -> None:
    core = core_on(Resistor(1e6))
    settled(core, amps(sign * 1e-3, limit_v=5.0), 4)
    result = core.convert(1.0, 2, 4)
    assert result.v_v == pytest.approx(sign * 5.0)
    assert result.i_a == pytest.approx(sign * 5e-6)
    assert result.in_compliance


def test_a_current_source_that_settles_is_not_limiting() -> None:
    core = core_on(Resistor(1e3))
    core.drive(amps(1e-3))
    assert not core.probe().in_compliance


def test_a_current_source_at_zero_gives_none() -> None:
    core = core_on(Resistor(1e3))
    settled(core, amps(0.0), 4)
    result = core.convert(1.0, 2, 4)
    assert (result.i_a, result.in_compliance) == (0.0, False)


# --- time -----------------------------------------------------------------------------------------


def test_a_level_settles_to_a_thousandth_in_the_time_of_its_range() -> None:
    terminals = Resistor(1e3)
    core = core_on(terminals)
    core.drive(volts(1.0))
    settles_s = SPEC.source_v.settles_s[1]
    core.wait_s(settles_s / 6.9)
    at_one_tau_v = core.probe(1e-7).v_v
    assert at_one_tau_v == pytest.approx(1 - math.exp(-1), abs=0.02)
    core.wait_s(settles_s)
    assert core.probe(1e-7).v_v == pytest.approx(1.0, abs=1e-3)
    levels = [level_v for _, level_v, _ in terminals.applied]
    assert levels == sorted(levels)


def test_a_settling_level_keeps_its_area() -> None:
    terminals = Resistor(1e3)
    core = core_on(terminals)
    core.drive(volts(1.0))
    tau_s = SPEC.source_v.settles_s[1] / 6.9
    whole_s = 20 * tau_s
    mean_v = core.probe(whole_s).v_v
    assert mean_v == pytest.approx(1 - 1 / 20, abs=1e-3)


def test_waiting_passes_exactly_that_time() -> None:
    core = core_on(Resistor(1e3))
    core.drive(volts(1.0))
    core.wait_s(123.456e-6)
    assert core.now_s() == pytest.approx(123.456e-6, abs=1e-12)


def test_a_reading_lags_behind_a_step_by_the_time_of_its_range() -> None:
    core = core_on(Resistor(1e7))
    settled(core, volts(0.5), 0)
    core.drive(volts(1.0))
    early = core.convert(0.001, 1, 0).i_a
    assert early == pytest.approx(51e-9, rel=0.02)
    core.wait_s(SPEC.measure_a.settles_s[0])
    assert core.convert(0.001, 1, 0).i_a == pytest.approx(100e-9, rel=2e-3)


def test_a_lag_begins_at_the_current_before_the_step_not_at_the_last_reading() -> None:
    core = core_on(Resistor(1e7))
    settled(core, volts(0.5), 0)
    core.convert(1.0, 1, 0)
    settled(core, volts(0.0), 0)
    core.drive(volts(0.5))
    assert core.convert(0.001, 1, 0).i_a == pytest.approx(0.0, abs=2e-9)


def test_another_current_range_costs_its_dead_time() -> None:
    core = core_on(Resistor(1e3))
    settled(core, volts(0.0), 4)
    start_s = core.now_s()
    core.convert(1.0, 1, 0)
    dead_s = SPEC.measure_a.settles_s[0]
    assert core.now_s() - start_s == pytest.approx(dead_s + core.conversion_s(1.0))
    start_s = core.now_s()
    core.convert(1.0, 1, 0)
    assert core.now_s() - start_s == pytest.approx(core.conversion_s(1.0))


def test_what_a_range_does_not_hold_overflows() -> None:
    core = core_on(Resistor(1e3))
    settled(core, volts(1.0), 3)
    result = core.convert(1.0, 0, 3)
    assert (result.v_v, result.i_a) == (OVERFLOW, OVERFLOW)
    assert core.convert(1.0, 1, 4).i_a == pytest.approx(1e-3)


def test_an_output_that_is_off_gives_nothing() -> None:
    core = core_on(Resistor(1e3))
    settled(core, volts(1.0), 4)
    core.release()
    result = core.convert(1.0, 1, 4)
    assert (result.v_v, result.i_a, result.in_compliance) == (0.0, 0.0, False)


# --- leads ----------------------------------------------------------------------------------------


def test_two_wires_drop_and_four_do_not() -> None:
    terminals = Resistor(10.0)
    core = core_on(terminals, lead_ohm=0.5)
    settled(core, volts(0.5), 6)
    two = core.convert(1.0, 1, 6)
    assert two.v_v == pytest.approx(0.5)
    assert two.v_v / two.i_a == pytest.approx(10.5)
    core.senses_remotely = True
    core.drive(volts(0.5))
    core.wait_s(1e-3)
    four = core.convert(1.0, 1, 6)
    assert four.v_v == pytest.approx(0.5)
    assert four.v_v / four.i_a == pytest.approx(10.0)


def test_a_limited_current_is_the_same_through_leads() -> None:
    core = core_on(Resistor(10.0), lead_ohm=0.5)
    settled(core, volts(1.0, limit_a=10e-3), 5)
    result = core.convert(1.0, 1, 5)
    assert result.i_a == pytest.approx(10e-3)
    assert result.v_v == pytest.approx(0.105)


def test_the_voltage_limit_of_a_current_source_is_at_the_instrument() -> None:
    core = core_on(Resistor(10.0), lead_ohm=0.5)
    settled(core, amps(0.1, limit_v=0.5), 6)
    result = core.convert(1.0, 1, 6)
    assert result.v_v == pytest.approx(0.5)
    assert result.in_compliance
