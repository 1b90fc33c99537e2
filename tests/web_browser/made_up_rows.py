"""Rows of the files of a run folder, as training writes them, for runs that nobody trained.

The numbers follow runs of the built-in demonstration; each symptom is what `pmpo.engine.symptoms` looks for.
"""

import math
import random
from typing import Any

import torch

import pmpo
from hostile import TEXTS
from pmpo.engine.token_sample import MicroBatch, TokenSampler

KINDS = ("healthy", "entropy_collapse", "no_signal", "truncated", "exploding_ratios")
"""What can be wrong with a made-up run."""
EVERY = 8
"""Updates between log events, and updates of a round."""
Row = dict[str, Any]


def rising(share: float, start: float, end: float) -> float:
    """A learning curve's value once a share 0..1 of the updates is made: steep first, level at the end."""
    return start + (end - start) * (1 - math.exp(-3.5 * share)) / (1 - math.exp(-3.5))


def metrics_rows(steps: int, kind: str, final: float, exponent: float | None, noise: random.Random) -> list[Row]:
    """metrics.jsonl: one row every `EVERY` updates, and the summary line at the end.

    Args:
        final: reward at the end of a run without a symptom.
        exponent: the rule's constant p; None for one that is solved per completion.
    """
    rows = [_metrics_row(step, step / steps, kind, final, exponent, noise) for step in range(EVERY, steps + 1, EVERY)]
    return [*rows, {"step": steps, "time": rows[-1]["time"], "train_runtime": 0.2 * steps, "train_loss": -1e-3}]


def _metrics_row(step: int, share: float, kind: str, final: float, exponent: float | None, noise: random.Random) -> Row:
    wobble = noise.gauss(0, 1)
    sick = kind != "healthy" and share > 0.4
    reward = {"no_signal": 0.0}.get(kind, min(1.0, max(0.0, rising(share, 0.17, final) + 0.02 * wobble)))
    if sick and kind == "exploding_ratios":
        reward *= max(0.0, 1.4 - share) / 1.2
    equal = 1.0 if kind == "no_signal" else min(0.95, 0.1 + 0.3 * abs(2 * reward - 1) + 0.02 * abs(wobble))
    cut = 0.001 if kind != "truncated" else min(0.95, 0.1 + share)
    entropy = 0.2 * (1 - 0.4 * share) * (1 + 0.04 * wobble)
    if sick and kind == "entropy_collapse":
        entropy *= math.exp(-12 * (share - 0.4))
    spread = (1.2 + 0.3 * abs(wobble)) * (1 + 20 * max(0.0, share - 0.4) if kind == "exploding_ratios" else 1)
    lengths = {"mean": 20.0 + 4 * cut, "min": 15.0, "max": 24.0 if cut > 0.002 else 21.0}
    return {
        "step": step, "time": 1795294165.0 + 0.2 * step, "loss": -0.002 * (1 + 0.3 * wobble),
        "grad_norm": (0.28 + 0.03 * wobble) * spread / 1.2 * (0.0 if kind == "no_signal" else 1.0),
        "learning_rate": 1.5e-4, "num_tokens": 1853.0 * step,
        **{f"completions/{how}_length": value for how, value in lengths.items()},
        **{f"completions/{how}_terminated_length": min(value, 22.0) for how, value in lengths.items()},
        "completions/clipped_ratio": cut, "rewards/sums_reward/mean": reward, "reward": reward,
        "rewards/sums_reward/std": math.sqrt(reward * (1 - reward)), "reward_std": math.sqrt(reward * (1 - reward)),
        "frac_reward_zero_std": equal, "reward_failures/sums_reward": 0.0, "reward_nonfinite/sums_reward": 0.0,
        "reward_retries/sums_reward": 0.0, "entropy": entropy, "step_time": 0.2, "policy_loss": -0.002,
        "active_completions": 1 - equal, **_ratio_metrics(spread, exponent, noise), "epoch": step / 1024,
    }  # fmt: skip


