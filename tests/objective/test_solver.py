"""solve_exponent: accuracy, evaluation budget, limits, against bisection in the oracle."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle
import pmpo
from pmpo.objective import solver

SHARES = (1e-4, 1e-3, 1e-2, 0.1, 0.5, 0.9, 0.999)


def cases(tokens, dtype):
    """Spreads from harmless to 80 nats, one outlier, ties at a clip bound, two clusters."""
    g = torch.Generator().manual_seed(tokens)
    rows = []
    for scale in (0.01, 0.1, 0.4, 1, 3, 10, 40, 80):
        normal = torch.randn(tokens, generator=g) * scale / 3
        outlier = torch.randn(tokens, generator=g) * 0.1
        outlier[0] = scale
        clusters = torch.where(torch.rand(tokens, generator=g) < 0.5, scale, -scale).float()
        rows += [normal, outlier, clusters, (normal * 3).clamp(max=0.4)]
    return torch.stack(rows).clamp(-80, 80).to(dtype)


@pytest.mark.parametrize("tokens", [2, 3, 8, 64, 512])
@pytest.mark.parametrize(("dtype", "budget"), [(torch.float64, 1e-6), (torch.float32, 1e-4)])
def test_meets_the_target_wherever_the_answer_is_inside(tokens, dtype, budget):
    c = cases(tokens, dtype)
    mask = torch.ones_like(c, dtype=torch.bool)
    at_one = pmpo.normalized_ess(c, mask, 1.0)
    for share in SHARES:
        target = at_one + (1 - at_one) * share
        p = pmpo.solve_exponent(c, mask, target)
        assert ((p >= 0) & (p <= 1)).all()
        error = (pmpo.normalized_ess(c, mask, p) - target).abs()[(p > 0) & (p < 1)]
        assert error.max() <= budget


def test_evaluation_budget(monkeypatch):
    calls = []
    evaluate = solver._evaluate
    monkeypatch.setattr(solver, "_evaluate", lambda *args: calls.append(1) or evaluate(*args))
    pmpo.solve_exponent(torch.randn(4, 9), torch.ones(4, 9), 0.7)
    assert 1 <= len(calls) <= 15


def test_agrees_with_bisection():
    c = cases(16, torch.float64)
    mask = torch.ones_like(c, dtype=torch.bool)
    p = pmpo.solve_exponent(c, mask, 0.7)
    expected = [oracle.bisect_exponent(r, 0.7) for r in c.tolist()]
    assert p.tolist() == pytest.approx(expected, abs=1e-6)


def test_limits():
    c = torch.tensor([[0.3, -0.3, 0.9], [0.5, 0.5, 0.5], [0.0, 0.1, 0.0]], dtype=torch.float64)
    mask = torch.ones_like(c, dtype=torch.bool)
    reached = pmpo.normalized_ess(c, mask, 1.0)
    assert pmpo.solve_exponent(c, mask, reached).tolist() == [1.0, 1.0, 1.0]
    assert pmpo.solve_exponent(c, mask, 0.01).tolist() == [1.0, 1.0, 1.0]
    assert pmpo.solve_exponent(c, mask, 1.0).tolist() == [0.0, 1.0, 0.0]


def test_small_spread_follows_the_gaussian_rule():
    """nESS(p) ≈ exp(−p²σ²), so p ≈ √(1 − g)."""
    c = torch.randn(1, 4000, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 0.05
    mask = torch.ones_like(c, dtype=torch.bool)
    e = pmpo.normalized_ess(c, mask, 1.0)
    for g in (0.1, 0.5, 0.9):
        assert pmpo.solve_exponent(c, mask, e + (1 - e) * g).item() == pytest.approx((1 - g) ** 0.5, abs=0.01)


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.floats(-40, 40, width=32), min_size=2, max_size=20),
    low=st.floats(0.02, 0.98),
    more=st.floats(0.0, 0.5),
)
def test_a_higher_target_never_gives_a_larger_exponent(values, low, more):
    c = torch.tensor([values], dtype=torch.float64)
    mask = torch.ones_like(c, dtype=torch.bool)
    assert pmpo.solve_exponent(c, mask, low + more).item() <= pmpo.solve_exponent(c, mask, low).item() + 1e-5


def test_no_gradient_flows_through_p():
    c = torch.randn(2, 5, requires_grad=True)
    assert not pmpo.solve_exponent(c, torch.ones(2, 5), 0.8).requires_grad


def test_masked_tokens_and_rows_do_not_matter():
    c = torch.randn(3, 6, dtype=torch.float64)
    mask = torch.tensor([[1, 1, 1, 1, 0, 0]] * 3, dtype=torch.bool)
    alone = pmpo.solve_exponent(c[:1, :4], mask[:1, :4], 0.9)
    dirty = torch.where(mask, c, float("nan"))
    assert torch.allclose(pmpo.solve_exponent(dirty, mask, 0.9)[:1], alone, atol=1e-9)
