"""PMPOConfig: every field changes the objective or is refused with a sentence."""

import functools
import io
from dataclasses import dataclass

import pytest
import torch
from trl import TrlParser

import pmpo
from pmpo.foundation.errors import InputError
from pmpo.integrations.trl import PMPOConfig
from support import config, trainer


def resolved(**changes):
    return config(**changes).resolved_objective


def test_defaults_are_pmpo_with_eight_updates_per_generation():
    args = PMPOConfig("unused", use_cpu=True, bf16=False, report_to="none", gradient_accumulation_steps=2)
    assert args.resolved_objective == pmpo.objective("pmpo")
    assert args.steps_per_generation == 16 and args.updates_per_generation == 8
    assert args.generation_batch_size == 16 * args.per_device_train_batch_size


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"objective": "grpo", "epsilon": 0.1}, pmpo.objective("grpo", trust_region=pmpo.RatioClip(0.1, 0.1))),
        (
            {"objective": "grpo", "epsilon_high": 0.3},
            pmpo.objective("grpo", trust_region=pmpo.RatioClip(0.2, 0.3)),
        ),
        ({"objective": "grpo", "delta": 3.0}, pmpo.objective("grpo", trust_region=pmpo.RatioClip(dual_clip_ratio=3.0))),
        (
            {"trust_region": "log_ratio:log_ratio_low=0.3"},
            pmpo.objective("pmpo", trust_region=pmpo.LogRatioClip(0.3, 0.4)),
        ),
        (
            {"trust_region": {"region": "log_ratio", "log_ratio_high": 0.6}},
            pmpo.objective("pmpo", trust_region=pmpo.LogRatioClip(0.4, 0.6)),
        ),
        (
            {"objective": "apmpo", "beta": 0.0, "trust_region": "feedback_adaptive:ratio_high_max=0.5"},
            pmpo.objective("apmpo", kl_coef=0.0, trust_region=pmpo.FeedbackAdaptiveClip(ratio_high_max=0.5)),
        ),
        (
            {"objective": "apmpo", "beta": 0.0, "epsilon": 0.1},
            pmpo.objective("apmpo", kl_coef=0.0, trust_region=pmpo.FeedbackAdaptiveClip(ratio_low=0.1)),
        ),
        ({"objective": "grpo", "trust_region": "log_ratio"}, pmpo.objective("grpo", trust_region="log_ratio")),
        ({"exponent": "0.5"}, pmpo.objective("pmpo", exponent=0.5)),
        ({"objective": "gmpo", "exponent": "clip_aware_ess"}, pmpo.objective("gmpo", exponent="clip_aware_ess")),
        (
            {"exponent": "clip_aware_ess:reading=one_sided"},
            pmpo.objective("pmpo", exponent=pmpo.ClipAwareESS("one_sided")),
        ),
        (
            {"exponent": {"rule": "clip_aware_ess", "over": "unclipped"}},
            pmpo.objective("pmpo", exponent=pmpo.ClipAwareESS(over="unclipped")),
        ),
        (
            {"exponent": "clip_aware_ess:target=linear"},
            pmpo.objective("pmpo", exponent=pmpo.ClipAwareESS(target=pmpo.LinearMap())),
        ),
        (
            {"exponent": "clip_aware_ess:kappa=0.3"},
            pmpo.objective("pmpo", exponent=pmpo.ClipAwareESS(target=pmpo.PowerMap(0.3))),
        ),
        (
            {"exponent": '{"rule": "clip_aware_ess", "target": {"map": "ramp", "saturation": 0.2}}'},
            pmpo.objective("pmpo", exponent=pmpo.ClipAwareESS(target=pmpo.RampMap(0.2))),
        ),
        ({"exponent": "clip_aware_ess:target=0.9"}, pmpo.objective("pmpo", exponent=pmpo.ClipAwareESS(target=0.9))),
        (
            {"objective": "apmpo", "exponent": "reward_annealed:gamma=0.5"},
            pmpo.objective("apmpo", exponent=pmpo.RewardAnnealed(0.5)),
        ),
        (
            {"objective": "holderpo", "exponent": "scheduled:start=1,end=-1,shape=cosine"},
            pmpo.objective("holderpo", exponent=pmpo.ScheduledExponent(1, -1, "cosine")),
        ),
        ({"sequence_weight": "token"}, pmpo.objective("pmpo", sequence_weight="token")),
        ({"objective": "dr_grpo"}, pmpo.objective("dr_grpo", max_completion_length=6)),
        ({"scale_rewards": "none"}, pmpo.objective("pmpo", advantage="dr_grpo")),
        ({"scale_rewards": False}, pmpo.objective("pmpo", advantage="dr_grpo")),
        ({"advantage": "rloo"}, pmpo.objective("pmpo", advantage="rloo")),
        ({"beta": 0.1}, pmpo.objective("pmpo", kl_coef=0.1)),
        ({"objective": "grpo", "epsilon": 10.0}, pmpo.objective("grpo", trust_region=pmpo.RatioClip(1.0, 10.0))),
        ({"objective": "cispo", "epsilon_high": 3.0}, pmpo.objective("cispo", trust_region=pmpo.PassThroughClip(3.0))),
        (
            {"objective": "sapo", "sapo_temperature_pos": 2.0, "sapo_temperature_neg": 3.0},
            pmpo.objective("sapo", trust_region=pmpo.SoftGate(2.0, 3.0)),
        ),
        (
            {"objective": "gmpo", "trust_region": "two_sided_log_ratio:log_ratio_low=0.1,log_ratio_high=0.1"},
            pmpo.objective("gmpo", trust_region=pmpo.TwoSidedClip(0.1, 0.1)),
        ),
        ({"use_bias_correction_kl": True}, pmpo.objective("pmpo", kl_bias_correction=True)),
    ],
    ids=lambda value: ",".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else "",
)
def test_every_field_changes_the_objective(changes, expected):
    assert resolved(**changes) == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objective": "pmop"}, "did you mean 'pmpo'"),
        ({"objective": "pmpo", "epsilon": 0.2}, "bounds in nats. Write trust_region: log_ratio:log_ratio_low"),
        (
            {"objective": "grpo", "trust_region": "ratio:log_ratio_low=0.4"},
            "has no option 'log_ratio_low'.* belongs to the trust region log_ratio and two_sided_log_ratio",
        ),
        (
            {"objective": "grpo", "trust_region": "ratio:ratio_high_max=0.4"},
            "belongs to the trust region feedback_adaptive",
        ),
        (
            {"objective": "grpo", "exponent": "scheduled:reading=two_sided"},
            "belongs to the exponent rule clip_aware_ess",
        ),
        ({"objective": "grpo", "exponent": "fixed:value=1,target=ramp"}, "belongs to the exponent rule clip_aware_ess"),
        ({"exponent": "clip_aware_ess:target=rampe"}, "did you mean 'ramp'"),
        ({"exponent": "clip_aware_ess:target=ramp,kappa=0.3"}, "kappa belongs to the target map power"),
        ({"exponent": "clip_aware_ess:target=absolute"}, "Unknown target map 'absolute'"),
        ({"exponent": "clip_aware_ess:gamma=0.8"}, "belongs to the exponent rule reward_annealed"),
        ({"exponent": {"rule": "clip_aware_ess", "end": -1.0}}, "belongs to the exponent rule scheduled"),
        ({"vespo_k_pos": 1.0}, "a loss outside the family"),
        ({"advantage": "grpo", "scale_rewards": "none"}, "contradicts `advantage`"),
        ({"scale_rewards": "groups"}, "did you mean 'group'"),
        ({"advantage": "rloo", "multi_objective_aggregation": "normalize_then_sum"}, "sum_then_normalize"),
        ({"on_nonfinite": "ignore"}, "Unknown on_nonfinite"),
        ({"sequence_weight": "token", "gradient_accumulation_steps": 3}, "make it a divisor or a multiple of 2"),
        ({"objective": "p3o", "gradient_accumulation_steps": 4}, "make it a divisor of 2"),
        (
            {"objective": "p3o", "gradient_accumulation_steps": 2, "top_entropy_quantile": 0.5},
            "remove top_entropy_quantile",
        ),
        ({"exponent": "clip_aware"}, "did you mean 'clip_aware_ess'"),
        ({"trust_region": "sequence_ratio"}, "reads the share of clipped tokens"),
        ({"objective": "grpo", "epsilon": -0.2}, r"\[0, 1\]"),
    ],
    ids=lambda value: ",".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else "",
)
def test_what_cannot_work_is_refused_at_construction(changes, message):
    with pytest.raises(ValueError, match=message):
        config(**changes)


