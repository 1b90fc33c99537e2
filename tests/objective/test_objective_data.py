"""An objective is data: its mapping and its text make it again, and are its identity."""

import copy
import itertools
import json
import math
import pickle
import sys
from dataclasses import dataclass, field

import pytest
import torch

import pmpo
from pmpo.foundation.errors import InputError
from pmpo.objective.advantages import ADVANTAGES
from pmpo.objective.decoupling import CORRECTIONS, OLD_POLICIES
from pmpo.objective.exponents import EXPONENTS
from pmpo.objective.kinds import KINDS
from pmpo.objective.options import meanings_of, options_of, summary_of
from pmpo.objective.spec import data_of, part_of, shortened_data, text_of, written
from pmpo.objective.target_maps import TARGET_MAPS
from pmpo.objective.trust_region import TRUST_REGIONS
from pmpo.objective.weighting import SEQUENCE_WEIGHTS

TARGETS = [pmpo.LinearMap(), pmpo.PowerMap(), pmpo.PowerMap(0.3), pmpo.RampMap(0.2), 0.9]
RULES = [
    pmpo.FixedExponent(-0.5),
    pmpo.RewardAnnealed(),
    pmpo.RewardAnnealed(0.5),
    *(pmpo.ScheduledExponent(1, -1, shape) for shape in ("linear", "cosine", "step")),
    pmpo.SignedExponent(0.5),
    *(
        pmpo.ClipAwareESS(reading, target, over)
        for reading, target, over in itertools.product(("one_sided", "two_sided"), TARGETS, ("clipped", "unclipped"))
    ),
]
REGIONS = [
    pmpo.RatioClip(),
    pmpo.RatioClip(0.1, 0.3, dual_clip_ratio=3.0),
    pmpo.LogRatioClip(0.3, 0.5),
    pmpo.TwoSidedClip(),
    pmpo.SequenceRatioClip(3e-4, 4e-4),
    pmpo.FeedbackAdaptiveClip(std_floor=1e-7),
    pmpo.PassThroughClip(3.0),
    pmpo.SoftGate(2.0, 3.0),
    pmpo.NoClip(),
]
CORRECTED = [
    pmpo.TruncatedCorrection(),
    pmpo.TruncatedCorrection("sequence", math.inf),
    pmpo.MaskedCorrection("token", 5.0, 0.5),
    None,
]


def test_the_lists_above_have_every_part_of_the_library():
    assert {type(rule) for rule in RULES} == set(EXPONENTS.values())
    assert {type(region) for region in REGIONS} == set(TRUST_REGIONS.values())
    assert {type(one) for one in CORRECTED[:-1]} == set(CORRECTIONS.values())
    assert {type(target) for target in TARGETS[:-1]} == set(TARGET_MAPS.values())


def through_json(one):
    return pmpo.objective(json.loads(json.dumps(one.to_mapping())))


def parts(one):
    return [getattr(one, name) for name in ("trust_region", "exponent")]


@pytest.mark.parametrize("name", pmpo.OBJECTIVES)
def test_every_preset_comes_back(name):
    one = pmpo.objective(name)
    for again in (through_json(one), pmpo.objective(one.to_text()), pickle.loads(pickle.dumps(one))):
        assert again == one and hash(again) == hash(one) and parts(again) == parts(one)
        assert again.to_mapping() == one.to_mapping()
    assert one.to_text() == name
    assert copy.deepcopy(one) is copy.copy(one) is one
    assert [other for other in pmpo.OBJECTIVES if pmpo.objective(other) == one] == [name]


def test_every_combination_of_parts_comes_back():
    found = 0
    for region, rule in itertools.product(REGIONS, RULES):
        try:
            one = pmpo.objective("grpo", trust_region=region, exponent=rule)
        except ValueError:
            continue  # a blind exponent, see test_parts.py
        found += 1
        for again in (through_json(one), pmpo.objective(one.to_text())):
            assert again == one and parts(again) == parts(one), one.to_text()
    assert found > 150
    numbers = {"kl_coef": 1e-6, "kl_bias_correction": True, "max_completion_length": 7}
    for weight, advantage in itertools.product(SEQUENCE_WEIGHTS, ADVANTAGES):
        one = pmpo.objective("pmpo", sequence_weight=weight, advantage=advantage, **numbers)
        for again in (through_json(one), pmpo.objective(one.to_text())):
            assert again == one and vars(again) == vars(one)
    decoupled = [{"correction": one} for one in CORRECTED] + [{"old_policy": name} for name in OLD_POLICIES]
    for changes in decoupled:
        one = pmpo.objective("pmpo", **changes)
        for again in (through_json(one), pmpo.objective(one.to_text())):
            assert again == one and vars(again) == vars(one)


