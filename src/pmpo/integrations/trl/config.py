"""`PMPOConfig`: TRL's GRPOConfig with the objective family in place of `loss_type`."""

from __future__ import annotations

import copy
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from transformers.utils import is_torch_tf32_available
from trl import GRPOConfig

from pmpo.integrations.trl.resolve import SCALE_REWARDS, resolve_objective
from pmpo.objective.naming import unknown_name
from pmpo.objective.presets import Objective

UPDATES_PER_GENERATION = 8
"""Optimiser steps on one generation batch unless the user says otherwise; the papers' number."""

_DERIVED = ("beta", "scale_rewards")


def _option(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass
class PMPOConfig(GRPOConfig):
    """Configuration of `PMPOTrainer`.

    Every parameter of TRL's `GRPOConfig` keeps its meaning, except that `epsilon`, `epsilon_high`, `delta`, `beta`,
    `use_bias_correction_kl` and `scale_rewards` default to None, "as the objective has it", and that `loss_type`,
    `importance_sampling_level`, `sapo_*` and `vespo_*`, which choose another loss, are refused. One generation
    batch feeds 8 optimiser steps unless `steps_per_generation` or `generation_batch_size` is given.

    Raises: ValueError from construction, for every combination that could not work, with what to write instead.
    """

    objective: str = _option("pmpo", "Objective: grpo, dr_grpo, dapo, gspo, gmpo, pmpo, apmpo, holderpo.")
    exponent: str | None = _option(
        None, "Exponent p: a number, or a rule: clip_aware_ess, reward_annealed, scheduled. Default: the objective's."
    )
    trust_region: str | None = _option(
        None, "ratio, log_ratio, sequence_ratio, feedback_adaptive or none. Default: the objective's."
    )
    sequence_weight: str | None = _option(
        None, "Weight of a completion: sequence (1/N), token (n/Σn), constant (n/(N·max_completion_length))."
    )
    advantage: str | None = _option(None, "grpo, dr_grpo, rloo or batch. Default: the objective's.")
    log_ratio_low: float | None = _option(None, "Lower bound of a log_ratio trust region, in nats (0.4).")
    log_ratio_high: float | None = _option(None, "Upper bound, in nats. Default: log_ratio_low.")
    epsilon: float | None = _option(None, "Lower bound of a ratio trust region: ratios above 1 - epsilon.")
    epsilon_high: float | None = _option(None, "Upper bound: ratios below 1 + epsilon_high. Default: epsilon.")
    epsilon_high_max: float | None = _option(None, "Widest upper bound of the feedback_adaptive trust region (0.4).")
    delta: float | None = _option(None, "Dual clip: the largest ratio a token may reach where the advantage is < 0.")
    clip_reading: str | None = _option(None, "Clip fraction that drives clip_aware_ess: one_sided or two_sided.")
    ess_map: str | None = _option(None, "Map from clip fraction to target ESS: linear, power, ramp or absolute.")
    ess_saturation: float | None = _option(None, "ramp: clip fraction from which p is 0 (0.1).")
    ess_kappa: float | None = _option(None, "power: g(f) = f^kappa (0.5).")
    ess_target: float | None = _option(None, "absolute: the target ESS itself, in (0, 1].")
    ess_over: str | None = _option(None, "Log ratios the ESS is taken over: clipped or unclipped.")
    reward_gamma: float | None = _option(None, "reward_annealed: p = exp(-gamma * mean reward) (0.8).")
    exponent_start: float | None = _option(None, "scheduled: p at the start of training (2).")
    exponent_end: float | None = _option(None, "scheduled: p at the end of training (-2).")
    exponent_schedule: str | None = _option(None, "scheduled: linear, cosine or step.")
    on_nonfinite: str | None = _option(
        None,
        "A NaN or infinite loss or gradient: skip the step and count it, or raise. Default: skip; raise with "
        "DeepSpeed, which takes the step itself. The overflows that fp16's gradient scaler answers are only counted.",
    )
    max_nonfinite_steps: int = _option(5, "Skipped steps in a row after which the run stops and shows the batch.")
    max_failed_rewards: float = _option(
        0.1, "Share of a batch's rewards, 0..1, that a reward function may fail to give before the run stops."
    )
    reward_timeout: float | None = _option(
        None,
        "Seconds that one call of a Python reward function may take before its completions count as failed; default: "
        "for ever. The function then runs in a thread, which is given up and not stopped; graders in processes, such "
        "as those of pmpo.tasks, have limits of their own and are not touched.",
    )
    generation_chunk_size: int | None = _option(
        None,
        "Completions of a text that a process generates at once with transformers' generate; 0: the whole round. "
        "Default: what GRPOTrainer would, per_device_train_batch_size x gradient_accumulation_steps, or the whole "
        "round where its size is given.",
    )
    on_save_error: str = _option(
        "stop", "A checkpoint that cannot be written (a full disk): stop the run, or continue without it."
    )
    overwrite_output_dir: bool = _option(
        False,
        "Begin again in a folder that holds a run, which is moved to earlier-1 in it; nothing is deleted. Without "
        "effect where a run is resumed.",
    )
    allow_change: list[str] | None = field(
        default=None,
        metadata={"help": "Settings that may differ from the checkpoint's when resuming, by name; all allows any."},
    )
    beta: float | None = _option(None, "KL coefficient towards the reference model. Default: the objective's.")
    scale_rewards: str | None = _option(None, "TRL's spelling of `advantage`: group, none or batch.")
    use_bias_correction_kl: bool | None = _option(
        None, "Multiply the KL of a token by its importance ratio. Default: the objective's (false)."
    )
    loss_type: str | None = _option(None, "Refused: `objective` takes its place.")
    importance_sampling_level: str | None = _option(None, "Refused: `trust_region` takes its place.")

    def __post_init__(self) -> None:
        self._given = {name: getattr(self, name) for name in _DERIVED}
        self._refuse_other_losses()
        if self.on_nonfinite is None:
            self.on_nonfinite = "raise" if self.deepspeed else "skip"
        if self.on_nonfinite not in ("raise", "skip"):
            raise ValueError(unknown_name("on_nonfinite", self.on_nonfinite, ("raise", "skip")))
        if self.max_nonfinite_steps < 1:
            raise ValueError(f"max_nonfinite_steps is {self.max_nonfinite_steps}; write a number of at least 1.")
        if not 0.0 <= self.max_failed_rewards <= 1.0:
            raise ValueError(f"max_failed_rewards is {self.max_failed_rewards}; write a share, 0..1.")
        if self.reward_timeout is not None and not self.reward_timeout > 0.0:
            raise ValueError(f"reward_timeout is {self.reward_timeout}; write seconds, more than 0, or leave it out.")
        if self.on_save_error not in ("stop", "continue"):
            raise ValueError(unknown_name("on_save_error", self.on_save_error, ("stop", "continue")))
        self._default_round = self.generation_batch_size is None and self.steps_per_generation is None
        if self._default_round:
            self.steps_per_generation = UPDATES_PER_GENERATION * self.gradient_accumulation_steps
        if self.generation_chunk_size is None:
            once = self.per_device_train_batch_size * self.gradient_accumulation_steps
            self.generation_chunk_size = once if self._default_round else 0
        if self.generation_chunk_size < 0:
            raise ValueError(
                f"generation_chunk_size is {self.generation_chunk_size}; write completions, or 0 for the whole round."
            )
        self._apply_objective()
        if self.tf32 is None and self.bf16 is not False and is_torch_tf32_available():
            # The float32 head of a 16-bit model: its inputs fit into TF32 exactly, its sums stay float32.
            self.tf32 = True
        super().__post_init__()
        self._check_token_counts()
        self._check_skip()

    @property
    def resolved_objective(self) -> Objective:
        """The frozen objective that these fields describe."""
        return self._resolved

    @property
    def updates_per_generation(self) -> float:
        """Optimiser steps between two generations; 1 or less makes every ratio 1."""
        return self.steps_per_generation * self.num_iterations / self.gradient_accumulation_steps

    def fit_round(self, problems: int) -> str | None:
        """Make a round whose size was not given small enough for a data set, if a smaller one can be.

        Args:
            problems: rows of the training set.
        Returns: a sentence when the round was changed.
        """
        step = self.per_device_train_batch_size * self.world_size * self.gradient_accumulation_steps
        updates = self.steps_per_generation // self.gradient_accumulation_steps
        fitting = [
            n
            for n in range(1, updates + 1)
            if step * n % self.num_generations == 0 and step * n // self.num_generations <= problems
        ]
        if not self._default_round or not fitting or fitting[-1] == updates:
            return None
        wanted = self.generation_batch_size // self.num_generations
        self.steps_per_generation = fitting[-1] * self.gradient_accumulation_steps
        self.generation_batch_size = step * fitting[-1]
        return (
            f"A round of {updates} updates needs {wanted} different prompts, and there are {problems}: rounds have "
            f"{fitting[-1]} update{'' if fitting[-1] == 1 else 's'} "
            f"(steps_per_generation={self.steps_per_generation}, {self.generation_batch_size // self.num_generations} "
            "prompts)."
        )

    def with_objective(self, new: str | Objective) -> PMPOConfig:
        """A copy with another objective; what the old one had filled in is filled in anew."""
        other = copy.copy(self)
        for name, value in self._given.items():
            setattr(other, name, value)
        other.objective = new
        other._apply_objective()
        other._check_token_counts()
        return other

    def to_dict(self) -> dict[str, Any]:
        """As TRL's, with an `Objective` given in code written as its description."""
        values: dict[str, Any] = super().to_dict()
        if isinstance(self.objective, Objective):
            values["objective"] = self.objective.describe()
        return values

    def _apply_objective(self) -> None:
        self._resolved = resolve_objective(self)
        self.beta = self._resolved.kl_coef
        self.scale_rewards = SCALE_REWARDS[self._resolved.advantage]
        if self._resolved.advantage == "rloo" and self.multi_objective_aggregation == "normalize_then_sum":
            raise ValueError(
                "advantage 'rloo' needs one reward per completion, but multi_objective_aggregation="
                "'normalize_then_sum' normalises each reward function by itself: write 'sum_then_normalize'."
            )

    def _refuse_other_losses(self) -> None:
        instead = {"loss_type": "objective", "importance_sampling_level": "trust_region"}
        for name, use in instead.items():
            if getattr(self, name) is not None:
                raise ValueError(
                    f"`{name}`={getattr(self, name)!r} chooses one of TRL's losses, which the objective replaces: "
                    f"remove it and write `{use}` (for GSPO: objective: gspo)."
                )
        for option in fields(self):
            if option.name.startswith(("sapo_", "vespo_")) and option.default is not MISSING:
                value = getattr(self, option.name)
                if value != option.default:
                    raise ValueError(f"`{option.name}`={value} belongs to another of TRL's losses: remove it.")

    def _check_token_counts(self) -> None:
        """The token weight needs Σ n_j of the optimiser step, which must lie inside one generation batch."""
        generate_every = self.steps_per_generation * self.num_iterations
        if self._resolved.sequence_weight == "token" and generate_every % self.gradient_accumulation_steps:
            raise ValueError(
                f"sequence_weight 'token' divides by the tokens of the whole optimiser step, and "
                f"gradient_accumulation_steps={self.gradient_accumulation_steps} spreads a step over several "
                f"generations (steps_per_generation x num_iterations = {generate_every}): make it a divisor of "
                f"{generate_every}."
            )

    def _check_skip(self) -> None:
        if self.on_nonfinite == "skip" and self.deepspeed:
            raise ValueError(
                "on_nonfinite='skip' cannot drop a step that DeepSpeed takes itself: write on_nonfinite='raise'."
            )