def rule(facts):
    return 0.5


@dataclass(frozen=True)
class Rule:
    value: float = 0.5

    def __call__(self, facts):
        return self.value


@pytest.mark.parametrize(
    ("given", "data"),
    [
        (rule, {"rule": "test_config:rule"}),
        (Rule, {"rule": "test_config:Rule", "value": 0.5}),
        (Rule(0.7), {"rule": "test_config:Rule", "value": 0.7}),
        (pmpo.FixedExponent(1), {"rule": "fixed", "value": 1.0}),
    ],
    ids=lambda value: str(value).partition(" at 0x")[0],
)
def test_parts_made_in_python_are_kept_as_their_data(given, data):
    for args in (config(exponent=given), config(objective=pmpo.objective("pmpo", exponent=given))):
        assert args.resolved_objective == pmpo.objective("pmpo", exponent=given)
        assert args.to_dict()["objective"]["exponent"] == data
        saved = io.BytesIO()
        torch.save(args, saved)
        assert torch.load(io.BytesIO(saved.getvalue()), weights_only=False).to_dict() == args.to_dict()
    assert config(trust_region=pmpo.NoClip(), objective="grpo").trust_region == {
        "region": "none",
        "dual_clip_ratio": None,
    }


def test_a_rule_without_a_name_is_refused_when_the_configuration_or_the_trainer_is_made():
    def local(facts):
        return 0.5

    why = "could not be saved and resumed: write it with `def` or `class` at the top of a module or file"
    for nameless in (lambda facts: 0.5, local, functools.partial(rule)):
        own = pmpo.objective("pmpo", exponent=nameless)
        for make in (
            lambda own=own: config(objective=own),
            lambda nameless=nameless: config(exponent=nameless),
            lambda own=own: trainer(config(), objective=own),
        ):
            with pytest.raises(InputError, match=why):
                make()
        args = config()
        args.exponent = nameless
        with pytest.raises(InputError, match="exponent: .*" + why):
            trainer(args)


