"""A model with logits as large as a trained one's, and what its log-probabilities are in float64."""

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

PROMPT, COMPLETION = 8, 32


def large_logit_model(dtype, vocabulary=4096, tied=False):
    """Logits of up to about 20 over 4096 tokens, where bfloat16 has steps of 0.125."""
    torch.manual_seed(0)
    model = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=vocabulary, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=128, pad_token_id=0, eos_token_id=1, bos_token_id=None,
            tie_word_embeddings=tied,
        )
    )  # fmt: skip
    with torch.no_grad():
        model.lm_head.weight.mul_(25.0)
    return model.to(dtype)


def tokens(vocabulary=4096, rows=16):
    """Prompts and completions, and the mask that keeps all of them."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(2, vocabulary, (rows, PROMPT + COMPLETION), generator=generator)
    return ids, torch.ones_like(ids)


@torch.no_grad()
def truth(a_trainer, model, ids, attention, temperature=1.0):
    """Log-probabilities and entropies [B, T] in float64, from the model's own last hidden states and weights."""
    with a_trainer.accelerator.autocast():
        hidden = model.model(input_ids=ids, attention_mask=attention).last_hidden_state[:, PROMPT - 1 : -1]
    logits = hidden.double() @ model.lm_head.weight.double().t() / temperature
    log_probs = logits.log_softmax(-1)
    chosen = log_probs.gather(-1, ids[:, PROMPT:, None])[..., 0]
    return chosen, -(log_probs.exp() * log_probs).sum(-1)