def _ratio_metrics(spread: float, exponent: float | None, noise: random.Random) -> Row:
    """What the objective says of its completions when the largest log ratio is `spread` nats."""
    clipped = min(0.6, 0.006 * spread**2)
    solved = [1.0 if noise.random() > 10 * clipped else noise.uniform(0.0, 0.9) for _ in range(200)]
    values = solved if exponent is None else [exponent] * 200
    low, high = min(0.0, *values), max(1.0, *values)
    counts = [0] * 20
    for value in values:
        counts[min(19, int((value - low) / (high - low) * 20))] += 1
    return {
        "exponent/mean": sum(values) / 200, "exponent/min": min(values), "exponent/max": max(values),
        "clip_fraction/one_sided": 0.7 * clipped, "clip_fraction/two_sided": clipped,
        "ess/mean": math.exp(-0.002 * spread), "ess/min": math.exp(-0.05 * spread),
        "power_mean/mean": 1.0005, "power_mean/min": math.exp(-0.03 * spread),
        "power_mean/max": math.exp(0.06 * spread),
        "log_ratio/max": spread * 0.8, "log_ratio/min": -spread, "kl_old": 0.002 * spread**2,
        "exponent/histogram": {"edges": [round(low + (high - low) * i / 20, 4) for i in range(21)], "counts": counts},
    }  # fmt: skip


def held_out_rows(curve: list[tuple[int, float]], n_eval: int) -> list[Row]:
    """held_out.jsonl: one row a measurement (step, pass@1)."""
    rows = []
    for step, value in curve:
        error = math.sqrt(max(value * (1 - value), 1e-9) / n_eval)
        right = round(value * n_eval)
        rows.append({
            "step": step, "value": value, "standard_error": error, "n_problems": n_eval, "n_ungraded": 0,
            "statuses": {"correct": right, "wrong": n_eval - right}, "response_tokens": 19.7, "truncated": 0.0,
            "reward": value, "reward_standard_error": error, "highest_reward": 1.0,
        })  # fmt: skip
    return rows


def sample_rows(steps: int, hostile: bool) -> list[Row]:
    """samples.jsonl: completions of the first and of the last measurement."""
    texts = [("84+91+92=", "84+91=174,174+92=266", "267"), ("75+15+34=", "75+15=90,90+34=124", "124")]
    texts += [(f"{name}: {text}", text, text) for name, text in TEXTS.items()] if hostile else []
    return [
        {"step": step, "prompt": prompt, "completion": completion, "answer": answer,
         "status": "correct" if completion.endswith(answer) else "wrong",
         "reward": float(completion.endswith(answer))}
        for step in (0, steps) for prompt, completion, answer in texts
    ]  # fmt: skip


def token_rows(steps: list[int], what: pmpo.Objective, seed: int, hostile: bool) -> list[Row]:
    """tokens.jsonl: at each step a few completions whose log ratios are made up, mostly small and a few far out."""
    texts = ["84+91=174,174+92=267", *(f"First I add {n} and 91, which is {n + 91}. " * 3 for n in (84, 17, 5))]
    texts += [text for text in TEXTS.values() if text] if hostile else []
    known = ["84+91+92=", *sorted({piece for text in texts for piece in _pieces(text)})]
    ids = [[known.index(piece) for piece in _pieces(text)] for text in texts]
    mask_BT = torch.tensor([[t < len(row) for t in range(max(map(len, ids)))] for row in ids])
    ids_BT = torch.tensor([row + [0] * (mask_BT.shape[1] - len(row)) for row in ids])
    rows, prompts_BP = [], torch.zeros(len(ids), 1, dtype=torch.long)
    for step in steps:
        generator = torch.Generator().manual_seed(1000 * seed + step)
        far_BT = torch.rand(mask_BT.shape, generator=generator) < 0.08
        l_BT = torch.randn(mask_BT.shape, generator=generator) * torch.where(far_BT, 0.9, 0.08)
        advantages_B = torch.tensor([1.2 if (i + seed) % 2 else -0.8 for i in range(len(ids))])
        result = pmpo.policy_loss(l_BT, torch.zeros_like(l_BT), advantages_B, mask_BT, what)
        sampler = TokenSampler(len(ids), seed)
        sampler.offer(step, MicroBatch(result, l_BT, prompts_BP, torch.ones_like(prompts_BP), ids_BT, mask_BT))
        completions = sampler.take(what, lambda ids: "".join(known[i] for i in ids))
        rows.append({"step": step, "time": 1795294165.0, "completions": completions})
    return rows


def _pieces(text: str) -> list[str]:
    """The text in tokens of three characters."""
    return [text[i : i + 3] for i in range(0, len(text), 3)]
