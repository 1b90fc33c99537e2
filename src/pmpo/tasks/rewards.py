"""Reward functions by name, each behind a check that says at once what is wrong with it.

A reward function has TRL's signature: `f(prompts, completions, **columns) -> list`, one number per completion, or None
for a completion that gets no reward (it then takes no part in its group's statistics).
"""

import functools
import importlib
import importlib.util
import inspect
import math
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from pmpo.tasks.errors import InputError, nearest
from pmpo.tasks.sums import sums_reward
from pmpo.tasks.worker_pool import Outcome, WorkerPool

RewardFunction = Callable[..., Sequence[float | None]]
_FROM_TRAINER = {"completion_ids", "trainer_state", "log_extra", "log_metric"}  # arguments that are no columns
_WORKER = Path(__file__).with_name("math_verify_worker.py")


class MathVerifyReward:
    """1.0 where math-verify finds the completion's final answer equal to the column `answer`, 0.0 where it does not.

    Grading runs in worker processes that are killed after `limit` seconds. A completion whose grading overran, crashed,
    or has an unreadable reference gets None, "no reward", never 0: a slow grader is no evidence against the answer.
    """

    __name__ = "math_verify"

    def __init__(self, limit: float = 5.0, workers: int = 2, pool: WorkerPool | None = None) -> None:
        """`limit`: seconds of wall clock per completion; `workers`: processes, started by the first call."""
        self.limit = limit
        self.pool = pool or WorkerPool(_WORKER, workers)

    def __call__(
        self,
        completions: Sequence[str],
        answer: Sequence[Any],
        log_metric: Callable[[str, float], None] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        """Grades in the order of `completions`; `log_metric` is told the share that could not be graded, and why."""
        requests = [{"answer": a, "completion": c} for a, c in zip(answer, completions, strict=True)]
        outcomes = self.pool.ask_all(requests, self.limit)
        if log_metric is not None and outcomes:
            for status in ("timeout", "crashed", "error"):
                share = sum(outcome.status == status for outcome in outcomes) / len(outcomes)
                log_metric(f"math_verify/{status}", share)
        return [_reward(outcome) for outcome in outcomes]


def _reward(outcome: Outcome) -> float | None:
    return outcome.reply["reward"] if outcome.reply is not None else None


@functools.cache
def math_verify_reward() -> MathVerifyReward:
    """The one `MathVerifyReward` of this process, so that everything shares its workers."""
    return MathVerifyReward()


class CheckedReward:
    """A reward function that is held to its contract: one number or None per completion, and nothing raised.

    Raises InputError, in one sentence that names the function, the row and the completion, when the function raises,
    returns something that is not one value per completion, or returns a value that is not a finite number or None.
    """

    def __init__(self, function: RewardFunction, name: str) -> None:
        self.function, self.name = function, name
        self.__name__ = getattr(function, "__name__", name)  # TRL's name for it in metrics

    def __call__(self, prompts: Sequence[str], completions: Sequence[str], **columns: Any) -> list[float | None]:
        try:
            returned = self._call(prompts=prompts, completions=completions, **columns)
        except InputError:
            raise
        except Exception as error:
            raise InputError(self._raised(error, prompts, completions, columns)) from error
        rewards = self._as_list(returned, len(completions))
        return [self._as_number(value, row, completions[row]) for row, value in enumerate(rewards)]

    def _call(self, **arguments: Any) -> Any:
        returned = self.function(**arguments)
        if inspect.isawaitable(returned):
            import asyncio

            async def wait() -> Any:
                return await returned

            return asyncio.run(wait())
        return returned

    def _as_list(self, returned: Any, count: int) -> list[Any]:
        if hasattr(returned, "tolist"):  # a tensor or an array
            returned = returned.tolist()
        if returned is None:
            raise InputError(
                f"The reward function {self.name} returned None for {count} completions; return a list with one number "
                "per completion (has it lost its return statement?)."
            )
        if not isinstance(returned, list | tuple):
            raise InputError(
                f"The reward function {self.name} returned {_short(returned)}, a {type(returned).__name__}; return a "
                f"list with one number per completion ({count} here)."
            )
        if len(returned) != count:
            raise InputError(
                f"The reward function {self.name} returned {len(returned)} rewards for {count} completions; return "
                "exactly one per completion, None where there is none."
            )
        return list(returned)

    def _as_number(self, value: Any, row: int, completion: str) -> float | None:
        if value is None:
            return None
        try:
            number = float(value.item() if hasattr(value, "item") else value) if not isinstance(value, str) else None
        except (TypeError, ValueError):
            number = None
        if number is None or not math.isfinite(number):
            raise InputError(
                f"The reward function {self.name} returned {_short(value)} ({type(value).__name__}) for row {row}, "
                f"completion {_short(completion)}; return a finite number, or None for 'no reward'."
            )
        return number

    def _raised(self, error: Exception, prompts: Any, completions: Any, columns: dict[str, Any]) -> str:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        row = self._first_failing_row(prompts, completions, columns)
        where = f" for row {row}, completion {_short(completions[row])}" if row is not None else ""
        return (
            f"The reward function {self.name} raised {what}{where} (in {Path(frame.filename).name}, line "
            f"{frame.lineno}); it must return a number for every completion, or None where it cannot tell. "
            f"The columns it may use are prompts, completions, {', '.join(sorted(set(columns) - _FROM_TRAINER))}."
        )

    def _first_failing_row(self, prompts: Any, completions: Any, columns: dict[str, Any]) -> int | None:
        """The first row on which the function raises when called with that row alone; None when no row does."""
        count = len(completions)
        for row in range(count):
            own = {k: [v[row]] if isinstance(v, list) and len(v) == count else v for k, v in columns.items()}
            try:
                self._call(prompts=[prompts[row]], completions=[completions[row]], **own)
            except Exception:
                return row
        return None


def _short(value: Any, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def load_reward(name: str) -> CheckedReward:
    """A reward function by name, checked at every call.

    Args:
        name: "math_verify", "sums", "package.module:function" (importable, the current folder included) or
            "path/to/file.py:function".
    Raises: InputError when there is no such name, module, file or function.
    """
    if name == "sums":
        return CheckedReward(sums_reward, "sums")
    if name == "math_verify":
        if importlib.util.find_spec("math_verify") is None:
            raise InputError("The reward math_verify needs the package math-verify: pip install 'pmpo[trl]'.")
        return CheckedReward(math_verify_reward(), "math_verify")
    location, colon, attribute = name.rpartition(":")
    if not colon or not location or not attribute:
        raise InputError(
            f"{name!r} is no reward function; write math_verify, sums, module:function or path/to/file.py:function."
            f"{nearest(name, ('math_verify', 'sums'))}"
        )
    module = _module_from_file(Path(location)) if location.endswith(".py") else _module_by_name(location)
    function = getattr(module, attribute, None)
    if function is None:
        public = [n for n, value in vars(module).items() if callable(value) and not n.startswith("_")]
        raise InputError(f"{location} has no function {attribute!r}.{nearest(attribute, public)}")
    if not callable(function):
        raise InputError(f"{name} is a {type(function).__name__}, not a function.")
    return CheckedReward(function, name)


def _module_from_file(path: Path) -> ModuleType:
    path = path.expanduser()
    if not path.is_file():
        raise InputError(f"There is no file {path} to take a reward function from.")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InputError(f"The file {path} could not be run: {type(error).__name__}: {error}") from error
    return module


def _module_by_name(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:  # as `python -m` would have it; the console script does not
        sys.path.append(here)
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise InputError(
            f"The module {name!r} could not be imported: {type(error).__name__}: {error}. Give a file as "
            "path/to/file.py:function."
        ) from error


def try_reward(reward: CheckedReward, rows: Sequence[dict[str, Any]], trainer_state: Any = None) -> None:
    """Call `reward` once on made-up completions of a few rows, so that a broken function fails before a model is
    loaded.

    Args:
        rows: a couple of the data set's rows (dicts with "prompt" and the other columns).
        trainer_state: what the trainer would pass under this name.
    Raises: InputError as `CheckedReward` does.
    """
    columns = {key: [row[key] for row in rows] for key in rows[0] if key != "prompt"}
    reward(
        prompts=[row["prompt"] for row in rows],
        completions=["I think the answer is \\boxed{7}."] * len(rows),
        completion_ids=[[0]] * len(rows),
        trainer_state=trainer_state,
        log_extra=lambda column, values: None,
        log_metric=lambda name, value: None,
        **columns,
    )
