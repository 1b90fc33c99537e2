"""A run that is resumed at any step ends with the weights of one that was never interrupted, bit for bit."""

import itertools
import shutil
from pathlib import Path

import pytest
import torch
from peft import LoraConfig
from trl.trainer.utils import RepeatSampler

from pmpo.integrations.trl.exact_resume import EpochSampler
from support import config, parameters, saved_model, trainer
from tiny import tiny_dataset

STEPS = 10
ROWS = 8  # two generation batches of the longest kind an epoch, so that every run sees a second epoch


def run(folder, resume=None, build=None, **changes):
    args = config(output_dir=str(folder), save_strategy="steps", save_steps=1, max_steps=STEPS, seed=1, **changes)
    one = trainer(args, train_dataset=tiny_dataset(ROWS), **(build or {}))
    one.train(resume_from_checkpoint=None if resume is None else str(resume))
    return one


def largest_difference(tmp_path, kills, build=None, **changes):
    whole = run(tmp_path / "whole", build=build, **changes)
    assert whole.state.epoch > 1, "the second epoch must be reached"
    found = 0.0
    for kill in kills:
        folder = tmp_path / f"resumed-{kill}"
        checkpoint = folder / f"checkpoint-{kill}"
        shutil.copytree(tmp_path / "whole" / f"checkpoint-{kill}", checkpoint)
        resumed = run(folder, checkpoint, build, **changes)
        found = max(found, (parameters(resumed) - parameters(whole)).abs().max().item())
        shutil.rmtree(folder)
    return found


@pytest.mark.parametrize(
    ("steps_per_generation", "num_iterations", "accumulation"), itertools.product((1, 2, 3, 4), (1, 2), (1, 2))
)
def test_resumed_weights_are_equal(tmp_path, steps_per_generation, num_iterations, accumulation):
    shape = {"steps_per_generation": steps_per_generation, "num_iterations": num_iterations}
    kills = (1, 2, 5, 9) if accumulation == 1 else (3, 4)
    assert largest_difference(tmp_path, kills, gradient_accumulation_steps=accumulation, **shape) == 0.0


@pytest.mark.parametrize("objective", ["apmpo", "holderpo"])
def test_objectives_with_a_state_of_the_batch_or_of_the_progress(tmp_path, objective):
    path = saved_model(tmp_path / "base")
    build = {"model": path}
    assert largest_difference(tmp_path, (3,), build, objective=objective, steps_per_generation=4) == 0.0


def test_a_synced_reference_model(tmp_path):
    build = {"model": saved_model(tmp_path / "base")}
    synced = {"beta": 0.1, "sync_ref_model": True, "ref_model_sync_steps": 2, "ref_model_mixup_alpha": 0.5}
    assert largest_difference(tmp_path, (3, 6), build, steps_per_generation=4, **synced) == 0.0


def test_peft(tmp_path):
    build = {"peft_config": LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")}
    assert largest_difference(tmp_path, (3, 6), build, steps_per_generation=4) == 0.0


def test_without_the_saved_generation_the_weights_differ(tmp_path):
    """The meta-test: what TRL saves is not enough, and the tests above can fail."""
    whole = run(tmp_path / "whole", steps_per_generation=4)
    checkpoint = tmp_path / "other" / "checkpoint-3"
    shutil.copytree(tmp_path / "whole" / "checkpoint-3", checkpoint)
    (checkpoint / "generation-0.pt").unlink()
    (checkpoint / "manifest.json").unlink()
    with pytest.warns(UserWarning, match=r"has no manifest.json: resumed as TRL does, unchecked"):
        resumed = run(tmp_path / "other", checkpoint, steps_per_generation=4)
    assert not torch.equal(parameters(resumed), parameters(whole))


def test_the_sampler_gives_trls_orders_and_any_epoch_by_itself():
    theirs = RepeatSampler(range(10), 2, batch_size=3, repeat_count=2, seed=5)
    orders = [list(theirs) for _ in range(3)]
    assert orders[0] != orders[1]
    ours = EpochSampler.like(RepeatSampler(range(10), 2, batch_size=3, repeat_count=2, seed=5))
    for epoch in (2, 0, 1):
        ours.set_epoch(epoch)
        assert list(ours) == orders[epoch]


def test_the_log_is_continued_from_the_checkpoint(tmp_path):
    one = run(tmp_path / "run", steps_per_generation=4)
    log = Path(one.args.output_dir) / "metrics.jsonl"
    before = [line for line in log.read_text().splitlines() if '"step": 10,' not in line]
    log.write_text(log.read_text() + '{"step": 11, "cut')  # a kill in the middle of a line
    run(tmp_path / "run", tmp_path / "run" / "checkpoint-9", steps_per_generation=4)
    after = log.read_text().splitlines()
    assert after[: len(before)] == before
    steps = [line.split(",")[0] for line in after if '"exponent/mean"' in line]
    assert steps == [f'{{"step": {step}' for step in range(1, STEPS + 1)]
