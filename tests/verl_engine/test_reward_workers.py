"""Our reward function in verl's own reward managers, and in Ray actors as verl's reward workers are."""

import asyncio
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("verl", reason="verl is not installed")

import ray
from omegaconf import OmegaConf
from verl import DataProto
from verl.trainer.ppo.reward import load_reward_manager

from pmpo.integrations.verl import rewards
from tiny import tiny_tokenizer


def config(manager="naive", path="pkg://pmpo.integrations.verl.rewards", **keywords):
    function = {"path": path, "name": "compute_score", "reward_kwargs": keywords}
    return OmegaConf.create(
        {
            "reward": {
                "custom_reward_function": function,
                "reward_manager": {"source": "register", "name": manager},
                "reward_model": {"enable": False},
            }
        }
    )


def item(tokenizer, text, gold="7", **extra):
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    responses = torch.tensor([[*ids, 0, 0]])
    mask = torch.tensor([[1] * (2 + len(ids)) + [0, 0]])
    other = {
        "data_source": "sums",
        "reward_model": {"style": "rule", "ground_truth": gold},
        "extra_info": {"index": 0, **extra},
    }
    return DataProto.from_dict(
        {"responses": responses, "prompts": torch.zeros(1, 2, dtype=torch.long), "attention_mask": mask},
        {name: np.array([value], dtype=object) for name, value in other.items()},
    )


@pytest.mark.parametrize("manager", ["naive", "dapo"])
@pytest.mark.parametrize("path", ["pkg://pmpo.integrations.verl.rewards", rewards.__file__], ids=["module", "file"])
def test_verls_reward_managers_score_with_it(manager, path):
    tokenizer = tiny_tokenizer()

    async def scored():
        loaded = load_reward_manager(config(manager, path, rewards=["math"], weights=[2.0]), tokenizer)
        # Text that its tokenizer writes back as it was; a bare number is a final answer.
        return [await loaded.run_single(item(tokenizer, text)) for text in ("7", "8")]

    right, wrong = asyncio.run(scored())
    assert right["reward_score"] == 2.0 and right["reward_extra_info"]["grades/correct"] == 1.0, right
    assert wrong["reward_score"] == 0.0 and wrong["reward_extra_info"]["acc"] == 0.0


@ray.remote
class Worker:
    """As verl's RewardLoopWorker: an async actor that calls the function from threads."""

    def __init__(self):
        self.manager = load_reward_manager(config(rewards=["math"]), tiny_tokenizer())

    async def score(self, text):
        return (await self.manager.run_single(item(tiny_tokenizer(), text)))["reward_score"]

    async def processes(self):
        return os.getpid(), children_of(os.getpid())


def children_of(pid):
    """Ids of the processes below a process."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        if parent == pid:
            found += [int(stat.parent.name), *children_of(int(stat.parent.name))]
    return found


@pytest.fixture
def cluster(tmp_path):
    source = str(Path(rewards.__file__).parents[3])
    tests = str(Path(__file__).parent.parent)
    environment = {
        "PYTHONPATH": os.pathsep.join([source, tests, str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    }
    ray.init(num_cpus=2, include_dashboard=False, runtime_env={"env_vars": environment}, log_to_driver=False)
    yield
    ray.shutdown()


def gone(pids, seconds=20.0):
    """Whether all of them end in time."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if not [pid for pid in pids if Path(f"/proc/{pid}").exists() and "Z" not in state(pid)]:
            return True
        time.sleep(0.2)
    return False


def state(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def test_graders_work_in_a_ray_actor_and_end_with_it_however_it_ends(cluster):
    worker = Worker.remote()
    texts = ["7", "8", "7", "9"] * 4
    assert ray.get([worker.score.remote(text) for text in texts], timeout=240) == [1.0, 0.0, 1.0, 0.0] * 4
    pid, graders = ray.get(worker.processes.remote(), timeout=60)
    assert graders, "the graders are processes of their own"
    os.kill(pid, signal.SIGKILL)
    assert gone(graders), "no grader is left behind"
    other = Worker.remote()
    assert ray.get(other.score.remote("7"), timeout=120) == 1.0
    _, graders = ray.get(other.processes.remote(), timeout=60)
    ray.kill(other)
    assert gone(graders)
