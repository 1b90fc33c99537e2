"""Studies as data: what a YAML becomes, which runs it has, and what may change."""

import json

import pytest

from pmpo.comparison.grid import cells_of
from pmpo.comparison.study import read_study, study_from
from pmpo.foundation.errors import InputError

GRID = {"learning_rate": ["1e-4", 2e-4], "beta": [0.0, 0.1]}


def test_runs_are_every_seed_of_every_cell_of_every_objective_a_seed_at_a_time():
    study = study_from({"base": {"max_steps": 8}, "objectives": ["grpo", "pmpo"], "settings": GRID, "seeds": [0, 1]})
    runs = list(study.runs())
    assert [run.seed for run in runs] == [0] * 8 + [1] * 8
    assert str(runs[1]) == "pmpo, learning_rate 0.0001, beta 0, seed 0"
    assert runs[1].options == {"max_steps": 8, "learning_rate": 1e-4, "beta": 0.0, "objective": "pmpo", "seed": 0}
    assert len({run.key for run in runs}) == len({run.name for run in runs}) == 16
    assert len({run.configuration for run in runs}) == 16


def test_an_objective_is_a_text_or_any_settings():
    given = {"half": "pmpo:exponent=0.5", "decoupled": {"objective": "gmpo", "correction": "truncate", "beta": "1e-3"}}
    study = study_from({"objectives": given})
    assert study.objectives["half"] == {"objective": "pmpo:exponent=0.5"}
    assert study.objectives["decoupled"] == {"objective": "gmpo", "correction": "truncate", "beta": 1e-3}


def test_names_of_folders_are_plain_and_differ():
    study = study_from({"objectives": {"a b": "grpo", "a-b": "gmpo", "x" * 300: "pmpo", "x" * 301: "sapo"}})
    names = [run.name for run in study.runs()]
    assert len(set(names)) == 4 and names[1] == "a-b_seed=0" and names[0].startswith("a-b_seed=0-")
    assert all(len(name) < 130 and "/" not in name for name in names)


def test_settings_that_change_together_are_a_group():
    regimes = {"fresh": {}, "stale": {"rollout_staleness": 8}, "noise": {"sampler_noise": 0.5}}
    base = {"rollout_staleness": 0, "sampler_noise": 0.0}
    assert cells_of({"regime": regimes, "learning_rate": [1e-4]}, base) == (
        {"rollout_staleness": 0, "sampler_noise": 0.0, "learning_rate": 1e-4},
        {"rollout_staleness": 8, "sampler_noise": 0.0, "learning_rate": 1e-4},
        {"rollout_staleness": 0, "sampler_noise": 0.5, "learning_rate": 1e-4},
    )
    assert cells_of([{"a": 1}, {"b": 2}], {"a": 0, "b": 0}) == ({"a": 1, "b": 0}, {"a": 0, "b": 2})


def test_its_own_yaml_makes_the_study_again(tmp_path):
    study = study_from({"objectives": ["grpo"], "settings": GRID, "seeds": [3], "target": 0.5, "baseline": "grpo"})
    file = tmp_path / "mine.yaml"
    file.write_text(json.dumps(study.to_mapping()))  # JSON is YAML
    assert read_study(file) == study


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "compares no objective"),
        ({"objectives": ["grpo"], "seed": [1]}, "has no option 'seed'; it has name, base, objectives"),
        ({"objectives": [1]}, "objectives: 1 is 1; write an objective as text"),
        ({"objectives": "grpo"}, "objectives is 'grpo'; write a mapping"),
        ({"objectives": ["grpo"], "seeds": ["one"]}, "write whole numbers, as seeds: [0, 1, 2]"),
        ({"objectives": ["grpo"], "seeds": [1, 1]}, "seeds names one twice"),
        ({"objectives": ["grpo"], "score": "loss"}, "Unknown score 'loss'"),
        ({"objectives": ["grpo"], "baseline": "gmpo"}, "Unknown baseline 'gmpo'"),
        ({"objectives": ["grpo"], "target": "high"}, "target is 'high'; write a score"),
        ({"objectives": ["grpo"], "base": {"seed": 1}}, "base sets seed; write seeds: [0, 1, 2]"),
        ({"objectives": ["grpo"], "settings": {"output_dir": ["a"]}}, "settings sets output_dir"),
        ({"objectives": ["grpo"], "settings": {"beta": 1}}, "settings: beta is 1; write a list of values"),
        ({"objectives": ["grpo"], "settings": {"beta": [1, 1]}}, "Two cells of settings are the same: beta 1."),
        ({"objectives": ["grpo"], "settings": [{"a": 1}, {"b": 1}]}, "does not say what b is"),
        ({"objectives": ["grpo"], "settings": {"a": [1], "g": {"x": {"a": 2}}}}, "settings vary a in two places"),
        ({"objectives": ["grpo"], "settings": {"a": [1]}, "cells": [{"a": 1}]}, "keep one of them"),
        (
            {"objectives": {"x": {"objective": "grpo", "beta": 1}}, "settings": {"beta": [0, 1]}},
            "The objective 'x' sets beta, which settings vary",
        ),
    ],
)
def test_a_study_that_cannot_be_is_refused(data, said):
    with pytest.raises(InputError) as refused:
        study_from(data)
    assert said in str(refused.value)


def test_a_file_that_is_no_study_is_named(tmp_path):
    (tmp_path / "bad.yaml").write_text("objectives: []")
    with pytest.raises(InputError, match=r"bad\.yaml: The study compares no objective"):
        read_study(tmp_path / "bad.yaml")
