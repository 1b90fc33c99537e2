"""Loss, gradient and diagnostics of every preset on fixed batches, and what they were when they were written down."""

import hashlib

import torch

import pmpo

SEEDS = range(6)
DTYPES = (torch.float32, torch.float64)
ROWS, WIDTH = 6, 40
SUMS = torch.tensor([290.0, 340.0, 300.0], dtype=torch.float64)


def batch_of(seed: int, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """A batch with clipped tokens, a completion of one token, an empty one, and garbage in masked places."""
    random = torch.Generator().manual_seed(seed)
    old_BT = -torch.rand(ROWS, WIDTH, generator=random, dtype=torch.float64) * 3.0
    new_BT = old_BT + torch.randn(ROWS, WIDTH, generator=random, dtype=torch.float64) * (0.1 + 0.15 * seed)
    reference_BT = old_BT + torch.randn(ROWS, WIDTH, generator=random, dtype=torch.float64) * 0.05
    weights_BT = torch.rand(ROWS, WIDTH, generator=random, dtype=torch.float64) * 2.0
    advantages_B = torch.randn(ROWS, generator=random, dtype=torch.float64)
    lengths_B = torch.tensor([WIDTH, WIDTH // 2, 1, 0, 7, WIDTH - 3])
    mask_BT = torch.arange(WIDTH) < lengths_B.unsqueeze(1)
    new_BT[~mask_BT] = torch.nan
    advantages_B[4] = 0.0
    values = {
        "new": new_BT,
        "old": old_BT,
        "reference": reference_BT,
        "weights": weights_BT,
        "advantages": advantages_B,
    }
    return {name: value.to(dtype) for name, value in values.items()} | {"mask": mask_BT}


def result_of(objective: pmpo.Objective, batch: dict[str, torch.Tensor], weighted: bool) -> dict[str, object]:
    """Loss, gradient and diagnostics of one call."""
    new_BT = batch["new"].clone().requires_grad_()
    context = pmpo.BatchContext(
        reward_mean=0.4, reward_std=0.3, progress=0.25, num_sequences=12, num_tokens=300, ratio_sums=SUMS
    )
    result = pmpo.policy_loss(
        new_BT,
        batch["old"],
        batch["advantages"],
        batch["mask"],
        objective,
        context,
        loss_weights=batch["weights"] if weighted else None,
        ref_log_probs=batch["reference"],
    )
    result.loss.backward()
    shown = {name: vars(result.diagnostics)[name] for name in sorted(vars(result.diagnostics))}
    return {
        "loss": result.loss.item().hex(),
        "gradient_norm": float(new_BT.grad[batch["mask"]].double().norm()).hex(),
        "gradient": _hash(new_BT.grad),
        "diagnostics": {name: _hash(value) for name, value in shown.items() if isinstance(value, torch.Tensor)},
    }


def golden() -> dict[str, dict[str, object]]:
    """{"preset float32 seed weighted": what came of it}"""
    torch.set_num_threads(1)
    found = {}
    for name in sorted(pmpo.OBJECTIVES):
        changes = {} if name == "luspo" else {"max_completion_length": WIDTH}
        objective = pmpo.objective(name, **changes)
        for dtype in DTYPES:
            for seed in SEEDS:
                for weighted in (False, True):
                    key = f"{name} {str(dtype).removeprefix('torch.')} {seed} {'weighted' if weighted else 'plain'}"
                    found[key] = result_of(objective, batch_of(seed, dtype), weighted)
    return found


def _hash(values: torch.Tensor) -> str:
    return hashlib.sha256(values.detach().contiguous().numpy().tobytes()).hexdigest()[:16]
