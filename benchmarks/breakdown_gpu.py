"""Where a training run spends a GPU's time: one round under torch's profiler, by part, by kernel, and by waiting.

    python benchmarks/breakdown_gpu.py --output docs/measured/breakdown_gpu.md       # a minute on a GPU
    python benchmarks/breakdown_gpu.py --model embedded --steps 2                    # looks the same on a CPU

The parts are those of breakdown.py. A kernel counts for the part whose operation launched it, also from autograd's
threads, whose operations count for `backward`; time of the host is of its own operations, without parts inside. A run
of the same options comes before, not profiled, so that nothing is compiled or allocated for the first time. OPTIONS
after -- are those of `pmpo train`; TRACE opens in https://ui.perfetto.dev.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from breakdown import MODELS, PARTS, large_model, wrap_parts  # first: it sets threads and paths

import torch
from torch.profiler import ProfilerActivity, profile, record_function

from page import report
from pmpo.cli import main as pmpo

CUDA = torch.cuda.is_available()
PREFIX = "pmpo: "
WAITS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize", "aten::_local_scalar_dense")
LAUNCHES = ("cudaLaunchKernel", "cuLaunchKernel", "cudaLaunchKernelExC", "cudaGraphLaunch")


class Ranges:
    """Stands in breakdown's stopwatch: a part is a named range of the profiler."""

    def __init__(self) -> None:
        self._open: list[tuple[str, Any]] = [("rest", None)]

    @property
    def part(self) -> str:
        return self._open[-1][0]

    def begin(self, part: str) -> None:
        named = record_function(PREFIX + part)
        named.__enter__()
        self._open.append((part, named))

    def end(self) -> None:
        self._open.pop()[1].__exit__(None, None, None)


def part_of(event: Any, main: int) -> str:
    """The innermost part that an operation lies in."""
    above = event
    while above is not None:
        if above.name.startswith(PREFIX):
            return above.name.removeprefix(PREFIX)
        above = above.cpu_parent
    return "rest" if event.thread == main else "backward"


def by_part(events: Iterable[Any]) -> dict[str, tuple[float, float, int]]:
    """Seconds of the host, seconds of the device, and kernels, by part."""
    host: dict[str, float] = defaultdict(float)
    device: dict[str, float] = defaultdict(float)
    kernels: Counter[str] = Counter()
    events = [event for event in events if event.device_type == torch.autograd.DeviceType.CPU]
    main = Counter(event.thread for event in events if event.name.startswith(PREFIX)).most_common(1)[0][0]
    for event in events:
        part = part_of(event, main)
        host[part] += 1e-6 * event.self_cpu_time_total
        device[part] += 1e-6 * sum(kernel.duration for kernel in event.kernels)
        kernels[part] += len(event.kernels)
    return {part: (host[part], device[part], kernels[part]) for part in PARTS if host[part] or device[part]}


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    cells = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return [f"| {' | '.join(row)} |" for row in cells] + [""]


def part_table(parts: dict[str, tuple[float, float, int]]) -> list[str]:
    whole = max(1e-9, sum(device if CUDA else host for host, device, _ in parts.values()))
    rows = [
        [part, f"{host:.3f} s", f"{device:.3f} s", f"{(device if CUDA else host) / whole:.1%}", f"{count:,}"]
        for part, (host, device, count) in parts.items()
    ]
    return table(["part", "host", "device", "share", "kernels"], rows)


def top_table(averages: Iterable[Any], count: int = 15) -> list[str]:
    """The operations or kernels that take most."""
    of = "self_device_time_total" if CUDA else "self_cpu_time_total"
    found = [one for one in averages if not one.key.startswith(PREFIX)]
    found.sort(key=lambda one: getattr(one, of), reverse=True)
    rows = [[f"`{one.key[:90]}`", f"{1e-6 * getattr(one, of):.3f} s", f"{one.count:,}"] for one in found[:count]]
    return table(["kernel or operation", "itself", "calls"], rows)


def waiting(averages: Iterable[Any], steps: int, wall: float, device: float) -> str:
    """How busy the device was and how often the host waited for it."""
    counts = {one.key: one.count for one in averages}
    waits = {name: counts[name] for name in WAITS if name in counts}
    said = ", ".join(f"{name} {count / steps:.1f}" for name, count in waits.items()) or "none"
    launches = sum(counts.get(name, 0) for name in LAUNCHES)
    busy = f"The device computed for {device / wall:.0%} of {wall:.1f} s" if CUDA else f"{wall:.1f} s, no device"
    return f"{busy}; {launches / steps:,.0f} launches an update. Calls that wait for a device, an update: {said}."


def run(words: Sequence[str], folder: Path) -> None:
    status = pmpo(["train", *words, "--output_dir", str(folder), "--progress", "off"])
    if status:
        raise SystemExit(status)


def measured(words: Sequence[str], steps: int, folder: Path, trace: Path | None) -> list[str]:
    """The tables of one profiled run after one that is not."""
    run(words, folder / "before")
    wrap_parts(Ranges())
    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if CUDA else [])]
    began = time.perf_counter()
    with profile(activities=kinds, acc_events=True) as profiled:
        run(words, folder / "run")
        if CUDA:
            torch.cuda.synchronize()
    wall = time.perf_counter() - began
    if trace is not None:
        profiled.export_chrome_trace(str(trace))
    parts, averages = by_part(profiled.events()), profiled.key_averages()
    device = sum(one[1] for one in parts.values())
    return [*part_table(parts), waiting(averages, steps, wall, device), "", *top_table(averages)]


def main() -> None:
    """Profile, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=MODELS, default="0.1b")
    parser.add_argument("--steps", type=int, default=4, help="updates")
    parser.add_argument("--trace", type=Path, help="file for the timeline, .json or .json.gz")
    parser.add_argument("--output", type=Path)
    parser.add_argument("options", nargs="*", help="of `pmpo train`, after --")
    given = parser.parse_args()
    where = torch.cuda.get_device_name() if CUDA else f"{platform.machine()} CPU: the device's columns are unmeasured"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = large_model(folder) if given.model == "0.1b" else []
        if CUDA:
            words += ["--use_cpu", "false", "--bf16", "true"]
        words += ["--max_steps", str(given.steps), *given.options]
        lines = [f"{given.model}, {given.steps} updates; {where}; torch {torch.__version__}.", ""]
        lines += measured(words, given.steps, folder, given.trace)
    report(
        "Where a training run spends a GPU's time",
        "breakdown_gpu.py --output docs/measured/breakdown_gpu.md",
        lines,
        given.output,
    )


if __name__ == "__main__":
    main()
