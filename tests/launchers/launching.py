"""Workers of this folder under `accelerate launch`, with two processes on the CPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import torch

from recorded import recorded_run, whole_parameters
from support import saved_model

HERE = Path(__file__).parent
LIMIT = 540  # seconds; the first run with DeepSpeed compiles an operation of its own
TOLERANCE = 1e-5  # of a parameter after six updates; what rounding in another order makes of them is near 1e-6
WRAPPERS = {"ddp": "DistributedDataParallel", "fsdp2": "FSDPQwen2ForCausalLM", "zero2": "DeepSpeedEngine",
            "zero3": "DeepSpeedEngine"}  # fmt: skip
SHARDED = ("fsdp2", "zero3")


def environment():
    """That of this process, in which workers find the helpers of tests, and DeepSpeed takes the CPU."""
    folders = [str(HERE), str(HERE.parent / "integrations"), str(HERE.parent), *sys.path]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(folders), "DS_ACCELERATOR": "cpu",
            "ACCELERATE_TORCH_DEVICE": "cpu"}  # fmt: skip


def launch(kind, worker, *arguments):
    """Run a worker under the configuration `kind`, a key of `WRAPPERS`."""
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(HERE / f"configs/{kind}.yaml")]
    command += [str(HERE / worker), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, env=environment(), check=False)
    assert done.returncode == 0, done.stderr[-6000:]


def launch_cases(kind, folder, cases):
    """{case: what `preset_worker.py` wrote of it}."""
    saved_model(folder / "model")
    (folder / "cases.json").write_text(json.dumps(cases))
    launch(kind, "preset_worker.py", folder, folder / "cases.json")
    return {case["name"]: torch.load(folder / f"{case['name']}.pt") for case in cases}


def launch_scenarios(kind, folder, *names):
    """{scenario: what each of the two processes wrote of it}."""
    saved_model(folder / "model")
    launch(kind, "scenario_worker.py", folder, *names)
    return {name: [json.loads((folder / f"{name}-{rank}.json").read_text()) for rank in (0, 1)] for name in names}


def on_one_process(folder, cases):
    """{case: parameters} of the same runs in this process."""
    model = saved_model(folder / "model")
    found = {}
    for case in cases:
        name, changes = case["name"], {key: value for key, value in case.items() if key != "name"}
        one = recorded_run(folder / name, 1, model=model, **changes)
        assert ("rows" in changes) == (one.state.epoch == 2), "uneven epochs have three updates"
        found[name] = whole_parameters(one)
    return found


def check_wrapping(kind, found):
    """That a model was spread as `kind` says: a launcher may quietly run one process, or DDP."""
    assert found["processes"] == 2 and found["wrapper"] == WRAPPERS[kind], found
    assert (0.4 < found["share"] < 0.6) if kind in SHARDED else found["share"] == 1.0, found
    assert found["zero_stage"] == {"zero2": 2, "zero3": 3}.get(kind), found


def difference(one, two):
    return (one - two).abs().max().item()


def check_equal(kind, whole, found):
    """That two processes end where one does, case by case."""
    for name, result in found.items():
        check_wrapping(kind, result["wrapping"])
        assert difference(result["parameters"], whole[name]) < TOLERANCE, name