def test_scripts_with_trls_own_parser_take_text_json_and_mappings(tmp_path):
    lines = ("exponent: {rule: scheduled, end: -1}", "output_dir: unused", "use_cpu: true", "bf16: false")
    (tmp_path / "run.yaml").write_text("\n".join(lines))
    flags = ["--objective", '{"name": "gmpo", "kl_coef": 0.1}', "--trust_region", "log_ratio:log_ratio_low=0.3"]
    (args,) = TrlParser([PMPOConfig]).parse_args_and_config(["--config", str(tmp_path / "run.yaml"), *flags])
    expected = pmpo.objective(
        "gmpo", kl_coef=0.1, exponent="scheduled:end=-1", trust_region=pmpo.LogRatioClip(0.3, 0.4)
    )
    assert args.resolved_objective == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"trust_region": "ratio:ratio_high=0.3", "epsilon": 0.1}, pmpo.RatioClip(0.1, 0.3)),
        ({"trust_region": "ratio", "epsilon": 0.1}, pmpo.RatioClip(0.1, 0.1)),
        (
            {"trust_region": "ratio:ratio_low=0.1", "epsilon": 0.1, "delta": 3},
            pmpo.RatioClip(0.1, 0.1, dual_clip_ratio=3),
        ),
        ({"trust_region": pmpo.RatioClip(0.1, 0.3), "epsilon": 0.1, "epsilon_high": 0.3}, pmpo.RatioClip(0.1, 0.3)),
        (
            {"objective": {"name": "grpo", "trust_region": "ratio:ratio_low=0.3"}, "epsilon": 0.1},
            pmpo.RatioClip(0.1, 0.1),
        ),
    ],
    ids=str,
)
def test_trls_bounds_fill_in_what_the_trust_region_leaves_open(changes, expected):
    assert config(**{"objective": "grpo", **changes}).resolved_objective.trust_region == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"trust_region": "ratio:ratio_low=0.3", "epsilon": 0.1},
            "`epsilon`=0.1 contradicts ratio_low=0.3 of `trust_reg",
        ),
        (
            {"trust_region": pmpo.RatioClip(0.1, 0.3), "epsilon_high": 0.2},
            "`epsilon_high`=0.2 contradicts ratio_high=0.3",
        ),
        ({"trust_region": "ratio:dual_clip_ratio=3", "delta": 2}, "`delta`=2 contradicts dual_clip_ratio=3"),
        (
            {"trust_region": {"region": "soft_gate", "temperature_pos": 2.0}, "sapo_temperature_pos": 1.0},
            "`sapo_temperature_pos`=1.0 contradicts temperature_pos=2.0",
        ),
        ({"trust_region": 0.2}, "trust_region: The trust region is 0.2; write region: NAME"),
        ({"trust_region": rule}, "trust_region: .*test_config:rule is no trust region"),
        ({"exponent": "half"}, "exponent: Unknown exponent rule 'half'"),
    ],
    ids=lambda value: str(value).partition(" at 0x")[0],
)
def test_two_spellings_that_contradict_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        config(**{"objective": "grpo", **changes})


