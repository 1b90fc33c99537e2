"""From flat configuration fields (what YAML and flags can say) to a frozen `Objective`.

Every field either changes the objective or is refused with the reason: nothing is accepted and ignored.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pmpo.objective.exponents import (
    ClipAwareESS,
    LinearMap,
    PowerMap,
    RampMap,
    RewardAnnealed,
    ScheduledExponent,
)
from pmpo.objective.naming import unknown_name
from pmpo.objective.presets import Objective, exponent_rule, objective, trust_region
from pmpo.objective.trust_region import (
    FeedbackAdaptiveClip,
    LogRatioClip,
    RatioClip,
    SequenceRatioClip,
    TrustRegion,
)

if TYPE_CHECKING:
    from pmpo.integrations.trl.config import PMPOConfig

SCALE_REWARDS = {"grpo": "group", "dr_grpo": "none", "batch": "batch", "rloo": "none"}
"""TRL's `scale_rewards` for each advantage; rloo rescales what "none" gives."""

_RATIO_FIELDS = {
    "epsilon": {RatioClip: "ratio_low", SequenceRatioClip: "ratio_low", FeedbackAdaptiveClip: "ratio_low"},
    "epsilon_high": {
        RatioClip: "ratio_high",
        SequenceRatioClip: "ratio_high",
        FeedbackAdaptiveClip: "ratio_high_min",
    },
    "epsilon_high_max": {FeedbackAdaptiveClip: "ratio_high_max"},
}
_LOG_RATIO_FIELDS = {
    "log_ratio_low": {LogRatioClip: "log_ratio_low"},
    "log_ratio_high": {LogRatioClip: "log_ratio_high"},
}
_EXPONENT_FIELDS = {
    "clip_reading": (ClipAwareESS, "reading"),
    "ess_over": (ClipAwareESS, "over"),
    "reward_gamma": (RewardAnnealed, "gamma"),
    "exponent_start": (ScheduledExponent, "start"),
    "exponent_end": (ScheduledExponent, "end"),
    "exponent_schedule": (ScheduledExponent, "shape"),
}
_ESS_MAPS = {
    "linear": (None, LinearMap),
    "power": ("ess_kappa", PowerMap),
    "ramp": ("ess_saturation", RampMap),
    "absolute": ("ess_target", float),
}


def resolve_objective(args: PMPOConfig) -> Objective:
    """The objective that the fields of `args` describe.

    Raises: ValueError naming the field, its value and what to write instead.
    """
    base = args.objective
    if not isinstance(base, Objective):
        base = objective(base)
    changes: dict[str, Any] = {}
    for name in ("exponent", "trust_region", "sequence_weight", "advantage"):
        if getattr(args, name) is not None:
            changes[name] = getattr(args, name)
    resolved = _with(base, **changes)
    resolved = replace(resolved, trust_region=_region(args, resolved.trust_region))
    resolved = replace(resolved, exponent=_exponent(args, resolved))
    resolved = replace(resolved, advantage=_advantage(args, resolved))
    if args.beta is not None:
        resolved = replace(resolved, kl_coef=args.beta)
    if args.use_bias_correction_kl is not None:
        resolved = replace(resolved, kl_bias_correction=args.use_bias_correction_kl)
    if resolved.sequence_weight == "constant" and resolved.max_completion_length is None:
        resolved = replace(resolved, max_completion_length=args.max_completion_length)
    return resolved


def _with(base: Objective, **changes: Any) -> Objective:
    """`base` with parts changed; names of parts are resolved as `pmpo.objective` does."""
    if "exponent" in changes:
        changes["exponent"] = exponent_rule(changes["exponent"])
    if isinstance(changes.get("trust_region"), str):
        changes["trust_region"] = trust_region(changes["trust_region"])
    return replace(base, **changes)


def _region(args: PMPOConfig, region: TrustRegion) -> TrustRegion:
    changes: dict[str, float] = {}
    for field, by_class in {**_RATIO_FIELDS, **_LOG_RATIO_FIELDS}.items():
        value = getattr(args, field)
        if value is None:
            continue
        if type(region) not in by_class:
            raise ValueError(_wrong_bound(field, value, region))
        changes[by_class[type(region)]] = value
    # As in TRL: an upper bound that is not given follows the lower one.
    for low, high in (("ratio_low", "ratio_high"), ("log_ratio_low", "log_ratio_high")):
        if low in changes and hasattr(region, high):
            changes.setdefault(high, changes[low])
    if args.delta is not None:
        changes["dual_clip_ratio"] = args.delta
    return replace(region, **changes)


