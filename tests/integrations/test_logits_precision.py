"""The head of `logits_precision`: its log-probabilities and gradients against float64, its tiles, its refusals."""

import os

import pytest
import torch
from transformers.utils import is_triton_available
from trl import GRPOConfig, GRPOTrainer

from half_precision import COMPLETION, large_logit_model, tokens, truth
from pmpo.integrations.trl.head import install, log_probs, tiles
from pmpo.integrations.trl.head.log_probs import log_probs_of
from pmpo.integrations.trl.head.products import inner, terms
from pmpo.integrations.trl.head.tiles import Transform
from support import config, loss_and_grads, loss_inputs, trainer
from tiny import tiny_model

N, H, V = 37, 24, 101
INTERPRETED = pytest.mark.skipif(
    os.environ.get("TRITON_INTERPRET") != "1" or not is_triton_available(),
    reason="needs Triton's interpreter: TRITON_INTERPRET=1, and the package triton",
)
TRANSFORMS = [Transform(), Transform(0.7), Transform(1.3, scale=0.5), Transform(0.9, scale=2.0, softcap=5.0)]


def inputs(count=N, dtype=torch.float32, bias=True):
    g = torch.Generator().manual_seed(3)
    hidden, weight = torch.randn(count, H, generator=g).to(dtype), torch.randn(V, H, generator=g).to(dtype)
    found = [hidden, weight, torch.randn(V, generator=g).to(dtype) if bias else None]
    targets = torch.randint(V, (count,), generator=g)
    return [one if one is None else one.requires_grad_() for one in found], targets


def exact(leaves, targets, transform):
    """Log-probabilities, entropies and the leaves, in float64, by torch's own gradients."""
    hidden, weight, bias = (None if one is None else one.detach().double().requires_grad_() for one in leaves)
    z = hidden @ weight.t() * transform.scale + (0.0 if bias is None else bias * transform.scale)
    if transform.softcap is not None:
        z = transform.softcap * torch.tanh(z / transform.softcap)
    log_p = (z / transform.temperature).log_softmax(-1)
    return log_p.gather(-1, targets[:, None])[:, 0], -(log_p.exp() * log_p).sum(-1), [hidden, weight, bias]


def gradients(found, entropies, leaves, with_entropy):
    g = torch.Generator().manual_seed(4)
    step, entropy_step = (torch.randn(len(found), generator=g) for _ in range(2))
    loss = (found * step).sum() + ((entropies * entropy_step).sum() if with_entropy else 0.0)
    return torch.autograd.grad(loss, [one for one in leaves if one is not None])


def relative(a, b):
    return ((a.double() - b).norm() / b.norm()).item()


@pytest.mark.parametrize("tile", [(4096, 16384), (8, 13), (64, 13), (8, 101)], ids=str)
@pytest.mark.parametrize("transform", TRANSFORMS, ids=str)
@pytest.mark.parametrize("with_entropy", [False, True])
@pytest.mark.parametrize("kernels", [False, pytest.param(True, marks=INTERPRETED)], ids=["torch", "kernels"])
def test_values_and_gradients_are_those_of_float64(tile, transform, with_entropy, kernels, monkeypatch):
    monkeypatch.setattr(tiles, "kernels_on", lambda device: kernels)
    monkeypatch.setattr(log_probs, "TOKENS", tile[0])
    monkeypatch.setattr(log_probs, "WORDS", tile[1])
    leaves, targets = inputs()
    found, entropies = log_probs_of(*leaves, targets, transform, "float32")
    true, true_entropies, true_leaves = exact(leaves, targets, transform)
    assert (found - true).abs().max() < 1e-5 and (entropies - true_entropies).abs().max() < 1e-5
    ours = gradients(found, entropies, leaves, with_entropy)
    theirs = gradients(true, true_entropies, true_leaves, with_entropy)
    assert max(relative(a, b) for a, b in zip(ours, theirs, strict=True)) < 2e-6


def test_many_rows_are_taken_a_few_at_a_time(monkeypatch):
    monkeypatch.setattr(tiles, "AT_ONCE", 3 * V)
    test_values_and_gradients_are_those_of_float64((4096, 16384), Transform(0.7), True, False, monkeypatch)


