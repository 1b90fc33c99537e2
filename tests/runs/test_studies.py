"""Studies of toy runs, which take milliseconds: what is run, what is kept, and what a kill -9 costs."""

import json
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pmpo.comparison.results import CRASHED, FINISHED, Point, RunResult, read_results
from pmpo.comparison.study import Study, study_from
from pmpo.foundation.errors import InputError
from pmpo.runs.studies.folder import StudyFolder
from pmpo.runs.studies.runner import How, run_study
from pmpo.runs.studies.table import write_tables
from pmpo.runs.studies.workers import Task

FORK = multiprocessing.get_context("fork")
STUDY = {"objectives": ["grpo", "pmpo"], "settings": {"learning_rate": [1e-4, 2e-4]}, "seeds": [0, 1, 2]}


class Quiet:
    """A display of nothing."""

    def __init__(self) -> None:
        self.missing = self.done = 0

    def begin(self, missing, done):
        self.missing, self.done = missing, done

    def look(self, under_way, left): ...

    def ended(self, result, left): ...

    def close(self): ...


def finished(task: Task) -> RunResult:
    run = task.run
    score = random.Random(run.key).random()
    curve = (Point(0, 0, 0.1), Point(8, 64, score))
    return RunResult(run.objective, dict(run.settings), run.seed, FINISHED, curve, 8, folder=f"runs/{run.name}")


def toy(task: Task) -> RunResult:
    """Notes that it has begun; takes a few milliseconds."""
    with task.more.open("a") as begun:
        begun.write(f"{task.run.name}\n")
    time.sleep(0.005 * random.Random(task.run.key).random())
    return finished(task)


def make_study(path: Path, make: Callable, study: Study | None = None, jobs: int = 3, **how) -> list[RunResult]:
    study = study or study_from(STUDY)
    return run_study(study, path, How(make, jobs, FORK, more=path.parent / "begun", **how), Quiet())[1]


def begun(path: Path) -> list[str]:
    file = path.parent / "begun"
    return file.read_text().split() if file.exists() else []


def tables(path: Path) -> dict[str, str]:
    """The tables of a study's folder as they come from its files."""
    study = study_from(STUDY)
    write_tables(path, study, read_results(path / "results.jsonl"))
    return {name: (path / name).read_text() for name in ("table.csv", "table.md")}


def test_every_run_is_made_once_and_the_same_command_makes_none_again(tmp_path):
    results = make_study(tmp_path / "study", toy)
    assert len(results) == len(begun(tmp_path / "study")) == 12
    assert {one.status for one in results} == {FINISHED}
    rows = read_results(tmp_path / "study" / "results.jsonl")
    assert rows == results
    assert json.loads((tmp_path / "study" / rows[0].folder / "result.json").read_text()) == rows[0].to_row() | {
        "curve": [list(point) for point in rows[0].to_row()["curve"]]
    }
    assert make_study(tmp_path / "study", toy) == results
    assert len(begun(tmp_path / "study")) == 12


# ---- kill -9 --------------------------------------------------------------------------------------------------------


