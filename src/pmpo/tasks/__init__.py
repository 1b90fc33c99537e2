"""Problems, prompts, graders and rewards.

    from pmpo.tasks import grade, reward
    grade(["\\\\frac12"], ["so it is \\\\boxed{0.5}"])[0].status     # "correct"

The names below load when they are first used: the grading workers import this package and must stay small.
"""

import importlib
from typing import Any

_HOMES = {
    "Grade": "graders.verdict",
    "Grader": "graders.grader",
    "InputError": "errors",
    "MathRules": "graders.rules",
    "Problem": "task",
    "Task": "task",
    "get_task": "registry",
    "grade": "graders.grader",
    "preflight": "preflight",
    "reward": "graded_reward",
    "task_names": "registry",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pmpo.tasks' has no attribute {name!r}")
    return getattr(importlib.import_module(f"pmpo.tasks.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
