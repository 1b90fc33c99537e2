"""The check around every reward function, and the tolerance of single failures."""

import asyncio
import math
import threading
import time

import pytest

from pmpo.tasks.checked_reward import CheckedReward, try_reward
from pmpo.tasks.errors import InputError
from pmpo.tasks.tolerant_reward import TolerantCoroutine, TolerantReward

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
    with pytest.warns(
        UserWarning, match=r"1 of 4 .*, the first in row 2 of the batch, completion 'bad': .*ZeroDivision"
    ):
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
    with pytest.raises(InputError, match=r"1 of 2 completions, more than .*=0, first for row 0, completion 'bad'"):
        call(tolerant(0.0), ["bad", "a"])


# ---- timeouts -------------------------------------------------------------------------------------------------------

HANG = 30.0  # far longer than any test waits; the threads are daemons


def hanging(texts_that_hang, calls):
    def slow(completions, **columns):
        calls.append(list(completions))
        if set(completions) & texts_that_hang:
            time.sleep(HANG)
        return [1.0] * len(completions)

    return slow


def limited(function, max_failed=0.5, timeout=0.05):
    return TolerantReward(CheckedReward(function, "mine:slow"), max_failed, timeout)


def test_a_call_that_hangs_costs_one_completion_its_reward_and_is_counted_and_told():
    calls = []
    function = limited(hanging({"bad"}, calls))
    with pytest.warns(
        UserWarning, match=r"1 of 4 .* row 2 .*, completion 'bad': .*mine:slow gave no answer for 1 comp"
    ):
        rewards, logged = call(function, ["a", "b", "bad", "c"])
    assert rewards == [1.0, 1.0, None, 1.0]
    assert logged == {"reward_failures/slow": 1.0, "reward_timeouts/slow": 1.0} and function.failures == 1
    assert calls == [["a", "b", "bad", "c"], ["a"], ["b"], ["bad"], ["c"]]


def test_too_many_that_hang_stop_the_run_without_waiting_for_all_of_them():
    calls = []
    texts = [f"bad{i}" for i in range(100)]
    with pytest.raises(
        InputError, match=r"slow gave no answer for 100 completions within reward_timeout=0.05 seconds.*'bad0'"
    ):
        call(limited(hanging(set(texts), calls), max_failed=0.02), texts)
    assert calls == [texts, ["bad0"], ["bad1"], ["bad2"]]


def test_all_single_calls_together_have_a_deadline():
    """Each is just fast enough alone; (2 + failures allowed) timeouts are over before the last of them."""

    def slow(completions, **columns):
        time.sleep(0.2 if len(completions) > 1 else 0.04)
        return [1.0] * len(completions)

    calls = [str(i) for i in range(100)]
    with pytest.raises(InputError, match="more than the share max_failed_rewards=0"):
        call(limited(slow, max_failed=0.0), calls)


def test_a_limited_function_works_off_the_main_thread_and_raises_its_own_errors():
    function = limited(fragile, timeout=HANG)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(call(function, ["a", "bad", "b"])))
    with pytest.warns(UserWarning, match="ZeroDivisionError"):
        thread.start()
        thread.join()
    assert answers[0][0] == [1.0, None, 1.0] and answers[0][1]["reward_timeouts/fragile"] == 0.0


def test_what_a_failed_batch_has_logged_is_dropped_and_a_good_one_logs_once():
    def chatty(completions, log_extra, log_metric, **columns):
        log_extra("length", [len(text) for text in completions])
        log_metric("calls", 1.0)
        return [1 / (text != "bad") for text in completions]

    seen = []

    def give(texts):
        seen.clear()
        function(prompts=texts, completions=texts, log_extra=lambda *a: seen.append(a), log_metric=lambda *a: None)
        return list(seen)

    function = TolerantReward(CheckedReward(chatty, "chatty"), 1.0)
    assert give(["a", "bb"]) == [("length", [1, 2])]
    with pytest.warns(UserWarning, match="ZeroDivisionError"):
        assert give(["a", "bad"]) == []


def test_a_reward_that_hangs_when_it_is_tried_is_a_sentence():
    with pytest.raises(InputError, match=r"mine:slow gave no answer within 0.05 seconds for 2 completions"):
        try_reward(CheckedReward(lambda **columns: time.sleep(HANG), "mine:slow"), ROWS, timeout=0.05)


async def patient(completions, **columns):
    if "raises" in completions:
        raise ConnectionError("reset by peer")
    if "bad" in completions:
        await asyncio.sleep(HANG)
    return [1.0] * len(completions)


def test_a_coroutine_is_cancelled_at_its_deadline_and_costs_one_completion():
    function = TolerantCoroutine(CheckedReward(patient, "mine:patient"), 0.5, timeout=0.05)
    logged = {}
    texts = ["a", "bad", "raises", "c"]
    with pytest.warns(UserWarning, match=r"no answer for 1 completion |reset by peer"):
        rewards = asyncio.run(function(prompts=texts, completions=texts, log_metric=logged.__setitem__))
    assert rewards == [1.0, None, None, 1.0]
    assert logged == {"reward_failures/patient": 2.0, "reward_timeouts/patient": 1.0}
    with pytest.raises(InputError, match=r"failed for 1 of 1 completions"):
        asyncio.run(function(prompts=["bad"], completions=["bad"]))