def in_background(work: Callable[[], object]) -> int:
    """The process of a fork that does it."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return child


def taken_up(path: Path, make: Callable) -> list[RunResult]:
    """The study made to its end, as soon as the workers of the one that was killed are gone."""
    while True:
        try:
            return make_study(path, make)
        except InputError as error:
            assert "Another process" in str(error)
            time.sleep(0.01)


@pytest.mark.parametrize("chance", range(4))
def test_a_study_that_is_killed_twice_repeats_nothing_and_ends_with_the_same_tables(tmp_path, chance):
    whole, path = tmp_path / "whole" / "study", tmp_path / "killed" / "study"
    for each in (whole, path):
        each.parent.mkdir()
    make_study(whole, toy)
    random_ = random.Random(chance)
    done: set[str] = set()
    for _ in range(2):
        before = len(begun(path))
        study = in_background(lambda: taken_up(path, toy))
        time.sleep(random_.uniform(0.005, 0.1))
        os.kill(study, signal.SIGKILL)
        os.waitpid(study, 0)
        assert not done & set(begun(path)[before:]), "what had ended is not begun again"
        time.sleep(0.05)  # its workers end
        done = {file.parent.name for file in path.glob("runs/*/result.json")}
    before = len(begun(path))
    results = taken_up(path, toy)
    assert not done & set(begun(path)[before:])
    assert len(results) == 12 and len(read_results(path / "results.jsonl")) == 12
    assert tables(path) == tables(whole)


def test_a_row_that_a_kill_has_cut_or_left_out_is_written_from_the_run(tmp_path):
    path = tmp_path / "study"
    results = make_study(path, toy)
    rows = (path / "results.jsonl").read_bytes().splitlines(keepends=True)
    (path / "results.jsonl").write_bytes(b"".join(rows[:-2]) + rows[-2][:40])
    display = Quiet()
    again = run_study(study_from(STUDY), path, How(toy, 3, FORK, more=tmp_path / "begun"), display)[1]
    assert (display.missing, display.done) == (0, 12), "no process is begun for them"
    assert sorted(again, key=str) == sorted(results, key=str) == sorted(read_results(path / "results.jsonl"), key=str)
    assert len(begun(path)) == 12


def test_workers_end_when_the_study_is_killed(tmp_path):
    def sleep(task):
        (tmp_path / f"pid-{task.run.seed}").write_text(str(os.getpid()))
        time.sleep(60)

    study_of_two = study_from({"objectives": ["grpo"], "seeds": [0, 1]})
    study = in_background(lambda: make_study(tmp_path / "study", sleep, study_of_two))
    files = [tmp_path / "pid-0", tmp_path / "pid-1"]
    wait_for(lambda: all(file.exists() and file.read_text() for file in files))
    os.kill(study, signal.SIGKILL)
    os.waitpid(study, 0)
    wait_for(lambda: not any(alive(int(file.read_text())) for file in files))


def wait_for(condition: Callable[[], bool], longest: float = 20.0) -> None:
    deadline = time.monotonic() + longest
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_run_whose_process_is_killed_begins_again_once(tmp_path):
    def kills_itself(task):
        marks = tmp_path / f"killed-{task.run.seed}"
        with marks.open("a") as file:
            file.write("x")
        if task.run.seed == 1 or len(marks.read_text()) == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return finished(task)

    study = study_from({"objectives": ["grpo"], "seeds": [0, 1]})
    results = sorted(make_study(tmp_path / "study", kills_itself, study), key=lambda one: one.seed)
    assert [one.status for one in results] == [FINISHED, CRASHED]
    assert results[1].message == "Its process was killed 2 times; see log.txt in its folder." and results[1].score == 0


# ---- what becomes of a run ------------------------------------------------------------------------------------------


def test_a_run_that_fails_is_a_row_and_is_made_again_only_on_demand(tmp_path):
    def fails(task):
        print("before it fails")
        if task.run.seed == 0:
            raise ValueError("no\nluck")
        os._exit(3)

    path, study = tmp_path / "study", study_from({"objectives": ["grpo"], "seeds": [0, 1]})
    results = sorted(make_study(path, fails, study), key=lambda one: one.seed)
    assert [one.status for one in results] == [CRASHED] * 2
    assert results[0].message == "ValueError: no luck"
    assert results[1].message == "Its process ended with status 3; see log.txt in its folder."
    log = (path / results[0].folder / "log.txt").read_text()
    assert "before it fails" in log and "ValueError" in log
    assert make_study(path, toy, study)[0].status == CRASHED
    again = make_study(path, toy, study, again=True)
    assert [one.status for one in again] == [FINISHED] * 2 and read_results(path / "results.jsonl") == again


def test_a_study_that_is_stopped_stops_its_runs_in_order_and_they_go_on_later(tmp_path):
    def stops_in_order(task):
        stopped = []
        signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
        (tmp_path / "under way").touch()
        deadline = time.monotonic() + 20
        while not stopped and time.monotonic() < deadline:
            time.sleep(0.005)
        (tmp_path / "in order").touch()

    path, study = tmp_path / "study", study_from({"objectives": ["grpo"]})
    process = in_background(lambda: make_study(path, stops_in_order, study))
    wait_for((tmp_path / "under way").exists)
    os.kill(process, signal.SIGTERM)
    os.waitpid(process, 0)
    assert (tmp_path / "in order").exists() and not (path / "results.jsonl").exists()
    assert make_study(path, toy, study)[0].status == FINISHED


# ---- the folder -----------------------------------------------------------------------------------------------------


def test_more_objectives_seeds_and_cells_are_added_and_run_alone(tmp_path):
    path = tmp_path / "study"
    make_study(path, toy, study_from({"objectives": ["grpo"], "settings": {"learning_rate": [1e-4]}, "seeds": [0]}))
    assert len(make_study(path, toy)) == len(begun(path)) == 12
    fewer = study_from({"objectives": ["pmpo"], "settings": {"learning_rate": [1e-4]}, "seeds": [5]})
    whole, results = run_study(fewer, path, How(toy, 2, FORK, more=tmp_path / "begun"), Quiet())
    assert len(results) == 13 and whole.seeds == (0, 1, 2, 5) and set(whole.objectives) == {"grpo", "pmpo"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"base": {"max_steps": 9}}, "base was made with max_steps = 'its default' and now has 9"),
        ({"objectives": {"grpo": "gmpo"}}, "the objective 'grpo' was made with objective = 'grpo' and now has 'gmpo'"),
        ({"settings": {"beta": [0.0]}}, "settings varied learning_rate and now vary beta"),
        ({"score": "reward"}, "score was 'pass_at_1' and is 'reward'"),
    ],
)
def test_another_study_in_the_folder_is_refused_with_the_difference(tmp_path, change, said):
    make_study(tmp_path / "study", toy, study_from(STUDY))
    with pytest.raises(InputError, match="holds another study") as refused:
        make_study(tmp_path / "study", toy, study_from(STUDY | change))
    assert said in str(refused.value)


def test_two_processes_do_not_run_one_study(tmp_path):
    def second(task):
        with pytest.raises(InputError, match="Another process"):
            make_study(tmp_path / "study", toy)
        return finished(task)

    assert make_study(tmp_path / "study", second, study_from({"objectives": ["grpo"]}))[0].status == FINISHED


def test_a_folder_with_results_of_no_study_is_refused(tmp_path):
    (tmp_path / "results.jsonl").write_text("")
    with pytest.raises(InputError, match="of no study"):
        StudyFolder(tmp_path).begin(study_from(STUDY))


def test_only_what_is_wanted_is_run(tmp_path):
    study, display = study_from(STUDY), Quiet()
    how = How(toy, 2, FORK, more=tmp_path / "begun", before=(tmp_path / "before").touch)
    only = lambda run: run.settings["learning_rate"] == 2e-4  # noqa: E731
    assert len(run_study(study, tmp_path / "study", how, display, only)[1]) == 6 == display.missing
    assert (tmp_path / "before").exists()
    (tmp_path / "before").unlink()
    assert len(run_study(study, tmp_path / "study", how, display, only)[1]) == 6 == display.done
    assert not (tmp_path / "before").exists(), "nothing is prepared where nothing is run"


def test_a_study_that_is_refused_leaves_the_folder_to_the_corrected_one(tmp_path):
    def refuse():
        raise InputError("There is no option 'stduy'.")

    path = tmp_path / "study"
    wrong, right = (study_from({**STUDY, "base": {name: 1}}) for name in ("stduy", "max_steps"))
    how = How(toy, 2, FORK, more=tmp_path / "begun")
    with pytest.raises(InputError, match="stduy"):
        run_study(wrong, path, replace(how, before=refuse), Quiet())
    _, results = run_study(right, path, how, Quiet())
    assert len(results) == len(list(right.runs()))
    settled = (path / "study.yaml").read_text()
    with pytest.raises(InputError, match="stduy"):
        run_study(replace(right, seeds=(7,)), path, replace(how, before=refuse), Quiet())
    assert (path / "study.yaml").read_text() == settled
