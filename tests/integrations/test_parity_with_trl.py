"""The same numbers as TRL's own losses where they are right; where they are not, a test says why."""

import inspect
import math
import textwrap
from types import SimpleNamespace

import pytest
import torch
from trl import GRPOConfig, GRPOTrainer
from trl.experimental.gmpo import GMPOConfig, GMPOTrainer

import pmpo
from pmpo.objective.correction import ROLLOUT_MODES
from support import config, loss_and_grads, loss_inputs, parameters, trainer


def theirs(cls, config_cls, inputs, **changes):
    return loss_and_grads(trainer(config(config_cls, **changes), cls), inputs)


def ours(inputs, **changes):
    return loss_and_grads(trainer(config(**changes)), inputs)


def assert_same(a, b, tolerance=1e-6):
    assert a[0] == pytest.approx(b[0], abs=tolerance)
    assert torch.allclose(a[1], b[1], atol=tolerance, rtol=1e-5)


PAIRS = [
    ("grpo", {"loss_type": "grpo"}),
    ("dr_grpo", {"loss_type": "dr_grpo", "scale_rewards": "none"}),
    ("dapo", {"loss_type": "dapo", "epsilon_high": 0.28}),
    (
        "gspo",
        {"loss_type": "grpo", "importance_sampling_level": "sequence", "epsilon": 3e-4, "epsilon_high": 4e-4},
    ),
]


@pytest.mark.parametrize(("name", "switches"), PAIRS, ids=[p[0] for p in PAIRS])
def test_loss_and_gradient_equal_trls(name, switches):
    inputs = loss_inputs()
    assert_same(ours(inputs, objective=name), theirs(GRPOTrainer, GRPOConfig, inputs, **switches))


def test_gmpo_equals_trls_gmpo():
    inputs = loss_inputs(spread=0.9)
    assert_same(ours(inputs, objective="gmpo"), theirs(GMPOTrainer, GMPOConfig, inputs))


def test_sapo_equals_trls():
    inputs = loss_inputs(spread=1.5)
    assert_same(ours(inputs, objective="sapo"), theirs(GRPOTrainer, GRPOConfig, inputs, loss_type="sapo"))


def test_luspo_equals_trls():
    inputs = loss_inputs(spread=0.01)
    switches = {"importance_sampling_level": "sequence", "epsilon": 2e-3, "epsilon_high": 2.5e-3}
    assert_same(ours(inputs, objective="luspo"), theirs(GRPOTrainer, GRPOConfig, inputs, loss_type="luspo", **switches))


def test_cispo_has_trls_gradient_and_another_value():
    """TRL reports −min(r, cap)·A·log π, which grows with the length of the log-probability; ours −min(r, cap)·A."""
    inputs = loss_inputs(spread=2.5)
    a = ours(inputs, objective="cispo")
    b = theirs(GRPOTrainer, GRPOConfig, inputs, loss_type="cispo", epsilon_high=5.0)
    uncapped = ours(inputs, objective=pmpo.objective("cispo", trust_region="none"))
    assert not torch.allclose(a[1], uncapped[1], atol=1e-5), "the cap must have an effect"
    assert torch.allclose(a[1], b[1], atol=1e-6, rtol=1e-5)
    assert a[0] != pytest.approx(b[0], abs=1e-3)


