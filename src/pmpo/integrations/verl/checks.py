"""What of verl's configuration cannot go with an objective, refused before Ray starts.

A switch of verl that our loss does not read must keep its default: nothing is accepted and ignored.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

from pmpo.foundation.errors import InputError
from pmpo.integrations.verl.chosen import ESTIMATORS, NAME, is_ours, objective_of
from pmpo.objective.kinds import KINDS
from pmpo.objective.presets import Objective
from pmpo.objective.spec import data_of

TESTED = ("0.9.",)
"""Beginnings of the versions of verl that the tests run with."""
ALLOW_UNTESTED = "PMPO_ALLOW_UNTESTED_VERL"

AGGREGATIONS = {
    "sequence": "seq-mean-token-mean",
    "token": "token-mean",
    "constant": "seq-mean-token-sum-norm",
}
"""verl's `loss_agg_mode` that weighs completions as a sequence weight does."""

_UNREAD = {
    "clip_ratio": 0.2,
    "clip_ratio_low": 0.2,
    "clip_ratio_high": 0.2,
    "clip_ratio_c": 3.0,
    "tau_pos": 1.0,
    "tau_neg": 1.05,
}
"""Settings of verl's actor that verl's own losses read and ours do not, and their defaults."""

_ACTOR = "actor_rollout_ref.actor"
_OWN_ESTIMATORS = {("grpo", True): "grpo", ("grpo", False): "dr_grpo", ("rloo", True): "rloo"}
"""verl's own estimators, with norm_adv_by_std_in_grpo, by the advantage that they are."""


def check_config(config: Any) -> None:
    """Refuse a configuration of verl whose parts contradict its objective.

    Args:
        config: of main_ppo, whole.
    Raises: InputError with what was written, and the line to write instead.
    """
    actor = config.actor_rollout_ref.actor
    ours, trainer_mode = is_ours(actor.policy_loss.loss_mode), config.trainer.v1.trainer_mode
    if not ours and trainer_mode != NAME:
        return
    if not ours:
        raise InputError(
            f"trainer.v1.trainer_mode={NAME} trains with an objective of the family, and loss_mode is "
            f"{actor.policy_loss.loss_mode}: write {_ACTOR}.policy_loss.loss_mode={NAME}/grpo, or trainer_mode=sync."
        )
    _check_version()
    _check_target(actor.policy_loss)
    objective = objective_of(actor.policy_loss)
    for check in _CHECKS:
        check(objective, config)


def _check_version() -> None:
    from verl import __version__

    if not __version__.startswith(TESTED) and not os.environ.get(ALLOW_UNTESTED):
        raise InputError(
            f"verl {__version__} is not tested with this version of pmpo, verl {TESTED[0]}x is: pip install "
            f"'pmpo[verl]', or write {ALLOW_UNTESTED}=1 before the command to try it."
        )


def _check_target(policy_loss: Any) -> None:
    if policy_loss.get("objective") is not None and not str(policy_loss._target_).startswith("pmpo."):
        raise InputError(
            f"{_ACTOR}.policy_loss.objective needs pmpo's section: add {_ACTOR}.policy_loss._target_="
            "pmpo.integrations.verl.policy_loss_config.PolicyLossConfig."
        )


def _check_trainer(objective: Objective, config: Any) -> None:
    wanted = [*objective.needs, *(["the sampler's log-probabilities"] if objective.uses_sampler else [])]
    if wanted and not (config.trainer.get("use_v1", True) and config.trainer.v1.trainer_mode == NAME):
        raise InputError(
            f"Objective '{objective.name}' needs {' and '.join(wanted)} of the whole batch, which verl does not tell a "
            f"policy loss: write trainer.v1.trainer_mode={NAME}."
        )
    if "ratio_sums" in objective.needs and config.actor_rollout_ref.actor.strategy == "megatron":
        raise InputError(
            f"Objective '{objective.name}' needs a pass over the whole step before its first micro-batch, which is not "
            f"made under Megatron's pipelines: write {_ACTOR}.strategy=fsdp2, or another objective."
        )


def _check_aggregation(objective: Objective, config: Any) -> None:
    actor = config.actor_rollout_ref.actor
    wanted = AGGREGATIONS[objective.sequence_weight]
    longest, given = objective.max_completion_length, actor.get("loss_scale_factor")
    if actor.loss_agg_mode != wanted and not (longest == 1 and actor.loss_agg_mode == "seq-mean-token-sum"):
        raise InputError(
            f"Objective '{objective.name}' weighs completions by {objective.sequence_weight!r}, and {_ACTOR}."
            f"loss_agg_mode={actor.loss_agg_mode} would weigh verl's entropy and KL terms otherwise: write {_ACTOR}."
            f"loss_agg_mode={wanted}."
        )
    if wanted == "seq-mean-token-sum-norm" == actor.loss_agg_mode and (given is None or longest not in (None, given)):
        raise InputError(
            f"Objective '{objective.name}' divides by one length for all completions, and {_ACTOR}.loss_scale_factor="
            f"{given}: write {_ACTOR}.loss_scale_factor={longest or config.data.max_response_length}."
        )


