"""benchmarks/soak.py, small: a run killed and resumed ends as the uninterrupted one."""

import subprocess
import sys
from pathlib import Path

import pytest

from support import saved_model

ROOT = Path(__file__).parents[2]
SMALL = ("--steps", "40", "--save_steps", "3", "--per_device_train_batch_size", "8", "--eval_size", "8")


@pytest.mark.long
def test_a_small_soak(tmp_path):
    """With a model of the tests, since making the default's takes a minute."""
    default = ROOT / "src" / "pmpo" / "runs" / "default.yaml"
    command = [sys.executable, str(ROOT / "benchmarks" / "soak.py"), "--output_dir", str(tmp_path / "runs"), *SMALL]
    command += ["--kill_every", "6", "11", "--config", str(default), "--learning_rate", "0.01"]
    command += ["--model_name_or_path", saved_model(tmp_path / "model")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    rows = dict(line[2:-2].split(" | ", 1) for line in done.stdout.splitlines()[2:])
    assert int(rows["resumes"]) >= 1
    assert rows[r"max \|Δw\| of the final weights"] == "0"
    assert rows["steps not exactly once in metrics.jsonl"] == "0 uninterrupted, 0 killed"
    assert (tmp_path / "runs" / "soak.png").stat().st_size > 5_000
