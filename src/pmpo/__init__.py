"""Power-mean policy optimisation: GRPO, GMPO, PMPO, APMPO, HölderPO and their relatives as one tested objective.

Importing this package loads torch and nothing else; trainers live in `pmpo.integrations`.
"""

from pmpo.kernels.choice import Implementation, choose, policy_loss
from pmpo.objective.advantages import equal_groups, group_advantages
from pmpo.objective.batch import BatchContext
from pmpo.objective.correction import divergence_mask, rollout_weights
from pmpo.objective.decoupling import Correction, MaskedCorrection, TruncatedCorrection
from pmpo.objective.diagnostics import Diagnostics
from pmpo.objective.exponents import (
    ClipAwareESS,
    FixedExponent,
    RewardAnnealed,
    ScheduledExponent,
    SignedExponent,
)
from pmpo.objective.facts import ExponentFacts
from pmpo.objective.maps import DivergenceClip, EssCap, PassThroughClip, SoftGate, TwoLevelClip
from pmpo.objective.policy_loss import PolicyLoss
from pmpo.objective.power_mean import normalized_ess, power_mean, token_weights
from pmpo.objective.presets import OBJECTIVES, Objective, objective
from pmpo.objective.ratio_sums import ratio_sums
from pmpo.objective.region import TrustRegion
from pmpo.objective.solver import solve_exponent
from pmpo.objective.target_maps import LinearMap, PowerMap, RampMap
from pmpo.objective.trust_region import (
    FeedbackAdaptiveClip,
    LogRatioClip,
    NoClip,
    RatioClip,
    SequenceRatioClip,
    TwoSidedClip,
)

__version__ = "0.1.0"

__all__ = [
    "OBJECTIVES",
    "BatchContext",
    "ClipAwareESS",
    "Correction",
    "Diagnostics",
    "DivergenceClip",
    "EssCap",
    "ExponentFacts",
    "FeedbackAdaptiveClip",
    "FixedExponent",
    "Implementation",
    "LinearMap",
    "LogRatioClip",
    "MaskedCorrection",
    "NoClip",
    "Objective",
    "PassThroughClip",
    "PolicyLoss",
    "PowerMap",
    "RampMap",
    "RatioClip",
    "RewardAnnealed",
    "ScheduledExponent",
    "SequenceRatioClip",
    "SignedExponent",
    "SoftGate",
    "TruncatedCorrection",
    "TrustRegion",
    "TwoLevelClip",
    "TwoSidedClip",
    "__version__",
    "choose",
    "divergence_mask",
    "equal_groups",
    "group_advantages",
    "normalized_ess",
    "objective",
    "policy_loss",
    "power_mean",
    "ratio_sums",
    "rollout_weights",
    "solve_exponent",
    "token_weights",
]
