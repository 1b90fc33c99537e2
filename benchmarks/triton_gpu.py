"""The Triton kernel on a GPU: its time beside a copy of the same bytes and beside others, and its error.

    python benchmarks/triton_gpu.py --output gpu.json                # on a GPU
    python benchmarks/triton_gpu.py --interpret                      # the program itself, tiny, on a CPU: no times

Forward and backward of one call, all diagnostics included. Device time between two events, queued behind a pause so
that the host is ahead; the second-level cache is overwritten before each call; median, 20th and 80th percentile. The
floor is a device-to-device copy that reads and writes, together, as many bytes as the kernel: per token both log
probabilities, one byte of mask and the gradient. Completions: as many as make --megabytes of that. Beside the kernel:
the reference as it is, the reference through torch.compile, and the block of TRL's GRPOTrainer where TRL is installed.
Errors: largest difference from the float64 reference over its largest value, in machine epsilons of float32, of the
kernel and of the float32 reference.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

INTERPRETED = "--interpret" in sys.argv
os.environ["TRITON_INTERPRET"] = "1" if INTERPRETED else "0"  # before the first import of Triton
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "triton_interpreter"))

import torch
from triton_calls import call_of, numbers_of, rows_of
from triton_contenders import contenders

import pmpo
from pmpo.foundation.files import write_whole
from pmpo.kernels.rows import DIAGNOSTICS

LENGTHS = (128, 512, 1024, 2048, 4096, 8192, 16384, 32768)
PRESETS = ("grpo", "gmpo", "pmpo", "holderpo")
SPREAD = 0.2  # nats; of 0.4 nats one token in twenty is beyond the bounds, so that p of pmpo is solved, and is not 0
CONTEXT = pmpo.BatchContext(reward_mean=0.4, reward_std=0.3, progress=0.25)
DEVICE = "cpu" if INTERPRETED else "cuda"


def made(width: int, rows: int, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """A batch on the device; full completions, so that the floor moves no byte that the kernel may skip."""
    random = torch.Generator(DEVICE).manual_seed(width)
    old_BT = -3.0 * torch.rand(rows, width, generator=random, device=DEVICE)
    new_BT = old_BT + SPREAD * torch.randn(rows, width, generator=random, device=DEVICE)
    return {
        "new": new_BT.to(dtype),
        "old": old_BT.to(dtype),
        "mask": torch.ones(rows, width, dtype=torch.bool, device=DEVICE),
        "advantages": torch.randn(rows, generator=random, device=DEVICE),
    }


def bytes_of(batch: dict[str, torch.Tensor]) -> int:
    """Read and written by one call: log probabilities, mask, gradient."""
    return sum(batch[name].nbytes for name in ("new", "old", "mask", "new"))


# ---- time -----------------------------------------------------------------------------------------------------------


def timed(call: Callable, repeats: int, pause: int) -> dict[str, float]:
    """Microseconds on the device: median, 20th and 80th percentile."""
    call(), call()
    found = sorted(_once(call, pause) for _ in range(repeats))
    cut = statistics.quantiles(found, n=5) if repeats > 1 else [found[0]] * 4
    return {"median_us": statistics.median(found), "p20_us": cut[0], "p80_us": cut[3]}


def _once(call: Callable, pause: int) -> float:
    if INTERPRETED:
        began = time.perf_counter()
        call()
        return 1e6 * (time.perf_counter() - began)
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    torch.empty(2**28, dtype=torch.uint8, device=DEVICE).zero_()  # more than the second-level cache
    torch.cuda._sleep(pause)
    start.record()
    call()
    end.record()
    end.synchronize()
    return 1e3 * start.elapsed_time(end)


def peak(call: Callable) -> int:
    """Bytes that a call adds at its peak."""
    if INTERPRETED:
        return 0
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    call()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def speed_rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for dtype in (torch.float32, torch.bfloat16):
        for width in options.lengths:
            rows = 2 if INTERPRETED else -(-options.megabytes * 2**20 // (width * (3 * dtype.itemsize + 1)))
            batch = made(width, rows, dtype)
            moved = bytes_of(batch)
            source = torch.empty(moved // 2, dtype=torch.uint8, device=DEVICE)
            target = torch.empty_like(source)
            case = {"T": width, "B": rows, "dtype": str(dtype).removeprefix("torch."), "bytes": moved}
            floor = timed(lambda to=target, of=source: to.copy_(of), options.repeats, 2_000_000)
            yield {**case, "preset": "", "what": "copy", **floor, "peak_bytes": 0, "share": 1.0}
            for name in options.presets:
                for what, call in contenders(pmpo.objective(name, kl_coef=0.0), batch, CONTEXT, options.compiled):
                    found = timed(call, options.repeats, 2_000_000 if what == "fused" else 40_000_000)
                    share = found["median_us"] / floor["median_us"]
                    yield {**case, "preset": name, "what": what, **found, "peak_bytes": peak(call), "share": share}


# ---- error ----------------------------------------------------------------------------------------------------------


def error_rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Of the kernel and of the float32 reference, in float32 epsilons."""
    for name in options.presets:
        for width in options.lengths[:5]:
            for spread in (0.001, 0.2, 0.5, 5.0):
                batch = rows_of(width, rows=2 if INTERPRETED else 256, spread=spread, seed=width, dtype=torch.float32)
                batch = {key: each.to(DEVICE) for key, each in batch.items()}
                exact = {key: each.double() if each.is_floating_point() else each for key, each in batch.items()}
                objective = pmpo.objective(name, kl_coef=0.0)
                got, truth, plain = call_of(objective, batch, CONTEXT)(), _all(objective, exact), _all(objective, batch)
                found = {"loss": got.losses_B.double().sum(), "gradient": got.gradient_BT}
                found |= dict(zip(DIAGNOSTICS, got.diagnostics, strict=True))
                yield {
                    "preset": name,
                    "T": width,
                    "spread": spread,
                    "fused": {key: _error(each, truth[key]) for key, each in found.items()},
                    "reference": {key: _error(plain[key], truth[key]) for key in found},
                }


