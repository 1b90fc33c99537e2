"""main_ppo with objectives of the family: what the trainer brings, what is logged, what a checkpoint remembers."""

import json
import math

import pytest

pytest.importorskip("verl", reason="verl is not installed here: make verl")

from engine import overrides as objective_overrides
from support import make_inputs, overrides, run_main_ppo

ACTOR = "actor_rollout_ref.actor"
OURS = ["trainer.v1.trainer_mode=pmpo", "algorithm.adv_estimator=pmpo/grpo"]
REFERENCE = ["actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu=8"]


def test_apmpo_on_two_ranks_follows_the_rewards_and_a_checkpoint_knows_its_objective(tmp_path):
    """The rows of a round (7 prompts, 4 completions) do not divide by ranks and mini-batches: verl adds some."""
    make_inputs(tmp_path)
    saved = [f"{ACTOR}.ppo_micro_batch_size_per_gpu=4", "trainer.save_freq=6", f"{ACTOR}.ppo_mini_batch_size=2"]
    odd = ["data.train_batch_size=7", *saved]
    arguments = [*overrides(tmp_path, ranks=2, updates=6), *OURS, *odd, *objective_overrides("apmpo"), *REFERENCE]
    run = run_main_ppo(tmp_path, arguments, timeout=500)
    assert run.status == 0, run.output[-4000:]
    for row in run.metrics:
        assert row["exponent/mean"] == pytest.approx(math.exp(-0.8 * row["critic/score/mean"]), abs=1e-6)
        assert row["exponent/min"] == row["exponent/max"] == pytest.approx(row["exponent/mean"], abs=1e-6)
        assert row["reward"] == pytest.approx(row["critic/score/mean"], abs=1e-6) and row["reward_std"] >= 0.0
        assert row["kl"] >= 0.0 and row["actor/kl_coef"] == 0.001
        assert not [name for name in row if "pmpo-window" in name]
    assert run.rewards()[-1] > run.rewards()[0]
    identity = json.loads((tmp_path / "checkpoints" / "global_step_6" / "pmpo.json").read_text())
    assert identity["objective"]["name"] == "apmpo" and identity["updates"] == 6 * 4

    other = [*overrides(tmp_path, ranks=2, updates=7), *OURS, *odd, *objective_overrides("gmpo")]
    resumed = run_main_ppo(tmp_path, other, timeout=500)
    assert resumed.status == 0, resumed.output[-4000:]
    assert "had another objective" in resumed.output and "exponent" in resumed.output
    assert [row["step"] for row in resumed.metrics] == [7]


def test_p3o_has_the_ratio_sums_of_the_whole_step(tmp_path):
    """Its cap is the effective sample size of all micro-batches, found by a pass before the first is trained on."""
    make_inputs(tmp_path)
    micro = [f"{ACTOR}.ppo_micro_batch_size_per_gpu=8", f"{ACTOR}.ppo_epochs=3"]
    sampler = ["actor_rollout_ref.rollout.calculate_log_probs=True"]
    arguments = [*overrides(tmp_path, updates=3), *OURS, *micro, *sampler, *objective_overrides("p3o")]
    run = run_main_ppo(tmp_path, arguments, timeout=500)
    assert run.status == 0, run.output[-4000:]
    assert all(math.isfinite(row["policy_loss"]) and row["nonfinite/micro_batches"] == 0 for row in run.metrics)
    assert all(row["kl_old"] > 0.0 for row in run.metrics), "three epochs move the policy off its sampler"