def test_bf16x3_is_two_terms_of_each_factor():
    x = torch.randn(50, 40, generator=torch.Generator().manual_seed(0))
    large, small = terms(x, "bf16x3", torch.bfloat16)
    assert ((large.double() + small.double() - x).abs() <= x.abs() * 2**-16).all()
    assert terms(x, "bf16", torch.bfloat16)[0].equal(x.bfloat16())
    assert len(terms(x.bfloat16(), "bf16x3", torch.bfloat16)) == 1
    pairs = inner((torch.eye(2), 2 * torch.eye(2)), (torch.eye(2), 3 * torch.eye(2)))
    assert torch.equal(pairs[0] @ pairs[1].t(), (1 + 3 + 2) * torch.eye(2))


@pytest.mark.parametrize(
    ("precision", "least", "most"), [("float32", 0, 1e-5), ("bf16x3", 1e-7, 1e-3), ("bf16", 1e-2, 1)]
)
def test_each_precision_has_its_error(precision, least, most):
    leaves, targets = inputs()
    found, entropies = log_probs_of(*leaves, targets, Transform(), precision)
    true, true_entropies, true_leaves = exact(leaves, targets, Transform())
    assert least <= (found - true).abs().max() < most
    ours, theirs = gradients(found, entropies, leaves, False), gradients(true, true_entropies, true_leaves, False)
    assert max(relative(a, b) for a, b in zip(ours, theirs, strict=True)) < (2e-6 if precision == "float32" else 2e-2)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("precision", ["bf16x3", "bf16"])
def test_16_bit_inputs_lose_nothing(dtype, precision):
    leaves, targets = inputs(dtype=dtype, bias=False)
    found, _ = log_probs_of(*leaves, targets, Transform(), precision)
    assert (found - exact(leaves, targets, Transform())[0]).abs().max() < 1e-5
    of_hidden, of_weight = torch.autograd.grad(found.sum(), leaves[:2])
    assert of_hidden.dtype == of_weight.dtype == dtype


def test_a_kept_tile_and_one_computed_again_give_the_same(monkeypatch):
    leaves, targets = inputs()
    found, entropies = log_probs_of(*leaves, targets, Transform(0.7), "float32")
    made = []
    monkeypatch.setattr(
        log_probs._Head, "buffer", lambda self, whole, own=log_probs._Head.buffer: made.append(1) or own(self, whole)
    )
    first = torch.autograd.grad(found.sum() + entropies.sum(), leaves, retain_graph=True)
    assert not made  # the forward pass's
    again = torch.autograd.grad(found.sum() + entropies.sum(), leaves)
    assert made and all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_a_token_does_not_depend_on_those_beside_it():
    leaves, targets = inputs(bias=False)
    hidden, weight = (one.detach() for one in leaves[:2])
    whole, _ = log_probs_of(hidden, weight, None, targets, Transform(), "float32")
    for count in (1, 2, 3, 7, 15, 16, 30):
        part, entropies = log_probs_of(hidden[:count], weight, None, targets[:count], Transform(), "float32")
        assert torch.equal(part, whole[:count]) and entropies.shape == (count,)


@pytest.mark.parametrize("precision", ["float32", "bf16x3"])
def test_no_tokens_give_gradients_of_zero(precision):
    leaves, targets = inputs(count=0)
    found, _ = log_probs_of(*leaves, targets, Transform(), precision)
    assert found.shape == (0,)
    assert all((one == 0).all() for one in torch.autograd.grad(found.sum(), leaves))


def test_autocast_does_not_reach_it():
    leaves, targets = inputs()
    plain, _ = log_probs_of(*leaves, targets, Transform(), "float32")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, _ = log_probs_of(*leaves, targets, Transform(), "float32")
        of_hidden = torch.autograd.grad(found.sum(), leaves[0])[0]
    assert torch.equal(plain, found) and torch.equal(of_hidden, torch.autograd.grad(plain.sum(), leaves[0])[0])


# ---- in the trainer -------------------------------------------------------------------------------------------------


def log_probs_in(one):
    ids, attention = tokens()
    with torch.no_grad():
        return one._get_per_token_logps_and_entropies(one.model, ids, attention, COMPLETION, compute_entropy=True)[:2]


