"""Two processes: a resumed run equals the uninterrupted one; another number of processes never resumes its round."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kill_worker import SHAPE
from pmpo.foundation.errors import InputError
from resuming import Shape, copied, run

HERE = Path(__file__).parent
LIMIT = 300  # seconds


def launch(script, *arguments):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent), *sys.path])}
    command += [str(HERE / script), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)


def finish(process):
    _, errors = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, errors[-3000:]


@pytest.mark.long
def test_resumed_weights_are_equal(tmp_path):
    cases = [
        {"name": "two iterations", "shape": (4, 2, 1), "kills": (5, 17)},
        {"name": "accumulation", "shape": (4, 2, 2), "kills": (3, 9)},
        {"name": "second epoch's order", "shape": (2, 1, 1), "kills": (5,)},
        {"name": "PEFT", "shape": (4, 1, 1), "kills": (3, 9), "how": {"peft": True}},
    ]
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    finish(launch("resume_worker.py", tmp_path / "cases.json", tmp_path / "results.jsonl"))
    results = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert results == [{"name": case["name"], "difference": 0.0} for case in cases]


@pytest.mark.long
def test_both_processes_killed_in_the_middle_of_a_round(tmp_path):
    started = launch("kill_worker.py", tmp_path, "start")
    deadline = time.monotonic() + LIMIT
    while not (tmp_path / "killed" / "checkpoint-5").exists():
        assert started.poll() is None and time.monotonic() < deadline, started.stderr.read()[-3000:]
        time.sleep(0.01)
    for pid in (started.pid, *(int((tmp_path / f"pid-{rank}").read_text()) for rank in (0, 1))):
        os.kill(pid, signal.SIGKILL)
    started.wait()
    assert not (tmp_path / "killed" / "checkpoint-8").exists(), "killed too late: the round was over"
    finish(launch("kill_worker.py", tmp_path, "resume"))
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["difference"] == 0.0
    assert 5 <= result["since"] < 8
    assert result["steps"] == list(range(1, SHAPE.steps + 1))


@pytest.mark.long
def test_another_number_of_processes_is_refused_or_warned_of(tmp_path):
    """One becomes two in the worker, two become one here."""
    shape = Shape(4)
    run(tmp_path / "one", shape, per_device_train_batch_size=4)
    finish(launch("processes_worker.py", tmp_path))
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert "processes was 1 and is 2" in seen["refused"] and "--allow_change processes" in seen["refused"]
    assert "Resumed with a changed setting: processes was 1 and is 2" in seen["warned"]
    assert "it was written with processes 1, not 2" in seen["warned"]
    assert "From step 4 on rounds are whole" in seen["warned"]
    how = {"per_device_train_batch_size": 4}
    checkpoint = copied(tmp_path / "two" / "checkpoint-3", tmp_path / "two-as-one")
    with pytest.raises(InputError, match=r"had other settings: processes was 2 and is 1\. "):
        run(checkpoint.parent, shape, checkpoint, **how)
    with pytest.warns(UserWarning, match=r"written with processes 2, not 1.*From step 4 on rounds are whole"):
        run(checkpoint.parent, shape, checkpoint, allow_change=["processes"], **how)
