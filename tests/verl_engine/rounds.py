"""A round of completions with everything that verl's actor is given, as plain padded tensors, made from a seed."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tiny import tiny_model, tiny_tokenizer

ROWS, GROUP = 16, 4
REWARD_MEAN, REWARD_STD = 0.4375, 0.3
"""What the trainer would send of the round's rewards."""


def save_model(folder: Path) -> Path:
    """The tiny model and its tokenizer where verl loads them from."""
    tiny_model(seed=3).save_pretrained(folder)
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    tokenizer.save_pretrained(folder)
    return folder


def log_probs_of(model: Any, prompts: list[list[int]], responses: list[list[int]]) -> list[Tensor]:
    """log π of every response token, one row at a time: no padding, no packing."""
    found = []
    for prompt, response in zip(prompts, responses, strict=True):
        logits = model(torch.tensor([prompt + response])).logits[0, len(prompt) - 1 : -1].float()
        found.append(logits.log_softmax(-1).gather(1, torch.tensor(response).unsqueeze(1)).squeeze(1))
    return found


def make_round(seed: int = 0) -> dict[str, Any]:
    """Ragged prompts and responses with old, reference and sampler log-probabilities near those of the tiny model.

    Some tokens are far off, so that every trust region clips; a third of the responses has tokens in the middle that
    do not count (as a tool's output), and the last group has equal rewards.
    """
    generator = torch.Generator().manual_seed(seed)

    def numbers(low: int, high: int, count: int) -> list[int]:
        return torch.randint(low, high, (count,), generator=generator).tolist()

    prompts = [numbers(2, 16, length) for length in numbers(3, 7, ROWS)]
    responses = [numbers(2, 16, length) for length in numbers(1, 20, ROWS)]
    with torch.no_grad():
        now = log_probs_of(tiny_model(seed=3), prompts, responses)

    def near(rows: list[Tensor], size: float) -> list[Tensor]:
        return [row - size * torch.randn(row.shape, generator=generator) for row in rows]

    masks = [torch.ones(len(response), dtype=torch.long) for response in responses]
    for mask in masks[::3]:
        mask[len(mask) // 3 : len(mask) // 2] = 0
    advantages = torch.randn(ROWS, generator=generator)
    advantages[-GROUP:] = 0.0
    old = near(now, 0.35)
    return {
        "prompts": prompts,
        "responses": responses,
        "response_mask": masks,
        "old_log_probs": old,
        "rollout_log_probs": near(old, 0.1),
        "ref_log_prob": near(now, 0.2),
        "rollout_is_weights": [near([torch.ones(len(mask))], 0.2)[0].abs() for mask in masks],
        "advantages": advantages,
        "uid": [f"prompt-{row // GROUP}" for row in range(ROWS)],
    }


def padded(rows: list[Tensor]) -> Tensor:
    """[B, T]."""
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
