"""The Triton kernel gives the reference's numbers: every preset, every formula of a plan."""

import dataclasses
import math

import pytest
import torch

pytest.importorskip(
    "triton", reason="Triton is not installed: `pip install triton` (Linux); it runs here without a GPU"
)

import pmpo
from golden import WIDTH, batch_of
from pmpo.objective.exponents import ClipAwareESS
from pmpo.objective.target_maps import LinearMap, PowerMap, RampMap
from triton_calls import CONTEXT, assert_close, fused, numbers_of, reference, rows_of

EXACT = 1e-11


def preset(name, **changes):
    return pmpo.objective(name, **({} if name == "luspo" else {"max_completion_length": WIDTH}), **changes)


def only(batch, *names):
    return {name: values for name, values in batch.items() if name not in names}


@pytest.mark.parametrize("name", sorted(pmpo.OBJECTIVES))
def test_every_preset_in_float64(name):
    """A batch with an empty completion, one of one token, one with A = 0, and NaN in masked places."""
    assert_close(preset(name, kl_coef=0.1), batch_of(2, torch.float64), EXACT)


@pytest.mark.parametrize("name", sorted(pmpo.OBJECTIVES))
def test_every_preset_in_float32_without_weights(name):
    assert_close(preset(name, kl_coef=0.0), only(batch_of(3, torch.float32), "weights", "reference"), 2e-6)


# ---- formulas -------------------------------------------------------------------------------------------------------

REGIONS = {
    "ratio": pmpo.RatioClip(),
    "ratio, dual": pmpo.RatioClip(dual_clip_ratio=1.5),
    "log ratio": pmpo.LogRatioClip(0.2, 0.3),
    "two-sided": pmpo.TwoSidedClip(0.2, 0.1),
    "none": pmpo.NoClip(),
    "none, dual": pmpo.NoClip(dual_clip_ratio=1.4),
    "cap": pmpo.PassThroughClip(1.2),
    "ess cap": pmpo.EssCap(),
    "soft gate": pmpo.SoftGate(2.0, 0.7),
    "tv": pmpo.DivergenceClip("tv", 0.05, 0.04, 1.6),
    "kl": pmpo.DivergenceClip("kl", 0.01, 0.02, 1.6),
    "sequence": pmpo.SequenceRatioClip(0.01, 0.01),
    "sequence, dual": pmpo.SequenceRatioClip(0.01, 0.01, dual_clip_ratio=1.02),
    "two levels": pmpo.TwoLevelClip(pmpo.TwoSidedClip(0.2, 0.2), pmpo.SequenceRatioClip(0.02, 0.02)),
}


@pytest.mark.parametrize("region", REGIONS)
def test_every_region(region):
    """At an exponent that shares the gradient unequally, with weights of which some are 0."""
    objective = pmpo.objective("grpo", trust_region=REGIONS[region], exponent=0.5)
    assert_close(objective, rows_of(19, weights=True), EXACT)


def test_bounds_that_are_tensors():
    context = dataclasses.replace(CONTEXT, reward_mean=torch.tensor(0.7), reward_std=torch.tensor(0.2))
    assert_close(preset("apmpo", kl_coef=0.0), rows_of(19, rows=2), 1e-7, context)


@pytest.mark.parametrize("over", ["clipped", "unclipped"])
@pytest.mark.parametrize("reading", ["one_sided", "two_sided"])
@pytest.mark.parametrize("target", [LinearMap(), PowerMap(0.3), RampMap(0.4), 0.9], ids=lambda target: str(target))
def test_every_target_reading_and_measure_of_the_solved_exponent(target, reading, over):
    objective = pmpo.objective("pmpo", exponent=ClipAwareESS(reading, target, over))
    got = assert_close(objective, rows_of(33, spread=0.5, weights=over == "clipped"), 1e-9)
    assert ((got.diagnostics[0] > 0.01) & (got.diagnostics[0] < 0.99)).any(), "somewhere p is solved"


@pytest.mark.parametrize("corrected", [False, True])
def test_penalties(corrected):
    objective = pmpo.objective("gmpo", kl_coef=0.3, kl_bias_correction=corrected, old_kl_coef=0.2)
    assert_close(objective, rows_of(19, rows=3, weights=True, reference=True), EXACT)


@pytest.mark.parametrize("exponent", [-2.0, 0.0, 1e-6, 2.0, 62.0, 100.0])
def test_given_exponents(exponent):
    assert_close(pmpo.objective("gmpo", exponent=exponent), rows_of(19, rows=2), EXACT)


# ---- shapes and error -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [1, 2, 33, 128, 1000, 4096, 20000])
def test_every_length(width):
    """20,000 tokens are read a second time for the gradient."""
    assert_close(pmpo.objective("pmpo"), rows_of(width, rows=2, spread=0.2, weights=width < 40), 1e-9)


