"""One self-contained HTML page: sections of text, tables and figures, with the numbers behind each figure under it."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Iterator, Sequence
from hashlib import sha256
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Any

from pmpo.foundation.files import write_whole
from pmpo.report.escape import escape, script_json
from pmpo.report.files import write_figures
from pmpo.report.parts import Figure, Fold, Html, Link, Part, Section, Source, Table, Text, figures_in, labelled_svg
from pmpo.report.svg import COLOURS, number

__all__ = [
    "Figure",
    "Fold",
    "Html",
    "Link",
    "Part",
    "Section",
    "Source",
    "Table",
    "Text",
    "page",
    "table_html",
    "write_report",
]

NARROW = 380
"""Figures up to this width, in pixels, stand side by side; 352 is what a phone shows without scrolling."""

_DIGITS = 6
"""Of a number that is saved from the page; the files beside it have all."""


def write_report(path: Path, title: str, sections: Sequence[Section], *, lead: Sequence[str | Part] = (),
                 figures: Path | None = None) -> None:  # fmt: skip
    """Write the page, and with `figures` a folder with every figure as .svg, .png and .csv.

    Args:
        path: of the page, one HTML file that needs no other and no network.
        title: the page's heading.
        lead: what stands before the first section, the verdict: paragraphs and parts.
        figures: the folder, made where it is missing; files of the same names are overwritten.
    Raises: ValueError when two sections or figures have one id.
    """
    write_whole(path, page(title, sections, lead=lead))
    if figures is not None:
        write_figures(figures, [one for section in sections for one in figures_in(section.parts)])


def page(title: str, sections: Sequence[Section], *, lead: Sequence[str | Part] = ()) -> str:
    """The page's text."""
    ids = [s.id for s in sections] + [figure.id for s in sections for figure in figures_in(s.parts)]
    twice = sorted({one for one in ids if ids.count(one) > 1})
    if twice:
        raise ValueError(f"Sections and figures of a page have ids of their own; used twice: {', '.join(twice)}.")
    scripts = [_theme("report.js"), *dict.fromkeys(section.script for section in sections if section.script)]
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{_policy(scripts)}">
<title>{escape(title)}</title>
<style>
{_colours()}
{_theme("report.css")}{_theme("microscope.css")}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header>
<h1>{escape(title)}</h1>
{"".join(_parts([Text((one,)) if isinstance(one, str) else one for one in lead]))}
{_contents(sections)}
</header>
<main id="main" tabindex="-1">
{"".join(_section(section) for section in sections)}
</main>
<p id="said" class="unseen" role="status"></p>
{"".join(f"<script>{script}</script>" for script in scripts)}
</body>
</html>
"""


def table_html(table: Table) -> str:
    """The table, in a frame that scrolls where the page is too narrow."""
    numbers = [any(_is_number(row[k]) for row in table.rows) for k in range(len(table.columns))]
    head = "".join(
        f'<th scope="col"{" class=n" if numeric else ""}>{escape(column)}</th>'
        for column, numeric in zip(table.columns, numbers, strict=True)
    )
    rows = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}" for row in table.rows)
    caption = f"<caption>{escape(table.caption)}</caption>" if table.caption else ""
    name = escape(table.caption or "numbers")
    return (
        f'<div class="wide" role="group" aria-label="{name}" tabindex="0"><table>{caption}<thead><tr>{head}</tr>'
        f"</thead><tbody>{rows}</tbody></table></div>"
    )


def size(sections: Sequence[Section]) -> int:
    """Bytes that sections take of a page, without their scripts."""
    return sum(len(_section(section).encode()) for section in sections)


def _section(section: Section) -> str:
    tag = f"h{section.level}"
    data = ""
    if section.data is not None:
        data = f'<script type="application/json" id="data-{section.id}">{script_json(section.data)}</script>'
    # A landmark of the page has a name of its own; the parts of several runs share theirs.
    name = f' aria-labelledby="{section.id}-h"' if section.level == 2 else ""
    return (
        f'<section id="{section.id}"{name} tabindex="-1"><{tag} id="{section.id}-h">'
        f"{escape(section.title)}</{tag}>\n{''.join(_parts(section.parts))}{data}</section>\n"
    )


def _parts(parts: Sequence[Part]) -> Iterator[str]:
    """Narrow figures that follow each other stand in one row."""
    for narrow, group in groupby(parts, key=lambda part: isinstance(part, Figure) and _width(part) <= NARROW):
        inside = "".join(_part(part) for part in group)
        yield f'<div class="row">{inside}</div>\n' if narrow else f"{inside}\n"


def _part(part: Part) -> str:
    if isinstance(part, Text):
        return _paragraphs(part.paragraphs)
    if isinstance(part, Html):
        return part.markup
    if isinstance(part, Fold):
        inside = "".join(_parts(part.parts))
        return f'<details class="fold"><summary>{escape(part.title)}</summary>{inside}</details>'
    return table_html(part) if isinstance(part, Table) else _figure(part)


def _figure(figure: Figure) -> str:
    frame = 'class="picture"'
    if _width(figure) > NARROW:  # on a phone it is moved in its frame, also by keys
        frame = f'class="picture wide" role="group" aria-label="{escape(figure.title)}" tabindex="0"'
    note = f"<p>{escape(figure.note)}</p>" if figure.note else ""
    made = f"<code>{escape(figure.source.command)}</code>" if figure.source.command else ""
    made += (
        f" · configuration <code>{escape(figure.source.configuration)}</code>" if figure.source.configuration else ""
    )
    return (
        f'<figure id="{figure.id}"><figcaption>{escape(figure.title)}</figcaption>'
        f"<div {frame}>{labelled_svg(figure)}</div>{note}"
        f'<details><summary>Numbers<span class="unseen"> of {escape(figure.title)}</span></summary>'
        f'<button type="button" class="csv" data-name="{figure.id}.csv" hidden>Save as CSV</button>'
        f'{table_html(figure.table)}</details><p class="source">{made.removeprefix(" · ")}</p></figure>'
    )


def _width(figure: Figure) -> float:
    """Of the picture, in pixels, from its element's attribute."""
    _, found, rest = figure.svg.split(">", 1)[0].partition(' width="')
    return float(rest.split('"')[0]) if found else math.inf


