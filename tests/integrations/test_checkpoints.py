"""Checkpoints are whole or absent; damage is found and named; settings may not drift."""

import errno
import json
import os
import shutil
from pathlib import Path

import pytest
import torch

import resuming
from pmpo.engine import checkpoints
from pmpo.engine.checkpoints import newest_sound, rotate, verify
from pmpo.engine.drift import check_drift
from pmpo.foundation.errors import InputError
from pmpo.integrations.trl.saving import CheckpointError
from pmpo.integrations.trl.settings import WARNED
from resuming import Shape
from support import config, parameters, trainer
from tiny import tiny_dataset


def build(folder, **changes):
    settings = {"save_strategy": "steps", "save_steps": 1, "max_steps": 3, "steps_per_generation": 3, **changes}
    return trainer(config(output_dir=str(folder), **settings))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    build(folder).train()
    return folder


@pytest.fixture
def run(finished, tmp_path):
    return Path(shutil.copytree(finished, tmp_path / "run"))


def test_a_checkpoint_says_what_is_in_it(finished):
    found = verify(finished / "checkpoint-2")
    assert found.sound and found.step == 2 and str(found) == "checkpoint-2 is sound"
    assert {"model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "generation-0.pt"} <= set(found.files)
    assert found.facts["settings"]["seed"] == 42 and found.facts["versions"]["trl"]
    assert not (finished / checkpoints.SAVING).exists()


def cut(path):
    path.write_bytes(path.read_bytes()[:-7])


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


FILES = ["model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json", "generation-0.pt"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("damage", "fault"), [(cut, "bytes, not"), (flip, "its hash is another one"), (Path.unlink, "is missing")]
)
def test_every_damage_is_found_and_the_newest_sound_one_taken(run, name, damage, fault):
    damage(run / "checkpoint-3" / name)
    found = verify(run / "checkpoint-3")
    assert not found.sound and name in str(found) and fault in str(found)
    chosen, skipped = newest_sound(run)
    assert chosen.folder == run / "checkpoint-2" and [s.folder.name for s in skipped] == ["checkpoint-3"]


def test_resume_passes_over_a_damaged_checkpoint_and_says_so(run):
    flip(run / "checkpoint-3" / "model.safetensors")
    again = build(run, max_steps=4)
    with pytest.warns(UserWarning, match="Not resumed from: checkpoint-3: model.safetensors was changed"):
        again.train(resume_from_checkpoint=True)
    assert again.state.global_step == 4
    assert verify(run / "checkpoint-3").sound, "made again on the way"


def test_a_damaged_checkpoint_that_is_asked_for_is_refused_with_a_better_one(run):
    cut(run / "checkpoint-3" / "optimizer.pt")
    said = r"cannot be resumed from, checkpoint-3: optimizer.pt has .*; resume from .*checkpoint-2"
    with pytest.raises(InputError, match=said):
        build(run).train(resume_from_checkpoint=str(run / "checkpoint-3"))


def test_nothing_sound_is_said_with_every_reason(run):
    for step in (1, 2, 3):
        (run / f"checkpoint-{step}" / "manifest.json").unlink()
    with pytest.raises(InputError, match=r"no sound checkpoint .*-3: there is no manifest.*-1: there is"):
        build(run).train(resume_from_checkpoint=True)
    with pytest.raises(InputError, match="There is no checkpoint folder"):
        build(run).train(resume_from_checkpoint=str(run / "checkpoint-9"))


@pytest.mark.parametrize("manifest", ["", "[]", '{"files": 3}', '{"files": {"x": 1}}', '{"fil'])
def test_a_damaged_manifest_is_damage(run, manifest):
    (run / "checkpoint-3" / "manifest.json").write_text(manifest)
    assert not verify(run / "checkpoint-3").sound


@pytest.mark.parametrize("stage", ["_save_optimizer_and_scheduler", "_save_rng_state", "seal", "publish"])
def test_a_kill_at_any_stage_of_a_save_leaves_no_checkpoint_of_that_name(tmp_path, monkeypatch, stage):
    class KilledError(BaseException):
        pass

    def killed(*arguments, **named):
        raise KilledError

    one = build(tmp_path, max_steps=2)
    one.train()
    one.state.global_step = 3
    target = checkpoints if stage in ("seal", "publish") else one
    with monkeypatch.context() as patch:
        patch.setattr(target, stage, killed)
        with pytest.raises(KilledError):
            one._save_checkpoint(one.model, None)
    assert not (tmp_path / "checkpoint-3").exists() and newest_sound(tmp_path)[0].folder == tmp_path / "checkpoint-2"
    one._save_checkpoint(one.model, None)  # what the kill left behind is in nobody's way
    assert verify(tmp_path / "checkpoint-3").sound and not (tmp_path / checkpoints.SAVING).exists()


def full_disk(*arguments, **named):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_stops_the_run_in_order(tmp_path, monkeypatch):
    one = build(tmp_path, max_steps=2)
    one.train()
    monkeypatch.setattr(one, "_save_optimizer_and_scheduler", full_disk)
    with pytest.raises(CheckpointError, match=r"checkpoint-2 could not be .*: the disk is full .* MB are free there\)"):
        one._save_checkpoint(one.model, None)
    assert not (tmp_path / checkpoints.SAVING).exists() and verify(tmp_path / "checkpoint-2").sound


def test_or_the_run_goes_on_without_the_checkpoint(tmp_path, monkeypatch):
    one = build(tmp_path, max_steps=4, save_steps=2, on_save_error="continue")
    saves = []
    real = one._save_optimizer_and_scheduler
    monkeypatch.setattr(
        one,
        "_save_optimizer_and_scheduler",
        lambda to: (saves.append(to), full_disk() if len(saves) == 1 else real(to)),
    )
    with pytest.warns(UserWarning, match=r"checkpoint-2 could not .* There is no whole checkpoint. The run goes on"):
        one.train()
    assert one.state.global_step == 4 and one.failed_saves == 1
    assert [path.name for path in checkpoints.checkpoints(tmp_path)] == ["checkpoint-4"]


def test_rotation_never_deletes_the_one_just_written(run):
    """A damaged later one may still be there: the run was resumed from before it."""
    (run / "checkpoint-2").rename(run / "checkpoint-9")
    rotate(run, 1, keep=(run / "checkpoint-1",))
    assert [path.name for path in checkpoints.checkpoints(run)] == ["checkpoint-1", "checkpoint-9"]


def test_what_cannot_be_deleted_is_warned_of_and_the_new_checkpoint_stands(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(checkpoints, "_delete", refuse)
    one = build(tmp_path / "limited", save_total_limit=2)
    with pytest.warns(UserWarning, match="Older checkpoints in .* could not be deleted: .*Permission denied"):
        one.train()
    assert one.failed_saves == 0 and verify(tmp_path / "limited" / "checkpoint-3").sound


def test_a_new_run_among_the_checkpoints_of_another_is_refused_with_both_ways_on(run):
    with pytest.raises(InputError) as caught:
        build(run).train()
    said = str(caught.value)
    assert "holds a run with checkpoints (checkpoint-3). Continue it with train(resume_from_checkpoint=True), " in said
    assert f"begin again with PMPOConfig(overwrite_output_dir=True), which moves it to {run}/earlier-1" in said


def names(folder):
    return sorted(path.name for path in folder.glob("checkpoint-*"))


def test_a_run_begun_again_in_its_folder_leaves_nothing_of_the_first_out(run):
    first = {name: verify(run / name).facts["settings"] for name in names(run)}
    again = build(run, overwrite_output_dir=True, seed=7)
    with pytest.warns(UserWarning, match="checkpoints of the run before this one are now in .*earlier-1"):
        again.train()
    assert names(run) == names(run / "earlier-1") == ["checkpoint-1", "checkpoint-2", "checkpoint-3"]
    assert {name: verify(run / "earlier-1" / name).facts["settings"] for name in first} == first
    assert verify(run / "checkpoint-3").facts["settings"]["seed"] == 7
    with pytest.warns(UserWarning, match="earlier-2"):
        build(run, overwrite_output_dir=True).train()


def test_a_second_call_trains_on_as_in_trl(tmp_path):
    from trl import GRPOConfig, GRPOTrainer

    classes = {"ours": None, "theirs": (GRPOConfig, GRPOTrainer)}
    weights = {}
    for name, kinds in classes.items():
        loss = {"objective": "grpo"} if kinds is None else {"loss_type": "grpo"}
        one = resuming.build(tmp_path / name, Shape(2), classes=kinds, max_steps=4, save_steps=2, **loss)
        torch.manual_seed(3)
        for _ in range(2):
            one.train()
        assert one.state.global_step == 4 and one.lr_scheduler.last_epoch == 4
        weights[name] = parameters(one)
    assert (weights["ours"] - weights["theirs"]).abs().max() < 5e-5  # old log-probabilities from sampling
    ours = tmp_path / "ours"
    assert names(ours) == names(ours / "earlier-1") == ["checkpoint-2", "checkpoint-4"]
    for log in ("metrics.jsonl", "metrics-1.jsonl"):
        rows = [json.loads(line) for line in (ours / log).read_text().splitlines()]
        assert [row["step"] for row in rows if "exponent/mean" in row] == [1, 2, 3, 4]


def test_a_second_call_after_a_stop_inside_a_round_begins_with_a_new_round(tmp_path):
    one = resuming.build(tmp_path, Shape(2), max_steps=3)
    one.train()
    made, generate = [], one._generate_and_score_completions
    one._generate_and_score_completions = lambda inputs: (made.append(one.state.global_step), generate(inputs))[1]
    one.train()
    assert made == [0, 2]


def test_the_save_limit_holds_in_a_run_and_spares_the_best(tmp_path):
    one = build(tmp_path / "limited", save_total_limit=2)
    one.train()
    assert [p.name for p in checkpoints.checkpoints(tmp_path / "limited")] == ["checkpoint-2", "checkpoint-3"]
    rotate(tmp_path / "limited", 1, keep=(str(tmp_path / "limited" / "checkpoint-2"),))
    assert [p.name for p in checkpoints.checkpoints(tmp_path / "limited")] == ["checkpoint-2", "checkpoint-3"]


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"seed": 7}, "seed was 42 and is 7"),
        ({"temperature": 0.5}, "temperature was 1.0 and is 0.5"),
        ({"learning_rate": 1.0}, "learning_rate was 0.01 and is 1.0"),
        ({"objective": "gmpo"}, r'objective.* was .*clip.* and is .*"fixed"'),
    ],
)
def test_changed_settings_are_refused_with_the_difference(run, change, shown):
    with pytest.raises(InputError, match=f"{shown}.*--allow_change {next(iter(change))}"):
        build(run, **change).train(resume_from_checkpoint=True)


