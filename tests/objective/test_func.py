"""torch.func's transforms on power_mean and policy_loss, in float64, against autograd and finite differences."""

import pytest
import torch
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

import pmpo
from batches import ALL, FACTS, SUMS, batch, preset, smooth

CONTEXT = pmpo.BatchContext(**FACTS)
EXPONENTS = (-1.5, 0.0, 1e-8, 0.5, 1.0, 2.0)


def case(name, make=preset, exponent=None, seed=5):
    """new, and the loss as a function of it, with everything that a loss may have: ρ, a reference, its correction."""
    new, old, advantages, mask = batch(seed, rows=4, width=5, spread=0.6)
    rho = torch.rand(mask.shape, generator=torch.Generator().manual_seed(0), dtype=new.dtype)
    changes = {} if exponent is None else {"exponent": exponent}
    objective = pmpo.objective(make(name, **changes), kl_coef=0.2, kl_bias_correction=True)

    def loss(x):
        return pmpo.policy_loss(
            x, old, advantages, mask, objective, CONTEXT, loss_weights=rho, ref_log_probs=old - 0.1
        ).loss

    return new, loss


def backward(function, x):
    """The gradient as training takes it."""
    x = x.clone().requires_grad_()
    return torch.autograd.grad(function(x), x)[0]


def differences(function, x, step=1e-6):
    """Central differences in every entry: [*x.shape, *output.shape]."""
    columns = []
    for k in range(x.numel()):
        move = torch.zeros(x.numel(), dtype=x.dtype)
        move[k] = step
        columns.append((function(x + move.view_as(x)) - function(x - move.view_as(x))) / (2 * step))
    return torch.stack(columns).view(*x.shape, *columns[0].shape)


def close(a, b, tolerance=1e-12):
    return torch.allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("p", EXPONENTS)
def test_power_mean_under_every_transform(p):
    x, _, _, mask = batch(3, rows=3, width=4, spread=0.6)

    def means(y):
        return pmpo.power_mean(y, mask, p)

    def total(y):
        return means(y).sum()

    gradient = backward(total, x)
    assert close(gradient, differences(total, x), 1e-8)
    assert torch.equal(grad(total)(x), gradient)
    jacobian = jacrev(means)(x)
    assert close(jacobian.sum(0), gradient) and close(jacfwd(means)(x), jacobian)
    seed = torch.tensor([1.0, -2.0, 0.5], dtype=x.dtype)
    assert close(vjp(means, x)[1](seed)[0], torch.einsum("b,bij->ij", seed, jacobian))
    direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(0), dtype=x.dtype)
    value, slope = jvp(total, (x,), (direction,))
    assert value == total(x) and close(slope, (gradient * direction).sum())
    stacked = torch.stack([x, x + 0.3, x - 1.0])
    assert close(vmap(means)(stacked), torch.stack([means(y) for y in stacked]))
    assert close(vmap(grad(total))(stacked), torch.stack([backward(total, y) for y in stacked]))
    many = torch.tensor([p, 0.25, -1.0], dtype=x.dtype)
    expected = torch.stack([pmpo.power_mean(x, mask, q) for q in many.tolist()])
    assert close(vmap(lambda q: pmpo.power_mean(x, mask, q))(many), expected)


@pytest.mark.parametrize("p", EXPONENTS)
def test_second_derivatives_of_power_mean(p):
    x, _, _, mask = batch(3, rows=2, width=4, spread=0.6)
    mask[1] = True
    rho = torch.rand(x.shape, generator=torch.Generator().manual_seed(0), dtype=x.dtype)

    def total(y):
        return pmpo.power_mean(y, mask, p, weights=rho).sum()

    expected = differences(lambda y: backward(total, y), x)
    assert close(hessian(total)(x), expected, 1e-7)
    assert close(torch.autograd.functional.hessian(total, x), expected, 1e-7)
    assert torch.autograd.gradgradcheck(total, x.clone().requires_grad_())


@pytest.mark.parametrize("name", ALL)
def test_policy_loss_under_every_transform(name):
    x, loss = case(name)
    gradient = backward(loss, x)
    assert gradient.abs().max() > 0
    assert torch.equal(grad(loss)(x), gradient)
    assert close(jacrev(loss)(x), gradient) and close(jacfwd(loss)(x), gradient)
    value, pull = vjp(loss, x)
    assert value == loss(x) and torch.equal(pull(torch.ones_like(value))[0], gradient)
    direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(0), dtype=x.dtype)
    assert close(jvp(loss, (x,), (direction,))[1], (gradient * direction).sum())
    stacked = torch.stack([x, x + 0.01, x - 0.02])
    assert close(vmap(loss)(stacked), torch.stack([loss(y) for y in stacked]))
    assert close(vmap(grad(loss))(stacked), torch.stack([backward(loss, y) for y in stacked]))


