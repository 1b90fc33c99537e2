"""The objective: a preset by its name, anything else by the text that it is written in."""

from __future__ import annotations

from dataclasses import fields, replace

from pmpo.foundation.errors import InputError
from pmpo.integrations.trl.objective_fields import ObjectiveFields
from pmpo.integrations.verl.checks import AGGREGATIONS
from pmpo.integrations.verl.chosen import NAME
from pmpo.objective.decoupling import CORRECTIONS
from pmpo.objective.presets import OBJECTIVES, Objective
from pmpo.runs.verl_engine.job import Job, says
from pmpo.runs.verl_engine.overrides import ACTOR, ROLLOUT, Translation

_SECTION = "pmpo.integrations.verl.policy_loss_config.PolicyLossConfig"
_FIELDS = tuple(field.name for field in fields(ObjectiveFields) if field.name != "max_completion_length")


@says(*_FIELDS)
def objective(job: Job, to: Translation) -> None:
    chosen = with_trls_correction(job)
    longest = job.options.max_completion_length
    told = chosen
    if chosen.sequence_weight == "constant":
        if chosen.max_completion_length not in (None, longest):
            longest = chosen.max_completion_length
        to.line("max_completion_length", f"{ACTOR}.loss_scale_factor", longest)
        told = replace(chosen, max_completion_length=OBJECTIVES[chosen.name].max_completion_length)
    _put_loss(told, to)
    to.line("objective", f"{ACTOR}.loss_agg_mode", AGGREGATIONS[chosen.sequence_weight])
    to.line("objective", "algorithm.adv_estimator", f"{NAME}/{chosen.advantage}")
    # Batch statistics, schedules and the exact metrics come with our trainer.
    to.line("engine", "trainer.v1.trainer_mode", NAME)
    to.line("engine", "critic.enable", False)
    _put_kl(chosen, to)
    to.line("objective", f"{ROLLOUT}.calculate_log_probs", chosen.uses_sampler)
    if job.options.announcement is not None:
        to.note(job.options.announcement)


def _put_loss(told: Objective, to: Translation) -> None:
    if told == OBJECTIVES.get(told.name):
        to.line("objective", f"{ACTOR}.policy_loss.loss_mode", f"{NAME}/{told.name}")
        return
    to.line("objective", f"{ACTOR}.policy_loss._target_", _SECTION)
    to.line("objective", f"{ACTOR}.policy_loss.loss_mode", NAME)
    to.line("objective", f"+{ACTOR}.policy_loss.objective", told.to_text())


def _put_kl(chosen: Objective, to: Translation) -> None:
    if chosen.kl_bias_correction and chosen.kl_coef:
        raise InputError(
            "The objective multiplies its KL by the importance ratio (kl_bias_correction, as TRL's losses do), which "
            "verl's KL term does not: write use_bias_correction_kl: false, or beta: 0."
        )
    to.line("beta", f"{ACTOR}.use_kl_loss", bool(chosen.kl_coef))
    if chosen.kl_coef:
        to.line("beta", f"{ACTOR}.kl_loss_coef", chosen.kl_coef)
        to.line("beta", f"{ACTOR}.kl_loss_type", "low_var_kl")
        to.note("beta: verl's KL of a token is cut off at 10 nats, ours is not")


@says(
    "vllm_importance_sampling_correction",
    "vllm_importance_sampling_mode",
    "vllm_importance_sampling_clip_max",
    "vllm_importance_sampling_clip_min",
    "vllm_importance_sampling_cap",
)
def sampler_correction(job: Job, to: Translation) -> None:
    """TRL's correction is a part of the objective, `with_trls_correction`; verl's own stays off."""
    to.line("vllm_importance_sampling_correction", "algorithm.rollout_correction.rollout_is", None)
    if with_trls_correction(job) != job.options.resolved_objective:
        to.note(
            "vllm_importance_sampling_correction: as a part of the objective (correction), where both trainers compute "
            "the same weights"
        )


def with_trls_correction(job: Job) -> Objective:
    """The objective with TRL's correction for vLLM's samples in it, where that is on.

    Raises: InputError for two corrections.
    """
    options, chosen = job.options, job.options.resolved_objective
    if not (options.use_vllm and options.vllm_importance_sampling_correction):
        return chosen
    if chosen.uses_sampler:
        raise InputError(
            f"The objective {chosen.name} has its own way with completions of another sampler (correction, "
            "old_policy), and vllm_importance_sampling_correction is on as well: write "
            "vllm_importance_sampling_correction: false."
        )
    level, _, action = options.vllm_importance_sampling_mode.partition("_")
    cap = options.vllm_importance_sampling_cap  # TRL's older name of the upper bound
    most = options.vllm_importance_sampling_clip_max if cap is None else cap
    bounds = {
        "ratio_max": float("inf") if most is None else most,
        "ratio_min": options.vllm_importance_sampling_clip_min,
    }
    return replace(chosen, correction=CORRECTIONS[action](level=level, **bounds))


@says("entropy_coef")
def entropy(job: Job, to: Translation) -> None:
    coefficient = job.options.entropy_coef
    to.line("entropy_coef", f"{ACTOR}.entropy_coeff", coefficient)
    if coefficient and job.options.resolved_objective.sequence_weight != "token":
        to.note(
            "entropy_coef: TRL's bonus is a mean over the tokens of a micro-batch; verl's weighs completions as the "
            "objective does"
        )


@says("on_nonfinite", "implementation")
def nonfinite_and_implementation(job: Job, to: Translation) -> None:
    """What only our own section of verl's configuration has a place for."""
    asked = {}
    if job.options.on_nonfinite == "raise":
        asked["on_nonfinite"] = "nonfinite"
    if job.options.implementation != "auto":
        asked["implementation"] = "implementation"
    for option, line in asked.items():
        to.line(option, f"{ACTOR}.policy_loss._target_", _SECTION)
        to.line(option, f"+{ACTOR}.policy_loss.{line}", getattr(job.options, option))
    if asked:
        chosen = to.overrides[f"{ACTOR}.policy_loss.loss_mode"]
        to.line("objective", f"{ACTOR}.policy_loss.loss_mode", chosen)
