"""A micro-batch in several passes of the model: the numbers of one pass, and less of the model's work."""

import json

import pytest
import torch

import pmpo
from pmpo.integrations.trl import passing
from support import config, loss_and_grads, loss_inputs, parameters, trainer
from test_two_ranks import on_two_ranks
from tiny import tiny_model

WIDTH = 40


@pytest.fixture(autouse=True)
def passes_that_cost_nothing(monkeypatch):
    """So that models of these tests are worth dividing for."""
    monkeypatch.setitem(passing._OVERHEAD, "cpu", 0)


def inputs_with_silence(silent=(0, 3, 5)):
    inputs = loss_inputs(rows=8, width=WIDTH)
    inputs["advantages"][list(silent)] = 0.0
    return inputs


def tokens_through(one, inputs):
    """Loss, gradient, and (tokens forward, tokens with a gradient) of the model's layers in every pass."""
    passes = []
    hook = one.model.model.layers[0].register_forward_hook(
        lambda _, given, found: passes.append((given[0][..., 0].numel(), torch.is_grad_enabled()))
    )
    loss, gradient = loss_and_grads(one, inputs)
    hook.remove()
    return loss, gradient, passes


@pytest.mark.parametrize("objective", sorted(pmpo.OBJECTIVES))
def test_loss_and_gradient_are_those_of_one_pass(objective):
    changes = {"beta": 0.0} if objective != "luspo" else {}
    found = [
        tokens_through(trainer(config(objective=objective, passes_per_micro_batch=most, **changes)), given)
        for most in (1, 4)
        for given in [inputs_with_silence()]
    ]
    (whole, whole_gradient, one_pass), (loss, gradient, passes) = found
    assert len(one_pass) == 1 and 1 < len(passes) <= 4
    assert loss == pytest.approx(whole, abs=1e-6)
    torch.testing.assert_close(gradient, whole_gradient, rtol=1e-4, atol=1e-6)
    with_gradient = sum(tokens for tokens, has in passes if has)
    assert sum(tokens for tokens, _ in passes) < one_pass[0][0]
    kl_to_the_old = pmpo.objective(objective, **({"max_completion_length": WIDTH} if objective == "luspo" else {}))
    assert (with_gradient < sum(tokens for tokens, _ in passes)) == (kl_to_the_old.old_kl_coef == 0.0)


def test_diagnostics_are_those_of_one_pass():
    logged = []
    for most in (1, 4):
        one = trainer(config(passes_per_micro_batch=most, max_completion_length=WIDTH, max_steps=4))
        one.train()
        logged.append(one.state.log_history)
    for whole, divided in zip(*logged, strict=True):
        for name, value in whole.items():
            if isinstance(value, float) and not name.endswith(("time", "runtime", "per_second")):
                assert divided[name] == pytest.approx(value, abs=2e-4), name


@pytest.mark.parametrize("why", ["kl", "dropout", "one"])
def test_what_keeps_a_micro_batch_together(why, tmp_path):
    """KL to a reference reaches completions of A = 0: they are divided by length, and all have a gradient."""
    model = tiny_model(attention_dropout=0.1 if why == "dropout" else 0.0)
    one = trainer(config(passes_per_micro_batch=1 if why == "one" else 4, beta=0.0), model=model)
    inputs = inputs_with_silence()
    if why == "kl":
        one.use_objective(pmpo.objective("grpo", kl_coef=0.1))
        inputs["ref_per_token_logps"] = inputs["old_per_token_logps"] + 0.1
    _, _, passes = tokens_through(one, inputs)
    assert all(has for _, has in passes) and (len(passes) > 1) == (why == "kl")


def test_a_micro_batch_without_a_signal_moves_nothing():
    one = trainer(config())
    loss, gradient, passes = tokens_through(one, inputs_with_silence(range(8)))
    assert loss == 0.0 and not gradient.any()
    assert [has for _, has in passes].count(True) == 1


def test_a_completion_without_a_token_needs_no_backward_pass():
    """As of mask_truncated_completions."""
    inputs = inputs_with_silence(())
    inputs["completion_mask"][:6] = 0
    one = trainer(config())
    _, gradient, passes = tokens_through(one, inputs)
    _, whole_gradient, _ = tokens_through(trainer(config(passes_per_micro_batch=1)), inputs)
    assert [has for _, has in passes].count(False) == 1
    torch.testing.assert_close(gradient, whole_gradient, rtol=1e-4, atol=1e-6)


def test_a_run_whose_rewards_are_all_equal_goes_on():
    one = trainer(config(max_steps=3), reward=lambda completions, **_: [0.5] * len(completions))
    before = parameters(one).clone()
    one.train()
    assert one.state.global_step == 3 and torch.equal(before, parameters(one))


def test_widths_are_padded_to_a_multiple():
    one, widths = trainer(config(pad_to_multiple_of=8)), []
    forward = one.log_probs_of
    one.log_probs_of = lambda model, **given: widths.append(given["logits_to_keep"]) or forward(model, **given)
    loss_and_grads(one, inputs_with_silence())
    assert len(set(widths)) > 1 and all(width % 8 == 0 for width in widths)


def test_a_number_of_passes_is_at_least_one():
    with pytest.raises(ValueError, match="passes_per_micro_batch is 0; write passes"):
        config(passes_per_micro_batch=0)


def test_two_ranks_divide_each_in_its_own_way(tmp_path):
    """Under DDP one rank makes one pass, the other several: the weights are those of one pass on both."""
    on_two_ranks("passes_worker.py", str(tmp_path))
    first, second = (json.loads((tmp_path / f"rank-{rank}.json").read_text()) for rank in (0, 1))
    assert first["wrapped"] and first["passes"] != second["passes"]
    assert first["weights"] == second["weights"]
    torch.testing.assert_close(
        torch.tensor(first["weights"]["4"]), torch.tensor(first["weights"]["1"]), rtol=0, atol=1e-5
    )
