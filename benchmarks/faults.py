"""What becomes of a run that is killed, damaged or out of disk: pmpo and TRL's own trainer on the same cases.

    python benchmarks/faults.py > faults.md        (ten minutes, one core)

Prints Markdown: a summary of each group, then every case side by side. The cases are those of tests/faults.
"""

import os
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path

_TESTS = Path(__file__).parent.parent / "tests"
sys.path[:0] = [str(_TESTS / "faults"), str(_TESTS), str(_TESTS / "integrations")]
os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}

from cases import CASES
from player import Player


def outcomes(kind: str) -> dict[str, dict]:
    """{case: what came of it} for one trainer; TRL's own does not come past every place."""
    with tempfile.TemporaryDirectory() as folder, Player(kind, Path(folder)) as player:
        return {case.name: player.play(case.name) for case in CASES.values() if kind == "pmpo" or case.in_trl}


def kind_of(found: dict | None) -> str:
    """The outcome without numbers and names: exact, silently different, dies, or no such place."""
    if found is None:
        return "no such place"
    outcome = found["outcome"]
    if found["faults"]:
        return "wrong"
    return "silently different" if outcome.startswith("differs") else outcome.partition(":")[0].partition(",")[0]


def cell(found: dict | None) -> str:
    """Outcome and message of a table's cell, without the folders of this machine."""
    if found is None:
        return "no such place"
    message = re.sub(r"/\S*/", "", found["message"])
    message = re.sub(r"[\d.]+ MB", "… MB", message).replace("|", "/")
    told = f": {message[:137]}…" if len(message) > 138 else f": {message}" if message else ""
    return f"{found['outcome']}{told}"


def main() -> None:
    """Play everything twice and print."""
    found = {kind: outcomes(kind) for kind in ("pmpo", "trl")}
    groups = list(dict.fromkeys(case.group for case in CASES.values()))
    print("| | cases | pmpo | TRL alone |\n|---|---|---|---|")
    for group in groups:
        names = [case.name for case in CASES.values() if case.group == group]
        counted = [Counter(kind_of(found[kind].get(name)) for name in names) for kind in ("pmpo", "trl")]
        print(f"| {group} | {len(names)} | " + " | ".join(_counted(one) for one in counted) + " |")
    for group in groups:
        print(f"\n### {group.capitalize()}\n\n| case | pmpo | TRL alone |\n|---|---|---|")
        for case in CASES.values():
            if case.group == group:
                print(f"| {case.name} | {cell(found['pmpo'][case.name])} | {cell(found['trl'].get(case.name))} |")


def _counted(counts: Counter) -> str:
    return ", ".join(f"{number} {kind}" for kind, number in counts.most_common())


if __name__ == "__main__":
    main()
