"""docs/benchmarks.md and its picture, from what `make bench` measured.

python benchmarks/bench_page.py
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from loss_times import BASE, LARGE, LENGTHS, OF_LENGTHS, PADDED, SMALL

from pmpo.foundation.files import write_whole

DOCS = Path(__file__).resolve().parents[1] / "docs"
MEASURED = DOCS / "measured"
COLOURS = ("#777777", "#d55e00", "#0072b2", "#009e73", "#cc79a7")
MARKS = ("s", "o", "^", "D", "v")

TEMPLATE = Path(__file__).with_name("bench_page.md")


def machine(found: dict[str, Any]) -> str:
    """One line on what the numbers are of."""
    versions = ", ".join(f"{name} {found[name]}" for name in ("torch", "trl", "transformers", "pmpo"))
    return f"{found['machine']}, Python {found['python']}, {versions}; {found['date']}."


def table(rows: Sequence[dict[str, Any]], case: str) -> Iterator[str]:
    """The blocks of one shape, the fastest first."""
    yield "| block | 20 / 50 / 80 % of times, ms | of TRL's grpo | peak memory, MB | of TRL's | floor's share |"
    yield "|---|---|---|---|---|---|"
    chosen = sorted((row for row in rows if row["case"] == case), key=lambda row: row["p50_ms"])
    base = next(row for row in chosen if row["block"] == BASE)
    for row in chosen:
        times = " / ".join(f"{row[name]:.3g}" for name in ("p20_ms", "p50_ms", "p80_ms"))
        memory = row["peak_mb"] / base["peak_mb"]
        yield (
            f"| {row['block']} | {times} | {row['to_trl']:.2f} | {row['peak_mb']:.1f} | {memory:.2f} "
            f"| {100 * row['floor_share']:.0f} % |"
        )


def worst(rows: Sequence[dict[str, Any]], what: str, only: str = "") -> tuple[float, str]:
    """The largest ratio to TRL's block of the fused presets on the two shapes, and whose it is."""
    found = []
    for case in (SMALL.name, LARGE.name):
        base = next(row for row in rows if row["case"] == case and row["block"] == BASE)
        for row in rows:
            ours = row["case"] == case and row["block"].startswith("pmpo, fused")
            if ours and (not only or row["block"].endswith(f": {only}")):
                found.append((row[what] / base[what], f"{row['block'].split(': ')[1]}, {case}"))
    return max(found)


def targets(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """What was aimed at, and what came out."""
    time, whose = worst(rows, "p50_ms")
    solved, _ = worst(rows, "p50_ms", "pmpo")
    memory, of = worst(rows, "peak_mb")
    per_token = {
        row["case"]: 1e6 * row["p50_ms"] / row["tokens"] for row in rows if row["block"] == "pmpo, fused: pmpo"
    }
    shown = [per_token[case.name] for case in LENGTHS]
    yield "| target | measured | met |"
    yield "|---|---|---|"
    yield f"| any preset at most 1.5 of TRL's GRPO block, forward, backward and diagnostics | {time:.2f} ({whose}) | {_met(time <= 1.5)} |"  # noqa: E501
    yield f"| pmpo with its solver at most 2 | {solved:.2f} | {_met(solved <= 2.0)} |"
    yield f"| peak memory at most 1.5 of TRL's | {memory:.2f} ({of}) | {_met(memory <= 1.5)} |"
    yield (
        f"| cost linear in tokens up to 32,768 a completion | pmpo: {shown[2]:.0f} ns a token at {LENGTHS[2].width:,}, "
        f"{shown[-1]:.0f} at {LENGTHS[-1].width:,} | {_met(shown[-1] <= 1.2 * shown[2])} |"
    )


def step_targets() -> Iterator[str]:
    """Of a trainer's step, from the table of `trainer_cost.py`."""
    lines = (MEASURED / "trainer_cost.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")][1:]
    ratios = {row[0]: row[4] for row in rows}
    embedded = {name for name in ratios if name.startswith("embedded")}
    for what, names, most in (
        ("a trainer's step at most 0.9 of GRPOTrainer's on the embedded default", embedded, 0.9),
        ("and never above 1.0 elsewhere", set(ratios) - embedded, 1.0),
    ):
        largest = max(names, key=lambda name: float(ratios[name].split()[0]))
        found = f"{ratios[largest]} ({largest})"
        yield f"| {what} | {found} | {_met(float(ratios[largest].split()[0]) <= most)} |"


def _met(yes: bool) -> str:
    return "yes" if yes else "no"


def picture(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Time against tokens of a completion."""
    figure, axes = plt.subplots(figsize=(7.2, 4.4), layout="constrained")
    widths = [case.width for case in LENGTHS]
    for name, colour, mark in zip(OF_LENGTHS, COLOURS, MARKS, strict=True):
        found = {row["case"]: row for row in rows if row["block"] == name}
        shown = [found[case.name] for case in LENGTHS]
        axes.plot(widths, [row["p50_ms"] for row in shown], color=colour, marker=mark, label=name)
        axes.fill_between(
            widths, [row["p20_ms"] for row in shown], [row["p80_ms"] for row in shown], color=colour, alpha=0.2, lw=0
        )
    axes.set(
        xscale="log", yscale="log", xlabel="tokens a completion, 64 completions", ylabel="ms, forward and backward",
        title="The policy loss with all diagnostics",
    )  # fmt: skip
    axes.set_xticks(widths, [f"{width:,}" for width in widths])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=9)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def included(name: str) -> str:
    """A measured page without its title, with its headings two levels down."""
    text = (MEASURED / name).read_text(encoding="utf-8").split("\n", 1)[1].strip()
    return re.sub(r"^(#+) ", r"#\1 ", text, flags=re.MULTILINE)


def page(found: dict[str, Any]) -> str:
    """The whole page: the template with every `<!-- name -->` replaced."""
    rows = found["rows"]
    filled = {
        "machine": machine(found),
        "targets": "\n".join([*targets(rows), *step_targets()]),
        "losses": "\n".join(losses(rows)),
        **{name: included(name) for name in INCLUDED},
    }
    text = TEMPLATE.read_text(encoding="utf-8")
    for name, value in filled.items():
        text = text.replace(f"<!-- {name} -->", value)
    return text


INCLUDED = ("solver.md", "trainer_cost.md", "breakdown.md", "head.md", "head_in_model.md", "start_up.md")
"""Pages in docs/measured that stand in it."""


def losses(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """A table for each shape."""
    for case in (SMALL, LARGE, PADDED):
        note = " (completions of half to all of the width)" if case.padded else ""
        yield from (f"### {case.rows} × {case.width}{note}\n", *table(rows, case.name), "")
    if not any(row["block"].startswith("verl") for row in rows):
        yield "verl's blocks are not in these tables: `make verl` makes the environment that they run in.\n"


def main() -> None:
    """Write the page and its picture."""
    found = json.loads((MEASURED / "loss.json").read_text(encoding="utf-8"))
    picture(found["rows"], MEASURED / "loss.png")
    write_whole(DOCS / "benchmarks.md", page(found))
    print(f"{DOCS / 'benchmarks.md'} and {MEASURED / 'loss.png'}")


if __name__ == "__main__":
    main()
