"""What came out, in a paragraph, and the verdict of each claim."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from procedures.learning.tasks import bayes_accuracy, make_task
from procedures.reports.eslami.dopants import TIME, means_by_dopant
from procedures.reports.eslami.gather import Provenance, Study
from procedures.reports.eslami.headline import candidates, fastest, thriftiest
from procedures.reports.eslami.reasons import explain, label, shown
from procedures.reports.pages.blocks import Block, Section, Table, Text, note
from procedures.reports.pages.wording import (
    capital,
    listed,
    number,
    percent,
    percent_interval,
    points,
    quantity,
    seeds_text,
)
from procedures.studies.eslami.claims import Verdict
from procedures.studies.figures import training_energy_j
from procedures.studies.statistics import Interval

HOLDS, FAILS, OPEN = "holds", "does not hold", "not judged"


def word(verdict: Verdict) -> str:
    """Return what became of a claim, in words."""
    return OPEN if verdict.holds is None else HOLDS if verdict.holds else FAILS


def evidence_lines(verdict: Verdict) -> list[str]:
    """Return by what a claim was judged, a line for each number."""
    return [f"{label(name)}: {shown(name, i)}" for name, i in verdict.evidence.items()]


def paragraph(study: Study, judged: Sequence[Verdict]) -> str:
    """Return what came out, in a few sentences."""
    held = [v.claim for v in judged if v.holds]
    fallen = [v.claim for v in judged if v.holds is False]
    sentences = [
        f"On {seeds_text(len(study.provenance.seeds))} and {study.provenance.n_done} runs of a "
        f"digital twin, {_claims(held)} of the paper {_verb(held)} by criteria that were fixed "
        f"beforehand"
        + (f", and {_claims(fallen)} {_verb(fallen, 'does', 'do')} not." if fallen else ".")
    ]
    sentences += [capital(s) for s in _sentences(study, judged)]
    if study.has("dopant") or study.has("tolerance"):
        found = candidates(study)
        sentences.append(
            f"The fastest of the accurate trainings takes {quantity(fastest(found).time, 's')}, "
            f"the thriftiest {quantity(thriftiest(found).energy, 'J')} at the source, against "
            f"2.4 s and 18.9 mJ in the paper, whose energy boundary is not known."
        )
    return " ".join(sentences)


def _claims(letters: Sequence[str]) -> str:
    if not letters:
        return "no claim"
    return f"claim{'s' if len(letters) > 1 else ''} {listed(letters)}"


def _verb(letters: Sequence[str], one: str = "holds", many: str = "hold") -> str:
    return many if len(letters) > 1 else one


def _sentences(study: Study, judged: Sequence[Verdict]) -> Iterator[str]:
    by_claim = {v.claim: v for v in judged if v.holds is not None}
    if "a" in by_claim:
        (interval,) = by_claim["a"].evidence.values()
        yield (
            f"at 5 % flipped pixels the network classifies {percent_interval(interval)} of the "
            f"letters T and L, where {percent(bayes_accuracy(make_task('T/L'), 0.05))} is possible."
        )
    if "b1" in by_claim:
        yield _about_noise(by_claim["b1"])
    if "c1" in by_claim:
        (interval,) = by_claim["c1"].evidence.values()
        yield f"conductance errors of 10 % change the accuracy by {points(interval)}."
    if "d" in by_claim:
        yield _about_reset(by_claim["d"])
    if "e" in by_claim and means_by_dopant(study.of("dopant"), TIME):
        yield _about_ranking(study)


def _about_noise(verdict: Verdict) -> str:
    name, best = max(verdict.evidence.items(), key=lambda item: item[1].mean)
    if best.is_above_zero:
        return f"noise in training is worth {points(best)} on noisy input ({label(name)} noise)."
    return f"what noise in training gains on noisy input cannot be told from zero: {points(best)}."


def _about_reset(verdict: Verdict) -> str:
    n, n_all = sum(i.is_above_zero for i in verdict.evidence.values()), len(verdict.evidence)
    if n == n_all:
        return "an initial reset pulse costs more time and energy than it saves, for every dopant."
    return (
        f"an initial reset pulse costs more than it saves in {n} of {n_all} comparisons of time "
        f"and energy; the others are not decided or the other way round."
    )


def _about_ranking(study: Study) -> str:
    first = {}
    for name, value in (("time", TIME), ("energy", training_energy_j)):
        means = {d: i.mean for d, i in means_by_dopant(study.of("dopant"), value).items()}
        first[name] = min(means, key=lambda d: means[d])
    if set(first.values()) == {"Cr"}:
        return "of the dopants, Cr needs least time and energy, with parameters that are assumed."
    if first["time"] == first["energy"]:
        return (
            f"of the dopants, {first['time']} needs least time and energy, not Cr; parameters of "
            f"Cr and C are assumed."
        )
    return (
        f"of the dopants, {first['time']} needs least time and {first['energy']} least energy; "
        f"parameters of Cr and C are assumed."
    )


def section(study: Study, judged: Sequence[Verdict]) -> Section:
    """Return the verdicts."""
    blocks: list[Block] = [
        Table(
            "Each claim with the criterion that was fixed before the study was run.",
            ["", "claim", "criterion", "evidence: mean, 95 % interval over seeds", "verdict"],
            [
                [
                    v.claim,
                    capital(v.says),
                    capital(v.criterion),
                    "\n".join(capital(line) for line in evidence_lines(v)) or "no results",
                    word(v),
                ]
                for v in judged
            ],
            is_text=True,
            widths=(4, 20, 27, 35, 14),
        ),
        *(
            Text(explain(study, v), "finding", f"Claim {v.claim} does not hold here.")
            for v in judged
            if v.holds is False
        ),
    ]
    open_claims = [v.claim for v in judged if v.holds is None]
    if open_claims:
        blocks.append(
            note(
                f"{capital(_claims(open_claims))} could not be judged: the runs that it takes are "
                "not in this database, or there is one seed only."
            )
        )
    return Section("verdicts", "Claims and verdicts", blocks)


def facts(provenance: Provenance) -> list[tuple[str, str]]:
    """Return the facts about where the results come from."""
    p = provenance
    versions = [f"{name} {listed(list(values))}" for name, values in p.versions.items()]
    found = [
        ("data from", "digital twin (direct), no bench"),
        ("runs", f"{p.n_done} of {p.n_planned} planned for these seeds, {len(p.failures)} failed"),
        ("seeds", f"{len(p.seeds)}: {_ranges(p.seeds)}"),
        (
            "time of computing",
            f"{_minutes(p.wall_s)} with a run going, {_minutes(p.run_s)} of runs",
        ),
        ("machines", str(p.n_machines)),
        ("first and last", f"{p.first_at[:16]} to {p.last_at[:16]} ".replace("T", " ") + "UTC"),
        ("database", p.database),
        ("software", "; ".join(versions)),
    ]
    if p.n_other:
        found.append(("not used", f"{p.n_other} runs that this version does not ask for"))
    return found


def _minutes(seconds: float) -> str:
    return number(Interval(seconds / 60, 0, 0, 2)).split(" (")[0] + " min"


def _ranges(seeds: Sequence[int]) -> str:
    if len(seeds) > 2 and seeds == tuple(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds))
