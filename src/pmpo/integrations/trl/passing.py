"""The part of `PMPOTrainer` that sends a micro-batch through the model without what nobody needs: padding, and the
backward pass of completions that have no gradient."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pmpo.engine.passes import Pass, passes_of
from pmpo.integrations.trl.decoding import drops_out
from pmpo.integrations.trl.host.hooks import HostTrainer
from pmpo.objective.presets import Objective

OF_PICTURES = (
    "pixel_values", "image_grid_thw", "num_images", "pixel_attention_mask", "spatial_shapes", "num_tiles",
    "image_sizes", "token_type_ids", "mm_token_type_ids", "image_position_ids",
)  # fmt: skip
"""Entries of a round that the forward pass takes beside tokens."""
_OF_TOKENS = (
    "completion_ids", "completion_mask", "tool_mask", "old_per_token_logps", "ref_per_token_logps",
    "sampling_per_token_logps", "importance_sampling_ratio",
)  # fmt: skip
"""Entries of a round with a column for every token of the completions; the last may have one alone."""
_OVERHEAD = {"cpu": 128}
_OVERHEAD_OF_DEVICES = 2048
"""Tokens of a model that take as long as what one pass more does beside them."""


class Completions(NamedTuple):
    """Of those of a micro-batch, how many tokens each has, and whether its advantage is not 0."""

    lengths: list[int]
    has_gradient: list[bool]


class PassesWithoutWaste(HostTrainer):
    """TRL's trainer, whose micro-batches are as wide as their longest completion and go through the model in up to
    `args.passes_per_micro_batch` passes."""

    policy_objective: Objective
    _completions: tuple[Any, list[Completions]] = (None, [])
    """`round_buffer` when they were read, and those of each of its micro-batches."""
    _drops_out: bool | None = None

    def make_round(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        self._completions = (None, [])
        return super().make_round(rows)

    def completions_of(self, inputs: dict[str, Any]) -> Completions | None:
        """What is known of a micro-batch of the round under way, read for all of them at once, so that the host waits
        once a round; None for others, and where a pass must keep its shape."""
        buffer, place = self.round_buffer, self.round_step % self.args.steps_per_generation
        if buffer is None or buffer[place]["completion_mask"] is not inputs["completion_mask"]:
            return None
        if self.args.torch_compile or any(name in inputs for name in OF_PICTURES):
            return None  # it is compiled anew for every width; pictures may have a column for each token of prompts
        if self._completions[0] is not buffer:
            self._completions = buffer, _read(buffer)
        return self._completions[1][place]

    def without_padding(self, inputs: dict[str, Any], completions: Completions) -> dict[str, Any]:
        """A micro-batch without the columns that hold no token of it: TRL pads every one to the longest completion of
        the round."""
        whole, width = inputs["completion_mask"].shape[1], self._padded_width(max(completions.lengths))
        if width >= whole:
            return inputs
        return {
            name: value[:, :width] if name in _OF_TOKENS and value.shape[1] == whole else value
            for name, value in inputs.items()
        }

    def log_probs_in_passes(
        self, model: Any, inputs: dict[str, Any], completions: Completions
    ) -> tuple[Tensor, Tensor]:
        """Log-probabilities and entropies [B, T] of a micro-batch; where the advantage is 0 they may be constants.

        Args:
            inputs: of `log_probs_of`, of text alone. completions: of the same micro-batch.
        """
        passes = self._passes(inputs, completions)
        if len(passes) == 1:
            found, entropies, _ = self.log_probs_of(model, **inputs, compute_entropy=True)
            return found, entropies
        width, results = inputs["logits_to_keep"], []
        for number, one in enumerate(passes, start=1):
            # DDP gets its hooks ready in the last pass; a pass before it asks the model inside.
            inside = model.module if isinstance(model, DistributedDataParallel) and number < len(passes) else model
            results.append(self._one_pass(inside, inputs, one, min(width, self._padded_width(one.width))))
        order = torch.tensor([row for one in passes for row in one.rows], device=results[0][0].device).argsort()
        log_probs_BT, entropies_BT = (
            torch.cat([nn.functional.pad(part, (0, width - part.shape[1])) for part in parts])[order]
            for parts in zip(*results, strict=True)
        )
        return log_probs_BT, entropies_BT

    def _passes(self, inputs: dict[str, Any], completions: Completions) -> list[Pass]:
        most = self.args.passes_per_micro_batch if self._may_divide() else 1
        objective = self.policy_objective
        everywhere = bool(self.beta or objective.kl_coef or objective.old_kl_coef)  # KL reaches every completion
        has_gradient = [length > 0 and (everywhere or has) for length, has in zip(*completions, strict=True)]
        prompt = inputs["input_ids"].shape[1] - inputs["logits_to_keep"]
        overhead = _OVERHEAD.get(self.accelerator.device.type, _OVERHEAD_OF_DEVICES)
        return passes_of(completions.lengths, has_gradient, prompt, most, overhead)

    def _may_divide(self) -> bool:
        """Sharded weights are gathered by all processes for every pass, so all must make as many; dropout would draw
        other numbers."""
        if self._drops_out is None:
            self._drops_out = drops_out(self.model)
        return not (self._drops_out or self.is_deepspeed_enabled or self.is_fsdp_enabled)

    def _one_pass(self, model: Any, inputs: dict[str, Any], one: Pass, width: int) -> tuple[Tensor, Tensor]:
        ids = inputs["input_ids"]
        rows = torch.tensor(one.rows, device=ids.device)
        end = ids.shape[1] - inputs["logits_to_keep"] + width
        with torch.set_grad_enabled(one.gradient and torch.is_grad_enabled()):
            found, entropies, _ = self.log_probs_of(
                model,
                input_ids=ids[rows, :end],
                attention_mask=inputs["attention_mask"][rows, :end],
                logits_to_keep=width,
                compute_entropy=True,
            )
        return found, entropies

    def _padded_width(self, tokens: int) -> int:
        multiple = self.pad_to_multiple_of or 1
        return max(1, -(-tokens // multiple) * multiple)


def _read(buffer: list[dict[str, Any]]) -> list[Completions]:
    """Those of the micro-batches of a round."""
    masks = [part["completion_mask"] for part in buffer]
    places_T = torch.arange(1, masks[0].shape[1] + 1, device=masks[0].device)
    lengths_B = torch.cat([(mask_BT * places_T).amax(dim=1) for mask_BT in masks])
    has_gradient_B = torch.cat([part["advantages"] != 0 for part in buffer])
    lengths, has_gradient = torch.stack([lengths_B, has_gradient_B.to(lengths_B)]).tolist()
    ends = list(itertools.accumulate(map(len, masks)))
    parts = [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]
    return [Completions(lengths[part], [has == 1 for has in has_gradient[part]]) for part in parts]
