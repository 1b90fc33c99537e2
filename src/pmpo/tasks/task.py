"""A task: where problems come from, how they are asked, and how completions are graded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pmpo.tasks.graders.verdict import Grade

Messages = tuple[Mapping[str, str], ...]
"""A conversation, ({"role": "user", "content": "…"}, …)."""


@dataclass(frozen=True)
class Problem:
    """One problem.

    Attributes:
        prompt: the problem's text, not yet in a template; or a conversation, for the template `chat` alone.
        answer: the reference in the form that the task's grader takes: text, number, list of accepted forms, or a
            JSON-able dict.
        source: name of the data set, such as "math500".
        id: unique in its source and the same at every load; by default the row's number, from 1.
        level: difficulty as the source has it, such as "Level 3"; None where it has none.
        kind: subject as the source has it, such as "algebra"; None where it has none.
    """

    prompt: str | Messages
    answer: Any
    source: str
    id: str
    level: str | None = None
    kind: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


class Task(Protocol):
    """What `pmpo train` and `pmpo eval` need of a task.

    Attributes:
        name: such as "gsm8k".
        grader: kind of grader ("math", "choice", "sql", "reasoning_gym", "sums") that a worker runs.
        grader_options: its options, JSON-able (for "math" those of `MathRules`).
    """

    name: str
    grader: str
    grader_options: Mapping[str, Any]

    def load(self, location: str | None = None, *, limit: int | None = None, seed: int = 0) -> list[Problem]:
        """The problems, from a local file, a saved data set or a hub id; from the task's own hub id without one.

        `limit` keeps the first so many (or makes so many, for a generator); `seed` is a generator's.
        """
        ...

    def prompt(
        self,
        problem: Problem,
        template: str = "plain",
        *,
        system_prompt: str | None = None,
        tokenizer: Any = None,
        chat_template_kwargs: Mapping[str, Any] | None = None,
    ) -> str:
        """The text that the model continues."""
        ...

    def grade(self, problems: Sequence[Problem], completions: Sequence[str]) -> list[Grade]:
        """One grade per completion, in their order."""
        ...
