"""Batches and rounds, data sets, evaluation."""

from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetDict, IterableDataset

from side_by_side.case import Case, Script, switch
from side_by_side.parts import chat_model, chat_tokenizer, endless, message_reward, questions
from tiny import digit_reward, tiny_dataset, tiny_model

EVAL = {"eval_strategy": "steps", "eval_steps": 2, "per_device_eval_batch_size": 8}


def _data(name: str, source: str, data: Any, *, quick: bool = False, **args: Any) -> Case:
    return Case(name, source, lambda folder: Script(args, data=data()), quick=quick)


def _held_out(name: str, source: str, data: Any, *, quick: bool = False, **args: Any) -> Case:
    def check(trainer: Any) -> None:
        assert any(key.startswith("eval_") for row in trainer.state.log_history for key in row), "nothing evaluated"

    def build(folder: Path) -> Script:
        return Script({**EVAL, **args}, more={"eval_dataset": data()}, check=check)

    return Case(name, source, build, quick=quick)


def _few(rows: int) -> Any:
    return lambda: tiny_dataset(rows)


def _special(*prompts: str) -> Any:
    return lambda: Dataset.from_dict({"prompt": [*prompts, *[f"{i % 10}+1=" for i in range(32)]]})


def _stream() -> IterableDataset:
    return IterableDataset.from_generator(endless(list(tiny_dataset())))


def _chat(name: str, source: str, data: Any, reward: Any = message_reward, **args: Any) -> Case:
    def build(folder: Path) -> Script:
        return Script(args, chat_model(), reward, data(), chat_tokenizer())

    return Case(name, source, build)


def _evaluate_only(folder: Path) -> Script:
    def play(trainer: Any) -> None:
        assert "eval_reward" in trainer.evaluate(), "no reward in the metrics of evaluate()"

    return Script(EVAL, more={"eval_dataset": tiny_dataset(8)}, play=play, still=True)


def _column_reward(completions: Any, answer: Any, **kwargs: Any) -> list[float]:
    return [
        float(a in text) + value for a, text, value in zip(answer, completions, digit_reward(completions), strict=True)
    ]


def _columns() -> Dataset:
    return tiny_dataset().add_column("answer", [str(i % 10) for i in range(32)])


def _extra(name: str, source: str, **args: Any) -> Case:
    return Case(name, source, lambda folder: Script(args, reward=_column_reward, data=_columns()))


def _stretched(folder: Path) -> Script:
    model = tiny_model(rope_parameters={"rope_type": "linear", "factor": 4.0, "rope_theta": 1e4})
    return Script(model=model, data=_special("1+" * 40)(), args={"shuffle_dataset": False})


CASES = [
    switch("gradient_accumulation_steps=2", "docs: quickstart", gradient_accumulation_steps=2, loss_type="grpo"),
    switch("one completion a device step, accumulation 8", "docs: quickstart", per_device_train_batch_size=1,
           gradient_accumulation_steps=8, quick=True),
    switch("steps_per_generation=4", "docs: grpo_trainer.md", steps_per_generation=4, loss_type="grpo", max_steps=4),
    switch("generation_batch_size=16", "docs: lora_without_regret.md", generation_batch_size=16, loss_type="grpo"),
    switch("generation_batch_size of one accumulated step", "docs: lora_without_regret.md",
           per_device_train_batch_size=1, gradient_accumulation_steps=4, num_generations=4, generation_batch_size=4),
    switch("accumulation 4 over rounds of 2", "-", gradient_accumulation_steps=4, steps_per_generation=2),
    switch("num_generations=3", "tests: test_train", num_generations=3, per_device_train_batch_size=3),
    switch("more generations than the device batch", "tests: test_train_num_generations_larger_than_batch_size",
           num_generations=6, per_device_train_batch_size=3, gradient_accumulation_steps=2),
    switch("epochs in place of steps", "docs: grpo_trainer.md", max_steps=-1, num_train_epochs=2),
    switch("auto_find_batch_size", "-", auto_find_batch_size=True, numbers=False),
    switch("two data loader workers", "tests: test_train_multiple_dataloader_workers", dataloader_num_workers=2),
    switch("shuffle_dataset=False", "docs: grpo_trainer.md", shuffle_dataset=False),
    switch("pad_to_multiple_of", "tests: test_train_with_pad_to_multiple_of", pad_to_multiple_of=8),
    _data("fewer prompts than 8 updates take", "-", _few(6), quick=True),
    _data("exactly one prompt a round", "-", _few(2)),
    _data("17 prompts, epochs, accumulation 2", "tests: test_train (17 rows)", _few(17), max_steps=-1,
          num_train_epochs=1, per_device_train_batch_size=4, gradient_accumulation_steps=2),
    _data("a blank prompt among others", "-", _special("")),
    _data("a prompt of a blank", "-", _special(" ")),
    _data("prompt and max_completion_length over the context, generation_kwargs ask for less", "-",
          _special("1+" * 29), max_completion_length=16, generation_kwargs={"max_new_tokens": 4}),
    _data("prompt and max_completion_length over the context", "-", _special("1+" * 30), max_completion_length=16),
    Case("prompt over the context, positions stretched", "-", _stretched),
    _data("streaming data set", "tests: test_train_with_iterable_dataset", _stream, quick=True),
    _data("streaming data set, two workers", "tests: test_iterable_dataset_forces_num_workers_zero", _stream,
          dataloader_num_workers=2),
    _data("no column 'prompt'", "-", lambda: tiny_dataset().rename_column("prompt", "question")),
    _chat("conversational prompts", "tests: test_train_dataset_format", questions),
    _chat("chat_template_kwargs", "tests: test_train_with_chat_template_kwargs", questions,
          chat_template_kwargs={"loud": True}),
    _chat("system and user messages", "docs: dataset_formats.md", lambda: Dataset.from_dict(
        {"prompt": [[{"role": "system", "content": "add"}, {"role": "user", "content": f"{i}+1="}] for i in range(32)]}
    )),
    _extra("a column for the reward", "tests: test_train_reward_func_additional_column"),
    _extra("a column for the reward, remove_unused_columns=True", "-", remove_unused_columns=True),
    _held_out("evaluation every 2 steps", "tests: test_train_with_eval", _few(8), quick=True),
    _held_out("num_generations_eval=1", "tests: test_train_with_num_generations_eval", _few(8),
              num_generations_eval=1),
    _held_out("a dict of evaluation sets", "tests: test_init_with_eval_dataset",
              lambda: {"easy": tiny_dataset(8), "hard": tiny_dataset(4)}),
    _held_out("a DatasetDict of evaluation sets", "tests: test_init_with_eval_dataset",
              lambda: DatasetDict({"easy": tiny_dataset(8), "hard": tiny_dataset(4)})),
    _held_out("streaming evaluation set", "tests: test_init_with_eval_dataset", lambda: IterableDataset.from_generator(
        lambda: iter(list(tiny_dataset(8)))
    )),
    _held_out("eval_on_start", "tests: test_train_eval_on_start", _few(8), eval_on_start=True, loss_type="grpo"),
    _held_out("evaluation with accumulation and a larger batch", "-", _few(16), gradient_accumulation_steps=2,
              per_device_eval_batch_size=32),
    _held_out("evaluation each epoch", "-", _few(8), eval_strategy="epoch", max_steps=-1, num_train_epochs=1),
    Case("evaluate() alone", "tests: test_evaluate_with_eval_dataset", _evaluate_only),
]  # fmt: skip
