"""`PMPOConfig`: TRL's GRPOConfig with the objective family in place of `loss_type`."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trl import GRPOConfig

from pmpo.integrations.trl import config_checks as checks
from pmpo.integrations.trl import trl_losses
from pmpo.integrations.trl.filled import filled, plain, said
from pmpo.integrations.trl.head.install import check_precision, default_precision
from pmpo.integrations.trl.objective_fields import PARTS, ObjectiveFields
from pmpo.integrations.trl.resolve import DEFAULT_OBJECTIVE, SCALE_REWARDS, resolve_objective
from pmpo.integrations.trl.rounds import (
    UPDATES_PER_GENERATION,
    check_groups,
    check_ratio_sums,
    check_round,
    check_token_counts,
    largest_round,
)
from pmpo.objective.presets import OBJECTIVES, Objective


def _option(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass
class PMPOConfig(GRPOConfig):
    """Configuration of `PMPOTrainer`.

    Every parameter of TRL's `GRPOConfig` keeps its meaning, except that `epsilon`, `epsilon_high`, `delta`, `beta`,
    `sapo_temperature_*`, `use_bias_correction_kl` and `scale_rewards` default to None, "as the objective has it", and
    that `vespo_*`, which belong to a loss outside the family, are refused. `loss_type` and `importance_sampling_level`
    choose the member of the family that TRL computes for them, with a warning (docs/decisions/0008). One generation
    batch feeds 8 optimiser steps unless `steps_per_generation` or `generation_batch_size` is given.

    What is not given is filled in (`objective`, `beta`, `scale_rewards`, `steps_per_generation`,
    `generation_batch_size`, `generation_chunk_size`, `logits_precision`, `on_nonfinite`), and filled in anew whenever
    the configuration is copied with changes (`dataclasses.replace`, `with_objective`) or a trainer is built from it.
    `PMPOConfig(**config.to_dict())` says all of it, the values filled in too.

    Raises: ValueError from construction, for every combination that could not work, with what to write instead.
    """

    objective: dict[str, Any] | str | None = field(
        default=None,
        metadata={
            "help": f"Objective: {', '.join(OBJECTIVES)}, or a mapping {{name: grpo, exponent: 0.5}}. Default: pmpo."
        },
    )
    exponent: float | str | dict[str, Any] | None = field(
        default=None,
        metadata={
            "help": "Exponent p: a number, or a rule with its options, as clip_aware_ess:saturation=0.1 or {rule: "
            "scheduled, end: -1}; one of your own as package.module:Name or file.py:Name. Default: the objective's."
        },
    )
    trust_region: dict[str, Any] | str | None = field(
        default=None,
        metadata={
            "help": "Trust region with its options, as log_ratio:log_ratio_low=0.3,log_ratio_high=0.5 or {region: "
            "ratio, ratio_high: 0.28}; one of your own as package.module:Name. Default: the objective's."
        },
    )
    sequence_weight: str | None = _option(
        None, "Weight of a completion: sequence (1/N), token (n/Σn), constant (n/(N·max_completion_length))."
    )
    advantage: str | None = _option(None, "grpo, dr_grpo, rloo, batch or maxrl. Default: the objective's.")
    correction: dict[str, Any] | str | None = field(
        default=None,
        metadata={
            "help": "Correction for samples that are not from the policy at the start of the round, as truncate:"
            "ratio_max=2 or {kind: mask, level: sequence, ratio_max: 3}; none for none. Default: the objective's."
        },
    )
    old_policy: str | None = _option(
        None,
        "What ratios and their trust region are centred at: start (the policy at the start of the round) or sampler "
        "(the policy that drew the completion). Default: the objective's.",
    )
    epsilon: float | None = _option(None, "Lower bound of a ratio trust region: ratios above 1 - epsilon.")
    epsilon_high: float | None = _option(
        None,
        "Upper bound: ratios below 1 + epsilon_high (default: epsilon); of pass_through (CISPO) the largest ratio (5).",
    )
    delta: float | None = _option(None, "Dual clip: the largest ratio a token may reach where the advantage is < 0.")
    on_nonfinite: str | None = _option(
        None,
        "A NaN or infinite loss or gradient: skip the step and count it, or raise. Default: skip; raise with "
        "DeepSpeed, which takes the step itself. The overflows that fp16's gradient scaler answers are only counted.",
    )
    max_nonfinite_steps: int = _option(5, "Skipped steps in a row after which the run stops and shows the batch.")
    max_failed_rewards: float = _option(
        0.1,
        "Share, 0..1, of its last 20 batches on which a reward function may fail, also when it is called again, before "
        "the run stops; such a batch has no rewards from it. One that has never worked stops the run at once. 1 never "
        "stops it.",
    )
    reward_timeout: float | None = _option(
        None,
        "Seconds that one call of a Python reward function may take before it counts as failed; default: for ever. "
        "The function then runs in a thread, which is given up and not stopped; graders in processes, such "
        "as those of pmpo.tasks, have limits of their own and are not touched.",
    )
    rollout_staleness: int = _option(
        0,
        "Reproduces asynchronous generation, to compare objectives, and makes a run worse: rounds are sampled with the "
        "weights of so many rounds ago, which are kept in main memory.",
    )
    sampler_noise: float = _option(
        0.0,
        "Reproduces a sampler that is not the trained model (another engine, FP8, routing of experts), and makes a run "
        "worse: the standard deviation, nats, of Gaussian noise on the sampler's logits.",
    )
    generation_chunk_size: int | None = _option(
        None,
        "Completions of a text that a process generates at once with transformers' generate; 0: the whole round. "
        "Default: what GRPOTrainer would, per_device_train_batch_size x gradient_accumulation_steps, or the whole "
        "round where its size is given.",
    )
    implementation: str = _option(
        "auto",
        "What computes the policy loss: reference (torch's own operations, any objective), fused (one pass in C++ on "
        "the CPU, in Triton on CUDA; refused where it cannot be), or auto: fused where it can be. The trainer's "
        "`implementation` says which it is, and why.",
    )
    decoding_loop: str = _option(
        "auto",
        "What draws tokens where transformers would: auto, a loop that draws the same tokens in less time (the prompt "
        "of a group passes through the model once, ended completions are dropped), and transformers' own, with a "
        "warning, for models and options that it does not know; or transformers, always its own.",
    )
    recompute_old_log_probs: bool = _option(
        False,
        "Compute the log-probabilities at the start of a round by another pass of the model also where sampling has "
        "given them: in float32, of completions of one turn drawn by the loop of decoding_loop auto.",
    )
    passes_per_micro_batch: int = _option(
        4,
        "Passes of the model, at most, that a micro-batch goes through it in: completions of like length together, "
        "without the padding of longer ones, and those of advantage 0 without a backward pass. 1: all in one, as with "
        "GRPOTrainer; so with FSDP, DeepSpeed, pictures, dropout, entropy bonus and torch_compile.",
    )
    logits_precision: str | None = _option(
        None,
        "Products behind log-probabilities: float32; bf16x3 (float32 numbers as sums of two bfloat16 ones) and bf16 "
        "(rounded to bfloat16), both summed in float32; host, TRL's own, whose logits have 16 bits. Default: bf16x3 on "
        "CUDA from compute capability 8.0, which keeps ratios within 1e-3 nats, and float32 elsewhere.",
    )
    token_samples: int = _option(
        4,
        "Completions of the update behind each log event that go to tokens.jsonl token by token, of the first process, "
        "for `pmpo report`: at most 2 MB a run. 0 keeps none.",
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
    sapo_temperature_pos: float | None = _option(
        None, "soft_gate (SAPO): temperature where the advantage is > 0 (1.0)."
    )
    sapo_temperature_neg: float | None = _option(None, "soft_gate: temperature where it is not (1.05).")
    use_bias_correction_kl: bool | None = _option(
        None, "Multiply the KL of a token by its importance ratio. Default: the objective's (false)."
    )
    loss_type: str | None = _option(
        None,
        "TRL's name of a loss, for the objective that TRL computes: grpo, dr_grpo, dapo, bnpo, luspo, cispo, sapo.",
    )
    importance_sampling_level: str | None = _option(
        None, "TRL's word for where the ratio is taken: token, or sequence (GSPO)."
    )

    def __post_init__(self) -> None:
        checks.check_values(self)
        self._settle_objective()
        steps, whole = said(self.steps_per_generation), said(self.generation_batch_size)
        # TRL derives one of the two from the other, and refuses to be given both.
        self.steps_per_generation = self._steps() if whole is None or steps is not None else None
        self.generation_batch_size = whole if steps is None else None
        super().__post_init__()
        self.steps_per_generation, self.generation_batch_size = steps, whole
        self._settle_rounds()
        self._settle_head()

    @property
    def resolved_objective(self) -> Objective:
        """The frozen objective that these fields describe, as they are now."""
        return resolve_objective(ObjectiveFields.of(self))

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
        fitting = largest_round(step, self.num_generations, updates, problems)
        given = said(self.steps_per_generation), said(self.generation_batch_size)
        if given != (None, None) or fitting in (None, updates):
            return None
        wanted = self.generation_batch_size // self.num_generations
        self.steps_per_generation = filled(fitting * self.gradient_accumulation_steps)
        self.generation_batch_size = filled(step * fitting)
        return (
            f"A round of {updates} updates needs {wanted} different prompts, and there are {problems}: rounds have "
            f"{fitting} update{'' if fitting == 1 else 's'} (steps_per_generation={self.steps_per_generation}, "
            f"{self.generation_batch_size // self.num_generations} prompts)."
        )

    def with_objective(self, new: str | Mapping[str, Any] | Objective) -> PMPOConfig:
        """A copy with another objective; what the old one had filled in is filled in anew."""
        other = copy.copy(self)
        other.objective = new
        other.settle()
        return other

    def settle(self) -> None:
        """Fill in anew what was not given, from the fields as they are now, and check that all of it works together.

        `PMPOTrainer` calls this, so that a field assigned to after construction takes effect or is refused.

        Raises: ValueError as construction does.
        """
        checks.check_values(self)
        self._settle_objective()
        self._settle_rounds()
        self._settle_head()

    def check_unchanged(self, built: Objective) -> None:
        """Refuse fields that say another objective than the trainer was built with: it would go on with the old one.

        Raises: ValueError with both.
        """
        checks.check_unchanged(built, self.resolved_objective)

    def to_dict(self) -> dict[str, Any]:
        """As TRL's: plain values, what was filled in included. `objective` is the mapping of the settled one, which
        says the parts as well, whose own fields are therefore None: two ways to write one objective give one dict."""
        values = {name: plain(value) for name, value in super().to_dict().items()}
        return {**values, **dict.fromkeys(PARTS), "objective": self.resolved_objective.to_mapping()}

    def _settle_objective(self) -> None:
        given = ObjectiveFields.of(self)
        self.objective, self.exponent, self.trust_region = given.objective, given.exponent, given.trust_region
        self.correction = given.correction
        if given.objective is None and trl_losses.named_by(given) is None:
            self.objective = filled(DEFAULT_OBJECTIVE)
        resolved = resolve_objective(given)
        resolved.to_mapping()  # what has no data form could be neither saved nor resumed
        if said(self.beta) is None:
            self.beta = filled(float(resolved.kl_coef))
        if said(self.scale_rewards) is None:
            self.scale_rewards = filled(SCALE_REWARDS[resolved.advantage])
        if said(self.on_nonfinite) is None:
            self.on_nonfinite = filled("raise" if checks.steps_by_deepspeed(self) else "skip")
        checks.check_aggregation(self.multi_objective_aggregation, resolved.advantage)
        checks.check_correction(self.use_vllm, self.vllm_importance_sampling_correction, resolved)
        checks.check_skip(self.on_nonfinite, checks.steps_by_deepspeed(self))
        sentence = trl_losses.announcement(given, resolved)
        if sentence is not None and sentence != self.__dict__.get("_announced"):
            self._announced = sentence
            warnings.warn(sentence, stacklevel=4)

    def _steps(self) -> int:
        """Micro-batches of one round, where the round's size is not given."""
        steps: int | None = said(self.steps_per_generation)
        return UPDATES_PER_GENERATION * self.gradient_accumulation_steps if steps is None else steps

    def _settle_head(self) -> None:
        if said(self.logits_precision) is None:
            self.logits_precision = filled(default_precision(self.device))
        check_precision(self.logits_precision, self.device, self.cast_lm_head_to_fp32)

    def _settle_rounds(self) -> None:
        """`steps_per_generation` and `generation_batch_size`: one follows from the other, or both from neither."""
        steps, whole = said(self.steps_per_generation), said(self.generation_batch_size)
        micro_batch = self.per_device_train_batch_size * self.world_size
        check_round(steps, whole, micro_batch)
        if said(self.generation_chunk_size) is None:
            once = self.per_device_train_batch_size * self.gradient_accumulation_steps
            self.generation_chunk_size = filled(once if steps is None and whole is None else 0)
        if steps is None:
            self.steps_per_generation = filled(self._steps() if whole is None else whole // micro_batch)
        if whole is None:
            self.generation_batch_size = filled(micro_batch * self.steps_per_generation)
        check_groups(self.generation_batch_size, self.num_generations)
        generate_every = self.steps_per_generation * self.num_iterations
        if "ratio_sums" in self.resolved_objective.needs:
            check_ratio_sums(generate_every, self.gradient_accumulation_steps, self.top_entropy_quantile)
        elif self.resolved_objective.sequence_weight == "token":
            check_token_counts(generate_every, self.gradient_accumulation_steps)
