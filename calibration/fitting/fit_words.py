"""What a fit says, in words: for reports and for the note of a record."""

from __future__ import annotations

from calibration.fitting.covariance import Identifiability, Uncertainty
from calibration.fitting.fit import LoopFit

VERDICTS: dict[Identifiability, str] = {
    "good": "well identified",
    "weak": "weakly identified",
    "none": "not identified",
    "bound": "at its bound",
}


def identifiability(uncertain: Uncertainty) -> list[str]:
    """Return sentences on what the loops cannot tell; none if they tell everything."""
    sentences = [
        f"{first} and {second} trade off (correlation {correlation:+.2f}): use them as a pair, do "
        "not compare or average them one by one."
        for first, second, correlation in uncertain.trade_offs()
    ]
    verdicts = dict(zip(uncertain.names, uncertain.verdicts, strict=True))
    for verdict in ("weak", "none", "bound"):
        names = [name for name, found in verdicts.items() if found == verdict]
        if names:
            sentences.append(f"{VERDICTS[verdict].capitalize()}: {', '.join(names)}.")
    worst = uncertain.sloppiest()
    if len(worst) > 1:
        parts = " ".join(f"{share:+.2f} {name}" for name, share in worst)
        sentences.append(f"The loops tell least of this combination (in device spreads): {parts}.")
    return sentences


def weights(fit: LoopFit) -> list[str]:
    """Return sentences on how the fit was weighed."""
    misfit = fit.misfit
    sentences = [
        f"Weights: white noise of each loop ({misfit.noise_a.min():.2g} A to "
        f"{misfit.noise_a.max():.2g} A) and a model discrepancy of "
        f"{misfit.discrepancy_ratio:.2%} of each loop's peak, correlated over "
        f"{misfit.correlated_points:.0f} points."
    ]
    sentences += [
        f"Prior: {p.name} = {p.value:g} +- {p.standard_uncertainty:g} ({p.source})."
        for p in fit.priors
    ]
    return sentences
