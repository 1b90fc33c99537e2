"""The page of one run: what it was, what is wrong with it in words, its figures, and some of its completions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pmpo.comparison.results import FINISHED, RunResult
from pmpo.report.escape import escape
from pmpo.report.parts import Figure, Fold, Html, Section, Table, Text
from pmpo.report.run_data import RunData, read_run
from pmpo.report.run_drawing import View
from pmpo.report.run_figures import run_figures

_SAMPLES = 8
"""Problems whose completions are shown."""
_LONGEST = 1200
"""Characters of a completion that are shown."""
_SETTINGS = (
    "learning_rate", "max_steps", "per_device_train_batch_size", "num_generations", "steps_per_generation",
    "num_iterations", "gradient_accumulation_steps", "temperature", "top_p", "top_k", "max_completion_length",
    "rollout_staleness", "sampler_noise", "correction", "old_policy", "beta", "max_grad_norm", "seed",
)  # fmt: skip
"""What of a run's settings is shown, where it is known; config.yaml has the rest."""


def run_sections(
    path: Path, *, prefix: str = "run", points: int = 80, result: RunResult | None = None
) -> list[Section]:
    """Everything about one run.

    Args:
        path: a run's folder, a checkpoint of another trainer, or a file of its log (`pmpo.report.foreign_log`).
        prefix: what the ids on the page begin with; letters, digits and hyphens.
        points: most points of a line; fewer make a smaller page.
        result: its row of a study, for a run that diverged or crashed.
    Returns: one section of level 2 and those of level 3 that belong to it.
    Raises: InputError where there is no log of training.
    """
    run = read_run(path)
    figures = run_figures(View(run, prefix, points))
    sections = [
        Section(prefix, f"Run: {run.name}", (*_outcome(run, result), _settings(run))),
        Section(f"{prefix}-diagnosis", "Diagnosis", (diagnosis(run, figures, prefix),), level=3),
        Section(f"{prefix}-curves", "Curves", tuple(figures), level=3),
    ]
    completions = _completions(run)
    if completions is not None:
        sections.append(Section(f"{prefix}-completions", "Completions", (completions,), level=3))
    return sections


def diagnosis(run: RunData, figures: Sequence[Figure], prefix: str) -> Html:
    """What is wrong with a run, in words: each symptom with its figure and the setting to try."""
    events = f"{len(run.rows)} log event{'' if len(run.rows) == 1 else 's'}"
    if not run.symptoms:
        return Html(f"<p>Nothing that keeps a run from learning shows in its {events}.</p>")
    titles = {figure.id.removeprefix(f"{prefix}-"): figure.title for figure in figures}
    items = "".join(
        f'<li id="{prefix}-symptom-{number}"><strong>{escape(one.title)}</strong>'
        f"{f' (update {one.step})' if one.step else ' (the settings)'}. {escape(one.sentence)} "
        f"{_figure_link(prefix, one.figure, titles)}To try first: <strong>{escape(one.setting)}</strong>.</li>"
        for number, one in enumerate(run.symptoms, start=1)
    )
    first = (
        "<p>Oldest first: what showed first is the likeliest cause of the rest.</p>" if len(run.symptoms) > 1 else ""
    )
    return Html(f'{first}<ol class="diagnosis">{items}</ol>')


def _figure_link(prefix: str, name: str, titles: Mapping[str, str]) -> str:
    """To the figure that shows it, where the run has numbers for it."""
    return f'<a href="#{prefix}-{name}">See: {escape(titles[name])}</a>. ' if name in titles else ""


def _outcome(run: RunData, result: RunResult | None) -> list[Text]:
    """How it ended, in sentences."""
    said = []
    if result is not None and result.status != FINISHED:
        said.append(f"This run {result.status}: {result.message or 'no reason was written down'}")
    before, after = (run.summary.get(f"pass_at_1_{when}") for when in ("before", "after"))
    if isinstance(before, int | float) and isinstance(after, int | float):
        errors = [run.summary.get(f"standard_error_{when}") or 0.0 for when in ("before", "after")]
        said.append(
            f"Held-out pass@1 went from {before:.3f} ± {errors[0]:.3f} to {after:.3f} ± {errors[1]:.3f} (standard "
            f"errors over {run.summary.get('n_eval')} problems) in {run.summary.get('steps')} updates."
        )
    elif result is None or result.status == FINISHED:
        said.append(f"The log ends at update {run.rows[-1]['step']}, and there is no summary of the run.")
    return [Text(tuple(said))]


def _settings(run: RunData) -> Fold:
    objective = run.settings.get("objective")
    facts = [(name, run.summary.get(name)) for name in ("model", "dataset")]
    facts += list(objective.items()) if isinstance(objective, Mapping) else [("objective", objective)]
    facts += [(name, run.settings.get(name)) for name in _SETTINGS]
    rows = tuple((name, _plain(value)) for name, value in facts if value is not None)
    if not rows:
        return Fold("Settings", (Text(("They are not known: there is no config.yaml beside the log.",)),))
    return Fold("Settings", (Table(("setting", "value"), rows),))


def _plain(value: Any) -> str:
    """A part of an objective on one line: "clip_aware_ess, reading two_sided"."""
    if not isinstance(value, Mapping):
        return str(value)
    return ", ".join(f"{key}: {_plain(one)}" for key, one in value.items() if one is not None)


def _completions(run: RunData) -> Html | None:
    """Held-out completions before and after, escaped; None where none were kept."""
    steps = sorted({row["step"] for row in run.samples if isinstance(row.get("step"), int)})
    if not steps:
        return None
    parts = []
    for step in (steps[0], steps[-1])[: len(steps)]:
        shown = [row for row in run.samples if row.get("step") == step][:_SAMPLES]
        items = "".join(_completion(row) for row in shown)
        title = f"At update {step}: {len(shown)} held-out completions"
        parts.append(f'<details class="fold"><summary>{escape(title)}</summary>{items}</details>')
    return Html("".join(parts))


def _completion(row: Mapping[str, Any]) -> str:
    text = str(row.get("completion", ""))
    cut = f" … ({len(text) - _LONGEST} characters more)" if len(text) > _LONGEST else ""
    reward = row.get("reward")
    said = f"{row.get('status', '')}, reward {reward}, answer {row.get('answer')}"
    shown = f"{row.get('prompt', '')}{text[:_LONGEST]}{cut}"
    return f'<div class="run"><p>{escape(said)}</p><pre tabindex="0">{escape(shown)}</pre></div>'
