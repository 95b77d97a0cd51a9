"""Why a claim does not hold here: by how much, and what the data say of the cause."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from procedures.learning.tasks import bayes_accuracy, make_task
from procedures.reports.eslami.dopants import TIME, means_by_dopant
from procedures.reports.eslami.gather import Study
from procedures.reports.eslami.noise import FLIP, optimum
from procedures.reports.pages.wording import (
    capital,
    listed,
    mean,
    number,
    paired,
    percent,
    percent_interval,
    points,
    quantity,
    seeds_text,
)
from procedures.studies.eslami.claims import ACCURACY_GOAL, FLATNESS_MARGIN, Verdict
from procedures.studies.figures import cycles_per_memristor, last, training_energy_j
from procedures.studies.statistics import Interval

_BELOW_ZERO = ("b2", "c2")


def supports(claim: str, interval: Interval) -> bool:
    """Whether a piece of evidence alone meets the criterion of its claim."""
    if claim == "a":
        return interval.mean >= ACCURACY_GOAL
    if claim == "c1":
        return interval.low > -FLATNESS_MARGIN
    return interval.is_below_zero if claim in _BELOW_ZERO else interval.is_above_zero


def contradicts(claim: str, interval: Interval) -> bool:
    """Whether a piece of evidence says the opposite with its whole interval."""
    if claim == "a":
        return interval.high < ACCURACY_GOAL
    if claim == "c1":
        return interval.high < -FLATNESS_MARGIN
    return interval.is_above_zero if claim in _BELOW_ZERO else interval.is_below_zero


def explain(study: Study, verdict: Verdict) -> str:
    """Return the paragraph on a claim that does not hold."""
    against = {n: i for n, i in verdict.evidence.items() if contradicts(verdict.claim, i)}
    undecided = {
        n: i
        for n, i in verdict.evidence.items()
        if not supports(verdict.claim, i) and n not in against
    }
    n_held = len(verdict.evidence) - len(against) - len(undecided)
    parts = []
    if against:
        parts.append(f"the opposite is found for {_all(against)}")
    if undecided:
        parts.append(
            f"{seeds_text(min(i.n for i in undecided.values()))} do not decide, because the "
            f"interval reaches over the criterion: {_all(undecided)}"
        )
    if n_held:
        parts.append(f"{n_held} of {len(verdict.evidence)} numbers are as claimed")
    said = f"{capital('; '.join(parts))}."
    why = _WHY[verdict.claim](study) if verdict.claim in _WHY else ""
    return f"{said} {why}".strip()


def shown(name: str, interval: Interval) -> str:
    """Return a piece of evidence with its unit."""
    if "(s)" in name:
        return quantity(interval, "s", plus=True)
    if "(J)" in name:
        return quantity(interval, "J", plus=True)
    return points(interval) if "less" in name else percent_interval(interval)


def label(name: str) -> str:
    """Return the name of a piece of evidence without the unit that ``shown`` adds."""
    return name.replace(" (s)", "").replace(" (J)", "")


def _all(evidence: Mapping[str, Interval]) -> str:
    return listed([f"{label(name)}, {shown(name, i)}" for name, i in evidence.items()])


def _accuracy(study: Study) -> str:
    found = study.of("accuracy").where(task="T/L", variation="device to device as recorded")
    stages = [mean(found, last(f"{stage}_flip_0.05")).mean for stage in ("target", "readback")]
    board = mean(found, last("accuracy_flip_0.05")).mean
    bayes = bayes_accuracy(make_task("T/L"), 0.05)
    return (
        f"The best classifier reaches {percent(bayes)}; the targets, computed without devices, "
        f"{percent(stages[0])}; what the memristors carry {percent(stages[1])}; the board "
        f"{percent(board)}. The largest of these steps is where it is lost."
    )


def _noise(study: Study) -> str:
    results = study.of("training-noise")
    clean = mean(results.where(training_noise=0.0), last("accuracy_flip_0.1"))
    bayes = bayes_accuracy(make_task("T/L"), 0.1)
    best, gain = optimum(results, FLIP, 0.1)
    return (
        f"Trained clean, the network classifies {percent_interval(clean)} of a possible "
        f"{percent(bayes)} at 10 % flipped pixels; the best training noise, {percent(best, 0)}, "
        f"gains {points(gain)}."
    )


def _errors(study: Study) -> str:
    results = study.of("conductance-error").where(dopant="W")
    none = results.where(conductance_error=0.0)
    clean = {
        error: mean(results.where(conductance_error=error), last("accuracy_clean")).mean
        for error in results.values("conductance error")
    }
    costs = {
        error: paired(results.where(conductance_error=error), none, last("accuracy_flip_0.05"))
        for error in clean
        if error
    }
    lost = [error for error, cost in costs.items() if cost.is_below_zero]
    first = (
        f"The smallest error that costs anything beyond chance is {percent(min(lost), 0)}."
        if lost
        else "No error that was imposed costs anything beyond chance."
    )
    kept = [error for error, value in clean.items() if value >= 1.0]
    margins = (
        f" Up to {percent(max(kept), 0)} every image without noise is still classified: the "
        f"targets, trained with errors, have margins."
        if kept and max(kept) > 0
        else ""
    )
    return first + margins


def _reset(study: Study) -> str:
    found = []
    results = study.of("dopant").where(search="ladder")
    for dopant in results.values("dopant"):
        of_dopant = results.where(dopant=dopant)
        saved = paired(
            of_dopant.where(reset=False), of_dopant.where(reset=True), cycles_per_memristor
        )
        if saved.n:
            found.append(f"{number(saved)} cycles per memristor for {dopant}")
    return f"The reset saves {listed(found)}, and takes 6 s." if found else ""


def _ranking(study: Study) -> str:
    results, parts = study.of("dopant"), []
    for name, value in (("time", TIME), ("energy", training_energy_j)):
        means = {d: i.mean for d, i in means_by_dopant(results, value).items()}
        order = sorted(means, key=lambda dopant: means[dopant])
        parts.append(f"{listed(order, 'then')} in {name}")
    cycles = means_by_dopant(results, cycles_per_memristor)
    counts = listed([f"{d} {number(i)}" for d, i in cycles.items()])
    return (
        f"The order here is {listed(parts, 'and')}. Cycles per memristor: {counts}. Cr and C are "
        f"assumed, so this says what the assumptions say; the section on sensitivity shows how "
        f"much the order hangs on them."
    )


_WHY: Mapping[str, Callable[[Study], str]] = {
    "a": _accuracy,
    "b1": _noise,
    "b2": _noise,
    "c1": _errors,
    "c2": _errors,
    "d": _reset,
    "e": _ranking,
}
