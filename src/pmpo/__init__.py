"""Power-mean policy optimisation: GRPO, GMPO, PMPO, APMPO and HölderPO as one tested objective.

Importing this package loads torch and nothing else; trainers live in `pmpo.integrations`.
"""

from pmpo.objective.advantages import equal_groups, group_advantages
from pmpo.objective.batch import BatchContext
from pmpo.objective.exponents import (
    ClipAwareESS,
    ExponentFacts,
    FixedExponent,
    LinearMap,
    PowerMap,
    RampMap,
    RewardAnnealed,
    ScheduledExponent,
)
from pmpo.objective.policy_loss import Diagnostics, PolicyLoss, policy_loss
from pmpo.objective.power_mean import normalized_ess, power_mean, token_weights
from pmpo.objective.presets import OBJECTIVES, Objective, objective
from pmpo.objective.solver import solve_exponent
from pmpo.objective.trust_region import (
    FeedbackAdaptiveClip,
    LogRatioClip,
    NoClip,
    RatioClip,
    SequenceRatioClip,
    TrustRegion,
)

__version__ = "0.1.0"

__all__ = [
    "OBJECTIVES",
    "BatchContext",
    "ClipAwareESS",
    "Diagnostics",
    "ExponentFacts",
    "FeedbackAdaptiveClip",
    "FixedExponent",
    "LinearMap",
    "LogRatioClip",
    "NoClip",
    "Objective",
    "PolicyLoss",
    "PowerMap",
    "RampMap",
    "RatioClip",
    "RewardAnnealed",
    "ScheduledExponent",
    "SequenceRatioClip",
    "TrustRegion",
    "__version__",
    "equal_groups",
    "group_advantages",
    "normalized_ess",
    "objective",
    "policy_loss",
    "power_mean",
    "solve_exponent",
    "token_weights",
]
