"""Completions from a model that is loaded here already: before, during and after training."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from pmpo.engine.decoding import Decoder
from pmpo.evaluation.generation import Completion, Sampling
from pmpo.tasks.pictures import Picture

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class InProcessGenerator:
    """A `Generator` over a loaded model. The model's mode and torch's random state are left as they were, so that a
    training run with evaluations takes the same steps as a run without.

    Attributes:
        model: any causal language model with `generate`, on its device. A model that a trainer has wrapped is unwrapped
            by the caller.
        tokenizer: the model's; padding happens on the left, whatever side it is set to.
        batch_size: prompts generated together; another one can change sampled results.
        processor: of a vision-language model; needed for prompts with pictures.
    """

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    batch_size: int = 64
    processor: Any = None

    def generate(
        self,
        prompts: Sequence[str | list[int]],
        sampling: Sampling,
        seed: int,
        pictures: Sequence[Sequence[Picture]] | None = None,
    ) -> list[Completion]:
        """One completion per prompt, in their order.

        Args:
            prompts: texts, or the ids of prompts that are tokenized already.
            pictures: of each prompt, which is then a text, in the order of its marks; decoded batch by batch.
        Raises: ValueError when the tokenizer has neither padding nor end-of-sequence token, or a number is out of
            range.
        """
        check_sampling(sampling)
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {self.batch_size}.")
        completions: list[Completion] = []
        with undisturbed(self.model, seed):
            for start in range(0, len(prompts), self.batch_size):
                rows = slice(start, start + self.batch_size)
                completions += self._batch(list(prompts[rows]), pictures[rows] if pictures else (), sampling)
        return completions

    @torch.no_grad()
    def _batch(
        self, prompts: list[str | list[int]], pictures: Sequence[Sequence[Picture]], sampling: Sampling
    ) -> list[Completion]:
        tokenizer = self.tokenizer
        end = self.model.generation_config.eos_token_id
        end = tokenizer.eos_token_id if end is None else end
        pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        if pad is None:
            raise ValueError(
                "The tokenizer has neither a padding nor an end-of-sequence token, so prompts cannot be batched; "
                "set tokenizer.pad_token."
            )
        sees = hasattr(self.processor, "image_processor")
        image_token = getattr(self.model.config, "image_token_id", None) if sees else None
        inputs = self._inputs(prompts, pictures, pad)
        ids_BT = inputs.pop("input_ids")
        width = ids_BT.shape[1]
        config = _generation_config(sampling, pad, end, image_token)
        rows = Decoder(self.model)(ids_BT, **inputs, generation_config=config)[:, width:].tolist()
        texts = tokenizer.batch_decode(rows, skip_special_tokens=True)
        lengths = [generated_length(row, end, sampling.max_new_tokens) for row in rows]
        return [Completion(text, *length) for text, length in zip(texts, lengths, strict=True)]

    def _inputs(
        self, prompts: list[str | list[int]], pictures: Sequence[Sequence[Picture]], pad: int
    ) -> dict[str, Any]:
        """What the model takes, padded on the left."""
        device = self.model.device
        if any(pictures):
            images = [[picture.open() for picture in own] for own in pictures]
            made = self.processor(text=prompts, images=images, padding=True, padding_side="left", return_tensors="pt")
            return dict(made.to(device, self.model.dtype))  # whole numbers keep their type
        encoded = [
            self.tokenizer(prompt)["input_ids"] if isinstance(prompt, str) else list(prompt) for prompt in prompts
        ]
        width = max(map(len, encoded))
        # Padded by hand: the tokenizer's own padding needs its padding token and side changed and put back.
        ids_BT = torch.tensor([[pad] * (width - len(ids)) + ids for ids in encoded], device=device)
        mask_BT = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in encoded], device=device)
        return {"input_ids": ids_BT, "attention_mask": mask_BT}


def _generation_config(sampling: Sampling, pad: int, end: Any, image_token: int | None) -> Any:
    from transformers import GenerationConfig

    drawn = {
        "do_sample": True,
        "temperature": sampling.temperature,
        "top_k": sampling.top_k,
        "top_p": sampling.top_p,
    }
    return GenerationConfig(
        max_new_tokens=sampling.max_new_tokens,
        pad_token_id=pad,
        eos_token_id=end,
        # Left unset, these would come from the model's own generation settings, which trainers change.
        use_cache=True,
        repetition_penalty=1.0,
        # Written by the model, it would be a place for a picture that is not there.
        suppress_tokens=None if image_token is None else [image_token],
        **(drawn if sampling.temperature > 0 else {"do_sample": False}),
    )


def generated_length(row: Sequence[int], end: int | Sequence[int] | None, longest: int) -> tuple[int, bool]:
    """(tokens up to and with the first end token, whether there is none) of one row of generated ids."""
    ends = {end} if isinstance(end, int) else set(end or ())
    stop = next((place for place, token in enumerate(row) if token in ends), None)
    return (min(len(row), longest), True) if stop is None else (stop + 1, False)


def check_sampling(sampling: Sampling) -> None:
    """Raise ValueError for a number out of range."""
    if sampling.max_new_tokens < 1:
        raise ValueError(f"max_new_tokens must be at least 1, got {sampling.max_new_tokens}.")
    if not 0.0 <= sampling.temperature < math.inf:
        raise ValueError(f"temperature must be 0 (greedy) or positive, got {sampling.temperature}.")
    if not 0.0 < sampling.top_p <= 1.0:
        raise ValueError(f"top_p must be above 0 and at most 1, got {sampling.top_p}.")
    if sampling.top_k < 0:
        raise ValueError(f"top_k must be 0 (all tokens) or positive, got {sampling.top_k}.")


@contextmanager
def undisturbed(model: "PreTrainedModel", seed: int) -> Iterator[None]:
    """Evaluation mode and a random state of its own; afterwards the modes and torch's states are back."""
    # Module by module, since a model in training can hold modules that were frozen in evaluation mode.
    modes = [(module, module.training) for module in model.modules()]
    # fork_rng covers the CPU and, named here, every CUDA device, since seeding reaches them all; not Apple's.
    apple_state = torch.mps.get_rng_state() if model.device.type == "mps" else None
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        model.eval()
        try:
            yield
        finally:
            for module, training in modes:
                module.training = training
            if apple_state is not None:
                torch.mps.set_rng_state(apple_state)
