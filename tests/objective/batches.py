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


SUMS = torch.tensor([40.0, 60.0, 40.0], dtype=torch.float64)
"""Of an optimiser step with an effective sample size of 2/3, for calls that are a part of one."""


def limit_of(name):
    """L_max for the presets that have none of their own and divide by it."""
    one = pmpo.OBJECTIVES[name]
    return {"max_completion_length": 20} if one.sequence_weight == "constant" and not one.max_completion_length else {}


def preset(name, **changes):
    """A preset without a reference model, with L_max where the weight needs it."""
    limit = limit_of(name)
    return pmpo.objective(name, kl_coef=0.0, **limit, **changes)


def smooth(name, **changes):
    """A preset whose gradient is by intent that of its value: no cap that it passes, no mask, no adaptive penalty."""
    one = preset(name, **changes)
    if isinstance(one.trust_region, pmpo.PassThroughClip | pmpo.EssCap | pmpo.DivergenceClip):
        one = pmpo.objective(one, trust_region="none")
    return one if one.old_kl_coef == 0.0 else pmpo.objective(one, old_kl_coef=0.3)


def loss_and_grad(inputs, objective, context, **kwargs):
    new, old, advantages, mask = inputs
    new = new.clone().requires_grad_()
    result = pmpo.policy_loss(new, old, advantages, mask, objective, context, **kwargs)
    result.loss.backward()
    return result.loss.detach(), new.grad


def log_ratio_rows(inputs):
    new, old, _, mask = inputs
    return [(n - o)[m].tolist() for n, o, m in zip(new, old, mask, strict=True)]
