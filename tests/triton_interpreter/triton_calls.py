"""The Triton kernel beside the reference: in Triton's interpreter, or on a GPU where TRITON_INTERPRET=0 is set."""

import os
from functools import partial

import torch

import pmpo
from pmpo.kernels.plan import Target, plan_of, scalars
from pmpo.kernels.rows import DIAGNOSTICS
from pmpo.kernels.triton_launch import run
from pmpo.objective.batch import per_completion
from pmpo.objective.facts import ExponentFacts

DEVICE = "cuda" if os.environ.get("TRITON_INTERPRET") == "0" else "cpu"
SUMS = torch.tensor([290.0, 340.0, 300.0], dtype=torch.float64)
CONTEXT = pmpo.BatchContext(
    reward_mean=0.4, reward_std=0.3, progress=0.25, num_sequences=12, num_tokens=300, ratio_sums=SUMS
)
NAMES = ("new", "old", "mask", "advantages", "weights", "reference")


def fused(objective, batch, context=CONTEXT):
    """`Rows` of the kernel."""
    return call_of(objective, batch, context)()


def call_of(objective, batch, context=CONTEXT):
    """The kernel's call for {"new", "old", "mask", "advantages" and perhaps "weights", "reference"}."""
    there = {name: batch[name].to(DEVICE) for name in NAMES if batch.get(name) is not None}
    new_BT = there["new"]
    like = new_BT if new_BT.dtype == torch.float64 else new_BT.float()
    plan = plan_of(objective)
    numbers = scalars(objective, context, len(new_BT), there["mask"].sum, like)
    exponent_B = None
    if plan.target == Target.GIVEN:
        facts = ExponentFacts(None, None, None, None, None, None, there["advantages"].to(like), context)
        exponent_B = per_completion(objective.exponent(facts), like, "exponent")
    rest = (there.get("weights"), there.get("reference"))
    return partial(run, plan, numbers, new_BT, there["old"], there["mask"], there["advantages"], exponent_B, *rest)


def reference(objective, batch, context=CONTEXT):
    """Loss, gradient and diagnostics of `policy_loss`."""
    new_BT = batch["new"].clone().requires_grad_()
    result = pmpo.policy_loss(
        new_BT,
        batch["old"],
        batch["advantages"],
        batch["mask"],
        objective,
        context,
        loss_weights=batch.get("weights"),
        ref_log_probs=batch.get("reference"),
    )
    result.loss.backward()
    return result.loss.detach(), new_BT.grad, result.diagnostics


def numbers_of(diagnostics):
    return torch.stack([getattr(diagnostics, name) for name in DIAGNOSTICS])


def assert_close(objective, batch, tolerance, context=CONTEXT):
    """Every number of the kernel is the reference's; NaN where it is NaN."""
    got, (loss, gradient_BT, diagnostics) = fused(objective, batch, context), reference(objective, batch, context)
    close = {"rtol": tolerance, "atol": tolerance, "equal_nan": True}
    torch.testing.assert_close(got.losses_B.sum().cpu(), loss, **close)
    torch.testing.assert_close(got.gradient_BT.cpu(), gradient_BT, **close)
    for name, found, expected in zip(DIAGNOSTICS, got.diagnostics.cpu(), numbers_of(diagnostics), strict=True):
        torch.testing.assert_close(found, expected, **close, msg=lambda text, name=name: f"{name}: {text}")
    assert torch.equal(got.active.cpu(), diagnostics.active) and torch.equal(got.nonfinite.cpu(), diagnostics.nonfinite)
    assert not got.gradient_BT.cpu()[~batch["mask"]].any(), "exactly 0 where nothing counts"
    return got


def rows_of(width, *, rows=4, seed=0, spread=0.3, dtype=torch.float64, weights=False, reference=False):
    """Completions of different lengths with advantages of both signs and NaN in masked places."""
    random = torch.Generator().manual_seed(seed)
    old_BT = -3.0 * torch.rand(rows, width, generator=random, dtype=torch.float64)
    new_BT = old_BT + spread * torch.randn(rows, width, generator=random, dtype=torch.float64)
    lengths_B = torch.randint(max(1, width // 2), width + 1, (rows,), generator=random)
    mask_BT = torch.arange(width) < lengths_B.unsqueeze(1)
    signs_B = torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(rows)[:rows]
    batch = {
        "new": torch.where(mask_BT, new_BT, torch.nan),
        "old": old_BT,
        "advantages": signs_B * (0.5 + torch.rand(rows, generator=random, dtype=torch.float64)),
    }
    if weights:
        batch["weights"] = 2.0 * torch.rand(rows, width, generator=random, dtype=torch.float64)
        batch["weights"][:, ::5] = 0.0
    if reference:
        batch["reference"] = old_BT + 0.1 * torch.randn(rows, width, generator=random, dtype=torch.float64)
    return {name: values.to(dtype) for name, values in batch.items()} | {"mask": mask_BT}
