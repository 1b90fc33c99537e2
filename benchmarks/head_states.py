"""Hidden states and weights of a language-model head with logits like a trained model's, before and after an update.

Weights are normal with standard deviation 0.02, as Qwen2.5's are initialised and about as they stay; hidden states have
a root mean square of 3, so that a logit's standard deviation is 2.4 at H = 1,536. At every position six tokens then get
the logits of candidates: the best 16 to 24, the next a little lower, which gives entropies of 0.5 to 2 nats. The update
moves every weight by at most `8 · 1e-6`, what eight AdamW steps at 1e-6 can, and every hidden state at random by 0.5 %
of its size at the median; the 16-bit model by a step that its weights can hold. Weights are drawn by parts, again
whenever they are needed, so that the head of a large vocabulary never lies in memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

VOCABULARY = 151_936
"""Of Qwen2.5 up to 3B; 152,064 from 7B on."""
PART = 8192
WEIGHT, HIDDEN = 0.02, 3.0
CANDIDATES = 6
STEP, STEP_16 = 8e-6, 3e-5
"""Largest change of a weight: eight updates at 1e-6; of bfloat16 weights, of which those that round away stay."""


@dataclass(frozen=True)
class Case:
    """A head and `tokens` positions.

    Attributes:
        half: whether weights and hidden states are kept in bfloat16, as in training in pure bfloat16; else float32,
            as under autocast with float32 masters, TRL's default.
    """

    hidden: int
    tokens: int
    half: bool
    vocabulary: int = VOCABULARY

    def rounded(self, x: Tensor) -> Tensor:
        """As the model keeps it."""
        return x.bfloat16() if self.half else x

    def weights(self, number: int) -> Tensor:
        """Part `number` of the head before the update, unrounded."""
        count = min(PART, self.vocabulary - number * PART)
        return WEIGHT * torch.randn(count, self.hidden, generator=_seeded(1000 + number))

    def parts(self) -> Iterator[tuple[int, Tensor, Tensor]]:
        """First token, and weights before and after the update."""
        for number in range(-(-self.vocabulary // PART)):
            before = self.weights(number)
            change = 2 * torch.rand(before.shape, generator=_seeded(9000 + number)) - 1
            after = before + (STEP_16 if self.half else STEP) * change
            yield number * PART, self.rounded(before), self.rounded(after)

    def hidden_states(self) -> tuple[Tensor, Tensor]:
        """Before and after the update, [N, H]."""
        g, weights = _seeded(5), self.weights(0)
        states = HIDDEN * torch.randn(self.tokens, self.hidden, generator=g)
        chosen = torch.randint(weights.shape[0], (self.tokens, CANDIDATES), generator=g)
        best = 16 + 8 * torch.rand(self.tokens, 1, generator=g)
        gaps = 3 * torch.rand(self.tokens, 1, generator=g) * torch.rand(self.tokens, CANDIDATES, generator=g)
        wanted = best - gaps.cumsum(1)
        for _ in range(3):  # candidates' weights are nearly orthogonal: three rounds settle all of them
            for k in range(CANDIDATES):
                row = weights[chosen[:, k]]
                missing = wanted[:, k] - (states * row).sum(1)
                states = states + (missing / row.square().sum(1))[:, None] * row
        size = states.norm(dim=1, keepdim=True) / math.sqrt(self.hidden)
        moved = 5e-3 * torch.exp(1.4 * torch.randn(self.tokens, 1, generator=g))
        after = states + moved * size * torch.randn(states.shape, generator=g)
        return self.rounded(states), self.rounded(after)


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
