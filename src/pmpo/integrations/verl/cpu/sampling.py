"""Batched sampling with transformers' `generate`: a random stream for each completion, log-probabilities beside."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)


@dataclass(frozen=True)
class Distribution:
    """How tokens are drawn: temperature 0 takes the likeliest; top_p=1 and top_k<1 leave every token in."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = -1

    def warpers(self) -> LogitsProcessorList:
        """transformers' own, in the order of vLLM: temperature, top-k, top-p."""
        found: list[LogitsProcessor] = []
        if self.temperature not in (0.0, 1.0):
            found.append(TemperatureLogitsWarper(float(self.temperature)))
        if self.temperature and self.top_k > 0:
            found.append(TopKLogitsWarper(self.top_k))
        if self.temperature and self.top_p < 1.0:
            found.append(TopPLogitsWarper(self.top_p))
        return LogitsProcessorList(found)


@dataclass(frozen=True)
class Request:
    """One completion to make.

    Attributes:
        prompt: token ids.
        most: the largest number of tokens.
        seed: of the completion's own random stream.
        forced: the completion to replay instead of sampling; its log-probabilities are the model's.
    """

    prompt: list[int]
    most: int
    seed: int
    forced: list[int] | None = None


@dataclass(frozen=True)
class Completion:
    """Token ids with the end token if there is one, and the log-probability of each, nats."""

    tokens: list[int]
    log_probs: list[float]


def seed_of(*parts: Any) -> int:
    """A seed in [0, 2^63) from numbers and lists of numbers, the same in every process."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "big") >> 1


class DrawTokens(LogitsProcessor):
    """Draws every row's token itself and leaves `generate`, decoding greedily, no other choice.

    Sampling by the largest log p + Gumbel noise, with the noise from the row's own stream: a completion then depends
    neither on the others in its batch nor on the order in which requests came.
    """

    def __init__(self, requests: Sequence[Request], distribution: Distribution) -> None:
        self.requests, self.distribution = requests, distribution
        self.warpers = distribution.warpers()
        self.streams = [torch.Generator().manual_seed(request.seed) for request in requests]
        self.log_probs: list[torch.Tensor] = []

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        log_probs_BV = torch.log_softmax(self.warpers(input_ids, scores.float()), dim=-1)
        chosen_B1 = self._chosen(log_probs_BV).unsqueeze(1)
        self.log_probs.append(log_probs_BV.gather(1, chosen_B1).squeeze(1))
        return torch.full_like(log_probs_BV, float("-inf")).scatter(1, chosen_B1, 0.0)

    def _chosen(self, log_probs_BV: torch.Tensor) -> torch.Tensor:
        scores_BV = log_probs_BV
        if self.distribution.temperature:
            noise = [torch.empty(log_probs_BV.shape[1]).exponential_(generator=stream) for stream in self.streams]
            scores_BV = log_probs_BV - torch.stack(noise).log()
        chosen_B = scores_BV.argmax(dim=1)
        step = len(self.log_probs)
        for row, request in enumerate(self.requests):
            if request.forced is not None and step < len(request.forced):
                chosen_B[row] = request.forced[step]
        return chosen_B


@torch.no_grad()
def complete(
    model: Any, requests: Sequence[Request], distribution: Distribution, pad: int, ends: Sequence[int]
) -> list[Completion]:
    """One `generate` for all requests, prompts padded on the left.

    Args:
        pad: id that fills up prompts.
        ends: ids that end a completion.
    Returns: a completion for each request, in their order.
    """
    width = max(len(request.prompt) for request in requests)
    ids_BT = torch.tensor([[pad] * (width - len(request.prompt)) + request.prompt for request in requests])
    mask_BT = torch.tensor([[0] * (width - len(r.prompt)) + [1] * len(r.prompt) for r in requests])
    draw = DrawTokens(requests, distribution)
    settings = GenerationConfig(
        max_new_tokens=max(request.most for request in requests),
        do_sample=False,
        eos_token_id=list(ends) or None,
        pad_token_id=pad,
    )
    made_BT = model.generate(
        ids_BT, attention_mask=mask_BT, generation_config=settings, logits_processor=LogitsProcessorList([draw])
    )[:, width:]
    log_probs_BT = torch.stack(draw.log_probs, dim=1)
    return [
        _ended(request, tokens, log_probs, set(ends))
        for request, tokens, log_probs in zip(requests, made_BT.tolist(), log_probs_BT.tolist(), strict=True)
    ]


def _ended(request: Request, tokens: list[int], log_probs: list[float], ends: set[int]) -> Completion:
    """Without what `generate` filled up behind the end token, or behind this request's own limit."""
    if request.forced is not None:
        length = min(len(request.forced), len(tokens))
    else:
        length = next((i + 1 for i, token in enumerate(tokens) if token in ends), len(tokens))
    length = min(length, request.most)
    return Completion(tokens[:length], log_probs[:length])
