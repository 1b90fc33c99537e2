"""A run of a study as `pmpo train` makes it, and the processes that it is made in."""

import json
import multiprocessing
import os

import pytest
import toy_runs

from pmpo.comparison.results import CRASHED, DIVERGED, FINISHED, Point
from pmpo.comparison.study import read_study, study_from
from pmpo.engine.nonfinite import NonFiniteLossError
from pmpo.foundation.errors import InputError
from pmpo.runs.studies import training
from pmpo.runs.studies.making import Wishes
from pmpo.runs.studies.workers import Task, in_worker, run_side_by_side, warm_context
from run_support import small_run

REWARDS = "def even(completions, **kwargs):\n    return [float(len(text) % 2 == 0) for text in completions]\n"


@pytest.fixture
def options(tmp_path):
    words = small_run(tmp_path, REWARDS)
    given = dict(zip([word.removeprefix("--") for word in words[::2]], words[1::2], strict=True))
    return {**given, "reward": f"{tmp_path}/rewards.py:even", "eval_size": 4, "max_steps": 2}


def task_of(tmp_path, options, **more) -> Task:
    study = study_from(
        {"objectives": {"half": "pmpo:exponent=0.5"}, "base": {k: v for k, v in options.items() if k != "seed"}}
    )
    (run,) = study.runs()
    return Task(run, tmp_path / "study" / "runs" / run.name, Wishes("pass_at_1", 1, **more))


def test_a_run_is_an_ordinary_folder_without_its_weights(tmp_path, options):
    task = task_of(tmp_path, options)
    result = training.train_run(task)
    assert result.status == FINISHED and result.objective == "half" and result.steps == 2 and result.n_eval == 4
    assert [point.step for point in result.curve] == [0, 2] and result.curve[1].rollouts > 0
    assert result.folder == "runs/half_seed=0" and result.more["entropy"] > 0
    assert "--objective=pmpo:exponent=0.5" in result.command
    names = {path.name for path in task.folder.iterdir()}
    assert names >= {"config.yaml", "metrics.jsonl", "held_out.jsonl", "samples.jsonl", "summary.json"}
    assert not names & {"model", "curves.png"}
    again = training.train_run(task)
    assert again == result, "what has ended is read, not made again"


@pytest.mark.parametrize(("cause", "status"), [(NonFiniteLossError("NaN in\nthe loss"), DIVERGED), (None, CRASHED)])
def test_a_run_that_is_refused_or_diverges_is_a_result(tmp_path, options, monkeypatch, cause, status):
    def broken(settings):
        (task.folder / "model").mkdir(parents=True)
        (task.folder / "held_out.jsonl").write_text(json.dumps({"step": 0, "value": 0.25, "n_problems": 4}) + "\n")
        raise InputError("it went\nwrong") from cause

    task = task_of(tmp_path, options)
    monkeypatch.setattr(training, "run", broken)
    result = training.train_run(task)
    assert (result.status, result.message) == (status, "it went wrong")
    assert result.curve == (Point(0, 0, 0.25),) and result.score == 0.0 and not (task.folder / "model").exists()


def test_settings_that_no_run_could_begin_with_are_refused_before_the_first(options):
    objectives = {"fine": "pmpo", "bad": {"objective": "grpo", "epsilon": -1.0}}
    with pytest.raises(InputError, match=r"^bad, seed 0: "):
        training.check_and_prepare(list(study_from({"objectives": objectives, "base": options}).runs()), 1)


def test_the_built_in_studies_can_run():
    for path in sorted(training.Path(training.__file__).parent.glob("*.yaml")):
        runs = list(read_study(path).runs())
        of_each = {run.objective: run for run in runs} | {str(run.settings): run for run in runs}
        for run in of_each.values():
            training.settings_of(run.options, training.Path("unused"))


# ---- processes ------------------------------------------------------------------------------------------------------


def test_runs_are_forked_from_a_process_that_has_loaded_what_they_need(tmp_path):
    context = warm_context(["pmpo.runs.studies.workers", "toy_runs", "wave"])
    runs = study_from({"objectives": ["grpo"], "seeds": [0, 1, 2]}).runs()
    tasks = [Task(run, tmp_path / run.name, "wave") for run in runs]
    found = list(run_side_by_side(tasks, toy_runs.toy, 2, context))
    assert sorted(result.seed for _, result in found) == [0, 1, 2]
    assert {result.message for _, result in found} == {"True"}
    with pytest.raises(InputError, match="not like this"):
        in_worker(toy_runs.refuse, context=context)


def test_a_function_whose_process_dies_is_a_fault():
    with pytest.raises(RuntimeError, match="failed in its process"):
        in_worker(os._exit, 3, context=multiprocessing.get_context("fork"))
