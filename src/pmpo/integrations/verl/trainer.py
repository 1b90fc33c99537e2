"""verl's trainer with what an objective must know of the whole batch: `trainer.v1.trainer_mode=pmpo`.

Rewards, the progress of the training and the rows that verl added do not reach verl's loss. This puts them beside the
batch before the actor's updates, and the catalogue's metrics into what verl logs.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, open_dict
from verl.trainer.ppo.v1 import register_trainer

import pmpo
from pmpo.engine.batch_statistics import range_warning, reward_facts
from pmpo.engine.drift import changes
from pmpo.foundation.files import write_json
from pmpo.foundation.versions import library_versions
from pmpo.integrations.verl import metrics as windows
from pmpo.integrations.verl.checks import check_config
from pmpo.integrations.verl.chosen import NAME, objective_of
from pmpo.integrations.verl.host_trainer import VerlTrainer
from pmpo.integrations.verl.worker import FACTS, ObjectiveWorker

_log = logging.getLogger("pmpo.verl")
IDENTITY = "pmpo.json"
"""Beside verl's files of a checkpoint: the objective, and how many updates it has made."""


@register_trainer(NAME)
class ObjectiveTrainer(VerlTrainer):
    """verl's synchronous trainer for an objective of the family."""

    actor_worker = ObjectiveWorker

    def __init__(self, config: DictConfig) -> None:
        check_config(config)
        with open_dict(config):
            config.trainer.v1.trainer_mode = "sync"  # verl's base class compares this name
        super().__init__(config)
        self.objective = objective_of(config.actor_rollout_ref.actor.policy_loss)
        self.updates_made = 0
        self.warned = False

    def update_actor(self, batch: Any, metrics: dict[str, Any]) -> Any:
        actor = self.config.actor_rollout_ref.actor
        updates = len(batch) // (actor.ppo_mini_batch_size * self.config.actor_rollout_ref.rollout.n) * actor.ppo_epochs
        rewards_B, uids = self.rewards_of_round(batch)
        self.warn_of_range(rewards_B)
        facts = {name: float(value) for name, value in reward_facts(rewards_B).items()}
        remaining = self.total_training_steps - self.global_steps + 1
        facts |= {"first_update": self.updates_made, "updates": self.updates_made + remaining * updates}
        batch.extra_info[FACTS] = facts
        batch = super().update_actor(batch, metrics)
        batch.extra_info.pop(FACTS, None)
        self.updates_made += updates
        metrics.update(windows.received(metrics, self.ranks) | windows.of_rewards(rewards_B, uids))
        return batch

    def warn_of_range(self, rewards_B: Any) -> None:
        """Say once that rewards leave the range that the objective reads them in."""
        warning = None if self.warned else range_warning(self.objective, rewards_B)
        if warning is not None:
            _log.warning(warning)
            self.warned = True

    def checkpoint_saved(self, folder: Path) -> None:
        identity = {
            "objective": self.objective.to_mapping(),
            "updates": self.updates_made,
            "versions": library_versions(),
            "pmpo": pmpo.__version__,
        }
        write_json(folder / IDENTITY, identity)

    def checkpoint_loaded(self, folder: Path) -> None:
        path = folder / IDENTITY
        if not path.exists():
            _log.warning("%s has no %s, so it is another trainer's: updates count from 0.", folder, IDENTITY)
            return
        identity = json.loads(path.read_text())
        self.updates_made = identity["updates"]
        for change in changes({"objective": identity["objective"]}, {"objective": self.objective.to_mapping()}):
            _log.warning("The run to resume from %s had another objective: %s.", folder, change)
