"""Words and choices of the report of arXiv 2408.14680."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from procedures.in_situ_training import InSituTraining
from procedures.network_procedure import NetworkProcedure
from procedures.on_chip_training import OnChipTraining
from procedures.programming import WriteVerify
from procedures.reports.eslami.choices import (
    IN_SITU,
    LEFT_OUT,
    NETWORK,
    ON_CHIP,
    WRITE_VERIFY,
    Choice,
)
from procedures.reports.eslami.methods import appendix, own_parameters
from procedures.reports.pages.wording import (
    listed,
    percent_cell,
    percent_interval,
    points,
    points_cell,
    quantity,
    quantity_cell,
    si,
    times,
    typeset,
)
from procedures.studies.statistics import Interval, mean_interval

MINUS, NBSP = "\N{MINUS SIGN}", "\N{NO-BREAK SPACE}"
NAN = float("nan")


@pytest.mark.parametrize(
    ("procedure", "choices"),
    [(NetworkProcedure, NETWORK), (OnChipTraining, ON_CHIP), (InSituTraining, IN_SITU)],
)
def test_every_parameter_has_a_reason(procedure: type[Any], choices: dict[str, Choice]) -> None:
    assert set(choices) == set(own_parameters(procedure))
    assert not set(choices) & set(LEFT_OUT)


def test_together_they_are_all_parameters() -> None:
    for procedure, choices in ((OnChipTraining, ON_CHIP), (InSituTraining, IN_SITU)):
        assert {*NETWORK, *choices, *LEFT_OUT} == set(procedure.parameter_names())


def test_every_setting_of_write_verify_has_a_reason() -> None:
    assert set(WRITE_VERIFY) == {field.name for field in fields(WriteVerify)}


def test_no_reason_is_empty() -> None:
    for choices in (NETWORK, ON_CHIP, IN_SITU, WRITE_VERIFY):
        assert all(len(choice.reason) > 8 and choice.paper for choice in choices.values())


def test_the_appendix_names_every_parameter_with_its_default() -> None:
    cells = [cell for b in appendix().blocks for row in getattr(b, "rows", ()) for cell in row]
    for name in (*NETWORK, *ON_CHIP, *IN_SITU):
        assert any(f"({name})" in cell for cell in cells), name
    assert "0.2 s" in cells  # the reset pulse


def test_intervals_in_words() -> None:
    interval = Interval(0.9789, 0.974, 0.984, 20)
    assert percent_interval(interval) == "97.9 % (97.4 to 98.4)"
    assert percent_cell(interval) == "97.9 \N{PLUS-MINUS SIGN} 0.5 %"
    drop = Interval(-0.012, -0.02, -0.004, 20)
    assert points(drop) == f"{MINUS}1.2 points ({MINUS}2.0 to {MINUS}0.4)"
    assert points_cell(drop) == f"{MINUS}1.2 \N{PLUS-MINUS SIGN} 0.8"


def test_one_seed_has_no_interval_and_none_no_number() -> None:
    one, none = mean_interval([0.5]), mean_interval([])
    assert percent_interval(one) == "50.0 % (one seed)"
    assert percent_cell(one) == "50.0 % (one seed)"
    assert points_cell(one) == "+50.0 (one seed)"
    assert quantity(one, "s") == "500 ms (one seed)"
    for shown in (percent_interval(none), points(none), quantity_cell(none, "J")):
        assert shown == "\N{EN DASH}"


def test_quantities_share_one_prefix() -> None:
    assert quantity(Interval(55.1e-6, 50.2e-6, 60e-6, 5), "J") == "55.1 µJ (50.2 to 60.0)"
    assert quantity_cell(Interval(35.4, 33.4, 37.4, 5), "s") == "35.4 \N{PLUS-MINUS SIGN} 2.0 s"
    wide = Interval(0.08, -24.0, 24.16, 5)
    assert quantity(wide, "s") == f"0.1 s ({MINUS}24.0 to 24.2)"


def test_a_zero_has_no_sign() -> None:
    assert points(Interval(-1e-9, -1e-9, 1e-9, 3)) == "0.0 points (0.0 to 0.0)"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(3174.6, "3.17 kV"), (0.0, "0.00 V"), (0.08, "80.0 mV"), (NAN, "\N{EN DASH}")],
)
def test_prefixes(value: float, shown: str) -> None:
    assert si(value, "V") == shown


@pytest.mark.parametrize(
    ("ratio", "shown"), [(1.49, "1.5"), (31.7, "32"), (22292, f"22{NBSP}000"), (0.0, "\N{EN DASH}")]
)
def test_factors_have_two_digits(ratio: float, shown: str) -> None:
    assert times(ratio) == shown


def test_lists() -> None:
    assert listed([]) == ""
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"


def test_typesetting_keeps_numbers_and_units_together() -> None:
    assert typeset("at 5% and 10 %: -1 V") == f"at 5{NBSP}% and 10{NBSP}%: {MINUS}1{NBSP}V"
    assert typeset("2 points, 9-3-1, w-m1-2") == f"2{NBSP}points, 9-3-1, w-m1-2"
