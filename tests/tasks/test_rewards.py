"""Rewards: math-verify in killable workers, and the check around every reward function."""

import math
import os
import threading
from pathlib import Path

import pytest

from pmpo.tasks import math_verify_worker
from pmpo.tasks.errors import InputError
from pmpo.tasks.rewards import CheckedReward, MathVerifyReward, load_reward, math_verify_reward, try_reward
from pmpo.tasks.worker_pool import WorkerPool

WORKER = Path(math_verify_worker.__file__)
ENDLESS = "\\boxed{9^{9^{9^{9}}}}"


@pytest.mark.parametrize(
    ("answer", "completion", "reward"),
    [
        ("18", "so it is \\boxed{18}.", 1.0),
        ("18", "so it is \\boxed{19}.", 0.0),
        ("18", "no idea", 0.0),
        (18, "The answer is 18", 1.0),
        (142.0, "\\boxed{142}", 1.0),
        ("025", "\\boxed{25}", 1.0),
        ("$\\frac{1}{2n+2}$", "\\boxed{\\frac{1}{2n+2}}", 1.0),
        ("\\frac{1}{2}", "\\boxed{0.5}", 1.0),
        (["9.6\n"], "\\boxed{9.6}", 1.0),
        (["7e37"], "\\boxed{7 \\times 10^{37}}", 1.0),
        ("3", "<think> 4 </think> <answer> 3 </answer> 5", 1.0),
        ("", "\\boxed{1}", None),
    ],
)
def test_grades(answer, completion, reward):
    assert math_verify_reward()(completions=[completion], answer=[answer]) == [reward]


def is_running(pid):
    try:
        os.kill(pid, 0)  # also finds a zombie, which a killed worker must not become
    except ProcessLookupError:
        return False
    return True


def test_an_endless_completion_is_no_reward_and_its_worker_is_gone():
    pool = WorkerPool(WORKER, size=1)
    reward = MathVerifyReward(limit=1.0, pool=pool)
    assert reward(completions=["\\boxed{3}"], answer=["3"]) == [1.0]
    (first,) = pool.process_ids()
    shares = {}
    graded = reward(completions=[ENDLESS, "\\boxed{3}"], answer=["3", "3"], log_metric=shares.__setitem__)
    assert graded == [None, 1.0]
    assert shares == {"math_verify/timeout": 0.5, "math_verify/crashed": 0.0, "math_verify/error": 0.0}
    (second,) = pool.process_ids()
    assert not is_running(first) and is_running(second)
    pool.close()
    assert not is_running(second) and pool.process_ids() == []
    assert reward(completions=["\\boxed{3}"], answer=["3"]) == [1.0]  # a closed pool starts again
    pool.close()


def test_a_worker_that_died_between_requests_is_replaced():
    pool = WorkerPool(WORKER, size=1)
    reward = MathVerifyReward(limit=5.0, pool=pool)
    reward(completions=["1"], answer=["1"])
    os.kill(pool.process_ids()[0], 9)
    assert reward(completions=["1", "1"], answer=["1", "1"])[1] == 1.0
    pool.close()


def test_grades_from_another_thread_in_the_order_of_the_completions():
    completions = [f"\\boxed{{{i}}}" for i in range(20)]
    out = []
    thread = threading.Thread(
        target=lambda: out.extend(math_verify_reward()(completions=completions, answer=[str(i % 3) for i in range(20)]))
    )
    thread.start()
    thread.join()
    assert out == [float(i == i % 3) for i in range(20)]


def test_a_program_that_does_not_start_says_so(tmp_path):
    program = tmp_path / "broken.py"
    program.write_text("import no_such_package_at_all")
    with pytest.raises(RuntimeError, match=r"The worker broken\.py did not start"):
        WorkerPool(program, size=1).ask({}, 1.0)


ROWS = [{"prompt": "1+1=", "answer": "2"}, {"prompt": "2+2=", "answer": "4"}]


def complaint(function):
    with pytest.raises(InputError) as caught:
        try_reward(CheckedReward(function, "mine:reward"), ROWS)
    return str(caught.value)


def test_reward_that_raises_names_function_row_and_completion():
    def reward(completions, answer, **columns):
        return [1 / (a != "4") for a in answer]

    message = complaint(reward)
    assert message.startswith("The reward function mine:reward raised ZeroDivisionError: division by zero for row 1, ")
    assert "completion 'I think the answer is" in message and "(in test_rewards.py, line" in message


def test_reward_that_asks_for_a_column_that_is_not_there_learns_which_are():
    def reward(completions, solution, **columns):
        return [0.0] * len(completions)

    message = complaint(reward)
    assert "missing 1 required positional argument: 'solution'" in message
    assert "The columns it may use are prompts, completions, answer" in message


def test_reward_that_returns_none():
    assert "mine:reward returned None for 2 completions; return a list" in complaint(lambda **columns: None)


@pytest.mark.parametrize(("value", "shown"), [(math.nan, "nan"), (math.inf, "inf"), ("1", "'1'"), ([1.0], "[1.0]")])
def test_reward_that_is_no_finite_number(value, shown):
    message = complaint(lambda **columns: [1.0, value])
    assert f"returned {shown} (" in message and "for row 1, completion 'I think" in message


def test_rewards_of_the_wrong_length_or_no_list():
    assert "returned 1 rewards for 2 completions; return exactly one" in complaint(lambda **columns: [1.0])
    assert "returned 0.5, a float; return a list" in complaint(lambda **columns: 0.5)


def test_what_a_reward_may_return():
    torch = pytest.importorskip("torch")
    for values in ([True, None], (1, None), [torch.tensor(1.0), None]):
        checked = CheckedReward(lambda values=values, **columns: values, "f")
        assert checked(prompts=["a", "b"], completions=["x", "y"]) == [1.0, None]
    checked = CheckedReward(lambda **columns: torch.tensor([0.5, 0.0]), "f")
    assert checked(prompts=["a", "b"], completions=["x", "y"]) == [0.5, 0.0]

    async def later(completions, **columns):
        return [2.0] * len(completions)

    assert CheckedReward(later, "f")(prompts=["a"], completions=["x"]) == [2.0]


def test_functions_of_the_user_by_file_and_by_module(tmp_path, monkeypatch):
    (tmp_path / "my_own_rewards.py").write_text(
        "def length(completions, **columns):\n    return [len(c) for c in completions]\n"
    )
    by_file = load_reward(f"{tmp_path}/my_own_rewards.py:length")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    by_module = load_reward("my_own_rewards:length")
    assert by_file(prompts=["p"], completions=["abc"]) == by_module(prompts=["p"], completions=["abc"]) == [3.0]
    assert by_file.__name__ == "length"  # its name in the metrics
    with pytest.raises(InputError, match=r"has no function 'lenght'. Did you mean 'length'"):
        load_reward("my_own_rewards:lenght")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("math_verfy", "is no reward function; write math_verify, sums, .* Did you mean 'math_verify'"),
        ("no_such_module_here:f", "The module 'no_such_module_here' could not be imported: ModuleNotFoundError"),
        ("no/such/file.py:f", "There is no file no/such/file.py"),
        ("math:pi", "math:pi is a float, not a function"),
    ],
)
def test_names_that_lead_nowhere(name, message):
    with pytest.raises(InputError, match=message):
        load_reward(name)
