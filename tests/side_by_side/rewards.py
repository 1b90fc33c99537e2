"""Reward functions, reward models and what they log."""

import asyncio
import functools
from pathlib import Path
from typing import Any

import torch

from side_by_side.case import Case, Script
from side_by_side.parts import chat_model, chat_tokenizer, message_reward, questions, reward_model, saved
from tiny import digit_reward, tiny_tokenizer


def _reward(name: str, source: str, reward: Any, *, quick: bool = False, **args: Any) -> Case:
    return Case(name, source, lambda folder: Script(args, reward=reward), quick=quick)


async def _async(completions: Any, **kwargs: Any) -> list[float]:
    await asyncio.sleep(0.001)
    return digit_reward(completions)


def _length(completions: Any, **kwargs: Any) -> list[float]:
    return [len(text) / 20.0 for text in completions]


def _every_other(completions: Any, **kwargs: Any) -> list[float | None]:
    return [value if i % 2 else None for i, value in enumerate(digit_reward(completions))]


def _none(completions: Any, **kwargs: Any) -> list[None]:
    return [None] * len(completions)


def _nan(completions: Any, **kwargs: Any) -> list[float]:
    return [float("nan") if i == 0 else value for i, value in enumerate(digit_reward(completions))]


def _tensor(completions: Any, **kwargs: Any) -> torch.Tensor:
    return torch.tensor(digit_reward(completions))


def _booleans(completions: Any, **kwargs: Any) -> list[bool]:
    return [sum(c.isdigit() for c in text) > 2 for text in completions]


def _equal(completions: Any, **kwargs: Any) -> list[float]:
    return [0.7] * len(completions)


def _relative(completions: Any, **kwargs: Any) -> list[float]:
    longest = max(1, max(map(len, completions)))
    return [
        value - 0.5 * len(text) / longest for value, text in zip(digit_reward(completions), completions, strict=True)
    ]


def _state(completions: Any, trainer_state: Any, **kwargs: Any) -> list[float]:
    return [value * (1 + trainer_state.global_step) for value in digit_reward(completions)]


def _ids(completions: Any, completion_ids: Any, prompts: Any, **kwargs: Any) -> list[float]:
    return [len(ids) / 10 + len(p) / 100 for ids, p in zip(completion_ids, prompts, strict=True)]


def _logging(completions: Any, log_extra: Any, log_metric: Any, **kwargs: Any) -> list[float]:
    values = digit_reward(completions)
    log_extra("digits", values)
    log_metric("digits_mean", sum(values) / len(values))
    return values


def _no_keywords(prompts: Any, completions: Any, completion_ids: Any, **_: Any) -> list[float]:
    return digit_reward(completions)


class _Scorer:
    """A reward that is an object, without a name of its own."""

    def __call__(self, completions: Any, **kwargs: Any) -> list[float]:
        return digit_reward(completions)


def _scaled(completions: Any, factor: float, **kwargs: Any) -> list[float]:
    return [factor * value for value in digit_reward(completions)]


def _log_check(trainer: Any) -> None:
    assert any("digits_mean" in row for row in trainer.state.log_history), "the metric was not logged"


def _logs_more(folder: Path) -> Script:
    return Script({"log_completions": True}, reward=_logging, check=_log_check)


def _reward_model(folder: Path) -> Script:
    return Script(reward=reward_model(), more={"reward_processing_classes": tiny_tokenizer()})


def _reward_path(folder: Path) -> Script:
    return Script(reward=saved(folder, reward_model()))


def _mixed(folder: Path) -> Script:
    return Script(reward=[saved(folder, reward_model()), digit_reward, _async])


def _chat_reward_model(folder: Path) -> Script:
    tokenizer = chat_tokenizer()
    reward = [reward_model(len(tokenizer)), message_reward]
    more = {"reward_processing_classes": [tokenizer, None]}
    return Script({}, chat_model(), reward, questions(), chat_tokenizer(), more)


def _too_many_classes(folder: Path) -> Script:
    return Script(more={"reward_processing_classes": [tiny_tokenizer(), tiny_tokenizer()]})


CASES = [
    _reward("async reward", "tests: test_train_sync_and_async_reward_funcs", _async, quick=True),
    _reward("sync and async rewards", "tests: test_train_sync_and_async_reward_funcs", [digit_reward, _async]),
    _reward("two rewards", "tests: test_train_multiple_reward_funcs", [digit_reward, _length]),
    _reward("two rewards with weights", "tests: test_train_multiple_reward_funcs_with_weights",
            [digit_reward, _length], reward_weights=[0.7, 0.3]),
    _reward("a weight of 0", "-", [digit_reward, _length], reward_weights=[1.0, 0.0]),
    _reward("as many weights as there are not rewards", "-", [digit_reward, _length], reward_weights=[1.0]),
    _reward("None where a reward does not apply", "tests: test_train_multiple_reward_funcs_with_None_output",
            [_every_other, _length]),
    _reward("None for half of the completions", "-", _every_other),
    Case("None for all completions", "tests: test_warning_raised_all_rewards_none",
         lambda folder: Script(reward=_none, still=True)),
    _reward("a NaN among the rewards", "-", _nan),
    _reward("a tensor of rewards", "-", _tensor),
    _reward("booleans as rewards", "docs: rewards.md", _booleans),
    Case("all rewards equal", "-", lambda folder: Script(reward=_equal, still=True)),
    _reward("a reward relative to its batch", "-", _relative),
    _reward("trainer_state in the reward", "tests: test_train_with_reward_func_accessing_trainer_state", _state),
    _reward("prompts and completion_ids in the reward", "docs: grpo_trainer.md", _ids),
    _reward("positional names alone", "docs: grpo_trainer.md", _no_keywords),
    _reward("functools.partial as a reward", "-", functools.partial(_scaled, factor=2.0)),
    _reward("a lambda as a reward", "-", lambda completions, **kwargs: digit_reward(completions)),
    _reward("an object as a reward", "-", _Scorer()),
    Case("log_extra and log_metric", "tests: test_train_reward_func_with_log_extra", _logs_more, quick=True),
    Case("a reward model", "tests: test_single_reward_model_with_single_processing_class", _reward_model),
    Case("a reward model by its path", "tests: test_train_different_reward_model", _reward_path),
    Case("a model, a function and a coroutine", "tests: test_train_multiple_mixed_reward_funcs", _mixed),
    Case("a reward model and a function on messages", "tests: test_correct_reward_processing_classes_list",
         _chat_reward_model),
    Case("too many processing classes", "tests: test_mismatched_reward_processing_classes_length", _too_many_classes),
    Case("no reward at all", "tests: test_no_reward_source_raises", lambda folder: Script(reward=None)),
]  # fmt: skip
