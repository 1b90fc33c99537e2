"""How long things take to begin, each in new processes, one after the other in turns.

    python benchmarks/start_up.py [--rounds 7] [--output docs/measured/start_up.md]

Median of the rounds, with the range: `import torch` and `import pmpo`; `pmpo --version` and `--help`; the first grade()
of a process and the second; `pmpo train` from the command to the end of its first update, with the demonstration's
base model in the cache.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from page import report

PMPO = [sys.executable, "-c", "import sys; from pmpo_command import main; sys.exit(main())"]
GRADE = "from pmpo.grading import grade; print(grade(['1/2'], ['The answer is \\\\boxed{0.5}.'])[0].status)"
COMMANDS = {
    "import torch": [sys.executable, "-c", "import torch"],
    "import pmpo": [sys.executable, "-c", "import pmpo"],
    "pmpo --version": [*PMPO, "--version"],
    "pmpo --help": [*PMPO, "--help"],
    "first grade() of a process, from its start": [sys.executable, "-c", GRADE],
    "pmpo train, until its first update is made": [*PMPO, "train", "--max_steps=1", "--pass_at_1_every=0"],
}


def seconds(command: list[str], folder: str) -> float:
    """Wall time of one new process."""
    if "train" in command:
        command = [*command, f"--output_dir={tempfile.mkdtemp(dir=folder)}/run"]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-800:]}")
    return time.perf_counter() - start


def main() -> None:
    """Measure in turns, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    os.environ |= {"HF_HUB_OFFLINE": "1"}
    found: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as folder:
        seconds(COMMANDS["pmpo train, until its first update is made"], folder)  # makes the base model and the kernel
        for number in range(options.rounds):
            for name, command in COMMANDS.items():
                found[name].append(seconds(command, folder))
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
    lines = ["| what | seconds, median (range) |", "|---|---|"]
    lines += [
        f"| {name} | {statistics.median(times):.2f} ({min(times):.2f}–{max(times):.2f}) |"
        for name, times in found.items()
    ]
    report("How long things take to begin", "start_up.py --output docs/measured/start_up.md", lines, options.output)


if __name__ == "__main__":
    main()
