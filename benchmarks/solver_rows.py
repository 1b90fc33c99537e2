"""The solver of p over 100,000 completions: how many need it, what it costs, and how near it comes.

    python benchmarks/solver_rows.py [--rows 100000] [--output docs/measured/solver.md]

Families of completions of 256 tokens, from training-like to made to be hard. Of each, for the kernel: the share of
completions that need the solver (the others have f = 0, equal log ratios, or p = 0 for a target of 1), evaluations of
nESS (median, 99 %, most), and the residual |nESS(p) − τ| computed anew in float64 where 0 < p < 1 (median, most). The
reference makes 37 evaluations for all completions at once in float32, 44 in float64; beside them are its residuals on
the first 5,000 of each family.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from page import report
from torch import Tensor

import pmpo
from pmpo.kernels import cpu
from pmpo.kernels.plan import plan_of, scalars
from pmpo.objective.loss_inputs import plain_inputs
from pmpo.objective.policy_loss import token_facts

WIDTH, CHUNK = 256, 5000
PMPO = pmpo.objective("pmpo")
LINEAR = pmpo.objective("pmpo", exponent=pmpo.ClipAwareESS(target=pmpo.LinearMap()))
HALF = pmpo.objective("pmpo", trust_region="none", exponent=pmpo.ClipAwareESS(target=0.5))
LOOSE = pmpo.objective("pmpo", trust_region="none", exponent=pmpo.ClipAwareESS(target=0.05))


def _training(random: torch.Generator, rows: int) -> Tensor:
    spread_B1 = 0.02 * 20.0 ** torch.rand(rows, 1, generator=random, dtype=torch.float64)
    return spread_B1 * torch.randn(rows, WIDTH, generator=random, dtype=torch.float64)


def _wide(random: torch.Generator, rows: int) -> Tensor:
    spread_B1 = 10.0 ** (torch.rand(rows, 1, generator=random, dtype=torch.float64) * 7.0 - 5.0)
    return (spread_B1 * torch.randn(rows, WIDTH, generator=random, dtype=torch.float64)).clamp(-80.0, 80.0)


def _outliers(random: torch.Generator, rows: int) -> Tensor:
    """One to eight tokens 1 to 80 nats above the others."""
    l_BT = 0.1 * torch.randn(rows, WIDTH, generator=random, dtype=torch.float64)
    count_B1 = torch.randint(1, 9, (rows, 1), generator=random)
    height_B1 = 1.0 + 79.0 * torch.rand(rows, 1, generator=random, dtype=torch.float64)
    return torch.where(torch.arange(WIDTH) < count_B1, height_B1 + l_BT * 0.01, l_BT)


def _steps(random: torch.Generator, rows: int) -> Tensor:
    """Three levels, each rarer and higher: nESS falls in steps."""
    l_BT = torch.zeros(rows, WIDTH, dtype=torch.float64)
    heights_B2 = torch.rand(rows, 2, generator=random, dtype=torch.float64) * torch.tensor([10.0, 60.0])
    l_BT[:, :40] = heights_B2[:, :1]
    l_BT[:, :2] = heights_B2.sum(dim=1, keepdim=True)
    return l_BT


FAMILIES: dict[str, tuple[Callable[[torch.Generator, int], Tensor], pmpo.Objective]] = {
    "training-like, pmpo as it is": (_training, PMPO),
    "training-like, g(f) = f": (_training, LINEAR),
    "spreads from 1e-5 to 80 nats, τ = .5": (_wide, HALF),
    "one to eight outliers, τ = .5": (_outliers, HALF),
    "one to eight outliers, τ = .05": (_outliers, LOOSE),
    "three levels, τ = .5": (_steps, HALF),
    "three levels, τ = .05": (_steps, LOOSE),
}


def residual(objective: pmpo.Objective, l_BT: Tensor, mask_BT: Tensor, p_B: Tensor, one_B: Tensor) -> Tensor:
    """|nESS(p) − τ| of completions with 0 < p < 1, in float64."""
    plain = plain_inputs(l_BT, torch.zeros_like(l_BT), one_B, mask_BT, None, None)
    facts = token_facts(objective, plain, pmpo.BatchContext())
    rule = objective.exponent
    reached_B = pmpo.normalized_ess(rule.solved_over(facts), mask_BT, p_B.double())
    inside_B = (p_B > 0) & (p_B < 1)
    return (reached_B - rule.target_ess(facts)).abs()[inside_B]


def solved(objective: pmpo.Objective, l_BT: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """p and the evaluations of the kernel."""
    rows = len(l_BT)
    l_BT, mask_BT = l_BT.to(dtype), torch.ones(l_BT.shape, dtype=torch.bool)
    solver = torch.zeros(rows, dtype=torch.int32), torch.zeros(rows, dtype=dtype)
    told = plan_of(objective), scalars(objective, pmpo.BatchContext(), rows, mask_BT.sum, l_BT)
    tensors = l_BT, torch.zeros_like(l_BT), mask_BT, torch.ones(rows, dtype=dtype)
    found = cpu.run(*told, *tensors, None, None, None, solver=solver)
    return found.diagnostics[0], solver[0]


def measure(name: str, rows: int, dtype: torch.dtype) -> list[str]:
    """The cells of one line of the table."""
    make, objective = FAMILIES[name]
    random = torch.Generator().manual_seed(0)
    parts: list[tuple[Tensor, ...]] = []
    for start in range(0, rows, CHUNK):
        l_BT = make(random, CHUNK).to(dtype).double()
        mask_BT, one_B = torch.ones(l_BT.shape, dtype=torch.bool), torch.ones(CHUNK, dtype=torch.float64)
        p_B, evaluations_B = solved(objective, l_BT, dtype)
        theirs = one_B[:0]
        if start == 0:
            given = (l_BT.to(dtype), torch.zeros_like(l_BT, dtype=dtype), one_B.to(dtype), mask_BT)
            theirs = residual(objective, l_BT, mask_BT, pmpo.policy_loss(*given, objective).diagnostics.exponent, one_B)
        parts.append((evaluations_B, residual(objective, l_BT, mask_BT, p_B, one_B), theirs))
        print(".", end="", file=sys.stderr, flush=True)
    evaluations, ours, theirs = (torch.cat(each).double() for each in zip(*parts, strict=True))
    needed = evaluations[evaluations > 1]
    counts = torch.quantile(needed, torch.tensor([0.5, 0.99, 1.0], dtype=torch.float64)) if len(needed) else [0, 0, 0]
    return [
        name,
        str(dtype).removeprefix("torch."),
        f"{100 * len(needed) / len(evaluations):.1f} %",
        " / ".join(f"{float(count):.0f}" for count in counts),
        *(f"{float(each.median()):.0e} / {float(each.max()):.0e}" if len(each) else "–" for each in (ours, theirs)),
    ]


def main() -> None:
    """Measure all families, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help=f"of each family, a multiple of {CHUNK}")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    lines = [
        f"{options.rows:,} completions of {WIDTH} tokens each. Evaluations: median / 99 % / most, of those that need "
        "any beyond the one at p = 1. Residuals: median / largest.\n",
        "| completions | dtype | need it | evaluations | residual | residual of the reference |",
        "|---|---|---|---|---|---|",
    ]
    for name in FAMILIES:
        for dtype in (torch.float32, torch.float64):
            lines.append(f"| {' | '.join(measure(name, options.rows, dtype))} |")
    report("The solver of p", "solver_rows.py --output docs/measured/solver.md", lines, options.output)


if __name__ == "__main__":
    main()
