"""Our graders as verl's compute_score: what grades a row, what it is worth, and what is told beside it."""

import inspect
import math
import runpy
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pmpo.foundation.errors import InputError
from pmpo.grading.grades import STATUSES
from pmpo.integrations.verl import rewards
from pmpo.integrations.verl.rewards import compute_score
from pmpo.rewards.loading import GradingSettings, load_reward

HOSTILE = "it is \\boxed{9^{9^{9^9}}}"


def score(text, gold="18", source="math", extra=None, **keywords):
    return compute_score(data_source=source, solution_str=text, ground_truth=gold, extra_info=extra, **keywords)


def test_a_row_is_graded_by_what_its_source_names():
    right, wrong = score("so \\boxed{18}"), score("so \\boxed{19}")
    assert (right["score"], right["acc"], right["grades/correct"]) == (1.0, 1.0, 1.0)
    assert (wrong["score"], wrong["acc"], wrong["grades/wrong"]) == (0.0, 0.0, 1.0)
    assert score("37+58=95,95+91=186", "186", "sums")["score"] == 1.0
    with pytest.raises(InputError, match="'openai/gsm8k' is no reward function"):
        score("18", source="openai/gsm8k")


def test_the_row_and_then_the_configuration_say_otherwise():
    extra = {"rewards": ["math"]}
    assert score("\\boxed{18}", source="openai/gsm8k", extra=extra)["score"] == 1.0
    assert score("\\boxed{18}", source="openai/gsm8k", extra=extra, rewards=["sums"])["score"] == 0.0


def test_the_keys_are_the_same_for_every_completion():
    found = [score(text) for text in ("\\boxed{18}", "\\boxed{19}", "nothing", HOSTILE, "")]
    assert len({tuple(one) for one in found}) == 1
    assert all(sum(one[f"grades/{status}"] for status in STATUSES) == 1.0 for one in found)
    assert all(isinstance(value, float) for one in found for value in one.values())


def test_several_rewards_are_weighed_as_under_trl():
    text = "<think>a</think><answer>\\boxed{18}</answer>"
    found = score(text, rewards=["math", "think_format"], weights=[1.0, 0.25], pass_reward=1.0)
    assert found["score"] == 1.25 and found["rewards/think_format"] == 1.0 and found["acc"] == 1.0
    found = score("<think>a</think><answer>\\boxed{1}</answer>", rewards=["math", "think_format"], weights=[1.0, 0.25])
    assert (found["score"], found["acc"]) == (0.25, 0.0)
    with pytest.raises(InputError, match="There are 1 weights for 2 rewards"):
        score(text, rewards=["math", "think_format"], weights=[1.0])


def test_prices_and_rules_are_those_of_the_run():
    assert score("no answer here", status_rewards={"no_answer": -0.5})["score"] == -0.5
    assert score("\\boxed{18\\%}", "18", grader_options={"percent": "optional"})["score"] == 1.0
    assert score("\\boxed{18\\%}", "18")["score"] == 0.0


def test_a_completion_without_a_reward_is_what_the_configuration_says(tmp_path):
    (tmp_path / "mine.py").write_text("def none(completions, **columns): return [None] * len(completions)")
    names = [f"{tmp_path}/mine.py:none"]
    assert score("x", rewards=names)["score"] == 0.0
    assert math.isnan(score("x", rewards=names, missing=math.nan)["score"])
    found = score("\\boxed{18}", rewards=[*names, "math"], missing=math.nan)
    assert found["score"] == 1.0 and math.isnan(found["rewards/none"]) and found["acc"] == 0.0


def test_hostile_text_alone_costs_what_it_costs_in_a_batch(tmp_path):
    (tmp_path / "slow.py").write_text(
        "import time\n"
        "from pmpo.grading.grades import Grade\n"
        "def check_gold(gold, options): return None\n"
        "def grade(gold, completion, options):\n"
        "    time.sleep(30 if 'slow' in completion else 0)\n"
        "    return Grade('correct' if completion == gold else 'wrong', 'told')\n"
    )
    name = f"{tmp_path}/slow.py"
    reward = load_reward(name, GradingSettings(timeout=1.0))
    assert reward(prompts=["", ""], completions=["slow", "18"], answer=["18"] * 2) == [0.0, 1.0]
    found = score("slow", rewards=[name], grader_timeout=1.0, missing=math.nan)
    assert found["score"] == 0.0 and found["grades/timeout"] == 1.0


def test_columns_prompts_and_lengths_reach_rewards_as_under_trl(tmp_path):
    code = """
def texts(prompts, completions, answer, level, **columns):
    return [float(row == ("1+1=", "2", "2", "easy")) for row in zip(prompts, completions, answer, level)]
def messages(prompts, completions, **columns):
    return [float(c == [{"role": "assistant", "content": "2"}]) for c in completions]
async def later(completions, completion_ids, log_metric, **columns):
    log_metric("mine", 3)
    return [float(len(ids)) for ids in completion_ids]
def compute_score(data_source, solution_str, ground_truth, extra_info):
    return float(data_source == "s" and ground_truth == "2" and extra_info["level"] == "easy")
"""
    (tmp_path / "own.py").write_text(code)
    names = [f"{tmp_path}/own.py:{name}" for name in ("texts", "messages", "later", "compute_score")]
    extra = {"level": "easy", "prompt": "1+1="}
    assert score("2", "2", "s", extra, rewards=names[:1])["score"] == 1.0
    assert score("2", "2", "s", extra, rewards=names[3:])["score"] == 1.0
    talk = {"prompt": [{"role": "user", "content": "1+1="}]}
    assert score("2", "2", "s", talk, rewards=names[1:2])["score"] == 1.0
    from tiny import tiny_tokenizer

    tiny_tokenizer().save_pretrained(tmp_path / "t")
    found = score("22", "2", "s", extra, rewards=names[2:3], tokenizer=str(tmp_path / "t"))
    assert found["score"] == len(tiny_tokenizer()("22")["input_ids"]) and found["mine"] == 3.0


def test_the_file_itself_can_be_given_to_verl():
    command = [sys.executable, "-m", "pmpo.integrations.verl.rewards"]
    where = subprocess.run(command, capture_output=True, text=True, check=True)
    assert Path(where.stdout.strip()) == Path(rewards.__file__)
    loaded = runpy.run_path(where.stdout.strip())
    assert loaded["compute_score"](data_source="math", solution_str="\\boxed{2}", ground_truth="2")["score"] == 1.0
    assert list(inspect.signature(compute_score).parameters)[:4] == [
        "data_source", "solution_str", "ground_truth", "extra_info",
    ]  # fmt: skip


def test_many_threads_at_once_share_the_workers():
    from concurrent.futures import ThreadPoolExecutor

    started = time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda n: score(f"\\boxed{{{n}}}", str(n % 7)), range(40)))
    assert [one["score"] for one in found] == [float(n == n % 7) for n in range(40)]
    assert time.monotonic() - started < 60
