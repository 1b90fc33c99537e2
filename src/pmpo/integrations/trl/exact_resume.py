"""The part of `PMPOTrainer` that resumes in the middle of a round, with the steps that the run would have taken.

TRL generates once and then updates several times from a buffer. The buffer, the position in it and the order of the
epochs after the first are not in its checkpoints: resumed in the middle, it generates anew from newer weights, and
the second epoch repeats the order of the first.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pmpo.integrations.trl.filled import plain
from pmpo.integrations.trl.host.parts import RepeatSampler
from pmpo.integrations.trl.measuring import Measures
from pmpo.integrations.trl.regimes import Regimes
from pmpo.integrations.trl.skipping import SkipsNonFinite


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


@dataclass(frozen=True)
class Resumed:
    """What a resumed run has of its round and its log once its first epoch begins.

    Attributes:
        log: what the log had gathered since its last event; empty when that is unknown.
        lost: why the round under way cannot go on, as the rest of a sentence; None when it can.
    """

    log: dict[str, Any]
    lost: str | None


class ResumesRounds(Regimes, Measures, SkipsNonFinite):
    """TRL's trainer, which keeps in a checkpoint the round under way, the position in it, and the log's window."""

    _sampler: EpochSampler | None = None
    _resumed: Resumed | None = None

    def train_sampler(self, dataset: Any = None) -> Any:
        sampler = super().train_sampler(dataset)
        if type(sampler) is RepeatSampler:
            sampler = self._sampler = EpochSampler.like(sampler)
        return sampler

    def run_epoch(self, **facts: Any) -> None:
        if self._sampler is not None:
            # accelerate's wrappers for several processes do not hand a resumed run's epoch on to the sampler.
            self._sampler.set_epoch(facts["epoch"])
        if self._resumed is not None:
            self._begin_resumed_epoch(self._resumed, facts["steps_trained_in_current_epoch"], facts["steps_in_epoch"])
            self._resumed = None
        super().run_epoch(**facts)

    def write_random_states(self, folder: str) -> None:
        """Also the buffered generation: like the random states it is every rank's own."""
        super().write_random_states(folder)
        self.save_round(folder)

    def load_optimizer(self, checkpoint: str | None) -> None:
        super().load_optimizer(checkpoint)
        if checkpoint is not None:
            self._resumed = self.load_round(checkpoint)

    # ---- the round's state -------------------------------------------------------------------------------------

    def round_state(self) -> dict[str, Any]:
        """This rank's buffered generation, the position in it, and what the log has gathered since its last event."""
        return {
            "layout": self._layout(),
            "step": self.round_step,
            "buffer": self.round_buffer,
            "log": {
                "metrics": {name: list(values) for name, values in self.metric_values["train"].items()},
                "window": self._windows["train"].state(),
                "loss": self.loss_since_log,
                "since": self.last_logged_step,
            },
            "weights_of_rounds": list(self.weights_of_rounds),
            "skipped_steps": self.skipped_steps,
            "scaler_overflows": self.scaler_overflows,
        }

    def _layout(self) -> dict[str, int]:
        """How a round is divided: what is buffered under one division means nothing under another."""
        names = ("steps_per_generation", "num_iterations", "gradient_accumulation_steps", "per_device_train_batch_size")
        numbers = {name: plain(getattr(self.args, name)) for name in names}
        return {"processes": self.accelerator.num_processes, **numbers}

    def save_round(self, folder: str | Path) -> None:
        """Write this rank's `round_state`, and the reference model where it moves."""
        state = self.round_state()
        state["reference"] = self.ref_model.state_dict() if self.args.sync_ref_model else None
        torch.save(state, _file(folder, self.accelerator.process_index))

    def load_round(self, folder: str | Path) -> Resumed:
        """Load what `save_round` wrote; all ranks get their buffer back, or none does.

        Only tensors, numbers, texts and containers of them are read (`weights_only`); nothing is unpickled.
        """
        path = _file(folder, self.accelerator.process_index)
        lost = None if path.exists() else f"there is no {path.name} in it"
        shared = path if path.exists() else _file(folder, 0)  # the first rank's knows what is the same on all
        state: dict[str, Any] = {}
        if shared.exists():
            device = self.accelerator.device
            where = device if device.type != "cpu" else "cpu"  # torch reads nothing onto the "cpu:0" of processes
            state = torch.load(shared, map_location=where, weights_only=True)
            lost = _other_layout(state["layout"], self._layout()) or lost
            self.skipped_steps = state["skipped_steps"]
            self.scaler_overflows = state.get("scaler_overflows", 0)
            self.weights_of_rounds.extend(state.get("weights_of_rounds", []))
            if state["reference"] is not None and self.ref_model is not None:
                self._load_reference(state["reference"])
        if self.on_any_process(lost is not None):
            return Resumed({}, lost or "another process has not its part of it")
        if self.args.ignore_data_skip:
            return Resumed({}, "ignore_data_skip begins the order of the prompts anew")
        self.round_step, self.round_buffer = state["step"], state["buffer"]
        return Resumed(state["log"], None)

    def _load_reference(self, weights: dict[str, torch.Tensor]) -> None:
        """A reference model that moves, as it was. Under ZeRO-3 a process's state dict holds no weights."""
        deepspeed = getattr(self.accelerator.state, "deepspeed_plugin", None)
        if deepspeed is None or deepspeed.zero_stage != 3:
            self.ref_model.load_state_dict(weights)
        elif self.accelerator.is_main_process:
            warnings.warn(
                "Resumed with sync_ref_model under DeepSpeed ZeRO-3, which does not keep a moving reference model in "
                "a checkpoint: the reference is that of the beginning until it is synchronised again, so the weights "
                "will not be those of a run that was not interrupted. ZeRO-2, FSDP2 and DDP resume it exactly.",
                stacklevel=2,
            )

    def restore_log(self, log: dict[str, Any]) -> None:
        """Go on with the "log" of a `round_state`: what had been gathered for the next log event."""
        self.metric_values["train"].update(log["metrics"])
        self._windows["train"].load(log["window"])
        self.set_loss_window(log["loss"], log["since"])

    def on_any_process(self, happened: bool) -> bool:
        """Whether it happened on any process; all of them must ask."""
        flag = torch.tensor(float(happened), device=self.accelerator.device)
        return bool(self.accelerator.reduce(flag, reduction="sum").item())

    # ---- the first epoch after a resumption --------------------------------------------------------------------

    def _begin_resumed_epoch(self, resumed: Resumed, position: int, epoch_length: int) -> None:
        """The log's window, or a round that has to begin anew.

        Args:
            position, epoch_length: forward passes of the epoch, done and in all.
        """
        if resumed.lost is None:
            self.restore_log(resumed.log)
            return
        self.round_step = position  # rounds keep their places in the epoch
        length = self.args.steps_per_generation * self.num_iterations
        if position % length and self.accelerator.is_main_process:
            step = self.state.global_step
            whole = step + _updates_to_a_whole_round(
                position, length, epoch_length, self.args.gradient_accumulation_steps
            )
            warnings.warn(
                f"Resumed at step {step} in the middle of a round, which cannot go on as it would have: "
                f"{resumed.lost}. New completions take the place of the rest of it, so the weights will not be those "
                f"of a run that was not interrupted. From step {whole} on rounds are whole, and a checkpoint of step "
                f"{whole} resumes exactly.",
                stacklevel=2,
            )


def _file(folder: str | Path, rank: int) -> Path:
    return Path(folder) / f"generation-{rank}.pt"


def _other_layout(old: dict[str, int], new: dict[str, int]) -> str | None:
    differing = [f"{name} {old[name]}, not {new[name]}" for name in new if old[name] != new[name]]
    return f"it was written with {' and '.join(differing)}" if differing else None


def _updates_to_a_whole_round(position: int, length: int, epoch_length: int, accumulation: int) -> int:
    """Updates from forward pass `position` of an epoch until one begins a round of `length` passes, or a new epoch."""
    ends, updates = position, 0
    while ends % length and ends < epoch_length:
        ends, updates = min(ends + accumulation, epoch_length), updates + 1
    return updates
