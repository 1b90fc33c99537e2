"""Weights for completions of another sampler, and DPPO's mask: by hand, against the oracle, inside the loss."""

import math

import pytest
import torch

import oracle
import pmpo
from batches import batch, loss_and_grad
from pmpo.objective.correction import ROLLOUT_MODES

F64 = torch.float64


def three_tokens():
    """Ratios 0.25, 1 and 4, whose product is 1; a fourth place that does not count."""
    old = torch.tensor([[0.1, 0.4, 0.8, 0.5]], dtype=F64).log()
    sampled = torch.tensor([[0.4, 0.4, 0.2, math.nan]], dtype=F64).log()
    return old, sampled, torch.tensor([[True, True, True, False]])


@pytest.mark.parametrize(
    ("mode", "low", "high", "expected"),
    [
        ("token_truncate", None, 2.0, [[0.25, 1.0, 2.0, 0.0]]),
        ("token_truncate", 0.5, 2.0, [[0.5, 1.0, 2.0, 0.0]]),
        ("token_mask", 0.5, 5.0, [[0.0, 1.0, 4.0, 0.0]]),
        ("token_mask", None, 2.0, [[0.25, 1.0, 0.0, 0.0]]),
        ("token_mask", None, math.inf, [[0.25, 1.0, 4.0, 0.0]]),
        ("sequence_truncate", None, 0.5, [[0.5]]),
        ("sequence_mask", None, 3.0, [[1.0]]),
        ("sequence_mask", 1.5, 3.0, [[0.0]]),
    ],
)
def test_rollout_weights_by_hand(mode, low, high, expected):
    got = pmpo.rollout_weights(*three_tokens(), mode=mode, ratio_min=low, ratio_max=high)
    assert got.shape == torch.tensor(expected).shape
    assert got.flatten().tolist() == pytest.approx(expected[0], rel=1e-12)


@pytest.mark.parametrize("mode", ROLLOUT_MODES)
@pytest.mark.parametrize("seed", range(3))
def test_rollout_weights_equal_the_oracle(mode, seed):
    old, sampled, _, mask = batch(seed, spread=0.5)
    sampled[2, 0] = math.nan  # vLLM reported nothing
    got = pmpo.rollout_weights(old, sampled, mask, mode=mode, ratio_min=0.5, ratio_max=2.0)
    for i in range(len(mask)):
        expected = oracle.rollout_weight(old[i][mask[i]].tolist(), sampled[i][mask[i]].tolist(), mode, 0.5, 2.0)
        row = got[i, 0].item() if mode.startswith("sequence") else got[i][mask[i]].tolist()
        assert row == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("mode", ROLLOUT_MODES)
def test_weights_are_finite_and_blind_to_masked_places(mode):
    old, sampled, _, mask = batch(1, dtype=torch.float32)
    bounds = {"mode": mode, "ratio_min": 0.1, "ratio_max": math.inf}
    clean = pmpo.rollout_weights(old, sampled, mask, **bounds)
    dirty = torch.where(mask, sampled, math.inf), torch.where(mask, old, math.nan)
    assert torch.equal(clean, pmpo.rollout_weights(dirty[1], dirty[0], mask, **bounds))
    sampled[0] = -1e9
    far = pmpo.rollout_weights(old, sampled, mask, **bounds)
    assert far.isfinite().all() and not far.requires_grad
    assert pmpo.rollout_weights(old.bfloat16(), sampled.bfloat16(), mask, **bounds).dtype == torch.float32


