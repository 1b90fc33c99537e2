"""Over the whole grid of parts, the configuration accepts exactly what `pmpo.objective` accepts, and means the same."""

import itertools

import pytest

import pmpo
from pmpo.objective.exponents import EXPONENTS
from pmpo.objective.kinds import TRUST_REGIONS
from pmpo.objective.presets import OBJECTIVES
from support import config

TARGETS = {
    None: {},
    "linear": {"target": pmpo.LinearMap()},
    "power:kappa=0.3": {"target": pmpo.PowerMap(0.3)},
    "ramp": {"target": pmpo.RampMap()},
    "0.9": {"target": 0.9},
}
EXPONENT_CHOICES = (None, "0.5", *EXPONENTS)


def expected(name, region, exponent, target):
    """The objective written in Python; None where it cannot be."""
    rule = OBJECTIVES[name].exponent if exponent is None else exponent
    if target is not None:
        if exponent != "clip_aware_ess":
            return None
        rule = pmpo.ClipAwareESS(**TARGETS[target])
    parts = {"exponent": rule} | ({} if region is None else {"trust_region": region})
    if OBJECTIVES[name].sequence_weight == "constant" and OBJECTIVES[name].max_completion_length is None:
        parts["max_completion_length"] = 6
    try:
        return pmpo.objective(name, **parts)
    except ValueError:
        return None


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_configuration_accepts_what_the_objective_accepts(name):
    args = config()
    wrong = []
    for region, exponent, target in itertools.product((None, *TRUST_REGIONS), EXPONENT_CHOICES, TARGETS):
        written = exponent if target is None else f"{exponent}:target={target}"
        for key, value in {"objective": name, "trust_region": region, "exponent": written}.items():
            setattr(args, key, value)
        try:
            got = args.resolved_objective
        except ValueError:
            got = None
        if got != expected(name, region, exponent, target):
            wrong.append((region, exponent, target, got))
    assert not wrong


@pytest.mark.parametrize("region", ["none", "sequence_ratio"])
@pytest.mark.parametrize("spelling", ["clip_aware_ess:target=0.9", {"rule": "clip_aware_ess", "target": 0.9}], ids=str)
def test_an_absolute_target_works_without_a_token_clip(region, spelling):
    args = config(trust_region=region, exponent=spelling)
    assert args.resolved_objective == pmpo.objective(
        "pmpo", trust_region=region, exponent=pmpo.ClipAwareESS(target=0.9)
    )
