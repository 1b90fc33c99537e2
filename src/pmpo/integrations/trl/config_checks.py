"""What cannot work in a configuration, each with what to write instead."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

from accelerate.utils import parse_flag_from_env
from trl import GRPOConfig

from pmpo.foundation.errors import unknown_name
from pmpo.integrations.trl.filled import said
from pmpo.kernels.choice import IMPLEMENTATIONS
from pmpo.objective.presets import Objective


def check_values(args: GRPOConfig) -> None:
    """Single values out of their range; `args` is a `PMPOConfig`."""
    values: dict[str, Any] = {option.name: said(getattr(args, option.name)) for option in fields(args)}
    if values["on_nonfinite"] not in (None, "raise", "skip"):
        raise ValueError(unknown_name("on_nonfinite", values["on_nonfinite"], ("raise", "skip")))
    if values["max_nonfinite_steps"] < 1:
        raise ValueError(f"max_nonfinite_steps is {values['max_nonfinite_steps']}; write a number of at least 1.")
    if not 0.0 <= values["max_failed_rewards"] <= 1.0:
        raise ValueError(f"max_failed_rewards is {values['max_failed_rewards']}; write a share, 0..1.")
    timeout = values["reward_timeout"]
    if timeout is not None and not timeout > 0.0:
        raise ValueError(f"reward_timeout is {timeout}; write seconds, more than 0, or leave it out.")
    if values["on_save_error"] not in ("stop", "continue"):
        raise ValueError(unknown_name("on_save_error", values["on_save_error"], ("stop", "continue")))
    chunk = values["generation_chunk_size"]
    if chunk is not None and chunk < 0:
        raise ValueError(f"generation_chunk_size is {chunk}; write completions, or 0 for the whole round.")
    if values["decoding_loop"] not in ("auto", "transformers"):
        raise ValueError(unknown_name("decoding_loop", values["decoding_loop"], ("auto", "transformers")))
    passes = values["passes_per_micro_batch"]
    if not (isinstance(passes, int) and passes >= 1):
        raise ValueError(f"passes_per_micro_batch is {passes!r}; write passes, 1 or more.")
    check_regime(args)
    if values["implementation"] not in IMPLEMENTATIONS:
        raise ValueError(unknown_name("implementation", values["implementation"], IMPLEMENTATIONS))
    if values["token_samples"] < 0:
        raise ValueError(f"token_samples is {values['token_samples']}; write completions a log event, or 0 for none.")
    for option in fields(args):
        value = getattr(args, option.name)
        if option.name.startswith("vespo_") and value != option.default:
            raise ValueError(f"`{option.name}`={value} belongs to a loss outside the family: remove it.")


def check_regime(args: GRPOConfig) -> None:
    """Staleness and noise of the sampler, which is transformers' `generate` on weights that this process holds."""
    stale, noise = args.rollout_staleness, args.sampler_noise
    if not (isinstance(stale, int) and stale >= 0):
        raise ValueError(f"rollout_staleness is {stale!r}; write rounds, 0 (fresh rollouts) or more.")
    if not (isinstance(noise, int | float) and math.isfinite(noise) and noise >= 0.0):
        raise ValueError(f"sampler_noise is {noise!r}; write a standard deviation in nats, 0 (none) or more.")
    others = {
        "use_vllm": args.use_vllm,
        "use_transformers_continuous_batching": args.use_transformers_continuous_batching,
        "deepspeed": args.deepspeed,
        "fsdp": args.fsdp,
    }
    for name, value in others.items():
        if (stale or noise) and value:
            raise ValueError(
                f"rollout_staleness and sampler_noise change how transformers' generate samples from whole weights, "
                f"which {name}={value} does not use: remove {name}, or the two."
            )


def check_correction(use_vllm: bool, corrected_by_trl: bool, objective: Objective) -> None:
    """One correction for where the samples came from is enough; two would multiply."""
    if use_vllm and corrected_by_trl and objective.uses_sampler:
        raise ValueError(
            f"The objective {objective.name} has its own way with completions of another sampler (correction, "
            "old_policy), and vllm_importance_sampling_correction is on as well: write "
            "vllm_importance_sampling_correction: false."
        )


def check_aggregation(aggregation: str, advantage: str) -> None:
    """TRL scales each reward function by its group when it normalises them apart, whatever the advantage."""
    if aggregation == "normalize_then_sum" and advantage != "grpo":
        raise ValueError(
            f"multi_objective_aggregation='normalize_then_sum' scales each reward function by the standard deviation "
            f"of its group, and the advantage {advantage!r} does not: write advantage: grpo, or "
            f"multi_objective_aggregation: sum_then_normalize."
        )


def steps_by_deepspeed(args: GRPOConfig) -> bool:
    """Whether DeepSpeed takes the optimiser's steps: by `args.deepspeed`, or by the launcher's configuration."""
    return bool(args.deepspeed) or parse_flag_from_env("ACCELERATE_USE_DEEPSPEED")


def check_skip(on_nonfinite: str, steps_by_deepspeed: bool) -> None:
    """Skipping is ours to do only where the step is."""
    if on_nonfinite == "skip" and steps_by_deepspeed:
        raise ValueError(
            "on_nonfinite='skip' cannot drop a step that DeepSpeed takes itself: write on_nonfinite='raise'."
        )


def check_unchanged(built: Objective, now: Objective) -> None:
    """A trainer goes on with the objective that it was built with."""
    if now != built:
        raise ValueError(
            f"The objective was changed after the trainer was built, from {built.describe()} to {now.describe()}: "
            "change the configuration first, or build a new trainer."
        )
