"""What must hold before step 0: rounds that are full, prompts that are there and fit the model.

TRL reports success after 0 steps of a data set that is too small, and meets the others in the middle of a run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from datasets import Dataset, IterableDataset

from pmpo.tasks.errors import InputError, nearest

if TYPE_CHECKING:
    from pmpo.integrations.trl.trainer import PMPOTrainer

_AT_ONCE = 1000  # prompts tokenized together


def check_rounds(problems: int, prompts: int, args: Any) -> None:
    """Refuse a training set smaller than one round: the sampler would leave it out, and no update would be made.

    Args:
        problems: rows of the training set.
        prompts: different prompts of one round, over all processes.
        args: of the trainer, for the numbers to change.
    """
    if not problems:
        raise InputError("The training set is empty, so not one update would be made; give one with rows in it.")
    if problems >= prompts:
        return
    raise InputError(
        f"One round needs {prompts} different prompts, but there are {problems} to train on, so not one update would "
        f"be made. Lower steps_per_generation ({args.steps_per_generation}) or per_device_train_batch_size "
        f"({args.per_device_train_batch_size}), raise num_generations ({args.num_generations}), or train on more "
        "problems (of `pmpo train`: lower eval_size)."
    )


def check_fit(longest: int, where: str, prompt: Any, context: int | None, completion: int) -> None:
    """Refuse a prompt that does not fit the model, by itself or with its completion.

    Args:
        longest: tokens of the prompt.
        where: what to call it; the message begins with it.
        context: the model's, tokens; None when it cannot be known, which checks nothing.
        completion: longest completion that may follow, tokens.
    """
    if context is None or longest + completion <= context:
        return
    start = " ".join(str(prompt).split())[:60]
    what = f"{where} ({start!r}…) has {longest} tokens"
    if longest >= context:
        raise InputError(
            f"{what}, but the model's context is {context}; remove such rows or use a model with a longer context."
        )
    raise InputError(
        f"{what}, and with max_completion_length={completion} that is {longest + completion}, more than the model's "
        f"context of {context}; write max_completion_length={context - longest} or less, or remove such rows."
    )


def preflight(trainer: PMPOTrainer) -> None:
    """Check the data sets of a trainer. Of a streaming one only the columns, and those only when it tells them.

    Raises: InputError with the data set and the row.
    """
    if trainer.environments is not None:  # the environment makes the prompts
        return
    args, train = trainer.args, trainer.train_dataset
    if isinstance(train, Dataset):
        check_rounds(len(train), args.generation_batch_size // args.num_generations, args)
    context = context_of(trainer.accelerator.unwrap_model(trainer.model).config)
    for name, dataset in _datasets(trainer):
        columns = dataset.column_names
        if columns is not None and "prompt" not in columns:
            raise InputError(
                f"{name} has no column 'prompt'; its columns are {', '.join(columns)}.{nearest('prompt', columns)} "
                "Rename the one that holds the prompts: dataset.rename_column(..., 'prompt')."
            )
        if isinstance(dataset, Dataset):
            _check_prompts(trainer, name, dataset, context)


def check_progress(trainer: PMPOTrainer) -> None:
    """Refuse to call a run that ended without one optimiser step a success.

    Raises: InputError saying what to look at.
    """
    if trainer.state.global_step == 0:
        raise InputError(
            f"The run ended without one optimiser step (max_steps={trainer.args.max_steps}, "
            f"num_train_epochs={trainer.args.num_train_epochs:g}): nothing was trained. A streaming data set must give "
            f"at least {trainer.args.generation_batch_size // trainer.args.num_generations} prompts, and one of the "
            "two numbers must be more than 0."
        )


def context_of(config: Any) -> int | None:
    """The longest sequence of a model, tokens; None where its positions are stretched or it does not say."""
    text = config.get_text_config()
    stretched = float((getattr(text, "rope_parameters", None) or {}).get("factor") or 1.0) > 1.0
    return None if stretched else getattr(text, "max_position_embeddings", None)


def _datasets(trainer: PMPOTrainer) -> Iterator[tuple[str, Dataset | IterableDataset]]:
    yield "train_dataset", trainer.train_dataset
    held_out = trainer.eval_dataset
    if isinstance(held_out, Mapping):
        yield from ((f"eval_dataset[{name!r}]", dataset) for name, dataset in held_out.items())
    elif held_out is not None:
        yield "eval_dataset", held_out


def _check_prompts(trainer: PMPOTrainer, name: str, dataset: Dataset, context: int | None) -> None:
    multimodal = trainer._is_vlm or "image" in dataset.column_names or "images" in dataset.column_names
    completion = trainer.args.max_completion_length or 1
    if dataset.format["type"] != "custom":  # a transform may make the prompts from other columns
        dataset = dataset.select_columns("prompt")  # pictures beside them are not decoded
    for start in range(0, len(dataset), _AT_ONCE):
        prompts = dataset[start : start + _AT_ONCE]["prompt"]
        for row, prompt in enumerate(prompts, start):
            fault = prompt_fault(prompt)
            if fault is not None:
                raise InputError(f"{name}[{row}]['prompt'] {fault}; remove such rows or mend them.")
        if context is None or multimodal:  # how many tokens an image takes is the processor's to say
            continue
        lengths = [len(ids) for ids in trainer._tokenize_prompts(prompts)[0]]
        longest = max(lengths)
        row = lengths.index(longest)
        check_fit(longest, f"{name}[{start + row}]['prompt']", prompts[row], context, completion)


def prompt_fault(prompt: Any) -> str | None:
    """What is wrong with a prompt, as the rest of a sentence; None for text or messages with something in them."""
    if prompt is None:
        return "is None"
    if isinstance(prompt, str):
        return None if prompt.strip() else "is empty"
    if not isinstance(prompt, list):
        return f"is a {type(prompt).__name__}, not text or a list of messages"
    if not any(isinstance(message, Mapping) and message.get("content") for message in prompt):
        return "is a list of messages without any content"
    return None
