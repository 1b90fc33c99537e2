"""verl's main_ppo, unchanged, on CPU cores: it learns, on one rank and two, saves, resumes, and replays recordings."""

import json

import pytest

pytest.importorskip("verl", reason="verl is not installed here: make verl")

from support import GROUP, PROMPTS, make_inputs, overrides, run_main_ppo
from tiny import tiny_dataset, tiny_tokenizer

UPDATES, SAVED = 20, 16


def succeeded(run):
    assert run.status == 0, run.output[-4000:]
    return run


@pytest.fixture(scope="module")
def one_rank(tmp_path_factory):
    folder = tmp_path_factory.mktemp("one")
    make_inputs(folder)
    return succeeded(run_main_ppo(folder, [*overrides(folder, updates=UPDATES), f"trainer.save_freq={SAVED}"]))


def learned(run) -> bool:
    rewards = run.rewards()
    return sum(rewards[:3]) / 3 < 0.1 and sum(rewards[-3:]) / 3 > 0.8


def test_the_reward_rises_in_twenty_updates(one_rank):
    assert one_rank.column("step") == list(range(1, UPDATES + 1))
    assert learned(one_rank), one_rank.rewards()


def test_the_rollouts_log_probabilities_are_the_trainers(one_rank):
    assert max(one_rank.column("training/rollout_probs_diff_max")) < 1e-5


def test_a_run_resumes_where_it_was_saved(one_rank):
    before = {name: one_rank.column(name)[SAVED:] for name in ("critic/score/mean", "actor/grad_norm")}
    resumed = succeeded(run_main_ppo(one_rank.folder, [
        *overrides(one_rank.folder, updates=UPDATES), "trainer.resume_mode=resume_path",
        f"trainer.resume_from_path={one_rank.folder}/checkpoints/global_step_{SAVED}",
    ]))  # fmt: skip
    assert resumed.column("step") == list(range(SAVED + 1, UPDATES + 1))
    for name, values in before.items():
        assert resumed.column(name) == pytest.approx(values, rel=1e-4, abs=1e-6)


def test_two_ranks_do_what_one_does(one_rank, tmp_path):
    make_inputs(tmp_path)
    two = succeeded(run_main_ppo(tmp_path, overrides(tmp_path, ranks=2, updates=UPDATES)))
    assert two.output.count("pmpo_cpu:") and "pmpo_cpu:1" in two.output  # a replica for each rank
    for name in ("critic/score/mean", "actor/grad_norm"):
        assert two.column(name)[:3] == pytest.approx(one_rank.column(name)[:3], rel=1e-4)
    assert learned(two), two.rewards()


def test_a_reference_policy_micro_batches_and_removed_padding_change_no_gradient(one_rank, tmp_path):
    """At the first update the policy is its own reference, so that the KL term pulls nowhere."""
    make_inputs(tmp_path)
    actor, ref = "actor_rollout_ref.actor", "actor_rollout_ref.ref"
    run = succeeded(run_main_ppo(tmp_path, [
        *overrides(tmp_path, updates=2), f"{actor}.use_kl_loss=True", f"{actor}.kl_loss_coef=0.1",
        f"{ref}.log_prob_micro_batch_size_per_gpu=8", f"{actor}.ppo_micro_batch_size_per_gpu=8",
        "actor_rollout_ref.model.use_remove_padding=True",
    ]))  # fmt: skip
    assert run.column("actor/grad_norm")[0] == pytest.approx(one_rank.column("actor/grad_norm")[0], rel=1e-4)
    assert run.rewards()[0] == pytest.approx(one_rank.rewards()[0])
    first, second = run.column("actor/kl_loss")
    assert first == pytest.approx(0, abs=1e-6) and second > 1e-6


def test_recorded_completions_are_trained_on_and_a_missing_one_ends_the_run(tmp_path):
    """Two updates from recordings; the third draws a prompt without any."""
    make_inputs(tmp_path)
    tokenizer, missing = tiny_tokenizer(), 2 * PROMPTS + 3
    texts = ["77<eos>", "7x<eos>", "x<eos>", "x7x7x7x7"]
    assert len(texts) == GROUP
    completions = tokenizer(texts)["input_ids"]
    prompts = [tokenizer(row["prompt"])["input_ids"] for row in tiny_dataset(64)]
    lines = [{"prompt": prompt, "completions": completions} for prompt in prompts[:missing]]
    (tmp_path / "recorded.jsonl").write_text("\n".join(map(json.dumps, lines)))
    run = run_main_ppo(tmp_path, [
        *overrides(tmp_path, updates=4), "data.shuffle=False",
        f"+actor_rollout_ref.rollout.engine_kwargs.pmpo_cpu.recorded={tmp_path / 'recorded.jsonl'}",
    ])  # fmt: skip
    assert run.rewards() == pytest.approx([(1 + 0.5 + 0 + 0.5) / 4] * 2)
    assert run.column("response_length/mean") == [(3 + 3 + 2 + 8) / 4] * 2
    assert max(run.column("training/rollout_probs_diff_max")) < 1e-5
    assert run.status == 1
    assert "has 0 completions of the prompt" in run.output
