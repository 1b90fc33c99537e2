"""Times and memory of policy losses on the same tensors, all in one run: ours, TRL's, verl's and the floor.

    python benchmarks/loss_times.py [--output docs/measured/loss.json] [--compare old.json [--over 1.2]] [--quick]

Blocks take turns, every round in another order, so that a busy moment of the machine falls on all of them. verl's run
in the interpreter of .venv-verl (`make verl` makes it), since TRL and verl cannot be installed beside each other;
without it they are left out, and the table says so. A row is one block on one shape: 20, 50 and 80 percentiles of its
times, milliseconds; the peak of memory that it needed, MB; bytes that any implementation must move, and the time of a
copy of as many (the floor) as a share of the block's. With --compare, what moved against an older file is printed, and
the command fails where a ratio to TRL's GRPO block of the same run has grown by more than --over.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import torch
from loss_blocks import COPY, Case

from pmpo.foundation.files import write_whole

BASE = "TRL: grpo"
SMALL, LARGE, PADDED = Case(64, 1024), Case(512, 4096), Case(512, 4096, padded=True)
LENGTHS = [Case(64, width) for width in (128, 512, 1024, 4096, 8192, 32768)]
OF_LENGTHS = (COPY, BASE, "pmpo, fused: grpo", "pmpo, fused: pmpo", "pmpo, reference: pmpo")
IN_REFERENCE = ("grpo", "gmpo", "pmpo", "apmpo", "holderpo")
"""Presets that the reference computes on the large shapes too, where it takes seconds."""


@dataclass
class Worker:
    """A process with blocks of one environment."""

    process: subprocess.Popen[str]

    @classmethod
    def start(cls, python: Path) -> Worker:
        env = {
            "OMP_WAIT_POLICY": "PASSIVE",
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]),
        }
        command = [str(python), str(ROOT / "benchmarks" / "loss_worker.py")]
        return cls(subprocess.Popen(command, stdin=-1, stdout=-1, stderr=subprocess.DEVNULL, text=True, env=env))

    def ask(self, **request: Any) -> Any:
        """The answer to one request."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"The worker ended at {request}: run benchmarks/loss_worker.py by hand to see why.")
        return json.loads(answer)


def workers() -> list[Worker]:
    """One of this interpreter, one of verl's where that is installed."""
    verl = ROOT / ".venv-verl" / "bin" / "python"
    return [Worker.start(Path(sys.executable)), *([Worker.start(verl)] if verl.exists() else [])]


def wanted(case: Case, name: str) -> bool:
    """Whether a block is measured on a shape: what takes minutes there is left out."""
    if name.startswith("pmpo, compiled"):
        return case == SMALL
    if case in LENGTHS and case != SMALL:
        return name in OF_LENGTHS
    if case.padded:
        return not name.startswith("pmpo, reference")
    return case == SMALL or not name.startswith("pmpo, reference") or name.split(": ")[1] in IN_REFERENCE


def measure(case: Case, at: Sequence[Worker], rounds: int, device: str) -> Iterator[dict[str, Any]]:
    """The rows of one shape."""
    owners: dict[str, Worker] = {}
    for worker in at:
        for name in worker.ask(case=astuple(case), device=device):
            if wanted(case, name):
                owners.setdefault(name, worker)
    times: dict[str, list[float]] = {name: [] for name in owners}
    names = list(owners)
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            times[name] += owners[name].ask(block=name, repeats=1)
        print(f"\r{case.name}: round {number + 1} of {rounds}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    floor = statistics.median(times[COPY])
    for name, found in times.items():
        low, *_, high = statistics.quantiles(found, n=5)
        middle = statistics.median(found)
        yield {
            "case": case.name, "tokens": case.rows * case.width, "dtype": "float32", "block": name, "rounds": rounds,
            "p20_ms": 1e3 * low, "p50_ms": 1e3 * middle, "p80_ms": 1e3 * high,
            "to_trl": middle / statistics.median(times[BASE]), "floor_share": floor / middle, "bytes": case.bytes,
            "peak_mb": owners[name].ask(block=name, memory=True) / 2**20,
        }  # fmt: skip


def machine() -> dict[str, str]:
    """What the numbers are of."""
    found = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            found = line.split(":")[1].strip()
            break
    versions = {name: metadata.version(name) for name in ("torch", "trl", "transformers", "pmpo")}
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{os.cpu_count()} cores of {found}"
    return {"machine": device, "date": date.today().isoformat(), "python": platform.python_version(), **versions}


def compare(rows: Sequence[dict[str, Any]], older: Sequence[dict[str, Any]], over: float) -> list[str]:
    """Blocks whose ratio to TRL's has grown by more than `over`; every change beyond a tenth is printed."""
    before = {(row["case"], row["block"]): row for row in older}
    worse = []
    for row in rows:
        was = before.get((row["case"], row["block"]))
        if was is None or row["block"] in (BASE, COPY):
            continue
        change = row["to_trl"] / was["to_trl"]
        if not 0.9 <= change <= 1.1:
            print(f"{row['case']} {row['block']}: {was['to_trl']:.2f} -> {row['to_trl']:.2f} of TRL's ({change:.2f})")
        if change > over:
            worse.append(f"{row['case']} {row['block']}")
    return worse


def main() -> None:
    """Measure, write, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "measured" / "loss.json")
    parser.add_argument("--compare", type=Path)
    parser.add_argument("--over", type=float, default=1.2, help="largest growth of a ratio to TRL's")
    parser.add_argument("--quick", action="store_true", help="one small shape, three rounds, nothing written")
    options = parser.parse_args()
    older = json.loads(options.compare.read_text())["rows"] if options.compare else []
    device = "cuda" if torch.cuda.is_available() else "cpu"
    plan = [(Case(8, 64), 3)] if options.quick else [(SMALL, 21), (LARGE, 5), (PADDED, 5)]
    plan += [] if options.quick else [(case, 5) for case in LENGTHS if case != SMALL]
    at, rows = workers(), []
    for case, rounds in plan:
        rows += measure(case, at, rounds, device)
        if not options.quick:
            write_whole(options.output, json.dumps({**machine(), "rows": rows}, indent=1))
    for row in rows if options.quick else ():
        print(f"{row['case']} {row['block']}: {row['p50_ms']:.2f} ms, {row['to_trl']:.2f} of TRL's grpo")
    if worse := compare(rows, older, options.over):
        sys.exit(f"Slower by more than {options.over}: {'; '.join(worse)}")


if __name__ == "__main__":
    main()
