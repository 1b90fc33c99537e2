"""From the fields of a configuration (what YAML and flags can say) to a frozen `Objective`.

Every field either changes the objective or is refused with the reason: nothing is accepted and ignored. The parts are
resolved one by one and put together once, so that a combination is accepted exactly where `pmpo.objective` accepts it.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from pmpo.foundation.errors import unknown_name
from pmpo.foundation.spec import as_spec
from pmpo.integrations.trl import trl_losses
from pmpo.integrations.trl.objective_fields import ObjectiveFields, naming
from pmpo.objective.kinds import KINDS
from pmpo.objective.presets import Objective, objective
from pmpo.objective.region import TrustRegion
from pmpo.objective.spec import part_of
from pmpo.objective.trust_region import LogRatioClip, RatioClip

DEFAULT_OBJECTIVE = "pmpo"

SCALE_REWARDS = {"grpo": "group", "dr_grpo": "none", "batch": "batch", "rloo": "none"}
"""TRL's `scale_rewards` for each advantage; rloo rescales what "none" gives."""

_ADVANTAGES = {"group": "grpo", "none": "dr_grpo", "batch": "batch", True: "grpo", False: "dr_grpo"}

_BOUNDS = {
    "epsilon": ("ratio_low",),
    "epsilon_high": ("ratio_high", "ratio_high_min", "ratio_max"),
    "delta": ("dual_clip_ratio",),
    "sapo_temperature_pos": ("temperature_pos",),
    "sapo_temperature_neg": ("temperature_neg",),
}
"""What each of TRL's fields is called in a trust region: the first of these options that the region has."""


def resolve_objective(given: ObjectiveFields) -> Objective:
    """The objective that a configuration describes.

    Raises: ValueError naming the field, its value and what to write instead.
    """
    base = _base(given)
    weight = base.sequence_weight if given.sequence_weight is None else given.sequence_weight
    changes: dict[str, Any] = {
        "trust_region": _region(given, base),
        "exponent": base.exponent if given.exponent is None else _part("exponent", given.exponent),
        "advantage": _advantage(given, base),
        "sequence_weight": weight,
        "correction": base.correction if given.correction is None else _part("correction", given.correction),
        "old_policy": base.old_policy if given.old_policy is None else given.old_policy,
    }
    if weight == "constant" and base.max_completion_length is None:
        changes["max_completion_length"] = _longest(given)
    if given.beta is not None:
        changes["kl_coef"] = given.beta
    if given.use_bias_correction_kl is not None:
        changes["kl_bias_correction"] = given.use_bias_correction_kl
    resolved = replace(base, **changes)
    trl_losses.check_level(given.importance_sampling_level, resolved)
    return resolved


def _base(given: ObjectiveFields) -> Objective:
    """The objective as it is named, by us or by TRL, before any of its parts is changed."""
    named = None if given.objective is None else objective(given.objective)
    trls = trl_losses.named_by(given)
    if trls is None:
        return named if named is not None else objective(DEFAULT_OBJECTIVE)
    if named is not None and named.name != trls.name:
        raise ValueError(
            f"`loss_type`={given.loss_type!r} names the objective {trls.name!r} and contradicts `objective`="
            f"{named.name!r}: write only one."
        )
    return trls if named is None else named


def _part(field: str, value: Any) -> Any:
    with naming(field):
        return part_of(KINDS[field], value)


def _longest(given: ObjectiveFields) -> int:
    if given.max_completion_length is None:
        raise ValueError(
            "sequence_weight 'constant' divides by max_completion_length, which is None: write a number of tokens."
        )
    return given.max_completion_length


def _region(given: ObjectiveFields, base: Objective) -> TrustRegion:
    """The trust region with TRL's bounds in it."""
    region, written = base.trust_region, {}
    if given.trust_region is not None:
        region = _part("trust_region", given.trust_region)
        with naming("trust_region"):
            written = as_spec(given.trust_region, "trust region", "region").options
    if trl_losses.has_bare_epsilon(given):
        region = RatioClip()
    options = {option.name for option in fields(region)}
    changes: dict[str, Any] = {}
    for field, names in _BOUNDS.items():
        if (value := getattr(given, field)) is None:
            continue
        option = next((name for name in names if name in options), None)
        if option is None:
            raise ValueError(_wrong_bound(field, value, region))
        changes[option] = _lower(value) if option == "ratio_low" else value
        if written.get(option, changes[option]) != changes[option]:
            raise ValueError(
                f"`{field}`={value} contradicts {option}={written[option]} of `trust_region`: write only one."
            )
    # As in TRL: an upper bound that is not given follows the lower one.
    if given.epsilon is not None and "ratio_high" in options - written.keys():
        changes.setdefault("ratio_high", given.epsilon)
    return replace(region, **changes)


def _lower(epsilon: float) -> float:
    """1 - epsilon is below every ratio where epsilon is above 1 (DeepSeek-R1: 10)."""
    return min(epsilon, 1.0)


def _wrong_bound(field: str, value: float, region: TrustRegion) -> str:
    kind = type(region).__name__
    if field.startswith("epsilon") and isinstance(region, LogRatioClip):
        return (
            f"`{field}`={value} is a ratio bound (distance from ratio 1), but the trust region {kind} takes bounds in "
            "nats. Write trust_region: log_ratio:log_ratio_low=0.4,log_ratio_high=0.4 (those of GMPO and PMPO), or "
            "trust_region: ratio."
        )
    has = [name for name, options in _BOUNDS.items() if name != "delta" and any(hasattr(region, o) for o in options)]
    takes = f"which takes {' and '.join(has)}" if has else "which takes none of TRL's bounds"
    return f"`{field}`={value} has no meaning for the trust region {kind}, {takes}: remove it."


def _advantage(given: ObjectiveFields, base: Objective) -> str:
    """TRL's `scale_rewards` is another spelling of the advantage; two different spellings are refused."""
    named = base.advantage if given.advantage is None else given.advantage
    scale = given.scale_rewards
    if scale is None:
        return named
    if scale not in _ADVANTAGES:
        raise ValueError(unknown_name("scale_rewards", scale, dict.fromkeys(SCALE_REWARDS.values())))
    if SCALE_REWARDS.get(named) == SCALE_REWARDS[_ADVANTAGES[scale]]:
        return named
    if given.advantage is not None:
        raise ValueError(f"`scale_rewards`={scale!r} contradicts `advantage`={given.advantage!r}: write only one.")
    return _ADVANTAGES[scale]
