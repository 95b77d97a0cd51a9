"""Pulses that the source-measure unit times itself, in trains that the switch board lives through.

A train is one call of ``Smu.pulse``. The switch board hears nothing meanwhile, so a call ends
before half of its watchdog time is over; longer trains are several calls.
"""

from __future__ import annotations

from hil.boards.train import Train
from hil.instruments.smu import PulseSamples, Smu

_REACH = 1 + 1e-9


def n_at_once(smu: Smu, width_s: float, watchdog_s: float) -> int:
    """Return how many pulses one call makes at most; 0 if the host has to time them."""
    if width_s * _REACH < smu.min_pulse_width_s:
        return 0
    longest_s, period_s = watchdog_s / 2, smu.period_s(width_s)
    n_pulses = min(smu.max_pulses, int(longest_s / period_s) + 1)
    while n_pulses and smu.train_s(width_s, n_pulses, period_s) > longest_s:
        n_pulses -= 1
    return n_pulses


def add_samples(
    train: Train, samples: PulseSamples, width_s: float, i_start_a: float | None
) -> None:
    """Add pulses of which each was sampled at its end.

    Each begins with the current that the one before ended with; the first one with ``i_start_a``
    or, if that is not known, with its own.
    """
    before_a = i_start_a
    for v_v, i_a in zip(samples.v_v.tolist(), samples.i_a.tolist(), strict=True):
        train.add(width_s, v_v, i_a if before_a is None else before_a, i_a)
        before_a = i_a
