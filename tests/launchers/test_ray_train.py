"""Ray Train with two workers on the CPU, and a worker that dies; `make cluster` has an environment with Ray."""

import json
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file

from launching import HERE, LIMIT, check_equal, environment, on_one_process
from recorded import CASES
from support import saved_model

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: run `make cluster`"),
]
EXAMPLE = HERE.parent.parent / "examples" / "train_on_ray.py"
OF_RAY = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


def start(script, *arguments, output):
    """A script that starts a Ray of its own, which ends with it; what it prints goes to a file."""
    with Path(output).open("w") as file:
        return subprocess.Popen(
            [sys.executable, str(script), *map(str, arguments)],
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**environment(), **OF_RAY},
        )


def finish(process, output):
    assert process.wait(timeout=LIMIT) == 0, Path(output).read_text()[-6000:]


def test_presets_train_as_on_one_process(tmp_path):
    cases = [case for case in CASES if case["objective"] in ("grpo", "pmpo", "apmpo", "dapo", "p3o")]
    whole = on_one_process(tmp_path / "one", cases)
    saved_model(tmp_path / "model")
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    process = start(HERE / "ray_worker.py", tmp_path, tmp_path / "cases.json", output=tmp_path / "log")
    finish(process, tmp_path / "log")
    check_equal("ddp", whole, {case["name"]: torch.load(tmp_path / f"{case['name']}.pt") for case in cases})


def test_the_example_goes_on_when_a_worker_is_killed(tmp_path):
    model = saved_model(tmp_path / "model")
    weights = {}
    for name, kill in (("whole", False), ("killed", True)):
        folder, log = tmp_path / name, tmp_path / f"{name}.log"
        options = ("--output_dir", folder, "--max_steps", 12, "--save_steps", 2)
        process = start(EXAMPLE, model, *options, output=log)
        if kill:
            _kill_a_worker(process, folder / "checkpoint-4", log)
        finish(process, log)
        assert "{'steps': 12, 'processes': 2, 'wrapper': 'DistributedDataParallel'}" in log.read_text()
        weights[name] = load_file(folder / "model.safetensors")
    assert all(torch.equal(weights["whole"][key], value) for key, value in weights["killed"].items())


def _kill_a_worker(process, checkpoint, log):
    """kill -9 of the first worker that is found once a checkpoint is there, of a run that is not over."""
    deadline = time.monotonic() + LIMIT
    while not checkpoint.exists():
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-6000:]
        time.sleep(0.01)
    own = psutil.Process(process.pid).children(recursive=True)
    workers = [child for child in own if "RayTrainWorker" in " ".join(child.cmdline())]
    assert len(workers) == 2, [child.cmdline() for child in own]
    workers[0].kill()
    assert not (checkpoint.parent / "checkpoint-12").exists(), "killed too late: the run was over"
