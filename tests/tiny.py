"""A language model, a tokenizer and a task small enough for every test; nothing is downloaded."""

import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

CHARACTERS = "0123456789+=,x "


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = {c: i for i, c in enumerate(["<pad>", "<eos>", *CHARACTERS])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<pad>"))
    backend.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    return PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", eos_token="<eos>", padding_side="left")


def tiny_model(seed: int = 0, dtype: torch.dtype = torch.float32, **changes) -> Qwen2ForCausalLM:
    torch.manual_seed(seed)
    defaults = {
        "vocab_size": len(CHARACTERS) + 2,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 64,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "bos_token_id": None,
    }
    config = Qwen2Config(**{**defaults, **changes})
    return Qwen2ForCausalLM(config).to(dtype)


def tiny_dataset(rows: int = 32) -> Dataset:
    return Dataset.from_dict({"prompt": [f"{i % 10}+{i // 10}=" for i in range(rows)]})


def digit_reward(completions, **kwargs):
    """Share of characters that are digits: differs between samples, so that advantages are not all 0."""
    return [sum(c.isdigit() for c in text) / max(1, len(text)) for text in completions]
