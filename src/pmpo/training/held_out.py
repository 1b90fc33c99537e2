"""Pass@1 on held-out problems before, during and after training, measured inside the trainer on every process.

Measured in the trainer's callbacks because only there is the model placed, wrapped and sharded as it trains.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from pmpo.evaluation.pass_at_1 import PassAt1, pass_at_1
from pmpo.tasks.files import read_json_lines, write_json_lines
from pmpo.tasks.rewards import CheckedReward

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
    """Pass@1 at one optimiser step. `n_ungraded` completions got no reward and are left out of `value`."""

    step: int
    value: float
    standard_error: float
    n_problems: int
    n_ungraded: int


@dataclass
class HeldOutCallback(TrainerCallback):
    """Measures at the start, every so many steps, and at the end; keeps held_out.jsonl and samples.jsonl up to date."""

    problems: "Dataset"
    reward: CheckedReward
    settings: HeldOutSettings
    folder: Path
    report: Report
    trainer: "PMPOTrainer | None" = None
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
            result = self._pass_at_1(model, trainer.processing_class, own)
        gathered = gather_object(list(zip(own, result.completions[0], result.grades[0], strict=True)))
        by_row = {row: (completion, grade) for row, completion, grade in gathered}
        measured = _summarise(step, [by_row[row][1] for row in rows])
        self.measurements.append(measured)
        if accelerator.is_main_process:
            self._keep_samples(step, by_row)
            write_json_lines(self.folder / "held_out.jsonl", (vars(m) for m in self.measurements))
        self.report(step, measured.value, measured.standard_error)
        return measured

    def _pass_at_1(self, model: Any, tokenizer: Any, rows: list[int]) -> PassAt1:
        columns = self.problems.select(rows).to_dict()
        prompts = columns.pop("prompt")

        def grade(completions: list[str]) -> list[float | None]:
            rewards = self.reward(
                prompts=prompts,
                completions=completions,
                completion_ids=[tokenizer(text)["input_ids"] for text in completions],
                trainer_state=self.trainer.state,
                log_extra=lambda column, values: None,
                log_metric=lambda name, value: None,
                **columns,
            )
            return [None if r is None else float(r >= self.settings.pass_reward) for r in rewards]

        return pass_at_1(
            model,
            tokenizer,
            prompts,
            grade,
            max_new_tokens=self.settings.max_new_tokens,
            batch_size=self.settings.batch_size,
            temperature=self.settings.temperature,
            seed=self.settings.seed + self.trainer.accelerator.process_index,
        )

    def _keep_samples(self, step: int, by_row: dict[int, tuple[str, float | None]]) -> None:
        """Remember the completions of the first measurement and of the newest one."""
        first = self._samples[0]["step"] if self._samples else step
        self._samples = [row for row in self._samples if row["step"] == first and first != step]
        for row in range(min(self.settings.samples_to_keep, len(self.problems))):
            problem, (completion, grade) = self.problems[row], by_row[row]
            sample = {"step": step, "prompt": problem["prompt"], "completion": completion}
            self._samples.append({**sample, "answer": problem.get("answer"), "passed": grade})
        write_json_lines(self.folder / "samples.jsonl", self._samples)


def _summarise(step: int, grades: list[float | None]) -> Measurement:
    graded = [grade for grade in grades if grade is not None]
    n = len(graded)
    value = sum(graded) / n if n else float("nan")
    # Of a share over n problems; every grade is 0 or 1 here.
    error = (value * (1 - value) / (n - 1)) ** 0.5 if n > 1 else float("nan")
    return Measurement(step, value, error, len(grades), len(grades) - n)


def _from_row(row: dict[str, Any]) -> Measurement:
    nan = float("nan")
    numbers = {k: nan if row[k] is None else row[k] for k in ("value", "standard_error")}
    return Measurement(row["step"], numbers["value"], numbers["standard_error"], row["n_problems"], row["n_ungraded"])


def load_measurements(folder: Path) -> list[Measurement]:
    """The measurements of a run folder, in the order of their steps; [] when none were made."""
    return [_from_row(row) for row in read_json_lines(folder / "held_out.jsonl")]
