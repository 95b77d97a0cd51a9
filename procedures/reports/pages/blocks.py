"""What a section of the report is made of; templates turn it into a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Text:
    """A paragraph.

    Attributes:
        text: plain; the template escapes it.
        kind: ``text``, ``finding`` (what the numbers say), ``item`` (of a list), ``note`` or
            ``code``.
        lead: its first words, set apart.
    """

    text: str
    kind: str = "text"
    lead: str = ""


@dataclass(frozen=True)
class Table:
    """A table; the first column is a heading of its row.

    Attributes:
        caption: what it shows.
        heads: of the columns.
        rows: cells, as many in each as there are heads.
        is_text: whether cells are sentences, which may be broken into lines.
        widths: of the columns, in percent; as their cells need it if there are none.
    """

    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    is_text: bool = False
    widths: Sequence[int] = ()


@dataclass(frozen=True)
class Picture:
    """A figure.

    Attributes:
        name: of its files, without suffix.
        caption: what is seen, with what bars and bands mean.
        inline: SVG for the page, with colours of its theme.
        svg: file of its own.
        png: file of its own.
    """

    name: str
    caption: str
    inline: str = field(repr=False)
    svg: bytes = field(repr=False)
    png: bytes = field(repr=False)


Block = Text | Table | Picture


@dataclass(frozen=True)
class Section:
    """A section of the report.

    Attributes:
        name: its anchor.
        title: its heading.
        blocks: in their order.
    """

    name: str
    title: str
    blocks: Sequence[Block]


def finding(text: str) -> Text:
    """Return a paragraph that says what the numbers say."""
    return Text(text, "finding")


def note(text: str) -> Text:
    """Return a remark on how to read something."""
    return Text(text, "note")
