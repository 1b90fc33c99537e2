"""A long run that is killed again and again beside one that is not: the same weights, the same log, and flat memory.

    python benchmarks/soak.py --output_dir FOLDER [--steps 2000] [--seed 0] [--save_steps 10] [--picture soak.png]

Both runs are `pmpo train` in a process of its own, with what it does without any argument except for the length, the
checkpoints and a small evaluation; other flags are passed on to it. One of them gets SIGKILL every random 20 to 200
steps and is resumed with --resume_from_checkpoint true. The resident memory of the other is read at every log event.
Prints Markdown. The exit status is 1 when weights or logs differ from what they should be.
"""

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import tracemalloc
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from safetensors.torch import load_file
from scipy.stats import linregress

FLAGS = ("--eval_size", "64", "--save_strategy", "steps", "--save_total_limit", "3")
LOG_EVERY = {"uninterrupted": 8, "killed": 1}
"""Updates between log events: the default, since the Trainer keeps every event in memory; and one, to kill at any."""
POLL = 0.02
"""Seconds between two looks at a run."""
SETTLED = 0.25
"""Share of the run that is left out of the slope: caches and pools fill there."""


@dataclass
class Run:
    """One run folder and what was seen of the processes that worked in it.

    Attributes:
        kills: the last logged step at each SIGKILL.
        memory: resident memory in KB after a step, as first seen.
        seconds: wall time of all its processes, starting included.
    """

    folder: Path
    arguments: list[str]
    kills: list[int] = field(default_factory=list)
    memory: dict[int, int] = field(default_factory=dict)
    seconds: float = 0.0

    def go(self, kill_at: int | None, delay: float = 0.0) -> bool:
        """Start or resume; True when it came to its end, False when it was killed `delay` seconds after `kill_at`.

        Raises: SystemExit with the last lines of its output when it failed by itself.
        """
        started = time.monotonic()
        resume = ["--resume_from_checkpoint", "true"] if self.kills else []
        command = [sys.executable, "-m", "pmpo", "train", "--output_dir", str(self.folder), *self.arguments, *resume]
        output = self.folder.with_suffix(".log")
        with output.open("a") as file:
            child = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
            killed = self._watch(child, kill_at, delay)
        self.seconds += time.monotonic() - started
        if not killed and child.returncode != 0:
            sys.exit(f"pmpo train ended with {child.returncode}:\n{output.read_text()[-3000:]}")
        return not killed

    def _watch(self, child: subprocess.Popen, kill_at: int | None, delay: float) -> bool:
        while child.poll() is None:
            step = last_step(self.folder / "metrics.jsonl")
            if step is not None and step not in self.memory and (memory := resident(child.pid)):
                self.memory[step] = memory
            if kill_at is not None and step is not None and step >= kill_at:
                time.sleep(delay)
                os.kill(child.pid, signal.SIGKILL)
                child.wait()
                self.kills.append(last_step(self.folder / "metrics.jsonl") or step)
                return True
            time.sleep(POLL)
        return False


def last_step(log: Path) -> int | None:
    """The step of the last whole line of a metrics.jsonl."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16_384))
            found = re.findall(rb'^\{"step": (\d+).*\}$', file.read(), re.MULTILINE)
    except FileNotFoundError:
        return None
    return int(found[-1]) if found else None


def resident(pid: int) -> int:
    """KB of memory that a process holds; 0 when it has just ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return 0


def killed_run(run: Run, steps: int, gaps: tuple[int, int], seed: int) -> None:
    """Kill it every `gaps[0]` to `gaps[1]` steps, at any moment of a step, until it is complete."""
    rng = random.Random(seed)
    target = rng.randint(*gaps)
    while not run.go(target if target < steps else None, rng.uniform(0.0, 0.3)):
        print(f"killed at step {run.kills[-1]} after {run.seconds:.0f} s", file=sys.stderr, flush=True)
        target = run.kills[-1] + rng.randint(*gaps)


def largest_difference(one: Path, other: Path) -> float:
    """max |Δw| over all tensors of two saved models."""
    a, b = (load_file(folder / "model" / "model.safetensors") for folder in (one, other))
    if a.keys() != b.keys():
        sys.exit(f"{one} and {other} hold other tensors: {sorted(a.keys() ^ b.keys())}")
    return max((a[name] - b[name]).abs().max().item() for name in a)


def wrong_steps(log: Path, steps: int, every: int) -> list[int]:
    """The steps of `every`, 2 · `every`, … up to `steps` that a log has not exactly once, and any others."""
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").split("\n") if line]
    seen = Counter(row["step"] for row in rows if "loss" in row)
    expected = range(every, steps + 1, every)
    return [step for step in expected if seen[step] != 1] + [step for step in seen if step not in expected]


