"""Measured beside twin, quantity by quantity: how far apart, against which uncertainty."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from calibration.comparing.loop_features import UNITS, LoopFeatures, loop_features
from calibration.loops import Loop
from hil.boards.divergence import COVERAGE, Comparison, Tally
from hil.types import FloatArray

AGREES, DIFFERS, UNKNOWN = "agrees", "differs", "cannot tell"


@dataclass(frozen=True)
class Verdict:
    """One quantity of one device, measured and of its twin.

    Attributes:
        device: name of the device.
        conditions: of the loop; empty where there is but one.
        quantity: what is compared.
        measured: value; of a whole current its rms, of many readings the one furthest apart.
        twin: value of the twin.
        difference: measured minus twin; of a whole current the rms of the difference.
        expanded: uncertainty of the difference, k = 2.
        unit: of all of these.
        n_compared: how many values stand behind it.
        n_apart: how many of them are apart by more than their uncertainty.
        verdict: ``agrees``, ``differs``, or ``cannot tell`` where a value is missing, or
            where a device is apart in one half cycle, which may be an unlikely draw.
        decides: whether the verdict on the device follows from it. What one reads off a loop at a
            single point does not: it scatters from cycle to cycle.
    """

    device: str
    conditions: str
    quantity: str
    measured: float
    twin: float
    difference: float
    expanded: float
    unit: str
    n_compared: int
    n_apart: int
    verdict: str
    decides: bool = True

    @property
    def ratio(self) -> float:
        """Difference in units of its expanded uncertainty."""
        return abs(self.difference) / self.expanded if self.expanded else float("inf")


@dataclass(frozen=True)
class Overlay:
    """A measured curve and that of the twin; arrays of shape (n,).

    Attributes:
        device: name of the device.
        conditions: of the loop; empty where there is but one curve.
        quantity: ``current`` over the voltage of the device, or ``conductance`` over time.
        x: what it is drawn over.
        x_twin: the same for the twin.
        measured: values.
        twin: values.
        expanded: uncertainty of the difference, k = 2.
    """

    device: str
    conditions: str
    quantity: str
    x: FloatArray = field(repr=False)
    x_twin: FloatArray = field(repr=False)
    measured: FloatArray = field(repr=False)
    twin: FloatArray = field(repr=False)
    expanded: FloatArray = field(repr=False)

    @property
    def r2(self) -> float:
        """Share of the variance of the measured curve that the twin explains."""
        spread = float(np.sum((self.measured - self.measured.mean()) ** 2))
        return 1 - float(np.sum(self.residual**2)) / spread if spread else float("nan")

    @property
    def residual(self) -> FloatArray:
        """Measured minus twin."""
        return self.measured - self.twin

    @property
    def residual_rms(self) -> float:
        """Root mean square of the residual."""
        return _rms(self.residual)

    def figures(self) -> dict[str, Any]:
        """Return what there is to say of it without the points, ready for JSON."""
        return {
            "device": self.device,
            "conditions": self.conditions,
            "quantity": self.quantity,
            "n_points": len(self.measured),
            "r2": self.r2,
            "residual_rms": self.residual_rms,
            "residual_in_uncertainties": self.residual_rms / _rms(self.expanded),
            "unit": "A" if self.quantity == "current" else "S",
        }


def loop_overlay(measured: Loop, twin: Loop, model_ratio: float) -> Overlay:
    """Return the curves of a loop; the uncertainty is the same at every point.

    A record states how large the residual of its fit is on the whole, and nothing better for any
    one point: ``model_ratio`` times the rms of the current.
    """
    expanded = COVERAGE * model_ratio * _rms(twin.i_a)
    return Overlay(
        measured.device,
        measured.label,
        "current",
        measured.v_device_v,
        twin.v_device_v,
        measured.i_a,
        twin.i_a,
        np.full(len(measured.i_a), expanded),
    )


def loop_verdicts(measured: Loop, twin: Loop, model_ratio: float) -> list[Verdict]:
    """Compare a loop with that of the twin: the current as a whole, and what one reads off.

    The uncertainties all follow from that of the current, U(I) = 2 ``model_ratio`` rms(I): 2
    ``model_ratio`` of the energy, R U(I) for voltages of the device behind its resistor R, and
    U(I) / 0.1 V for conductances read at 0.1 V.
    """
    overlay = loop_overlay(measured, twin, model_ratio)
    u_a = float(overlay.expanded[0])
    current = _verdict(
        measured,
        _CURRENT,
        (_rms(measured.i_a), _rms(twin.i_a), overlay.residual_rms),
        u_a,
        "A",
    )
    ours, theirs = loop_features(measured), loop_features(twin)
    expanded = LoopFeatures(
        energy_j=COVERAGE * model_ratio * abs(theirs.energy_j),
        set_v=measured.r_series_ohm * u_a,
        reset_v=measured.r_series_ohm * u_a,
        g_before_siemens=u_a / 0.1,
        g_after_siemens=u_a / 0.1,
    )
    return [current] + [
        _verdict(
            measured,
            _NAMES[name],
            (value, getattr(theirs, name), value - getattr(theirs, name)),
            getattr(expanded, name),
            UNITS[name],
        )
        for name, value in asdict(ours).items()
    ]


_CURRENT = "current (rms)"
_NAMES = {
    "energy_j": "energy",
    "set_v": "SET voltage",
    "reset_v": "RESET voltage",
    "g_before_siemens": "G(0.1 V) before SET",
    "g_after_siemens": "G(0.1 V) after SET",
}
_DECISIVE = (_CURRENT, "energy")


def tally_verdicts(tally: Tally) -> list[Verdict]:
    """Return one verdict for each device and quantity of many comparisons."""
    return [
        Verdict(
            device,
            "",
            quantity,
            score.worst.board,
            score.worst.twin,
            score.worst.difference,
            score.worst.expanded,
            score.worst.unit,
            score.n_compared,
            score.n_diverged,
            DIFFERS if score.has_drifted else UNKNOWN if score.is_undecided else AGREES,
        )
        for (device, quantity), score in tally.scores.items()
        if score.worst is not None
    ]


def conductance_overlays(comparisons: list[Comparison]) -> list[Overlay]:
    """Return the conductance of each device over time."""
    by_device: dict[str, list[Comparison]] = {}
    for c in comparisons:
        if c.quantity == "conductance" and c.is_known:
            by_device.setdefault(c.device, []).append(c)
    return [
        Overlay(
            device,
            "",
            "conductance",
            *(
                np.array([getattr(c, name) for c in found])
                for name in ("t_s", "t_s", "board", "twin", "expanded")
            ),
        )
        for device, found in by_device.items()
    ]


def _verdict(
    loop: Loop, quantity: str, values: tuple[float, float, float], expanded: float, unit: str
) -> Verdict:
    measured, twin, difference = values
    comparison = Comparison(loop.device, quantity, *values, expanded, unit, 0.0)
    apart = comparison.is_known and comparison.diverges
    word = UNKNOWN if not comparison.is_known else DIFFERS if apart else AGREES
    return Verdict(
        loop.device,
        loop.label,
        quantity,
        measured,
        twin,
        difference,
        expanded,
        unit,
        1,
        int(apart),
        word,
        decides=quantity in _DECISIVE,
    )


def _rms(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(values**2)))
