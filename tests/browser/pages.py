"""The pages that the tests look at, each written once."""

from functools import partial
from pathlib import Path
from typing import Any

import made_up
from hostile import TEXTS
from pmpo.report.axis import Axis
from pmpo.report.chart import Chart
from pmpo.report.page import write_report
from pmpo.report.parts import Figure, Section, Source, Table, Text
from pmpo.report.study_facts import read_study_facts
from pmpo.report.study_page import study_page
from pmpo.report.svg import Dot


def frame(folder: Path) -> Path:
    """A page of every part, with hostile text wherever text can stand."""
    sections = [
        Section(f"s{number}", text, (Text((text,)), _figure(f"f{number}", text)), data={text: [text]})
        for number, text in enumerate(filter(str.strip, TEXTS.values()))
    ]
    write_report(folder / "frame.html", " ".join(TEXTS.values()), sections, lead=tuple(TEXTS.values()))
    return folder / "frame.html"


def _figure(name: str, text: str) -> Figure:
    chart = Chart(Axis(text, 1e-4, 8e-4, log=True), Axis.around([0.0, 0.5], "pass@1"), title=text)
    for series in range(8):
        chart.curve([1e-4, 2e-4, 8e-4], [0.1 + 0.05 * series, 0.2 + 0.03 * series, 0.5], series)
        place = chart.at(2e-4, 0.2 + 0.03 * series)
        chart.dots_at([Dot(*place, target=f"#{name}", name=f"{series}: {text}")], series)
    chart.band([1e-4, 8e-4], [0.0, 0.1], [0.2, 0.3], 1)
    chart.legend([(0, text), (1, "another")])
    table = Table(("learning rate", text), ((1e-4, text), (0.12345678901, text)))
    return Figure(name, text, chart.svg(), text or "nothing", table, Source(text, "ab12"), note=text)


def study(folder: Path, **shape: Any) -> Path:
    """Of a study; the arguments are those of `made_up.Shape`."""
    facts = read_study_facts([made_up.study(folder / "study", **shape)])
    told = study_page(facts)
    write_report(folder / "study.html", told.title, told.sections, lead=told.lead)
    return folder / "study.html"


PAGES = {
    "frame": frame,
    "study": study,
    "regimes": partial(study, regimes=True, folders=False),
    "hostile": partial(study, seeds=2, rates=(1e-4, 8e-4), hostile=True),
}
"""{name: writes the page into a folder and returns its path}."""
