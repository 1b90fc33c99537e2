"""What is translated, and the table of what translates it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pmpo.foundation.errors import InputError
from pmpo.runs.batch_arithmetic import Round, one_round
from pmpo.runs.run_arguments import RunArguments
from pmpo.runs.settings import Settings
from pmpo.runs.verl_engine.overrides import Translation, own_value
from pmpo.runs.verl_engine.settings import TrainingOptions


@dataclass(frozen=True)
class Facts:
    """What the translation must know beside the options.

    Attributes:
        folder: the run's.
        model, tokenizer: folders or hub ids; `tokenizer` is None where it is the model's own.
        chat_template: in the place of the tokenizer's own; None leaves that.
        train_problems, held_out_problems: rows; 0 held out measures none; None where a dry run does not know.
        longest_prompt: tokens; None where a dry run does not know.
        context: tokens that the model takes; None where unknown.
        resume: a folder of verl's to resume from, True for the newest, None from the start.
    """

    folder: Path
    model: str
    tokenizer: str | None = None
    chat_template: str | None = None
    train_problems: int | None = None
    held_out_problems: int | None = 0
    longest_prompt: int | None = None
    context: int | None = None
    resume: str | bool | None = None


@dataclass(frozen=True)
class Job:
    """A run to be translated."""

    settings: Settings
    facts: Facts

    @property
    def options(self) -> TrainingOptions:
        options: Any = self.settings.training
        return options

    @property
    def run(self) -> RunArguments:
        return self.settings.run

    @property
    def on_cpu(self) -> bool:
        return bool(self.options.use_cpu)

    @property
    def round(self) -> Round:
        """Prompts, completions and updates of one round, over all GPUs."""
        return one_round(self.options, self.options.world_size)

    @property
    def nodes(self) -> int:
        """Of the cluster, as the user's own lines of verl's have it."""
        given = own_value(self.run.verl, "trainer.nnodes", "1")
        if not given.isdigit() or not int(given):
            raise InputError(f"verl holds trainer.nnodes={given}; write a number of nodes.")
        return int(given)

    @property
    def rounds(self) -> int | None:
        """verl's steps of the whole run; None where the number of problems decides and is not known."""
        total = self.round.total_updates(
            self.options.max_steps, self.options.num_train_epochs, self.facts.train_problems
        )
        return None if total is None else math.ceil(total / self.round.updates_per_round)

    def in_rounds(self, updates: float) -> int:
        """The first whole number of rounds that has so many updates."""
        return max(1, math.ceil(updates / self.round.updates_per_round))


Translator = Callable[[Job, Translation], None]
TABLE: dict[Translator, tuple[str, ...]] = {}
"""What translates which options. Every one of TRL's and the run's options is here or in `left_out`."""


def says(*options: str) -> Callable[[Translator], Translator]:
    """Enters a function into the table, for the options that it translates."""

    def enter(function: Translator) -> Translator:
        TABLE[function] = options
        return function

    return enter
