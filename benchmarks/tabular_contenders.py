"""Who meets in the tabular policy: presets, free combinations of their parts, and candidates for a rule."""

from __future__ import annotations

import pmpo
from tabular_rules import AlongSign, Governor

CENTRES = {"start": {}, "sampler": {"old_policy": "sampler"}, "decoupled": {"correction": "truncate"}}
"""What ratios are centred at: the start of the round as if it had sampled; the sampler; the start of the round, with
π_start/π_sampler, at most 2, as weights of tokens."""

PRESETS = ("grpo", "dapo", "gspo", "gmpo", "pmpo", "holderpo", "holder_token", "cispo", "sapo")
"""Without dr_grpo and luspo, which here are grpo and gspo, and apmpo, whose region needs the rewards of one run."""


def _log_clip(exponent: object, width: float = 0.4) -> pmpo.Objective:
    region = pmpo.LogRatioClip(log_ratio_low=width, log_ratio_high=width)
    return pmpo.objective("gmpo", trust_region=region, exponent=exponent)


CANDIDATES: dict[str, pmpo.Objective] = {
    "p = 1 − sign(A), log clip .4": _log_clip(pmpo.SignedExponent(center=1.0)),
    "p = 1 − 2 sign(A), log clip .4": _log_clip(pmpo.SignedExponent(scale=2.0, center=1.0)),
    "brake, log clip .4": _log_clip(Governor()),
    "governor, log clip .4": _log_clip(Governor(rest=0.5, slope=10.0, brake=1.0)),
    "governor, log clip .8": _log_clip(Governor(tilt=0.75, rest=0.5, slope=5 / 3, brake=0.5), 0.8),
}

CONTENDERS: dict[str, pmpo.Objective] = {
    **{name: pmpo.objective(name) for name in PRESETS},
    "p = 1, log clip .4": _log_clip(1.0),
    "ESS .99, unclipped": pmpo.objective("gmpo", exponent=pmpo.ClipAwareESS(target=0.99, over="unclipped")),
    "p = −sign(A), log clip .4": _log_clip(pmpo.SignedExponent()),
    "p = +sign(A), log clip .4": _log_clip(AlongSign()),
    "p = 1, no clip": pmpo.objective("grpo", trust_region="none"),
    "SAPO's gate, p = −sign(A)": pmpo.objective("sapo", exponent=pmpo.SignedExponent()),
    **CANDIDATES,
}


def centred(objective: pmpo.Objective, centre: str) -> pmpo.Objective:
    """The objective with its ratios taken as `CENTRES` says."""
    return pmpo.objective(objective, **CENTRES[centre])
