"""The CPU's kernel gives the reference's numbers: loss, gradient and every diagnostic."""

import math

import pytest
import torch

import pmpo
from loss_calls import CONTEXT, ROWS, batch_of, called, errors, numbers, of_preset
from pmpo.kernels import cpu
from pmpo.kernels.plan import Region, Target, plan_of, scalars

PENALTIES = ({}, {"kl_coef": 0.1}, {"kl_coef": 0.1, "kl_bias_correction": True}, {"old_kl_coef": 0.3})
RULES = {
    "linear": pmpo.ClipAwareESS(target=pmpo.LinearMap()),
    "power, one-sided": pmpo.ClipAwareESS(reading="one_sided", target=pmpo.PowerMap(0.3)),
    "ramp, unclipped": pmpo.ClipAwareESS(target=pmpo.RampMap(0.4), over="unclipped"),
    "absolute": pmpo.ClipAwareESS(target=0.97),
    "signed": pmpo.SignedExponent(),
    "steep": 30.0,
    "steep, negative": -30.0,
    "nearly geometric": 1e-6,
}
REGIONS = {
    "dual": pmpo.RatioClip(dual_clip_ratio=3.0),
    "two-sided": pmpo.TwoSidedClip(0.2, 0.3),
    "none": pmpo.NoClip(),
    "no lower bound": pmpo.RatioClip(ratio_low=1.0),
    "sequence, dual": pmpo.SequenceRatioClip(dual_clip_ratio=1.5),
    "pass": pmpo.PassThroughClip(1.5),
    "gate": pmpo.SoftGate(2.0, 3.0),
    "tv": pmpo.DivergenceClip("tv", 0.1, 0.05, 2.0),
    "kl": pmpo.DivergenceClip("kl", 0.05, 0.02, 2.0),
}