def test_host_is_trls_own_bit_for_bit():
    ours = trainer(config(logits_precision="host"), model=large_logit_model(torch.bfloat16))
    theirs = trainer(config(GRPOConfig), GRPOTrainer, model=large_logit_model(torch.bfloat16))
    assert all(torch.equal(a, b) for a, b in zip(log_probs_in(ours), log_probs_in(theirs), strict=True))


@pytest.mark.parametrize(
    ("precision", "least", "most"), [("float32", 0, 2e-5), ("bf16x3", 1e-5, 1e-3), ("bf16", 1e-3, 0.1)]
)
def test_the_setting_reaches_the_model_under_autocast(precision, least, most):
    one = trainer(config(logits_precision=precision, bf16=True), model=large_logit_model(torch.float32))
    exact_log_probs, _ = truth(one, one.model, *tokens())
    assert least <= (log_probs_in(one)[0] - exact_log_probs).abs().max() < most


def test_only_tokens_that_count_are_scored(monkeypatch):
    seen = []
    monkeypatch.setattr(install, "log_probs_of", lambda *given: seen.append(len(given[3])) or log_probs_of(*given))
    given = loss_inputs()
    _, gradient = loss_and_grads(trainer(config(objective="grpo")), given)
    assert seen == [given["completion_mask"].sum()] and gradient.isfinite().all()
    _, theirs = loss_and_grads(trainer(config(objective="grpo", logits_precision="host")), given)
    assert torch.allclose(gradient, theirs, atol=1e-7)


def test_the_signature_that_generate_reads_is_kept():
    import inspect

    model = tiny_model()
    before = inspect.signature(model.forward)
    assert inspect.signature(trainer(model=model).model.forward) == before


# ---- values and refusals --------------------------------------------------------------------------------------------


def test_the_default_is_filled_in_and_values_are_checked():
    args = config()
    assert args.logits_precision == "float32" and args.to_dict()["logits_precision"] == "float32"
    with pytest.raises(ValueError, match=r"logits_precision 'fp8'.*bf16x3"):
        config(logits_precision="fp8")
    with pytest.raises(ValueError, match="remove one of the two"):
        config(logits_precision="bf16", cast_lm_head_to_fp32=True)


@pytest.mark.parametrize(
    ("capability", "hip", "overloads", "reason"),
    [
        ((9, 0), None, ["out", "dtype_out"], None),
        ((7, 5), None, ["out", "dtype_out"], "has no bfloat16"),
        ((9, 0), "6.2", ["out", "dtype_out"], "ROCm"),
        ((9, 0), None, ["out"], "came with 2.8"),
    ],
)
def test_gpus_without_the_products_are_refused(capability, hip, overloads, reason, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "This one")
    monkeypatch.setattr(torch.version, "hip", hip)
    monkeypatch.setattr(type(torch.ops.aten.mm), "overloads", lambda self: overloads)
    monkeypatch.setattr(install, "_tried", lambda device: None)
    gpu = torch.device("cuda", 0)
    assert install.default_precision(gpu) == ("bf16x3" if reason is None else "float32")
    install.check_precision("float32", gpu, True)
    if reason is None:
        install.check_precision("bf16x3", gpu, True)
    else:
        with pytest.raises(ValueError, match=f"{reason}.*write logits_precision='float32'"):
            install.check_precision("bf16x3", gpu, False)


@pytest.mark.parametrize(
    ("product", "reason"),
    [
        (lambda left, right, out_dtype: left.float() @ right.float(), None),
        (lambda left, right, out_dtype: (left @ right).to(out_dtype), "a trial of one was not exact"),
    ],
)
def test_a_product_is_tried_before_it_is_relied_on(product, reason, monkeypatch):
    monkeypatch.setattr(torch, "mm", product)
    assert install._tried(torch.device("cpu")) == reason


def test_another_output_of_trls_is_no_silent_none():
    with install.heads_of("float32"):
        from trl.trainer.grpo_trainer import add_fused_lm_head

        model = tiny_model()
        add_fused_lm_head(model, outputs=("log_probs", "is_top1"))
    ids = torch.randint(2, 12, (2, 5))
    with pytest.raises(ValueError, match="TRL asks for log_probs, is_top1: write logits_precision='host'"):
        model(input_ids=ids, labels=ids, fused_lm_head=True)
