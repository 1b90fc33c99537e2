"""PMPOTrainer keeps a sample of tokens beside its metrics, and is the same training with it and without it."""

import json
from pathlib import Path

import pytest
import torch

from resuming import Shape, build, copied
from support import config, parameters, trainer


def events(folder):
    rows = [json.loads(line) for line in (Path(folder) / "tokens.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name != "time"} for row in rows]


def test_the_sample_is_of_the_update_behind_each_log_event_and_changes_no_bit_of_the_training():
    runs = {}
    for count in (0, 3):
        one = trainer(config(max_steps=4, logging_steps=2, steps_per_generation=4, token_samples=count))
        one.train()
        runs[count] = one
    assert torch.equal(parameters(runs[0]), parameters(runs[3]))
    logs = [
        [
            {name: value for name, value in row.items() if "time" not in name and "per_second" not in name}
            for row in one.state.log_history
        ]
        for one in runs.values()
    ]
    assert logs[0] == logs[1]
    assert not (Path(runs[0].args.output_dir) / "tokens.jsonl").exists()
    found = events(runs[3].args.output_dir)
    assert [event["step"] for event in found] == [2, 4]
    for event in found:
        assert 1 <= len(event["completions"]) <= 3
        for one in event["completions"]:
            assert len(one["tokens"]) == len(one["log_ratio"]) == len(one["state"]) >= 1 and one["prompt"].endswith("=")


def test_a_resumed_run_has_the_sample_of_an_uninterrupted_one(tmp_path):
    shape = Shape(4)
    whole = build(tmp_path / "whole", shape, None, max_steps=6, logging_steps=2, save_steps=3)
    whole.train()
    checkpoint = copied(tmp_path / "whole" / "checkpoint-3", tmp_path / "resumed")
    lines = (tmp_path / "whole" / "tokens.jsonl").read_text()
    (tmp_path / "resumed" / "tokens.jsonl").write_text(lines + '{"step": 7, "compl')
    resumed = build(tmp_path / "resumed", shape, checkpoint, max_steps=6, logging_steps=2)
    resumed.train(resume_from_checkpoint=str(checkpoint))
    assert events(tmp_path / "resumed") == events(tmp_path / "whole") != []


def test_a_negative_number_is_refused():
    with pytest.raises(ValueError, match="token_samples is -1; write completions a log event, or 0 for none"):
        config(token_samples=-1)
