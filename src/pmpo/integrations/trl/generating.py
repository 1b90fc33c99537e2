"""The part of `PMPOTrainer` that generates a round in pieces of the width that GRPOTrainer would have used.

A round of ours feeds several updates, and is as many times wider than one of GRPOTrainer's. Its completions need not be
sampled side by side: in pieces, one after the other, they take GRPOTrainer's memory and its random numbers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import SequenceClassifierOutput

from pmpo.integrations.trl.host.hooks import HostTrainer


class GeneratesInChunks(HostTrainer):
    """TRL's trainer, generating `args.generation_chunk_size` completions at once; 0 is the whole round."""

    def tokenize_prompts(self, prompts: list[Any]) -> Any:
        """As TRL's; a prompt without a single token, on which a model cannot begin, is the end token."""
        prompt_ids, images, fields = super().tokenize_prompts(prompts)
        return [ids or [self.text_tokenizer.eos_token_id] for ids in prompt_ids], images, fields

    def complete(
        self,
        prompt_ids: list[list[int]],
        images: list[Any] | None,
        fields: dict[str, Any],
        num_generations: int,
        has_tool_images: bool = False,
    ) -> tuple[list[list[int]], Any]:
        """In pieces, each padded to its own longest prompt; what samples or batches in its own way goes whole."""
        size = self.args.generation_chunk_size
        if not self._in_chunks(len(prompt_ids), images, fields, num_generations):
            return super().complete(prompt_ids, images, fields, num_generations, has_tool_images)
        completion_ids: list[list[int]] = []
        log_probs: list[list[float]] = []
        for start in range(0, len(prompt_ids), size):
            rows = slice(start, start + size)
            part = {name: values[rows] for name, values in fields.items()}
            made, sampled = super().complete(prompt_ids[rows], None, part, num_generations)
            completion_ids += made
            log_probs += sampled or []
        return completion_ids, log_probs or None

    def _in_chunks(self, count: int, images: Any, fields: dict[str, Any], num_generations: int) -> bool:
        """Whether `count` completions are made in pieces: after text, in training, by transformers' `generate`.

        Sharded weights are gathered by all processes together, and after a tool call each has its own number of rows.
        """
        sharded = self.is_deepspeed_enabled or self.is_fsdp_enabled
        a_row_each = all(isinstance(values, list) and len(values) == count for values in fields.values())
        return (
            0 < self.args.generation_chunk_size < count
            and self.model.training
            and not (self.use_vllm or self.use_transformers_continuous_batching)
            and (images is None and a_row_each)
            and not (sharded and num_generations == 1)
        )


class InPieces(nn.Module):
    """A reward model that reads no more than `size` completions at once."""

    def __init__(self, model: nn.Module, size: int) -> None:
        super().__init__()
        self.model, self.size = model, size

    def forward(self, **inputs: Tensor) -> SequenceClassifierOutput:
        """The logits of every completion; the tensors of `inputs` have one row for each."""
        count = len(next(iter(inputs.values())))
        logits = [
            self.model(**{name: value[start : start + self.size] for name, value in inputs.items()}).logits
            for start in range(0, count, self.size)
        ]
        return SequenceClassifierOutput(logits=torch.cat(logits))
