"""Trust regions, exponent rules and presets, each against hand values."""

import math

import pytest
import torch

import pmpo
from pmpo.objective.exponents import ExponentFacts

EMPTY = pmpo.BatchContext()


@pytest.mark.parametrize(
    ("region", "down", "up"),
    [
        (pmpo.RatioClip(), -math.log(0.8), math.log(1.2)),
        (pmpo.LogRatioClip(), 0.4, 0.4),
        (pmpo.SequenceRatioClip(), -math.log(0.8), math.log(1.2)),
        (pmpo.FeedbackAdaptiveClip(), -math.log(0.8), math.log(1.2 + 0.2 * math.tanh(0.5 / 0.25))),
        (pmpo.NoClip(), math.inf, math.inf),
    ],
)
def test_trust_regions_are_one_sided(region, down, up):
    batch = pmpo.BatchContext(reward_mean=0.5, reward_std=0.25)
    log_ratios = torch.tensor([[-1.0, 0.1, 1.0]] * 3, dtype=torch.float64)
    clipped = region.apply(log_ratios, torch.tensor([1.0, -1.0, 0.0]), batch)
    expected = [[-1.0, 0.1, min(1.0, up)], [max(-1.0, -down), 0.1, 1.0], [-1.0, 0.1, 1.0]]
    for row, want in zip(clipped.log_ratios_BT.tolist(), expected, strict=True):
        assert row == pytest.approx(want, abs=1e-5)
    outside = not isinstance(region, pmpo.NoClip)
    assert clipped.changed_BT.tolist() == [[False, False, outside], [outside, False, False], [False] * 3]
    assert clipped.outside_BT.tolist() == [[outside, False, outside]] * 3


def test_dual_clip_caps_exploding_ratios_where_the_advantage_is_negative():
    region = pmpo.RatioClip(dual_clip_ratio=3.0)
    log_ratios = torch.tensor([[5.0]] * 2, requires_grad=True)
    clipped = region.apply(log_ratios, torch.tensor([-1.0, 1.0]), EMPTY)
    assert clipped.log_ratios_BT.flatten().tolist() == pytest.approx([math.log(3), math.log(1.2)])
    clipped.log_ratios_BT.sum().backward()
    assert (log_ratios.grad == 0).all()


def test_a_token_exactly_on_the_bound_keeps_its_whole_gradient():
    log_ratios = torch.tensor([[0.4]], requires_grad=True)
    pmpo.LogRatioClip().apply(log_ratios, torch.ones(1), EMPTY).log_ratios_BT.sum().backward()
    assert log_ratios.grad.item() == 1.0


def facts(rows, advantages, region=None, **context):
    region = region or pmpo.LogRatioClip()
    log_ratios = torch.tensor(rows, dtype=torch.float64)
    a = torch.tensor(advantages, dtype=torch.float64)
    batch = pmpo.BatchContext(**context)
    clipped = region.apply(log_ratios, a, batch)
    mask = torch.ones_like(log_ratios, dtype=torch.bool)
    return ExponentFacts(
        log_ratios, clipped.log_ratios_BT, mask, mask.double(), clipped.changed_BT, clipped.outside_BT, a, batch
    )


def test_the_two_readings_differ_where_it_matters():
    """A < 0 and one exploding ratio: nothing is clipped, so one-sided leaves p at 1 and two-sided does not."""
    exploding = facts([[3.0] + [0.01] * 9], [-1.0])
    assert exploding.clip_fraction("one_sided").item() == 0.0
    assert exploding.clip_fraction("two_sided").item() == pytest.approx(0.1)
    assert pmpo.ClipAwareESS(reading="one_sided")(exploding).item() == 1.0
    assert pmpo.ClipAwareESS(reading="two_sided")(exploding).item() == pytest.approx(0.0, abs=1e-6)


def test_maps_by_hand():
    f = torch.tensor([0.0, 0.05, 0.1, 1.0])
    assert pmpo.LinearMap()(f).tolist() == pytest.approx([0.0, 0.05, 0.1, 1.0])
    assert pmpo.PowerMap(0.5)(f).tolist() == pytest.approx([0.0, math.sqrt(0.05), math.sqrt(0.1), 1.0])
    assert pmpo.RampMap(0.1)(f).tolist() == pytest.approx([0.0, 0.5, 1.0, 1.0])


