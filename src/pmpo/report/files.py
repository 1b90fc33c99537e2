"""The figures of a report as files: .svg as on the page, .png drawn from it, .csv with the numbers."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from pmpo.foundation.errors import InputError
from pmpo.foundation.files import write_whole
from pmpo.report.parts import Figure, csv_text, labelled_svg

SCALE = 2
"""Pixels of a PNG per pixel of the page."""


def write_figures(folder: Path, figures: Sequence[Figure]) -> list[Path]:
    """Write <id>.svg, <id>.png and <id>.csv of each figure; returns their paths.

    Raises: InputError where what draws the PNG is not installed.
    """
    if importlib.util.find_spec("resvg_py") is None:
        raise InputError('Pictures as PNG need the package resvg-py: pip install "pmpo[report]".')
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for figure in figures:
        svg = labelled_svg(figure)
        for suffix, data in (("svg", svg), ("png", png(svg)), ("csv", csv_text(figure.table))):
            written.append(folder / f"{figure.id}.{suffix}")
            write_whole(written[-1], data)
    return written


def png(svg: str) -> bytes:
    """The picture drawn at `SCALE`, by resvg with matplotlib's DejaVu Sans where that is installed."""
    import resvg_py

    # The same letters on every machine, also on one without any font.
    home = importlib.util.find_spec("matplotlib")
    folder = Path(home.origin).parent / "mpl-data" / "fonts" / "ttf" if home and home.origin else Path()
    fonts = [str(file) for file in (folder / "DejaVuSans.ttf", folder / "DejaVuSans-Bold.ttf") if file.is_file()]
    drawn = resvg_py.svg_to_bytes(
        svg_string=svg, zoom=SCALE, font_files=fonts, skip_system_fonts=bool(fonts), font_family="DejaVu Sans",
        sans_serif_family="DejaVu Sans",
    )  # fmt: skip
    return bytes(drawn)
