"""Problems as rows of verl's Parquet files, which `pmpo.tasks.layouts` reads back.

    data_source     the task, or what grades the row; verl reports held-out numbers by it
    prompt          messages
    ability         the subject
    reward_model    {"style": "rule", "ground_truth": the reference answer}
    extra_info      split, index, question, rewards, and the row's other columns

`pmpo.integrations.verl.rewards` grades a row by what stands in it.
"""

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pmpo.foundation.errors import InputError
from pmpo.tasks.conversations import asked_text
from pmpo.tasks.layouts import as_mapping
from pmpo.tasks.picture_columns import picture_column
from pmpo.tasks.tables import of_one_type

if TYPE_CHECKING:
    from datasets import Dataset

REWARDS = "rewards"
"""Field of `extra_info`: the reward functions of the row, as `pmpo.rewards.loading.load_reward` takes them."""
_OWN = ("prompt", "answer", "data_source", "ability", "reward_model", "extra_info")
_EMPTY_COPIES = ("source_prompt", "source_answer")


@dataclass(frozen=True)
class RowSettings:
    """What all rows of a file share.

    Attributes:
        data_source: where a row has none of its own.
        rewards: names of the reward functions.
        split: "train" or "test".
        questions: the bare problems, row by row; None where the prompts are those.
    """

    data_source: str
    rewards: Sequence[str]
    split: str
    questions: Sequence[Any] | None = None


def verl_rows(problems: "Dataset", settings: RowSettings) -> "Dataset":
    """The rows, in their order.

    Args:
        problems: columns `prompt` (a text, which becomes the user's message, or messages), `answer`, and others.
    Raises: InputError for problems with pictures.
    """
    from datasets import Dataset

    if picture_column(problems) is not None:
        raise InputError(
            f"The problems of {settings.data_source} have pictures, whose rows verl reads in another way; train on "
            "them with --engine trl."
        )
    names = [n for n in problems.column_names if n not in _OWN and n not in _EMPTY_COPIES]
    rows = [_row(problem, index, names, settings) for index, problem in enumerate(problems)]
    columns: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in rows[0]}
    # A field of a column has one type over all rows, as a column has.
    for name in ("reward_model", "extra_info"):
        fields = {field: of_one_type([row.get(field) for row in columns[name]]) for field in _fields(columns[name])}
        kept = {field: values for field, values in fields.items() if any(value is not None for value in values)}
        columns[name] = [dict(zip(kept, row, strict=True)) for row in zip(*kept.values(), strict=True)]
    return Dataset.from_dict(columns)


def _row(problem: Mapping[str, Any], index: int, names: Sequence[str], settings: RowSettings) -> dict[str, Any]:
    prompt = problem["prompt"]
    asked = prompt if settings.questions is None else settings.questions[index]
    given = dict(as_mapping(problem.get("extra_info")))
    facts = {
        "split": settings.split,
        "index": index,
        "question": asked_text(asked),
        REWARDS: list(settings.rewards),
        # Says whether rewards get completions as text or as messages, which under TRL depends on the problem.
        "prompt": asked if isinstance(asked, str) and not isinstance(prompt, str) else prompt,
    }
    return {
        "data_source": problem.get("data_source") or settings.data_source,
        "prompt": messages_of(prompt),
        "ability": problem.get("ability") or settings.data_source,
        "reward_model": {"style": "rule", "ground_truth": problem.get("answer", "")},
        "extra_info": {**{name: problem[name] for name in names}, **given, **facts},
    }


def messages_of(prompt: Any) -> list[dict[str, Any]]:
    """A prompt as messages: a text is the user's."""
    return [{"role": "user", "content": prompt}] if isinstance(prompt, str) else [dict(turn) for turn in prompt]


def _fields(values: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for value in values for name in value))


def write_parquet(path: Path, rows: "Dataset") -> None:
    """The file, whole: written under another name, flushed, then renamed.

    Raises: OSError where it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            rows.to_parquet(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
