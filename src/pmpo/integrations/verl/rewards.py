"""Our graders and rewards as a reward function of verl, in its reward workers or anywhere else.

    reward.custom_reward_function.path=pkg://pmpo.integrations.verl.rewards      (its name is compute_score)

`python -m pmpo.integrations.verl.rewards` prints the path of this file, which works as well. What grades a row stands
in the row, as `pmpo data --format verl` writes it, or in `reward.custom_reward_function.reward_kwargs`. verl calls it
from threads of its own, for one completion at a time; graders run in processes that end with the one that called.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import torch

from pmpo.engine.batch_statistics import weighted_sums
from pmpo.foundation.errors import InputError
from pmpo.grading.grades import STATUSES, UNDECIDED, Grade
from pmpo.grading.mathematics import adviser
from pmpo.rewards.checked import CheckedReward
from pmpo.rewards.graded import GradedReward
from pmpo.rewards.loading import GradingSettings, load_reward
from pmpo.tasks.conversations import as_completion
from pmpo.tasks.layouts import as_mapping
from pmpo.tasks.verl_rows import REWARDS


def compute_score(
    data_source: Any,
    solution_str: str,
    ground_truth: Any,
    extra_info: Any = None,
    *,
    rewards: Sequence[str] | None = None,
    weights: Sequence[float] | None = None,
    task: str | None = None,
    status_rewards: Mapping[str, Any] | None = None,
    grader_options: Mapping[str, Any] | None = None,
    grader_timeout: float = 5.0,
    pass_reward: float = 1.0,
    missing: float = 0.0,
    tokenizer: str | None = None,
    workers: int = 2,
    reward_router_address: Any = None,
    reward_model_tokenizer: Any = None,
) -> dict[str, float]:
    """The reward of a completion, and what it is made of.

    Args:
        data_source, solution_str, ground_truth, extra_info: of the row and the completion, as verl has them.
        rewards: names of reward functions, as `pmpo train --reward` takes them. By default those of the row
            (extra_info), else what its data_source names, a task or a kind of grader.
        weights: of these; all 1 by default.
        task: the run's; its name means its own grader and rules.
        status_rewards, grader_options, grader_timeout: as of `pmpo train`.
        pass_reward: a completion passes when its first reward is at least this.
        missing: what verl gets for a completion without a reward. NaN leaves it out of its group where the advantage is
            one of ours (adv_estimator=pmpo/…), which is what TRL does.
        tokenizer: folder or hub id, for rewards by length.
        workers: processes of each grader, of each of verl's reward workers.
        reward_router_address, reward_model_tokenizer: of verl's reward model; none of ours asks it.
    Returns: "score"; "acc", 1 where it passes; "rewards/<name>" of each function; of a grader "grades/<status>", 1 for
        the completion's own. The same keys for every completion.
    Raises: InputError for a row that names nothing to grade it, and as the reward functions do.
    """
    facts = as_mapping(extra_info)
    names = tuple(rewards or facts.get(REWARDS) or [str(data_source)])
    options = {**(grader_options or {}), "workers": workers}
    functions = _functions(names, task, _frozen(status_rewards or {}), _frozen(options), float(grader_timeout))
    if weights is not None and len(weights) != len(names):
        raise InputError(f"There are {len(weights)} weights for {len(names)} rewards ({', '.join(names)}).")
    columns = _columns(data_source, ground_truth, facts)
    found: list[float | None] = []
    told: dict[str, float] = {}
    for function in functions:
        number, details = _one(function, solution_str, columns, tokenizer)
        found.append(number)
        told |= {f"rewards/{function.__name__}": math.nan if number is None else number} | details
    told["acc"] = float(found[0] is not None and found[0] >= pass_reward)
    total = _total(found, [1.0] * len(names) if weights is None else [float(weight) for weight in weights])
    return {"score": float(missing) if math.isnan(total) else total, **told}


def _total(found: Sequence[float | None], weights: Sequence[float]) -> float:
    """The weighted sum as TRL's, NaN where no function gave a reward."""
    row = torch.tensor([[math.nan if number is None else number for number in found]], dtype=torch.float64)
    return weighted_sums(row, torch.tensor(weights, dtype=torch.float64)).item()


@lru_cache(maxsize=64)
def _functions(
    names: tuple[str, ...], task: str | None, prices: str, options: str, timeout: float
) -> tuple[CheckedReward, ...]:
    settings = GradingSettings(json.loads(prices), json.loads(options), timeout)
    return tuple(load_reward(name, settings, task) for name in names)


def _frozen(mapping: Any) -> str:
    """A mapping, Hydra's too, as a text that can be a key."""
    return json.dumps(_plain(mapping), sort_keys=True)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    return value if isinstance(value, str | int | float | bool) or value is None else [_plain(each) for each in value]


def _columns(data_source: Any, ground_truth: Any, facts: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The row as the columns that reward functions get under TRL, one row long."""
    own = {name: value for name, value in facts.items() if name not in (REWARDS, "prompt")}
    row = {
        **own,
        "answer": ground_truth,
        "data_source": data_source,
        "reward_model": {"ground_truth": ground_truth},
        "extra_info": dict(facts),
    }
    return {"prompts": [facts.get("prompt")], **{name: [value] for name, value in row.items()}}


def _one(
    function: CheckedReward, text: str, columns: dict[str, list[Any]], tokenizer: str | None
) -> tuple[float | None, dict[str, float]]:
    """The reward of one function, and the numbers beside it."""
    if isinstance(function.function, GradedReward):
        grade, number = _graded(function.function, text, columns)
        return number, _shares(function.function, grade)
    told: dict[str, float] = {}
    arguments = dict(columns)
    prompts = arguments.pop("prompts")
    if tokenizer is not None:
        arguments["completion_ids"] = [_tokenizer(tokenizer)(text)["input_ids"]]
    (number,) = function.once(
        prompts=prompts,
        completions=[as_completion(text, prompts[0])],
        log_metric=lambda name, value: told.update({name: float(value)}),
        log_extra=lambda column, values: None,
        trainer_state=None,
        **arguments,
    )
    return number, told


def _graded(reward: GradedReward, text: str, columns: dict[str, list[Any]]) -> tuple[Grade, float | None]:
    """Under TRL the other completions of a batch show whether a grader that was cut short works at all. Here one
    completion comes alone, so an empty one stands beside it."""
    answers = columns[reward.column]
    grades, rewards = reward.graded([text], **{reward.column: answers})
    if grades[0].status in UNDECIDED:
        grades, rewards = reward.graded([text, ""], **{reward.column: answers * 2})
    return grades[0], rewards[0]


def _shares(reward: GradedReward, grade: Grade) -> dict[str, float]:
    shares = {f"grades/{status}": float(grade.status == status) for status in STATUSES}
    if reward.grader.kind == "math":
        shares["grades/disputed"] = float(adviser.count([grade]))
    return shares


@lru_cache(maxsize=2)
def _tokenizer(location: str) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(location)


if __name__ == "__main__":
    print(__file__)
