"""Completions and who makes them: the seam between an evaluation and the model behind it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Sampling:
    """How a completion is drawn.

    Attributes:
        max_new_tokens: longest completion, tokens.
        temperature: 0 decodes greedily.
        top_p: samples from the smallest set of tokens with this probability, 0..1; 1 takes all.
        top_k: samples from so many most likely tokens; 0 takes all.
    """

    max_new_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model wrote after a prompt.

    Attributes:
        text: without special tokens.
        tokens: how many were generated, an end token included; None where the backend does not say.
        truncated: True when max_new_tokens ended it and not the model; None where the backend does not say.
    """

    text: str
    tokens: int | None
    truncated: bool | None


class Generator(Protocol):
    """Makes completions."""

    def generate(self, prompts: Sequence[str], sampling: Sampling, seed: int) -> list[Completion]:
        """One completion per prompt, in their order; the same for the same arguments.

        A prompt may occur several times, and is then sampled as often. A generator of a vision-language model also
        takes `pictures`, those of each prompt.
        """
        ...


def derived_seed(*parts: object) -> int:
    """A seed of 31 bits from a seed and what it is for: `derived_seed(0, "aime24", 3)`. Stable between versions."""
    text = "\x1f".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


def clean_text(text: str) -> str:
    """The text without lone surrogates, which JSON can carry and UTF-8 files cannot; each becomes U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