def test_target_and_log_ratios_of_the_ess_are_choices():
    some = facts([[0.6, -0.5, 0.1, 0.0, 0.2, -0.1, 0.0, 0.1, 0.05, 0.0]], [1.0])
    clipped, raw = pmpo.ClipAwareESS(over="clipped"), pmpo.ClipAwareESS(over="unclipped")
    absolute = pmpo.ClipAwareESS(target=0.97)
    p = absolute(some)
    assert pmpo.normalized_ess(some.clipped_log_ratios_BT, some.mask_BT, p).item() == pytest.approx(0.97, abs=1e-6)
    linear = pmpo.ClipAwareESS(target=pmpo.LinearMap())
    assert linear(some).item() > 0.85 > clipped(some).item()
    half = pmpo.ClipAwareESS(target=lambda f: 0.5 + 0 * f)
    assert half(some).item() != pytest.approx(
        pmpo.ClipAwareESS(target=lambda f: 0.5 + 0 * f, over="unclipped")(some).item()
    )
    assert raw(some).item() <= 1.0


def test_reward_annealed_and_scheduled_by_hand():
    assert pmpo.RewardAnnealed()(facts([[0.0]], [1.0], reward_mean=0.5)).item() == pytest.approx(math.exp(-0.4))
    for shape, middle in (("linear", 0.0), ("cosine", 0.0), ("step", -2.0)):
        rule = pmpo.ScheduledExponent(shape=shape)
        values = [float(rule(facts([[0.0]], [1.0], progress=x))) for x in (0.0, 0.5, 1.0)]
        assert values == pytest.approx([2.0, middle, -2.0], abs=1e-12)


def test_a_schedule_in_steps_ends_with_them_whatever_the_length_of_the_run():
    rule = pmpo.ScheduledExponent(start=2, end=-2, steps=5)
    values = [float(rule(facts([[0.0]], [1.0], step=k, progress=0.0))) for k in range(8)]
    assert values == [2.0, 1.0, 0.0, -1.0, -2.0, -2.0, -2.0, -2.0]
    shared = pmpo.ScheduledExponent(start=0.7, end=0.1, shape="cosine")
    own = pmpo.ScheduledExponent(start=0.7, end=0.1, shape="cosine", steps=7)
    for k in range(7):
        assert float(own(facts([[0.0]], [1.0], step=torch.tensor(k)))) == float(
            shared(facts([[0.0]], [1.0], progress=k / 6))
        )
    assert rule.needs == ("step",) and shared.needs == ("progress",)
    with pytest.raises(ValueError, match="at least 2, got 1"):
        pmpo.ScheduledExponent(steps=1)
    with pytest.raises(ValueError, match="needs `step`"):
        in_steps, x = pmpo.objective("holderpo", exponent="scheduled:steps=500"), torch.zeros(1, 2)
        pmpo.policy_loss(x, x, torch.ones(1), torch.ones(1, 2), in_steps, pmpo.BatchContext(progress=0.5))


def test_the_signed_exponent_by_hand():
    """c = (log 2, log 1/2): the harmonic mean where A > 0, 2·1/(1/2 + 2) = 0.8; the arithmetic where A < 0, 1.25."""
    l_BT = torch.tensor([[math.log(2.0), -math.log(2.0)]] * 3, requires_grad=True)
    signs_B = torch.tensor([1.0, -1.0, 0.0])
    objective = pmpo.objective("gmpo", trust_region="none", exponent="signed")
    result = pmpo.policy_loss(l_BT, torch.zeros(3, 2), signs_B, torch.ones(3, 2), objective)
    assert result.diagnostics.power_mean[:2].tolist() == pytest.approx([0.8, 1.25])
    assert result.diagnostics.exponent.tolist() == [-1.0, 1.0, 1.0]  # A = 0 takes part in nothing
    assert result.loss.item() == pytest.approx((-0.8 + 1.25) / 3)
    (gradient_BT,) = torch.autograd.grad(result.loss, l_BT)
    shares_BT = gradient_BT[:2] / gradient_BT[:2].sum(dim=1, keepdim=True)
    assert shares_BT.flatten().tolist() == pytest.approx([0.2, 0.8, 0.8, 0.2])


