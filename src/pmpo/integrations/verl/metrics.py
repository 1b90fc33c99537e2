"""The catalogue's metrics through verl's reductions, exactly.

verl reduces what a loss logs three times: over micro-batches, ranks and updates, and by what it is called (a name with
"max" in it by the maximum). So a micro-batch sends the sums, counts and extremes of a `Window` under names made for
that, and the trainer puts the window together again: the same numbers under the same names as in TRL.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from pmpo.engine.window import Window
from pmpo.integrations.verl.advantages import group_table
from pmpo.integrations.verl.host import AggregationType, Metric
from pmpo.objective.advantages import equal_groups
from pmpo.objective.kl import kl_estimate
from pmpo.objective.policy_loss import PolicyLoss

_SENT = "pmpo-window"
_EXTREMES = {"_lowest": ("min", AggregationType.MIN), "_highest": ("max", AggregationType.MAX)}
_SUMS = ("_sums", "_counts")
_HUGE = 1e300
"""In the place of infinity, which a mean over ranks would make NaN of."""
_KL = "kl"


def sent(result: PolicyLoss, mask_BT: Tensor, ref_log_probs: Tensor | None, log_probs: Tensor | None) -> dict[str, Any]:
    """What a micro-batch logs, by names that verl reduces rightly.

    Args:
        ref_log_probs, log_probs: nats, [B, T], for the KL to the reference, where there is one.
    """
    window = Window()
    window.add_result(result, mask_BT, 1.0)
    state = window.state()
    numbers = {f"rows{i}": (state[name], AggregationType.SUM) for i, name in enumerate(("_rows", "_active", "_loss"))}
    for index, name in enumerate(_SUMS):
        numbers |= {f"s{index}.{k}": (each, AggregationType.SUM) for k, each in enumerate(state[name].tolist())}
    for name, (word, how) in _EXTREMES.items():
        values = state[name].clamp(-_HUGE, _HUGE).tolist()
        numbers |= {f"{word}.{k}": (each, how) for k, each in enumerate(values)}
    numbers["broken"] = (float(bool(result.diagnostics.nonfinite.any())), AggregationType.SUM)
    if ref_log_probs is not None and log_probs is not None:
        kl_B = kl_estimate(ref_log_probs - log_probs.detach(), mask_BT)
        tokens_B = mask_BT.sum(dim=1)
        numbers["t0"] = (float((kl_B * tokens_B).sum()), AggregationType.SUM)
        numbers["t1"] = (float(tokens_B.sum()), AggregationType.SUM)
    return {f"{_SENT}/{name}": Metric(value=value, aggregation=how) for name, (value, how) in numbers.items()}


def of_rewards(rewards_B: Tensor, uids: Sequence[Any]) -> dict[str, float]:
    """The catalogue's numbers of a round's rewards: their mean, the mean of the groups' standard deviations, and the
    share of groups whose rewards are equal.

    Args:
        rewards_B: NaN for a completion without a reward.
        uids: the prompt of every completion.
    """
    table_PG, _ = group_table(rewards_B, uids)
    present_P = (~table_PG.isnan()).sum(dim=1)
    deviations_PG = table_PG - table_PG.nanmean(dim=1, keepdim=True)
    std_P = (deviations_PG.square().nansum(dim=1) / (present_P - 1).clamp(min=1)).sqrt()
    scored_P = present_P > 0
    silent_P = equal_groups(table_PG.flatten(), table_PG.shape[1])
    return {
        "reward": rewards_B.nanmean().item(),
        "reward_std": std_P[scored_P].mean().item(),
        "frac_reward_zero_std": silent_P[scored_P].float().mean().item(),
    }


def received(metrics: dict[str, Any], ranks: int) -> dict[str, float]:
    """Takes what `sent` sent out of verl's metrics of a round; gives the catalogue's numbers by the catalogue's names.

    Args:
        metrics: verl's, as its trainer has them: reduced, with "actor/" before the names. Changed in place.
        ranks: by which verl has divided sums.
    """
    prefix = f"actor/{_SENT}/"
    found = {name.removeprefix(prefix): float(metrics.pop(name)) for name in list(metrics) if name.startswith(prefix)}
    if not found:
        return {}
    window = Window()
    rows, active, loss = (found[f"rows{i}"] * ranks for i in range(3))
    columns = len(window.state()["_sums"])
    state: dict[str, Any] = {"_rows": rows, "_active": active, "_loss": loss, "_loss_weight": 1.0}
    for index, name in enumerate(_SUMS):
        state[name] = torch.tensor([found[f"s{index}.{k}"] for k in range(columns)], dtype=torch.float64)
    for name, (word, _) in _EXTREMES.items():
        state[name] = torch.tensor([found[f"{word}.{k}"] for k in range(columns)], dtype=torch.float64)
    window.load(state)
    named = window.metrics()
    named["nonfinite/micro_batches"] = found["broken"] * ranks
    if "t0" in found:
        named[_KL] = found["t0"] / max(found["t1"], 1e-30)
    return named
