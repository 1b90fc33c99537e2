"""The rollout "pmpo_cpu" as verl sees it: replicas that share one server, and the way of new weights to it."""

from collections.abc import Iterable
from typing import Any

import ray
import torch
from verl.utils.config import omega_conf_to_dataclass
from verl.workers.config import HFModelConfig
from verl.workers.rollout.base import BaseRollout
from verl.workers.rollout.replica import RolloutMode, RolloutReplica

from pmpo.foundation.errors import InputError
from pmpo.integrations.verl.cpu.options import ROLLOUT_NAME, check_rollout
from pmpo.integrations.verl.cpu.server import CPURolloutServer

_SERVER = "pmpo_cpu_rollout_server"


class CPUReplica(RolloutReplica):
    """verl makes a replica for each rank; all of them are one server, as cores are not multiplied by processes.

    `servers` stays empty: nothing has to sleep, to wake up or to give memory back.
    """

    async def launch_servers(self) -> None:
        """Raises: InputError for what this rollout cannot do."""
        check_rollout(self.config)
        if self.is_reward_model or self.is_teacher_model or self.rollout_mode != RolloutMode.HYBRID:
            raise InputError(
                f"The rollout {ROLLOUT_NAME!r} serves the policy in training, beside its trainer: write "
                "trainer.v1.trainer_mode=sync, without a reward model or a teacher of its own."
            )
        model_config = omega_conf_to_dataclass(self.model_config, dataclass_type=HFModelConfig)
        server = ray.remote(CPURolloutServer).options(
            name=_SERVER, get_if_exists=True, num_cpus=0, max_concurrency=self.max_concurrency
        )
        self._server_handle = server.remote(self.config, model_config)
        await self._server_handle.__ray_ready__.remote()
        self._server_address = f"{ROLLOUT_NAME}:{self.replica_rank}"  # a name: nothing listens there

    async def abort_all_requests(self, reject_request: bool = False) -> None:
        """Raises: InputError, as a completion that was begun is not put aside."""
        raise InputError(
            f"The rollout {ROLLOUT_NAME!r} cannot stop in the middle of completions; write "
            "trainer.v1.trainer_mode=sync."
        )


class CPURollout(BaseRollout):
    """The side of a training worker: it hands the server the weights after each update."""

    async def resume(self, tags: list[str]) -> None:
        """Nothing was released."""

    async def release(self) -> None:
        """Nothing is held on a device."""

    async def update_weights(
        self,
        weights: Iterable[tuple[str, torch.Tensor]],
        wire_format: str = "named_tensors",
        global_steps: int | None = None,
        peft_config: Any = None,
        **_: Any,
    ) -> None:
        """Send whole weights to the server.

        Raises: InputError for a LoRA adapter without its model, or changes of weights instead of weights.
        """
        if peft_config is not None or wire_format != "named_tensors":
            raise InputError(
                f"The rollout {ROLLOUT_NAME!r} takes whole weights; write actor_rollout_ref.model.lora.merge=True and "
                "actor_rollout_ref.rollout.checkpoint_engine.backend=naive."
            )
        first = torch.distributed.get_rank() == 0
        # Every rank goes through all of them: a sharded tensor is gathered by all ranks together.
        named = {name: tensor for name, tensor in weights if first}
        if first:
            await ray.get_actor(_SERVER).update_weights.remote(named, global_steps)
        torch.distributed.barrier()
