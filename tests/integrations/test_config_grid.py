"""Over the whole grid of parts, the configuration accepts exactly what `pmpo.objective` accepts, and means the same."""

import itertools

import pytest

import pmpo
from pmpo.objective.exponents import EXPONENTS
from pmpo.objective.presets import OBJECTIVES
from pmpo.objective.trust_region import TRUST_REGIONS
from support import config

ESS_MAPS = {
    None: ({}, {}),
    "linear": ({"ess_map": "linear"}, {"target": pmpo.LinearMap()}),
    "power": ({"ess_map": "power", "ess_kappa": 0.3}, {"target": pmpo.PowerMap(0.3)}),
    "ramp": ({"ess_map": "ramp"}, {"target": pmpo.RampMap()}),
    "absolute": ({"ess_map": "absolute", "ess_target": 0.9}, {"target": 0.9}),
}
EXPONENT_CHOICES = (None, "0.5", *EXPONENTS)


def expected(name, region, exponent, ess_map):
    """The objective written in Python; None where it cannot be."""
    options = ESS_MAPS[ess_map][1]
    rule = OBJECTIVES[name].exponent if exponent is None else exponent
    if options:
        if exponent != "clip_aware_ess" and not isinstance(rule, pmpo.ClipAwareESS):
            return None
        rule = pmpo.ClipAwareESS(**options)
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
    for region, exponent, ess_map in itertools.product((None, *TRUST_REGIONS), EXPONENT_CHOICES, ESS_MAPS):
        options = {"ess_map": None, "ess_kappa": None, "ess_target": None, **ESS_MAPS[ess_map][0]}
        for key, value in {"objective": name, "trust_region": region, "exponent": exponent, **options}.items():
            setattr(args, key, value)
        try:
            got = args.resolved_objective
        except ValueError:
            got = None
        if got != expected(name, region, exponent, ess_map):
            wrong.append((region, exponent, ess_map, got))
    assert not wrong


@pytest.mark.parametrize("region", ["none", "sequence_ratio"])
@pytest.mark.parametrize("spelling", [{"ess_map": "absolute", "ess_target": 0.9}, {"ess_target": 0.9}], ids=str)
def test_an_absolute_target_works_without_a_token_clip(region, spelling):
    args = config(trust_region=region, exponent="clip_aware_ess", **spelling)
    assert args.resolved_objective == pmpo.objective(
        "pmpo", trust_region=region, exponent=pmpo.ClipAwareESS(target=0.9)
    )
