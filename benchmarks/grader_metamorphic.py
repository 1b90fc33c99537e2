"""Answers rewritten so that their value stays, or breaks: our mathematics grader beside math-verify.

    python benchmarks/grader_metamorphic.py --data FOLDER [--output metamorphic.md] [--per-rule 60] [--family integers]

FOLDER holds the six files of real problems. The pairs are made of their references by `tests/grading/metamorphic*.py`,
the same ones every time. math-verify gets the reference as `$gold$`, its documented form, in this thread, with its own
time limits. Ours runs in worker processes with the default rules.
"""

import argparse
import contextlib
import io
import json
import logging
import os
import platform
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / "grading")]

from metamorphic import Case, cases, compounds, references
from metamorphic_all import FAMILIES
from page import report

from pmpo.grading.grader import Grader

NAMES = ("aime24", "amc", "math500", "minerva_math", "olympiadbench", "gsm8k")
COMPOUNDS = 2_000
"""Rounds of lists, tuples and intervals made of references, of which the data have too few."""


def real_references(folder: Path) -> list[str]:
    """Every form of every reference of the six files, and answers of several parts made of them."""
    rows = []
    for name in NAMES:
        text = (folder / f"{name}.jsonl").read_text(encoding="utf-8")
        rows += [json.loads(line)["answer"] for line in text.split("\n") if line]
    texts = references(rows)
    return texts + compounds(texts, COMPOUNDS)


def ours(made: Sequence[Case], workers: int) -> list[str]:
    """The status of every case."""
    statuses = [""] * len(made)
    for kind in dict.fromkeys(case.kind for case in made):
        rows = [row for row, case in enumerate(made) if case.kind == kind]
        with Grader(kind, workers=workers) as grader:
            grades = grader.grade([made[row].gold for row in rows], [made[row].completion for row in rows])
        for row, grade in zip(rows, grades, strict=True):
            statuses[row] = grade.status
    return statuses


def math_verify(made: Sequence[Case]) -> list[str]:
    """As `ours`; what it cannot parse or compare is "wrong", as a reward function would take it. "" for choices, which
    it does not grade."""
    from math_verify import parse, verify

    def says(case: Case) -> bool:
        with contextlib.redirect_stdout(io.StringIO()):
            return bool(verify(parse(f"${case.gold}$"), parse(case.completion)))

    return ["" if case.kind != "math" else "correct" if says(case) else "wrong" for case in made]


def count(number: int, of: int) -> str:
    return f"{number:,} ({number / of:.2%})" if of and number else f"{number:,}"


def table(made: Sequence[Case], judged: dict[str, list[str]]) -> list[str]:
    """A row per family: missed of those that are equal, taken for equal of those that are not."""
    names = list(judged)
    head = ["family", "equal", *(f"missed by {name}" for name in names)]
    head += ["unequal", *(f"taken for equal by {name}" for name in names)]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    order = [family.name for family in FAMILIES]
    present = sorted({case.family for case in made}, key=order.index)
    groups = {name: [row for row, case in enumerate(made) if case.family == name] for name in present}
    groups["all of mathematics"] = [row for row, case in enumerate(made) if case.kind == "math"]
    for name, rows in groups.items():
        cells = [name]
        for equal in (True, False):
            of = [row for row in rows if made[row].equal is equal]
            cells.append(f"{len(of):,}")
            for statuses in judged.values():
                known = [row for row in of if statuses[row]]
                wrong = sum((statuses[row] == "correct") is not equal for row in known)
                cells.append(count(wrong, len(known)) if known else "–")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def failures(made: Sequence[Case], statuses: Sequence[str], equal: bool, shown: int) -> list[str]:
    """A line per rule that fails, with examples."""
    by_rule: dict[tuple[str, str], list[int]] = {}
    totals = Counter((case.family, case.rule, case.equal) for case in made)
    for row, case in enumerate(made):
        if case.equal is equal and (statuses[row] == "correct") is not equal:
            by_rule.setdefault((case.family, case.rule), []).append(row)
    lines = []
    for (family, rule), rows in sorted(by_rule.items(), key=lambda item: -len(item[1])):
        examples = [f"{code(made[r].gold)} and {code(made[r].completion)} ({statuses[r]})" for r in rows[:shown]]
        lines.append(f"- {family}, {code(rule)}: {len(rows)} of {totals[family, rule, equal]}: {'; '.join(examples)}")
    return lines or ["- none"]


def code(text: str) -> str:
    fence = "``" if "`" in text else "`"
    return f"{fence}{' ' * (len(fence) - 1)}{text.replace(chr(10), ' ⏎ ')}{' ' * (len(fence) - 1)}{fence}"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", type=Path, required=True, help="folder with the six files")
    arguments.add_argument("--output", type=Path, help="also write the report to this file")
    arguments.add_argument("--per-rule", type=int, default=60, help="the most pairs of one rule")
    arguments.add_argument("--family", action="append", help="only this family; may be repeated")
    arguments.add_argument("--examples", type=int, default=1, help="shown for a rule that fails")
    arguments.add_argument("--workers", type=int, default=2)
    arguments.add_argument("--alone", action="store_true", help="leave math-verify out")
    given = arguments.parse_args()
    logging.disable(logging.CRITICAL)
    families = [family for family in FAMILIES if given.family is None or family.name in given.family]
    made = list(cases(families, real_references(given.data), given.per_rule))
    random.Random(0).shuffle(made)  # neighbours of one rule would profit of caches
    start = time.perf_counter()
    judged = {"pmpo": ours(made, given.workers)}
    seconds = time.perf_counter() - start
    if not given.alone:
        judged["math-verify"] = math_verify(made)
    undecided = Counter(s for s in judged["pmpo"] if s in ("timeout", "memory", "error"))
    lines = [
        f"{len(made):,} pairs of {len({(c.family, c.rule, c.equal) for c in made})} rules, at most {given.per_rule} of "
        f"each. Python {platform.python_version()}, math-verify {version('math-verify')}. pmpo: {seconds:.0f} s in "
        f"{given.workers} workers; undecided: {dict(undecided) or 'none'}.",
        "",
        *table(made, judged),
        "\nTaken for equal by pmpo, by rule:\n",
        *failures(made, judged["pmpo"], False, given.examples),
        "\nMissed by pmpo, by rule:\n",
        *failures(made, judged["pmpo"], True, given.examples),
        "",
    ]
    report("Answers rewritten", f"grader_metamorphic.py --data FOLDER --per-rule {given.per_rule}", lines, given.output)


if __name__ == "__main__":
    main()
