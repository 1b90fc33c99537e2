"""A reward function whose failures cost single completions their reward, not the run."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from pmpo.tasks.checked_reward import CheckedReward
from pmpo.tasks.errors import InputError


class TolerantReward:
    """Gives None, "no reward", for every completion that a checked reward function fails on, and counts them.

    The function is called with the whole batch; only when that fails, with each completion alone, to find which ones it
    fails on. The count is logged as `reward_failures/<name>`, and the first failure of every kind is told once.

    Args:
        checked: the function; what it holds to be a failure is said there.
        max_failed: share of a batch, 0..1, above which the failure is raised instead.
    Raises: InputError naming the function, the row and the completion, above that share.
    """

    def __init__(self, checked: CheckedReward, max_failed: float) -> None:
        self.checked, self.max_failed = checked, max_failed
        self.__name__ = checked.__name__
        self.failures = 0
        self._told: set[str] = set()

    def __call__(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        log_metric: Callable[[str, float], None] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        """The rewards, in the order of the completions."""
        logged = {} if log_metric is None else {"log_metric": log_metric}
        failed: dict[int, InputError] = {}
        try:
            rewards = self.checked(prompts=prompts, completions=completions, **logged, **columns)
        except InputError as error:
            rewards, failed = self._one_by_one(prompts, completions, columns)
            if len(failed) > self.max_failed * len(completions):
                raise InputError(
                    f"{error} It failed for {len(failed)} of {len(completions)} completions, more than the share "
                    f"max_failed_rewards={self.max_failed:g}."
                ) from error
            self._tell(failed, len(completions))
        self.failures += len(failed)
        if log_metric is not None:
            log_metric(f"reward_failures/{self.__name__}", float(len(failed)))
        return rewards

    def _one_by_one(
        self, prompts: Sequence[Any], completions: Sequence[Any], columns: dict[str, Any]
    ) -> tuple[list[float | None], dict[int, InputError]]:
        count = len(completions)
        rewards: list[float | None] = [None] * count
        failed: dict[int, InputError] = {}
        for row in range(count):
            own = {k: [v[row]] if isinstance(v, list) and len(v) == count else v for k, v in columns.items()}
            try:
                rewards[row] = self.checked(prompts=[prompts[row]], completions=[completions[row]], **own)[0]
            except InputError as error:
                failed[row] = error
        return rewards, failed

    def _tell(self, failed: dict[int, InputError], count: int) -> None:
        for row, error in failed.items():
            kind = type(error.__cause__).__name__
            if kind not in self._told:
                self._told.add(kind)
                # Called alone, the completion is row 0 of its call; what it was in the batch is told here.
                warnings.warn(
                    f"No reward for {len(failed)} of {count} completions, the first in row {row} of the batch: {error}",
                    stacklevel=3,
                )
