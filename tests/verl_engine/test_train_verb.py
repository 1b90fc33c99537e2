"""`pmpo train --engine verl` with the real verl: a run's files come out of it, as they do under TRL."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("verl", reason="verl is not installed here: make verl")

from pmpo.report.run_data import read_run
from run_support import rows_of

SOURCE = Path(__file__).parents[2] / "src"
WORDS = str.split(
    "--engine verl --task sums --task_size 64 --eval_size 8 --num_generations 8 --per_device_train_batch_size 32 "
    "--steps_per_generation 2 --max_steps 4 --max_completion_length 24 --learning_rate 1e-4 "
    "--lr_scheduler_type constant --use_cpu true --bf16 false --reward sums think_format --reward_weights 1 0.1 "
    "--objective apmpo --beta 0.001 "
    "--use_bias_correction_kl false --save_steps 2 --pass_at_1_every 2"
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    environment = {**os.environ, "PYTHONPATH": f"{SOURCE}:{os.environ.get('PYTHONPATH', '')}", "HF_HUB_OFFLINE": "1"}
    environment.pop("VERL_USE_EXTERNAL_MODULES", None)  # the run says what it needs
    done = subprocess.run(
        [sys.executable, "-m", "pmpo", "train", *WORDS, "--output_dir", str(folder / "run")],
        env=environment, capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "run"


def test_two_rounds_of_two_updates_with_the_numbers_of_the_catalogue(finished):
    rows = rows_of(finished / "metrics.jsonl")
    assert [row["step"] for row in rows] == [2, 4]
    for row in rows:
        assert row["exponent/mean"] == pytest.approx(math.exp(-0.8 * row["reward"]), abs=1e-4), (
            "APMPO's batch statistics"
        )
        for name in ("loss", "entropy", "grad_norm", "kl", "kl_old", "clip_fraction/one_sided", "ess/mean"):
            assert math.isfinite(row[name]), name
        assert row["learning_rate"] == 1e-4
    assert rows[-1]["num_tokens"] == sum(row["perf/total_num_tokens"] for row in rows)


def test_the_held_out_problems_are_measured_before_during_and_after(finished):
    rows = rows_of(finished / "held_out.jsonl")
    assert [(row["step"], row["n_problems"]) for row in rows] == [(0, 8), (2, 8), (4, 8)]
    assert {row["step"] for row in rows_of(finished / "samples.jsonl")} == {0, 4}


def test_checkpoints_the_model_and_the_summary(finished):
    made = sorted(path.name for path in (finished / "verl" / "checkpoints").glob("global_step_*"))
    assert made == ["global_step_1", "global_step_2"]
    identity = json.loads((finished / "verl" / "checkpoints" / "global_step_2" / "pmpo.json").read_text())
    assert identity["objective"]["name"] == "apmpo" and identity["updates"] == 4
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(finished / "model")
    assert model.config.vocab_size == len(AutoTokenizer.from_pretrained(finished / "model")), (
        "the model's own tokenizer"
    )
    summary = read_run(finished).summary
    assert (summary["steps"], summary["objective"], summary["n_eval"]) == (4, "apmpo", 8)