@pytest.mark.parametrize("scale", [0.0, 0.5, 1.0, 3.0])
def test_the_signed_exponent_is_a_lower_bound(scale):
    generator = torch.Generator().manual_seed(0)
    l_BT = torch.randn(40, 9, generator=generator, dtype=torch.float64)
    signs_B = torch.randn(40, generator=generator, dtype=torch.float64)
    p_B = pmpo.SignedExponent(scale)(facts(l_BT.tolist(), signs_B.tolist()))
    mask_BT = torch.ones(40, 9, dtype=torch.bool)
    signed_B, geometric_B = (pmpo.power_mean(l_BT, mask_BT, p) for p in (p_B, 0.0))
    assert (signs_B * signed_B <= signs_B * geometric_B + 1e-12).all()
    with pytest.raises(ValueError, match="`scale` is a distance of p from its center"):
        pmpo.SignedExponent(-0.5)


def test_the_signed_exponent_about_the_arithmetic_mean_by_hand():
    """Ratios (2, 1/2), p = 1 − sign(A): √(2·½) = 1 where A > 0, √((4 + ¼)/2) where A < 0, where a token gets r²."""
    l_BT = torch.tensor([[math.log(2.0), -math.log(2.0)]] * 2, requires_grad=True)
    objective = pmpo.objective("gmpo", trust_region="none", exponent="signed:center=1")
    result = pmpo.policy_loss(l_BT, torch.zeros(2, 2), torch.tensor([1.0, -1.0]), torch.ones(2, 2), objective)
    assert result.diagnostics.exponent.tolist() == [0.0, 2.0]
    assert result.diagnostics.power_mean.tolist() == pytest.approx([1.0, math.sqrt(2.125)])
    (gradient_BT,) = torch.autograd.grad(result.loss, l_BT)
    shares_BT = gradient_BT / gradient_BT.sum(dim=1, keepdim=True)
    assert shares_BT.flatten().tolist() == pytest.approx([0.5, 0.5, 4 / 4.25, 0.25 / 4.25])
    with pytest.raises(ValueError, match="`center` must be a finite number"):
        pmpo.SignedExponent(center=math.inf)


@pytest.mark.parametrize("shape", ["linear", "cosine", "step"])
def test_the_first_update_has_the_start_and_the_last_the_end_to_the_last_bit(shape):
    """0.7 + (0.1 − 0.7)·1 is 0.09999999999999998."""
    rule = pmpo.ScheduledExponent(start=0.7, end=0.1, shape=shape)
    updates = 5
    values = [float(rule(facts([[0.0]], [1.0], progress=k / (updates - 1)))) for k in range(updates)]
    assert values[0] == 0.7 and values[-1] == 0.1
    assert values == sorted(values, reverse=True)
    for beyond in (1.5, torch.tensor(2.0, dtype=torch.float64)):
        assert float(rule(facts([[0.0]], [1.0], progress=beyond))) == 0.1
    if shape == "linear":
        assert values == pytest.approx([0.7, 0.55, 0.4, 0.25, 0.1])
        two = [float(pmpo.ScheduledExponent()(facts([[0.0]], [1.0], progress=x))) for x in (0.0, 1.0)]
        assert two == [2.0, -2.0]


def test_presets_are_those_of_the_table():
    table = {name: (o.advantage, o.sequence_weight) for name, o in pmpo.OBJECTIVES.items()}
    assert table == {
        "grpo": ("grpo", "sequence"),
        "dr_grpo": ("dr_grpo", "constant"),
        "dapo": ("grpo", "token"),
        "gspo": ("grpo", "sequence"),
        "luspo": ("grpo", "constant"),
        "gmpo": ("grpo", "sequence"),
        "pmpo": ("grpo", "sequence"),
        "apmpo": ("grpo", "sequence"),
        "holderpo": ("grpo", "sequence"),
        "holder_token": ("grpo", "sequence"),
        "cispo": ("grpo", "token"),
        "sapo": ("grpo", "sequence"),
        "holder_two_level": ("grpo", "sequence"),
        "maxrl": ("maxrl", "token"),
        "dppo": ("dr_grpo", "constant"),
        "dppo_kl": ("dr_grpo", "constant"),
        "p3o": ("grpo", "token"),
    }
    assert pmpo.objective("pmpo").exponent == pmpo.ClipAwareESS("two_sided", pmpo.RampMap(0.1), "clipped")
    assert pmpo.objective("apmpo").kl_coef == 0.001
    assert pmpo.objective("cispo").trust_region == pmpo.PassThroughClip(5.0)
    assert pmpo.objective("sapo").trust_region == pmpo.SoftGate(1.0, 1.05)
    assert pmpo.objective("dppo").trust_region == pmpo.DivergenceClip("tv", 0.15, 0.15, 20.0)
    assert pmpo.objective("dppo_kl").trust_region == pmpo.DivergenceClip("kl", 0.05, 0.05, 20.0)
    assert pmpo.objective("p3o").trust_region == pmpo.EssCap() and pmpo.objective("p3o").old_kl_coef == "lost_ess"
    centred = {name for name, one in pmpo.OBJECTIVES.items() if one.old_policy == "sampler"}
    assert centred == {"dppo", "dppo_kl", "p3o"} and not any(one.correction for one in pmpo.OBJECTIVES.values())
    with pytest.raises(AttributeError):
        pmpo.objective("grpo").name = "x"