def _all(objective: pmpo.Objective, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    new_BT = batch["new"].clone().requires_grad_()
    result = pmpo.policy_loss(new_BT, batch["old"], batch["advantages"], batch["mask"], objective, CONTEXT)
    result.loss.backward()
    numbers = dict(zip(DIAGNOSTICS, numbers_of(result.diagnostics), strict=True))
    return {"loss": result.loss.detach(), "gradient": new_BT.grad, **numbers}


def _error(got: torch.Tensor, exact: torch.Tensor) -> float:
    size = exact.abs().max().clamp(min=1e-300)
    return float((got.double() - exact).abs().max() / size / torch.finfo(torch.float32).eps)


# ---- pages ----------------------------------------------------------------------------------------------------------


def tables(speed: list[dict[str, Any]], errors: list[dict[str, Any]]) -> str:
    text = "| T | B | inputs | preset | what | median µs | 20..80 % | times the copy | peak MB |\n" + "|---" * 9 + "|\n"
    for row in speed:
        text += (
            f"| {row['T']} | {row['B']} | {row['dtype']} | {row['preset']} | {row['what']} | {row['median_us']:.0f} | "
            f"{row['p20_us']:.0f}..{row['p80_us']:.0f} | {row['share']:.2f} | {row['peak_bytes'] / 1e6:.0f} |\n"
        )
    text += (
        "\n| preset | T | spread, nats | number | error, fused | error, reference in float32 |\n" + "|---" * 6 + "|\n"
    )
    for row in errors:
        for key in ("loss", "gradient", "exponent", "ess", "power_mean", "kl"):
            text += f"| {row['preset']} | {row['T']} | {row['spread']} | {key} "
            text += f"| {row['fused'][key]:.1f} | {row['reference'][key]:.1f} |\n"
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interpret", action="store_true", help="tiny shapes in Triton's interpreter, on a CPU")
    parser.add_argument("--output", type=Path, help="JSON; the tables go beside it as .md")
    parser.add_argument("--lengths", type=int, nargs="+", default=(3, 40) if INTERPRETED else LENGTHS)
    parser.add_argument("--presets", nargs="+", default=("grpo", "pmpo") if INTERPRETED else PRESETS)
    parser.add_argument("--megabytes", type=int, default=256, help="moved by one call, at least")
    parser.add_argument("--repeats", type=int, default=1 if INTERPRETED else 50)
    parser.add_argument("--no-compiled", dest="compiled", action="store_false", default=not INTERPRETED)
    options = parser.parse_args()
    if not INTERPRETED and not torch.cuda.is_available():
        sys.exit("No GPU here, so there is nothing to measure. --interpret runs the program in Triton's interpreter.")
    machine = "Triton's interpreter on a CPU: no times" if INTERPRETED else torch.cuda.get_device_name()
    print(machine, file=sys.stderr)
    speed, errors = [], []
    for rows, found in ((speed, speed_rows(options)), (errors, error_rows(options))):
        for row in found:
            rows.append(row)
            print(json.dumps(row), file=sys.stderr, flush=True)
    print(tables(speed, errors))
    if options.output:
        about = {"machine": machine, "torch": torch.__version__, "speed": speed, "errors": errors}
        write_whole(options.output, json.dumps(about, indent=1))
        write_whole(
            options.output.with_suffix(".md"), f"{machine}, torch {torch.__version__}\n\n{tables(speed, errors)}"
        )


if __name__ == "__main__":
    main()
