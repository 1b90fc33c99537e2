"""Studies and run folders that nobody trained, in the layout that `pmpo compare` and `pmpo train` write.

    study(folder)                     4 objectives × 4 learning rates × 5 seeds, every run with its folder
    study(folder, regimes=True)       the same at one learning rate × 5 regimes, results.jsonl alone
    run_folder(folder, kind="truncated")      one run with that symptom (`KINDS`)

`hostile=True` fills names, messages, prompts and completions with the texts of `hostile.py`. Everything follows from
its arguments: two calls write the same bytes.
"""

import json
import math
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

import pmpo
from hostile import LABEL, MESSAGE
from made_up_rows import EVERY, KINDS, held_out_rows, metrics_rows, rising, sample_rows, token_rows
from pmpo.comparison.results import CRASHED, DIVERGED, FINISHED, Point, RunResult
from pmpo.comparison.study import PlannedRun, Study
from pmpo.foundation.files import plain

__all__ = ["KINDS", "Shape", "results", "run_folder", "study"]

RATES = (1e-4, 2e-4, 4e-4, 8e-4)
REGIMES = (
    {"rollout_staleness": 0, "num_iterations": 1, "sampler_noise": 0.0},
    {"rollout_staleness": 2, "num_iterations": 1, "sampler_noise": 0.0},
    {"rollout_staleness": 8, "num_iterations": 1, "sampler_noise": 0.0},
    {"rollout_staleness": 0, "num_iterations": 4, "sampler_noise": 0.0},
    {"rollout_staleness": 0, "num_iterations": 1, "sampler_noise": 0.5},
)
OBJECTIVES = {
    "grpo": {"objective": "grpo"}, "gmpo": {"objective": "gmpo"}, "pmpo": {"objective": "pmpo"},
    "signed": {"objective": "gmpo", "exponent": "signed"},
}  # fmt: skip
BEST = {"grpo": (0.56, 1.5e-4), "gmpo": (0.58, 2e-4), "pmpo": (0.60, 2.2e-4), "signed": (0.63, 3e-4)}
"""Score at each objective's best learning rate, and that rate: what the made-up numbers are noise around."""
N_EVAL, ROUND = 512, 512


@dataclass(frozen=True)
class Shape:
    """How large a made-up study is.

    Attributes:
        seeds: 0, 1, ….
        rates: learning rates; with `regimes` every regime runs at each.
        steps: updates of a run; a multiple of `EVERY`.
        regimes: whether staleness, epochs and sampler noise vary as well.
        hostile: whether names, messages and texts try to break out of a page.
        folders: whether each run has its folder under runs/.
    """

    seeds: int = 5
    rates: tuple[float, ...] = RATES
    steps: int = 240
    regimes: bool = False
    hostile: bool = False
    folders: bool = True
    objectives: dict[str, Any] = field(default_factory=lambda: dict(OBJECTIVES))


def results(shape: Shape) -> list[RunResult]:
    """One row a run: most finish, the fastest learning rate makes grpo diverge at times, and one run crashes."""
    return [_result(shape, run) for run in _study(shape).runs()]


def study(folder: Path, shape: Shape | None = None, **changes: Any) -> Path:
    """Write study.yaml, results.jsonl and, if the shape wants them, the run folders.

    Args:
        changes: fields of `Shape`.
    Returns: the folder.
    """
    shape = shape or Shape(**{"folders": not changes.get("regimes", False), **changes})
    folder.mkdir(parents=True, exist_ok=True)
    found = results(shape)
    (folder / "study.yaml").write_text(yaml.safe_dump(plain(_study(shape).to_mapping()), sort_keys=False))
    (folder / "results.jsonl").write_text("".join(json.dumps(result.to_row()) + "\n" for result in found))
    for result in found if shape.folders else []:
        kind = "exploding_ratios" if result.status == DIVERGED else "healthy"
        run_folder(folder / result.folder, kind, objective=_known(result.objective), seed=result.seed,
                   steps=shape.steps, hostile=shape.hostile, result=result)  # fmt: skip
    return folder


