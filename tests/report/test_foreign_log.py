"""Logs of training, ours and other trainers', as log events by our names."""

import json

import pytest

from pmpo.engine.symptoms import diagnose
from pmpo.foundation.errors import InputError
from pmpo.report.foreign_log import read_log
from pmpo.report.run_data import read_run


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def history(count):
    """What TRL's GRPOTrainer keeps in trainer_state.json."""
    rows = [
        {"step": step, "loss": 0.0, "entropy": 0.5, "reward": 0.2, "frac_reward_zero_std": 0.1, "epoch": 0.1,
         "clip_ratio/region_mean": 0.01, "completions/clipped_ratio": 0.9}
        for step in range(1, count + 1)
    ]  # fmt: skip
    return [*rows, {"step": count, "eval_loss": 0.1, "eval_reward": 0.3}, {"step": count, "train_loss": 0.1}]


def test_the_newest_checkpoint_of_a_trainer_is_read(tmp_path):
    for step in (5, 10):
        state = tmp_path / f"checkpoint-{step}" / "trainer_state.json"
        state.parent.mkdir()
        state.write_text(json.dumps({"global_step": step, "log_history": history(step)}))
    rows = read_log(tmp_path)
    assert [row["step"] for row in rows] == list(range(1, 11)), "the newest, without its evaluation"
    assert rows[0]["clip_fraction/one_sided"] == 0.01
    assert [one.name for one in read_run(tmp_path).symptoms] == ["truncated"]
    assert len(read_log(tmp_path / "checkpoint-5")) == 5 == len(read_log(tmp_path / "checkpoint-5/trainer_state.json"))


def test_our_own_log_comes_before_a_checkpoint_of_it(tmp_path):
    (tmp_path / "checkpoint-9").mkdir()
    (tmp_path / "checkpoint-9" / "trainer_state.json").write_text(json.dumps({"log_history": history(9)}))
    write(tmp_path / "metrics.jsonl", [{"step": 3, "loss": 0.1}, {"step": 3, "train_loss": 0.1}, 7])
    assert read_log(tmp_path) == [{"step": 3, "loss": 0.1}]


def test_verls_file_logger(tmp_path):
    data = {"actor/entropy": 0.4, "actor/pg_loss": 0.1, "critic/rewards/mean": 0.3, "response_length/clip_ratio": 0.02,
            "actor/ppo_kl": 0.5, "actor/pg_clipfrac": 0.1, "training/global_step": 4}  # fmt: skip
    (row,) = read_log(write(tmp_path / "log.jsonl", [{"step": 4, "data": data}]))
    named = {name: row[name] for name in ("step", "entropy", "loss", "reward", "completions/clipped_ratio", "kl_old")}
    assert named == {"step": 4, "entropy": 0.4, "loss": 0.1, "reward": 0.3, "completions/clipped_ratio": 0.02,
                     "kl_old": 0.5}  # fmt: skip
    assert [one.name for one in diagnose([row])] == ["exploding_ratios"]


def test_a_csv_with_prefixes_blanks_and_text(tmp_path):
    path = tmp_path / "wandb.csv"
    path.write_text("﻿Step,train/reward,train/entropy,name\n1,0.5,,a\n2,,0.25,b\n3,,,c\n", encoding="utf-8")
    assert read_log(path) == [{"step": 1, "reward": 0.5, "name": "a"}, {"step": 2, "entropy": 0.25, "name": "b"}]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("log.jsonl", '{"step": 1, "lr": 2}\n', "has no log event of training: rows with a step and a number"),
        ("log.jsonl", '{"loss": 1}\n', "has no log event of training"),
        ("log.json", "{", "is no log of training"),
        ("log.json", '{"a": 1}', "is no trainer_state.json: it has no log_history"),
        ("log.csv", "step,loss\n", "has no log event of training"),
        ("log.bin", "", "has no log event of training"),
    ],
)
def test_what_is_no_log_is_refused_by_name(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=said) as error:
        read_log(tmp_path / name)
    assert name in str(error.value)


def test_a_folder_and_a_file_that_are_not_there(tmp_path):
    with pytest.raises(InputError, match=r"neither metrics\.jsonl nor a checkpoint with trainer_state\.json"):
        read_log(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        read_log(tmp_path / "none.jsonl")
    with pytest.raises(InputError, match="No such file"):
        read_log(tmp_path / "none.csv")
