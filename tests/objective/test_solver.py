"""solve_exponent: accuracy, evaluation budget, limits, against bisections in the oracle and here."""

import numpy as np
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
    calls = {"with slope": 0, "alone": 0}

    def counted(kind, function):
        def count(*args):
            calls[kind] += 1
            return function(*args)

        return count

    monkeypatch.setattr(solver, "_evaluate", counted("with slope", solver._evaluate))
    monkeypatch.setattr(solver, "ess", counted("alone", solver.ess))
    pmpo.solve_exponent(torch.randn(4, 9), torch.ones(4, 9), 0.7)
    assert calls == {"with slope": 15, "alone": 22}


# ---- adversarial rows against a bisection of its own ----------------------------------------------------------------


def reference_ess(c, p):
    """nESS of every row of an array, in float64 and in numpy."""
    e = np.exp(p[:, None] * (c - c.max(1, keepdims=True)))
    return e.sum(1) ** 2 / (c.shape[1] * (e * e).sum(1))


def reference_root(c, target):
    low, high = np.zeros(len(c)), np.ones(len(c))
    for _ in range(45):
        middle = (low + high) / 2
        enough = reference_ess(c, middle) >= target
        low, high = np.where(enough, middle, low), np.where(enough, high, middle)
    return np.where(reference_ess(c, np.ones(len(c))) >= target, 1.0, low)


def adversarial(rows, tokens, seed):
    """Up to four levels anywhere within ±80 nats, of masses from 1 to 1e-4, with or without ties, often one outlier;
    targets anywhere between nESS(1) and 1, or very near one of them."""
    g = np.random.default_rng(seed)
    scale = 10 ** g.uniform(-2, np.log10(80), (rows, 1))
    levels = g.uniform(-1, 1, (rows, 4)) * scale
    levels[:, :2] = np.where(g.random((rows, 2)) < 0.3, np.sign(g.random((rows, 2)) - 0.5) * 80, levels[:, :2])
    mass = 10 ** -g.uniform(0, 4, (rows, 4))
    edges = np.cumsum(mass / mass.sum(1, keepdims=True), 1)[:, None, :3]
    chosen = (g.random((rows, tokens, 1)) > edges).sum(2)
    c = np.take_along_axis(levels, chosen, 1)
    noise = np.where(g.random((rows, 1)) < 0.4, 0.0, 10 ** g.uniform(-4, 0, (rows, 1)))
    c = c + noise * g.standard_normal((rows, tokens))
    outlier = g.random(rows) < 0.4
    c[outlier, 0] = g.uniform(-80, 80, outlier.sum())
    c = np.clip(c, -80, 80)
    share = g.random(rows)
    share = np.where(g.random(rows) < 0.2, 1e-5 * share, share)
    share = np.where(g.random(rows) < 0.2, 1 - 1e-5 * share, share)
    return c, share


@pytest.mark.parametrize(("dtype", "budget"), [(torch.float64, 1e-6), (torch.float32, 1e-4)])
def test_a_hundred_thousand_adversarial_rows(dtype, budget):
    sizes = {1: 5000, 2: 30000, 3: 25000, 5: 20000, 17: 10250, 100: 8000, 1000: 1500, 4000: 250}
    assert sum(sizes.values()) == 100_000
    inside = 0
    for tokens, rows in sizes.items():
        values, share = adversarial(rows, tokens, tokens)
        c = torch.from_numpy(values).to(dtype)
        values = c.double().numpy()  # the rounded numbers are the problem, also for the reference
        at_one = reference_ess(values, np.ones(rows))
        target = torch.from_numpy(at_one + (1 - at_one) * share).to(dtype)
        tau = target.double().numpy()
        p = pmpo.solve_exponent(c, torch.ones_like(c, dtype=torch.bool), target).double().numpy()
        root, reached = reference_root(values, tau), reference_ess(values, p)
        assert ((p >= 0) & (p <= 1)).all()
        within = (p > 0) & (p < 1)
        assert np.abs(reached - tau)[within].max(initial=0.0) <= budget, tokens
        assert np.abs(reached - reference_ess(values, root)).max() <= 2 * budget, tokens
        steep = np.abs(reference_ess(values, root + 1e-3) - reference_ess(values, root - 1e-3)) > 2e-3
        assert np.abs(p - root)[steep].max(initial=0.0) <= 4 * budget, tokens
        inside += within.sum()
    assert inside > 50_000


@pytest.mark.parametrize(
    ("middle", "many", "far", "target"),
    [
        (-6.775890576336124, 805, 31.46147254532896, 0.26443574332327197),
        (-35.31343631052565, 888, 6.918786365298416, 0.2901370063784611),
        (-61.16423551543422, 28, 5.442694697722899, 0.2582193437949855),
    ],
)
def test_one_token_far_above_a_thousand(middle, many, far, target):
    """nESS falls in two steps, with a flat stretch between them at which Newton's method creeps."""
    c = torch.full((1, 1001), -80.0, dtype=torch.float64)
    c[0, :many], c[0, -1] = middle, far
    mask = torch.ones_like(c, dtype=torch.bool)
    p = pmpo.solve_exponent(c, mask, target)
    assert oracle.ess(c[0].tolist(), p.item()) == pytest.approx(target, abs=1e-6)
    assert p.item() == pytest.approx(oracle.bisect_exponent(c[0].tolist(), target), abs=1e-7)


def test_log_ratios_of_any_size_give_the_p_of_bisection():
    """Beyond ±80 nats no ESS is promised, since it may fall faster than p is resolved; p still is."""
    c = torch.tensor([[1e5, 0.0, 0.0, -1e5], [3e3, 2e3, -7.0, 1e4]], dtype=torch.float64)
    p = pmpo.solve_exponent(c, torch.ones_like(c, dtype=torch.bool), 0.6)
    expected = [oracle.bisect_exponent(row, 0.6) for row in c.tolist()]
    assert p.tolist() == pytest.approx(expected, abs=2e-9)


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