def run_folder(
    folder: Path,
    kind: str = "healthy",
    *,
    objective: str = "pmpo",
    seed: int = 0,
    steps: int = 240,
    hostile: bool = False,
    result: RunResult | None = None,
    **arguments: Any,
) -> Path:
    """Write config.yaml, metrics.jsonl, held_out.jsonl, samples.jsonl, tokens.jsonl and summary.json.

    Args:
        kind: what is wrong with the run, one of `KINDS`.
        result: of a study, whose curve the folder then shows; its last rows are missing if the run did not finish.
        arguments: further settings of config.yaml, such as top_p=0.9.
    Returns: the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    noise = random.Random(f"{objective} {kind} {seed} {folder.name}")
    what = pmpo.objective(**_parts(OBJECTIVES.get(objective, {"objective": objective})))
    curve = [(point.step, point.score) for point in result.curve] if result else _own_curve(steps, kind, noise)
    made = curve[-1][0] if curve else 0
    exponent = None if what.exponent == pmpo.objective("pmpo").exponent else getattr(what.exponent, "value", 0.0)
    metrics = metrics_rows(steps, kind, max((v for _, v in curve), default=0.0), exponent, noise)
    _write_lines(folder / "metrics.jsonl", [row for row in metrics if row["step"] <= made])
    _write_lines(folder / "held_out.jsonl", held_out_rows(curve, N_EVAL))
    _write_lines(folder / "samples.jsonl", sample_rows(made, hostile))
    _write_lines(folder / "tokens.jsonl", token_rows(sorted({EVERY, made}), what, seed, hostile))
    settings = {
        "objective": what.name, "learning_rate": 1.5e-4, "max_steps": steps, "num_iterations": 1, "seed": seed,
        "steps_per_generation": EVERY, "temperature": 1.0, "top_p": 1.0, "top_k": 0, "max_completion_length": 24,
        "dataset": "sums", "task": None, "logging_steps": EVERY, "num_generations": 8, "output_dir": str(folder),
    }  # fmt: skip
    settings |= {**(result.settings if result else {}), **arguments}
    record = {
        "command": f"pmpo train --objective {objective} --seed {seed}", "seed": seed, "objective": what.to_mapping(),
        "started": "2026-11-21T20:49:22+00:00", "versions": {"pmpo": "0.1.0"},
    }  # fmt: skip
    (folder / "config.yaml").write_text(yaml.safe_dump({**settings, "record": record}, allow_unicode=True))
    if not result or result.status == FINISHED:
        _write_summary(folder, what.name, seed, steps, curve)
    return folder


def _study(shape: Shape) -> Study:
    cells = [
        {"learning_rate": rate, **regime} for regime in (REGIMES if shape.regimes else ({},)) for rate in shape.rates
    ]
    return Study(
        "made up", {"task": "sums", "max_steps": shape.steps},
        {_label(name, shape): dict(changes) for name, changes in shape.objectives.items()},
        tuple(cells), tuple(range(shape.seeds)), "pass_at_1", _label("grpo", shape), 0.5,
    )  # fmt: skip


def _label(objective: str, shape: Shape) -> str:
    return LABEL if shape.hostile and objective == "signed" else objective


def _known(label: str) -> str:
    """The name in `OBJECTIVES` behind a label."""
    return "signed" if label == LABEL else label


def _parts(changes: dict[str, Any]) -> dict[str, Any]:
    return {"value" if name == "objective" else name: value for name, value in changes.items()}


def _result(shape: Shape, run: PlannedRun) -> RunResult:
    objective, cell, seed = _known(run.objective), run.settings, run.seed
    noise = random.Random(f"{objective} {sorted(cell.items())} {seed}")
    rate, stale = cell["learning_rate"], cell.get("rollout_staleness", 0)
    luck = random.Random(f"{sorted(cell.items())} {seed}").gauss(0, 0.02)  # shared by the objectives: pairs help
    score, best = BEST.get(objective, (0.5, 2e-4))
    score -= 0.09 * math.log2(rate / best) ** 2 * (1 + 0.2 * stale) + 0.02 * stale * (objective == "gmpo")
    score = min(0.98, max(0.01, score + luck + noise.gauss(0, 0.015)))
    status, message, end = FINISHED, "", shape.steps
    if rate == max(shape.rates) and objective == "grpo" and seed % 2:
        status, end = DIVERGED, shape.steps // 2 // EVERY * EVERY
        message = f"The loss was not finite at step {end} (completion 3 of the micro-batch)."
    if rate == min(shape.rates) and objective == "pmpo" and seed == 3 and not stale:
        status, end = CRASHED, shape.steps // 4 // EVERY * EVERY
        message = MESSAGE if shape.hostile else "The process ended with signal 9 (killed)."
    every = max(EVERY, shape.steps // 6 // EVERY * EVERY)
    curve = tuple(
        Point(step, step // EVERY * ROUND, round(rising(step / shape.steps, 0.17, score) * N_EVAL) / N_EVAL)
        for step in [*range(0, end, every), end]
    )
    return RunResult(
        run.objective, cell, seed, status, curve, shape.steps, N_EVAL, 0.2 * end + noise.random(), f"runs/{run.name}",
        f"pmpo train --objective {objective} --learning_rate {rate:g} --seed {seed}", run.configuration, message,
        {"entropy": 0.11 + 0.02 * noise.random()},
    )  # fmt: skip


def _own_curve(steps: int, kind: str, noise: random.Random) -> list[tuple[int, float]]:
    every = max(EVERY, steps // 6 // EVERY * EVERY)
    end = {"healthy": 0.6, "no_signal": 0.0}.get(kind, 0.1)
    start = 0.0 if kind == "no_signal" else 0.17
    points = [*range(0, steps, every), steps]
    return [(s, round(min(1, max(0, rising(s / steps, start, end))) * N_EVAL) / N_EVAL) for s in points]


def _write_summary(folder: Path, name: str, seed: int, steps: int, curve: list[tuple[int, float]]) -> None:
    before, after = curve[0][1], curve[-1][1]
    written = {
        "objective": name, "model": "built-in base model for sums", "dataset": "sums", "steps": steps, "seed": seed,
        "pass_at_1_before": before, "pass_at_1_after": after, "standard_error_before": 0.017,
        "standard_error_after": 0.022, "reward_before": before, "reward_after": after,
        "reward_standard_error_before": 0.017, "reward_standard_error_after": 0.022, "pass_reward": 1.0,
        "highest_reward": 1.0, "n_eval": N_EVAL, "eval_temperature": 1.0, "learned": after > before + 0.06,
        "target": 0.6, "reached_target": after >= 0.6, "wall_seconds": 0.2 * steps, "tokens": 1853 * steps,
        "warnings": [],
    }  # fmt: skip
    (folder / "summary.json").write_text(json.dumps(written, indent=2))


def _write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
