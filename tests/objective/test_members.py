"""P3O, DPPO, MaxRL and HölderPO's two levels: by hand, gradients against the oracle, splitting, refusals.

verl's and the authors' formulas were read, not run: `oracle.py` states them.
"""

import math

import pytest
import torch

import oracle
import pmpo
from batches import FACTS, batch, log_ratio_rows, loss_and_grad, preset

F64 = torch.float64
CONTEXT = pmpo.BatchContext(**FACTS)


def probable(seed, spread=0.8):
    """A batch whose log probabilities are those of probabilities."""
    new, *rest = batch(seed, spread=spread)
    return new.clamp(max=-0.01), *rest


def one_row(new, old, advantage, objective, **facts):
    """Loss and gradient of one completion given as probabilities."""
    inputs = [torch.tensor([x], dtype=F64).log() for x in (new, old)]
    rest = (torch.tensor([advantage], dtype=F64), torch.ones(1, len(new), dtype=torch.bool))
    return loss_and_grad((*inputs, *rest), objective, pmpo.BatchContext(**FACTS, **facts))


def test_p3o_by_hand():
    """r = (1, 3): ESS = 16/(2·10) = .8, so both ratios count .8; KL = (0, 1/3 − 1 + log 3), weighed by .2."""
    loss, gradient = one_row([0.2, 0.6], [0.2, 0.2], 1.0, preset("p3o"))
    kl = 1 / 3 - 1 + math.log(3)
    assert loss.item() == pytest.approx(-0.8 + 0.2 * kl / 2, rel=1e-12)
    assert gradient.flatten().tolist() == pytest.approx([-0.8 / 2, -0.8 / 2 + 0.2 * (1 - 1 / 3) / 2], rel=1e-12)
    without, _ = one_row([0.2, 0.6], [0.2, 0.2], 1.0, preset("p3o", old_kl_coef=0.0))
    half, _ = one_row([0.2, 0.6], [0.2, 0.2], 1.0, preset("p3o", old_kl_coef=0.5))
    assert without.item() == pytest.approx(-0.8, rel=1e-12) and half.item() == pytest.approx(-0.8 + kl / 4, rel=1e-12)


