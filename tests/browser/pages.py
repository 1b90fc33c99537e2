"""The pages that the tests look at, each written once."""

from pathlib import Path

from hostile import TEXTS
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


PAGES = {"frame": frame}
"""{name: writes the page into a folder and returns its path}."""
