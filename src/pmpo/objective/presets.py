"""Frozen objectives: the published ones by name, and every free combination of their parts."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from pmpo.foundation.errors import InputError, unknown_name
from pmpo.foundation.named import is_named, load_named
from pmpo.foundation.spec import Spec, as_spec
from pmpo.objective.advantages import ADVANTAGES
from pmpo.objective.decoupling import Correction, OldPolicy, check_pair
from pmpo.objective.exponents import ClipAwareESS, FixedExponent, RewardAnnealed, ScheduledExponent
from pmpo.objective.facts import ExponentRule
from pmpo.objective.kinds import KINDS
from pmpo.objective.region import TrustRegion
from pmpo.objective.spec import fields_of, options_from, shortened_data
from pmpo.objective.trust_region import (
    FeedbackAdaptiveClip,
    LogRatioClip,
    PassThroughClip,
    RatioClip,
    SequenceRatioClip,
    SoftGate,
)
from pmpo.objective.weighting import SEQUENCE_WEIGHTS


@dataclass(frozen=True, eq=False)
class Objective:
    """One member of the family: J_i = A_i · M_{p_i}(c_i), loss = − Σ ω_i J_i + kl_coef · Σ ω_i KL_i.

    Its identity is its data, `to_mapping()`: by it objectives are equal, are pickled, and are compared when a run
    resumes. One with a part that has no name (a lambda) works in `policy_loss`, and equals only those with that part.

    Attributes:
        name: the preset it started from.
        advantage: one of `ADVANTAGES`; used by adapters, `policy_loss` takes advantages as they come.
        trust_region: a `TrustRegion`.
        exponent: an `ExponentRule`: any callable from `ExponentFacts` to a number or [B].
        sequence_weight: one of `SEQUENCE_WEIGHTS`.
        kl_coef: β, weight of the KL penalty towards a reference policy; 0 needs no reference.
        kl_bias_correction: multiply the KL estimate of a token by its importance ratio.
        max_completion_length: L_max in tokens, for the constant sequence weight.
        correction: a `Correction` for samples of another policy than that of the start of the round; None: none.
        old_policy: one of `OLD_POLICIES`, what the ratio is centred at. Both say what is done with
            `policy_loss(sampler_log_probs=)`, and only one of them can.
    """

    name: str
    advantage: str = "grpo"
    trust_region: TrustRegion = field(default_factory=RatioClip, metadata={"part": "trust_region"})
    exponent: ExponentRule = field(default_factory=lambda: FixedExponent(1.0), metadata={"part": "exponent"})
    sequence_weight: str = "sequence"
    kl_coef: float = 0.0
    kl_bias_correction: bool = False
    max_completion_length: int | None = None
    correction: Correction | None = field(default=None, metadata={"part": "correction"})
    old_policy: OldPolicy = "start"

    def __post_init__(self) -> None:
        if self.advantage not in ADVANTAGES:
            raise ValueError(unknown_name("advantage", self.advantage, ADVANTAGES))
        if self.sequence_weight not in SEQUENCE_WEIGHTS:
            raise ValueError(unknown_name("sequence weight", self.sequence_weight, SEQUENCE_WEIGHTS))
        if not isinstance(self.trust_region, TrustRegion):
            raise ValueError(f"`trust_region` must be a TrustRegion or a name of one, got {self.trust_region!r}.")
        if not callable(self.exponent):
            raise ValueError(f"`exponent` must be a number, a name or a callable rule, got {self.exponent!r}.")
        if not (math.isfinite(self.kl_coef) and self.kl_coef >= 0):
            raise ValueError(f"`kl_coef` must be a finite number >= 0, got {self.kl_coef}.")
        if self.max_completion_length is not None and self.max_completion_length < 1:
            raise ValueError(f"`max_completion_length` must be at least 1 token, got {self.max_completion_length}.")
        check_pair(self.correction, self.old_policy)
        self._reject_blind_exponent()

    def _reject_blind_exponent(self) -> None:
        """Clip-aware ESS without a token clip would read f = 0 everywhere and silently be p = 1."""
        rule = self.exponent
        if not isinstance(rule, ClipAwareESS) or isinstance(rule.target, int | float):
            return
        if self.trust_region.level == "sequence" or not self.trust_region.has_bounds:
            raise ValueError(
                f"The clip-aware exponent reads the share of clipped tokens, and {self.trust_region.describe()} "
                "clips no token. Use a token-level trust region (trust_region='log_ratio' or 'ratio'), or an absolute "
                "target: exponent=ClipAwareESS(target=0.9)."
            )

    @property
    def needs(self) -> tuple[str, ...]:
        """Fields of BatchContext that `policy_loss` must be given."""
        return tuple(dict.fromkeys((*self.trust_region.needs, *getattr(self.exponent, "needs", ()))))

    @property
    def uses_sampler(self) -> bool:
        """Whether `policy_loss` does anything with the log probabilities of the policy that drew the completions."""
        return self.correction is not None or self.old_policy == "sampler"

    def to_mapping(self) -> dict[str, Any]:
        """All of it as JSON-able data; `pmpo.objective` makes it again.

        Raises: InputError for a part that has no name (a lambda, a local function) or holds what is no plain data.
        """
        return fields_of(f"the objective {self.name}", self)

    def to_text(self) -> str:
        """The shortest text from which `pmpo.objective` makes it again: its name, and what differs from that preset.

        >>> objective("grpo", exponent=0.5, kl_coef=0.1).to_text()
        'grpo:exponent=0.5,kl_coef=0.1'
        """
        data, preset = self.to_mapping(), OBJECTIVES.get(self.name)
        same = {} if preset is None else preset.to_mapping()
        changed = {name: value for name, value in data.items() if name != "name" and value != same.get(name, _ABSENT)}
        short = {
            name: shortened_data(KINDS[name], getattr(self, name)) if name in KINDS else value
            for name, value in changed.items()
        }
        return str(Spec(self.name, short))

    def __eq__(self, other: object) -> bool:
        return self._identity() == other._identity() if isinstance(other, Objective) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> object:
        try:
            return json.dumps(self.to_mapping(), sort_keys=True)
        except InputError:
            return tuple(getattr(self, each.name) for each in fields(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return objective, (self.to_mapping(),)

    def __copy__(self) -> Objective:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Objective:
        return self

    def describe(self) -> str:
        """One line with every part, for plans and logs."""
        weight = self.sequence_weight
        if weight == "constant":
            weight += f" (L_max={self.max_completion_length})"
        kl = f", KL β={self.kl_coef}" if self.kl_coef else ""
        rule = getattr(
            self.exponent, "__qualname__", repr(self.exponent)
        )  # a function's repr is another in each process
        correction = f", correction {self.correction}" if self.correction is not None else ""
        centre = ", ratios centred at the sampler" if self.old_policy == "sampler" else ""
        return (
            f"{self.name}: advantage {self.advantage}, trust region {self.trust_region.describe()}, "
            f"exponent {rule}, sequence weight {weight}{kl}{correction}{centre}"
        )


_ABSENT = object()

OBJECTIVES: dict[str, Objective] = {
    preset.name: preset
    for preset in (
        Objective("grpo"),
        Objective("dr_grpo", advantage="dr_grpo", sequence_weight="constant"),
        Objective("dapo", trust_region=RatioClip(ratio_high=0.28), sequence_weight="token"),
        Objective(
            "gspo",
            trust_region=SequenceRatioClip(ratio_low=3e-4, ratio_high=4e-4),
            exponent=FixedExponent(0.0),
        ),
        Objective(
            "luspo",  # GSPO with each completion's loss times its length: n_i/(N·1)
            trust_region=SequenceRatioClip(ratio_low=2e-3, ratio_high=2.5e-3),
            exponent=FixedExponent(0.0),
            sequence_weight="constant",
            max_completion_length=1,
        ),
        Objective("gmpo", trust_region=LogRatioClip(), exponent=FixedExponent(0.0)),
        Objective("pmpo", trust_region=LogRatioClip(), exponent=ClipAwareESS()),
        Objective("apmpo", trust_region=FeedbackAdaptiveClip(), exponent=RewardAnnealed(), kl_coef=0.001),
        Objective("cispo", trust_region=PassThroughClip(), sequence_weight="token"),
        Objective("sapo", trust_region=SoftGate()),
        Objective("holderpo", trust_region=SequenceRatioClip(), exponent=ScheduledExponent()),
        Objective("holder_token", exponent=ScheduledExponent()),
    )
}
"""The published objectives (docs/equations.md)."""


def objective(value: str | Mapping[str, Any] | Objective, **changes: Any) -> Objective:
    """An objective from its data, with any part changed.

    Args:
        value: a name of `OBJECTIVES`; a mapping {name: a preset, field: value, …} as `Objective.to_mapping` writes it;
            a text of both, "pmpo:kl_coef=0.1"; "package.module:name" or "file.py:name" of an `Objective`; or an
            `Objective`.
        changes: fields of `Objective`. `exponent` and `trust_region` take a part, a mapping, text ("log_ratio",
            "clip_aware_ess:saturation=0.2") and, the exponent, a number.
    Returns: a frozen `Objective`, equal to every other one with the same mapping.
    Raises: InputError, a ValueError, for an unknown name (with the nearest) and for a field or option that does not
        exist or is of another type; ValueError for values and combinations that cannot work.

    >>> objective("grpo", exponent=-1).exponent
    FixedExponent(value=-1.0)
    >>> objective({"name": "gmpo", "trust_region": "log_ratio:log_ratio_low=0.3"}).trust_region.log_ratio_low
    0.3
    """
    spec = Spec("", {}) if isinstance(value, Objective) else as_spec(value, "objective", "name")
    given = {**spec.options, **changes}
    known = [f.name for f in fields(Objective) if f.name != "name"]
    for key in given:
        if key not in known:
            raise InputError(unknown_name("part of an objective", key, known))
    base = value if isinstance(value, Objective) else _named(spec.name, complete=given.keys() >= _SHAPE)
    return replace(base, **options_from(f"the objective {base.name}", Objective, given))


def completed(data: Any) -> Any:
    """A mapping that an older version wrote as this one writes it: fields that there were not have their defaults.

    As it is where it cannot be read, such as one with a rule whose file is gone.

    >>> completed({"name": "gmpo"}) == OBJECTIVES["gmpo"].to_mapping()
    True
    """
    try:
        return objective(data).to_mapping()
    except ValueError:
        return data


_SHAPE = {"advantage", "trust_region", "exponent", "sequence_weight"}
"""What a mapping must have to be an objective whatever its name."""


def _named(name: str, complete: bool) -> Objective:
    if name in OBJECTIVES:
        return OBJECTIVES[name]
    if is_named(name):
        found = load_named(name, "objective")
        if not isinstance(found, Objective):
            raise InputError(f"{name} is a {type(found).__name__}, not an Objective; write name = pmpo.objective(...).")
        return found
    if complete:
        return Objective(name)
    raise InputError(unknown_name("objective", name, OBJECTIVES))
