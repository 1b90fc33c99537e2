"""TRL's own names of losses, `loss_type` and `importance_sampling_level`, as members of the family.

A name means what GRPOTrainer computes for it, with TRL's defaults (ε 0.2 on both sides, group-scaled advantages, bias-
corrected KL), so that a script's numbers stay what they were; where that is not possible, a sentence says so.
docs/decisions/0008.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pmpo.foundation.errors import unknown_name
from pmpo.integrations.trl.objective_fields import ObjectiveFields
from pmpo.objective.exponents import FixedExponent
from pmpo.objective.maps import PassThroughClip, SoftGate
from pmpo.objective.presets import OBJECTIVES, Objective
from pmpo.objective.region import TrustRegion
from pmpo.objective.trust_region import RatioClip, SequenceRatioClip

LEVELS = ("token", "sequence")
TRL_DEFAULT = "dapo"
"""The loss of a GRPOConfig that names none."""


@dataclass(frozen=True)
class _Loss:
    """What one of TRL's losses is in the family.

    Attributes:
        name: the preset whose weight it has, at token level; at sequence level it is gspo with that weight.
        weight: of a completion.
        length: L_max of the constant weight; None: the configuration's max_completion_length.
        region: at token level.
        at_sequence: whether TRL's sequence level is a member too.
        note: what differs from TRL, if anything does.
    """

    name: str
    weight: str
    length: int | None = None
    region: TrustRegion = field(default_factory=RatioClip)
    at_sequence: bool = True
    note: str = ""


_LOSSES = {
    "grpo": _Loss("grpo", "sequence"),
    "dapo": _Loss("dapo", "token"),
    "dr_grpo": _Loss("dr_grpo", "constant"),
    "luspo": _Loss("dr_grpo", "constant", 1),
    "bnpo": _Loss(
        "dapo",
        "token",
        note=" TRL divides by the tokens of each micro-batch by itself, so its loss depends on how a step is cut up; "
        "here the tokens of the whole step are the divisor, which is the same where a step is one micro-batch of one "
        "process.",
    ),
    "cispo": _Loss(
        "cispo",
        "token",
        region=PassThroughClip(),
        at_sequence=False,
        note=" Without epsilon_high TRL caps every ratio at 0.2, below 1; here the cap is 5, as the paper of ScaleRL "
        "has it.",
    ),
    "sapo": _Loss("sapo", "sequence", region=SoftGate(), at_sequence=False),
}
_OUTSIDE = {
    "vespo": ("gspo", "it weighs tokens by the product of a completion's ratios, which no power mean is"),
}
"""Losses that are no member: (nearest, why)."""


def named_by(given: ObjectiveFields) -> Objective | None:
    """The objective that `loss_type` and `importance_sampling_level` name together; None where they name none.

    Raises: ValueError for a loss outside the family, with the nearest member and the reason, and for unknown names.
    """
    level = given.importance_sampling_level
    if level is not None and level not in LEVELS:
        raise ValueError(unknown_name("importance_sampling_level", level, LEVELS))
    if given.loss_type is not None:
        return _objective(given.loss_type, level or "token")
    others = (given.objective, given.trust_region)
    return _objective(TRL_DEFAULT, level) if level == "sequence" and others == (None, None) else None


def _objective(loss_type: str, level: str) -> Objective:
    if loss_type in _OUTSIDE:
        nearest, why = _OUTSIDE[loss_type]
        raise ValueError(
            f"`loss_type`={loss_type!r} is no member of the family: {why}. Remove it; the nearest member is "
            f"`objective`={nearest!r}."
        )
    if loss_type not in _LOSSES:
        if loss_type in OBJECTIVES:
            return OBJECTIVES[loss_type]
        raise ValueError(unknown_name("loss_type", loss_type, dict.fromkeys((*_LOSSES, *OBJECTIVES))))
    loss = _LOSSES[loss_type]
    shared = replace(
        OBJECTIVES[loss.name], advantage="grpo", sequence_weight=loss.weight, max_completion_length=loss.length
    )
    if level == "sequence":
        if not loss.at_sequence:
            raise ValueError(
                f"`loss_type`={loss_type!r} with `importance_sampling_level`='sequence' is no member of the family: "
                f"its map is applied to tokens. Write importance_sampling_level: token, or objective: gspo."
            )
        # TRL's bias-corrected KL multiplies by the ratio of the sequence here, which is not the token's of the family.
        region = SequenceRatioClip(ratio_low=0.2, ratio_high=0.2)
        return replace(shared, name="gspo", trust_region=region, exponent=FixedExponent(0.0))
    return replace(shared, trust_region=loss.region, kl_bias_correction=True)


def check_level(level: str | None, resolved: Objective) -> None:
    """Refuse an `importance_sampling_level` that is not the objective's: TRL's word for where the ratio is clipped."""
    own = resolved.trust_region.level
    if level is not None and level != own:
        region = "sequence_ratio (GSPO's)" if level == "sequence" else "ratio or log_ratio"
        works = "tokens and the sequence" if own == "both" else f"the {own}"
        raise ValueError(
            f"`importance_sampling_level`={level!r} contradicts the trust region {resolved.trust_region.describe()}, "
            f"which works on {works}: remove it, or write trust_region: {region}."
        )


def has_bare_epsilon(given: ObjectiveFields) -> bool:
    """Whether `epsilon` or `epsilon_high` is all that is said of the objective, as in scripts for GRPOTrainer: they are
    ratio bounds, so that the trust region is a ratio clip."""
    return given.names_no_objective and not (given.epsilon is None and given.epsilon_high is None)


def announcement(given: ObjectiveFields, resolved: Objective) -> str | None:
    """The sentence that says what TRL's names have chosen; None where they chose nothing."""
    if has_bare_epsilon(given):
        return (
            f"epsilon and epsilon_high are distances from ratio 1, so the default objective's clip of log ratios gives "
            f"way to one of ratios: {resolved.describe()}. Write `objective` or `trust_region` to choose another."
        )
    if named_by(given) is None or given.objective is not None:
        return None
    names = {name: getattr(given, name) for name in ("loss_type", "importance_sampling_level")}
    written = ", ".join(f"{name}={value!r}" for name, value in names.items() if value is not None)
    note = _LOSSES[given.loss_type].note if given.loss_type in _LOSSES else ""
    if given.loss_type == "cispo" and given.epsilon_high is not None:
        note = ""
    return (
        f"{written} is taken as the member of the family that TRL computes for it: {resolved.describe()}.{note} "
        "Writing `objective` instead says the same in the family's own names."
    )
