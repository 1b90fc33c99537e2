"""Two processes: gradient and metrics of one process on the whole batch; what one cannot use, both skip."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from support import config, loss_and_grads, loss_inputs, trainer


def on_two_ranks(worker, *arguments):
    """Run a script of this folder under torchrun with two processes."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(here), str(here.parent), *sys.path])}
    command += [str(here / worker), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]


def test_two_ranks_give_the_gradient_and_metrics_of_one(tmp_path):
    on_two_ranks("ddp_worker.py", str(tmp_path / "result.json"), "pmpo", "dapo", "p3o")
    results = json.loads((tmp_path / "result.json").read_text())
    assert list(results) == ["pmpo", "dapo", "p3o"]
    for name, result in results.items():
        assert result["world"] == 2
        one = trainer(config(objective=name, beta=0.0))
        _, expected = loss_and_grads(one, loss_inputs(rows=8))
        assert torch.allclose(torch.tensor(result["gradient"]), expected, atol=1e-6), name
        one._settle("train")
        window = one._windows["train"]
        metrics = {"entropy": window.entropy, **window.metrics()}
        assert result["metrics"] == pytest.approx(metrics, abs=1e-5), name


def test_a_batch_that_one_rank_cannot_use_is_skipped_by_both(tmp_path):
    on_two_ranks("skip_worker.py", str(tmp_path))
    first, second = (json.loads((tmp_path / f"rank-{rank}.json").read_text()) for rank in (0, 1))
    assert first == second
    assert first["skipped"] == 1 and first["moved"] == [True, False, True, True]


def test_rewards_that_fail_on_one_rank_stop_both_with_a_checkpoint_that_goes_on_exactly(tmp_path):
    on_two_ranks("stop_worker.py", str(tmp_path))
    first, second = (json.loads((tmp_path / f"rank-{rank}.json").read_text()) for rank in (0, 1))
    assert first == second
    assert "connection refused" in first["said"][0] and "4 updates that were made are in" in first["said"][1]
    assert first["checkpoint"] == "checkpoint-4" and first["difference"] == 0.0
