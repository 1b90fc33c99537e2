"""The run folder: whole files, one run a folder, a config.yaml that runs again."""

import pytest
import yaml

from pmpo.tasks.errors import InputError
from pmpo.training.arguments import parse
from pmpo.training.run_folder import (
    check_folder,
    choose_folder,
    resume_point,
    write_config,
)


def test_a_folder_with_another_run_is_refused(tmp_path):
    folder = tmp_path / "run"
    check_folder(folder, resume=False)
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    check_folder(folder, resume=False)  # somebody's notes are no run
    (folder / "metrics.jsonl").write_text("")
    with pytest.raises(InputError, match=r"already holds a run \(metrics.jsonl\). Give another --output_dir"):
        check_folder(folder, resume=False)
    with pytest.raises(InputError, match=r"nothing to resume: .* holds no checkpoint"):
        check_folder(folder, resume=True)
    (folder / "checkpoint-5").mkdir()
    check_folder(folder, resume=True)
    with pytest.raises(InputError, match="is a file; give the name of a folder"):
        check_folder(folder / "notes.txt", resume=False)


def test_a_folder_that_nobody_named_is_a_new_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = parse(["--dataset", "sums"])
    assert str(choose_folder(settings)) == "runs/pmpo-sums"
    (tmp_path / "runs/pmpo-sums").mkdir(parents=True)
    (tmp_path / "runs/pmpo-sums/config.yaml").write_text("")
    assert str(choose_folder(settings)) == "runs/pmpo-sums-2"
    assert str(choose_folder(parse(["--dataset", "sums", "--output_dir", "there"]))) == "there"


@pytest.mark.parametrize(
    ("value", "point"),
    [(None, None), ("false", None), ("true", True), ("last", True), ("a/checkpoint-3", "a/checkpoint-3")],
)
def test_what_to_resume_from(value, point):
    assert resume_point(value) == point


def test_config_yaml_runs_again_as_the_same_settings(tmp_path):
    flags = ["--dataset", "sums", "--objective", "gmpo", "--num_generations", "4", "--gradient_accumulation_steps", "2"]
    first = parse([*flags, "--reward", "sums", "--hub_token", "secret", "--output_dir", str(tmp_path)], "pmpo train …")
    write_config(tmp_path, first, {"objective": "gmpo"})
    text = (tmp_path / "config.yaml").read_text()
    assert "secret" not in text
    record = yaml.safe_load(text)["record"]
    assert record["command"] == "pmpo train …" and record["versions"]["trl"] and record["seed"] == first.training.seed
    second = parse(["--config", str(tmp_path / "config.yaml"), "--hub_token", "secret"])
    assert second.run == first.run and second.model == first.model
    assert second.training.to_dict() == first.training.to_dict()
