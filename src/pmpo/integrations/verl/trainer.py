"""verl's trainers with what an objective must know of the whole batch: `trainer.v1.trainer_mode=pmpo`.

Rewards, the progress of the training and the rows that verl added do not reach verl's loss. This puts them beside the
batch before the actor's updates, and the catalogue's metrics into what verl logs.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import ray
import torch
import transfer_queue as tq
from omegaconf import DictConfig, open_dict
from verl.trainer.ppo.utils import Role
from verl.trainer.ppo.v1 import PPOTrainerSync, register_trainer

import pmpo
from pmpo.engine.batch_statistics import range_warning, reward_facts
from pmpo.engine.drift import changes
from pmpo.foundation.files import write_json
from pmpo.foundation.versions import library_versions
from pmpo.integrations.verl import metrics as windows
from pmpo.integrations.verl.checks import check_config
from pmpo.integrations.verl.chosen import NAME, objective_of
from pmpo.integrations.verl.host import non_tensor
from pmpo.integrations.verl.worker import FACTS, ObjectiveWorker

_log = logging.getLogger("pmpo.verl")
IDENTITY = "pmpo.json"
"""Beside verl's files of a checkpoint: the objective, and how many updates it has made."""


@register_trainer(NAME)
class ObjectiveTrainer(PPOTrainerSync):
    """verl's synchronous trainer; rollouts, rewards, advantages, checkpoints and logging are verl's."""

    def __init__(self, config: DictConfig) -> None:
        check_config(config)
        with open_dict(config):
            config.trainer.v1.trainer_mode = "sync"  # verl's base class compares this name
        super().__init__(config)
        self.objective = objective_of(config.actor_rollout_ref.actor.policy_loss)
        self._updates = 0
        self._warned = False

    def _init_resource_pool_mgr(self) -> None:
        super()._init_resource_pool_mgr()
        for role in (Role.Actor, Role.ActorRollout, Role.ActorRolloutRef):
            if role in self.role_worker_mapping:
                self.role_worker_mapping[role] = ray.remote(ObjectiveWorker)

    def _update_actor(self, batch: Any, metrics: dict[str, Any]) -> Any:
        actor = self.config.actor_rollout_ref.actor
        updates = len(batch) // (actor.ppo_mini_batch_size * self.config.actor_rollout_ref.rollout.n) * actor.ppo_epochs
        rewards_B, uids = self._rewards(batch)
        facts = {name: float(value) for name, value in reward_facts(rewards_B).items()}
        remaining = self.total_training_steps - self.global_steps + 1
        facts |= {"first_update": self._updates, "updates": self._updates + remaining * updates}
        batch.extra_info[FACTS] = facts
        batch = super()._update_actor(batch, metrics)
        batch.extra_info.pop(FACTS, None)
        self._updates += updates
        metrics.update(windows.received(metrics, self._ranks()) | windows.of_rewards(rewards_B, uids))
        return batch

    def _rewards(self, batch: Any) -> tuple[torch.Tensor, list[Any]]:
        """R of the round's completions, [B], NaN where one has none, and their prompts; no rows that verl added."""
        keys = [key for key, tag in zip(batch.keys, batch.tags, strict=True) if not tag.get("is_padding", False)]
        data = tq.kv_batch_get(keys=keys, partition_id=batch.partition_id, select_fields=["rm_scores", "uid"])
        rewards_B = data["rm_scores"].to_padded_tensor(0.0).sum(dim=1)
        warning = range_warning(self.objective, rewards_B)
        if warning is not None and not self._warned:
            _log.warning(warning)
            self._warned = True
        return rewards_B, list(non_tensor(data, "uid"))

    def _ranks(self) -> int:
        return max(self.actor_rollout_wg._dispatch_info["actor"]) + 1

    def _save_checkpoint(self) -> None:
        super()._save_checkpoint()
        identity = {
            "objective": self.objective.to_mapping(),
            "updates": self._updates,
            "versions": library_versions(),
            "pmpo": pmpo.__version__,
        }
        write_json(self._folder() / IDENTITY, identity)

    def _load_checkpoint(self) -> None:
        super()._load_checkpoint()
        if self.global_steps == 0:
            return
        path = self._folder() / IDENTITY
        if not path.exists():
            _log.warning("%s has no %s, so it is another trainer's: updates count from 0.", path.parent, IDENTITY)
            return
        identity = json.loads(path.read_text())
        self._updates = identity["updates"]
        for change in changes({"objective": identity["objective"]}, {"objective": self.objective.to_mapping()}):
            _log.warning("The run to resume from %s had another objective: %s.", path.parent, change)

    def _folder(self) -> Path:
        """Of the checkpoint of this step."""
        trainer = self.config.trainer
        if trainer.resume_mode == "resume_path" and f"global_step_{self.global_steps}" in str(trainer.resume_from_path):
            return Path(trainer.resume_from_path)
        return Path(trainer.default_local_dir) / f"global_step_{self.global_steps}"