def _wrong_bound(field: str, value: float, region: TrustRegion) -> str:
    kind = type(region).__name__
    if field in _LOG_RATIO_FIELDS and hasattr(region, "ratio_low"):
        return (
            f"`{field}`={value} is a bound in nats, but the trust region {kind} takes ratio bounds. Write epsilon "
            f"and epsilon_high (distances from ratio 1), or trust_region: log_ratio."
        )
    if field in _RATIO_FIELDS and isinstance(region, LogRatioClip):
        return (
            f"`{field}`={value} is a ratio bound (distance from ratio 1), but the trust region {kind} takes bounds "
            f"in nats. Write log_ratio_low and log_ratio_high (GMPO and PMPO: 0.4), or trust_region: ratio."
        )
    return f"`{field}`={value} has no meaning for the trust region {kind}: remove it."


def _exponent(args: PMPOConfig, resolved: Objective) -> Any:
    rule = resolved.exponent
    changes: dict[str, Any] = {}
    for field, (cls, attribute) in _EXPONENT_FIELDS.items():
        value = getattr(args, field)
        if value is None:
            continue
        if not isinstance(rule, cls):
            raise ValueError(_wrong_rule(field, value, cls.__name__, rule))
        changes[attribute] = value
    target = _ess_target(args, rule)
    if target is not None:
        changes["target"] = target
    return replace(rule, **changes) if changes else rule


def _ess_target(args: PMPOConfig, rule: Any) -> Any:
    """g (or τ) from ess_map and the one parameter that belongs to it."""
    given = {name for name in ("ess_kappa", "ess_saturation", "ess_target") if getattr(args, name) is not None}
    if args.ess_map is None and not given:
        return None
    if not isinstance(rule, ClipAwareESS):
        field = "ess_map" if args.ess_map is not None else sorted(given)[0]
        raise ValueError(_wrong_rule(field, getattr(args, field), "ClipAwareESS", rule))
    name = args.ess_map if args.ess_map is not None else _map_of(sorted(given)[0])
    if name not in _ESS_MAPS:
        raise ValueError(unknown_name("ess_map", name, _ESS_MAPS))
    parameter, factory = _ESS_MAPS[name]
    for extra in sorted(given - {parameter}):
        raise ValueError(
            f"`{extra}`={getattr(args, extra)} does not belong to ess_map '{name}': remove it, or write "
            f"ess_map: {_map_of(extra)}."
        )
    if name == "absolute" and args.ess_target is None:
        raise ValueError("ess_map 'absolute' needs the target itself: write ess_target: 0.9.")
    return factory(getattr(args, parameter)) if parameter in given else factory()


def _map_of(parameter: str) -> str:
    return next(name for name, (belongs, _) in _ESS_MAPS.items() if belongs == parameter)


def _wrong_rule(field: str, value: Any, needed: str, rule: Any) -> str:
    return f"`{field}`={value!r} belongs to the exponent rule {needed}, but the objective uses {rule!r}: remove it."


def _advantage(args: PMPOConfig, resolved: Objective) -> str:
    """TRL's `scale_rewards` is another spelling of the advantage; two different spellings are refused."""
    if args.scale_rewards is None:
        return resolved.advantage
    scale = {True: "group", False: "none"}.get(args.scale_rewards, args.scale_rewards)
    if scale not in SCALE_REWARDS.values():
        raise ValueError(unknown_name("scale_rewards", scale, dict.fromkeys(SCALE_REWARDS.values())))
    if SCALE_REWARDS[resolved.advantage] == scale:
        return resolved.advantage
    if args.advantage is not None:
        raise ValueError(
            f"`scale_rewards`={args.scale_rewards!r} contradicts `advantage`={args.advantage!r}: write only one."
        )
    return {"group": "grpo", "none": "dr_grpo", "batch": "batch"}[scale]
