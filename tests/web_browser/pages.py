"""The pages that the tests look at, each written once."""

from functools import partial
from pathlib import Path
from typing import Any

import made_up
from hostile import TEXTS
from pmpo.cli.report import main as pmpo_report
from pmpo.report.axis import Axis
from pmpo.report.chart import Chart
from pmpo.report.page import write_report
from pmpo.report.parts import Figure, Section, Source, Table, Text
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


def report(folder: Path, *made: Path) -> Path:
    """What `pmpo report` writes of runs and studies."""
    path = folder / "report.html"
    assert pmpo_report([*map(str, made), "-o", str(path)]) == 0
    return path


def study(folder: Path, **shape: Any) -> Path:
    """Of a study; the arguments are those of `made_up.Shape`."""
    return report(folder, made_up.study(folder / "study", **shape))


def run(folder: Path, *kinds: str, hostile: bool = False) -> Path:
    """Of a run of each kind."""
    return report(folder, *(made_up.run_folder(folder / kind, kind, hostile=hostile, top_p=0.9) for kind in kinds))


PAGES = {
    "frame": frame,
    "study": study,
    "regimes": partial(study, regimes=True),
    "hostile": partial(study, seeds=2, rates=(1e-4, 8e-4), hostile=True),
    "run": lambda folder: run(folder, "truncated", hostile=True),
    "runs": lambda folder: run(folder, *made_up.KINDS),
}
"""{name: writes the page into a folder and returns its path}."""
SHOWN = ("study", "regimes", "run")
"""Those that people look at."""
