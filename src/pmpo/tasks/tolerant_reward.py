"""Reward functions whose failures cost single completions their reward, not the run."""

import asyncio
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from pmpo.tasks.checked_reward import CheckedReward, short
from pmpo.tasks.errors import InputError
from pmpo.tasks.time_limit import DeadlineError, call_within

_LOGGERS = ("log_extra", "log_metric")


class Tolerance:
    """What becomes of the completions that a reward function fails on.

    Args:
        checked: the function; what it holds to be a failure is said there.
        max_failed: share of a batch, 0..1, above which the failure is raised instead.
        timeout: seconds that one call may take; None is for ever.
    """

    def __init__(self, checked: CheckedReward, max_failed: float, timeout: float | None = None) -> None:
        self.checked, self.max_failed, self.timeout = checked, max_failed, timeout
        self.__name__ = checked.__name__
        self.failures = 0
        self._told: set[str] = set()

    def _late(self, count: int) -> InputError:
        return InputError(
            f"The reward function {self.checked.name} gave no answer for {count} "
            f"completion{'' if count == 1 else 's'} within reward_timeout={self.timeout:g} seconds."
        )

    def _allowed(self, count: int) -> int:
        return int(self.max_failed * count)

    def _settle(self, batch: InputError, failed: dict[int, InputError], completions: Sequence[Any]) -> None:
        """Tell of the failures, or end the run when they are too many."""
        count = len(completions)
        if len(failed) > self._allowed(count):
            row = min(failed)
            raise InputError(
                f"{batch} It failed for {len(failed)} of {count} completions, more than the share "
                f"max_failed_rewards={self.max_failed:g}, first for row {row}, completion {short(completions[row])}: "
                f"{failed[row]}"
            ) from batch
        self.failures += len(failed)
        for row, error in failed.items():
            kind = type(error.__cause__).__name__
            if kind not in self._told:
                self._told.add(kind)
                warnings.warn(
                    f"No reward for {len(failed)} of {count} completions, the first in row {row} of the batch, "
                    f"completion {short(completions[row])}: {error}",
                    stacklevel=4,
                )

    def _count(self, failed: dict[int, InputError], log_metric: Callable[[str, float], None] | None) -> None:
        if log_metric is None:
            return
        log_metric(f"reward_failures/{self.__name__}", float(len(failed)))
        if self.timeout is not None:
            late = sum(isinstance(error.__cause__, DeadlineError) for error in failed.values())
            log_metric(f"reward_timeouts/{self.__name__}", float(late))


class TolerantReward(Tolerance):
    """Gives None, "no reward", for every completion that a checked reward function fails on, and counts them.

    The function is called with the whole batch; only when that fails, with each completion alone, one after the other,
    to find which ones it fails on. What the function logs itself is dropped for such a batch. The counts are logged as
    `reward_failures/<name>` and, with a timeout, `reward_timeouts/<name>`; the first failure of every kind is told.

    With a timeout the function runs in a thread (see `time_limit` for what that cannot do), and one batch takes at most
    (3 + failures allowed) × timeout: one for the whole batch, one for every completion that may fail and the one that
    is too many, one for all the others together.

    Raises: InputError naming the function, the row and the completion, above the share `max_failed`.
    """

    def __call__(self, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
        """The rewards, in the order of the completions."""
        loggers = {name: columns.pop(name) for name in _LOGGERS if columns.get(name) is not None}
        kept: list[tuple[str, tuple[Any, ...]]] = []
        keepers = {name: _keeper(name, kept) for name in loggers}
        failed: dict[int, InputError] = {}
        try:
            rewards = self._once(self.timeout, prompts=prompts, completions=completions, **columns, **keepers)
        except InputError as error:
            rewards, failed = self._one_by_one(prompts, completions, {**columns, **{n: _drop for n in loggers}})
            self._settle(error, failed, completions)
        else:
            for name, arguments in list(kept):
                loggers[name](*arguments)
        self._count(failed, loggers.get("log_metric"))
        return rewards

    def _once(self, seconds: float | None, **arguments: Any) -> list[float | None]:
        try:
            return call_within(seconds, lambda: self.checked.once(**arguments))
        except DeadlineError as error:
            raise self._late(len(arguments["completions"])) from error

    def _one_by_one(
        self, prompts: Sequence[Any], completions: Sequence[Any], columns: dict[str, Any]
    ) -> tuple[list[float | None], dict[int, InputError]]:
        """Stops at the first failure too many, once there was a timeout: the wait must end."""
        count, timeout = len(completions), self.timeout
        rewards: list[float | None] = [None] * count
        failed: dict[int, InputError] = {}
        ends = None if timeout is None else time.monotonic() + timeout * (2 + self._allowed(count))
        for row in range(count):
            left = None if timeout is None or ends is None else min(timeout, ends - time.monotonic())
            try:
                if left is not None and left <= 0.0:
                    raise self._late(1) from DeadlineError()
                rewards[row] = self._once(left, **_row(row, prompts, completions, columns))[0]
            except InputError as error:
                failed[row] = error
                if left is not None and len(failed) > self._allowed(count):
                    break
        return rewards, failed


class TolerantCoroutine(Tolerance):
    """As `TolerantReward` for `async def` functions; awaited in the trainer's event loop, where a timeout does cancel.

    When the whole batch fails, all completions are awaited at the same time, each alone: at most 2 × timeout in all.
    """

    async def __call__(self, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
        """The rewards, in the order of the completions."""
        loggers = {name: columns.pop(name) for name in _LOGGERS if columns.get(name) is not None}
        kept: list[tuple[str, tuple[Any, ...]]] = []
        keepers = {name: _keeper(name, kept) for name in loggers}
        failed: dict[int, InputError] = {}
        try:
            rewards = await self._once(prompts=prompts, completions=completions, **columns, **keepers)
        except InputError as error:
            columns |= {name: _drop for name in loggers}
            rows = [self._once(**_row(row, prompts, completions, columns)) for row in range(len(completions))]
            answers = await asyncio.gather(*rows, return_exceptions=True)
            failed = {row: answer for row, answer in enumerate(answers) if isinstance(answer, InputError)}
            for answer in answers:
                if isinstance(answer, BaseException) and not isinstance(answer, InputError):
                    raise answer from error
            rewards = [answer[0] if isinstance(answer, list) else None for answer in answers]
            self._settle(error, failed, completions)
        else:
            for name, arguments in kept:
                loggers[name](*arguments)
        self._count(failed, loggers.get("log_metric"))
        return rewards

    async def _once(self, **arguments: Any) -> list[float | None]:
        try:
            async with asyncio.timeout(self.timeout) as limit:
                return await self.checked.once_async(**arguments)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise self._late(len(arguments["completions"])) from DeadlineError(str(error))


def _row(row: int, prompts: Sequence[Any], completions: Sequence[Any], columns: dict[str, Any]) -> dict[str, Any]:
    """The arguments for one completion alone."""
    count = len(completions)
    own = {k: [v[row]] if isinstance(v, list) and len(v) == count else v for k, v in columns.items()}
    return {"prompts": [prompts[row]], "completions": [completions[row]], **own}


def _keeper(name: str, kept: list[tuple[str, tuple[Any, ...]]]) -> Callable[..., None]:
    return lambda *arguments: kept.append((name, arguments))


def _drop(*arguments: Any) -> None:
    """A log that nothing is written to."""