@pytest.mark.parametrize("name", ALL)
def test_policy_loss_equals_finite_differences(name):
    """At a fixed p, since p is a constant for the gradient, and without caps that let it pass."""
    x, loss = case(name, smooth, exponent=0.5)
    assert close(grad(loss)(x), differences(loss, x), 1e-8)
    expected = differences(lambda y: backward(loss, y), x)
    assert close(hessian(loss)(x), expected, 1e-6)


@pytest.mark.parametrize("transform", [jacfwd, jacrev, hessian])
def test_an_adaptive_exponent_is_a_constant_for_every_transform(transform):
    inputs = batch(6, rows=4, width=5, spread=0.6)
    adaptive = pmpo.objective("pmpo", exponent=pmpo.ClipAwareESS(target=0.995))
    p = pmpo.policy_loss(*inputs, adaptive).diagnostics.exponent
    assert ((p > 0) & (p < 1)).any()
    fixed = pmpo.objective("pmpo", exponent=lambda facts: p)
    got, expected = (
        transform(lambda x, one=one: pmpo.policy_loss(x, *inputs[1:], one).loss)(inputs[0]) for one in (adaptive, fixed)
    )
    assert close(got, expected) and (expected != 0).any()


@pytest.mark.parametrize("name", ALL)
def test_vmap_over_completions_with_facts_and_counts_of_the_batch(name):
    """Per-completion gradients: every argument is mapped, and the shares sum to the loss of the whole batch."""
    new, old, advantages, mask = inputs = batch(1)
    context = pmpo.BatchContext(**FACTS, num_sequences=len(mask), num_tokens=mask.sum(), ratio_sums=SUMS)
    objective = preset(name)

    def one(x, y, a, m, mean):
        facts = pmpo.BatchContext(mean, torch.tensor(FACTS["reward_std"], dtype=x.dtype), FACTS["progress"],
                                  context.num_sequences, context.num_tokens, SUMS)  # fmt: skip
        return pmpo.policy_loss(x[None], y[None], a[None], m[None], objective, facts).loss

    means = torch.full((len(mask),), FACTS["reward_mean"], dtype=new.dtype)
    losses = vmap(one)(new, old, advantages, mask, means)
    gradients = vmap(grad(one))(new, old, advantages, mask, means)
    x = new.clone().requires_grad_()
    whole = pmpo.policy_loss(x, *inputs[1:], objective, context).loss
    whole.backward()
    assert close(losses.sum(), whole.detach()) and close(gradients, x.grad)


def test_diagnostics_and_exponents_under_vmap():
    inputs = batch(2, spread=1.0)
    stacked = torch.stack([inputs[0], inputs[0] + 0.2])

    def facts(x):
        return pmpo.policy_loss(x, *inputs[1:], pmpo.objective("pmpo")).diagnostics.__dict__

    got = vmap(facts)(stacked)
    for k, x in enumerate(stacked):
        for name, value in facts(x).items():
            assert torch.allclose(got[name][k].double(), value.double(), atol=1e-12), name
    mask = inputs[3]
    solved = vmap(lambda x: pmpo.solve_exponent(x, mask, 0.9))(stacked)
    assert close(solved, torch.stack([pmpo.solve_exponent(x, mask, 0.9) for x in stacked]), 1e-9)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sixteen_bit_inputs_keep_their_clamped_gradient_under_transforms(dtype):
    """A reference 50 nats away: the float16 gradient is its largest number, by autograd and by torch.func."""
    new, mask = torch.zeros(1, 2, dtype=dtype), torch.ones(1, 2, dtype=torch.bool)
    ref = torch.tensor([[50.0, 0.0]], dtype=dtype)
    objective = pmpo.objective("grpo", kl_coef=0.1)

    def loss(x):
        return pmpo.policy_loss(x, new, torch.ones(1, dtype=dtype), mask, objective, ref_log_probs=ref).loss

    gradient = backward(loss, new)
    assert gradient.dtype == dtype and gradient.isfinite().all() and gradient[0, 0] <= -65504.0
    assert torch.equal(grad(loss)(new), gradient)
    assert torch.equal(vmap(grad(loss))(new[None])[0], gradient)
