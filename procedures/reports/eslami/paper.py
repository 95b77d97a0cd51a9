"""What is known of arXiv 2408.14680, and what follows from it; the paper's body was not available.

Tags: P, its abstract; S1, a machine summary of it; S2, an anonymous literature note; nothing in S1
and S2 could be checked. ``derived`` is arithmetic on those.
"""

from __future__ import annotations

from dataclasses import dataclass

ABSTRACT, SUMMARY, NOTE, DERIVED, ASSUMED = "P", "S1", "S2", "derived", "assumed"
TAGS = {
    ABSTRACT: "the paper's abstract",
    SUMMARY: "a machine summary of the paper, secondary and unchecked",
    NOTE: "an anonymous literature note, secondary and unchecked",
    DERIVED: "arithmetic on the above",
    ASSUMED: "assumed here",
}

N_MEMRISTORS = 30
TIME_S = 2.4
ENERGY_J = 18.9e-3
ACCURACY = 0.97
ERROR_TOLERATED = 0.10
ERROR_DEGRADED = 0.15
NOISE_MODERATE = 0.15
RESET_S = 0.2

ADC_READ_S = 1e-4
"""One conversion of a microcontroller's ADC (assumed: an Arduino's takes about 0.1 ms)."""
CONTROLLER_V, CONTROLLER_A = 5.0, 0.05
"""Supply of a small controller board (assumed)."""


@dataclass(frozen=True)
class Known:
    """A figure or statement of the paper.

    Attributes:
        what: it is about.
        value: as it is given.
        tag: where it comes from; a key of ``TAGS``.
    """

    what: str
    value: str
    tag: str

    @property
    def is_secondary(self) -> bool:
        """Whether it comes from a source that could not be checked."""
        return self.tag in (SUMMARY, NOTE)


KNOWN = (
    Known("Devices", "commercial silver-based M-SDC memristors: W, Cr, C", ABSTRACT),
    Known("Network", "30 memristors, 4 neurons", ABSTRACT),
    Known("Network", "two layers, two classes of 3 x 3 images", SUMMARY),
    Known("Topology", "9-3-1 without bias: the only one with 30 weights and 4 neurons", DERIVED),
    Known("Access in training", "one memristor at a time, through a switch", SUMMARY),
    Known("Algorithm", "each conductance is tuned until it meets its target weight", ABSTRACT),
    Known("Best accuracy", "up to 97 %, with conductance variation and input noise", ABSTRACT),
    Known("Training noise", "moderate noise (below 15 %) makes the network more robust", ABSTRACT),
    Known("Conductance error", "10 % is tolerated without significant loss", ABSTRACT),
    Known("Conductance error", "accuracy is degraded at 15 %", NOTE),
    Known("Cr devices", "2.4 s and 18.9 mJ for a training", ABSTRACT),
    Known("Why Cr", "its first conductance jump lands nearer to most targets", NOTE),
    Known("Reset pulse", "without it, training takes considerably less time and energy", ABSTRACT),
    Known("Reset pulse", "200 ms, once at the beginning", NOTE),
    Known("Retraining", "recovers from conductance errors and a shift of the noise", NOTE),
)


@dataclass(frozen=True)
class Ours:
    """What the arithmetic needs of our own training.

    Attributes:
        n_pulses: for each memristor.
        n_reads: for each memristor.
        pulse_s: width of a pulse.
    """

    n_pulses: float
    n_reads: float
    pulse_s: float


TIME_PER_MEMRISTOR_S = TIME_S / N_MEMRISTORS
ENERGY_PER_MEMRISTOR_J = ENERGY_J / N_MEMRISTORS
POWER_W = ENERGY_J / TIME_S
RESETS_S = N_MEMRISTORS * RESET_S
CONTROLLER_J = CONTROLLER_V * CONTROLLER_A * TIME_S


def loop_ohm(v_v: float) -> float:
    """Return the resistance through which a voltage drives the paper's mean power, in ohm."""
    return v_v**2 / POWER_W


def pulse_width_s(ours: Ours) -> float:
    """Return the pulse width that leaves the paper's time with our pulses and quick reads, in s."""
    return (TIME_PER_MEMRISTOR_S - ours.n_reads * ADC_READ_S) / ours.n_pulses


def pulses_in_time(ours: Ours) -> float:
    """Return how many of our pulses, each with a quick read, the paper's time has room for."""
    return TIME_PER_MEMRISTOR_S / (ours.pulse_s + ADC_READ_S)
