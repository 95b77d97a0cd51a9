"""From sections to a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hil.errors import HilError
from procedures.reports.pages.blocks import Picture, Section, Text
from procedures.reports.pages.wording import typeset

if TYPE_CHECKING:
    from jinja2 import Template


@dataclass(frozen=True)
class Report:
    """A report, ready to be written.

    Attributes:
        signature: in the head of its page, by which it is known.
        html: the page.
        pictures: its figures.
    """

    signature: str
    html: str
    pictures: Sequence[Picture]


def render(
    template: str,
    signature: str,
    title: str,
    sections: Sequence[Section],
    *,
    summary: str,
    facts: Sequence[tuple[str, str]],
    is_whole: bool,
) -> str:
    """Return a page.

    Args:
        template: its name, without suffix.
        signature: by which the page is known.
        title: of the page.
        sections: in their order.
        summary: a paragraph.
        facts: where the numbers come from, by name.
        is_whole: whether all that was planned is in it.

    Raises:
        HilError: jinja2 is not installed.
    """
    return _template(f"{template}.html.j2").render(
        signature=signature,
        title=title,
        summary=summary,
        facts=facts,
        sections=sections,
        is_whole=is_whole,
        numbered=_numbered(sections),
    )


def pictures_of(sections: Sequence[Section]) -> list[Picture]:
    """Return the figures of all sections."""
    return [b for s in sections for b in s.blocks if isinstance(b, Picture)]


def _numbered(sections: Sequence[Section]) -> dict[int, int]:
    """Return the number of each table and figure, by its identity: they count on their own."""
    numbers, n_pictures, n_tables = {}, 0, 0
    for block in (block for section in sections for block in section.blocks):
        if isinstance(block, Picture):
            n_pictures += 1
            numbers[id(block)] = n_pictures
        elif not isinstance(block, Text):
            n_tables += 1
            numbers[id(block)] = n_tables
    return numbers


def _template(name: str) -> Template:
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error_:
        raise HilError("reports need jinja2: pip install 'memristor-hil[plot]'") from error_
    environment = Environment(
        loader=PackageLoader("procedures.reports.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["typeset"] = typeset
    environment.globals["identity"] = id
    environment.globals["kind"] = lambda block: type(block).__name__
    return environment.get_template(name)
