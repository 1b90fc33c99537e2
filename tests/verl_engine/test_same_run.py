"""The same small run in verl as in TRL: weights, data and completions of a recorded run of PMPOTrainer."""

import pytest

pytest.importorskip("verl", reason="verl is not installed here: make verl")


import torch
from safetensors.torch import load_file

from engine import overrides as objective_overrides
from same_run import BETAS, EPSILON, GROUP, LONGEST, OBJECTIVES, PROMPTS, RATE, UPDATES, start_model
from support import HERE, make_inputs, overrides, run_main_ppo

RECORDED = HERE / "recorded"
ACTOR, ROLLOUT = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"


def replayed(objective, folder):
    """Weights after the recorded run's updates in verl, by name."""
    make_inputs(folder, rows=PROMPTS * UPDATES // 2)
    model = start_model()
    model.load_state_dict(load_file(RECORDED / "start.safetensors"), strict=False)
    model.save_pretrained(folder / "model")
    arguments = [
        *overrides(folder, updates=UPDATES // 2, learning_rate=RATE),
        *objective_overrides(objective),
        f"{ROLLOUT}.n={GROUP}",
        f"+{ROLLOUT}.engine_kwargs.pmpo_cpu.recorded={RECORDED / objective}.jsonl",
        f"{ACTOR}.ppo_epochs=2",
        f"{ACTOR}.ppo_micro_batch_size_per_gpu={PROMPTS * GROUP // 2}",
        f"{ACTOR}.optim.weight_decay=0.0",
        f"{ACTOR}.optim.betas=[{BETAS[0]},{BETAS[1]}]",
        f"+{ACTOR}.optim.override_optimizer_config={{eps:{EPSILON}}}",
        f"{ACTOR}.checkpoint.save_contents=[model,optimizer,extra,hf_model]",
        "actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu=16",
        "algorithm.adv_estimator=pmpo/grpo",
        f"data.max_response_length={LONGEST}",
        "data.shuffle=False",
        f"reward.custom_reward_function.path={HERE / 'upper_digits.py'}",
        "trainer.v1.trainer_mode=pmpo",
        f"trainer.save_freq={UPDATES // 2}",
    ]
    run = run_main_ppo(folder, arguments, timeout=500)
    assert run.status == 0, run.output[-4000:]
    saved = folder / "checkpoints" / f"global_step_{UPDATES // 2}" / "actor" / "huggingface"
    return load_file(saved / "model.safetensors")


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_weights_after_the_same_rollouts_equal_those_in_trl(tmp_path, objective):
    weights = replayed(objective, tmp_path)
    wanted = load_file(RECORDED / f"{objective}.safetensors")
    start = load_file(RECORDED / "start.safetensors")
    moved = max(float((wanted[name] - start[name]).abs().max()) for name in wanted)
    off = max(float((weights[name] - wanted[name]).abs().max()) for name in wanted if name in weights)
    print(f"{objective}: weights moved by up to {moved:.3f}, and differ by up to {off:.2e}")
    assert moved > 0.05
    assert off < 1e-5
    assert all(torch.isfinite(value).all() for value in weights.values())
