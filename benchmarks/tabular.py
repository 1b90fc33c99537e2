"""Objectives, regimes and rules for p on a tabular policy, by `pmpo.policy_loss`: minutes on one core.

    python benchmarks/tabular.py run --output docs/measured/tabular.jsonl             # everything; resumes
    python benchmarks/tabular.py run --output FILE --problem share --regime fresh --contender gmpo pmpo
    python benchmarks/tabular.py tables --results docs/measured/tabular.jsonl         # Markdown
    python benchmarks/tabular.py picture --results docs/measured/tabular.jsonl --output docs/measured/tabular.png

A line of results holds the area under the exact expected reward over the rounds, [seeds][rates].
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from tabular_contenders import CENTRES, CONTENDERS, centred
from tabular_policy import Problem, Regime, train
from tabular_tables import picture, tables

PROBLEMS = {
    "share": Problem(),
    "interfering": Problem(features=12),
    "blocks": Problem(reward="blocks", head_start=1.5, rounds=150),
    "prefix": Problem(reward="prefix", head_start=2.0, rounds=150),
    "long": Problem(positions=128, head_start=1.0),
    "vocabulary": Problem(vocabulary=64, head_start=2.0),
}
REGIMES = {
    "fresh": Regime(),
    "8 rounds old": Regime(staleness=8),
    "noise .5": Regime(noise=0.5),
    "4 epochs": Regime(epochs=4),
    "noise .5, 4 rounds old": Regime(staleness=4, noise=0.5),
    "4 epochs, 4 rounds old": Regime(staleness=4, epochs=4),
}
RATES = (0.04, 0.08, 0.16, 0.32, 0.64)


def run(arguments: argparse.Namespace) -> None:
    """Train what the file of results lacks, cell by cell; each is one line, appended when it is ready."""
    torch.set_num_threads(1)
    done = {_key(row) for row in _read(arguments.output)}
    for problem in arguments.problem:
        for centre in arguments.centre:
            for regime in arguments.regime:
                for label in arguments.contender:
                    if centre != "start" and not (REGIMES[regime].staleness or REGIMES[regime].noise):
                        continue  # the sampler is the policy at the start of the round
                    cell = {"problem": problem, "regime": regime, "contender": label, "centre": centre}
                    if _key(cell) not in done:
                        _append(arguments.output, cell, arguments.seeds)


def _append(path: Path, cell: dict[str, str], seeds: int) -> None:
    began = time.monotonic()
    objective = centred(CONTENDERS[cell["contender"]], cell["centre"])
    curves = train(PROBLEMS[cell["problem"]], REGIMES[cell["regime"]], objective, RATES, seeds)
    area = [[round(x, 4) for x in row] for row in curves.mean(dim=2).tolist()]
    with path.open("a") as file:
        file.write(json.dumps({**cell, "rates": RATES, "area": area}) + "\n")
    means = " ".join(f"{x:.3f}" for x in curves.mean(dim=(0, 2)).tolist())
    print(*cell.values(), means, f"{time.monotonic() - began:.0f} s", sep=" | ", flush=True)


def _key(cell: dict) -> tuple[str, ...]:
    return tuple(cell[name] for name in ("problem", "regime", "contender", "centre"))


def _read(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    runs = verbs.add_parser("run")
    runs.add_argument("--output", type=Path, required=True)
    runs.add_argument("--seeds", type=int, default=8)
    for name, choices in (
        ("problem", PROBLEMS),
        ("regime", REGIMES),
        ("centre", CENTRES),
        ("contender", CONTENDERS),
    ):
        runs.add_argument(f"--{name}", nargs="+", choices=list(choices), default=list(choices))
    runs.set_defaults(verb=run)
    shown = verbs.add_parser("tables")
    shown.add_argument("--results", type=Path, required=True)
    shown.set_defaults(verb=lambda given: print(tables(_read(given.results))))
    drawn = verbs.add_parser("picture")
    drawn.add_argument("--results", type=Path, required=True)
    drawn.add_argument("--output", type=Path, required=True)
    drawn.set_defaults(verb=lambda given: picture(_read(given.results), given.output))
    arguments = parser.parse_args()
    arguments.verb(arguments)


if __name__ == "__main__":
    main()
