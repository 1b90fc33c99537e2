"""Logs that hold numbers of numpy and torch, of callbacks and reward functions: written, and saved."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import TrainerCallback

from support import config, trainer
from tiny import digit_reward

ODD = {
    "float32": np.float32(0.5), "float64": np.float64(0.25), "int64": np.int64(3), "bool": np.bool_(True),
    "array": np.arange(3), "scalar": torch.tensor(0.5, requires_grad=True), "half": torch.tensor(0.5).bfloat16(),
    "vector": torch.ones(2), "nan": np.float32("nan"), "nested": {"mean": np.float32(0.5), "parts": [torch.tensor(1)]},
    "path": Path("a/b"),
}  # fmt: skip
PLAIN = {
    "float32": 0.5, "float64": 0.25, "int64": 3, "bool": True, "array": [0, 1, 2], "scalar": 0.5, "half": 0.5,
    "vector": [1.0, 1.0], "nan": None, "nested": {"mean": 0.5, "parts": [1]}, "path": "a/b",
}  # fmt: skip


class Adds(TrainerCallback):
    """Puts odd values wherever a callback can."""

    def on_log(self, args, state, control, logs=None, **kwargs):
        logs.update(ODD)

    def on_step_end(self, args, state, control, **kwargs):
        state.log_history.append({"step": state.global_step, **ODD})
        state.best_metric = np.float32(0.5)


def lines(one):
    return [json.loads(line) for line in (Path(one.args.output_dir) / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("first", [True, False], ids=["before ours", "after ours"])
def test_values_of_a_callback_are_written_and_saved(first):
    one = trainer(config(max_steps=2, save_strategy="steps", save_steps=1), callbacks=[Adds()] if first else None)
    if not first:
        one.add_callback(Adds())
    one.train()
    assert one.failed_saves == 0
    state = json.loads((Path(one.args.output_dir) / "checkpoint-2" / "trainer_state.json").read_text())
    kept = next(row for row in state["log_history"] if "float32" in row)
    assert math.isnan(kept.pop("nan")) and kept == {"step": 1, **{k: v for k, v in PLAIN.items() if k != "nan"}}
    assert state["best_metric"] == 0.5
    if first:
        assert {name: lines(one)[0][name] for name in PLAIN} == PLAIN


def test_values_of_reward_functions_and_of_code_that_logs(monkeypatch):
    def reward(completions, log_metric, **kwargs):
        for number, value in enumerate((np.float32(0.5), np.int64(2), torch.tensor(0.5))):
            log_metric(f"mine/{number}", value)
        return [np.float32(r) for r in digit_reward(completions)]

    one = trainer(config(max_steps=2, save_strategy="steps", save_steps=2), reward=reward)
    one._metrics["train"]["appended"].append(np.float32(0.5))
    one.train()
    one.log({"called": np.float32(0.5), "tensor": torch.tensor(2)})
    first, last = lines(one)[0], lines(one)[-1]
    assert [first[f"mine/{number}"] for number in range(3)] == [0.5, 2.0, 0.5] and first["appended"] == 0.5
    assert (last["called"], last["tensor"]) == (0.5, 2)
    assert all(type(value) is not np.float32 for row in one.state.log_history for value in row.values())