@pytest.mark.parametrize("kind", ["exponent", "trust_region", "correction", "target"])
def test_every_part_comes_back_from_its_data_and_its_text(kind):
    kind = KINDS[kind]
    for part in {"rule": RULES, "region": REGIONS, "kind": CORRECTED, "map": TARGETS}[kind.key]:
        for data in (data_of(kind, part), shortened_data(kind, part), text_of(kind, part)):
            assert part_of(kind, data) == part, data


def test_the_mapping_is_the_one_that_yaml_has():
    assert pmpo.objective("pmpo").to_mapping() == {
        "name": "pmpo",
        "advantage": "grpo",
        "trust_region": {
            "region": "log_ratio",
            "log_ratio_low": 0.4,
            "log_ratio_high": 0.4,
            "dual_clip_ratio": None,
        },
        "exponent": {
            "rule": "clip_aware_ess",
            "reading": "two_sided",
            "target": {"map": "ramp", "saturation": 0.1},
            "over": "clipped",
        },
        "sequence_weight": "sequence",
        "kl_coef": 0.0,
        "kl_bias_correction": False,
        "max_completion_length": None,
        "correction": None,
        "old_policy": "start",
    }
    corrected = pmpo.objective("grpo", correction=pmpo.MaskedCorrection("sequence", 3.0))
    assert corrected.to_mapping()["correction"] == {
        "kind": "mask",
        "level": "sequence",
        "ratio_max": 3.0,
        "ratio_min": None,
    }


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        (0.5, pmpo.FixedExponent(0.5)),
        ("0.5", pmpo.FixedExponent(0.5)),
        ("fixed:value=2", pmpo.FixedExponent(2.0)),
        ("clip_aware_ess:saturation=0.2", pmpo.ClipAwareESS(target=pmpo.RampMap(0.2))),
        ("clip_aware_ess,kappa=0.3,reading=one_sided", pmpo.ClipAwareESS("one_sided", pmpo.PowerMap(0.3))),
        ("clip_aware_ess:target=0.9", pmpo.ClipAwareESS(target=0.9)),
        ("clip_aware_ess:target=linear", pmpo.ClipAwareESS(target=pmpo.LinearMap())),
        ("clip_aware_ess:target=ramp:saturation=0.2,over=unclipped", pmpo.ClipAwareESS(
            target=pmpo.RampMap(0.2), over="unclipped")),
        ({"rule": "clip_aware_ess", "target": {"map": "power", "kappa": 1}}, pmpo.ClipAwareESS(
            target=pmpo.PowerMap(1.0))),
        ({"rule": "clip_aware_ess", "target": "ramp", "saturation": 0.2}, pmpo.ClipAwareESS(target=pmpo.RampMap(0.2))),
        ('{"rule": "scheduled", "end": -1}', pmpo.ScheduledExponent(end=-1.0)),
        (pmpo.ClipAwareESS, pmpo.ClipAwareESS()),
    ],
    ids=str,
)  # fmt: skip
def test_short_forms_of_exponents(written, rule):
    assert pmpo.objective("gmpo", exponent=written).exponent == rule


@pytest.mark.parametrize(
    ("written", "region"),
    [
        ("log_ratio:log_ratio_low=0.3,log_ratio_high=0.5", pmpo.LogRatioClip(0.3, 0.5)),
        ({"region": "ratio", "ratio_high": 0.28, "dual_clip_ratio": 3}, pmpo.RatioClip(0.2, 0.28, dual_clip_ratio=3.0)),
        ("feedback_adaptive:std_floor=1e-7", pmpo.FeedbackAdaptiveClip(std_floor=1e-7)),
        ({"region": "feedback_adaptive", "std_floor": "1e-7"}, pmpo.FeedbackAdaptiveClip(std_floor=1e-7)),  # YAML 1.1
        (pmpo.NoClip, pmpo.NoClip()),
    ],
    ids=str,
)
def test_short_forms_of_trust_regions(written, region):
    assert pmpo.objective("gmpo", trust_region=written).trust_region == region


