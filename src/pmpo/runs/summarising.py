"""The end of a run: its summary from the measurements, summary.json with the curves, and the table on the screen."""

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pmpo.engine.symptoms import Symptom
from pmpo.foundation.files import write_json
from pmpo.report.curves import draw_curves
from pmpo.runs.plan import Plan
from pmpo.runs.settings import Settings
from pmpo.runs.summary import Summary
from pmpo.runs.verdict import changes, has_learned, verdict

if TYPE_CHECKING:
    from rich.console import Console

    from pmpo.runs.held_out import HeldOutCallback
    from pmpo.runs.measurement import Measurement


@dataclass(frozen=True)
class Ended:
    """What a training came to.

    Attributes:
        steps: optimiser steps, those before a resume included.
        tokens: prompt and completion tokens of all rounds and processes.
        measurements: of the held-out problems, oldest first.
        symptoms: what was found wrong.
    """

    steps: int
    tokens: int
    measurements: "Sequence[Measurement]"
    symptoms: Sequence[Symptom]

    @classmethod
    def of(cls, held_out: "HeldOutCallback") -> "Ended":
        """Of a training with TRL."""
        trainer = held_out.trainer
        state = trainer.state
        return cls(state.global_step, int(state.num_input_tokens_seen), held_out.measurements, trainer.symptoms.found)


def summarise(settings: Settings, plan: Plan, ended: Ended, started: float) -> Summary:
    """The summary of a finished run; `started` is a `time.monotonic()`."""
    measurements = ended.measurements
    first, last = (measurements[0], measurements[-1]) if measurements else (None, None)
    target = settings.run.pass_at_1_target
    result = Summary(
        objective=plan.objective,
        model=plan.model,
        dataset=plan.dataset,
        steps=ended.steps,
        seed=plan.seed,
        pass_at_1_before=_number(first, "value"),
        pass_at_1_after=_number(last, "value"),
        standard_error_before=_number(first, "standard_error"),
        standard_error_after=_number(last, "standard_error"),
        reward_before=_number(first, "reward"),
        reward_after=_number(last, "reward"),
        reward_standard_error_before=_number(first, "reward_standard_error"),
        reward_standard_error_after=_number(last, "reward_standard_error"),
        pass_reward=settings.run.pass_reward,
        highest_reward=_number(last, "highest_reward"),
        n_eval=last.n_problems if last else 0,
        eval_temperature=settings.run.eval_temperature,
        learned=None,
        target=target,
        reached_target=None if target is None or last is None else last.value >= target,
        wall_seconds=round(time.monotonic() - started, 1),
        tokens=ended.tokens,
        warnings=[warning_of(one) for one in ended.symptoms],
    )
    return replace(result, learned=has_learned(changes(result)))


def warning_of(symptom: Symptom) -> str:
    """With the update it was found at, if the run had begun."""
    return f"update {symptom.step}: {symptom.sentence}" if symptom.step else symptom.sentence


def _number(measurement: "Measurement | None", name: str) -> float | None:
    value = None if measurement is None else getattr(measurement, name)
    return None if value is None or math.isnan(value) else value


def write(folder: Path, result: Summary, curves: bool) -> None:
    """summary.json, and curves.png where that is wanted."""
    write_json(folder / "summary.json", asdict(result))
    if curves:
        draw_curves(folder)


def show(folder: Path, result: Summary, console: "Console") -> None:
    """The table at the end: before, after, and where everything was written."""
    from rich.table import Table

    table = Table(title="Result", show_header=False, title_justify="left", title_style="bold")
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("pass@1 before", _measured(result, result.pass_at_1_before, result.standard_error_before))
    table.add_row("pass@1 after", _measured(result, result.pass_at_1_after, result.standard_error_after))
    if any(change.what == "mean reward" for change in changes(result)):
        table.add_row("reward before", _measured(result, result.reward_before, result.reward_standard_error_before))
        table.add_row("reward after", _measured(result, result.reward_after, result.reward_standard_error_after))
    table.add_row("verdict", verdict(result))
    for warning in result.warnings:
        table.add_row("warning", warning)
    minutes, seconds = divmod(round(result.wall_seconds), 60)
    table.add_row("cost", f"{result.steps} updates, {result.tokens:,} tokens, {minutes} min {seconds:02d} s")
    table.add_row("folder", str(folder))
    table.add_row("files", ", ".join(sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))))
    console.print(table)


def _measured(result: Summary, value: float | None, error: float | None) -> str:
    if value is None:
        return f"none of {result.n_eval} completions could be graded" if result.n_eval else "not measured"
    how = "greedy" if result.eval_temperature == 0 else f"sampled at temperature {result.eval_temperature:g}"
    return f"{value:.3f}" + (f" ± {error:.3f}" if error is not None else "") + f"  ({result.n_eval} problems, {how})"
