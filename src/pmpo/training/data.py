"""The problems of a run: loaded, split, rendered as prompts, and measured against the model's context."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pmpo.integrations.trl.preflight import check_fit
from pmpo.tasks.errors import InputError
from pmpo.tasks.picture_columns import picture_column, with_pictures
from pmpo.tasks.problems import HubUnreachableError, ProblemSource, load_problems, table
from pmpo.tasks.registry import get_task
from pmpo.tasks.task import Problem, Task
from pmpo.tasks.templates import render_prompt
from pmpo.training import picture_data
from pmpo.training.arguments import RunArguments

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class Problems:
    """Training and held-out problems, columns `prompt`, `answer`, …; `held_out` is None when none are measured.

    `train_rows` and `held_out_rows` are the rows' numbers in their source, counted from 1. `unchecked` holds a sentence
    for each data set that a dry run could not fetch; `train` is None then.
    """

    train: "Dataset | None"
    held_out: "Dataset | None"
    train_rows: Sequence[int] = ()
    held_out_rows: Sequence[int] = ()
    unchecked: tuple[str, ...] = ()

    @property
    def has_pictures(self) -> bool:
        return self.train is not None and picture_column(self.train) is not None

    @property
    def sizes(self) -> tuple[int | None, int | None]:
        held_out = len(self.held_out) if self.held_out is not None else (None if self.unchecked else 0)
        return (len(self.train) if self.train is not None else None), held_out

    def texts(self) -> list[str]:
        """Every prompt and answer as text, training problems only; what a new tokenizer is trained on."""
        if self.train is None:
            return []
        columns = [name for name in ("prompt", "answer") if name in self.train.column_names]
        return [str(value) for name in columns for value in self.train[name]]


def load(run: RunArguments) -> Problems:
    """The problems of this run, prompts not yet rendered.

    Raises: InputError as `load_problems` does, and when eval_size leaves nothing to train on. In a dry run a hub data
        set that cannot be fetched becomes an entry of `unchecked`.
    """
    task = get_task(run.task) if run.task is not None else None
    if task is not None and task.endless and run.dataset is None:
        return _made(task, run)
    try:
        whole = _load(run, task, run.dataset, run.dataset_config, run.dataset_split)
        other = None
        if run.eval_dataset is not None and run.eval_size:
            other = _load(run, task, run.eval_dataset, None, run.eval_dataset_split)
    except HubUnreachableError as error:
        if not run.dry_run:
            raise
        return Problems(None, None, unchecked=(f"the data: {error}",))
    if other is None:
        return _split(whole, run)
    rows = _draw(len(other), min(run.eval_size, len(other)), run.split_seed)
    return _selected(whole, range(len(whole)), other, rows)


def _made(task: Task, run: RunArguments) -> Problems:
    """Problems that the task makes itself; its two splits share none."""
    train = task.load(None, split="train", limit=run.task_size, seed=run.split_seed)
    held_out = task.load(None, split="test", limit=run.eval_size, seed=run.split_seed) if run.eval_size else []
    return Problems(
        _as_dataset(task, train),
        _as_dataset(task, held_out) if held_out else None,
        range(1, len(train) + 1),
        range(1, len(held_out) + 1),
    )


def _load(run: RunArguments, task: Task | None, location: str | None, config: str | None, split: str) -> "Dataset":
    """The problems of the run's task, or of any data set with its own columns."""
    if task is None:
        return load_problems(ProblemSource(str(location), config, split, run.problem_column, run.answer_column))
    return _as_dataset(task, task.load(location, split="test" if split == "test" else "train", seed=run.split_seed))


def _as_dataset(task: Task, problems: Sequence[Problem]) -> "Dataset":
    rows = [
        {"prompt": task.prompt(problem), "answer": _as_column(problem.answer), "level": problem.level}
        for problem in problems
    ]
    made = table(rows)
    return with_pictures(made, [problem.pictures for problem in problems]) if task.has_pictures else made


def _as_column(answer: Any) -> Any:
    """A structured reference as JSON text, which the graders read as well: a table's columns have one type."""
    return json.dumps(answer, ensure_ascii=False, sort_keys=True) if isinstance(answer, dict) else answer


def _draw(count: int, size: int, seed: int) -> list[int]:
    """`size` of the row numbers 0..count-1, in random order, the same ones for the same seed."""
    return random.Random(seed).sample(range(count), size)


def _selected(
    train: "Dataset", train_rows: Sequence[int], held_out: "Dataset", held_out_rows: Sequence[int]
) -> Problems:
    return Problems(
        train.select(train_rows),
        held_out.select(held_out_rows),
        [row + 1 for row in train_rows],
        [row + 1 for row in held_out_rows],
    )


def _split(whole: "Dataset", run: RunArguments) -> Problems:
    """Hold out `eval_size` different problems. Rows that repeat a held-out problem's text leave the training set."""
    if not run.eval_size:
        return Problems(whole, None, range(1, len(whole) + 1))
    if run.eval_size >= len(whole):
        raise InputError(
            f"eval_size={run.eval_size} would hold out all {len(whole)} problems of {run.data_name}; write eval_size="
            f"{max(1, len(whole) // 10)}, or name an eval_dataset."
        )
    held_out = _draw(len(whole), run.eval_size, run.split_seed)
    prompts: Sequence[Any] = whole["prompt"][:]
    if picture_column(whole) is not None:
        prompts = picture_data.identities(whole, run.data_name)
    seen = {prompts[row] for row in held_out}
    train = [row for row, prompt in enumerate(prompts) if prompt not in seen]
    if not train:
        raise InputError(f"Every problem of {run.data_name} repeats a held-out one, so none is left to train on.")
    return _selected(whole, train, whole, held_out)


def render(dataset: "Dataset", run: RunArguments, tokenizer: Any, chat_template_kwargs: Any = None) -> "Dataset":
    """The same rows with `prompt` put into the run's template; as a conversation where there are pictures."""
    if picture_column(dataset) is not None:
        return picture_data.render_conversations(dataset, run)
    prompts = [
        render_prompt(
            run.prompt_template,
            problem + (run.problem_suffix or ""),
            system_prompt=run.system_prompt,
            tokenizer=tokenizer,
            chat_template_kwargs=chat_template_kwargs,
        )
        for problem in dataset["prompt"]
    ]
    return dataset.remove_columns("prompt").add_column("prompt", prompts)


def check_lengths(
    dataset: "Dataset", rows: Sequence[int], tokenizer: Any, context: int | None, completion: int, source: str
) -> int:
    """The longest prompt of the rendered data set, tokens.

    Args:
        rows: the rows' numbers in their source, for messages.
        context: the model's, tokens; None checks nothing.
        completion: longest completion that may follow, tokens.
        source: name of the source, for messages.
    Raises: InputError naming the row when a prompt, or prompt and completion, do not fit the context.
    """
    lengths = [len(ids) for ids in tokenizer(list(dataset["prompt"]))["input_ids"]]
    longest = max(lengths)
    row = lengths.index(longest)
    check_fit(longest, f"The prompt in row {rows[row]} of {source}", dataset["prompt"][row], context, completion)
    return longest
