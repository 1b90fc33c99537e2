"""Runs made elsewhere: run folders, studies, metrics of other trainers."""

import json

import pytest
import yaml

import pmpo
from pmpo.comparison.results import CRASHED, DIVERGED, FINISHED, RunResult, read_results
from pmpo.comparison.study import study_from
from pmpo.foundation.errors import InputError
from pmpo.runs.studies.added import Added, read_added, study_of, with_settings


def run_folder(path, objective="gmpo", seed=0, ended=True, **settings):
    """What `pmpo train` leaves in a run's folder, as far as it is read."""
    path.mkdir(parents=True)
    record = {
        "seed": seed,
        "command": "pmpo train",
        "objective": pmpo.objective(objective).to_mapping(),
        "plan": {"updates_per_round": 8, "completions_per_round": 512, "total_updates": 16},
    }
    (path / "config.yaml").write_text(yaml.safe_dump({"output_dir": str(path), **settings, "record": record}))
    held_out = [{"step": step, "value": step / 32, "reward": 0.5, "n_problems": 64} for step in (0, 4, 16)]
    (path / "held_out.jsonl").write_text("".join(json.dumps(row) + "\n" for row in held_out))
    (path / "metrics.jsonl").write_text(json.dumps({"step": 16, "loss": 0.1, "entropy": 0.123456}) + "\n")
    if ended:
        (path / "summary.json").write_text(json.dumps({"steps": 16, "wall_seconds": 9.5, "warnings": ["update 8: x"]}))
    return path


def test_run_folders_differ_by_what_their_settings_differ_in(tmp_path):
    run_folder(tmp_path / "runs" / "a", learning_rate=1e-4, max_steps=16)
    run_folder(tmp_path / "runs" / "b", "gmpo:exponent=0.5", 1, learning_rate=2e-4, max_steps=16, ended=False)
    first, second = with_settings(read_added([str(tmp_path / "runs")], "pass_at_1"), None)
    assert first.objective == "gmpo" and first.status == FINISHED and first.settings == {"learning_rate": 1e-4}
    assert [(p.step, p.rollouts, p.score) for p in first.curve] == [(0, 0, 0.0), (4, 512, 0.125), (16, 1024, 0.5)]
    assert first.more == {"entropy": 0.1235, "warnings": ["update 8: x"]} and first.wall_seconds == 9.5
    assert second.objective == "gmpo:exponent=0.5" and second.seed == 1
    assert second.status == CRASHED and "did not come to its end" in second.message
    study = study_of([first, second], "pass_at_1")
    assert study.cells == ({"learning_rate": 1e-4}, {"learning_rate": 2e-4}) and study.seeds == (0, 1)


def test_of_a_run_a_study_takes_what_it_varies_and_the_label_that_is_said(tmp_path):
    folder = run_folder(tmp_path / "run=1", learning_rate=1e-4, beta=0.0)
    study = study_from({"objectives": ["grpo"], "settings": {"learning_rate": [1e-4, 2e-4]}})
    (row,) = with_settings(read_added([f"mine:7={folder}"], "reward"), study)
    assert (row.objective, row.seed, row.settings) == ("mine", 7, {"learning_rate": 1e-4})
    assert row.curve[-1].score == 0.5
    other = study_from({"objectives": ["grpo"], "settings": {"sampler_noise": [0.0, 0.5]}})
    with pytest.raises(InputError, match="varies sampler_noise, which is not known of"):
        with_settings(read_added([str(folder)], "reward"), other)


def test_metrics_of_other_trainers(tmp_path):
    csv, lines, state = tmp_path / "a.csv", tmp_path / "b.jsonl", tmp_path / "trainer_state.json"
    csv.write_text("step,loss,score,rollouts\n0,,0.1,0\n5,0.3,,\n10,,0.5,640\n")
    lines.write_text('{"global_step": 10, "reward": 0.25}\n{"global_step": 0, "reward": 0.0}\n\n')
    state.write_text(json.dumps({"log_history": [{"step": 1, "reward": 0.1}, {"step": 2, "reward": float("nan")}]}))
    words = [f"grpo:0={csv}", f"verl:seed=1,learning_rate=1e-4={lines}", f"pmpo:exponent=0.5:2={state}"]
    found = with_settings(read_added(words[:1], "pass_at_1") + read_added(words[1:], "reward"), None)
    assert [row.objective for row in found] == ["grpo", "verl", "pmpo:exponent=0.5"]
    assert [row.seed for row in found] == [0, 1, 2]
    assert [(p.step, p.rollouts, p.score) for p in found[0].curve] == [(0, 0, 0.1), (10, 640, 0.5)]
    assert [(p.step, p.rollouts, p.score) for p in found[1].curve] == [(0, 0, 0.0), (10, 10, 0.25)]
    assert found[2].status == DIVERGED
    assert [row.settings for row in found] == [{}] * 3, "what is not known of all makes no cell"


def test_a_whole_study(tmp_path):
    row = RunResult("grpo", {"learning_rate": 1e-4}, 3, FINISHED, (), 8, folder="runs/x")
    (tmp_path / "results.jsonl").write_text(json.dumps(row.to_row()) + "\n")
    (found,) = read_added([str(tmp_path)], "pass_at_1")
    assert found.known == {"learning_rate": 1e-4} and found.result.folder == str(tmp_path / "runs/x")
    assert read_results(tmp_path / "results.jsonl") == [row]
    kept = tmp_path / "kept.jsonl"  # the rows alone, as they are kept for others
    kept.write_text((tmp_path / "results.jsonl").read_text())
    assert [one.result.objective for one in read_added([str(kept)], "pass_at_1")] == ["grpo"]


def test_rows_of_a_study_with_another_base_are_refused():
    data = {"objectives": ["grpo"], "settings": {"learning_rate": [1e-4]}, "seeds": [3]}
    mine, other = study_from({**data, "base": {"max_steps": 8}}), study_from({**data, "base": {"max_steps": 9}})
    row = RunResult("grpo", {"learning_rate": 1e-4}, 3, FINISHED, (), 8, configuration=next(mine.runs()).configuration)
    added = [Added(row, row.settings)]
    assert with_settings(added, mine) == [row]
    with pytest.raises(InputError, match="grpo, seed 3, was run with other settings"):
        with_settings(added, other)


def test_what_names_no_run_is_refused_with_the_form(tmp_path):
    csv, empty = tmp_path / "a.csv", tmp_path / "empty"
    csv.write_text("time,loss\n1,2\n")
    empty.mkdir()
    for word, said in (
        ("grpo:0=nowhere.csv", "no such file or folder; write LABEL:SEED=FILE"),
        (str(csv), "its objective and seed must be said"),
        (f"grpo:first={csv}", "no such file or folder; write LABEL:SEED=FILE"),
        (f"grpo:0={csv}", "has no column step or global_step; it has time, loss"),
        (str(empty), "holds no run (config.yaml)"),
    ):
        with pytest.raises(InputError) as refused:
            read_added([word], "pass_at_1")
        assert said in str(refused.value), word
    run_folder(tmp_path / "a")
    run_folder(tmp_path / "b")
    with pytest.raises(InputError, match="with equal settings; tell them apart by a label"):
        with_settings(read_added([str(tmp_path / "a"), str(tmp_path / "b")], "pass_at_1"), None)
