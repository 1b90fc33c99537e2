"""The part of `PMPOTrainer` that breaks a run as real runs are broken, on purpose: old rollouts and a noisy sampler.

`rollout_staleness` = k samples every round with the weights of k rounds ago, as asynchronous generation does;
`sampler_noise` = σ samples from logits with Gaussian noise of that size on them, as another engine, FP8 or the routing
of experts does. Both make a run worse and cure nothing: they are there to compare what objectives stand.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from pmpo.integrations.trl.host.hooks import HostTrainer
from pmpo.integrations.trl.sampler_log_probs import SamplerWatch

Weights = dict[str, Tensor]


class Regimes(HostTrainer):
    """TRL's trainer, sampling by weights of `args.rollout_staleness` rounds ago, with `args.sampler_noise`.

    A round then has the sampler's own log-probabilities beside it, as one of vLLM's has.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Trained weights at the start of the newest rounds, oldest first: the sampler's are the first.
        self.weights_of_rounds: deque[Weights] = deque(maxlen=self.args.rollout_staleness + 1)
        if self._regime and self.rollout_func is not None:
            raise ValueError(
                "rollout_staleness and sampler_noise change how this trainer samples, and a rollout_func samples in "
                "its own way: remove one of them."
            )
        if self._regime and (self.is_fsdp_enabled or self.is_deepspeed_enabled):  # by the launcher, unseen by `args`
            raise ValueError(
                "rollout_staleness and sampler_noise sample from whole weights, and the launcher's configuration "
                "shards them: remove the two, or launch with DDP (accelerate_config: multi_gpu)."
            )

    @property
    def _regime(self) -> bool:
        return self.args.rollout_staleness > 0 or self.args.sampler_noise > 0.0

    def make_round(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        if self.mode == "train" and self.args.rollout_staleness:
            self.weights_of_rounds.append(_trained_weights(self._bare_model()))
        return super().make_round(rows)

    def complete(
        self,
        prompt_ids: list[list[int]],
        images: list[Any] | None,
        fields: dict[str, Any],
        num_generations: int,
        has_tool_images: bool = False,
    ) -> tuple[list[list[int]], Any]:
        """In training by the regime's sampler, with its log-probabilities; as TRL's where there is no regime."""
        if not (self._regime and self.mode == "train"):
            return super().complete(prompt_ids, images, fields, num_generations, has_tool_images)
        model = self._bare_model()
        watch = SamplerWatch(self.args.sampler_noise, self.args.temperature)
        old = self.weights_of_rounds[0] if self.args.rollout_staleness else None
        with _weights(model, old), watch.on(model):
            completion_ids, _ = super().complete(prompt_ids, images, fields, num_generations, has_tool_images)
        return completion_ids, watch.log_probs(completion_ids)

    def _bare_model(self) -> nn.Module:
        """The model whose `forward` is called while generating: without wrappers and adapters' shells."""
        model = self.accelerator.unwrap_model(self.model)
        return model.get_base_model() if hasattr(model, "get_base_model") else model


@contextlib.contextmanager
def _weights(model: nn.Module, weights: Weights | None) -> Iterator[None]:
    """`model` with other trained weights for a while; None leaves it."""
    if weights is None:
        yield
        return
    own = {name: parameter.data for name, parameter in model.named_parameters() if name in weights}
    try:
        for name, parameter in model.named_parameters():
            if name in weights:
                parameter.data = weights[name].to(parameter.device)
        yield
    finally:
        for name, parameter in model.named_parameters():
            if name in own:
                parameter.data = own[name]


@torch.no_grad()
def _trained_weights(model: nn.Module) -> Weights:
    """A copy in main memory of what training changes."""
    return {
        name: parameter.detach().to("cpu", copy=True)
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }


def regime_warning(args: Any) -> str | None:
    """That a run is in a regime, which is no way to train; `args` is a `PMPOConfig`."""
    found = []
    if args.rollout_staleness:
        found.append(
            f"rollout_staleness={args.rollout_staleness}: every round is sampled with the weights of "
            f"{args.rollout_staleness} rounds ago."
        )
    if args.sampler_noise:
        found.append(f"sampler_noise={args.sampler_noise:g}: rounds are sampled from logits with noise on them.")
    if not found:
        return None
    found.append(
        "This reproduces what breaks real runs, to compare objectives, and makes a run worse. Remove it to train a "
        "model."
    )
    return " ".join(found)