def error(got, exact):
    """Largest difference over largest value."""
    return float((got.double() - exact).abs().max() / exact.abs().max().clamp(min=1e-300))


@pytest.mark.parametrize("width", [33, 1000, 4096])
@pytest.mark.parametrize("name", ["grpo", "pmpo", "holderpo"])
@pytest.mark.parametrize("spread", [0.01, 0.5, 5.0])
def test_error_of_float32_is_no_larger_than_the_references_own(name, width, spread):
    """The budget beside it: 4 machine epsilons of the largest value, for loss, gradient, M, nESS and p."""
    narrow = rows_of(width, rows=3, spread=spread, dtype=torch.float32, seed=width)
    wide = {key: values.double() if values.is_floating_point() else values for key, values in narrow.items()}
    objective = preset(name, trust_region="log_ratio:log_ratio_low=0.01,log_ratio_high=0.015" if name == "pmpo" else
                       pmpo.OBJECTIVES[name].trust_region)  # fmt: skip
    budget = 4 * torch.finfo(torch.float32).eps
    got, theirs, exact = fused(objective, narrow), reference(objective, narrow), reference(objective, wide)
    pairs = {
        "loss": (got.losses_B.sum(), theirs[0], exact[0]),
        "gradient": (got.gradient_BT, *(one[1] for one in (theirs, exact))),
    }
    for place, field in ((0, "exponent"), (3, "ess"), (4, "power_mean"), (8, "kl")):
        pairs[field] = (got.diagnostics[place], *(numbers_of(one[2])[place] for one in (theirs, exact)))
    for field, (ours, others, truth) in pairs.items():
        assert error(ours.cpu(), truth) <= error(others, truth) + budget, field


def test_exponents_keep_their_digits_where_log_ratios_hardly_differ():
    """1 − nESS is small there; the reference compares nESS itself, and its p is off by 6,000 epsilons on this batch."""
    narrow = rows_of(33, rows=3, spread=0.01, dtype=torch.float32, seed=33)
    wide = {key: values.double() if values.is_floating_point() else values for key, values in narrow.items()}
    objective = pmpo.objective("pmpo", trust_region="log_ratio:log_ratio_low=0.01,log_ratio_high=0.015")
    exact_B = reference(objective, wide)[2].exponent
    assert ((exact_B > 0.0) & (exact_B < 1.0)).any()
    assert error(fused(objective, narrow).diagnostics[0].cpu(), exact_B) < 50 * torch.finfo(torch.float32).eps


# ---- the solver -----------------------------------------------------------------------------------------------------


def test_solved_exponents_meet_their_target_on_rows_that_newton_creeps_on():
    """A few tokens far above a thousand others: nESS falls in two steps."""
    width = 1200
    log_ratio_BT = 0.01 * torch.randn(6, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    log_ratio_BT[0, :3], log_ratio_BT[1, 0], log_ratio_BT[2, :600] = 79.0, 30.0, -70.0
    log_ratio_BT[3, :2], log_ratio_BT[4, ::2] = torch.tensor([10.0, 60.0], dtype=torch.float64), 5.0
    batch = {
        "new": log_ratio_BT,
        "old": torch.zeros_like(log_ratio_BT),
        "mask": torch.ones_like(log_ratio_BT, dtype=torch.bool),
        "advantages": torch.ones(6, dtype=torch.float64),
    }
    for dtype, promised in ((torch.float64, 1e-6), (torch.float32, 1e-4)):
        for target in (0.3, 0.97):
            objective = pmpo.objective("pmpo", trust_region="none", exponent=ClipAwareESS(target=target))
            given = {name: each.to(dtype) if each.is_floating_point() else each for name, each in batch.items()}
            p_B = fused(objective, given).diagnostics[0].double().cpu()
            ess_B = pmpo.normalized_ess(log_ratio_BT, batch["mask"], p_B)
            at_one_B = pmpo.normalized_ess(log_ratio_BT, batch["mask"], 1.0)
            assert torch.equal(p_B == 1.0, at_one_B >= target)
            assert (ess_B - target).abs()[at_one_B < target].max() <= promised


def test_an_unclipped_completion_has_exactly_exponent_1():
    batch = rows_of(50, rows=2, spread=0.05, dtype=torch.float32)
    assert fused(pmpo.objective("pmpo"), batch).diagnostics[0].tolist() == [1.0, 1.0]


def test_a_completion_that_is_all_clipped_has_exponent_0():
    objective = pmpo.objective("pmpo", trust_region=pmpo.TwoSidedClip(0.1, math.log(1.1)))
    batch = rows_of(50, rows=2, spread=9.0)
    assert fused(objective, batch).diagnostics[0].tolist() == [0.0, 0.0]
