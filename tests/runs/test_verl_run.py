"""The run around verl: what is written before it, read while it trains, and left after it. verl itself is played by a
script that writes what verl writes (tests/verl_engine runs the real one)."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pyarrow.parquet
import pytest
import yaml

from pmpo.cli import main
from pmpo.report.run_data import read_run
from run_support import rows_of
from tiny import tiny_model, tiny_tokenizer

PLAYED = """
import json, os, sys, time
from pathlib import Path

given = dict(word.lstrip("+").split("=", 1) for word in sys.argv[1:])
folder = Path(given["trainer.default_local_dir"]).parent
(folder / "given.json").write_text(json.dumps(given))
rounds, first = int(given["trainer.total_training_steps"]), 0
tracker = Path(given["trainer.default_local_dir"]) / "latest_checkpointed_iteration.txt"
if given["trainer.resume_mode"] == "auto":
    first = int(tracker.read_text())

def measure(step):
    Path(given["trainer.validation_data_dir"]).mkdir(exist_ok=True)
    right = step >= rounds
    row = {"input": "1+1=", "output": "2" if right else "3", "gts": "2", "score": float(right), "step": step,
           "rewards/sums": float(right), "acc": float(right),
           "grades/correct": float(right), "grades/wrong": 1.0 - right}
    rows = [row, {**row, "score": float("nan"), "acc": 0.0, "grades/correct": 0.0, "grades/wrong": 0.0,
                  "grades/timeout": 1.0, "rewards/sums": float("nan")}]
    text = "".join(json.dumps(row) + "\\n" for row in rows)
    (Path(given["trainer.validation_data_dir"]) / f"{step}.jsonl").write_text(text)

log = open(os.environ["VERL_FILE_LOGGER_PATH"], "w")
if not first:
    measure(0)
    log.write(json.dumps({"step": 0, "data": {"val-core/sums/acc/mean@1": 0.0}}) + "\\n")
for step in range(first + 1, rounds + 1):
    if os.environ.get("PLAY") == "fail" and step == 2:
        raise ValueError("no memory is left on the device")
    if os.environ.get("PLAY") == "wait":
        time.sleep(600)
    data = {"critic/score/mean": step / 10, "actor/entropy": 0.5, "exponent/mean": 0.9, "policy_loss": -0.1,
            "actor/grad_norm": 1.5, "perf/total_num_tokens": 100, "timing_s/step": 4.0, "critic/score/max": None}
    log.write(json.dumps({"step": step, "data": data}) + "\\n")
    log.flush()
    made = tracker.parent / f"global_step_{step}" / "actor" / "huggingface"
    made.mkdir(parents=True)
    (made / "model.safetensors").write_bytes(b"weights of %d" % step)
    (made / "config.json").write_text("{}")
    (made / "tokenizer.json").write_text("verl's")
    tracker.write_text(str(step))
