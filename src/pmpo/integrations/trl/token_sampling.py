"""The part of `PMPOTrainer` that keeps a small sample of its completions token by token, in tokens.jsonl."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import TrainerCallback

from pmpo.engine.token_log import TokenLog
from pmpo.engine.token_sample import MicroBatch, TokenSampler
from pmpo.integrations.trl.host.hooks import HostTrainer
from pmpo.objective.policy_loss import PolicyLoss
from pmpo.objective.presets import Objective


class SamplesTokens(HostTrainer):
    """TRL's trainer that remembers the micro-batches of the newest update; on the first process alone."""

    policy_objective: Objective

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._token_sampler: TokenSampler | None = None
        if self.args.token_samples > 0 and self.accelerator.is_main_process:
            self._token_sampler = TokenSampler(self.args.token_samples, self.args.seed)

    def offer_tokens(self, result: PolicyLoss, log_probs_BT: Tensor, inputs: dict[str, Any]) -> None:
        """A micro-batch that a training loss was computed from."""
        if self._token_sampler is not None and self.mode == "train":
            names = ("prompt_ids", "prompt_mask", "completion_ids", "completion_mask")
            batch = MicroBatch(result, log_probs_BT.detach(), *(inputs[name] for name in names))
            self._token_sampler.offer(self.state.global_step, batch)

    def take_tokens(self) -> list[dict[str, Any]]:
        """The sample of the newest update, once; [] without one."""
        if self._token_sampler is None:
            return []
        return self._token_sampler.take(self.policy_objective, lambda ids: self._text_of(tuple(ids)))

    @functools.cached_property
    def _text_of(self) -> Callable[[tuple[int, ...]], str]:
        """The text of a few ids. One token behind another comes up again and again, and a tokenizer takes its time."""

        @functools.lru_cache(maxsize=1 << 16)
        def text_of(ids: tuple[int, ...]) -> str:
            text: str = self.text_tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
            return text

        return text_of


class TokenCallback(TrainerCallback):
    """Appends a sample of the update behind every log event to `<output_dir>/tokens.jsonl`."""

    def __init__(self, trainer: SamplesTokens) -> None:
        self.trainer = trainer
        self.log = TokenLog(Path(trainer.args.output_dir) / "tokens.jsonl")
        self._warned = False

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.is_world_process_zero:
            self.log.begin(state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        if logs is None or "loss" not in logs:
            return
        completions = self.trainer.take_tokens()
        if not completions:
            return
        problem = self.log.append(state.global_step, {"completions": completions})
        if problem is not None and not self._warned:
            self._warned = True
            warnings.warn(
                f"A sample of tokens could not be written to {self.log.path} ({problem.strerror or problem}) and is "
                "left out. The run goes on; token_samples=0 keeps no samples.",
                stacklevel=2,
            )
