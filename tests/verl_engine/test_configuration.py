"""What verl's configuration may say beside an objective, and the sentence for what it may not."""

import pytest

pytest.importorskip("verl", reason="verl is not installed here: make verl")


from pathlib import Path

import verl
from hydra import compose, initialize_config_dir
from verl.utils.config import validate_config

import pmpo
from pmpo.foundation.errors import InputError
from pmpo.integrations.verl.chosen import objective_of

ACTOR = "actor_rollout_ref.actor"
SECTION = f"{ACTOR}.policy_loss._target_=pmpo.integrations.verl.policy_loss_config.PolicyLossConfig"
OURS = "trainer.v1.trainer_mode=pmpo"
GMPO = [
    f"{ACTOR}.policy_loss.loss_mode=pmpo/gmpo",
    f"{ACTOR}.loss_agg_mode=seq-mean-token-mean",
    "algorithm.adv_estimator=grpo",
]
APMPO = [f"{ACTOR}.policy_loss.loss_mode=pmpo/apmpo", *GMPO[1:]]
KL = [f"{ACTOR}.use_kl_loss=True", f"{ACTOR}.kl_loss_coef=0.001"]
OWN = [SECTION, f"{ACTOR}.policy_loss.loss_mode=pmpo", *GMPO[1:]]
CORRECTED = [*OWN, f'+{ACTOR}.policy_loss.objective={{name: gmpo, correction: "truncate:ratio_max=2"}}']


def configuration(*overrides):
    folder = str(Path(verl.__file__).parent / "trainer" / "config")
    with initialize_config_dir(folder, version_base=None):
        return compose(
            "ppo_trainer",
            overrides=[
                f"{ACTOR}.ppo_micro_batch_size_per_gpu=2",
                "actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu=2",
                "actor_rollout_ref.rollout.name=sglang",
                "actor_rollout_ref.model.path=nowhere",
                "actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu=2",
                *overrides,
            ],
        )


def validate(config):
    """verl's own checks, as main_ppo makes them before Ray starts."""
    validate_config(config=config, use_reference_policy=False, use_critic=False)