def test_fp16_skips_what_is_not_finite_as_other_types_do_and_deepspeed_cannot():
    assert config(fp16=True).on_nonfinite == config().on_nonfinite == "skip"
    args = config()
    args.deepspeed = {"zero_optimization": {"stage": 2}}
    args.settle()
    assert args.on_nonfinite == "raise"
    args.on_nonfinite = "skip"
    with pytest.raises(ValueError, match="DeepSpeed takes itself: write on_nonfinite='raise'"):
        args.settle()


def test_deepspeed_by_the_launchers_configuration_is_known_too(monkeypatch):
    args = config()
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")  # as `accelerate launch` does
    args.settle()
    assert args.on_nonfinite == "raise"
    args.on_nonfinite = "skip"
    with pytest.raises(ValueError, match="DeepSpeed takes itself: write on_nonfinite='raise'"):
        args.settle()


def test_a_step_of_several_whole_generations_may_divide_by_tokens():
    args = config(objective="dapo", gradient_accumulation_steps=4)  # two generations of two micro-batches
    assert args.updates_per_generation == 0.5


@pytest.mark.parametrize(("given", "high"), [({"epsilon": 0.1}, 0.1), ({"epsilon_high": 0.3}, 0.3)], ids=str)
def test_an_epsilon_alone_clips_ratios_with_a_warning(given, high):
    with pytest.warns(UserWarning, match="the default objective's clip of log ratios gives way to one of ratios"):
        args = config(**given)
    region = pmpo.RatioClip(given.get("epsilon", 0.2), high)
    assert args.resolved_objective == pmpo.objective("pmpo", trust_region=region)
    args.objective = "grpo"  # now it is said
    assert args.resolved_objective == pmpo.objective("grpo", trust_region=region)


def test_another_objective_takes_its_own_defaults():
    args = config(objective="apmpo")
    assert args.beta == 0.001
    assert args.with_objective("pmpo").beta == 0.0 and args.beta == 0.001
    assert config(objective="apmpo", beta=0.5).with_objective("pmpo").beta == 0.5
