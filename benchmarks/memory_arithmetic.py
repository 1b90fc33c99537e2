"""Bytes of an update on long completions: what scale_memory leaves out, and what is set where."""

from __future__ import annotations

from dataclasses import dataclass

from pmpo.integrations.trl.head.log_probs import TOKENS, WORDS
from scale_counted import loss_bytes
from scale_memory import activation_bytes, kv_bytes, logits_bytes, state_bytes
from scale_shapes import BF16, FP32, Model

MODELS = (
    Model("0.5B", 24, 896, 4864, 14, 2, 64, 151_936, tied=True),
    Model("1.5B", 28, 1536, 8960, 12, 2, 128, 151_936, tied=True),
    Model("7B", 28, 3584, 18_944, 28, 4, 128, 152_064),
    Model("14B", 48, 5120, 13_824, 40, 8, 128, 152_064),
)
LENGTHS = (3_000, 8_192, 16_384, 32_768)
PROMPT = 200
GROUP = 8
"""Completions that are generated side by side."""
TRLS_TOKENS, TRLS_WORDS = 4096, 32_768


def trl_head_bytes(model: Model, tokens: float) -> float:
    """At the peak of TRL's chunked head in bf16: a tile, and float32 gradients of hidden states and of all weights."""
    return BF16 * min(tokens, TRLS_TOKENS) * TRLS_WORDS + FP32 * (tokens * model.hidden + model.head)


def own_head_bytes(model: Model, tokens: float, precision: str = "bf16x3") -> float:
    """At the peak of ours with float32 weights: a float32 tile, or all logits where they are no larger; float32
    gradients of hidden states and of all weights. On tensor cores a part of the weights thrice and the tile's gradient
    in bf16, too."""
    tile = min(tokens, TOKENS) * min(WORDS, model.vocabulary)
    logits = tokens * model.vocabulary if tokens * model.vocabulary <= TOKENS * WORDS else tile
    halves = BF16 * (tile + 3 * min(WORDS, model.vocabulary) * model.hidden) if precision == "bf16x3" else 0
    return FP32 * logits + halves + FP32 * (tokens * model.hidden + model.head)


@dataclass(frozen=True)
class Update:
    """One completion of `length` tokens in a micro-batch, by one process, GB."""

    model: Model
    length: int

    @property
    def tokens(self) -> int:
        return PROMPT + self.length

    def gigabytes(self) -> dict[str, float]:
        """By kind; activations both ways."""
        model, tokens = self.model, self.tokens
        found = {
            "weights, gradients, Adam": sum(state_bytes(model, 1).values()),
            "activations": activation_bytes(model, tokens, checkpointing=False),
            "activations, checkpointed": activation_bytes(model, tokens),
            "of these, offloaded": model.layers * BF16 * model.hidden * tokens,
            "logits at once": logits_bytes(model, self.length),
            "head of TRL": trl_head_bytes(model, self.length),
            "head of pmpo": own_head_bytes(model, self.length),
            f"KV cache of {GROUP}": GROUP * kv_bytes(model, 1) * tokens,
            "loss": loss_bytes("pmpo") * self.length,
        }
        return {kind: each / 1e9 for kind, each in found.items()}
