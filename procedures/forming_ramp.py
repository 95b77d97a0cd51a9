"""The forming of one device: a ramp of amplitudes at one compliance after the other.

SDC devices form by their first positive operation, at about the voltage of any later one; too much
current spoils them for good (1 mA in W, 50 uA in C). What is raised slowly is therefore the current
that the source lets through, and at each step of it the amplitude. Source: Knowm, product page of
the devices and FAQ.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hil.board import Board
from hil.limits import LimitChecker
from hil.types import CellArray, Readings
from hil.units import text

FORMED, ALREADY, NOT_FORMED, LEAKY = "formed", "already formed", "not formed", "leaky"

COLUMNS = [
    "Outcome",
    "Amplitude (V)",
    "Compliance (A)",
    "Conductance (S)",
    "Uncertainty (S)",
    "Reset conductance (S)",
    "Pulses",
    "Reads",
    "Pulse energy (J)",
]
"""What is emitted of each device."""


@dataclass(frozen=True)
class FormingRamp:
    """How to form; the defaults suit all SDC devices behind the resistors of the station ``twin``.

    Attributes:
        target_siemens: from which a device counts as formed.
        v_read_v: read voltage.
        width_s: width of all pulses.
        start_v: first amplitude at each compliance.
        step_v: from one amplitude to the next.
        max_v: largest amplitude.
        compliance_start_a: first compliance; inf where the board cannot limit the current.
        compliance_factor: from one compliance to the next.
        compliance_max_a: largest compliance.
        reset_v: amplitude of the RESET after forming, negative; 0 for none.
        min_window_ratio: of the conductance when formed over that after RESET; below it a device
            is leaky.
    """

    target_siemens: float = 50e-6
    v_read_v: float = 0.1
    width_s: float = 0.02
    start_v: float = 0.2
    step_v: float = 0.05
    max_v: float = 1.0
    compliance_start_a: float = 5e-6
    compliance_factor: float = 2.0
    compliance_max_a: float = 50e-6
    reset_v: float = -1.2
    min_window_ratio: float = 2.0

    @property
    def is_limited(self) -> bool:
        """Whether the source limits the current."""
        return math.isfinite(self.compliance_max_a)

    @property
    def compliances_a(self) -> list[float]:
        """All of them, the largest last."""
        levels_a, level_a = [], self.compliance_start_a
        while level_a < self.compliance_max_a * (1 - 1e-9):
            levels_a.append(level_a)
            level_a *= self.compliance_factor
        return [*levels_a, self.compliance_max_a]

    @property
    def amplitudes_v(self) -> list[float]:
        """All of them at each compliance, the largest last."""
        n_steps = math.ceil((self.max_v - self.start_v) / self.step_v - 1e-9)
        return [*(self.start_v + k * self.step_v for k in range(n_steps)), self.max_v]

    def check(self, cells: CellArray, limits: LimitChecker) -> None:
        """Check the extremes of the ramp on cells.

        Raises:
            LimitError: a limit of a device would be exceeded.
        """
        compliance_a = self.compliance_max_a if self.is_limited else None
        limits.check_pulse(cells, self.max_v, self.width_s, 1, compliance_a=compliance_a)
        if self.reset_v:
            limits.check_pulse(cells, self.reset_v, self.width_s, 1)
        limits.check_read(cells, self.v_read_v, allow_reverse=False)


@dataclass
class FormedCell:
    """What became of one device.

    Attributes:
        outcome: ``formed``, ``already formed``, ``not formed`` or ``leaky``.
        amplitude_v: at which it formed; NaN if it did not.
        compliance_a: at which it formed; NaN if it did not, or if there was none.
        g_siemens: last conductance before the RESET.
        g_expanded_siemens: expanded uncertainty (k = 2) of it.
        reset_siemens: conductance after the RESET; NaN without one.
        n_pulses: pulses, the RESET among them.
        n_reads: readings.
        pulses_j: energy of the pulses at the source.
    """

    outcome: str = NOT_FORMED
    amplitude_v: float = math.nan
    compliance_a: float = math.nan
    g_siemens: float = math.nan
    g_expanded_siemens: float = math.nan
    reset_siemens: float = math.nan
    n_pulses: int = 0
    n_reads: int = 0
    pulses_j: float = 0.0

    @property
    def record(self) -> dict[str, object]:
        """What is emitted of it; the keys are ``COLUMNS``."""
        values = (
            self.outcome,
            self.amplitude_v,
            self.compliance_a,
            self.g_siemens,
            self.g_expanded_siemens,
            self.reset_siemens,
            self.n_pulses,
            self.n_reads,
            self.pulses_j,
        )
        return dict(zip(COLUMNS, values, strict=True))

    @property
    def story(self) -> str:
        """How it went, in words."""
        parts = [] if math.isnan(self.amplitude_v) else [f"at {text(self.amplitude_v, 'V')}"]
        if not math.isnan(self.compliance_a):
            parts.append(f"with at most {text(self.compliance_a, 'A')}")
        parts.append(f"{text(self.g_siemens, 'S')}")
        if not math.isnan(self.reset_siemens):
            parts.append(f"{text(self.reset_siemens, 'S')} after RESET")
        return ", ".join([*parts, f"{self.n_pulses} pulses"])


class Former:
    """Forms devices of one board, one after the other.

    Args:
        board: pulses and readings go to it.
        ramp: how to form.
        stop_if_asked: called before each pulse; may raise.
    """

    def __init__(
        self, board: Board, ramp: FormingRamp, stop_if_asked: Callable[[], None] = lambda: None
    ) -> None:
        self._board = board
        self._ramp = ramp
        self._stop_if_asked = stop_if_asked

    def form(self, cell: tuple[int, int]) -> FormedCell:
        """Form one device, if it is not formed already; changes it."""
        formed = FormedCell()
        if self._conducts(cell, formed):
            formed.outcome = ALREADY
        elif self._climb(cell, formed):
            formed.outcome = FORMED if self._resets(cell, formed) else LEAKY
        return formed

    def _climb(self, cell: tuple[int, int], formed: FormedCell) -> bool:
        ramp = self._ramp
        for compliance_a in ramp.compliances_a:
            for amplitude_v in ramp.amplitudes_v:
                limit_a = compliance_a if ramp.is_limited else None
                self._pulse(cell, formed, amplitude_v, limit_a)
                if self._conducts(cell, formed):
                    formed.amplitude_v = amplitude_v
                    formed.compliance_a = np.nan if limit_a is None else limit_a
                    return True
        return False

    def _conducts(self, cell: tuple[int, int], formed: FormedCell) -> bool:
        """Return whether two readings are at the target; one alone may be noise."""
        for _ in range(2):
            readings = self._read(cell, formed)
            formed.g_siemens = float(readings.g_siemens[0])
            formed.g_expanded_siemens = float(readings.g_expanded_siemens[0])
            if formed.g_siemens < self._ramp.target_siemens:
                return False
        return True

    def _resets(self, cell: tuple[int, int], formed: FormedCell) -> bool:
        """Reset it once; return whether its conductance fell far enough in one of two readings."""
        if not self._ramp.reset_v:
            return True
        self._pulse(cell, formed, self._ramp.reset_v, None)
        low_siemens = formed.g_siemens / self._ramp.min_window_ratio
        for _ in range(2):
            formed.reset_siemens = float(self._read(cell, formed).g_siemens[0])
            if formed.reset_siemens <= low_siemens:
                return True
        return False

    def _read(self, cell: tuple[int, int], formed: FormedCell) -> Readings:
        formed.n_reads += 1
        return self._board.measure([cell], self._ramp.v_read_v)

    def _pulse(
        self,
        cell: tuple[int, int],
        formed: FormedCell,
        amplitude_v: float,
        compliance_a: float | None,
    ) -> None:
        self._stop_if_asked()
        pulses = self._board.pulse(
            [cell], amplitude_v, self._ramp.width_s, compliance_a=compliance_a
        )
        formed.n_pulses += 1
        formed.pulses_j += float(pulses.energy.source_j.sum())
