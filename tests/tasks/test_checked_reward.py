"""The check around every reward function, and the tolerance of single failures."""

import math

import pytest

from pmpo.tasks.checked_reward import CheckedReward, try_reward
from pmpo.tasks.errors import InputError
from pmpo.tasks.tolerant_reward import TolerantReward

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
    assert "completion 'I think the answer is" in message and "(in test_checked_reward.py, line" in message


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


# ---- tolerance ------------------------------------------------------------------------------------------------------


def fragile(completions, answer, **columns):
    return [1 / (text != "bad") if text != "nonsense" else math.inf for text in completions]


def tolerant(max_failed=0.5):
    return TolerantReward(CheckedReward(fragile, "mine:fragile"), max_failed)


def call(function, texts):
    logged = {}
    rewards = function(
        prompts=texts, completions=texts, answer=["1"] * len(texts), log_metric=logged.__setitem__, trainer_state=None
    )
    return rewards, logged


def test_one_failure_costs_one_completion_its_reward_and_is_counted_and_told():
    function = tolerant()
    with pytest.warns(UserWarning, match=r"1 of 4 completions, the first in row 2 of the batch: .*ZeroDivisionError"):
        rewards, logged = call(function, ["a", "b", "bad", "c"])
    assert rewards == [1.0, 1.0, None, 1.0] and logged == {"reward_failures/fragile": 1.0}
    assert function.failures == 1 and function.__name__ == "fragile"


def test_nonsense_is_a_failure_and_every_kind_is_told_once(recwarn):
    function = tolerant()
    for _ in range(2):
        rewards, logged = call(function, ["a", "nonsense", "bad", "c"])
    assert rewards == [1.0, None, None, 1.0] and logged == {"reward_failures/fragile": 2.0}
    assert len(recwarn) == 2 and function.failures == 4


def test_without_failures_nothing_changes():
    assert call(tolerant(), ["a", "b"]) == ([1.0, 1.0], {"reward_failures/fragile": 0.0})


def test_more_failures_than_allowed_stop_the_run():
    with pytest.raises(InputError, match=r"mine:fragile raised .* It failed for 2 of 3 completions, more than .*=0.5"):
        call(tolerant(), ["bad", "a", "bad"])
    with pytest.raises(InputError, match="1 of 2 completions, more than the share max_failed_rewards=0"):
        call(tolerant(0.0), ["bad", "a"])
