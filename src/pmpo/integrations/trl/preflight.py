"""What must hold before step 0 of a trainer: `pmpo.engine.preflight` with the settings and data sets of TRL's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from datasets import Dataset, IterableDataset

from pmpo.engine import preflight as checks
from pmpo.engine.context import context_of
from pmpo.foundation.errors import InputError, nearest

if TYPE_CHECKING:
    from pmpo.integrations.trl.host.hooks import HostTrainer

_AT_ONCE = 1000  # prompts tokenized together


def check_rounds(problems: int, prompts: int, args: Any) -> None:
    """Refuse a training set of fewer `problems` than the `prompts` of one round of a trainer with `args`."""
    checks.check_rounds(
        problems,
        prompts,
        f"Lower steps_per_generation ({args.steps_per_generation}) or per_device_train_batch_size "
        f"({args.per_device_train_batch_size}), raise num_generations ({args.num_generations}), or train on more "
        "problems (of `pmpo train`: lower eval_size).",
    )


def completion_after(prompt: int, args: Any) -> int:
    """Tokens of the longest completion after a prompt of so many tokens, as the trainer will generate it."""
    given = args.generation_kwargs or {}
    limit = given.get("max_tokens" if args.use_vllm else "max_new_tokens", args.max_completion_length)
    if limit is None and given.get("max_length") is not None:
        limit = given["max_length"] - prompt
    return max(1, limit or 1)


def preflight(trainer: HostTrainer) -> None:
    """Check the data sets of a trainer. Of a streaming one only the columns, and those only when it tells them.

    Raises: InputError with the data set and the row.
    """
    args, train = trainer.args, trainer.train_dataset
    if isinstance(train, Dataset):
        check_rounds(len(train), args.generation_batch_size // args.num_generations, args)
    for name, dataset in _datasets(trainer):
        if trainer.environment_factories is not None:  # they make the prompts, or complete them
            _check_routes(trainer, name, dataset)
            continue
        checks.need_column(dataset.column_names, name, "prompt", "holds the prompts")
        if isinstance(dataset, Dataset):
            checks.check_prompts(name, _prompts(dataset), _lengths(trainer, dataset))


def check_progress(trainer: Any) -> None:
    """Refuse to call a run that ended without one optimiser step a success.

    Raises: InputError saying what to look at.
    """
    args = trainer.args
    settings = {"max_steps": args.max_steps, "num_train_epochs": args.num_train_epochs}
    checks.check_steps(trainer.state.global_step, settings, args.generation_batch_size // args.num_generations)


def _check_routes(trainer: HostTrainer, name: str, dataset: Dataset | IterableDataset) -> None:
    """Every row of a run with several environments names one of them."""
    if not trainer.has_several_environments:
        return
    checks.need_column(dataset.column_names, name, "environment", "names the environments")
    if isinstance(dataset, Dataset):
        known = list(trainer.environment_factories)
        for row, wanted in enumerate(dataset["environment"]):
            if wanted not in known:
                raise InputError(
                    f"{name}[{row}]['environment'] is {wanted!r}, and environment_factory has "
                    f"{', '.join(map(repr, known))}.{nearest(str(wanted), known)}"
                )


def _datasets(trainer: HostTrainer) -> Iterator[tuple[str, Dataset | IterableDataset]]:
    yield "train_dataset", trainer.train_dataset
    held_out = trainer.eval_dataset
    if isinstance(held_out, Mapping):
        yield from ((f"eval_dataset[{name!r}]", dataset) for name, dataset in held_out.items())
    elif held_out is not None:
        yield "eval_dataset", held_out


def _prompts(dataset: Dataset) -> Iterator[list[Any]]:
    whole = dataset.format["type"] == "custom"  # a transform may make the prompts from other columns
    column = dataset if whole else dataset.select_columns("prompt")  # pictures beside them are not decoded
    for start in range(0, len(dataset), _AT_ONCE):
        yield column[start : start + _AT_ONCE]["prompt"]


def _lengths(trainer: HostTrainer, dataset: Dataset) -> checks.Lengths | None:
    """How prompts are measured; None where the model's context or what becomes of a prompt is not known."""
    context = context_of(trainer.accelerator.unwrap_model(trainer.model).config)
    # How many tokens an image takes is the processor's to say, and what a prompt becomes a rollout function's.
    images = trainer.reads_pictures or "image" in dataset.column_names or "images" in dataset.column_names
    if context is None or images or trainer.prompts_measured or trainer.rollout_func is not None:
        return None
    return checks.Lengths(
        lambda prompts: [len(ids) for ids in trainer.tokenize_prompts(prompts)[0]],
        context,
        lambda prompt: completion_after(prompt, trainer.args),
    )