def test_changed_data_are_refused_and_allowed_by_name(run):
    def other(**changes):
        settings = {"save_strategy": "no", "max_steps": 4, "steps_per_generation": 3, **changes}
        return trainer(config(output_dir=str(run), **settings), train_dataset=tiny_dataset(31))

    with pytest.raises(InputError, match=r"dataset was \"\w+\" and is \"\w+\"; .*|--allow_change dataset"):
        other().train(resume_from_checkpoint=True)
    with pytest.warns(UserWarning, match="Resumed with a changed setting: dataset was"):
        other(allow_change=["dataset"]).train(resume_from_checkpoint=True)
    with pytest.raises(InputError, match=r"'datset', which is no setting of a run\. Did you mean 'dataset'"):
        other(allow_change=["datset"]).train(resume_from_checkpoint=True)


def test_a_longer_run_is_warned_of_but_not_refused():
    assert check_drift({"max_steps": 3}, {"max_steps": 4}, WARNED, [], "checkpoint-3") == ["max_steps was 3 and is 4"]


def test_nothing_of_a_checkpoint_is_unpickled_but_trls_own_arguments(finished):
    import torch

    state = torch.load(finished / "checkpoint-2" / "generation-0.pt", weights_only=True)
    assert state["step"] == 2 and len(state["buffer"]) == 3
    assert json.loads((finished / "checkpoint-2" / "manifest.json").read_text())["step"] == 2


def test_weights_after_a_failed_and_repeated_save_are_those_of_an_undisturbed_run(tmp_path, monkeypatch):
    calm = build(tmp_path / "calm", max_steps=4)
    calm.train()
    rough = build(tmp_path / "rough", max_steps=4, on_save_error="continue")
    monkeypatch.setattr(rough, "_save_rng_state", full_disk)
    rough.train()
    assert (parameters(calm) - parameters(rough)).abs().max() == 0
