"""What a checkpoint must hold, beyond what TRL saves, so that a resumed run takes the steps that it would have taken.

TRL generates once and then updates several times from a buffer. The buffer, the position in it and the order of the
epochs after the first are not in its checkpoints: resumed in the middle, it generates anew from newer weights, and
the second epoch repeats the order of the first.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from trl.trainer.utils import RepeatSampler

from pmpo.integrations.trl.filled import plain

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


def _layout(trainer: PMPOTrainer) -> dict[str, int]:
    """How a round is divided: what is buffered under one division means nothing under another."""
    names = ("steps_per_generation", "num_iterations", "gradient_accumulation_steps", "per_device_train_batch_size")
    numbers = {name: plain(getattr(trainer.args, name)) for name in names}
    return {"processes": trainer.accelerator.num_processes, **numbers}


def generation_state(trainer: PMPOTrainer) -> dict[str, Any]:
    """This rank's buffered generation, the position in it, and what the log has gathered since its last event."""
    return {
        "layout": _layout(trainer),
        "step": trainer._step,
        "buffer": trainer._buffered_inputs,
        "log": {
            "metrics": {name: list(values) for name, values in trainer._metrics["train"].items()},
            "window": trainer._windows["train"].state(),
            "loss": trainer._tr_loss,
            "since": trainer._globalstep_last_logged,
        },
        "skipped_steps": trainer.skipped_steps,
        "scaler_overflows": trainer.scaler_overflows,
    }


def save_generation(trainer: PMPOTrainer, folder: str | Path) -> None:
    """Write this rank's `generation_state`, and the reference model where it moves."""
    state = generation_state(trainer)
    state["reference"] = trainer.ref_model.state_dict() if trainer.args.sync_ref_model else None
    torch.save(state, _file(folder, trainer.accelerator.process_index))


@dataclass(frozen=True)
class Resumed:
    """What a resumed run takes up once its first epoch begins.

    Attributes:
        log: what the log had gathered, for `take_up`; empty when that is unknown.
        lost: why the round under way cannot go on, as the rest of a sentence; None when it can.
    """

    log: dict[str, Any]
    lost: str | None


def load_generation(trainer: PMPOTrainer, folder: str | Path) -> Resumed:
    """Take up what `save_generation` wrote; all ranks take the buffer up, or none does.

    Only tensors, numbers, texts and containers of them are read (`weights_only`); nothing is unpickled.
    """
    path = _file(folder, trainer.accelerator.process_index)
    lost = None if path.exists() else f"there is no {path.name} in it"
    shared = path if path.exists() else _file(folder, 0)  # the first rank's knows what is the same on all
    state: dict[str, Any] = {}
    if shared.exists():
        device = trainer.accelerator.device
        where = device if device.type != "cpu" else "cpu"  # torch reads nothing onto the "cpu:0" of several processes
        state = torch.load(shared, map_location=where, weights_only=True)
        lost = _other_layout(state["layout"], _layout(trainer)) or lost
        trainer.skipped_steps = state["skipped_steps"]
        trainer.scaler_overflows = state.get("scaler_overflows", 0)
        if state["reference"] is not None and trainer.ref_model is not None:
            trainer.ref_model.load_state_dict(state["reference"])
    if trainer._any_failed(ValueError(lost) if lost else None):
        return Resumed({}, lost or "another process has not its part of it")
    if trainer.args.ignore_data_skip:
        return Resumed({}, "ignore_data_skip begins the order of the prompts anew")
    trainer._step, trainer._buffered_inputs = state["step"], state["buffer"]
    return Resumed(state["log"], None)


def _other_layout(old: dict[str, int], new: dict[str, int]) -> str | None:
    differing = [f"{name} {old[name]}, not {new[name]}" for name in new if old[name] != new[name]]
    return f"it was written with {' and '.join(differing)}" if differing else None


def take_up(trainer: PMPOTrainer, resumed: Resumed, position: int, epoch_length: int) -> None:
    """Called at the start of the first epoch of a resumed run: the log's window, or a round that has to begin anew.

    Args:
        position, epoch_length: forward passes of the epoch, done and in all.
    """
    if resumed.lost is None:
        log = resumed.log
        trainer._metrics["train"].update(log["metrics"])
        trainer._windows["train"].load(log["window"])
        trainer._tr_loss, trainer._globalstep_last_logged = log["loss"], log["since"]
        trainer._total_loss_scalar = -log["loss"].item()  # the summary's loss is that of this process alone
        return
    trainer._step = position  # rounds keep their places in the epoch
    length = trainer.args.steps_per_generation * trainer.num_iterations
    if position % length and trainer.accelerator.is_main_process:
        ends, step = position, trainer.state.global_step
        while ends % length and ends < epoch_length:
            ends, step = min(ends + trainer.args.gradient_accumulation_steps, epoch_length), step + 1
        warnings.warn(
            f"Resumed at step {trainer.state.global_step} in the middle of a round, which cannot go on as it would "
            f"have: {resumed.lost}. New completions take the place of the rest of it, so the weights will not be those "
            f"of a run that was not interrupted. From step {step} on rounds are whole, and a checkpoint of step {step} "
            "resumes exactly.",
            stacklevel=2,
        )
