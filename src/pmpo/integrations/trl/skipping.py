"""The part of `PMPOTrainer` that skips updates which would not be finite, counts them, and stops at too many."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import TrainerCallback

from pmpo.engine.nonfinite import NonFiniteLossError, decide, gradient_is_finite
from pmpo.integrations.trl.host.hooks import HostTrainer
from pmpo.integrations.trl.nonfinite import describe_batch, dump_batch
from pmpo.objective.policy_loss import PolicyLoss

_EVERY_LOSS_FINITE = "every loss of the step was finite"


class _MicroBatch:
    """What the guard remembers of a micro-batch: all of it is in memory anyway.

    Attributes:
        rows: bool [B], active completions whose part of the loss is not finite.
        is_bad: 0-dim bool; whether there is one, or the loss is not finite.
    """

    def __init__(self, rows: Tensor, inputs: dict[str, Any], log_probs_BT: Tensor, loss: Tensor) -> None:
        self.rows, self.inputs, self.log_probs_BT = rows, inputs, log_probs_BT
        self.is_bad = rows.any() | ~loss.detach().isfinite()


class SkipsNonFinite(HostTrainer):
    """TRL's trainer with a guard on its loss; `NonFiniteGuard` drops the gradients of a step to be skipped.

    Attributes:
        skip_step: whether the update under way is to be skipped, as all processes agreed.
        skipped_steps: how many have been, over the whole run.
        scaler_overflows: steps that fp16's gradient scaler skipped to lower its scale, over the whole run.
    """

    skip_step = False
    skipped_steps = 0
    scaler_overflows = 0
    nonfinite_in_a_row = 0
    _offender = _EVERY_LOSS_FINITE
    _blamed: _MicroBatch

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._watched: list[_MicroBatch] = []  # of the update under way

    def run_epoch(self, **facts: Any) -> None:
        """Without transformers' own look at every loss before it is logged, for which it waits for the device: it
        would find what `guard` has made finite."""
        chosen, self.args.logging_nan_inf_filter = self.args.logging_nan_inf_filter, False
        try:
            super().run_epoch(**facts)
        finally:
            self.args.logging_nan_inf_filter = chosen

    def guard(self, loss: Tensor, result: PolicyLoss, inputs: dict[str, Any], log_probs_BT: Tensor) -> Tensor:
        """A loss of a finite value. What becomes of the update is decided once for all its micro-batches, before the
        weights change (`NonFiniteGuard`): nothing waits for the device here. At once where another takes the step
        (DeepSpeed), where gradients that are not finite change a scale (fp16), and in evaluation: then a loss that is
        not finite becomes 0 with zero gradients, on all ranks."""
        one = _MicroBatch(result.diagnostics.nonfinite & result.diagnostics.active, inputs, log_probs_BT.detach(), loss)
        if self.mode == "train" and not self.is_deepspeed_enabled and self.accelerator.scaler is None:
            self._watched.append(one)
            return torch.where(loss.isfinite(), loss, 0.0)
        self._blamed = one
        if not self.accelerator.reduce(one.is_bad.float(), reduction="sum").item():
            return loss
        self._blame(one, count=1.0)
        if self.args.on_nonfinite == "raise":
            raise self.nonfinite_error("loss")
        self.skip_step = self.mode == "train"
        return self._nothing(log_probs_BT)

    def take_flags(self) -> Tensor:
        """Of the update's micro-batches on this rank, 1 where the loss is not finite; float32, on the device."""
        return torch.stack([one.is_bad.float() for one in self._watched]) if self._watched else torch.zeros(0)

    def settle_update(self, bad: list[bool]) -> bool:
        """Forget the update's micro-batches; blame the first bad one, if there is any.

        Args:
            bad: of every micro-batch, whether it is on any rank.
        Returns: whether there is one.
        """
        watched, self._watched = self._watched, []
        if watched:
            self._blamed = watched[-1]
        if not any(bad):
            return False
        own = [one for one, anywhere in zip(watched, bad, strict=True) if anywhere]
        self._blame(next((one for one in own if one.is_bad), own[0]), count=float(sum(bad)))
        return True

    def _blame(self, one: _MicroBatch, count: float) -> None:
        self._blamed = one
        self._offender = self._name_completion(one.rows, one.inputs)
        counted = self.metric_values[self.mode]["nonfinite/micro_batches"]
        counted[:] = [sum(counted) + count]  # of the logging window; TRL would average ones

    def _nothing(self, log_probs_BT: Tensor) -> Tensor:
        """A loss of 0, on which every process can call `backward` as on any other."""
        if self.is_fsdp_enabled:
            # Outside the forward pass the weights are shards, which FSDP gathers and frees again on its way back
            # through the graph. What is not finite there stays so in the gradients, and the guard drops them.
            return (log_probs_BT.nan_to_num() * 0.0).sum()
        trainable = [p for p in self.model.parameters() if p.requires_grad]
        return torch.stack([(p * 0.0).float().sum() for p in trainable]).sum()

    def _name_completion(self, rows: Tensor, inputs: dict[str, Any]) -> str:
        if not rows.any():
            return "no single completion on this rank; another rank or the entropy and auxiliary terms"
        row = int(rows.nonzero()[0])
        decode = self.text_tokenizer.decode
        prompt = decode(inputs["prompt_ids"][row][inputs["prompt_mask"][row].bool()])
        completion = decode(inputs["completion_ids"][row][inputs["completion_mask"][row].bool()])
        return f"completion {row} of the micro-batch, prompt {prompt[-200:]!r}, completion {completion[:200]!r}"

    def nonfinite_error(self, what: str, spoilt: bool = False) -> NonFiniteLossError:
        """The error for a "loss" or "gradient" that is not finite, with its origin; the micro-batch goes to a file.

        Args:
            spoilt: whether a step was made of it.
        """
        inputs, log_probs_BT, where = self._blamed.inputs, self._blamed.log_probs_BT, self._offender
        sentence = describe_batch(inputs, log_probs_BT)
        step, rank = self.state.global_step, self.accelerator.process_index
        folder = dump_batch(
            Path(self.args.output_dir) / f"nonfinite-{step}-rank{rank}",
            inputs,
            {"step": step, "rank": rank, "what": f"{what}: {where}. {sentence}."},
            self.text_tokenizer.decode,
        )
        row = f", {self.nonfinite_in_a_row} updates in a row" if self.nonfinite_in_a_row > 1 else ""
        message = (
            f"Non-finite {what} at optimiser step {step}{row}: {where}. In the micro-batch: {sentence}; it is in "
            f"{folder}. "
        )
        if spoilt:
            return NonFiniteLossError(
                f"{message}DeepSpeed has made a step of it, so the weights are spoilt: resume from the newest "
                "checkpoint with a lower learning_rate or max_grad_norm."
            )
        can_skip = not (self.nonfinite_in_a_row or self.is_deepspeed_enabled)
        return NonFiniteLossError(
            f"{message}The weights are those of the last finite step. Lower learning_rate or max_grad_norm"
            + (", or write on_nonfinite: skip." if can_skip else ".")
        )

    def blame_gradient(self) -> None:
        """Called where the gradient alone is not finite: no completion of an earlier step has to do with it."""
        self._offender = _EVERY_LOSS_FINITE

    def leave_to_scaler(self) -> bool:
        """Whether a gradient that is not finite is an overflow that fp16's scaler answers: it skips the step and halves
        its scale. At a scale of 1 or less it is not the scale that made the gradient overflow."""
        scaler = self.accelerator.scaler
        if scaler is None or scaler.get_scale() <= 1.0:
            return False
        self._count_overflow()
        self.metric_values["train"]["fp16/scale"] = [float(scaler.get_scale())]
        return True

    def _count_overflow(self) -> None:
        self.scaler_overflows += 1
        self.metric_values["train"]["fp16/overflows"] = [float(self.scaler_overflows)]

    def check_step_of_deepspeed(self) -> None:
        """Called where DeepSpeed has dealt with the step itself. All processes know the norm of its gradient, and
        whether a step was made of it: one that is not finite is dropped, unless its configuration says otherwise.

        Raises: NonFiniteLossError for a gradient that is not finite, but for the overflows of fp16's loss scale.
        """
        engine = self.model_wrapped
        norm, dropped = engine.get_global_grad_norm(), not engine.was_step_applied()
        if norm is None or 0.0 <= float(norm) < math.inf:
            return
        if dropped and engine.fp16_enabled():
            self._count_overflow()
            return
        self.blame_gradient()
        raise self.nonfinite_error("gradient", spoilt=not dropped)

    def count_skipped_step(self, what: str) -> None:
        """Called by the guard when it has dropped the gradients of a step.

        Raises: NonFiniteLossError after `max_nonfinite_steps` in a row.
        """
        self.skip_step = False
        self.skipped_steps += 1
        self.nonfinite_in_a_row += 1
        self.metric_values["train"]["nonfinite/skipped_steps"] = [float(self.skipped_steps)]
        if self.nonfinite_in_a_row >= self.args.max_nonfinite_steps:
            raise self.nonfinite_error(what)