def test_an_objective_from_a_mapping_and_a_text_with_changes():
    one = pmpo.objective("grpo", exponent=0.5, kl_coef=0.1)
    assert pmpo.objective({"name": "grpo", "exponent": 0.5, "kl_coef": 0.1}) == one
    assert pmpo.objective("grpo:exponent=0.5,kl_coef=0.1") == one
    assert pmpo.objective({"name": "grpo", "exponent": 2.0}, exponent=0.5, kl_coef=0.1) == one
    assert pmpo.objective(one, exponent=1.0, kl_coef=0.0) == pmpo.objective("grpo")
    assert pmpo.objective("grpo", kl_coef=1) == pmpo.objective("grpo", kl_coef=1.0)
    own = pmpo.Objective("mine", exponent=pmpo.FixedExponent(0.3))
    assert through_json(own) == own and own.to_mapping()["name"] == "mine"
    assert pmpo.objective(own.to_text()) == own


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: pmpo.objective({"name": "pmop"}), "did you mean 'pmpo'"),
        (lambda: pmpo.objective({"exponent": 1}), "has no 'name'"),
        (lambda: pmpo.objective({"name": "pmpo", "exponnent": 1}), "did you mean 'exponent'"),
        (lambda: pmpo.objective("pmpo:kl_coef=high"), "`kl_coef` of the objective pmpo is 'high'; write a number"),
        (lambda: pmpo.objective("pmpo", kl_bias_correction=1), "write true or false"),
        (lambda: pmpo.objective("pmpo", max_completion_length=0.5), "write a whole number, or null"),
        (lambda: pmpo.objective("pmpo", advantage="gro"), "did you mean 'grpo'"),
        (lambda: pmpo.objective("pmpo", exponent="clip_aware"), "Unknown exponent rule 'clip_aware': did you mean"),
        (lambda: pmpo.objective("pmpo", exponent="fixed"), "The exponent rule fixed needs value; write fixed:value=…"),
        (lambda: pmpo.objective("pmpo", exponent=True), "must be a number, a name or a callable"),
        (lambda: pmpo.objective("pmpo", exponent={"target": 1}), "has no 'rule'"),
        (lambda: pmpo.objective("pmpo", exponent='{"rule": "fixed",'), "is no JSON"),
        (
            lambda: pmpo.objective("pmpo", exponent="clip_aware_ess:reading=both"),
            "Unknown reading of the exponent rule",
        ),
        (lambda: pmpo.objective("pmpo", exponent="clip_aware_ess:saturatoin=1"), "Did you mean 'saturation'"),
        (
            lambda: pmpo.objective("pmpo", exponent="clip_aware_ess:saturation=x"),
            "of the target map ramp is 'x'; write",
        ),
        (
            lambda: pmpo.objective("pmpo", exponent="clip_aware_ess:saturation=0.1,kappa=1"),
            "saturation belongs to ramp and kappa belongs to power: write those of one target map",
        ),
        (lambda: pmpo.objective("pmpo", exponent="clip_aware_ess:target=linear,kappa=1"), "it has none. kappa belongs"),
        (
            lambda: pmpo.objective("pmpo", exponent="clip_aware_ess:target=0.9,kappa=1"),
            "is the number 0.9, which has no",
        ),
        (lambda: pmpo.objective("pmpo", exponent="clip_aware_ess:target=1.9"), r"\(0, 1\]"),
        (
            lambda: pmpo.objective("pmpo", exponent="scheduled:gamma=1"),
            "gamma belongs to the exponent rule reward_anneal",
        ),
        (lambda: pmpo.objective("pmpo", trust_region=0.2), "must be a TrustRegion"),
        (
            lambda: pmpo.objective("pmpo", trust_region="log_ratio:ratio_low=0.2"),
            "ratio_low belongs to the trust region",
        ),
        (lambda: pmpo.objective("pmpo", trust_region="soft_gate:dual_clip_ratio=3"), "has no option 'dual_clip_ratio'"),
        (lambda: pmpo.ClipAwareESS(target="ramp"), "must be a map such as RampMap"),
        (lambda: pmpo.objective("pmpo", exponent="nowhere.py:Rule"), "There is no file nowhere.py"),
        (lambda: pmpo.objective("pmpo", exponent="pmpo.objective.batch:SATURATION_NATS"), "is no exponent rule"),
        (lambda: pmpo.objective("pmpo.objective.presets:objective"), "not an Objective"),
    ],
)
def test_what_cannot_be_read_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


