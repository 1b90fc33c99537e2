"""What came out of a run: summary.json, the curves, and the table at the end."""

import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pmpo.report.curves import draw_curves
from pmpo.tasks.files import write_json
from pmpo.training.arguments import Settings
from pmpo.training.plan import Plan

if TYPE_CHECKING:
    from rich.console import Console

    from pmpo.training.held_out import Measurement


@dataclass(frozen=True)
class Summary:
    """The content of summary.json.

    Attributes:
        objective, model, dataset, seed: as run.
        steps: optimiser steps made, those before a resume included.
        pass_at_1_before, pass_at_1_after: share of `n_eval` held-out problems that one completion each solves, 0..1;
            None when not measured.
        eval_temperature: of those completions; 0 is greedy.
        standard_error_before, standard_error_after: of those shares, over problems.
        learned: True when pass@1 rose by more than two standard errors of the difference; None when not measured.
        target, reached_target: pass_at_1_target and whether the run reached it; None without a target.
        wall_seconds: of this process, loading and measuring included.
        tokens: prompt and completion tokens generated in training, all processes.
    """

    objective: str
    model: str
    dataset: str
    steps: int
    seed: int
    pass_at_1_before: float | None
    pass_at_1_after: float | None
    standard_error_before: float | None
    standard_error_after: float | None
    n_eval: int
    eval_temperature: float
    learned: bool | None
    target: float | None
    reached_target: bool | None
    wall_seconds: float
    tokens: int


def summarise(settings: Settings, plan: Plan, state: Any, measurements: "list[Measurement]", started: float) -> Summary:
    """The summary of a finished run; `started` is a `time.monotonic()`."""
    first, last = (measurements[0], measurements[-1]) if measurements else (None, None)
    target = settings.run.pass_at_1_target
    return Summary(
        objective=plan.objective,
        model=plan.model,
        dataset=plan.dataset,
        steps=state.global_step,
        seed=plan.seed,
        pass_at_1_before=_number(first, "value"),
        pass_at_1_after=_number(last, "value"),
        standard_error_before=_number(first, "standard_error"),
        standard_error_after=_number(last, "standard_error"),
        n_eval=last.n_problems if last else 0,
        eval_temperature=settings.run.eval_temperature,
        learned=None if last is None else _rose(first, last),
        target=target,
        reached_target=None if target is None or last is None else last.value >= target,
        wall_seconds=round(time.monotonic() - started, 1),
        tokens=int(state.num_input_tokens_seen),
    )


def _number(measurement: "Measurement | None", name: str) -> float | None:
    value = None if measurement is None else getattr(measurement, name)
    return None if value is None or math.isnan(value) else value


def _rose(first: "Measurement", last: "Measurement") -> bool:
    """More than two standard errors of the difference, taken as if the two measurements were independent."""
    return last.value - first.value > 2 * math.hypot(first.standard_error, last.standard_error)


def write(folder: Path, result: Summary) -> None:
    """summary.json and curves.png."""
    write_json(folder / "summary.json", asdict(result))
    draw_curves(folder)


def show(folder: Path, result: Summary, console: "Console") -> None:
    """The table at the end: before, after, and where everything was written."""
    from rich.table import Table

    table = Table(title="Result", show_header=False, title_justify="left", title_style="bold")
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("pass@1 before", _share(result, result.pass_at_1_before, result.standard_error_before))
    table.add_row("pass@1 after", _share(result, result.pass_at_1_after, result.standard_error_after))
    table.add_row("verdict", verdict(result))
    minutes, seconds = divmod(round(result.wall_seconds), 60)
    table.add_row("cost", f"{result.steps} updates, {result.tokens:,} tokens, {minutes} min {seconds:02d} s")
    table.add_row("folder", str(folder))
    table.add_row("files", ", ".join(sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))))
    console.print(table)


def _share(result: Summary, value: float | None, error: float | None) -> str:
    if value is None:
        return f"none of {result.n_eval} completions could be graded" if result.n_eval else "not measured"
    how = "greedy" if result.eval_temperature == 0 else f"sampled at temperature {result.eval_temperature:g}"
    return f"{value:.3f}" + (f" ± {error:.3f}" if error is not None else "") + f"  ({result.n_eval} problems, {how})"


def verdict(result: Summary) -> str:
    """One honest sentence."""
    if result.pass_at_1_after is None or result.pass_at_1_before is None:
        return "nothing can be said without held-out problems"
    change = result.pass_at_1_after - result.pass_at_1_before
    if result.learned:
        sentence = f"learned: pass@1 rose by {change:.3f}"
    elif change > 0:
        sentence = f"rose by {change:.3f}, which is within the noise of {result.n_eval} problems"
    elif change == 0:
        sentence = "did not learn: pass@1 is unchanged"
    else:
        sentence = f"did not learn: pass@1 fell by {-change:.3f}"
    if result.target is not None:
        reached = "reached" if result.reached_target else "NOT reached"
        sentence += f"; the target of {result.target:g} was {reached}"
    return sentence
