"""`pmpo report`: a run, a study or several as one self-contained page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pmpo.cli.parser import VerbParser
from pmpo.foundation.errors import InputError


def _parser() -> VerbParser:
    made = VerbParser(
        "report",
        description="One HTML file under 1 MB, readable without a network: the verdict of a study with its figures, a\n"
        "run's curves and what is wrong with it, and single completions token by token.",
        epilog="""  pmpo report runs/compare-quick -o report.html
  pmpo report runs/mine runs/other -o both.html --figures pictures
  pmpo report docs/results/regimes.jsonl --baseline gmpo
""",
    )
    add = made.add_argument
    add("paths", nargs="+", type=Path, metavar="RUN_OR_STUDY", help="folders of runs or studies, a study's "
        "results.jsonl, logs of another trainer; several studies are taken as one")  # fmt: skip
    add("-o", "--output", type=Path, default=Path("report.html"), metavar="FILE", help="the page; report.html")
    add("--figures", type=Path, metavar="FOLDER", help="also write every figure there as .svg, .png and .csv")
    add("--baseline", default="", metavar="LABEL", help="objective that a study's others are compared to")
    add("--target", type=float, metavar="SCORE", help="score until which completions are counted")
    return made


def main(arguments: Sequence[str]) -> int:
    """Write the page and say where; returns the exit status.

    Raises: InputError for whatever the user can put right.
    """
    given = _parser().parse_args(list(arguments))
    if not given.output.parent.is_dir():
        raise InputError(f"There is no folder {given.output.parent} to write {given.output.name} to; make it first.")
    from pmpo.report.assembled import assembled
    from pmpo.report.page import write_report

    report = assembled([path.expanduser() for path in given.paths], baseline=given.baseline, target=given.target)
    write_report(given.output, report.title, report.sections, lead=report.lead, figures=given.figures)
    print(f"{given.output}, {given.output.stat().st_size:,} bytes")
    if given.figures is not None:
        print(f"Figures as SVG, PNG and CSV in {given.figures}")
    return 0
