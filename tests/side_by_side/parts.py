"""Tiny parts of the scripts: a tokenizer that can chat and call tools, models of several kinds, a model that acts."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2ForSequenceClassification,
    Qwen2MoeConfig,
    Qwen2MoeForCausalLM,
)

from tiny import CHARACTERS, tiny_model, tiny_tokenizer

MARKS = ("<|system|>", "<|user|>", "<|assistant|>", "<|tool|>", "<|end|>", "<tool>", "</tool>", "<image>")
LETTERS = "".join(map(chr, range(32, 127))) + "\n"
CHAT_TEMPLATE = (
    "{% if tools %}<|system|>{{ tools | length }}<|end|>{% endif %}"
    "{% for m in messages %}{{ '<|' + m.role + '|>' }}"
    "{% if m.content is string %}{{ m.content }}{% else %}{% for part in m.content %}"
    "{% if part.type == 'image' %}<image>{% else %}{{ part.text }}{% endif %}{% endfor %}{% endif %}"
    "{% for call in m.tool_calls or [] %}<tool>{{ call.function | tojson }}</tool>{% endfor %}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% if loud %}!{% endif %}{% endif %}"
)
RESPONSES = {
    "defaults": {"role": "assistant"},
    "start_anchor": "<|assistant|>",
    "fields": {
        "tool_calls": {
            "open": "<tool>",
            "close": "</tool>",
            "repeats": True,
            "content": "json",
            "transform": {"type": "function", "function": "{content}"},
        },
        "content": {"close": "<|end|>", "content": "text"},
    },
}


def chat_tokenizer() -> PreTrainedTokenizerFast:
    """Characters, the marks of a chat, a template with tools and how to read a call back."""
    vocabulary = {token: i for i, token in enumerate(["<pad>", *MARKS, *LETTERS])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<pad>"))
    backend.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    backend.decoder = decoders.Fuse()
    one = PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", eos_token="<|end|>", padding_side="left",
        additional_special_tokens=[mark for mark in MARKS if mark != "<|end|>"],
    )  # fmt: skip
    one.chat_template, one.response_template = CHAT_TEMPLATE, RESPONSES
    return one


def chat_model(**changes: Any) -> Qwen2ForCausalLM:
    """A causal model over the chat tokenizer's vocabulary, of 512 positions."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    end = 1 + MARKS.index("<|end|>")
    return Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=1 + len(MARKS) + len(LETTERS), num_key_value_heads=1, max_position_embeddings=512,
            pad_token_id=0, eos_token_id=end, bos_token_id=None, **sizes, **changes,
        )
    )  # fmt: skip


def moe_model(**changes: Any) -> Qwen2MoeForCausalLM:
    """A mixture of four experts over the tiny vocabulary."""
    torch.manual_seed(0)
    return Qwen2MoeForCausalLM(
        Qwen2MoeConfig(
            vocab_size=len(CHARACTERS) + 2, hidden_size=16, intermediate_size=32, num_hidden_layers=1,
            num_attention_heads=2, num_key_value_heads=1, num_experts=4, num_experts_per_tok=2,
            moe_intermediate_size=16, shared_expert_intermediate_size=16, max_position_embeddings=64,
            pad_token_id=0, eos_token_id=1, bos_token_id=None, **changes,
        )
    )  # fmt: skip


def reward_model(vocabulary: int = len(CHARACTERS) + 2) -> Qwen2ForSequenceClassification:
    """A sequence classifier with one label, as a reward."""
    torch.manual_seed(1)
    return Qwen2ForSequenceClassification(
        Qwen2Config(
            vocab_size=vocabulary, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
            num_key_value_heads=1, max_position_embeddings=512, pad_token_id=0, num_labels=1,
        )
    )  # fmt: skip


def saved(folder: Path, model: Any = None, tokenizer: Any = None) -> str:
    """The path of a saved model with its tokenizer, as a name on the hub would be."""
    path = folder / "model"
    (tiny_model() if model is None else model).save_pretrained(path)
    (tiny_tokenizer() if tokenizer is None else tokenizer).save_pretrained(path)
    return str(path)


def questions(rows: int = 32, **columns: Any) -> Dataset:
    """Conversational prompts, with further columns."""
    messages = [[{"role": "user", "content": f"{i % 10}+{i // 10}="}] for i in range(rows)]
    return Dataset.from_dict({"prompt": messages, **{name: list(values) for name, values in columns.items()}})


def message_reward(completions: Any, **kwargs: Any) -> list[float]:
    """Share of digits in the last message of each completion."""
    texts = [completion[-1]["content"] or "" for completion in completions]
    return [sum(c.isdigit() for c in text) / max(1, len(text)) for text in texts]


def acting(*calls: str, done: str = "1x") -> Callable[[Any], None]:
    """What `Script.prepare` takes: generation is replaced by a model that calls tools.

    Each answer is one of `calls` (text between the marks of a call, or plain text), drawn at random; after a tool's
    answer it is a random word of the letters of `done`.
    """

    def prepare(trainer: Any) -> None:
        tokenizer = getattr(trainer.processing_class, "tokenizer", trainer.processing_class)
        end = tokenizer.eos_token_id

        def generate(input_ids: torch.Tensor, **kwargs: Any) -> torch.Tensor:
            answers = []
            for text in tokenizer.batch_decode(input_ids):
                if "<|tool|>" in text:
                    drawn = torch.randint(len(done), (int(torch.randint(1, 5, ())),))
                    words = "".join(done[int(i)] for i in drawn)
                else:
                    words = calls[int(torch.randint(len(calls), ()))]
                answers.append([*tokenizer.encode(words, add_special_tokens=False), end])
            longest = max(map(len, answers))
            padded = [answer + [tokenizer.pad_token_id] * (longest - len(answer)) for answer in answers]
            return torch.cat([input_ids, torch.tensor(padded)], dim=1)

        trainer.model.generate = generate

    return prepare


def call(name: str, arguments: str) -> str:
    """A call of a tool as the chat template writes it."""
    return f'<tool>{{"name": "{name}", "arguments": {arguments}}}</tool>'


def endless(rows: Any) -> Any:
    """A generator function over `rows`, again and again, for streaming data sets."""

    def generate() -> Any:
        yield from itertools.islice(itertools.cycle(rows), 1000)

    return generate