# ---- parts of one's own --------------------------------------------------------------------------------------------

MINE = """
from __future__ import annotations
import math
from dataclasses import dataclass, field
import torch
import pmpo

@dataclass(frozen=True)
class Falling:
    '''p falls with the share of tokens whose ratio fell.

    Attributes:
        gamma: how fast.
        bounds: lowest and highest p.
    '''
    gamma: float = 1.0
    bounds: tuple[float, float] = (-math.inf, 1.0)
    target: pmpo.RampMap | float = field(default_factory=pmpo.RampMap, metadata={"part": "target"})

    def __call__(self, facts):
        falling_B = ((facts.log_ratios_BT < 0) & facts.mask_BT).sum(dim=1) / facts.mask_BT.sum(dim=1).clamp(min=1)
        return 1.0 - self.gamma * falling_B

def half(facts):
    return 0.5

def squared(clip_fraction_B):
    return clip_fraction_B ** 2

@dataclass(frozen=True)
class Wide(pmpo.LogRatioClip):
    '''A wide clip.'''
    log_ratio_low: float = 1.0

class NoData:
    def __call__(self, facts):
        return 0.5

@dataclass(frozen=True)
class Clash:
    rule: str = "x"
    def __call__(self, facts):
        return 0.5

mine = pmpo.objective("gmpo", exponent=Falling(2.0))
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "mine.py").write_text(MINE)
    return tmp_path


def test_a_rule_of_ones_own_is_data_like_the_librarys(mine):
    one = pmpo.objective("gmpo", exponent="mine.py:Falling:gamma=0.5,saturation=0.2")
    assert one.to_mapping()["exponent"] == {
        "rule": "mine.py:Falling",
        "gamma": 0.5,
        "bounds": ["-inf", 1.0],
        "target": {"map": "ramp", "saturation": 0.2},
    }
    for again in (through_json(one), pmpo.objective(one.to_text()), pickle.loads(pickle.dumps(one))):
        assert again == one and again.exponent == one.exponent
        assert again.exponent.target == pmpo.RampMap(0.2)
    assert one != pmpo.objective("gmpo", exponent="mine.py:Falling:gamma=0.6,saturation=0.2")
    with pytest.raises(InputError, match=r"mine.py:Falling has no option 'gama'; .* Did you mean 'gamma'"):
        pmpo.objective("gmpo", exponent="mine.py:Falling:gama=1")


def test_it_computes(mine):
    new = torch.tensor([[-1.0, -2.0, -3.0, -4.0]], requires_grad=True)
    old = torch.tensor([[-1.1, -1.9, -3.1, -4.1]])
    one = pmpo.objective("gmpo", exponent={"rule": "mine.py:Falling", "gamma": 2})
    result = pmpo.policy_loss(new, old, torch.ones(1), torch.ones(1, 4), one)
    assert result.diagnostics.exponent.item() == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("exponent", "mine.py:half"),
        ("exponent", "mine:Falling:gamma=2.0"),
        ("exponent", "clip_aware_ess:target=mine.py:squared"),
        ("trust_region", "mine.py:Wide:log_ratio_high=2.0"),
    ],
)
def test_functions_modules_maps_and_trust_regions_too(mine, part, text):
    one = pmpo.objective("pmpo", **{part: text})
    assert through_json(one) == one == pickle.loads(pickle.dumps(one))
    assert text_of(KINDS[part], getattr(one, part)) == text


def test_an_objective_of_ones_own_by_name(mine):
    one = pmpo.objective("mine.py:mine")
    assert one.to_mapping()["exponent"]["gamma"] == 2.0 and one.name == "gmpo"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mine.py:half:gamma=1", "is a function and has no options, got gamma: write a dataclass"),
        ("mine.py:NoData", "mine.py:NoData is no exponent rule: write a dataclass, whose fields are its options, or a"),
        ("mine.py:Clash", "has a field 'rule', under which a mapping has the name"),
        ("mine.py:Fallin", "Did you mean 'Falling'"),
        ("mine.py:Falling:gamma=fast", "`gamma` of the exponent rule mine.py:Falling is 'fast'; write a number"),
        ("mine.py:Wide", "must be a number, a name or a callable rule"),
    ],
)
def test_what_is_no_rule_is_refused(mine, text, message):
    with pytest.raises(ValueError, match=message):
        pmpo.objective("pmpo", exponent=text)


def test_what_is_no_trust_region_is_refused(mine):
    for text in ("mine.py:half", "mine.py:Falling"):
        with pytest.raises(
            InputError, match=f"{text} is no trust region: write a dataclass that inherits from TrustRegion"
        ):
            pmpo.objective("pmpo", trust_region=text)


def test_what_has_no_name_works_in_the_loss_and_has_no_data():
    @dataclass(frozen=True)
    class Local:
        gamma: float = 1.0

        def __call__(self, facts):
            return self.gamma

    def local(facts):
        return 1.0

    for rule in (lambda facts: 1.0, local, Local(), Local):
        one = pmpo.objective("gmpo", exponent=rule)
        new = torch.zeros(1, 2, requires_grad=True)
        assert pmpo.policy_loss(new, torch.zeros(1, 2), torch.ones(1), torch.ones(1, 2), one).loss.item() == -1.0
        for data in (one.to_mapping, one.to_text, lambda one=one: pickle.dumps(one)):
            with pytest.raises(
                InputError, match=r"could not be saved and resumed: write it with `def` or `class` at the"
            ):
                data()
        assert one == pmpo.objective("gmpo", exponent=one.exponent) != pmpo.objective("gmpo")
        assert copy.deepcopy(one) is one and "exponent" in one.describe()


@dataclass(frozen=True)
class Tensored:
    weights: torch.Tensor = field(default_factory=lambda: torch.ones(2))

    def __call__(self, facts):
        return 1.0


def test_an_option_that_is_no_plain_data_is_refused_by_the_mapping():
    with pytest.raises(
        InputError, match=r"`weights` of the exponent rule .*:Tensored is tensor.*, which cannot be written"
    ):
        pmpo.objective("gmpo", exponent=Tensored()).to_mapping()


def test_what_a_configuration_keeps():
    rules = KINDS["exponent"]
    for value in (None, "scheduled:end=-1", 0.5, {"rule": "scheduled"}):
        assert written(rules, value) is value
    assert (
        written(rules, pmpo.FixedExponent(1))
        == written(rules, pmpo.FixedExponent(1.0))
        == {
            "rule": "fixed",
            "value": 1.0,
        }
    )
    assert written(rules, pmpo.ScheduledExponent)["end"] == -2.0


# ---- what the docstrings say ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [*EXPONENTS.values(), *TRUST_REGIONS.values(), *TARGET_MAPS.values()])
def test_every_option_of_the_library_has_a_meaning_and_a_type(cls):
    assert summary_of(cls)
    for option in options_of(cls).values():
        assert option.meaning and (option.types or option.part), option
        assert option.part or option.takes


def test_meanings_go_over_lines_and_bases():
    read = meanings_of(pmpo.FeedbackAdaptiveClip)
    assert (
        read["dual_clip_ratio"].startswith("largest ratio that a token")
        and "None: no limit." in read["dual_clip_ratio"]
    )
    assert read["std_floor"] == "added to σ_R, in units of reward."
    assert options_of(pmpo.RatioClip)["ratio_low"].default == 0.2
    assert options_of(pmpo.ClipAwareESS)["reading"].choices == ("one_sided", "two_sided")


def test_infinity_is_text_in_data():
    option = options_of(pmpo.ScheduledExponent)["start"]
    assert option.read("-inf", "x") == -math.inf and option.read(2, "x") == 2.0
