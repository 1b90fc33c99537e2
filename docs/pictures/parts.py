"""One picture for each trust region and exponent rule, and for the maps of the clip-aware rule."""

from __future__ import annotations

from pathlib import Path

import pmpo
from panels import Case, weighing
from pmpo.objective.kinds import TRUST_REGIONS


def draw(folder: Path) -> None:
    for name, region in TRUST_REGIONS.items():
        objective = pmpo.objective("grpo", trust_region=region())
        weighing(folder / f"region-{name}.png", [Case("", objective)], top=66)
    for name, cases in exponents().items():
        weighing(folder / f"exponent-{name}.png", cases, top=140 if name == "scheduled" else 84)


def exponents() -> dict[str, list[Case]]:
    """Settings of each rule side by side, all within PMPO's trust region."""
    return {
        "fixed": [Case("", _with(pmpo.FixedExponent(p))) for p in (1.0, 0.0, -1.0)],
        "clip_aware_ess": [Case(label, _with(rule)) for label, rule in clip_aware().items()],
        "reward_annealed": [
            Case(f"mean reward {mean}", _with(pmpo.RewardAnnealed()), pmpo.BatchContext(reward_mean=mean))
            for mean in (0.1, 0.5, 0.9)
        ],
        "scheduled": [
            Case(when, _with(pmpo.ScheduledExponent()), pmpo.BatchContext(progress=progress))
            for when, progress in (("first update", 0.0), ("half-way", 0.5), ("last update", 1.0))
        ],
        "signed": [Case(f"scale {scale:g}", _with(pmpo.SignedExponent(scale))) for scale in (0.0, 0.5, 1.0)],
        "maps": [
            Case(label, _with(pmpo.ClipAwareESS(target=target)))
            for label, target in (
                ("linear", pmpo.LinearMap()),
                ("power, κ = 0.5", pmpo.PowerMap(0.5)),
                ("ramp to 0.1", pmpo.RampMap(0.1)),
            )
        ],
    }


def clip_aware() -> dict[str, object]:
    return {
        "arithmetic": pmpo.FixedExponent(1.0),
        "solved": pmpo.ClipAwareESS(),
        "geometric": pmpo.FixedExponent(0.0),
    }


def _with(rule: object) -> pmpo.Objective:
    return pmpo.objective("pmpo", exponent=rule)
