"""kill -9 in the middle, and the same command again: the same results.json, byte for byte."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eval_support import save_byte_model

PROGRAM = """
import sys, time
from pmpo.evaluation.run import evaluate, load_generator
from pmpo.cli.evaluate import main

class Slow:
    def __init__(self, generator):
        self.generator = generator
    def generate(self, *arguments):
        time.sleep({pause})
        return self.generator.generate(*arguments)

# The real command; only slowed down, so that a kill can fall between chunks.
evaluate.__defaults__ = (lambda *a: Slow(load_generator(*a)),)
sys.exit(main(sys.argv[1:]))
"""


def start(folder: Path, model: Path, pause: float) -> subprocess.Popen:
    words = (
        "--benchmark sums --limit 12 --n 4 --temperature 1.0 --max_new_tokens 12 --chunk_size 6 --k 1,4 --progress off"
    )
    command = [*words.split(), "--model", str(model), "--output_dir", str(folder)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(pause=pause), *command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def events(folder: Path) -> list[dict]:
    path = folder / "log.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def generated(folder: Path) -> list[int]:
    return [event["chunk"] for event in events(folder) if event["event"] == "generated"]


@pytest.mark.long
def test_kill_and_continue(tmp_path):
    model = save_byte_model(tmp_path / "model")
    # Both write to a folder called "out", since results.json quotes the command.
    once = start(tmp_path / "out", model, 0.0)
    output, _ = once.communicate(timeout=120)
    assert once.returncode == 0, output
    expected = (tmp_path / "out" / "results.json").read_bytes()
    (tmp_path / "out").rename(tmp_path / "whole")
    for stop_after in (2, 5):
        process = start(tmp_path / "out", model, 0.5)
        deadline = time.monotonic() + 120
        while len(generated(tmp_path / "out")) < stop_after and process.poll() is None:
            assert time.monotonic() < deadline, "the evaluation does not get on"
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
        assert process.returncode == -signal.SIGKILL
        assert not (tmp_path / "out" / "results.json").exists()
    last = start(tmp_path / "out", model, 0.0)
    output, _ = last.communicate(timeout=120)
    assert last.returncode == 0, output
    assert (tmp_path / "out" / "results.json").read_bytes() == expected
    # Nothing twice, over three processes. (A kill may fall between the writing of a part and of its line in the log.)
    graded = [event["chunk"] for event in events(tmp_path / "out") if event["event"] == "graded"]
    for chunks in (generated(tmp_path / "out"), graded):
        assert len(set(chunks)) == len(chunks) >= 6
