"""What a checkpoint must hold, beyond what TRL saves, so that a resumed run takes the steps that it would have taken.

TRL generates once and then updates several times from a buffer. The buffer, the position in it and the order of the
epochs after the first are not in its checkpoints: resumed in the middle, it generates anew from newer weights, and
the second epoch repeats the order of the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from trl.trainer.utils import RepeatSampler

if TYPE_CHECKING:
    from pmpo.integrations.trl.trainer import PMPOTrainer


class EpochSampler(RepeatSampler):
    """TRL's order of problems, as a function of the epoch: a run that resumes in epoch 3 sees the order of epoch 3.

    TRL draws every epoch's permutation from one generator that a resumed process seeds anew; uninterrupted, both give
    the same orders.
    """

    epoch = 0

    @classmethod
    def like(cls, sampler: RepeatSampler) -> EpochSampler:
        """The same sampling as `sampler`, by epoch."""
        return cls(
            sampler.data_source,
            sampler.mini_repeat_count,
            sampler.batch_size,
            sampler.repeat_count,
            sampler.shuffle,
            sampler.seed,
        )

    def set_epoch(self, epoch: int) -> None:
        """Called by the Trainer before every epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        if self.shuffle:
            self.generator.manual_seed(self.seed)
            for _ in range(self.epoch):
                torch.randperm(self.num_samples, generator=self.generator)
        return super().__iter__()


def _file(folder: str | Path, rank: int) -> Path:
    return Path(folder) / f"generation-{rank}.pt"


def save_generation(trainer: PMPOTrainer, folder: str | Path) -> None:
    """Write this rank's buffered generation, the position in it, and what the log has gathered since its last event."""
    state = {
        "step": trainer._step,
        "buffer": trainer._buffered_inputs,
        "metrics": {name: list(values) for name, values in trainer._metrics["train"].items()},
        "exponents": list(trainer._exponents["train"]),
        "skipped_steps": trainer.skipped_steps,
        "reference": trainer.ref_model.state_dict() if trainer.args.sync_ref_model else None,
    }
    torch.save(state, _file(folder, trainer.accelerator.process_index))


def load_generation(trainer: PMPOTrainer, folder: str | Path) -> None:
    """Take up what `save_generation` wrote; a checkpoint of another trainer has no such file and resumes as TRL does.

    Only tensors, numbers, texts and containers of them are read (`weights_only`); nothing is unpickled.
    """
    path = _file(folder, trainer.accelerator.process_index)
    if not path.exists():
        return
    state: dict[str, Any] = torch.load(path, map_location=trainer.accelerator.device, weights_only=True)
    trainer._step, trainer._buffered_inputs = state["step"], state["buffer"]
    trainer._metrics["train"].update(state["metrics"])
    trainer._exponents["train"] = state["exponents"]
    trainer.skipped_steps = state["skipped_steps"]
    if state["reference"] is not None:
        trainer.ref_model.load_state_dict(state["reference"])
