"""power_mean, token_weights, normalized_ess against hand values and the float64 oracle."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle
import pmpo

F64 = torch.float64
EXPONENTS = (-5.0, -2.0, -1.0, -1e-8, 0.0, 1e-8, 1e-4, 0.3, 1.0, 2.0, 5.0)


def row(values, dtype=F64):
    return torch.tensor([values], dtype=dtype), torch.ones(1, len(values), dtype=torch.bool)


@pytest.mark.parametrize(
    ("p", "expected"), [(1, 1.5), (0, math.sqrt(2)), (-1, 4 / 3), (2, math.sqrt(2.5)), (-2, math.sqrt(1.6))]
)
def test_golden_values_for_ratios_one_and_two(p, expected):
    c, mask = row([0.0, math.log(2)])
    assert pmpo.power_mean(c, mask, p).item() == pytest.approx(expected, rel=1e-14)


def test_golden_weights_and_ess():
    c, mask = row([0.0, math.log(3)])
    assert torch.allclose(pmpo.token_weights(c, mask, 1.0), torch.tensor([[0.25, 0.75]], dtype=F64))
    assert pmpo.normalized_ess(c, mask, 1.0).item() == pytest.approx(16 / (2 * 10), rel=1e-14)


@pytest.mark.parametrize("p", EXPONENTS)
@pytest.mark.parametrize("spread", [0.01, 0.4, 3.0, 30.0])
def test_agrees_with_the_oracle(p, spread):
    g = torch.Generator().manual_seed(1)
    values = (torch.randn(17, generator=g, dtype=F64) * spread).clamp(-80, 80).tolist()
    c, mask = row(values)
    assert pmpo.power_mean(c, mask, p).item() == pytest.approx(oracle.power_mean(values, p), rel=1e-12)
    assert pmpo.token_weights(c, mask, p)[0].tolist() == pytest.approx(oracle.token_weights(values, p), abs=1e-14)
    assert pmpo.normalized_ess(c, mask, p).item() == pytest.approx(oracle.ess(values, p), rel=1e-12)


@pytest.mark.parametrize("p", EXPONENTS)
@pytest.mark.parametrize("spread", [0.01, 0.4, 3.0, 30.0])
def test_float32_keeps_its_digits(p, spread):
    """Relative error 2e-6·(1 + |log M|): float32 has 6e-8, and exp multiplies it by |log M|."""
    g = torch.Generator().manual_seed(2)
    values = (torch.randn(50, generator=g) * spread).clamp(-80, 80)
    c, mask = values[None], torch.ones(1, 50, dtype=torch.bool)
    expected = oracle.power_mean(values.double().tolist(), p)
    budget = 2e-6 * (1 + abs(math.log(expected)))
    assert pmpo.power_mean(c, mask, p).item() == pytest.approx(expected, rel=budget)


def test_near_zero_the_naive_form_would_fail_here():
    """log(mean(exp(pc)))/p in float32 at p = 1e-4 is off by about 5e-3; ours by less than 1e-6."""
    g = torch.Generator().manual_seed(0)
    c = torch.randn(1, 100, generator=g) * 0.3
    mask = torch.ones(1, 100, dtype=torch.bool)
    expected = oracle.power_mean(c[0].double().tolist(), 1e-4)
    naive = (torch.logsumexp(1e-4 * c[0], 0) - math.log(100)).div(1e-4).exp().item()
    assert abs(pmpo.power_mean(c, mask, 1e-4).item() / expected - 1) < 1e-6
    assert abs(naive / expected - 1) > 1e-4


@pytest.mark.parametrize("p", [-2.0, -1.0, 0.0, 1e-8, 0.3, 1.0, 2.0])
def test_gradcheck(p):
    g = torch.Generator().manual_seed(3)
    c = (torch.randn(3, 6, generator=g, dtype=F64)).requires_grad_()
    mask = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 0, 1, 0, 0], [1, 0, 0, 0, 0, 0]], dtype=torch.bool)
    assert torch.autograd.gradcheck(lambda x: pmpo.power_mean(x, mask, p), c)


@pytest.mark.parametrize("p", [-5.0, 0.0, 1e-8, 5.0])
@pytest.mark.parametrize("extreme", [80.0, -80.0])
def test_float32_is_finite_up_to_80_nats(p, extreme):
    c = torch.tensor([[0.0, extreme, 0.1, -extreme]], requires_grad=True)
    mean = pmpo.power_mean(c, torch.ones(1, 4, dtype=torch.bool), p)
    mean.sum().backward()
    assert mean.isfinite().all() and c.grad.isfinite().all()
    assert mean.item() == pytest.approx(oracle.power_mean([0.0, extreme, 0.1, -extreme], p), rel=1e-4)


def test_bfloat16_is_computed_in_float32():
    c = torch.tensor([[0.1, 0.2, 0.4]], dtype=torch.bfloat16)
    mask = torch.ones(1, 3, dtype=torch.bool)
    mean = pmpo.power_mean(c, mask, 0.5)
    assert mean.dtype == torch.float32
    assert mean.item() == pmpo.power_mean(c.float(), mask, 0.5).item()


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf, 1e30])
def test_masked_places_change_nothing_forward_or_backward(poison):
    clean = torch.tensor([[0.1, -0.2, 0.0], [0.3, 0.0, 0.0]], requires_grad=True)
    mask = torch.tensor([[True, True, False], [True, False, False]])
    dirty = torch.where(mask, clean.detach(), poison).requires_grad_()
    for function in (pmpo.power_mean, pmpo.token_weights, pmpo.normalized_ess):
        for p in (-1.0, 0.0, 1.0):
            assert torch.equal(function(clean, mask, p), function(dirty, mask, p))
    pmpo.power_mean(clean, mask, 0.5).sum().backward()
    pmpo.power_mean(dirty, mask, 0.5).sum().backward()
    assert torch.equal(clean.grad, dirty.grad) and dirty.grad.isfinite().all()


def test_a_completion_without_tokens():
    c, mask = torch.full((1, 3), math.nan), torch.zeros(1, 3, dtype=torch.bool)
    assert pmpo.power_mean(c, mask, 0.5).item() == 1.0
    assert pmpo.normalized_ess(c, mask, 0.5).item() == 1.0
    assert pmpo.token_weights(c, mask, 0.5).tolist() == [[0.0, 0.0, 0.0]]
    assert pmpo.solve_exponent(c, mask, 0.5).item() == 1.0


def test_weights_are_those_of_repeated_tokens():
    """A token of weight 2 is a token that stands twice."""
    once, mask = row([0.3, -0.5])
    twice, mask_twice = row([0.3, -0.5, -0.5])
    weights = torch.tensor([[1.0, 2.0]], dtype=F64)
    for p in (-1.0, 0.0, 1.0):
        expected = pmpo.power_mean(twice, mask_twice, p)
        assert torch.allclose(pmpo.power_mean(once, mask, p, weights=weights), expected, rtol=1e-14)


finite = st.floats(-20, 20, allow_nan=False, width=32)


@settings(max_examples=60, deadline=None)
@given(values=st.lists(finite, min_size=1, max_size=12), p=st.floats(-5, 5), step=st.floats(0.01, 2))
def test_monotone_in_p_bounded_by_extremes_and_shift_equivariant(values, p, step):
    c, mask = row(values)
    low, high = pmpo.power_mean(c, mask, p).item(), pmpo.power_mean(c, mask, p + step).item()
    assert low <= high * (1 + 1e-12)
    assert math.exp(min(values)) * (1 - 1e-12) <= low <= math.exp(max(values)) * (1 + 1e-12)
    assert pmpo.power_mean(c + 1.5, mask, p).item() == pytest.approx(low * math.exp(1.5), rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(values=st.lists(finite, min_size=1, max_size=12), p=st.floats(-5, 5))
def test_weights_sum_to_one_and_ess_is_between_one_over_n_and_one(values, p):
    c, mask = row(values)
    assert pmpo.token_weights(c, mask, p).sum().item() == pytest.approx(1.0, abs=1e-12)
    assert 1 / len(values) - 1e-12 <= pmpo.normalized_ess(c, mask, p).item() <= 1.0
    assert pmpo.normalized_ess(c, mask, 0.0).item() == 1.0


def test_large_exponents_reach_the_extremes():
    c, mask = row([-0.7, 0.2, 1.1])
    assert pmpo.power_mean(c, mask, 500.0).item() == pytest.approx(math.exp(1.1), rel=1e-2)
    assert pmpo.power_mean(c, mask, -500.0).item() == pytest.approx(math.exp(-0.7), rel=1e-2)


def test_shapes_are_checked_with_a_sentence():
    with pytest.raises(ValueError, match=r"one shape \[B, T\]"):
        pmpo.power_mean(torch.zeros(2, 3), torch.ones(2, 4), 1.0)
    with pytest.raises(ValueError, match=r"must be a number or a tensor of shape \[2\]"):
        pmpo.power_mean(torch.zeros(2, 3), torch.ones(2, 3), torch.ones(3))
    with pytest.raises(ValueError, match="floating-point"):
        pmpo.power_mean(torch.zeros(2, 3, dtype=torch.long), torch.ones(2, 3), 1.0)
