"""Agents small enough for every test: a byte tokenizer with Qwen3's chat template, and turns that call tools."""

import json
from pathlib import Path

import torch
import trl
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from tiny import tiny_model

_SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
_MARKS = ["<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>"]
CONTEXT = 4096  # a tool's schema takes hundreds of bytes


def agent_tokenizer() -> PreTrainedTokenizerFast:
    """One token a byte; the chat template is one whose tool calls TRL can parse."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE({c: i for i, c in enumerate(alphabet)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(_SPECIAL)
    backend.add_tokens(_MARKS)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<|endoftext|>", eos_token="<|im_end|>", padding_side="left"
    )
    template = Path(trl.__file__).parent / "chat_templates" / "qwen3.jinja"
    tokenizer.chat_template = template.read_text(encoding="utf-8")
    return tokenizer


def agent_model(seed: int = 0):
    """A model over the tokens of `agent_tokenizer`."""
    return tiny_model(seed, vocab_size=272, max_position_embeddings=CONTEXT, pad_token_id=256, eos_token_id=258)


def play(trainer, *turns: str, after: str = "Done!"):
    """Let the trainer's model say these first turns, row by row in a circle, and `after` once a tool has answered.

    Returns: a list that gathers how many completions every call of `generate` was for.
    """
    tokenizer, calls = trainer._tokenizer, []
    answered = tokenizer.convert_tokens_to_ids("<tool_response>")

    def generate(input_ids, **kwargs):
        said = [
            tokenizer(after if answered in row.tolist() else turns[place % len(turns)])["input_ids"]
            for place, row in enumerate(input_ids)
        ]
        calls.append(len(said))
        longest = max(map(len, said)) + 1
        rows = [ids + [258] + [256] * (longest - len(ids) - 1) for ids in said]
        return torch.cat([input_ids, torch.tensor(rows)], dim=1)

    trainer.model.generate = generate
    return calls


def tool_call(name: str, **arguments) -> str:
    """The turn that calls a tool."""
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>"


class Counter:
    """An environment that counts and owns its reward, and begins without an observation."""

    resets: list[dict] = []  # noqa: RUF012 - of all instances

    def reset(self, **row):
        self.resets.append(row)
        self.count = 0

    def increment(self, step: int) -> int:
        """
        Add to the counter.

        Args:
            step: What to add.

        Returns:
            The new value.
        """
        self.count += step
        return self.count

    def get_reward(self) -> float:
        return float(self.count)


class Asking(Counter):
    """The same, with the prompt made by `reset`."""

    def reset(self, **row):
        super().reset(**row)
        return "Count to one."


class Echo:
    """Another one, whose reward is awaited."""

    def reset(self, **row):
        self.heard = ""
        return "Echo."

    def shout(self, text: str) -> str:
        """
        Shout the text.

        Args:
            text: What to shout.

        Returns:
            The text in upper case.
        """
        self.heard = text.upper()
        return self.heard

    async def get_reward(self) -> float:
        return float(len(self.heard))
