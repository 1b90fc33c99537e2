"""verl's synchronous trainer with names of its own for what an adapter needs of it; the private ones stay here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ray
import torch
import transfer_queue as tq
from verl.trainer.ppo.utils import Role
from verl.trainer.ppo.v1 import PPOTrainerSync

from pmpo.integrations.verl.host import non_tensor


class VerlTrainer(PPOTrainerSync):
    """Hooks around verl's trainer; rollouts, rewards, advantages, checkpoints and logging are verl's."""

    actor_worker: type
    """The class of the workers that hold the actor, in the place of verl's."""

    def update_actor(self, batch: Any, metrics: dict[str, Any]) -> Any:
        """All updates of a round; what verl logs of them is in `metrics` afterwards."""
        return super()._update_actor(batch, metrics)

    def checkpoint_saved(self, folder: Path) -> None:
        """Called when verl's files of a checkpoint are in `folder`."""

    def checkpoint_loaded(self, folder: Path) -> None:
        """Called when a run goes on from a checkpoint."""

    def rewards_of_round(self, batch: Any) -> tuple[torch.Tensor, list[Any]]:
        """R of the round's completions, [B], NaN where one has none, and their prompts; no rows that verl added."""
        keys = [key for key, tag in zip(batch.keys, batch.tags, strict=True) if not tag.get("is_padding", False)]
        data = tq.kv_batch_get(keys=keys, partition_id=batch.partition_id, select_fields=["rm_scores", "uid"])
        return data["rm_scores"].to_padded_tensor(0.0).sum(dim=1), list(non_tensor(data, "uid"))

    @property
    def ranks(self) -> int:
        """Data-parallel ranks of the actor."""
        return max(self.actor_rollout_wg._dispatch_info["actor"]) + 1

    def _init_resource_pool_mgr(self) -> None:
        super()._init_resource_pool_mgr()
        for role in (Role.Actor, Role.ActorRollout, Role.ActorRolloutRef):
            if role in self.role_worker_mapping:
                self.role_worker_mapping[role] = ray.remote(self.actor_worker)

    def _update_actor(self, batch: Any, metrics: dict[str, Any]) -> Any:
        return self.update_actor(batch, metrics)

    def _save_checkpoint(self) -> None:
        super()._save_checkpoint()
        self.checkpoint_saved(Path(self.config.trainer.default_local_dir) / f"global_step_{self.global_steps}")

    def _load_checkpoint(self) -> None:
        super()._load_checkpoint()
        trainer = self.config.trainer
        if self.global_steps:
            given = trainer.resume_from_path if trainer.resume_mode == "resume_path" else None
            self.checkpoint_loaded(Path(given or Path(trainer.default_local_dir) / f"global_step_{self.global_steps}"))