measure(rounds)
"""


@pytest.fixture
def played(tmp_path, monkeypatch):
    """A folder with a model, problems and a package `verl` that plays main_ppo; returns the words of a run there."""
    trainer = tmp_path / "path" / "verl" / "trainer"
    trainer.mkdir(parents=True)
    for folder in (trainer.parent, trainer):
        (folder / "__init__.py").touch()
    (trainer / "main_ppo.py").write_text(textwrap.dedent(PLAYED))
    monkeypatch.syspath_prepend(str(tmp_path / "path"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "path"), os.environ.get("PYTHONPATH", "")]))
    tiny_model().save_pretrained(tmp_path / "m")
    tiny_tokenizer().save_pretrained(tmp_path / "m")
    return f"""train --engine verl --task sums --task_size 32 --eval_size 2 --model_name_or_path {tmp_path}/m
        --num_generations 4 --per_device_train_batch_size 4 --steps_per_generation 2 --max_steps 6 --use_cpu true
        --max_completion_length 8 --lr_scheduler_type constant --curves false --output_dir {tmp_path}/run""".split()


def test_a_run_leaves_the_files_of_a_run(played, tmp_path, capsys):
    assert main(played) == 0
    run = tmp_path / "run"
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["engine"] == "verl" and config["record"]["plan"]["total_updates"] == 6
    rows = rows_of(run / "metrics.jsonl")
    assert [row["step"] for row in rows] == [2, 4, 6], "updates, not rounds"
    last = rows[-1]
    assert (last["reward"], last["entropy"], last["exponent/mean"], last["grad_norm"]) == (0.3, 0.5, 0.9, 1.5)
    assert (last["loss"], last["num_tokens"], last["step_time"]) == (-0.1, 300, 2.0)
    held_out = rows_of(run / "held_out.jsonl")
    assert [(row["step"], row["value"], row["n_ungraded"]) for row in held_out] == [(0, 0.0, 1), (6, 0.5, 1)]
    assert held_out[-1]["statuses"] == {"correct": 1, "timeout": 1} and held_out[-1]["reward"] == 1.0
    assert {row["step"] for row in rows_of(run / "samples.jsonl")} == {0, 6}
    summary = json.loads((run / "summary.json").read_text())
    assert (summary["steps"], summary["tokens"], summary["pass_at_1_after"]) == (6, 300, 0.5)
    assert (run / "model" / "model.safetensors").read_bytes() == b"weights of 3"
    assert (run / "model" / "tokenizer.json").read_text() != "verl's" and (run / "model" / "pmpo_prompt.json").exists()
    assert pyarrow.parquet.read_table(run / "verl" / "train.parquet").num_rows == 32
    said = capsys.readouterr().out
    assert "step 2/6" in said and "held-out pass@1 0.500" in said and "slowly" in said
    data = read_run(run)
    assert [row["reward"] for row in data.rows] == [0.1, 0.2, 0.3] and data.summary["steps"] == 6


def test_the_tokenizer_gets_what_verl_asks_of_every_qwen_and_the_models_own_stays(played, tmp_path):
    from transformers import AutoTokenizer

    main(played)
    given = json.loads((tmp_path / "run" / "verl" / "given.json").read_text())
    tokenizer = AutoTokenizer.from_pretrained(given["actor_rollout_ref.model.tokenizer_path"])
    own = AutoTokenizer.from_pretrained(tmp_path / "m")
    for text in ("\n", "<|im_end|>"):
        assert len(tokenizer(text, add_special_tokens=False)["input_ids"]) == 1
    assert tokenizer("1+1=")["input_ids"] == own("1+1=")["input_ids"]
    assert len(AutoTokenizer.from_pretrained(tmp_path / "run" / "model")) == len(own) < len(tokenizer)
    tokenizer.chat_template = given["actor_rollout_ref.model.custom_chat_template"].strip("'")
    turns = [{"role": "user", "content": "1+1="}]
    rendered = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=True, return_dict=False)
    assert rendered == own("1+1=")["input_ids"], "the tokens that TRL would train on"


def test_a_run_that_fails_says_why_and_goes_on_where_it_was(played, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PLAY", "fail")
    assert main(played) == 2
    said = capsys.readouterr().err
    assert "verl ended after update 2: ValueError: no memory is left on the device" in said
    assert str(tmp_path / "run" / "verl" / "output.txt") in said and "--resume_from_checkpoint true" in said
    assert main(played) == 2
    assert "already holds a run" in capsys.readouterr().err
    monkeypatch.delenv("PLAY")
    assert main(["train", "--config", str(tmp_path / "run" / "config.yaml"), "--resume_from_checkpoint", "true"]) == 0
    assert [row["step"] for row in rows_of(tmp_path / "run" / "metrics.jsonl")] == [2, 4, 6]
    assert [row["step"] for row in rows_of(tmp_path / "run" / "held_out.jsonl")] == [0, 6]
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["tokens"] == 300
    assert main([*played, "--overwrite_output_dir"]) == 0
    assert (tmp_path / "run" / "earlier-1" / "verl").is_dir()


def test_there_is_nothing_to_resume(played, tmp_path, capsys):
    assert main([*played, "--resume_from_checkpoint", "true"]) == 2
    assert "holds no checkpoint of verl" in capsys.readouterr().err
    assert main([*played, "--resume_from_checkpoint", "somewhere"]) == 2
    assert "name a folder of verl's, …/global_step_40, or true" in capsys.readouterr().err
    assert main([*played, "--resume_from_checkpoint", "auto"]) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_verl_too(played, tmp_path, number):
    environment = {**os.environ, "PLAY": "wait"}
    process = subprocess.Popen([sys.executable, "-m", "pmpo", *played], env=environment, stdout=subprocess.DEVNULL)
    held_out = tmp_path / "run" / "held_out.jsonl"
    ends = time.monotonic() + 120
    while not held_out.exists() and time.monotonic() < ends:
        time.sleep(0.2)
    process.send_signal(number)
    assert process.wait(60) == 128 + number
    left = [p for p in Path("/proc").glob("[0-9]*/cmdline") if str(tmp_path).encode() in _read(p)]
    assert left == []


def _read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_without_verl_it_says_what_to_install_and_a_dry_run_works(played, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main([*played, "--dry_run"]) == 0
    printed = capsys.readouterr().out
    assert "python -m verl.trainer.main_ppo \\\n" in printed and not (tmp_path / "run").exists()
    assert main(played) == 2
    assert "pip install 'pmpo[verl]' in an environment of its own" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--min_p", "0.1"], "min_p=0.1 has no counterpart under verl: verl's rollouts take no min_p"),
        (["--engine", "deepspeed"], "Unknown engine 'deepspeed': Known: 'trl', 'verl'"),
        (["--num_machines", "2"], "--num_machines 2 is no option of a run under verl"),
        (["--per_device_train_batch_size", "3"], "generation_batch_size (6) must be divisible by num_generations (4)"),
    ],
)
def test_what_is_refused_before_anything_is_written(played, words, said, tmp_path, capsys):
    assert main([*played, *words]) == 2
    assert said in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_nothing_of_trl_is_loaded(played):
    code = f"""
import sys
sys.modules["trl"] = None  # what importing a package that is not installed does
from pmpo.cli import main
status = main({[*played, "--dry_run"]!r})
sys.exit(status or int(any(name.startswith("pmpo.integrations.trl.trainer") for name in sys.modules)))
"""
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL).returncode == 0
