"""`loss_type` and `importance_sampling_level` mean what GRPOTrainer computes, or are refused with the reason."""

import warnings

import pytest
import torch
from trl import GRPOConfig, GRPOTrainer

import pmpo
from support import config, loss_and_grads, loss_inputs, trainer
from test_parity_with_trl import assert_same

pytestmark = pytest.mark.filterwarnings("ignore:loss_type", "ignore:importance_sampling_level")
LOSSES = ("grpo", "dapo", "dr_grpo", "bnpo", "luspo")


def both(inputs, **switches):
    return (
        loss_and_grads(trainer(config(**switches)), inputs),
        loss_and_grads(trainer(config(GRPOConfig, **switches), GRPOTrainer), inputs),
    )


@pytest.mark.parametrize("level", ["token", "sequence"])
@pytest.mark.parametrize("loss_type", LOSSES)
def test_a_loss_of_trls_is_computed_as_trl_computes_it(loss_type, level):
    """The same block in both: TRL's defaults, and TRL's options."""
    inputs = loss_inputs(spread=0.8)
    named = {"loss_type": loss_type, "importance_sampling_level": level}
    defaults = both(inputs, **named)
    assert_same(*defaults)
    options = both(inputs, **named, epsilon=0.05, epsilon_high=0.1, delta=1.2)
    assert_same(*options)
    assert abs(defaults[0][0] - options[0][0]) > 1e-5, "the options must have an effect"


def test_an_epsilon_above_1_is_no_lower_bound():
    inputs = loss_inputs(spread=3.0)
    own, trls = both(inputs, loss_type="grpo", epsilon=10.0)
    assert_same(own, trls, tolerance=1e-5)
    assert not torch.allclose(own[1], both(inputs, loss_type="grpo", epsilon=0.9, epsilon_high=10.0)[0][1], atol=1e-5)


def test_sapo_is_computed_as_trl_computes_it():
    inputs = loss_inputs(spread=0.8)
    defaults = both(inputs, loss_type="sapo")
    assert_same(*defaults)
    options = both(inputs, loss_type="sapo", sapo_temperature_pos=2.0, sapo_temperature_neg=3.0)
    assert_same(*options)
    assert abs(defaults[0][0] - options[0][0]) > 1e-5


def test_cispo_has_trls_gradient():
    """TRL's value is sg(r)·A·log pi, whose gradient is that of the family's A·r; the cap is epsilon_high itself."""
    inputs = loss_inputs(spread=0.8)
    own, trls = both(inputs, loss_type="cispo", epsilon_high=1.1)
    assert torch.allclose(own[1], trls[1], atol=1e-6, rtol=1e-5)
    uncapped, _ = both(inputs, loss_type="cispo", epsilon_high=100.0)
    assert not torch.allclose(own[1], uncapped[1], atol=1e-5), "the cap must have an effect"


def test_a_level_alone_is_trls_default_loss_at_that_level():
    inputs = loss_inputs()
    assert_same(*both(inputs, importance_sampling_level="sequence"))


def test_the_bias_correction_of_the_kl_is_trls_default(tmp_path):
    from support import saved_model

    path = saved_model(tmp_path)
    inputs = loss_inputs()
    inputs["ref_per_token_logps"] = inputs["old_per_token_logps"] + 0.2
    shared = {"loss_type": "dapo", "beta": 0.5}
    a = loss_and_grads(trainer(config(**shared), model=path), inputs)
    b = loss_and_grads(trainer(config(GRPOConfig, **shared), GRPOTrainer, model=path), inputs)
    assert_same(a, b)


def test_the_choice_is_told_once():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        trainer(config(loss_type="bnpo"))
    told = [str(w.message) for w in seen if str(w.message).startswith("loss_type")]
    assert len(told) == 1
    assert "loss_type='bnpo' is taken as the member" in told[0] and "TRL divides by the tokens of each" in told[0]


def test_a_name_of_ours_is_taken_as_ours():
    assert config(loss_type="gmpo").resolved_objective == pmpo.objective("gmpo")


@pytest.mark.parametrize(
    "changes",
    [
        {"objective": "dapo", "loss_type": "dapo"},
        {"objective": "gspo", "loss_type": "grpo", "importance_sampling_level": "sequence"},
        {"objective": "pmpo", "importance_sampling_level": "token"},
        {"importance_sampling_level": "token"},
        {"objective": "holderpo", "importance_sampling_level": "sequence"},
    ],
    ids=str,
)
def test_an_objective_that_says_the_same_stands(changes):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert config(**changes).resolved_objective == pmpo.objective(changes.get("objective", "pmpo"))
    assert not [w for w in seen if "is taken as the member" in str(w.message)]


def test_parts_of_ours_change_a_loss_of_trls():
    args = config(loss_type="grpo", exponent="0.5", scale_rewards=False)
    assert args.resolved_objective == pmpo.objective("grpo", exponent=0.5, advantage="dr_grpo", kl_bias_correction=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objective": "pmpo", "loss_type": "grpo"}, "names the objective 'grpo' and contradicts `objective`='pmpo'"),
        ({"objective": "pmpo", "importance_sampling_level": "sequence"}, "contradicts the trust region LogRatioClip"),
        ({"objective": "gspo", "importance_sampling_level": "token"}, "contradicts the trust region SequenceRatioClip"),
        ({"loss_type": "gmpo", "importance_sampling_level": "sequence"}, "which works on the token"),
        ({"loss_type": "vespo"}, "no member of the family: it weighs tokens by the product.*`objective`='gspo'"),
        ({"loss_type": "sapo", "importance_sampling_level": "sequence"}, "its map is applied to tokens"),
        ({"loss_type": "cispo", "epsilon": 0.2}, "PassThroughClip, which takes epsilon_high: remove it"),
        ({"loss_type": "cispo", "epsilon_high": 0.28}, "must be at least 1"),
        ({"loss_type": "sapo", "delta": 2.0}, "no meaning for SoftGate"),
        ({"loss_type": "grpo", "sapo_temperature_pos": 2.0}, "no meaning for the trust region RatioClip"),
        ({"loss_type": "dapoo"}, "did you mean 'dapo'"),
        ({"importance_sampling_level": "sequences"}, "did you mean 'sequence'"),
        ({"loss_type": "grpo", "epsilon": 0.1, "trust_region": "log_ratio:log_ratio_low=0.3"}, "is a ratio bound"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_what_contradicts_or_is_no_member_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        config(**changes)


def test_another_objective_for_a_configuration_with_a_loss_type_is_refused():
    with pytest.raises(ValueError, match="contradicts `objective`='pmpo'"):
        config(loss_type="grpo").with_objective("pmpo")
