"""Random padded batches for the tests of the objective."""

import torch

import pmpo

FACTS = {"reward_mean": 0.4, "reward_std": 0.3, "progress": 0.3}
ALL = sorted(pmpo.OBJECTIVES)


def batch(seed=0, rows=8, width=12, spread=0.5, dtype=torch.float64):
    """log_probs, old_log_probs, advantages, mask: rows of different lengths, one A = 0 row, one empty row."""
    g = torch.Generator().manual_seed(seed)
    old = -torch.rand(rows, width, generator=g, dtype=torch.float64) * 3
    new = old + spread * torch.randn(rows, width, generator=g, dtype=torch.float64)
    lengths = torch.randint(1, width + 1, (rows,), generator=g)
    lengths[0], lengths[-1] = width, 0
    mask = torch.arange(width) < lengths[:, None]
    advantages = torch.randn(rows, generator=g, dtype=torch.float64)
    advantages[1] = 0.0
    return new.to(dtype), old.to(dtype), advantages.to(dtype), mask


def preset(name, **changes):
    """A preset without a reference model, with L_max for dr_grpo."""
    limit = {"max_completion_length": 20} if name == "dr_grpo" else {}
    return pmpo.objective(name, kl_coef=0.0, **limit, **changes)


def loss_and_grad(inputs, objective, context, **kwargs):
    new, old, advantages, mask = inputs
    new = new.clone().requires_grad_()
    result = pmpo.policy_loss(new, old, advantages, mask, objective, context, **kwargs)
    result.loss.backward()
    return result.loss.detach(), new.grad


def log_ratio_rows(inputs):
    new, old, _, mask = inputs
    return [(n - o)[m].tolist() for n, o, m in zip(new, old, mask, strict=True)]
