"""Calls of the policy loss for the tests of its kernels."""

import torch

import pmpo
from golden import ROWS, SUMS, WIDTH, batch_of

CONTEXT = pmpo.BatchContext(
    reward_mean=0.4, reward_std=0.3, progress=0.25, num_sequences=12, num_tokens=300, ratio_sums=SUMS
)


def of_preset(name: str, **changes) -> pmpo.Objective:
    """A preset with L_max."""
    return pmpo.objective(name, **({} if name == "luspo" else {"max_completion_length": WIDTH}), **changes)


def called(implementation, objective, batch, weighted=False, context=CONTEXT):
    """The result and the gradient of one call."""
    new_BT = batch["new"].clone().requires_grad_()
    result = pmpo.policy_loss(
        new_BT,
        batch["old"],
        batch["advantages"],
        batch["mask"],
        objective,
        context,
        implementation=implementation,
        loss_weights=batch["weights"] if weighted else None,
        ref_log_probs=batch.get("reference"),
    )
    result.loss.backward()
    return result, new_BT.grad


def numbers(result, gradient) -> dict[str, torch.Tensor]:
    """Everything that a call gives, in float64."""
    found = {name: value for name, value in vars(result.diagnostics).items()}
    return {
        name: value.double() for name, value in {"loss": result.loss.detach(), "gradient": gradient, **found}.items()
    }


def errors(found, expected) -> dict[str, float]:
    """The largest error of each, relative to 1 + size."""
    return {
        name: float(((found[name] - expected[name]).abs() / (1.0 + expected[name].abs())).nan_to_num(nan=9e9).max())
        for name in expected
    }


__all__ = ["CONTEXT", "ROWS", "WIDTH", "batch_of", "called", "errors", "numbers", "of_preset"]
