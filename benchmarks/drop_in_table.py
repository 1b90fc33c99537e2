"""Rows and tables of benchmarks/drop_in.py."""

import re
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from side_by_side.case import Case

VERDICTS = ("both", "theirs alone", "ours alone", "neither")
SAME = 1e-5
"""Largest difference of parameters that rounding explains, under Adam with steps of 0.01."""
LONGEST = 260
"""Characters of a sentence in the tables."""


@dataclass(frozen=True)
class Row:
    """One case: what came of each side, and max |Δw| at equal settings or why there is none."""

    name: str
    source: str
    found: dict[str, dict]
    difference: float | None
    differs: str = ""

    @classmethod
    def of(cls, case: Case, found: dict[str, dict], folder: Path) -> "Row":
        """From the outcomes, with the parameters that theirs and the member left in `folder`."""
        ends = [folder / side / "parameters.pt" for side in ("theirs", "member")]
        difference = None
        if all(path.exists() for path in ends):
            a, b = (torch.load(path) for path in ends)
            difference = (a - b).abs().max().item() if a.shape == b.shape else float("inf")
        return cls(case.name, case.source, found, difference, case.differs)

    @property
    def verdict(self) -> str:
        """Works in both, in one alone, or in neither."""
        works = tuple(self.found[side]["outcome"] == "works" for side in ("theirs", "ours"))
        return {(True, True): "both", (True, False): "theirs alone", (False, True): "ours alone"}.get(works, "neither")

    @property
    def numbers(self) -> str:
        """The cell of max |Δw|."""
        if self.difference is not None:
            return f"{self.difference:.1g}" if self.difference else "0"
        member = self.found.get("member")
        if member is None or self.verdict == "neither":
            return ""
        return {"no member": "no member"}.get(member["outcome"], f"{member['outcome']}")

    @property
    def note(self) -> str:
        """What was said, and logged names that are missing in ours."""
        theirs, ours = self.found["theirs"], self.found["ours"]
        parts = [f"{side}: {said(found)}" for side, found in (("theirs", theirs), ("ours", ours)) if said(found)]
        if len(parts) == 2 and said(theirs) == said(ours):
            parts = [f"both: {said(ours)}"]
        if self.verdict == "both":
            missing = sorted(key for key in set(theirs["keys"]) - set(ours["keys"]) if "clip_ratio/" not in key)
            if missing:
                parts.append(f"not logged by ours: {', '.join(missing)}")
        if self.difference and self.differs:
            parts.append(self.differs)
        member = self.found.get("member")
        if member is not None and self.verdict == "both" and member["outcome"] not in ("works", "no member"):
            parts.append(f"at equal settings: {said(member)}")
        return "; ".join(parts)

    def line(self) -> str:
        """One line for the terminal while it runs."""
        return f"{self.verdict:<13} {self.numbers:<10} {self.name}  {self.note[:300]}"


def said(found: dict) -> str:
    """The sentence of an outcome, without folders of this machine."""
    text = re.sub(r"(/[\w.+-]+){2,}/?", "…", found["said"])
    text = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return f"{text} ({found['at']})" if found["outcome"] == "crashes" and "at" in found else text


def totals(rows: list[Row]) -> str:
    """Counts of the verdicts, as a sentence."""
    counts = Counter(row.verdict for row in rows)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])


def show(themes: dict[str, list[Row]]) -> None:
    """The tables on the terminal."""
    colours = {"both": "green", "theirs alone": "red", "ours alone": "cyan", "neither": "dim"}
    console = Console()
    for theme, rows in themes.items():
        table = Table(title=f"{theme}: {totals(rows)}", expand=True)
        for head in ("case", "theirs", "ours", "max |Δw|", "note"):
            table.add_column(head, overflow="fold")
        for row in rows:
            cells = [row.found[side]["outcome"] for side in ("theirs", "ours")]
            table.add_row(row.name, *cells, row.numbers, row.note, style=colours[row.verdict])
        console.print(table)


def markdown(themes: dict[str, list[Row]], seconds: float) -> str:
    """The file: command, versions, totals, what works in theirs alone, and every case by theme."""
    rows = [row for theme in themes.values() for row in theme]
    names = ("trl", "transformers", "torch")
    lines = [
        "# GRPOTrainer's scripts, beside PMPOTrainer\n",
        "```\npython benchmarks/drop_in.py --trl FOLDER --output docs/measured/drop_in.md\n```\n",
        f"{', '.join(f'{name} {version(name)}' for name in names)}; {len(rows)} scripts and switches in "
        f"{seconds:.0f} s. Each is written once and runs with GRPOConfig and GRPOTrainer (theirs), then with the two "
        "names replaced and nothing else changed (ours). max |Δw| is the largest difference between any two parameters "
        "after the last step, with the member of the family named and TRL's own defaults and updates a round. How a "
        "run is judged is in the head of the program.\n",
        "| | scripts | work in both | in theirs alone | in ours alone | in neither |\n|---|---|---|---|---|---|",
    ]
    for theme, some in [*themes.items(), ("**all**", rows)]:
        counts = Counter(row.verdict for row in some)
        lines.append(f"| {theme} | {len(some)} | {' | '.join(str(counts[verdict]) for verdict in VERDICTS)} |")
    compared = [row.difference for row in rows if row.difference is not None]
    small = sum(value <= 1e-5 for value in compared)
    lines.append(
        f"\nParameters compared in {len(compared)} scripts: at most 1e-5 (a thousandth of one step) apart in {small}.\n"
    )
    for verdict in VERDICTS[1:]:
        found = [row for row in rows if row.verdict == verdict]
        if found:
            lines.append(f"## Works in {verdict}\n" if verdict != "neither" else "## Works in neither\n")
            lines += ["| case | theirs | ours | note |\n|---|---|---|---|"]
            lines += [f"| {row.name} | {_outcomes(row)} | {_cell(row.note)} |" for row in found]
            lines.append("")
    for theme, some in themes.items():
        lines += [f"## {theme}\n", "| case | from | theirs | ours | max \\|Δw\\| | note |\n|---|---|---|---|---|---|"]
        lines += [
            f"| {_cell(row.name)} | {row.source} | {_outcomes(row)} | {row.numbers} | "
            f"{_cell(row.note) if row.verdict == 'both' else row.verdict} |"
            for row in some
        ]
        lines.append("")
    return "\n".join(lines)


def _compared(rows: list[Row]) -> str:
    """How many parameters are the same, and where they are not."""
    compared = [row for row in rows if row.difference is not None]
    apart = [row for row in compared if row.difference > SAME]
    unexplained = [row.name for row in apart if not row.differs]
    return (
        f"Parameters of {len(compared)} scripts compared: at most {SAME:g} apart (a step is 0.01) in all but "
        f"{len(apart)}, of which without a reason given: {', '.join(unexplained) or 'none'}."
    )


def _outcomes(row: Row) -> str:
    return " | ".join(row.found[side]["outcome"] for side in ("theirs", "ours"))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
