"""The run folder: whole files, one run a folder, a config.yaml that runs again."""

import json
import os

import pytest
import yaml

from pmpo.tasks.errors import InputError
from pmpo.training.arguments import parse
from pmpo.training.run_folder import (
    check_folder,
    choose_folder,
    read_json_lines,
    resume_point,
    write_config,
    write_json,
    write_whole,
)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "summary.json"
    write_whole(path, "old")

    def fail(*arguments):
        assert path.read_text() == "old"  # until the rename the old file is there, whole
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_whole(path, "new and longer")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_data_are_on_the_disk_before_the_name_points_to_them(tmp_path, monkeypatch):
    calls = []
    real_fsync, real_replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (calls.append("fsync"), real_fsync(fd)))
    monkeypatch.setattr(os, "replace", lambda a, b: (calls.append("replace"), real_replace(a, b)))
    write_whole(tmp_path / "x", b"data")
    assert calls == ["fsync", "replace"]
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o644


def test_nan_becomes_null(tmp_path):
    write_json(tmp_path / "s.json", {"a": float("nan"), "b": [1, float("inf")]})
    assert json.loads((tmp_path / "s.json").read_text()) == {"a": None, "b": [1, None]}


def test_a_last_line_cut_short_is_left_out(tmp_path):
    (tmp_path / "x.jsonl").write_text('{"a": 1}\n{"a": 2')
    assert read_json_lines(tmp_path / "x.jsonl") == [{"a": 1}]
    assert read_json_lines(tmp_path / "none.jsonl") == []


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