class NonFiniteGuard(TrainerCallback):
    """Drops the gradients of an optimiser step that a non-finite loss or gradient has spoiled (or raises)."""

    def __init__(self, trainer: SkipsNonFinite) -> None:
        self.trainer = trainer

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Runs after clipping. Sharded models hold other gradients on every rank, so the ranks agree first."""
        trainer = self.trainer
        if trainer.is_deepspeed_enabled:
            trainer.check_step_of_deepspeed()
            return
        device = trainer.accelerator.device
        finite = gradient_is_finite(trainer.model.parameters()).to(device)
        given = torch.tensor([float(trainer.skip_step)], device=device)
        flags = torch.cat([(~finite).float().unsqueeze(0), given, trainer.take_flags().to(device)])
        # The one place of an update where the host waits for the device, for all that it has to know.
        bad_gradient, skip, *bad = map(bool, trainer.accelerator.reduce(flags, reduction="sum").tolist())
        bad_loss = trainer.settle_update(bad) or skip
        decision = decide(bad_loss, bad_gradient, args.on_nonfinite, trainer.leave_to_scaler)
        if decision == "step":
            trainer.nonfinite_in_a_row = 0
        if decision in ("step", "overflow"):
            return
        if not bad_loss:
            trainer.blame_gradient()
        if decision == "raise":
            raise trainer.nonfinite_error("loss" if bad_loss else "gradient")
        kwargs["optimizer"].zero_grad(set_to_none=True)
        trainer.count_skipped_step("loss" if bad_loss else "gradient")