def with_extremes(batch):
    """Log ratios beyond the saturation, at infinity where nothing counts, and all equal ones."""
    batch = {name: value.clone() for name, value in batch.items()}
    batch["new"][0, :4] = batch["old"][0, :4] + torch.tensor([90.0, -90.0, 79.0, -79.0])
    batch["new"][1, :] = torch.where(batch["mask"][1], batch["old"][1] + 0.5, math.inf)
    batch["weights"][5, ::3] = 0.0
    batch["new"][5, 0] = math.nan  # ρ = 0 there, so that only the KL to a reference would read it
    del batch["reference"]
    return batch


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("penalties", PENALTIES, ids=str)
@pytest.mark.parametrize("name", sorted(pmpo.OBJECTIVES))
def test_presets_in_float64(name, penalties, weighted):
    objective = of_preset(name, **penalties)
    for seed in range(6):
        batch = batch_of(seed, torch.float64)
        found, expected = (numbers(*called(each, objective, batch, weighted)) for each in ("fused", "reference"))
        # The solver stops where nESS is 1e-12 from its target.
        assert max(errors(found, expected).values()) < (1e-10 if name == "pmpo" else 1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", sorted(pmpo.OBJECTIVES))
def test_error_budget_in_float32(name, weighted):
    """Against float64 no worse than the reference in float32, give or take 2e-6."""
    objective = of_preset(name, kl_coef=0.1)
    for seed in range(6):
        exact = numbers(*called("reference", objective, batch_of(seed, torch.float64), weighted))
        batch = batch_of(seed, torch.float32)
        theirs = errors(numbers(*called("reference", objective, batch, weighted)), exact)
        for part, error in errors(numbers(*called("fused", objective, batch, weighted)), exact).items():
            assert error <= theirs[part] + 2e-6, part


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@pytest.mark.parametrize("region", [pmpo.LogRatioClip(0.2, 0.3), pmpo.LogRatioClip(dual_clip_ratio=2.0)], ids=str)
def test_exponents(rule, region):
    objective = pmpo.objective("pmpo", exponent=rule, trust_region=region)
    for seed in range(6):
        for weighted in (False, True):
            batch = batch_of(seed, torch.float64)
            found, expected = (numbers(*called(each, objective, batch, weighted)) for each in ("fused", "reference"))
            found_errors = errors(found, expected)
            assert found_errors.pop("exponent") < 1e-6  # the reference solves for |nESS − τ| <= 1e-7
            assert max(found_errors.values()) < 1e-6 if isinstance(rule, pmpo.ClipAwareESS) else 1e-12


@pytest.mark.parametrize("exponent", [1.0, 0.0, -1.5])
@pytest.mark.parametrize("region", REGIONS.values(), ids=REGIONS)
def test_regions(region, exponent):
    objective = pmpo.objective("grpo", exponent=exponent, trust_region=region)
    for seed in range(6):
        for weighted in (False, True):
            batch = with_extremes(batch_of(seed, torch.float64))
            found, expected = (numbers(*called(each, objective, batch, weighted)) for each in ("fused", "reference"))
            if not weighted:  # the NaN counts: the loss is lost either way, and the completion is named
                assert found["loss"].isnan() and expected["loss"].isnan()
                assert found["nonfinite"].tolist() == expected["nonfinite"].tolist()
                continue
            worst = errors(found, expected)
            assert max(worst.values()) < 1e-12, worst


def test_every_region_and_target_is_gone_through():
    regions = {plan_of(pmpo.objective("grpo", trust_region=region)).region for region in REGIONS.values()}
    targets = {plan_of(pmpo.objective("pmpo", exponent=rule)).target for rule in RULES.values()}
    assert regions == set(Region) and targets == set(Target)


def test_extremes_in_float32():
    for name in sorted(pmpo.OBJECTIVES):
        for weighted in (False, True):
            batch = with_extremes(batch_of(2, torch.float32))
            (found, gradient), (expected, _) = (
                called(each, of_preset(name, kl_coef=0.0), batch, weighted) for each in ("fused", "reference")
            )
            assert found.diagnostics.nonfinite.tolist() == expected.diagnostics.nonfinite.tolist()
            assert found.diagnostics.active.tolist() == expected.diagnostics.active.tolist()
            assert bool(found.loss.isfinite()) == bool(expected.loss.isfinite()) == weighted
            assert not weighted or gradient.isfinite().all()


def test_every_element_is_written_and_nothing_else():
    """torch fills new memory with NaN in this mode."""
    torch.use_deterministic_algorithms(True)
    try:
        for name in sorted(pmpo.OBJECTIVES):
            result, gradient = called("fused", of_preset(name), batch_of(3, torch.float32))
            assert gradient.isfinite().all() and all(
                value.isfinite().all() for value in numbers(result, gradient).values()
            )
            assert not gradient[~batch_of(3, torch.float32)["mask"]].any()
    finally:
        torch.use_deterministic_algorithms(False)


def test_threads_do_not_change_a_bit(monkeypatch):
    monkeypatch.setattr(cpu, "TOKENS_OF_A_THREAD", 1)
    before = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            result, gradient = called("fused", of_preset("pmpo"), batch_of(4, torch.float32), weighted=True)
            found.append((result.loss, gradient, result.diagnostics.exponent))
        assert all(torch.equal(one, two) for one, two in zip(*found, strict=True))
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("name", ["pmpo", "dapo", "dr_grpo", "p3o"])
def test_parts_sum_to_the_whole(name):
    batch = batch_of(1, torch.float64)
    whole, gradient = called("fused", of_preset(name), batch)
    parts = [called("fused", of_preset(name), {n: v[k : k + 2] for n, v in batch.items()}) for k in range(0, ROWS, 2)]
    assert torch.allclose(sum(part.loss for part, _ in parts), whole.loss, rtol=0, atol=1e-14)
    assert torch.allclose(torch.cat([each for _, each in parts]), gradient, rtol=0, atol=1e-16)


@pytest.mark.parametrize("name", ["dapo", "p3o", "dr_grpo"])
def test_counts_of_the_step_default_to_those_of_the_call(name):
    batch, context = batch_of(1, torch.float64), pmpo.BatchContext()
    (found, gradient), (expected, theirs) = (
        called(each, of_preset(name), batch, context=context) for each in ("fused", "reference")
    )
    assert torch.allclose(found.loss, expected.loss, rtol=1e-13) and torch.allclose(gradient, theirs, rtol=1e-12)


def test_facts_of_tokens_are_the_references():
    (found, _), (expected, _) = (
        called(each, of_preset("pmpo"), batch_of(1, torch.float64), True) for each in ("fused", "reference")
    )
    for name, value in vars(expected.facts).items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(vars(found.facts)[name].nan_to_num(), value.nan_to_num()), name


def test_other_layouts_and_types():
    batch = batch_of(1, torch.float32)
    expected, gradient = called("fused", of_preset("pmpo"), batch)
    strided = {name: value.t().contiguous().t() if value.dim() == 2 else value for name, value in batch.items()}
    found, strided_gradient = called("fused", of_preset("pmpo"), {**strided, "mask": strided["mask"].long()})
    assert torch.equal(found.loss, expected.loss) and torch.equal(strided_gradient, gradient)
    half = {name: value.bfloat16() if value.is_floating_point() else value for name, value in batch.items()}
    (found, gradient), (expected, theirs) = (called(each, of_preset("pmpo"), half) for each in ("fused", "reference"))
    assert gradient.dtype == torch.bfloat16 and torch.allclose(found.loss, expected.loss, rtol=1e-5)
    assert torch.allclose(gradient, theirs, rtol=1e-2, atol=1e-6)


@pytest.mark.parametrize(("rows", "width"), [(1, 1), (3, 1), (0, 5), (5, 300)])
def test_shapes(rows, width):
    shape = (rows, width)
    batch = {
        "new": torch.randn(shape, dtype=torch.float64),
        "old": torch.randn(shape, dtype=torch.float64),
        "reference": torch.zeros(shape, dtype=torch.float64),
        "advantages": torch.randn(rows, dtype=torch.float64),
        "mask": torch.ones(shape, dtype=torch.bool),
    }
    for name in ("pmpo", "gspo", "sapo"):
        found, expected = (numbers(*called(each, of_preset(name), batch)) for each in ("fused", "reference"))
        for part, value in expected.items():
            assert torch.allclose(found[part], value, rtol=1e-6, atol=1e-9, equal_nan=True), (name, part)


def test_upstream_gradient_multiplies_and_a_second_derivative_is_refused():
    batch = batch_of(1, torch.float64)
    _, gradient = called("fused", of_preset("gmpo"), batch)
    new_BT = batch["new"].clone().requires_grad_()
    given = (batch["old"], batch["advantages"], batch["mask"], of_preset("gmpo"), CONTEXT)
    loss = pmpo.policy_loss(new_BT, *given, implementation="fused").loss
    (tripled,) = torch.autograd.grad(3.0 * loss, new_BT, retain_graph=True)
    assert torch.allclose(tripled, 3.0 * gradient, rtol=1e-14)
    with pytest.raises(RuntimeError, match=r"no second derivative.*implementation='reference'"):
        torch.autograd.grad(loss, new_BT, create_graph=True)


def test_solver_meets_its_target_on_hard_rows():
    """A few tokens far above many, two steps of nESS, tiny and huge spreads."""
    random = torch.Generator().manual_seed(0)
    rows, width = 400, 64
    scale_B1 = 10.0 ** (torch.rand(rows, 1, generator=random, dtype=torch.float64) * 7 - 5)
    l_BT = scale_B1 * torch.randn(rows, width, generator=random, dtype=torch.float64)
    l_BT[::4, :3] += 30.0
    l_BT[1::4, 0] += 60.0
    l_BT[2::4] = l_BT[2::4].sign() * scale_B1[2::4]
    l_BT = l_BT.clamp(-79.0, 79.0)
    objective = pmpo.objective("pmpo", trust_region="none", exponent=pmpo.ClipAwareESS(target=0.6))
    mask_BT, one_B = torch.ones_like(l_BT, dtype=torch.bool), torch.ones(rows, dtype=torch.float64)
    for dtype, promised in ((torch.float64, 1e-7), (torch.float32, 1e-5)):
        found = pmpo.policy_loss(
            l_BT.to(dtype), torch.zeros_like(l_BT, dtype=dtype), one_B, mask_BT, objective, implementation="fused"
        ).diagnostics
        inside_B = (found.exponent > 0) & (found.exponent < 1)
        reached_B = pmpo.normalized_ess(l_BT.to(dtype).double(), mask_BT, found.exponent.double())
        # p itself has the resolution of its type; nESS falls by 2·range at most per unit of p
        resolution_B = 2.0 * (l_BT.amax(1) - l_BT.amin(1)) * torch.finfo(dtype).eps
        assert inside_B.sum() > 50
        assert ((reached_B - 0.6).abs() <= promised + resolution_B)[inside_B].all()


@pytest.mark.parametrize(
    "penalty", [{"kl_coef": 0.1}, {"kl_coef": 0.1, "kl_bias_correction": True}, {"old_kl_coef": 0.3}]
)
def test_penalties_far_out(penalty):
    """Beyond 80 nats of the reference, and 10 of the old policy, the penalty is a line."""
    objective, batch = of_preset("gmpo", **penalty), batch_of(0, torch.float32)
    batch["reference"][0, :3] = batch["new"][0, :3] + torch.tensor([95.0, -95.0, 20.0])
    batch["old"][5, :3] = batch["new"][5, :3] + torch.tensor([30.0, -30.0, 9.0])
    wide = {name: value.double() if value.is_floating_point() else value for name, value in batch.items()}
    exact = numbers(*called("reference", objective, wide))
    for given, bound in ((wide, 1e-8), (batch, 1e-5)):  # in float64 the reference itself cancels to 1e-9
        found = numbers(*called("fused", objective, given))
        assert all((found[name] / value - 1.0).nan_to_num().abs().max() < bound for name, value in exact.items())


def test_evaluations_are_few_and_none_where_nothing_is_clipped():
    solved, unclipped = [], 0
    for seed in range(6):
        rows, evaluations, residual = _solved(batch_of(seed, torch.float64))
        p_B, f_B = rows.diagnostics[0], rows.diagnostics[2]
        none_B = rows.active & (f_B == 0)
        assert (evaluations[none_B] == 0).all() and (p_B[none_B] == 1).all() and residual.max() < 1e-11
        solved += evaluations[(p_B > 0) & (p_B < 1)].tolist()
        unclipped += int(none_B.sum())
    assert len(solved) >= 5 and unclipped >= 5 and max(solved) <= 8


def _solved(batch):
    """The rows of a call whose target rises slowly with f, with the solver's evaluations and residuals."""
    objective = of_preset("pmpo", exponent=pmpo.ClipAwareESS(target=pmpo.LinearMap()))
    solver = torch.full((ROWS,), -1, dtype=torch.int32), torch.zeros(ROWS, dtype=torch.float64)
    told = plan_of(objective), scalars(objective, CONTEXT, ROWS, batch["mask"].sum, batch["new"])
    tensors = (batch[name] for name in ("new", "old", "mask", "advantages"))
    return cpu.run(*told, *tensors, None, None, None, solver=solver), *solver