def _check_unread(objective: Objective, config: Any) -> None:
    actor = config.actor_rollout_ref.actor
    region = json.dumps(data_of(KINDS["trust_region"], objective.trust_region)).replace('"', "")
    for name, default in _UNREAD.items():
        given = actor.get(name, default)
        if given is not None and given != default:
            raise InputError(
                f"{_ACTOR}.{name}={given} is read by verl's own losses alone; the bounds of '{objective.name}' are "
                f"those of its trust region. Leave it out; other bounds are loss_mode={NAME} with objective="
                f"'{{name: {objective.name}, trust_region: {region}}}' and other numbers in it."
            )


def _check_advantage(objective: Objective, config: Any) -> None:
    algorithm = config.algorithm
    given = getattr(algorithm.adv_estimator, "value", algorithm.adv_estimator)
    by_std = bool(algorithm.get("norm_adv_by_std_in_grpo", True)) if given == "grpo" else True
    kind = ESTIMATORS.get(given, _OWN_ESTIMATORS.get((given, by_std)))
    if kind != objective.advantage:
        shown = f"{given} with norm_adv_by_std_in_grpo={by_std}" if given == "grpo" else given
        raise InputError(
            f"Objective '{objective.name}' has the advantage {objective.advantage}, and algorithm.adv_estimator is "
            f"{shown}: write algorithm.adv_estimator={NAME}/{objective.advantage}, or change the objective's."
        )


def _check_kl(objective: Objective, config: Any) -> None:
    actor = config.actor_rollout_ref.actor
    if objective.kl_bias_correction:
        raise InputError(
            "kl_bias_correction multiplies the KL by the importance ratio, which verl's KL term does not: leave it out."
        )
    coefficient = actor.kl_loss_coef if actor.use_kl_loss else 0.0
    if objective.kl_coef and (coefficient != objective.kl_coef or actor.kl_loss_type not in ("low_var_kl", "k3")):
        raise InputError(
            f"Objective '{objective.name}' has kl_coef={objective.kl_coef}, which verl's own KL term is for (counted "
            f"once): write {_ACTOR}.use_kl_loss=True {_ACTOR}.kl_loss_coef={objective.kl_coef} {_ACTOR}.kl_loss_type="
            "low_var_kl, or an objective with kl_coef: 0."
        )


def _check_sampler(objective: Objective, config: Any) -> None:
    correction: Mapping[str, Any] = config.algorithm.get("rollout_correction") or {}
    if not objective.uses_sampler:
        return
    if correction.get("rollout_is"):
        raise InputError(
            f"algorithm.rollout_correction.rollout_is={correction['rollout_is']} and the objective's "
            f"{objective.correction or 'old_policy: sampler'} would both weigh tokens by the sampler: write "
            "algorithm.rollout_correction.rollout_is=null, or an objective without a correction."
        )
    if not config.actor_rollout_ref.rollout.calculate_log_probs:
        raise InputError(
            f"Objective '{objective.name}' reads the sampler's log-probabilities: write "
            "actor_rollout_ref.rollout.calculate_log_probs=True."
        )


def _check_parallelism(objective: Objective, config: Any) -> None:
    actor = config.actor_rollout_ref.actor
    fsdp = actor.get("fsdp_config") or {}
    size = max(actor.get("ulysses_sequence_parallel_size") or 1, fsdp.get("ulysses_sequence_parallel_size") or 1)
    overrides = config.actor_rollout_ref.model.get("override_config") or {}
    attention = overrides.get("attn_implementation", "flash_attention_2")
    if size > 1 and not str(attention).startswith("flash_attention"):
        raise InputError(
            f"{_ACTOR}.ulysses_sequence_parallel_size={size} with attn_implementation={attention} computes wrong "
            "log-probabilities without a word (verl's own losses too): write attn_implementation=flash_attention_2, or "
            "a sequence parallel size of 1."
        )


def _check_distillation(objective: Objective, config: Any) -> None:
    if (config.get("distillation") or {}).get("enabled"):
        raise InputError(
            f"distillation.enabled=True puts another loss in the place of '{objective.name}', or beside it, which is "
            "not tested: write distillation.enabled=False."
        )


_CHECKS: tuple[Callable[[Objective, Any], None], ...] = (
    _check_trainer,
    _check_aggregation,
    _check_unread,
    _check_advantage,
    _check_kl,
    _check_sampler,
    _check_parallelism,
    _check_distillation,
)