def test_parts_combine_freely():
    mixed = pmpo.objective("dapo", exponent="scheduled", trust_region="log_ratio", advantage="rloo", kl_coef=0.1)
    assert isinstance(mixed.exponent, pmpo.ScheduledExponent) and isinstance(mixed.trust_region, pmpo.LogRatioClip)
    assert mixed.sequence_weight == "token" and mixed.needs == ("progress",)
    assert "p" in mixed.describe() and "rloo" in mixed.describe()
    assert pmpo.objective("grpo", exponent="-0.5").exponent == pmpo.FixedExponent(-0.5)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: pmpo.objective("pmop"), "did you mean 'pmpo'"),
        (lambda: pmpo.objective("grpo", exponnent=1), "did you mean 'exponent'"),
        (lambda: pmpo.objective("grpo", exponent="ess_aware"), "Unknown exponent rule 'ess_aware'"),
        (lambda: pmpo.objective("grpo", exponent=math.nan), "finite number"),
        (lambda: pmpo.objective("grpo", trust_region="log"), "did you mean 'log_ratio'"),
        (lambda: pmpo.objective("grpo", sequence_weight="tokens"), "did you mean 'token'"),
        (lambda: pmpo.objective("grpo", kl_coef=-1), "kl_coef"),
        (lambda: pmpo.objective("grpo", trust_region=0.2), "must be a TrustRegion"),
        (lambda: pmpo.objective("pmpo", trust_region="sequence_ratio"), "reads the share of clipped tokens"),
        (lambda: pmpo.objective("pmpo", trust_region="none"), "reads the share of clipped tokens"),
        (lambda: pmpo.objective("pmpo", trust_region="soft_gate"), "reads the share of clipped tokens"),
        (lambda: pmpo.PassThroughClip(0.2), "at least 1"),
        (lambda: pmpo.PassThroughClip(dual_clip_ratio=3.0), "has no meaning for PassThroughClip"),
        (lambda: pmpo.SoftGate(dual_clip_ratio=3.0), "has no meaning for SoftGate"),
        (lambda: pmpo.TwoSidedClip(dual_clip_ratio=3.0), "has no meaning for TwoSidedClip"),
        (lambda: pmpo.SoftGate(temperature_neg=0.0), "must be positive"),
        (lambda: pmpo.FeedbackAdaptiveClip(std_floor=-1.0), "standard deviation"),
        (lambda: pmpo.RatioClip(ratio_low=1.2), "LogRatioClip"),
        (lambda: pmpo.RatioClip(ratio_high=-0.1), "must not be negative"),
        (lambda: pmpo.LogRatioClip(log_ratio_low=-0.4), "in nats"),
        (lambda: pmpo.LogRatioClip(dual_clip_ratio=0.5), "must exceed 1"),
        (lambda: pmpo.FeedbackAdaptiveClip(ratio_high_max=0.1), "swap them"),
        (lambda: pmpo.ClipAwareESS(reading="both"), "clip-fraction reading"),
        (lambda: pmpo.ClipAwareESS(over="all"), "log ratios for the ESS"),
        (lambda: pmpo.ClipAwareESS(target=1.5), r"\(0, 1\]"),
        (lambda: pmpo.PowerMap(0), "positive"),
        (lambda: pmpo.RampMap(0), r"\(0, 1\]"),
        (lambda: pmpo.ScheduledExponent(shape="log"), "exponent schedule"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_built(build, message):
    with pytest.raises(ValueError, match=message):
        build()
