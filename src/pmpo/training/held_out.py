"""Pass@1 on held-out problems before, during and after training, measured inside the trainer on every process.

Measured in the trainer's callbacks because only there is the model placed, wrapped and sharded as it trains.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from pmpo.evaluation.generation import Completion, Sampling
from pmpo.evaluation.in_process import InProcessGenerator
from pmpo.tasks.checked_reward import CheckedReward
from pmpo.tasks.conversations import as_completion, is_conversation
from pmpo.tasks.files import read_json_lines, write_json_lines
from pmpo.tasks.graded_reward import GradedReward
from pmpo.tasks.graders.verdict import STATUSES, UNDECIDED
from pmpo.tasks.picture_columns import picture_column
from pmpo.tasks.picture_prompts import render
from pmpo.tasks.templates import chat_text
from pmpo.tasks.tolerant_reward import TolerantReward
from pmpo.training import picture_data

if TYPE_CHECKING:
    from datasets import Dataset

    from pmpo.integrations.trl import PMPOTrainer

Report = Callable[[int, float, float], None]
"""Told (optimiser step, pass@1, standard error) after every measurement."""


@dataclass(frozen=True)
class HeldOutSettings:
    """How pass@1 is measured: one completion a problem, `batch_size` prompts at a time per process.

    Attributes:
        every: optimiser steps between measurements during training; 0 measures before and after only.
        pass_reward: a completion passes when its reward is at least this.
        max_new_tokens: longest completion.
        temperature: of the sampling; 0 is greedy.
        seed: of the sampling, the same at every measurement.
        samples_to_keep: problems whose completions go to samples.jsonl.
    """

    every: int
    pass_reward: float
    max_new_tokens: int
    batch_size: int
    temperature: float
    seed: int
    samples_to_keep: int


@dataclass(frozen=True)
class Measurement:
    """Pass@1 at one optimiser step, one completion a problem.

    Attributes:
        value: share of the problems solved, 0..1; an undecided completion (its grading was cut short, or gave no
            reward) counts as not solved. NaN when all are undecided.
        standard_error: of `value` as an estimate over problems.
        n_ungraded: undecided completions.
        statuses: how many completions had each status of `pmpo.tasks.graders.verdict`.
        response_tokens: mean length of a completion.
        truncated: share of the completions that the length limit cut off, 0..1.
    """

    step: int
    value: float
    standard_error: float
    n_problems: int
    n_ungraded: int
    statuses: dict[str, int] = field(default_factory=dict)
    response_tokens: float | None = None
    truncated: float | None = None


@dataclass
class HeldOutCallback(TrainerCallback):
    """Measures at the start, every so many steps, and at the end; keeps held_out.jsonl and samples.jsonl up to date."""

    problems: "Dataset"
    reward: CheckedReward
    settings: HeldOutSettings
    folder: Path
    report: Report
    trainer: "PMPOTrainer | None" = None
    stopped: Callable[[], bool] = lambda: False  # whether the run is being ended early, with no time to measure
    measurements: list[Measurement] = field(default_factory=list)
    _samples: list[dict[str, Any]] = field(default_factory=list)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == 0:
            self.measure(0)
            return
        # Resumed: the earlier process has measured what came before this step.
        rows = [row for row in read_json_lines(self.folder / "held_out.jsonl") if row["step"] <= state.global_step]
        self.measurements = [_from_row(row) for row in rows]
        self._samples = [
            row for row in read_json_lines(self.folder / "samples.jsonl") if row["step"] <= state.global_step
        ]

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.settings.every and state.global_step % self.settings.every == 0 and state.global_step < state.max_steps:
            measured = self.measure(state.global_step)
            # Joins the next log event, which comes right after this callback when both fall on one step.
            self.trainer._metrics["train"]["held_out/pass_at_1"].append(measured.value)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.stopped():
            return
        if not self.measurements or self.measurements[-1].step != state.global_step:
            self.measure(state.global_step)

    def measure(self, step: int) -> Measurement:
        """Pass@1 of the model as it is now; every process must call this at the same time."""
        from accelerate.utils import gather_object
        from trl.models.utils import unwrap_model_for_generation

        trainer, accelerator = self.trainer, self.trainer.accelerator
        rank, world = accelerator.process_index, accelerator.num_processes
        rows = list(range(len(self.problems)))
        # Every process takes the same number of prompts, since sharded models generate in step; surplus ones repeat the
        # first.
        share = -(-len(rows) // world)
        own = [rows[i] if i < len(rows) else rows[0] for i in range(rank * share, (rank + 1) * share)]
        with unwrap_model_for_generation(trainer.model_wrapped, accelerator) as model:
            completions = self._generate(model, own)
        statuses = self._statuses(own, [completion.text for completion in completions])
        gathered = gather_object(list(zip(own, completions, statuses, strict=True)))
        by_row = {row: (completion, status) for row, completion, status in gathered}
        measured = _summarise(step, [by_row[row] for row in rows])
        self.measurements.append(measured)
        if accelerator.is_main_process:
            self._keep_samples(step, by_row)
            write_json_lines(self.folder / "held_out.jsonl", (vars(m) for m in self.measurements))
        self.report(step, measured.value, measured.standard_error)
        return measured

    def _generate(self, model: Any, rows: list[int]) -> list[Completion]:
        settings, processor = self.settings, self.trainer.processing_class
        generator = InProcessGenerator(model, self.trainer._tokenizer, settings.batch_size, processor)
        sampling = Sampling(settings.max_new_tokens, settings.temperature)
        seed = settings.seed + self.trainer.accelerator.process_index
        # Tokenized by the trainer, which renders conversations: what is measured is asked as what is trained on.
        problems = self.problems.select(rows)
        if picture_column(problems) is not None:
            kwargs = self.trainer.chat_template_kwargs
            prompts = [render(prompt, processor, kwargs) for prompt in problems["prompt"]]
            return generator.generate(prompts, sampling, seed, list(picture_data.pictures_of(problems, "the problems")))
        prompts = self.trainer._tokenize_prompts(problems["prompt"][:])[0]
        return generator.generate(prompts, sampling, seed)

    def _statuses(self, rows: list[int], completions: list[str]) -> list[str]:
        """A grader's own statuses; of any other reward function "correct", "wrong", and "error" for no reward."""
        problems = self.problems.select(rows)
        pictures = picture_column(problems)
        columns = (problems if pictures is None else problems.remove_columns(pictures)).to_dict()
        prompts = columns.pop("prompt")
        if isinstance(self.reward.function, GradedReward):
            return [grade.status for grade in self.reward.function.grades(completions, **columns)]
        if pictures is not None:
            columns[pictures] = problems[pictures][:]  # decoded, as in training
        tokenizer = self.trainer._tokenizer
        args = self.trainer.args
        rewards = TolerantReward(self.reward, args.reward_timeout)(
            prompts=prompts,
            completions=[as_completion(text, prompt) for text, prompt in zip(completions, prompts, strict=True)],
            completion_ids=[tokenizer(text)["input_ids"] for text in completions],
            trainer_state=self.trainer.state,
            log_extra=lambda column, values: None,
            log_metric=lambda name, value: None,
            **columns,
        )
        return ["error" if r is None else "correct" if r >= self.settings.pass_reward else "wrong" for r in rewards]

    def _keep_samples(self, step: int, by_row: dict[int, tuple[Completion, str]]) -> None:
        """Remember the completions of the first measurement and of the newest one."""
        first = self._samples[0]["step"] if self._samples else step
        self._samples = [row for row in self._samples if row["step"] == first and first != step]
        pictures = picture_column(self.problems)
        texts = self.problems if pictures is None else self.problems.remove_columns(pictures)
        for row in range(min(self.settings.samples_to_keep, len(self.problems))):
            problem, (completion, status) = texts[row], by_row[row]
            sample = {"step": step, "prompt": self._shown(problem["prompt"]), "completion": completion.text}
            self._samples.append({**sample, "answer": problem.get("answer"), "status": status})
        write_json_lines(self.folder / "samples.jsonl", self._samples)

    def _shown(self, prompt: Any) -> str:
        """The text that the model continues."""
        if not is_conversation(prompt):
            return str(prompt)
        return chat_text(prompt, self.trainer.processing_class, self.trainer.chat_template_kwargs)


def _summarise(step: int, graded: list[tuple[Completion, str]]) -> Measurement:
    statuses = [status for _, status in graded]
    n, undecided = len(statuses), sum(status in UNDECIDED for status in statuses)
    value = statuses.count("correct") / n if undecided < n else float("nan")
    # Of a share over n problems; every completion is solved or not.
    error = (value * (1 - value) / (n - 1)) ** 0.5 if n > 1 else float("nan")
    return Measurement(
        step=step,
        value=value,
        standard_error=error,
        n_problems=n,
        n_ungraded=undecided,
        statuses={status: statuses.count(status) for status in STATUSES if status in statuses},
        response_tokens=sum(completion.tokens for completion, _ in graded) / n,
        truncated=sum(completion.truncated for completion, _ in graded) / n,
    )


def _from_row(row: dict[str, Any]) -> Measurement:
    nan = float("nan")
    return Measurement(**{**row, **{k: nan for k in ("value", "standard_error") if row[k] is None}})


def load_measurements(folder: Path) -> list[Measurement]:
    """The measurements of a run folder, in the order of their steps; [] when none were made."""
    return [_from_row(row) for row in read_json_lines(folder / "held_out.jsonl")]
