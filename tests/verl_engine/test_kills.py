"""A worker killed with kill -9: main_ppo ends with a reason, and goes on from its last checkpoint when started again.

Minutes each: `.venv-verl/bin/python -m pytest tests/verl_engine -m long -rP`.
"""

import time

import pytest

pytest.importorskip("verl", reason="verl is not installed here: make verl")

from support import GROUP, HERE, PROMPTS, make_inputs, overrides, run_main_ppo

pytestmark = pytest.mark.long
MODULES = "pmpo.integrations.verl.cpu,deadly"
KILLED_AT, SAVED_EVERY, UPDATES = 6, 2, 8
IN_ROLLOUT = str((KILLED_AT - 1) * PROMPTS * GROUP + PROMPTS * GROUP // 4)
"""The completion, counted from the first, at which a quarter of the sixth update's are made."""
CASES = {
    "worker_in_update": (1, {"DEADLY_AT": str(KILLED_AT)}),
    "one_of_two_workers_in_update": (2, {"DEADLY_AT": str(KILLED_AT), "DEADLY_RANK": "1"}),
    "worker_in_rollout": (1, {"DEADLY_AT": IN_ROLLOUT, "DEADLY_TITLE": "ray::WorkerDict"}),
    "server_in_rollout": (1, {"DEADLY_AT": IN_ROLLOUT, "DEADLY_TITLE": "ray::CPURolloutServer"}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_killed_run_ends_and_goes_on_from_its_checkpoint(tmp_path, case):
    ranks, settings = CASES[case]
    make_inputs(tmp_path)
    arguments = [
        *overrides(tmp_path, ranks=ranks, updates=UPDATES),
        f"trainer.save_freq={SAVED_EVERY}",
        "actor_rollout_ref.rollout.max_num_seqs=4",  # so that some completions are done while others are made
    ]
    mark = tmp_path / "killed.txt"
    environment = {"VERL_USE_EXTERNAL_MODULES": MODULES, "PYTHONPATH": str(HERE), "DEADLY_MARK": str(mark), **settings}
    deadly = (
        [f"reward.custom_reward_function.path={HERE / 'deadly.py'}"]
        if "DEADLY_TITLE" in settings
        else ["actor_rollout_ref.actor.policy_loss.loss_mode=deadly"]
    )
    killed = run_main_ppo(tmp_path, [*arguments, *deadly], environment=environment)
    print(f"{case}: main_ppo had ended {time.time() - float(mark.read_text()):.0f} s after the kill")
    assert killed.status == 1, killed.output[-3000:]
    assert "died" in killed.output
    assert killed.column("step") == list(range(1, KILLED_AT))
    saved = int((tmp_path / "checkpoints" / "latest_checkpointed_iteration.txt").read_text())
    if case == "server_in_rollout":
        # verl trains on the completions that there were, saves, and fails as it hands on the weights.
        assert "Error in _run_prompt" in killed.output
        assert saved == KILLED_AT
    else:
        assert saved == (KILLED_AT - 1) // SAVED_EVERY * SAVED_EVERY

    resumed = run_main_ppo(tmp_path, arguments)
    assert resumed.status == 0, resumed.output[-3000:]
    assert resumed.column("step") == list(range(saved + 1, UPDATES + 1))
    again = killed.rewards()[saved : KILLED_AT - 1]
    assert resumed.rewards()[: len(again)] == pytest.approx(again, abs=1e-6)