def test_p3o_on_fresh_samples_is_the_policy_gradient():
    new, _, advantages, mask = batch(1)
    _, gradient = loss_and_grad((new, new, advantages, mask), preset("p3o"), None)
    expected = -advantages[:, None] * mask / mask.sum()
    assert torch.allclose(gradient, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("seed", range(3))
def test_p3os_gradient_equals_the_oracle(seed):
    inputs = batch(seed, spread=0.8)
    inputs[0][0, 0] = inputs[1][0, 0] - 12.0  # beyond the exponent of the KL
    _, gradient = loss_and_grad(inputs, preset("p3o"), None)
    expected = oracle.p3o_gradient(log_ratio_rows(inputs), inputs[2].tolist())
    for got, row, mask in zip(gradient, expected, inputs[3], strict=True):
        assert got[mask].tolist() == pytest.approx(row, rel=1e-11, abs=1e-15)


def test_the_sums_of_a_step_follow_the_weights_and_the_centre():
    """A weight of 2 is a token that stands twice; the ratio is taken where the objective centres it."""
    new, old, _, mask = batch(2)
    rho = torch.randint(0, 3, mask.shape, generator=torch.Generator().manual_seed(0)).double()
    ratios = (new - old).exp()
    twice = torch.cat([ratios[mask & (rho == k)].repeat(int(k)) for k in (1, 2)])
    got = pmpo.ratio_sums(new, old, mask, preset("p3o"), loss_weights=rho)
    assert got.dtype == F64 and got.tolist() == pytest.approx(
        [twice.sum().item(), twice.square().sum().item(), len(twice)], rel=1e-12
    )
    sampler = old - 0.3
    there = pmpo.ratio_sums(new, old, mask, preset("p3o"), sampler_log_probs=sampler)
    assert torch.equal(there, pmpo.ratio_sums(new, sampler, mask, preset("p3o")))
    corrected = preset("p3o", old_policy="start", correction="truncate:ratio_max=1.2")
    weighed = pmpo.ratio_sums(new, old, mask, corrected, sampler_log_probs=sampler)
    expected = pmpo.ratio_sums(new, old, mask, corrected, loss_weights=torch.full_like(old, 1.2))
    assert torch.allclose(weighed, expected, rtol=1e-12, atol=0)
    nothing = pmpo.BatchContext(ratio_sums=pmpo.ratio_sums(new, old, mask & False, preset("p3o")))
    assert nothing.ratio_ess == 1.0


def test_a_part_of_a_step_asks_for_the_sums_of_the_whole():
    inputs = batch(3)
    rows = len(inputs[3])
    for counts in ({"num_sequences": rows}, {"num_sequences": rows, "num_tokens": inputs[3].sum()}):
        loss, _ = loss_and_grad(inputs, preset("p3o"), pmpo.BatchContext(**counts))
        assert loss == loss_and_grad(inputs, preset("p3o"), None)[0]
    for counts in ({"num_sequences": 2 * rows}, {"num_tokens": 99}, {"num_sequences": torch.tensor(rows)}):
        with pytest.raises(ValueError, match=r"sum pmpo.ratio_sums\(...\) over the micro-batches and ranks"):
            pmpo.policy_loss(*inputs, preset("p3o"), pmpo.BatchContext(**counts))


@pytest.mark.parametrize(("name", "kind", "bound"), [("dppo", "tv", 0.15), ("dppo_kl", "kl", 0.05)])
@pytest.mark.parametrize("seed", range(3))
def test_dppos_gradient_equals_the_oracle(name, kind, bound, seed):
    inputs = new, old, advantages, mask = probable(seed)
    new[0, 0], old[0, 0] = -0.1, -4.0  # a ratio of 49
    _, gradient = loss_and_grad(inputs, preset(name), None)
    stopped = 0
    for i, m in enumerate(mask):
        a = advantages[i].item()
        factors = oracle.dppo_factors(new[i][m].tolist(), old[i][m].tolist(), a, 20.0, kind, bound)
        expected = [-value * a * passes / (len(mask) * 20) for value, passes in factors]
        assert gradient[i][m].tolist() == pytest.approx(expected, rel=1e-12, abs=1e-15)
        stopped += sum(not passes for _, passes in factors)
    assert 0 < stopped < mask.sum()
    diagnostics = pmpo.policy_loss(*inputs, preset(name)).diagnostics
    assert (diagnostics.clip_fraction <= diagnostics.clip_fraction_two_sided).all() and diagnostics.clip_fraction.any()


def test_dppo_by_hand():
    """.6 to .8 and .001 to .01: the first moved too far for its probability, the second not, though its ratio is 10."""
    objective = preset("dppo", sequence_weight="sequence")
    for advantage, expected in ((1.0, [0.0, -10 / 2]), (-1.0, [0.8 / 0.6 / 2, 10 / 2])):
        loss, gradient = one_row([0.8, 0.01], [0.6, 0.001], advantage, objective)
        assert gradient.flatten().tolist() == pytest.approx(expected, rel=1e-12)
        assert loss.item() == pytest.approx(-advantage * (0.8 / 0.6 + 10) / 2, rel=1e-12)
    kl = 0.6 * math.log(0.6 / 0.8) + 0.4 * math.log(0.4 / 0.2)
    assert 0.1 < kl < 0.11
    for bound, passes in ((0.1, False), (0.11, True)):
        wide = preset("dppo", sequence_weight="sequence", trust_region=f"divergence:divergence=kl,high={bound}")
        assert bool(one_row([0.8, 0.01], [0.6, 0.001], 1.0, wide)[1][0, 0] != 0) == passes


@pytest.mark.parametrize("divergence", ["tv", "kl"])
def test_dppos_region_and_its_mask_of_weights_have_one_gradient_at_p1(divergence):
    inputs = new, old, advantages, mask = probable(5)
    bounds = {"divergence": divergence, "low": 0.05, "high": 0.1}
    _, gradient = loss_and_grad(inputs, preset("grpo", trust_region=pmpo.DivergenceClip(**bounds)), None)
    keep = pmpo.divergence_mask(
        new, old, advantages, mask, divergence=divergence, probability_low=0.05, probability_high=0.1
    )
    capped = preset("grpo", trust_region="pass_through:ratio_max=20")
    _, expected = loss_and_grad(inputs, capped, None, loss_weights=keep)
    assert torch.allclose(gradient, expected, rtol=1e-12, atol=0) and (gradient[mask] == 0).any()


def test_the_kl_mask_is_finite_where_a_token_has_all_the_probability():
    certain = torch.tensor([[0.0, -1e-9, -30.0]])
    for old in (torch.zeros(1, 3), torch.tensor([[-30.0, -0.5, 0.0]])):
        inputs = (certain, old, torch.ones(1), torch.ones(1, 3) > 0)
        loss, gradient = loss_and_grad(inputs, preset("dppo_kl"), None)
        assert loss.isfinite() and gradient.isfinite().all()


def test_the_clip_aware_exponent_reads_what_the_divergence_holds():
    inputs = batch(6, spread=1.0)
    objective = preset("pmpo", trust_region="divergence")
    diagnostics = pmpo.policy_loss(*inputs, objective, CONTEXT).diagnostics
    assert (diagnostics.exponent < 1).any()


def test_maxrls_advantage_by_hand_and_against_the_oracle():
    rewards = [1.0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1]
    got = pmpo.group_advantages(torch.tensor(rewards, dtype=F64), 4, "maxrl").tolist()
    assert got[:4] == pytest.approx([3, -1, -1, -1]) and got[4:8] == pytest.approx([1 / 3, 1 / 3, 1 / 3, -1])
    assert got[8:] == [0.0] * 8
    for k in range(0, len(rewards), 4):
        assert got[k : k + 4] == pytest.approx(oracle.maxrl_advantages(rewards[k : k + 4]), rel=1e-12)
    missing = pmpo.group_advantages(torch.tensor([1.0, 0.0, math.nan, 0.0]), 4, "maxrl")
    assert missing.tolist() == pytest.approx([2.0, -1.0, 0.0, -1.0])
    with pytest.raises(ValueError, match=r"Reward 1 is -0.5: .* takes rewards >= 0"):
        pmpo.group_advantages(torch.tensor([1.0, -0.5]), 2, "maxrl")


def test_two_levels_by_hand():
    """l = (1, −1, .1) held to (.3, −.3, .1), whose mean e^(.1/3) is above a bound of 1.02 and below one of 1.05."""
    l_BT = torch.tensor([[1.0, -1.0, 0.1]] * 2, dtype=F64)
    signs = torch.tensor([1.0, -1.0], dtype=F64)
    mean = math.exp(0.1 / 3)
    for high, rewarded in ((0.02, 1.02), (0.05, mean)):
        region = pmpo.TwoLevelClip(pmpo.TwoSidedClip(0.3, 0.3), pmpo.SequenceRatioClip(0.02, high))
        objective = pmpo.objective("grpo", trust_region=region, exponent=0)
        x = l_BT.clone().requires_grad_()
        result = pmpo.policy_loss(x, torch.zeros_like(x), signs, torch.ones(2, 3), objective)
        assert result.loss.item() == pytest.approx((-rewarded + mean) / 2, rel=1e-12)
        (gradient,) = torch.autograd.grad(result.loss, x)
        free = [0.0, 0.0, mean / 6]
        assert gradient[1].tolist() == pytest.approx(free, rel=1e-12)
        assert gradient[0].tolist() == pytest.approx([-g for g in free] if high == 0.05 else [0.0] * 3, rel=1e-12)
        clipped = 2 / 3 if high == 0.05 else 1.0
        assert result.diagnostics.clip_fraction.tolist() == pytest.approx([clipped, 2 / 3])


def test_the_sequence_clip_of_holderpos_third_variant_never_binds():
    """Every mean lies between the least and the largest ratio, here within [1/1.2, 1.2], inside [0.8, 1.2]."""
    inputs = batch(7, spread=2.0)
    for p in (-2.0, 0.0, 2.0):
        both = preset("holder_two_level", exponent=p)
        tokens = preset("holder_two_level", exponent=p, trust_region=both.trust_region.tokens)
        for got, expected in zip(
            loss_and_grad(inputs, both, CONTEXT), loss_and_grad(inputs, tokens, CONTEXT), strict=True
        ):
            assert torch.allclose(got, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: pmpo.DivergenceClip("js"), "did you mean|'js'"),
        (lambda: pmpo.DivergenceClip(low=1.5), r"`low` is a difference of probabilities .* got 1.5"),
        (lambda: pmpo.DivergenceClip("kl", high=-1.0), r"`high` is a KL divergence in nats .* got -1.0"),
        (lambda: pmpo.DivergenceClip(ratio_cap=0.5), "at least 1, got 0.5. DPPO has 20"),
        (lambda: pmpo.DivergenceClip(dual_clip_ratio=3.0), "already caps the ratio at ratio_cap"),
        (lambda: pmpo.TwoLevelClip(tokens=pmpo.SequenceRatioClip()), "`tokens` must be .* works on the token"),
        (lambda: pmpo.TwoLevelClip(sequence=pmpo.RatioClip()), "`sequence` must be .* works on the sequence"),
        (lambda: pmpo.TwoLevelClip(sequence=None), "got None"),
        (lambda: pmpo.TwoLevelClip(dual_clip_ratio=3.0), "one in each of its regions"),
        (lambda: pmpo.objective("p3o", old_kl_coef=-1.0), "must be a finite number >= 0 or 'lost_ess', got -1.0"),
        (lambda: pmpo.objective("p3o", old_kl_coef="ess"), "lost_ess"),
        (
            lambda: pmpo.objective("pmpo", trust_region={"region": "both_levels", "tokens": "soft_gate"}),
            "clips no token",
        ),
    ],
)
def test_what_has_no_meaning_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