@pytest.mark.parametrize("name", ["grpo", "gmpo", "pmpo", "gspo", "cispo", "sapo"])
def test_every_objective_takes_the_correction(name):
    """A masked sequence leaves the loss; a truncated token has its own weight in M, f and the ESS."""
    inputs = new, old, _, mask = batch(2, spread=0.4)
    sampled = old + 0.3 * torch.randn(old.shape, generator=torch.Generator().manual_seed(3), dtype=F64)
    sampled[0] = old[0] - 2.0
    objective = pmpo.objective(name)
    whole = pmpo.rollout_weights(old, sampled, mask, mode="sequence_mask", ratio_max=3.0)
    assert whole[0] == 0 and (whole[1:-1] != 0).any()
    _, gradient = loss_and_grad(inputs, objective, None, loss_weights=whole)
    assert (gradient[0] == 0).all() and (gradient != 0).any()
    tokens = pmpo.rollout_weights(old, sampled, mask, mode="token_truncate", ratio_max=1.2)
    diagnostics = pmpo.policy_loss(*inputs, objective, loss_weights=tokens).diagnostics
    p = diagnostics.exponent
    region = objective.trust_region
    c = (
        new - old
        if region.level == "sequence"
        else region.apply(new - old, inputs[2], pmpo.BatchContext()).log_ratios_BT
    )
    assert torch.allclose(diagnostics.ess, pmpo.normalized_ess(c, mask, p, weights=tokens), rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_dppo_is_cispos_cap_with_the_mask_by_total_variation(seed):
    inputs = new, old, advantages, mask = batch(seed, spread=0.8)
    keep = pmpo.divergence_mask(new, old, advantages, mask)
    objective = pmpo.objective("cispo", trust_region=pmpo.PassThroughClip(ratio_max=20.0), sequence_weight="sequence")
    _, gradient = loss_and_grad(inputs, objective, None, loss_weights=keep)
    dropped = 0
    for i in range(len(mask)):
        new_row, old_row, a = new[i][mask[i]].tolist(), old[i][mask[i]].tolist(), advantages[i].item()
        if not new_row:
            continue
        expected = [-g / len(mask) for g in oracle.dppo_gradient(new_row, old_row, a, 20.0, 0.2)]
        assert gradient[i][mask[i]].tolist() == pytest.approx(expected, rel=1e-12, abs=1e-15)
        dropped += a != 0 and expected.count(0.0)
    assert dropped > 0


def test_divergence_mask_by_hand():
    """Rising by .3 where A > 0 is too far and where A < 0 is fine; falling the other way round."""
    new = torch.tensor([[0.9, 0.4, 0.3]] * 2, dtype=F64).log()
    old = torch.tensor([[0.6, 0.7, 0.35]] * 2, dtype=F64).log()
    mask = torch.ones(2, 3, dtype=torch.bool)
    got = pmpo.divergence_mask(new, old, torch.tensor([1.0, -1.0]), mask)
    assert got.tolist() == [[0.0, 1.0, 1.0], [1.0, 0.0, 1.0]]
    wide = pmpo.divergence_mask(new, old, torch.tensor([1.0, -1.0]), mask, probability_low=0.1, probability_high=0.5)
    assert wide.tolist() == [[1.0, 1.0, 1.0], [1.0, 0.0, 1.0]]


def test_luspo_is_gspo_with_each_completion_times_its_length():
    inputs = batch(0, spread=0.01)
    _, gradient = loss_and_grad(inputs, pmpo.objective("luspo"), None)
    _, plain = loss_and_grad(inputs, pmpo.objective("gspo", trust_region=pmpo.OBJECTIVES["luspo"].trust_region), None)
    assert torch.allclose(gradient, plain * inputs[3].sum(1, keepdim=True), rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mode": "truncate", "ratio_max": 2.0}, "did you mean 'token_truncate'"),
        ({"mode": "token_mask"}, "needs a bound"),
        ({"mode": "token_mask", "ratio_min": 2.0, "ratio_max": 1.0}, "room between its bounds"),
        ({"mode": "token_mask", "ratio_min": -1.0}, "room between its bounds"),
        ({"mode": "token_mask", "ratio_max": math.nan}, "room between its bounds"),
    ],
)
def test_what_has_no_meaning_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        pmpo.rollout_weights(*three_tokens(), **changes)


def test_shapes_and_probabilities_are_checked():
    old, sampled, mask = three_tokens()
    with pytest.raises(ValueError, match=r"one shape \[B, T\]"):
        pmpo.rollout_weights(old, sampled[:, :2], mask, mode="token_mask", ratio_max=2.0)
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\], got 1.2"):
        pmpo.divergence_mask(old, old, torch.ones(1), mask, probability_high=1.2)