@pytest.mark.parametrize(
    "overrides",
    [
        ["algorithm.adv_estimator=grpo"],
        GMPO,
        [*GMPO[:2], "algorithm.adv_estimator=pmpo/grpo"],
        [*GMPO, *KL],
        [*GMPO, f"{ACTOR}.entropy_coeff=0.01"],
        [*APMPO, OURS, *KL],
        [f"{ACTOR}.policy_loss.loss_mode=pmpo/dapo", "algorithm.adv_estimator=grpo"],
        [
            f"{ACTOR}.policy_loss.loss_mode=pmpo/dr_grpo", f"{ACTOR}.loss_agg_mode=seq-mean-token-sum-norm",
            f"{ACTOR}.loss_scale_factor=512", "algorithm.adv_estimator=grpo", "algorithm.norm_adv_by_std_in_grpo=False",
        ],
        [f"{ACTOR}.policy_loss.loss_mode=pmpo/maxrl", "algorithm.adv_estimator=pmpo/maxrl"],
        [*OWN, f"+{ACTOR}.policy_loss.objective={{name: pmpo, exponent: signed}}"],
        [*CORRECTED, OURS, "actor_rollout_ref.rollout.calculate_log_probs=True"],
    ],
)  # fmt: skip
def test_accepted(overrides):
    validate(configuration(*overrides))


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ([OURS], "write actor_rollout_ref.actor.policy_loss.loss_mode=pmpo/grpo, or trainer_mode=sync"),
        ([f"{ACTOR}.policy_loss.loss_mode=pmpo/gmpoo"], "did you mean 'pmpo/gmpo'"),
        (APMPO, "needs reward_mean and reward_std of the whole batch.* write trainer.v1.trainer_mode=pmpo"),
        ([*APMPO, OURS], "use_kl_loss=True actor_rollout_ref.actor.kl_loss_coef=0.001"),
        ([*APMPO, OURS, KL[0], f"{ACTOR}.kl_loss_coef=0.1"], "kl_loss_coef=0.001"),
        ([*GMPO, f"{ACTOR}.loss_agg_mode=token-mean"], "write .*loss_agg_mode=seq-mean-token-mean"),
        ([*GMPO, f"{ACTOR}.clip_ratio=0.4"], "clip_ratio=0.4 is read by verl's own losses alone.*log_ratio_low: 0.4"),
        ([*GMPO, f"{ACTOR}.clip_ratio_low=0.1"], "clip_ratio_low=0.1"),
        ([*GMPO, "algorithm.adv_estimator=gae"], "write algorithm.adv_estimator=pmpo/grpo"),
        ([*GMPO, "algorithm.norm_adv_by_std_in_grpo=False"], "norm_adv_by_std_in_grpo=False"),
        ([*GMPO, "algorithm.adv_estimator=pmpo/maxrl"], "pmpo/maxrl"),
        ([*GMPO[:1], "algorithm.adv_estimator=grpo", f"+{ACTOR}.policy_loss.objective=pmpo"], "add .*_target_=pmpo"),
        ([SECTION, *GMPO, f"+{ACTOR}.policy_loss.objective=pmpo"], "both name the objective"),
        ([*OWN, f"+{ACTOR}.policy_loss.objective={{name: pmpo, exponent: sgned}}"], "did you mean 'signed'"),
        ([SECTION, f"{ACTOR}.policy_loss.loss_mode=vanilla"], "write loss_mode=pmpo, or leave out _target_"),
        ([*OWN, f"+{ACTOR}.policy_loss.nonfinite=ignore"], "Unknown choice of policy_loss.nonfinite 'ignore'"),
        (CORRECTED, "needs the sampler's log-probabilities"),
        (
            [*CORRECTED, OURS, "actor_rollout_ref.rollout.calculate_log_probs=False"],
            "write actor_rollout_ref.rollout.calculate_log_probs=True",
        ),
        (
            [*CORRECTED, OURS, "actor_rollout_ref.rollout.calculate_log_probs=True",
             "algorithm.rollout_correction.rollout_is=token"],
            "would both weigh tokens by the sampler",
        ),
        (
            [f"{ACTOR}.policy_loss.loss_mode=pmpo/dr_grpo", f"{ACTOR}.loss_agg_mode=seq-mean-token-sum-norm"],
            "write actor_rollout_ref.actor.loss_scale_factor=512",
        ),
        (
            [*GMPO, f"{ACTOR}.ulysses_sequence_parallel_size=2",
             "+actor_rollout_ref.model.override_config.attn_implementation=sdpa"],
            "write attn_implementation=flash_attention_2",
        ),
        ([*GMPO, "distillation.enabled=True"], "write distillation.enabled=False"),
        (
            [*OWN, OURS, f"+{ACTOR}.policy_loss.objective={{name: gmpo, kl_bias_correction: true}}"],
            "kl_bias_correction",
        ),
    ],
)  # fmt: skip
def test_refused_before_ray_starts(overrides, sentence):
    with pytest.raises(Exception, match=sentence) as caught:
        validate(configuration(*overrides))
    cause = caught.value if isinstance(caught.value, InputError) else caught.value.__cause__
    assert isinstance(cause, InputError)


def test_an_untested_version_is_refused_unless_asked_for(monkeypatch):
    monkeypatch.setattr(verl, "__version__", "0.10.0")
    with pytest.raises(InputError, match=r"verl 0\.10\.0 is not tested.*PMPO_ALLOW_UNTESTED_VERL=1"):
        validate(configuration(*GMPO))
    monkeypatch.setenv("PMPO_ALLOW_UNTESTED_VERL", "1")
    validate(configuration(*GMPO))


@pytest.mark.parametrize("preset", pmpo.OBJECTIVES)
def test_every_preset_has_its_loss_mode(preset):
    config = configuration(f"{ACTOR}.policy_loss.loss_mode=pmpo/{preset}")
    assert objective_of(config.actor_rollout_ref.actor.policy_loss) == pmpo.objective(preset)


def test_a_mapping_is_the_objective_that_python_makes_of_it():
    written = "{name: gmpo, trust_region: {region: log_ratio, log_ratio_low: 0.3}, sequence_weight: token}"
    config = configuration(*OWN, f"+{ACTOR}.policy_loss.objective={written}")
    wanted = pmpo.objective("gmpo", trust_region="log_ratio:log_ratio_low=0.3", sequence_weight="token")
    assert objective_of(config.actor_rollout_ref.actor.policy_loss) == wanted
