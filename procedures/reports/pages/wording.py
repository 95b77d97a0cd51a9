"""Numbers as a person reads them, with their intervals."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

from procedures.studies.figures import Results, Value
from procedures.studies.statistics import Interval, difference, mean_interval

Formatter = Callable[[float], str]

NOTHING = "\N{EN DASH}"
PLUS_MINUS = "\N{PLUS-MINUS SIGN}"
RHO, SIGMA, TIMES = (
    "\N{GREEK SMALL LETTER RHO}",
    "\N{GREEK SMALL LETTER SIGMA}",
    "\N{MULTIPLICATION SIGN}",
)
_MINUS = "\N{MINUS SIGN}"
_UNITS = "(?:[kmµn]?[sVAJWS]|[kM]?\N{GREEK CAPITAL LETTER OMEGA}|points|times|min)"
_PREFIXES = ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))


def mean(results: Results, value: Value) -> Interval:
    """Return the mean over seeds with its interval; seeds without the number are left out."""
    return mean_interval(list(known(results, value).values()))


def known(results: Results, value: Value) -> dict[int, float]:
    """Return a number of each seed that has it."""
    return {s: v for s, v in results.by_seed(value).items() if math.isfinite(v)}


def paired(minuend: Results, subtrahend: Results, value: Value) -> Interval:
    """Return the mean of the differences at equal seeds, with its interval."""
    return difference(known(minuend, value), known(subtrahend, value))


def percent(ratio: float, digits: int = 1) -> str:
    """Return ``'97.9 %'``."""
    return f"{_signed(100 * ratio, digits)} %" if math.isfinite(ratio) else NOTHING


def percent_interval(interval: Interval, digits: int = 1) -> str:
    """Return ``'97.9 % (97.4 to 98.4)'``."""
    return _with_ends(interval, lambda x: _signed(100 * x, digits), " %")


def points(interval: Interval, digits: int = 1) -> str:
    """Return a difference of two percentages: ``'+1.2 points (+0.4 to +2.0)'``."""
    return _with_ends(interval, lambda x: _signed(100 * x, digits, plus=True), " points")


def percent_cell(interval: Interval, digits: int = 1) -> str:
    """Return ``'97.9 ± 0.5 %'``, for a table."""
    return _plus_minus(interval, lambda x: _signed(100 * x, digits), " %")


def points_cell(interval: Interval) -> str:
    """Return a difference of two percentages, in points, for a table."""
    if not math.isfinite(interval.mean):
        return NOTHING
    mean_, half = _signed(100 * interval.mean, 1, plus=True), 100 * interval.half_width
    return f"{mean_} {PLUS_MINUS} {half:.1f}" if math.isfinite(half) else f"{mean_} (one seed)"


def number_cell(interval: Interval, digits: int = 1) -> str:
    """Return a mean with its interval, without a prefix, for a table."""
    return _plus_minus(interval, lambda x: _signed(x, digits), "")


def quantity_cell(interval: Interval, unit: str) -> str:
    """Return a mean with its interval in one SI prefix, for a table: ``'55.1 ± 4.9 µJ'``."""
    factor, prefix = _prefix(interval.mean)
    digits = _digits(interval.mean / factor)
    return _plus_minus(interval, lambda x: _signed(x / factor, digits), f" {prefix}{unit}")


def number(interval: Interval, digits: int = 1, unit: str = "") -> str:
    """Return a mean with its interval, without a prefix."""
    return _with_ends(interval, lambda x: _signed(x, digits), f" {unit}" if unit else "")


def quantity(interval: Interval, unit: str, *, plus: bool = False) -> str:
    """Return a mean with its interval in one SI prefix: ``'55.1 µJ (50.2 to 60.0)'``."""
    half = interval.half_width
    size = max(abs(interval.mean), half if math.isfinite(half) else 0.0)
    factor, prefix = _prefix(size)
    digits = _digits(size / factor)
    return _with_ends(
        interval, lambda x: _signed(x / factor, digits, plus=plus), f" {prefix}{unit}"
    )


def si(value: float, unit: str) -> str:
    """Return a number of three digits with an SI prefix."""
    if not math.isfinite(value):
        return NOTHING
    if abs(value) >= 999.5:
        return f"{_signed(value / 1000, _digits(value / 1000))} k{unit}"
    factor, prefix = _prefix(value)
    return f"{_signed(value / factor, _digits(value / factor))} {prefix}{unit}"


def times(ratio: float) -> str:
    """Return a factor of two digits: ``'1.5'``, ``'22 000'``."""
    if not math.isfinite(ratio) or ratio <= 0:
        return NOTHING
    rounded = float(f"{ratio:.2g}")
    return (
        f"{rounded:.1f}" if rounded < 10 else f"{rounded:,.0f}".replace(",", "\N{NO-BREAK SPACE}")
    )


def listed(words: Sequence[str], last: str = "and") -> str:
    """Return ``'a, b and c'``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def capital(text: str) -> str:
    """Return a sentence that begins with a capital letter."""
    return text[:1].upper() + text[1:]


def typeset(text: str) -> str:
    """Return a text with minus signs before its numbers, and units that stay with them."""
    text = re.sub(r"(?<![\w-])-(?=\d)", _MINUS, text)
    text = re.sub(r"(?<=\d) ?%", "\N{NO-BREAK SPACE}%", text)
    return re.sub(rf"(?<=\d) (?={_UNITS}\b)", "\N{NO-BREAK SPACE}", text)


def seeds_text(n: int) -> str:
    """Return ``'20 seeds'`` or ``'1 seed'``."""
    return f"{n} seed" + ("" if n == 1 else "s")


def _with_ends(interval: Interval, shown: Formatter, unit: str) -> str:
    if not math.isfinite(interval.mean):
        return NOTHING
    if not math.isfinite(interval.low):
        return f"{shown(interval.mean)}{unit} (one seed)"
    return f"{shown(interval.mean)}{unit} ({shown(interval.low)} to {shown(interval.high)})"


def _plus_minus(interval: Interval, shown: Formatter, unit: str) -> str:
    if not math.isfinite(interval.mean):
        return NOTHING
    if not math.isfinite(interval.half_width):
        return f"{shown(interval.mean)}{unit} (one seed)"
    return f"{shown(interval.mean)} {PLUS_MINUS} {shown(interval.half_width)}{unit}"


def _signed(value: float, digits: int, *, plus: bool = False) -> str:
    shown = f"{value:+.{digits}f}" if plus else f"{value:.{digits}f}"
    if not any(char in "123456789" for char in shown):
        shown = shown.lstrip("+-")  # no sign before a zero
    return shown.replace("-", _MINUS)


def _prefix(value: float) -> tuple[float, str]:
    if value == 0 or not math.isfinite(value):
        return 1.0, ""
    for factor, prefix in _PREFIXES:
        if abs(value) >= factor * 0.9995:
            return factor, prefix
    return _PREFIXES[-1]


def _digits(value: float) -> int:
    return 0 if abs(value) >= 99.95 else 1 if abs(value) >= 9.995 else 2