def _cell(cell: Any) -> str:
    """End tags that HTML lets one leave out are left out, as there may be thousands of cells."""
    if isinstance(cell, Link):
        return f'<td><a href="{escape(cell.target)}">{escape(cell.text)}</a>'
    if _is_number(cell):
        full = f"{cell:.{_DIGITS}g}" if isinstance(cell, float) else number(cell)
        return f"<td data-full={full}>{number(cell)}" if full != number(cell) else f"<td class=n>{number(cell)}"
    return f"<td>{escape('–' if cell is None else cell)}"


def _is_number(cell: Any) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def _paragraphs(paragraphs: Sequence[str]) -> str:
    return "".join(f"<p>{escape(text)}</p>" for text in paragraphs)


def _contents(sections: Sequence[Section]) -> str:
    """Links to the sections of level 2, and to those within where there is one alone."""
    upper = [section for section in sections if section.level == 2]
    shown = upper if len(upper) > 1 else sections
    if len(shown) < 2:
        return ""
    entries = "".join(f'<li><a href="#{section.id}">{escape(section.title)}</a></li>' for section in shown)
    return f'<nav aria-label="Contents"><ul>{entries}</ul></nav>'


def _colours() -> str:
    """The colours of `pmpo.report.svg` as the page's variables and classes; paper is white in print."""
    light = "".join(f"--{name}:{pair[0]};" for name, pair in COLOURS.items())
    dark = "".join(f"--{name}:{pair[1]};" for name, pair in COLOURS.items())
    classes = "".join(f".{name}{{color:var(--{name})}}" for name in COLOURS)
    return (
        f":root{{{light}color-scheme:light}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}color-scheme:dark}}}}\n{classes}"
    )


def _policy(scripts: Sequence[str]) -> str:
    """Nothing is loaded, and only these very scripts run: text of a model that got through could do nothing."""
    hashes = " ".join(f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts)
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {hashes}"


def _theme(name: str) -> str:
    return resources.files("pmpo.report").joinpath("theme", name).read_text(encoding="utf-8")
