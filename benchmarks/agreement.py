"""How far apart the numbers are that should be equal: objective against oracle, micro-batches, padding, TRL.

    python benchmarks/agreement.py

Prints one Markdown table; the tests assert bounds on the same quantities, this shows the values.
"""

import contextlib
import io
import math
import os
import platform
import sys
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
warnings.simplefilter("ignore")
TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "objective"), str(TESTS / "integrations")]

import oracle
import torch
import trl
from batches import ALL, FACTS, batch, log_ratio_rows, loss_and_grad, preset
from support import config, loss_and_grads, loss_inputs, parameters, trainer
from trl import GRPOConfig, GRPOTrainer
from trl.experimental.gmpo import GMPOConfig, GMPOTrainer

import pmpo

SEEDS = range(20)


def against_the_oracle(name: str) -> float:
    worst = 0.0
    for seed in SEEDS:
        inputs = batch(seed)
        loss, _ = loss_and_grad(inputs, preset(name), pmpo.BatchContext(**FACTS))
        expected = oracle.loss(name, log_ratio_rows(inputs), inputs[2].tolist(), 20, **FACTS)
        worst = max(worst, abs(loss.item() - expected))
    return worst


def under_splitting(name: str) -> float:
    worst = 0.0
    for seed in SEEDS:
        inputs = batch(seed)
        sums = pmpo.ratio_sums(inputs[0], inputs[1], inputs[3], preset(name))
        counts = pmpo.BatchContext(**FACTS, num_sequences=8, num_tokens=inputs[3].sum(), ratio_sums=sums)
        loss, gradient = loss_and_grad(inputs, preset(name), counts)
        for size in (4, 2, 1):
            parts = [
                loss_and_grad(tuple(x[k : k + size] for x in inputs), preset(name), counts) for k in range(0, 8, size)
            ]
            worst = max(worst, abs(sum(p[0] for p in parts).item() - loss.item()))
            worst = max(worst, (torch.cat([p[1] for p in parts]) - gradient).abs().max().item())
    return worst


def under_padding_and_permutation(name: str) -> float:
    worst = 0.0
    for seed in SEEDS:
        new, old, advantages, mask = inputs = batch(seed)
        loss, gradient = loss_and_grad(inputs, preset(name), pmpo.BatchContext(**FACTS))
        rows = torch.randperm(len(mask), generator=torch.Generator().manual_seed(seed))
        junk = torch.full((len(mask), 3), math.nan, dtype=new.dtype)
        wide = [torch.cat([x, junk], 1)[rows] for x in (new, old)]
        moved = (*wide, advantages[rows], torch.cat([mask, torch.zeros(len(mask), 3, dtype=torch.bool)], 1)[rows])
        other, moved_gradient = loss_and_grad(moved, preset(name), pmpo.BatchContext(**FACTS))
        worst = max(worst, abs(other.item() - loss.item()))
        worst = max(worst, (moved_gradient[:, :-3] - gradient[rows]).abs().max().item())
    return worst


def against_trl(ours: dict, cls, config_cls, theirs: dict) -> tuple[float, float]:
    inputs = loss_inputs()
    a = loss_and_grads(trainer(config(**ours)), inputs)
    b = loss_and_grads(trainer(config(config_cls, **theirs), cls), inputs)
    return abs(a[0] - b[0]), (a[1] - b[1]).abs().max().item()


def side_by_side() -> tuple[float, float]:
    shared = {"max_steps": 8, "steps_per_generation": 4, "seed": 3, "learning_rate": 1e-3}
    a = trainer(config(objective="grpo", **shared))
    start = parameters(a).clone()
    a.train()
    b = trainer(config(GRPOConfig, loss_type="grpo", **shared), GRPOTrainer)
    b.train()
    return (parameters(a) - parameters(b)).abs().max().item(), (parameters(a) - start).abs().max().item()


def rows() -> list[tuple[str, ...]]:
    table = []
    for name in ALL:
        numbers = (against_the_oracle(name), under_splitting(name), under_padding_and_permutation(name))
        table.append((name, "float64", *(f"{x:.1e}" for x in numbers)))
    return table


def trl_rows() -> list[tuple[str, str, str]]:
    sequence = {"importance_sampling_level": "sequence", "epsilon": 3e-4, "epsilon_high": 4e-4}
    pairs = {
        "grpo": (GRPOTrainer, GRPOConfig, {"loss_type": "grpo"}),
        "dr_grpo": (GRPOTrainer, GRPOConfig, {"loss_type": "dr_grpo", "scale_rewards": "none"}),
        "dapo": (GRPOTrainer, GRPOConfig, {"loss_type": "dapo", "epsilon_high": 0.28}),
        "gspo": (GRPOTrainer, GRPOConfig, {"loss_type": "grpo", **sequence}),
        "gmpo": (GMPOTrainer, GMPOConfig, {}),
    }
    return [(name, *(f"{x:.1e}" for x in against_trl({"objective": name}, *how))) for name, how in pairs.items()]


def show(header: tuple[str, ...], table: list) -> None:
    for row in (header, ("---",) * len(header), *table):
        print("| " + " | ".join(row) + " |")
    print()


def main() -> None:
    with contextlib.redirect_stdout(io.StringIO()):  # the trainers' own logs
        objective_table, trl_table, (gap, moved) = rows(), trl_rows(), side_by_side()
    print(
        f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}, TRL {trl.__version__}\n"
    )
    show(("objective", "dtype", "loss − oracle", "1, 2, 4, 8 micro-batches", "padding, permutation"), objective_table)
    show(("objective", "loss − TRL's", "gradient − TRL's"), trl_table)
    print(
        f"8 steps of GRPOTrainer and PMPOTrainer(objective='grpo'): parameters differ by {gap:.1e}, moved {moved:.1e}."
    )


if __name__ == "__main__":
    main()
