"""verl's actor worker with the facts of the whole step around each update.

The trainer of `pmpo.integrations.verl.trainer` puts these classes in the place of verl's. The engine, the loss function
with its entropy and KL terms, the optimiser and the checkpoints stay verl's.
"""

from __future__ import annotations

from typing import Any

import torch
from tensordict import TensorDict
from torch import Tensor
from verl.workers.engine_workers import ActorRolloutRefWorker, TrainingWorker

from pmpo.integrations.verl import metrics
from pmpo.integrations.verl.chosen import objective_of
from pmpo.integrations.verl.host import is_padding, non_tensor, padded, put_non_tensor
from pmpo.integrations.verl.step import Step, current_step, during
from pmpo.objective.presets import Objective

FACTS = "pmpo"
"""The entry of a round's batch under which the trainer sends its facts."""


class MeasuredLoss:
    """verl's loss function; hands the sampler's log-probabilities in, and logs what the policy loss came to."""

    def __init__(self, loss_fn: Any) -> None:
        self.loss_fn = loss_fn

    def __call__(self, model_output: Any, data: TensorDict, dp_group: Any = None) -> tuple[Tensor, dict[str, Any]]:
        step = current_step()
        if step is None:
            return self.loss_fn(model_output=model_output, data=data, dp_group=dp_group)
        step.sampler_log_probs = padded(data, "rollout_log_probs")
        step.result = None
        loss, logged = self.loss_fn(model_output=model_output, data=data, dp_group=dp_group)
        if step.result is not None:
            result, mask_BT, log_probs_BT = step.result
            logged.update(metrics.sent(result, mask_BT, padded(data, "ref_log_prob"), log_probs_BT))
        return loss, logged


class ObjectiveTrainingWorker(TrainingWorker):
    """The actor's worker: opens a step around each update, with what the objective needs to know of it."""

    _facts: dict[str, Any] | None = None
    _updates = 0

    def set_loss_fn(self, loss_fn: Any) -> None:
        keywords = getattr(loss_fn, "keywords", {})
        self.objective: Objective = objective_of(keywords["config"].policy_loss)
        super().set_loss_fn(MeasuredLoss(loss_fn))

    def train_mini_batch(self, data: TensorDict) -> TensorDict:
        """All updates of a round; the trainer's facts come with it."""
        self._facts, self._updates = non_tensor(data, FACTS), 0
        data.pop(FACTS, None)
        return super().train_mini_batch(data)

    def train_batch(self, data: TensorDict) -> TensorDict:
        """One update."""
        if self._facts is None:
            return super().train_batch(data)
        put_non_tensor(data, global_batch_size=self._completions(data))
        step = Step(facts=self._facts_of_update())
        if "ratio_sums" in self.objective.needs:
            step.ratio_sums = self._ratio_sums(data, step)
        self._updates += 1
        with during(step):
            return super().train_batch(data)

    def _facts_of_update(self) -> dict[str, Any]:
        """Fields of `BatchContext` for the update at hand; its number counts through the whole training."""
        facts = dict(self._facts or {})
        step = facts.pop("first_update") + self._updates
        updates = facts.pop("updates")
        return {**facts, "step": step, "progress": min(1.0, step / max(1, updates - 1))}

    def _completions(self, data: TensorDict) -> int:
        """N of the update over all ranks, without the rows that verl added."""
        uids = non_tensor(data, "uid")
        rows = len(data) if uids is None else sum(not is_padding(uid) for uid in uids)
        return max(1, int(self._summed(torch.tensor([rows], dtype=torch.float64))[0]))

    def _ratio_sums(self, data: TensorDict, step: Step) -> Tensor:
        """Sums over the step's ratios, by a pass over its micro-batches without gradient, before any is trained on."""
        put_non_tensor(
            data,
            use_remove_padding=self.model_config.get("use_remove_padding", False),
            use_dynamic_bsz=self.engine_config.use_dynamic_bsz,
            max_token_len_per_gpu=self.engine_config.max_token_len_per_gpu,
            micro_batch_size_per_gpu=self.engine_config.micro_batch_size_per_gpu,
            use_fused_kernels=self.engine_config.use_fused_kernels,
        )
        step.sums = []
        with during(step), self.engine.eval_mode(disable_auto_offload=True):
            self.engine.infer_batch(data, loss_function=self.loss_fn)
        sums, step.sums = torch.stack(step.sums).sum(dim=0), None
        return self._summed(sums)

    def _summed(self, values: Tensor) -> Tensor:
        """The sum over ranks."""
        group = self.engine.get_data_parallel_group()
        values = values.to(self.device_name)
        if group is not None:
            torch.distributed.all_reduce(values, group=group)
        return values


class ObjectiveWorker(ActorRolloutRefWorker):
    """verl's worker for actor, rollout and reference, with our actor."""

    actor_worker_cls = ObjectiveTrainingWorker
