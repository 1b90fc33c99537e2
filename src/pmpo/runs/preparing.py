"""Everything of a run that can be settled and checked without its weights, cheapest first."""

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transformers import TrainerState

from pmpo.foundation.errors import InputError
from pmpo.foundation.locks import unwritable_as_sentence
from pmpo.rewards.checked import CheckedReward, try_reward
from pmpo.rewards.graded import GradedReward
from pmpo.rewards.loading import GradingSettings, load_reward
from pmpo.rewards.references import check_references
from pmpo.runs import data, model, prompts
from pmpo.runs.batch_arithmetic import check_alignment, check_processes, rows_to_stream
from pmpo.runs.folder import can_begin_again, check_folder, choose_folder, resume_point, settle_auto, write_config
from pmpo.runs.plan import Plan, make_plan
from pmpo.runs.settings import Settings
from pmpo.tasks.prompting import PromptSettings


@dataclass(frozen=True)
class Prepared:
    """A run of which everything but the weights is known.

    Attributes:
        problems: with rendered prompts.
        prompt: what they are rendered with, `auto` settled.
        again: whether the folder holds the beginning of this run, from before its first checkpoint.
    """

    settings: Settings
    problems: data.Problems
    rewards: list[CheckedReward]
    source: model.ModelSource
    prompt: PromptSettings
    folder: Path
    plan: Plan
    again: bool

    @property
    def checkpoint(self) -> str | bool | None:
        """What `Trainer.train(resume_from_checkpoint=…)` takes; None for a run from the start."""
        return resume_point(self.settings.training.resume_from_checkpoint)

    def write_config(self) -> None:
        """config.yaml.

        Raises: InputError when the folder cannot be written.
        """
        with unwritable_as_sentence(self.folder):
            write_config(self.folder, self.settings, self.plan.as_dict())


def prepare(settings: Settings, settled: tuple[Path, bool] | None = None) -> Prepared:
    """Everything that can fail without the weights, cheapest first.

    Args:
        settled: the run's folder, and whether it holds the beginning of this run, where that is settled already.
    Raises: InputError for whatever in the settings cannot work.
    """
    run, args = settings.run, settings.training
    check_processes(settings)
    check_alignment(args)
    prompts.given_prompt(settings)
    folder, again = _settle_folder(settings) if settled is None else settled
    grading = GradingSettings(run.status_rewards, run.grader_options, run.grader_timeout)
    rewards = [load_reward(name, grading, run.task) for name in run.reward or []]
    problems = data.load(run, rows_to_stream(settings))
    _check_rewards(rewards, problems, settings)
    source = model.resolve(settings, problems.texts(), problems.has_pictures)
    settled = prompts.settle_prompt(settings, source, problems)
    problems, longest = prompts.rendered(problems, source, settings, settled.prompt)
    _fit_round(args, problems)
    unchecked = (*problems.unchecked, *source.unchecked)
    plan = make_plan(settings, folder, source.name, problems.sizes, longest, unchecked)
    notes = (*problems.notes, *filter(None, [settled.warning]))
    plan = replace(plan, prompt_template=settled.text, notes=notes)
    return Prepared(settings, problems, rewards, source, settled.prompt, folder, plan, again)


def _settle_folder(settings: Settings) -> tuple[Path, bool]:
    """The run's folder, which the trainer's settings have then too, with the checkpoint that `auto` means; and whether
    it holds the beginning of this run."""
    args = settings.training
    folder = choose_folder(settings)
    args.output_dir = str(folder)
    again = str(args.resume_from_checkpoint).lower() == "auto" and can_begin_again(folder)
    args.resume_from_checkpoint = settle_auto(folder, args.resume_from_checkpoint)
    if not again:
        check_folder(folder, resume_point(args.resume_from_checkpoint) is not None, args.overwrite_output_dir)
    return folder, again


def _fit_round(args: Any, problems: data.Problems) -> None:
    """Shrink a round that nobody asked for to what the data has, with a warning."""
    if problems.train is None:
        return
    smaller = args.fit_round(len(problems.train))
    if smaller is not None and args.process_index == 0:
        warnings.warn(smaller, stacklevel=3)


def _check_rewards(rewards: list[CheckedReward], problems: data.Problems, settings: Settings) -> None:
    """Refuse references that a grader cannot read, and a reward that fails on the first rows."""
    if problems.train is None:
        return
    _check_golds(rewards, problems, settings.run.max_unreadable_golds)
    rows = [problems.train[i] for i in range(min(2, len(problems.train)))]
    for reward in rewards:
        try_reward(reward, rows, TrainerState(), settings.training.reward_timeout)


def _check_golds(rewards: list[CheckedReward], problems: data.Problems, max_unreadable: float) -> None:
    """Refuse references that a grader cannot read: each would cost every completion of its problem its reward."""
    for reward in rewards:
        graded = reward.function
        if isinstance(graded, GradedReward):
            grader = graded.grader
            golds = _golds(reward.name, graded.column, problems)
            check_references(grader.kind, golds, grader.options, max_unreadable_share=max_unreadable)


def _golds(reward: str, column: str, problems: data.Problems) -> list[Any]:
    golds: list[Any] = []
    for dataset in filter(None, (problems.train, problems.held_out)):
        if column not in dataset.column_names:
            raise InputError(
                f"The reward {reward} compares with answers, and no column of them was recognised; the columns are "
                f"{', '.join(dataset.column_names)}. Name it with --answer_column, or a field of one as "
                "reward_model.ground_truth."
            )
        golds += dataset[column]
    return golds