@pytest.mark.parametrize("mode", ROLLOUT_MODES)
@pytest.mark.parametrize("bounds", [(None, 1.5), (0.6, 1.5)])
def test_rollout_weights_equal_trls_own_lines(mode, bounds):
    """TRL computes the ratio in the middle of its generation, so the lines themselves are run."""
    source = inspect.getsource(GRPOTrainer._generate_and_score_completions)
    start = source.index("                mask = completion_mask if tool_mask is None")
    lines = source[start : source.index("            # Compute the per-token log probabilities for the reference")]
    g = torch.Generator().manual_seed(0)
    old, sampled = -torch.rand(8, 6, generator=g), -torch.rand(8, 6, generator=g)
    sampled[1, 0] = float("nan")
    mask = torch.arange(6) < torch.randint(1, 7, (8, 1), generator=g)
    settings = {"mode": mode, "clip_min": bounds[0], "clip_max": bounds[1]}
    names = {
        "torch": torch,
        "math": math,
        "self": SimpleNamespace(**{f"vllm_importance_sampling_{k}": v for k, v in settings.items()}),
        "completion_mask": mask.long(),
        "tool_mask": None,
        "old_per_token_logps": old,
        "sampling_per_token_logps": sampled,
    }
    exec(textwrap.dedent(lines), names)
    expected = names["vllm_importance_sampling_ratio"]
    got = pmpo.rollout_weights(old, sampled, mask, mode=mode, ratio_min=bounds[0], ratio_max=bounds[1])
    if mode.startswith("token"):
        expected = expected * mask  # TRL leaves a 1 on padding, where nothing reads it
    assert torch.allclose(got, expected, rtol=1e-6) and (expected != 1).any()


@pytest.mark.parametrize(
    "switches",
    [
        {"delta": 1.3},
        {"epsilon": 0.1, "epsilon_high": 0.3},
        {"entropy_coef": 0.1},
        {"top_entropy_quantile": 0.5},
        {"off_policy_mask_threshold": 0.05},
    ],
    ids=lambda s: next(iter(s)),
)
def test_grpos_switches_equal_trls(switches):
    inputs = loss_inputs(spread=0.8)
    plain = ours(inputs, objective="grpo")
    switched = ours(inputs, objective="grpo", **switches)
    assert not torch.allclose(plain[1], switched[1], atol=1e-5), "the switch must have an effect"
    assert_same(switched, theirs(GRPOTrainer, GRPOConfig, inputs, loss_type="grpo", **switches))


@pytest.mark.parametrize("bias_correction", [False, True])
@pytest.mark.parametrize(("name", "loss_type"), [("grpo", "grpo"), ("dapo", "dapo")])
def test_kl_to_the_reference_equals_trls(name, loss_type, bias_correction, tmp_path):
    from support import saved_model

    path = saved_model(tmp_path)
    inputs = loss_inputs()
    inputs["ref_per_token_logps"] = inputs["old_per_token_logps"] + 0.2
    high = {"epsilon_high": 0.28} if name == "dapo" else {}
    shared = {"beta": 0.5, "use_bias_correction_kl": bias_correction, **high}
    a = loss_and_grads(trainer(config(objective=name, **shared), model=path), inputs)
    b = loss_and_grads(trainer(config(GRPOConfig, loss_type=loss_type, **shared), GRPOTrainer, model=path), inputs)
    assert_same(a, b)


@pytest.mark.parametrize("shape", ["token", "sequence"])
def test_vllm_importance_ratios_equal_trls(shape):
    """vLLM itself is not needed: the ratio reaches the loss as an input."""
    ratio = torch.rand(8, 6 if shape == "token" else 1, generator=torch.Generator().manual_seed(1)) + 0.5
    inputs = loss_inputs(importance_sampling_ratio=ratio)
    pair = [trainer(config(objective="grpo")), trainer(config(GRPOConfig, loss_type="grpo"), GRPOTrainer)]
    plain = loss_and_grads(pair[0], inputs)
    for one in pair:
        one.use_vllm = True
    corrected = loss_and_grads(pair[0], inputs)
    assert not torch.allclose(plain[1], corrected[1], atol=1e-5)
    assert_same(corrected, loss_and_grads(pair[1], inputs))


def test_tool_mask_equals_trls():
    tool_mask = torch.ones(8, 6, dtype=torch.long)
    tool_mask[:, 1] = 0
    inputs = loss_inputs(tool_mask=tool_mask)
    assert_same(ours(inputs, objective="grpo"), theirs(GRPOTrainer, GRPOConfig, inputs, loss_type="grpo"))
    assert ours(inputs, objective="pmpo")[0] != ours(loss_inputs(), objective="pmpo")[0]


