"""Settings of methods: those that were tried for the digits, those that were chosen, and schedules.

A method is tried with four settings in every condition. ``CHOSEN`` was written from the results of
``digits-tuning``: the setting with the highest mean accuracy of the last epoch on samples that were
held back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

from procedures.studies.tasks import Values


def _grid(fixed: Values, **choices: Sequence[float | int | str]) -> list[Values]:
    """Return the settings of all combinations of choices."""
    return [
        {**fixed, **dict(zip(choices, values, strict=True))}
        for values in product(*choices.values())
    ]


TUNING: Mapping[str, Sequence[Values]] = {
    "digital": _grid({"method": "digital"}, rate=(0.03, 0.1, 0.3, 0.6)),
    "Analog SGD": _grid({"method": "analog-sgd"}, rate=(0.003, 0.01, 0.03, 0.1)),
    "TT-v1": _grid({"method": "tiki-taka-1"}, rate=(0.01, 0.03), fast_rate=(0.5, 2.0)),
    "TT-v2": _grid({"method": "tiki-taka-2"}, rate=(0.01, 0.03), fast_rate=(0.5, 2.0)),
    "c-TTv2": _grid({"method": "chopped-2"}, rate=(0.05, 0.2), granularity=(10.0, 100.0)),
    "AGAD": _grid({"method": "agad"}, rate=(0.05, 0.2), granularity=(10.0, 100.0)),
    "mixed precision": _grid({"method": "mixed-precision"}, rate=(0.05, 0.1, 0.2, 0.4)),
    "residual": _grid(
        {
            "method": "residual",
            "schedule": "free",
            "n_tiles": 5,
            "gamma": 0.5,
            "warm_start": False,
            "period_ratio": 5,
            "transfer_rate": 0.1,
        },
        rate=(0.05, 0.2),
        first_period=(2, 20),
    ),
    "carry": _grid(
        {"method": "carry", "gamma": 0.4, "visit_every": 1, "visit_columns": 8},
        rate=(0.1, 0.3),
        n_tiles=(4, 5),
    ),
}
"""Settings that are tried, by method."""

CHOSEN: dict[tuple[str, int, float], Values] = {
    (method, states, spread): TUNING[method][0]
    for method, states, spread in product(TUNING, (4, 10), (0.0, 0.3))
}

_RESIDUAL: Values = {
    "method": "residual",
    "schedule": "free",
    "gamma": 0.5,
    "first_period": 20,
    "period_ratio": 20,
    "transfer_rate": 0.2,
}

SHORT_METHODS: Mapping[str, Values] = {
    "digital": {"method": "digital"},
    "Analog SGD, 1 tile": {"method": "analog-sgd"},
    "TT-v1": {"method": "tiki-taka-1", "fast_rate": 0.01, "transfer_rate": 0.1},
    "TT-v2": {"method": "tiki-taka-2", "fast_rate": 0.1},
    "mixed precision": {"method": "mixed-precision"},
    "3 tiles": {**_RESIDUAL, "n_tiles": 3, "switches": "1,2"},
    "4 tiles": {**_RESIDUAL, "n_tiles": 4, "switches": "1,2,3"},
    "6 tiles": {**_RESIDUAL, "n_tiles": 6, "switches": "1,2,3,4,5"},
}
"""Of the short schedule on MNIST: TT settings are the published ones; rates are halved every three
epochs for all."""

CARRY: Mapping[str, Values] = {
    "6 tiles, carry": {
        "method": "carry",
        "n_tiles": 6,
        "gamma": 0.4,
        "visit_every": 2,
        "visit_columns": 64,
    },
}
"""The carry in the same schedule; an epoch takes some times as long."""

_CARRY: Values = {
    "method": "carry",
    "gamma": 0.4,
    "visit_every": 2,
    "visit_columns": 64,
    "carry_rounds": 3,
}

BEST: Mapping[str, Values] = {
    "carry, 6 tiles": {**_CARRY, "n_tiles": 6, "epochs": 15, "rate_epochs": 4},
    "carry, 7 tiles": {**_CARRY, "n_tiles": 7, "epochs": 15, "rate_epochs": 4},
}
"""Schedules of ours on MNIST."""
