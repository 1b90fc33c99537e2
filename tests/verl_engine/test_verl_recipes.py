"""The recipes for clusters: what their commands become is a configuration of verl that passes all checks."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest

verl = pytest.importorskip("verl", reason="verl is not installed")

from hydra import compose, initialize_config_dir  # noqa: E402

from composing import check, composed  # noqa: E402
from pmpo.integrations.verl.chosen import objective_of  # noqa: E402

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "recipes" / "verl"
RECORDER = """#!/bin/bash
{ printf '%q ' "$(basename "$0")" "RAY_ADDRESS=${RAY_ADDRESS:-}" "$@"; echo; } >> "$RECORD"
[ "$(basename "$0")" != scontrol ] || printf 'n1\\nn2\\nn3\\nn4\\n'
"""


@pytest.fixture(scope="module", autouse=True)
def config_folder():
    with initialize_config_dir(str(Path(verl.__file__).parent / "trainer" / "config"), version_base=None):
        yield


def calls(script, tmp_path, *words, **environment):
    """What a script calls of cluster and training programs, each call a list of words, in any order."""
    for name in ("ray", "srun", "scontrol", "pmpo", "sleep", "recorded-python"):
        (tmp_path / name).write_text(RECORDER)
        (tmp_path / name).chmod(0o755)
    given = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "RECORD": str(tmp_path / "calls"), **environment}
    subprocess.run(["bash", str(FOLDER / script), *words], env=given, check=True, cwd=ROOT, timeout=60)
    return [shlex.split(line) for line in (tmp_path / "calls").read_text().splitlines()]


def training_of(call):
    """The words of `pmpo train` in a call."""
    return call[call.index("pmpo") + 2 :]


def test_one_node():
    job, config = composed(["--config", str(FOLDER / "pmpo_qwen2.5-math-7b.yaml")], cpu=False)
    assert (config.trainer.nnodes, config.trainer.n_gpus_per_node, job.round.completions_per_round) == (1, 8, 1024)
    model = config.actor_rollout_ref.model
    assert model.use_fused_kernels and model.use_remove_padding and config.actor_rollout_ref.actor.use_dynamic_bsz


def check_four_nodes(words):
    job, config = composed(words, cpu=False)
    assert (config.trainer.nnodes, config.trainer.n_gpus_per_node) == (4, 8)
    assert (job.round.completions_per_round, job.round.updates_per_round) == (1024, 8), "as on one node"
    assert job.run.dataset == "/shared/math" and words[-2:] == ["--dataset", "/shared/math"]


def test_a_ray_job(tmp_path):
    (call,) = calls("ray_job.sh", tmp_path, "--dataset", "/shared/math")
    assert call[0] == "ray" and call[2:4] == ["job", "submit"]
    check_four_nodes(training_of(call))


def test_slurm(tmp_path):
    made = calls(
        "slurm.sh", tmp_path, "--dataset", "/shared/math", SLURM_JOB_NODELIST="n[1-4]", SLURM_JOB_NUM_NODES="4"
    )
    started = [call for call in made if "start" in call]
    assert len(started) == 4 and sum("--head" in call for call in started) == 1
    assert all("--address=n1:6379" in call for call in started if "--head" not in call)
    (train,) = [call for call in made if "train" in call]
    assert "RAY_ADDRESS=n1:6379" in train
    check_four_nodes(training_of(train))


def test_megatron(tmp_path):
    (call,) = calls("megatron.sh", tmp_path, PYTHON=str(tmp_path / "recorded-python"))
    assert call[2:5] == ["-m", "verl.trainer.main_ppo", "--config-name=ppo_megatron_trainer"]
    config = check(compose("ppo_megatron_trainer", call[5:]))
    assert config.actor_rollout_ref.actor.strategy == "megatron" and config.actor_rollout_ref.model.use_fused_kernels
    assert objective_of(config.actor_rollout_ref.actor.policy_loss).name == "dppo"
