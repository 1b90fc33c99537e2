"""A replay buffer that looks more often: verl's looks every two seconds, longer than a tiny model takes to generate."""

from typing import Any

from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer

from pmpo.foundation.errors import InputError


class QuickReplayBuffer(ReplayBuffer):
    """verl's own for synchronous training, looking every 50 ms.

    trainer.v1.sampler.custom_sampler.path=pkg://pmpo.integrations.verl.cpu.polling
    trainer.v1.sampler.custom_sampler.name=QuickReplayBuffer

    verl tells a custom buffer nothing of `algorithm.filter_groups` and `sync_refill_failed_groups`: leave both off.
    """

    def __init__(self, trainer_mode: str, **settings: Any) -> None:
        """Raises: InputError for an asynchronous trainer, whose buffer is another."""
        if trainer_mode != "sync":
            raise InputError(f"QuickReplayBuffer is for trainer.v1.trainer_mode=sync; got {trainer_mode!r}.")
        super().__init__(trainer_mode=trainer_mode, **settings, poll_interval=0.05)
