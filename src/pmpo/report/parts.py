"""What a page is made of: sections of text, tables and figures, each with the numbers behind it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pmpo.report.escape import escape


@dataclass(frozen=True)
class Link:
    """A table's cell that leads somewhere on the page; in a CSV it is its text."""

    text: str
    target: str


@dataclass(frozen=True)
class Table:
    """Rows of numbers, texts and `Link`s under named columns; also the data behind a figure."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    caption: str = ""


@dataclass(frozen=True)
class Source:
    """Where a figure's numbers come from: a command, and the hash of the configuration."""

    command: str
    configuration: str


@dataclass(frozen=True)
class Figure:
    """A picture with its numbers.

    Attributes:
        id: unique on the page; letters, digits and hyphens. Names its files.
        title: what one sees, in a line.
        svg: one self-contained <svg> element with colours for light paper (`pmpo.report.svg`).
        description: what it shows, for those who do not see it.
        table: the numbers behind it.
        source: shown under it.
        note: how to read it, shown under it; "" for nothing.
    """

    id: str
    title: str
    svg: str
    description: str
    table: Table
    source: Source
    note: str = ""


@dataclass(frozen=True)
class Text:
    """Paragraphs of plain text."""

    paragraphs: tuple[str, ...]


@dataclass(frozen=True)
class Html:
    """Markup of our own making; whoever makes it escapes what came from elsewhere (`pmpo.report.escape`)."""

    markup: str


@dataclass(frozen=True)
class Fold:
    """Parts behind a line that unfolds them; print shows them all."""

    title: str
    parts: tuple[Part, ...]


Part = Text | Html | Table | Figure | Fold


@dataclass(frozen=True)
class Section:
    """A part of the page under a heading.

    Attributes:
        id: unique on the page; letters, digits and hyphens.
        title: the heading.
        parts: what stands in it.
        script: JavaScript that runs once the page is there; equal scripts of several sections are written once.
        data: what the script reads, as JSON in <script type="application/json" id="data-<section id>">.
        level: 2, or 3 for a section that belongs to the one of level 2 before it.
    """

    id: str
    title: str
    parts: tuple[Part, ...]
    script: str = ""
    data: Any = None
    level: int = 2


@dataclass(frozen=True)
class Report:
    """All of a page.

    Attributes:
        title: its heading.
        sections: in their order.
        lead: what stands before them.
    """

    title: str
    sections: tuple[Section, ...]
    lead: tuple[Part, ...] = ()


def figures_in(parts: Iterable[Part]) -> Iterator[Figure]:
    """Every figure, also folded ones."""
    for part in parts:
        if isinstance(part, Fold):
            yield from figures_in(part.parts)
        elif isinstance(part, Figure):
            yield part


def csv_text(table: Table) -> str:
    """The table as CSV, numbers in full."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([cell.text if isinstance(cell, Link) else cell for cell in row] for row in table.rows)
    return buffer.getvalue()


def labelled_svg(figure: Figure) -> str:
    """The figure's picture with its title and description for those who do not see it."""
    # An image has no parts that can be focused; a picture with links is a group of them.
    role = "group" if "<a " in figure.svg else "img"
    names = f'<title id="{figure.id}-t">{escape(figure.title)}</title>'
    names += f'<desc id="{figure.id}-d">{escape(figure.description)}</desc>'
    start, rest = figure.svg.split(">", 1)
    return f'{start} role="{role}" aria-labelledby="{figure.id}-t {figure.id}-d">{names}{rest}'
