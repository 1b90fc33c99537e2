"""Log-probabilities and entropies are float32 results whatever the dtype of the model: new, old and reference."""

import pytest
import torch
from trl import GRPOConfig, GRPOTrainer

from half_precision import COMPLETION, large_logit_model, tokens, truth
from support import config, loss_and_grads, loss_inputs, saved_model, trainer
from tiny import tiny_model, tiny_tokenizer

DTYPES = [(torch.bfloat16, False), (torch.bfloat16, True), (torch.float32, True), (torch.float16, False),
          (torch.float32, False)]  # fmt: skip


def errors(one, model, temperature=1.0):
    """Largest error of the log-probabilities and of the entropies, nats."""
    ids, attention = tokens()
    with torch.no_grad():
        log_probs, entropies, _ = one._get_per_token_logps_and_entropies(
            model, ids, attention, COMPLETION, compute_entropy=True
        )
    assert log_probs.dtype == entropies.dtype == torch.float32
    exact, exact_entropies = truth(one, model, ids, attention, temperature)
    return (log_probs - exact).abs().max().item(), (entropies - exact_entropies).abs().max().item()


@pytest.mark.parametrize(("dtype", "autocast"), DTYPES)
def test_they_agree_with_float64_of_the_same_hidden_states(dtype, autocast):
    one = trainer(config(bf16=autocast), model=large_logit_model(dtype))
    assert max(errors(one, one.model)) < 2e-5  # logits reach 20: float32's own rounding of their sums


def test_with_temperature_and_tied_embeddings():
    one = trainer(config(temperature=0.7), model=large_logit_model(torch.bfloat16, tied=True))
    assert max(errors(one, one.model, temperature=0.7)) < 2e-5 * 25  # tied: the embeddings are as large as the head


def test_trls_own_are_off_by_the_rounding_of_the_logits():
    """The meta-test: TRL's log-softmax is float32 already, its 16-bit projection is not."""
    one = trainer(config(GRPOConfig), GRPOTrainer, model=large_logit_model(torch.bfloat16))
    assert errors(one, one.model)[0] > 0.02


def test_the_reference_model_takes_the_same_path(tmp_path):
    large_logit_model(torch.bfloat16).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    args = config(beta=0.1, model_init_kwargs={"dtype": "bfloat16"})
    one = trainer(args, model=str(tmp_path))
    assert one.ref_model.dtype == torch.bfloat16
    ids, attention = tokens()
    with torch.no_grad():
        new, reference = (
            one._get_per_token_logps_and_entropies(model, ids, attention, COMPLETION)[0]
            for model in (one.model, one.ref_model)
        )
    assert torch.equal(new, reference) and errors(one, one.model)[0] < 2e-5


@pytest.mark.parametrize("autocast", [False, True])
def test_the_first_pass_has_ratios_of_exactly_one(autocast):
    """Old log-probabilities come out of the same path as the new ones."""
    one = trainer(config(bf16=autocast, max_steps=2), model=tiny_model(dtype=torch.bfloat16))
    one.train()
    first = next(row for row in one.state.log_history if "log_ratio/max" in row)
    assert first["log_ratio/max"] == first["log_ratio/min"] == 0.0


def test_the_gradient_reaches_16_bit_weights():
    model = tiny_model(dtype=torch.bfloat16)
    one = trainer(config(objective="grpo"), model=model)
    _, gradient = loss_and_grads(one, loss_inputs(model=tiny_model()))
    whole = trainer(config(objective="grpo"), model=tiny_model(dtype=torch.bfloat16).float())
    _, exact = loss_and_grads(whole, loss_inputs(model=tiny_model()))
    assert gradient.dtype == torch.bfloat16
    assert torch.nn.functional.cosine_similarity(gradient.float(), exact, dim=0) > 0.98


def test_generation_is_untouched(tmp_path):
    path = saved_model(tmp_path)
    ours, theirs = trainer(config(), model=path), trainer(config(GRPOConfig), GRPOTrainer, model=path)
    ids = torch.tensor([[2, 3, 4]])
    assert torch.equal(ours.model(input_ids=ids).logits, theirs.model(input_ids=ids).logits)
    assert GRPOTrainer.__init__.__globals__["add_fused_lm_head"].__module__ == "trl.trainer.utils"
