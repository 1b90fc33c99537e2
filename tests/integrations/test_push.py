"""What goes to the Hub: the same as from GRPOTrainer, whole, and nothing that is being deleted."""

import json
import threading
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from huggingface_hub.utils import filter_repo_objects
from safetensors.torch import load_file
from trl import GRPOConfig, GRPOTrainer

from pmpo.engine.checkpoints import checkpoints, verify
from pmpo.integrations.trl import PMPOTrainer
from support import config, trainer
from tiny import digit_reward, tiny_dataset

OURS = {"manifest.json", "generation-0.pt", "metrics.jsonl", "tokens.jsonl"}


class Hub:
    """Stands for huggingface_hub's API and writes down what every upload would send.

    Attributes:
        uploads: (place in the repository, names of the files, whether a checkpoint was sound), when the upload runs.
    """

    def __init__(self, slow=False):
        self.uploads, self.slow, self.release, self._threads = [], slow, threading.Event(), []

    def create_repo(self, name, **kwargs):
        return SimpleNamespace(repo_id=name)

    def upload_folder(self, folder_path, path_in_repo=None, ignore_patterns=None, run_as_future=False, **kwargs):
        done = Future()

        def upload():
            if self.slow:
                self.release.wait(20)
            root = Path(folder_path)
            found = [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]
            names = sorted(filter_repo_objects(found, ignore_patterns=ignore_patterns))
            sound = verify(root).sound if (root / "manifest.json").exists() else None
            self.uploads.append((path_in_repo, names, sound))
            done.set_result(None)

        if self.slow and run_as_future:
            threading.Thread(target=upload, daemon=True).start()
        else:
            upload()
        return done if run_as_future else None


@pytest.fixture
def hub(monkeypatch):
    hub = Hub()
    monkeypatch.setattr("transformers.trainer.hf_api", lambda: hub)
    return hub


def build(folder, cls=PMPOTrainer, reward=digit_reward, **changes):
    settings = {
        "save_strategy": "steps", "save_steps": 1, "max_steps": 3, "steps_per_generation": 3, "push_to_hub": True,
        "hub_model_id": "someone/tiny", "output_dir": str(folder), **changes,
    }  # fmt: skip
    args = config(**settings) if cls is PMPOTrainer else config(GRPOConfig, **settings)
    return trainer(args, cls, reward=reward, eval_dataset=tiny_dataset(8))


@pytest.mark.parametrize("strategy", ["end", "every_save", "checkpoint", "all_checkpoints"])
def test_the_uploads_are_those_of_trls_trainer(strategy, tmp_path, hub):
    sent = {}
    for cls in (GRPOTrainer, PMPOTrainer):
        hub.uploads = []
        one = build(tmp_path / cls.__name__, cls, hub_strategy=strategy, save_total_limit=2)
        one.train()
        one.push_to_hub()
        sent[cls] = hub.uploads
        assert "pmpo" in (tmp_path / "PMPOTrainer" / "README.md").read_text() if cls is PMPOTrainer else True
    theirs = [(place, names) for place, names, _ in sent[GRPOTrainer]]
    ours = [(place, [name for name in names if name not in OURS]) for place, names, _ in sent[PMPOTrainer]]
    assert (
        ours == theirs and len(theirs) == {"end": 1, "every_save": 4, "checkpoint": 7, "all_checkpoints": 7}[strategy]
    )
    assert "model.safetensors" in theirs[-1][1] and not any("optimizer" in name for name in theirs[-1][1])
    for place, names, sound in sent[PMPOTrainer]:
        assert (place is None) == (sound is None) and sound is not False
        assert not any("saving" in name for name in names)
        assert place is None or {"manifest.json", "generation-0.pt", "optimizer.pt"} <= set(names)


def test_a_folder_that_is_uploaded_is_not_deleted(tmp_path, hub, monkeypatch):
    hub.slow, seen = True, []
    one = build(tmp_path / "run", hub_strategy="all_checkpoints", hub_always_push=True, save_total_limit=1)
    finish = one._finish_current_push

    def watched():
        seen.append([path.name for path in checkpoints(tmp_path / "run")])
        hub.release.set()
        finish()

    monkeypatch.setattr(one, "_finish_current_push", watched)
    one.train()
    assert seen[0] == ["checkpoint-1", "checkpoint-2", "checkpoint-3"]
    whole = {place: sound for place, _, sound in hub.uploads if place}
    assert whole == {"checkpoint-1": True, "checkpoint-2": True, "checkpoint-3": True}
    assert [path.name for path in checkpoints(tmp_path / "run")] == ["checkpoint-3"], "later they are"


@pytest.mark.parametrize("best", [1, 3])
def test_the_best_model_is_loaded_at_the_end_also_where_it_is_the_last_one(best, tmp_path, hub):
    grades = iter([1.0, 0.5, 0.2] if best == 1 else [0.2, 0.5, 1.0])

    def reward(completions, **kwargs):
        if one.model.training:
            return digit_reward(completions)
        return [next(grades)] * len(completions)

    one = build(
        tmp_path / "run", hub_strategy="checkpoint", load_best_model_at_end=True, eval_strategy="steps", eval_steps=1,
        metric_for_best_model="eval_reward", greater_is_better=True, save_total_limit=1, per_device_eval_batch_size=32,
        reward=reward,
    )  # fmt: skip
    one.train()
    folder = tmp_path / "run" / f"checkpoint-{best}"
    assert one.state.best_model_checkpoint == str(folder) and verify(folder).sound
    assert json.loads((folder / "trainer_state.json").read_text())["best_model_checkpoint"] == str(folder)
    stored = load_file(folder / "model.safetensors")
    weights = one.model.state_dict()
    assert all(torch.equal(weights[name], value) for name, value in stored.items())
    assert [place for place, _, _ in hub.uploads] == [None, "last-checkpoint"] * 3


def test_a_checkpoint_that_could_not_be_written_is_not_pushed(tmp_path, hub, monkeypatch):
    one = build(tmp_path / "run", hub_strategy="checkpoint", on_save_error="continue", max_steps=1)

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(one, "_save_optimizer_and_scheduler", full)
    with pytest.warns(UserWarning, match="checkpoint-1 could not be written"):
        one.train()
    assert hub.uploads == []


def test_what_cannot_be_copied_for_a_push_is_warned_of_and_the_run_goes_on(tmp_path, hub, monkeypatch):
    one = build(tmp_path / "run", hub_strategy="every_save", max_steps=1)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("transformers.trainer.shutil.copy", full)
    with pytest.warns(UserWarning, match=r"checkpoint-1 could not be pushed to someone/tiny: .*No space"):
        one.train()
    assert one.state.global_step == 1 and verify(tmp_path / "run" / "checkpoint-1").sound
