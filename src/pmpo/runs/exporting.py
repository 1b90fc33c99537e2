"""The problems of a run as files that other trainers read: `pmpo data`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pmpo.foundation.errors import InputError
from pmpo.runs import data, prompts
from pmpo.runs.run_arguments import RunArguments
from pmpo.tasks.prompting import AUTO, PromptSettings
from pmpo.tasks.registry import short_name
from pmpo.tasks.verl_rows import RowSettings, verl_rows, write_parquet

if TYPE_CHECKING:
    from datasets import Dataset

VERBATIM = "{% for message in messages %}{{ message.content }}{% endfor %}"
"""A chat template for prompts that are rendered already, in the place of a tokenizer's own."""
TRAIN_FILE, HELD_OUT_FILE = "train.parquet", "held_out.parquet"


def source_name(run: RunArguments) -> str:
    """What rows of a run's problems have for their `data_source`: "gsm8k", "math500", "problems"."""
    return short_name(run.task) if run.task is not None else Path(str(run.dataset or run.data_name)).stem


def export_verl(run: RunArguments, folder: Path) -> dict[Path, int]:
    """Write train.parquet and held_out.parquet in verl's schema, each whole; returns their rows.

    Prompts are messages, which verl renders in the tokenizer's chat template; with another template than chat they are
    rendered here, and go through verl unchanged behind `VERBATIM`.

    Raises: InputError as loading does, and for a folder that cannot be written.
    """
    problems = data.load(run)
    if problems.train is None:
        raise InputError(problems.unchecked[0])
    template = "chat" if run.prompt_template == AUTO else run.prompt_template
    settings = PromptSettings(template, run.system_prompt, run.problem_suffix)
    parts: dict[str, tuple[Dataset | None, str]] = {
        TRAIN_FILE: (problems.train, "train"),
        HELD_OUT_FILE: (problems.held_out, "test"),
    }
    written = {}
    for name, (bare, split) in parts.items():
        if bare is None:
            continue
        asked = prompts.render(bare, settings, None, as_messages=True, source=run.data_name)
        how = RowSettings(source_name(run), run.reward or [], split, bare["prompt"][:])
        try:
            write_parquet(folder / name, verl_rows(asked, how))
        except OSError as error:
            raise InputError(f"{folder / name} cannot be written: {error.strerror}. Give another --output.") from error
        written[folder / name] = len(asked)
    return written