def test_eight_steps_side_by_side_give_the_same_parameters():
    shared = {"max_steps": 8, "steps_per_generation": 4, "seed": 3, "learning_rate": 1e-3}
    a = trainer(config(objective="grpo", **shared))
    start = parameters(a).clone()
    a.train()
    b = trainer(config(GRPOConfig, loss_type="grpo", **shared), GRPOTrainer)  # construction sets the seed
    b.train()
    assert (parameters(a) - start).abs().max() > 5e-3, "training must move the parameters"
    assert (parameters(a) - parameters(b)).abs().max() <= 1e-6


# ---- where TRL's numbers are not what the definition asks for -------------------------------------------------------


def test_trl_grpo_has_a_nan_gradient_where_a_clipped_ratio_overflows():
    """exp(100) is inf in float32; min() picks the clipped branch but backward multiplies inf by 0. Ours clips first."""
    inputs = loss_inputs()
    inputs["advantages"] = inputs["advantages"].abs() + 0.1
    inputs["old_per_token_logps"][0, 0] -= 100.0
    loss, gradient = theirs(GRPOTrainer, GRPOConfig, inputs, loss_type="grpo")
    assert loss == loss and not gradient.isfinite().all()
    loss, gradient = ours(inputs, objective="grpo")
    assert loss == loss and gradient.isfinite().all()


def test_trl_gmpo_drops_the_entropy_bonus():
    """GMPOTrainer copies the loss without the bonus; ours keeps TRL's own code for it."""
    inputs = loss_inputs()
    plain = theirs(GMPOTrainer, GMPOConfig, inputs)
    assert torch.equal(plain[1], theirs(GMPOTrainer, GMPOConfig, inputs, entropy_coef=0.5)[1])
    assert not torch.allclose(
        ours(inputs, objective="gmpo")[1], ours(inputs, objective="gmpo", entropy_coef=0.5)[1], atol=1e-5
    )


def test_trl_dapo_counts_the_tokens_of_the_generation_and_ours_of_the_step():
    """With two optimiser steps a generation TRL divides both by the mean count; ours by each step's own."""
    first, second = loss_inputs(seed=1), loss_inputs(seed=2)
    second["completion_mask"][:, 1:] = 0
    total = first["completion_mask"].sum() + second["completion_mask"].sum()
    first["num_items_in_batch"] = second["num_items_in_batch"] = total
    a = trainer(config(objective="dapo"))
    b = trainer(config(GRPOConfig, loss_type="dapo", epsilon_high=0.28), GRPOTrainer)
    losses = {}
    for name, one in (("ours", a), ("theirs", b)):
        one.model.train()
        one.current_gradient_accumulation_steps = 1
        one._buffered_inputs, one._step = [first, second], 0
        losses[name] = one._compute_loss(one.model, dict(first)).item()
    own, mean = first["completion_mask"].sum().item(), total.item() / 2
    assert own != mean
    assert losses["ours"] * own == pytest.approx(losses["theirs"] * mean, rel=1e-5)


def test_trl_gmpo_with_the_entropy_mask_weighs_a_completion_by_its_share_in_ours_only():
    """At p = 1 a masked token must count as in GRPO, 1/n each; so J carries the share of selected tokens at every p."""
    inputs = loss_inputs()
    b = theirs(GMPOTrainer, GMPOConfig, inputs, top_entropy_quantile=0.5)
    a = ours(inputs, objective="gmpo", top_entropy_quantile=0.5)
    assert not torch.allclose(a[1], b[1], atol=1e-5)


@pytest.mark.parametrize("kind", ["grpo", "dr_grpo", "batch"])
def test_advantages_equal_what_trl_computes(kind):
    """Same δ and unbiased standard deviations as TRL, over the same groups."""
    from pmpo.integrations.trl.resolve import SCALE_REWARDS

    scale = SCALE_REWARDS[kind]
    one = trainer(config(objective="grpo", scale_rewards=scale, steps_per_generation=1))
    one.model.train()
    rows = [{"prompt": "1+2="}] * 4 + [{"prompt": "3+4="}] * 4
    one.state.max_steps = 4
    output = one._generate_and_score_completions(rows)
    expected = pmpo.group_advantages(one._rewards, 4, kind)
    assert expected.abs().max() > 0
    assert torch.allclose(output["advantages"], expected, atol=1e-6)
