"""What source-measure units have in common: from settings to readings, through their errors.

Sits between the firmware of an instrument and its terminals, which are taken to be ideal
(``twin.converters.IdealConverters``): every error of the instrument is made here.

Modelled: gain and offset of every range of all four converters, drawn once for each serial number
and calibration epoch; first-order settling of the source; readings that lag behind a step by the
settling time of the current range; dead time when the current range changes; the limit, with the
error of the converter that sets it; noise that falls with the root of the integration time;
further scatter of short integrations; resolution of converters and readings; overflow; what leads
drop where the voltage is not sensed at the device.

A current source with a voltage limit is driven as the voltage source with a current limit that has
the same corner: on a passive circuit both end at the same point.

Assumed: settling times are those to 0.1 %, so a time constant is 1/6.9 of them; a change of the
current range costs the settling time of the new one; a reading that lags begins at the current that
the conductance seen last had before the step; short integrations scatter by a third of the bound
that data sheets add for them; leads drop what the conductance seen last takes. Not modelled: noise
of the source, flicker noise, temperature, glitches at range changes, what an output that is
switched off does to a circuit (it counts as disconnected).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import numpy as np

from twin.firmware.source_converters import Aperture, Converter, SmuSpec
from twin.wiring import Sample, SmuTerminals

TIME_CONSTANTS_TO_SETTLE = 6.9
RANGE_LIMIT_RATIO = 1.05
"""A fixed measurement range carries no more than this; assumed, from its shunt."""

OVERFLOW = 9.91e37
_NS_DIGITS = 9
"""Pieces of time are whole nanoseconds, as the time of the bench is."""
_LOOK_S = 1e-9
_NO_CURRENT_A = 1e-15
_LAG_TIME_CONSTANTS = 30
"""After so many time constants a lag is below the last bit of a reading."""


class Function(Enum):
    """What is sourced."""

    AMPS = 0
    VOLTS = 1


@dataclass(frozen=True)
class Drive:
    """What a source is set to.

    Attributes:
        function: voltage or current.
        level: programmed, in volts or amperes.
        level_range: index of the source range.
        limit: of the other quantity.
        limit_range: index of the range that sets the limit.
        range_limit: what the measurement range carries at most; inf if it follows the signal.
    """

    function: Function
    level: float
    level_range: int
    limit: float
    limit_range: int
    range_limit: float = math.inf


@dataclass(frozen=True)
class Conversion:
    """One result; ``OVERFLOW`` where the range does not hold the signal.

    Attributes:
        t_s: bench time at the end of the integration.
        v_v: mean voltage, where it is sensed.
        i_a: mean current.
        in_compliance: the source was limiting at the end.
    """

    t_s: float
    v_v: float
    i_a: float
    in_compliance: bool


@dataclass
class _Step:
    """A change of level under way: from, to, since when, how fast."""

    before: float = 0.0
    after: float = 0.0
    start_s: float = -math.inf
    tau_s: float = 0.0

    def value(self, t_s: float) -> float:
        if not self.is_under_way(t_s):
            return self.after
        left = math.exp(-(t_s - self.start_s) / self.tau_s)
        return self.after + (self.before - self.after) * left

    def mean(self, t_s: float, dt_s: float) -> float:
        rest = self.value(t_s) - self.after
        return self.after + rest * self.tau_s / dt_s * -math.expm1(-dt_s / self.tau_s)

    def is_under_way(self, t_s: float) -> bool:
        return self.tau_s > 0 and t_s - self.start_s < TIME_CONSTANTS_TO_SETTLE * self.tau_s


class SourceMeasureCore:
    """Source and converters of one channel on simulated terminals.

    Bench time passes in ``wait_s``, ``convert``, ``probe`` and ``select_amp_range`` only.

    Args:
        terminals: ideal output terminals on the simulated bench.
        spec: of the type of instrument.
        line_frequency_hz: of the simulated mains.
        channel: name, which the errors of a serial number differ by.
        epoch: how often the instrument has been calibrated; its errors are others each time.
        is_ideal: no errors and no noise; it settles all the same.
        lead_ohm: of both leads that carry the current, there and back.

    Attributes:
        line_frequency_hz: that integration times refer to.
        output_on: the source drives the terminals.
        senses_remotely: four wires, the voltage is sensed at the device; otherwise at the
            instrument, and the leads take their share of it.
    """

    def __init__(
        self,
        terminals: SmuTerminals,
        spec: SmuSpec,
        line_frequency_hz: float,
        *,
        channel: str = "a",
        epoch: int = 0,
        is_ideal: bool = False,
        lead_ohm: float = 0.0,
    ) -> None:
        self.spec = spec
        self.line_frequency_hz = line_frequency_hz
        self.output_on = False
        self.senses_remotely = False
        self._lead_ohm = lead_ohm
        self._terminals = terminals
        identity = [epoch, *f"{terminals.serial_number} {channel}".encode()]
        rng = None if is_ideal else np.random.default_rng(identity)
        self._source_v = Converter(spec.source_v, rng)
        self._source_a = Converter(spec.source_a, rng)
        self._measure_v = Converter(spec.measure_v, rng)
        self._measure_a = Converter(spec.measure_a, rng)
        self._noise = np.random.default_rng([*identity, 1])
        self._step = _Step()
        self._function = Function.VOLTS
        self._limit = 0.0
        self._applied: tuple[float, float] | None = None
        self._siemens = 0.0
        self._lag_from_a = 0.0
        self._amp_range: int | None = None

    def now_s(self) -> float:
        """Return the bench time."""
        return self._terminals.now_s()

    def drive(self, drive: Drive) -> None:
        """Source this from now on; output on. The level settles while time passes."""
        source, limiter = self._source_v, self._source_a
        if drive.function is Function.AMPS:
            source, limiter = limiter, source
        target = source.convert(drive.level, drive.level_range)
        limit = max(limiter.convert(drive.limit, drive.limit_range), _NO_CURRENT_A)
        self._limit = min(limit, drive.range_limit)
        if drive.function is not self._function or not self.output_on:
            self._step = _Step()
        self._function, self.output_on = drive.function, True
        now_s = self.now_s()
        if target != self._step.after:
            tau_s = source.spec.settles_s[drive.level_range] / TIME_CONSTANTS_TO_SETTLE
            before = self._step.value(now_s)
            if any(self.spec.measure_a.settles_s):
                self._lag_from_a = self._current_a(before)
            self._step = _Step(before, target, now_s, tau_s)
        self._apply(self._step.value(now_s))

    def release(self) -> None:
        """Output off: nothing drives the terminals."""
        self._terminals.release()
        self.output_on = False
        self._applied = None
        self._step = _Step()
        self._siemens = self._lag_from_a = 0.0

    @property
    def is_settling(self) -> bool:
        """Whether a change of the level is still under way."""
        return self.output_on and self._step.is_under_way(self.now_s())

    def settle_now(self) -> None:
        """Let the source arrive at once: for when another channel passes the time."""
        if self.is_settling:
            self._step.start_s = -math.inf
            self._apply(self._step.after)

    def wait_s(self, dt_s: float) -> None:
        """Let bench time pass."""
        if not self.output_on:
            self._terminals.wait_s(dt_s)
            return
        for h_s in self._pieces(dt_s):
            self._terminals.wait_s(h_s)

    def select_amp_range(self, index: int) -> None:
        """Measure current on this range from now on; a change costs its dead time."""
        self.wait_s(self.switch_amp_range(index))

    def switch_amp_range(self, index: int) -> float:
        """Measure current on this range from now on; return its dead time, which has to pass."""
        changes = self._amp_range not in (index, None) and self.output_on
        self._amp_range = index
        return self.spec.measure_a.settles_s[index] if changes else 0.0

    def probe(self, dt_s: float = 1e-6) -> Conversion:
        """Return the state of the terminals without errors; costs ``dt_s``."""
        v_v, i_a, limited = self._integrate(dt_s)
        return Conversion(self.now_s(), v_v, i_a, limited)

    def conversion_s(self, nplc: float) -> float:
        """Return how long one conversion takes."""
        return nplc / self.line_frequency_hz + self.spec.overhead_s

    def convert(self, nplc: float, volt_range: int, amp_range: int) -> Conversion:
        """Integrate voltage and current at once; costs ``conversion_s``."""
        self.select_amp_range(amp_range)
        self.wait_s(self.spec.overhead_s)
        start_s = self.now_s()
        v_v, true_a, limited = self._integrate(nplc / self.line_frequency_hz)
        i_a = self._lagging(true_a, start_s, amp_range)
        aperture = Aperture(nplc, self.spec.short_aperture_ratio(nplc))
        draw_v, draw_a = self._noise.standard_normal(2)
        return Conversion(
            self.now_s(),
            self._read(self._measure_v, v_v, volt_range, draw_v, aperture),
            self._read(self._measure_a, i_a, amp_range, draw_a, aperture),
            limited,
        )

    def _read(
        self, converter: Converter, value: float, index: int, draw: float, aperture: Aperture
    ) -> float:
        top = converter.spec.full_scales[index]
        if abs(value) > self.spec.over_range_ratio * top:
            return OVERFLOW
        return converter.read(value, index, float(draw), aperture)

    def _lagging(self, i_a: float, start_s: float, amp_range: int) -> float:
        """The mean of a reading that still remembers the current before the last step."""
        tau_s = self.spec.measure_a.settles_s[amp_range] / TIME_CONSTANTS_TO_SETTLE
        since_s, now_s = start_s - self._step.start_s, self.now_s()
        if since_s >= _LAG_TIME_CONSTANTS * tau_s:
            return i_a
        left = math.exp(-since_s / tau_s) - math.exp(-(now_s - self._step.start_s) / tau_s)
        return i_a + (self._lag_from_a - i_a) * left * tau_s / (now_s - start_s)

    def _current_a(self, value: float) -> float:
        """What the source gives at this value, with the conductance seen last; look if none was."""
        if self._function is Function.AMPS:
            return value
        if value and not self._siemens:
            self._measure(_LOOK_S)
        i_a = value * self._siemens
        return math.copysign(min(abs(i_a), self._limit), i_a)

    def _integrate(self, dt_s: float) -> tuple[float, float, bool]:
        """Pass time; return mean voltage and current, and whether the source limits at the end."""
        if not self.output_on:
            self._terminals.wait_s(dt_s)
            return 0.0, 0.0, False
        samples = [(h_s, self._measure(h_s)) for h_s in self._pieces(dt_s)]
        i_a = _mean([(h_s, sample.i_a) for h_s, sample in samples])
        v_v = _mean([(h_s, sample.v_v) for h_s, sample in samples])
        return v_v + i_a * self._drop_ohm, i_a, self._is_limiting(samples[-1][1])

    def _is_limiting(self, last: Sample) -> bool:
        if self._function is Function.VOLTS or self._applied is None:
            return last.in_compliance
        return bool(self._step.after) and abs(last.i_a) < self._applied[1] * (1 - 1e-6)

    def _measure(self, dt_s: float) -> Sample:
        sample = self._terminals.measure(dt_s)
        if sample.v_v:
            self._siemens = max(sample.i_a / sample.v_v, 0.0)
        return sample

    @property
    def _drop_ohm(self) -> float:
        return 0.0 if self.senses_remotely else self._lead_ohm

    def _pieces(self, dt_s: float) -> Iterator[float]:
        """Cut a time into pieces on which the source is constant, at the mean of each.

        They grow as the settling slows down.
        """
        left_s = round(dt_s, _NS_DIGITS)
        while left_s > 0:
            start_s, h_s = self.now_s(), left_s
            if self.is_settling:
                elapsed_s = start_s - self._step.start_s
                h_s = min(left_s, round(max(self._step.tau_s, elapsed_s) / 2, _NS_DIGITS))
                value = self._step.mean(start_s, h_s)
            else:
                value = self._step.after
            self._apply(value)
            if self._drop_ohm and h_s > _LOOK_S:
                self._measure(_LOOK_S)
                self._apply(value)
                h_s = round(h_s - _LOOK_S, _NS_DIGITS)
                left_s = round(left_s - _LOOK_S, _NS_DIGITS)
            yield h_s
            left_s = round(left_s - h_s, _NS_DIGITS)

    def _apply(self, value: float) -> None:
        """Drive the far ends of the leads, which drop what the device takes."""
        share = 1 / (1 + self._drop_ohm * self._siemens)
        if self._function is Function.VOLTS:
            wanted = (value * share, self._limit)
        elif value:
            wanted = (math.copysign(self._limit * share, value), abs(value))
        else:
            wanted = (0.0, _NO_CURRENT_A)
        if wanted != self._applied:
            self._terminals.apply(*wanted)
            self._applied = wanted


def _mean(pieces: list[tuple[float, float]]) -> float:
    if len(pieces) == 1:
        return pieces[0][1]
    return sum(h_s * value for h_s, value in pieces) / sum(h_s for h_s, _ in pieces)
