"""Figures that read in light and dark: drawn once, recoloured by the page.

Colours are those of Okabe and Ito (Color Universal Design, 2008), which colour-blind readers tell
apart. In the page every colour is a variable of the style sheet; in the files it is the light one.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from hil.errors import HilError
from procedures.reports.pages.blocks import Picture
from procedures.studies.statistics import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, GRID = "#1c1c1e", "#6c6c70", "#dcdcde"
BLUE, VERMILLION, GREEN = "#0072b2", "#d55e00", "#009e73"
ORANGE, SKY, PURPLE = "#e69f00", "#56b4e9", "#cc79a7"

VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--grid",
    BLUE: "--blue",
    VERMILLION: "--vermillion",
    GREEN: "--green",
    ORANGE: "--orange",
    SKY: "--sky",
    PURPLE: "--purple",
}
"""Variable of the style sheet for each colour."""

SERIES = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY)
MARKERS = ("o", "s", "^", "D", "v", "P")
DOPANT_COLOURS = {"W": BLUE, "Cr": VERMILLION, "C": GREEN}
DOPANT_MARKERS = {"W": "o", "Cr": "s", "C": "^"}

FULL_WIDTH = 9.6
"""Of a figure that is as wide as the page, in inch: letters are of the same size in all figures."""

_STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.5,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
    "axes.unicode_minus": True,
    "svg.fonttype": "none",
}


def draw(
    name: str,
    caption: str,
    size: tuple[float, float],
    paint: Callable[[Figure], None],
) -> Picture:
    """Draw a figure.

    Args:
        name: of its files.
        caption: what is seen.
        size: width and height in inch.
        paint: fills an empty figure.

    Raises:
        HilError: matplotlib is not installed.
    """
    with _styled(name) as new_figure:
        figure = new_figure(figsize=size, layout="constrained")
        paint(figure)
        svg, png = io.BytesIO(), io.BytesIO()
        figure.savefig(png, format="png", dpi=160, facecolor="white")
        figure.set_layout_engine("none")  # it is laid out now, and that took most of the time
        figure.savefig(svg, format="svg", facecolor="white", metadata={"Date": None})
        bare = io.BytesIO()
        figure.savefig(bare, format="svg", transparent=True, metadata={"Date": None})
    inline = _for_page(name, caption, bare.getvalue().decode(), size[0])
    return Picture(name, caption, inline, svg.getvalue(), png.getvalue())


@contextmanager
def _styled(name: str) -> Iterator[Callable[..., Figure]]:
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise HilError("reports need matplotlib: pip install 'memristor-hil[plot]'") from error
    style: dict[Any, Any] = {**_STYLE, "svg.hashsalt": name}
    with matplotlib.rc_context(style):
        yield Figure


def _for_page(name: str, caption: str, svg: str, width: float) -> str:
    """Return an SVG as part of a page: no prolog, identifiers of its own, colours by variable."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\sxmlns(:xlink)?="[^"]*"', "", svg).replace("xlink:href", "href")
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'href="#', f'href="#{name}-', svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    svg = svg.replace("'DejaVu Sans'", "var(--sans)")
    for colour, variable in VARIABLES.items():
        svg = re.sub(colour, f"var({variable})", svg, flags=re.IGNORECASE)
    share = 100 * width / FULL_WIDTH
    label = f'<svg role="img" aria-label="{escape(caption)}" style="width: {share:.0f}%"'
    return re.sub(r'<svg width="[^"]*" height="[^"]*"', label, svg, count=1)


def grid(axes: Axes, axis: Any = "y") -> None:
    """Draw thin lines at the ticks of an axis."""
    axes.grid(visible=True, axis=axis)
    axes.tick_params(length=3)


def bars(
    axes: Axes,
    x: Sequence[float],
    intervals: Sequence[Interval],
    *,
    scale: float = 1.0,
    **style: Any,
) -> None:
    """Draw means as points with their intervals as bars."""
    means, half = _arrays(intervals, scale)
    axes.errorbar(x, means, yerr=half, capsize=2.5, elinewidth=1.1, **style)


def band(
    axes: Axes,
    x: Sequence[float],
    intervals: Sequence[Interval],
    *,
    scale: float = 1.0,
    colour: str = BLUE,
    **style: Any,
) -> None:
    """Draw means as a line with their intervals as a band."""
    means, half = _arrays(intervals, scale)
    axes.plot(x, means, color=colour, **style)
    axes.fill_between(x, means - half, means + half, color=colour, alpha=0.16, linewidth=0)


def percent_axis(axes: Axes, axis: str = "y") -> None:
    """Label an axis of ratios in percent."""
    which = axes.yaxis if axis == "y" else axes.xaxis
    which.set_major_formatter(lambda value, _: f"{100 * value:.6g} %")


def accuracy_axis(axes: Axes) -> None:
    """Label an axis of accuracies, which end at 100 %."""
    percent_axis(axes)
    axes.set_ylim(top=1.012)


def log_axis(axes: Axes, axis: str = "y", lowest: float | None = None) -> None:
    """Make an axis logarithmic, with plain numbers.

    Args:
        axes: they are in.
        axis: ``x`` or ``y``.
        lowest: least value that has to be seen; intervals may reach below.
    """
    from matplotlib.ticker import LogLocator, NullLocator

    which = axes.yaxis if axis == "y" else axes.xaxis
    axes.set(**{f"{axis}scale": "log"})
    which.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    which.set_minor_locator(NullLocator())
    which.set_major_formatter(lambda value, _: f"{value:g}")
    if lowest is not None and lowest > 0:
        axes.set_ylim(bottom=lowest)


def level(axes: Axes, y: float, text: str, colour: str = MUTED) -> None:
    """Draw a horizontal line, with a text for the legend."""
    axes.axhline(y, color=colour, linewidth=1, linestyle=(0, (4, 3)), label=text)


def mark(axes: Axes, x: float, text: str, height: float = 1.0, colour: str = MUTED) -> None:
    """Draw a vertical line with a text at a height of 0 to 1."""
    axes.axvline(x, color=colour, linewidth=1, linestyle=(0, (4, 3)))
    axes.annotate(
        text,
        (x, height),
        xycoords=("data", "axes fraction"),
        xytext=(3, -2),
        textcoords="offset points",
        ha="left",
        va="top",
        fontsize=8,
        color=colour,
    )


def _arrays(intervals: Sequence[Interval], scale: float) -> tuple[Any, Any]:
    means = np.array([interval.mean for interval in intervals]) * scale
    half = np.array([interval.half_width for interval in intervals]) * scale
    return means, np.where(np.isfinite(half), half, 0.0)