def slope(memory: dict[int, int], steps: int) -> tuple[float, float, float]:
    """(KB per 1,000 steps, its standard error, KB at step 0) of the line through the last part of a run's memory."""
    late = [(step, kb) for step, kb in memory.items() if step > SETTLED * steps]
    line = linregress(*zip(*late, strict=True))
    return line.slope * 1000, line.stderr * 1000, line.intercept


def log_history(folder: Path) -> tuple[float, float]:
    """KB per 1,000 steps of the log that transformers' Trainer keeps in memory: held, and at most while it is saved.

    Measured on the newest checkpoint's copy of it.
    """
    from transformers import TrainerState

    newest = max(folder.glob("checkpoint-*"), key=lambda path: int(path.name.partition("-")[2]))
    state = TrainerState.load_from_json(str(newest / "trainer_state.json"))
    texts = [json.dumps(row) for row in state.log_history]
    tracemalloc.start()
    state.log_history = [json.loads(text) for text in texts]  # one by one: every log event makes its keys anew
    held = tracemalloc.get_traced_memory()[0]
    state.save_to_json(os.devnull)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return held / 1.024 / state.global_step, most / 1.024 / state.global_step


def draw(path: Path, whole: Run, killed: Run, steps: int) -> None:
    """Memory over steps of the uninterrupted run with its line, and the kills of the other one."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 3.5), layout="constrained")
    axes.plot(list(whole.memory), [kb / 1024 for kb in whole.memory.values()], lw=1, label="uninterrupted run")
    per_1000, _, start = slope(whole.memory, steps)
    ends = np.array([SETTLED * steps, steps])
    axes.plot(ends, (start + per_1000 * ends / 1000) / 1024, "k--", lw=1, label=f"{per_1000:+.0f} KB per 1,000 steps")
    axes.plot(killed.kills, np.zeros(len(killed.kills)), "rx", clip_on=False, label=f"{len(killed.kills)} × SIGKILL")
    axes.set(xlabel="optimiser step", ylabel="resident memory, MB", xlim=(0, steps), ylim=(0, None))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="center right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def report(whole: Run, killed: Run, steps: int) -> bool:
    """Print the table; whether all is as it should be."""
    difference = largest_difference(whole.folder, killed.folder)
    wrong = [wrong_steps(r.folder / "metrics.jsonl", steps, LOG_EVERY[r.folder.name]) for r in (whole, killed)]
    per_1000, error, _ = slope(whole.memory, steps)
    history, saving = log_history(whole.folder)
    held = [kb for step, kb in whole.memory.items() if step > SETTLED * steps]
    rows = {
        "optimiser steps": f"{steps:,}",
        "kills (SIGKILL)": f"{len(killed.kills)}, at steps {', '.join(map(str, killed.kills))}",
        "resumes": str(len(killed.kills)),
        "max \\|Δw\\| of the final weights": f"{difference:g}",
        "steps not exactly once in metrics.jsonl": f"{len(wrong[0])} uninterrupted, {len(wrong[1])} killed",
        "wall time": f"{whole.seconds:.0f} s uninterrupted, {killed.seconds:.0f} s killed and resumed",
        f"memory over the last {1 - SETTLED:.0%}": f"{min(held) / 1024:.0f} to {max(held) / 1024:.0f} MB, "
        f"slope {per_1000:+.0f} ± {error:.0f} KB per 1,000 steps",
        "of which the Trainer's log history": f"{history:.0f} KB, and {saving:.0f} KB while it is being saved",
    }
    print("| | |\n|---|---|")
    for name, value in rows.items():
        print(f"| {name} | {value} |")
    return difference == 0.0 and wrong == [[], []]


def main() -> int:
    """Both runs, the table and the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save_steps", type=int, default=10)
    parser.add_argument("--kill_every", type=int, nargs=2, default=(20, 200), metavar=("MIN", "MAX"))
    parser.add_argument("--picture", type=Path, help="default: soak.png in the output folder")
    options, passed_on = parser.parse_known_args()
    if options.kill_every[0] <= options.save_steps:
        parser.error("the first kill must come after the first checkpoint: make --save_steps smaller than --kill_every")
    options.output_dir.mkdir(parents=True, exist_ok=True)
    arguments = ["--max_steps", str(options.steps), "--save_steps", str(options.save_steps), *FLAGS, *passed_on]
    whole, killed = (
        Run(options.output_dir / name, [*arguments, "--logging_steps", str(every)]) for name, every in LOG_EVERY.items()
    )
    for run in (whole, killed):
        if run.folder.exists():
            parser.error(f"{run.folder} exists already; give another --output_dir")
    whole.go(None)
    print(f"uninterrupted: {whole.seconds:.0f} s", file=sys.stderr, flush=True)
    killed_run(killed, options.steps, tuple(options.kill_every), options.seed)
    good = report(whole, killed, options.steps)
    draw(options.picture or options.output_dir / "soak.png", whole, killed, options.steps)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
