"""Where our grader, math-verify and TRL's accuracy_reward disagree on the real references, and who is right.

    python benchmarks/grader_disagreements.py --data FOLDER [--output disagreements.md] [--share 1.0]

FOLDER holds the six files of real problems. Every accepted form of every reference is the reference once. It is
answered by itself, boxed and in a sentence; by the other forms that its source accepts; by one rewriting that keeps the
value and by one that breaks it, as `tests/grading/metamorphic*.py` make them. So the truth of every pair is known.
"""

import argparse
import json
import logging
import os
import platform
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from itertools import permutations
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / "grading")]

from grader_metamorphic import NAMES, code
from page import report
from grader_pairs import JUDGES
from metamorphic import Case, Family, bare, references
from metamorphic_all import FAMILIES


NOTED = [name for name in JUDGES if name != "TRL, gold as given"]
"""TRL gets the reference as `$gold$`, with which it is right more often."""
OF_THE_FORM = [family for family in FAMILIES if family.boxed]


def pairs(folder: Path, share: float) -> Iterator[Case]:
    """The family of a pair is the file, its rule the kind of answer."""
    for name in NAMES:
        text = (folder / f"{name}.jsonl").read_text(encoding="utf-8")
        answers = [json.loads(line)["answer"] for line in text.split("\n") if line]
        rng = random.Random(f"disagreements {name}")
        chosen = references(answers)
        chosen = rng.sample(chosen, max(1, round(share * len(chosen))))
        for form in chosen:
            yield Case(name, "itself, boxed", form, f"The answer is $\\boxed{{{form}}}$.", True)
            yield Case(name, "itself, in a sentence", form, f"So the answer is ${form}$.", True)
            yield from rewritten(name, form, rng)
        for answer in answers:
            forms = {bare(form) for form in answer} if isinstance(answer, list) else set()
            for gold, other in permutations(sorted(forms & set(chosen)), 2):
                yield Case(name, "another accepted form", gold, f"The answer is $\\boxed{{{other}}}$.", True)


def rewritten(name: str, form: str, rng: random.Random) -> Iterator[Case]:
    """One rewriting that keeps the value and one that breaks it, where a family reads the form."""
    for equal, rule in ((True, "rewritten"), (False, "changed")):
        answers = [a for family in OF_THE_FORM for a in answers_of(family, form, equal, rng) if a != form]
        if answers:
            yield Case(name, rule, form, f"The answer is $\\boxed{{{rng.choice(answers)}}}$.", equal)


def answers_of(family: Family, form: str, equal: bool, rng: random.Random) -> list[str]:
    """By the family's rules; those that make another reference too, which are pairs, have no say here."""
    subject = family.read(form)
    if subject is None:
        return []
    made = [rule(subject, rng) for _, rule, keeps in family.rules if keeps is equal]
    return [answer for answer in made if isinstance(answer, str)]


def summary(made: Sequence[Case], said: Sequence[Sequence[bool | None]]) -> list[str]:
    """A row per kind of answer: pairs, disagreements, and how often each is right among these."""
    head = ["answer", "truth", "pairs", "disagreements", *(f"{name} is right" for name in NOTED)]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for rule in [*dict.fromkeys(case.rule for case in made), "all"]:
        rows = [row for row, case in enumerate(made) if rule in (case.rule, "all")]
        apart = [row for row in rows if len(set(said[row])) > 1]
        truths = {made[row].equal for row in rows}
        truth = "equal" if truths == {True} else "not" if truths == {False} else ""
        right = [str(sum(said[row][k] is made[row].equal for row in apart)) for k in range(len(NOTED))]
        lines.append(f"| {' | '.join([rule, truth, f'{len(rows):,}', str(len(apart)), *right])} |")
    return lines


def listing(made: Sequence[Case], said: Sequence[Sequence[bool | None]], most: int) -> list[str]:
    """Disagreements by who says what, with examples."""
    words = {True: "equal", False: "not", None: "None"}
    patterns: dict[tuple, list[int]] = {}
    for row, verdicts in enumerate(said):
        if len(set(verdicts)) > 1:
            patterns.setdefault((made[row].equal, *verdicts), []).append(row)
    lines = []
    for (truth, *verdicts), rows in sorted(patterns.items(), key=lambda item: -len(item[1])):
        told = ", ".join(f"{name} says {words[one]}" for name, one in zip(NOTED, verdicts, strict=True))
        kinds = ", ".join(f"{number} {kind}" for kind, number in Counter(made[r].rule for r in rows).most_common())
        lines += [f"\n**{words[truth]}**; {told}: {len(rows)} ({kinds})\n"]
        lines += [f"- {made[r].family}: {code(made[r].gold)} and {code(made[r].completion)}" for r in rows[:most]]
    return lines


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", type=Path, required=True, help="folder with the six files")
    arguments.add_argument("--output", type=Path, help="also write the report to this file")
    arguments.add_argument("--share", type=float, default=1.0, help="of the references, 0..1")
    arguments.add_argument("--examples", type=int, default=12, help="shown of each pattern of verdicts")
    given = arguments.parse_args()
    logging.disable(logging.CRITICAL)
    made = list(pairs(given.data, given.share))
    said = [[JUDGES[name](case) for name in NOTED] for case in made]
    lines = [
        f"{len(made):,} pairs. Python {platform.python_version()}, math-verify {version('math-verify')}, "
        f"TRL {version('trl')}. Disagreement: the three do not say the same.",
        "",
        *summary(made, said),
        *listing(made, said, given.examples),
        "",
    ]
    command = f"grader_disagreements.py --data FOLDER --share {given.share:g}"
    report("Where three graders disagree", command, lines, given.output)


if __name__ == "__main__":
    main()
