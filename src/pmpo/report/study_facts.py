"""What a report knows of a study: its runs, what they are compared to, and short names for regimes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pmpo.comparison.results import FINISHED, RunResult, read_results
from pmpo.comparison.table_rows import RegimeCell, TunedScore
from pmpo.comparison.tables import RATE, regime_grid, summarise_cells, tuned_scores
from pmpo.foundation.errors import InputError, shortened, unknown_name
from pmpo.foundation.options import read_options
from pmpo.report.parts import Source
from pmpo.report.svg import number

RESULTS, STUDY = "results.jsonl", "study.yaml"
_SCORES = {"pass_at_1": "held-out pass@1", "reward": "held-out mean reward"}
_MANY = 1200
"""Runs from which on not every dot is a link, for the size of the page."""
_TARGET_SHARE = 0.9
"""Of the baseline's best mean score: the target of a study that names none."""


@dataclass(frozen=True)
class Regime:
    """A cell without its learning rate.

    Attributes:
        key: the settings, sorted: equal for equal regimes.
        name: for people.
    """

    key: tuple[tuple[str, Any], ...]
    name: str


@dataclass(frozen=True)
class StudyFacts:
    """A study as a report sees it.

    Attributes:
        name: of the study.
        results: its runs, whatever became of them; at least one.
        baseline: label of the objective that the others are compared to.
        target: score whose rollouts are counted.
        chosen_target: whether the study names no target, and this one is `_TARGET_SHARE` of the baseline's best.
        score: what a score is, for axes.
        source: command and hash, for under the figures.
        folder: that run folders are relative to.
    """

    name: str
    results: tuple[RunResult, ...]
    baseline: str
    target: float
    chosen_target: bool
    score: str
    source: Source
    folder: Path

    @cached_property
    def objectives(self) -> tuple[str, ...]:
        """Labels, in the order of the results."""
        return tuple(dict.fromkeys(run.objective for run in self.results))

    @cached_property
    def rates(self) -> tuple[float, ...]:
        """Learning rates that vary, rising; () where it does not vary."""
        return tuple(sorted({float(run.settings[RATE]) for run in self.results if RATE in run.settings}))

    @cached_property
    def regimes(self) -> tuple[Regime, ...]:
        """In the order of the results."""
        keys = dict.fromkeys(regime_key(run.settings) for run in self.results)
        varied = {name for key in keys for name, value in key if any((name, value) not in other for other in keys)}
        return tuple(Regime(key, regime_name(dict(key), varied)) for key in keys)

    @cached_property
    def tuned(self) -> tuple[TunedScore, ...]:
        """Every objective in every regime at its best learning rate, which seeds that are not reported have chosen."""
        return tuple(tuned_scores(self.results))

    @cached_property
    def grid(self) -> tuple[RegimeCell, ...]:
        """The winner of every regime."""
        return tuple(regime_grid(self.results))

    def index(self, objective: str) -> int:
        """The number of an objective's series."""
        return self.objectives.index(objective)

    def regime(self, settings: Mapping[str, Any]) -> Regime:
        """The regime of a cell."""
        return next(one for one in self.regimes if one.key == regime_key(settings))

    def number(self, run: RunResult) -> int:
        """The place of a run in the study, which names it on the page: r0, r1, …"""
        return self._places[id(run)]

    @cached_property
    def followed(self) -> frozenset[int]:
        """Numbers of the runs whose dots are links: all, or of very many those at the best rates and broken ones."""
        if len(self.results) <= _MANY:
            return frozenset(range(len(self.results)))
        best = {(row.objective, regime_key(row.settings)): row.rate for row in self.tuned}
        return frozenset(
            n for n, run in enumerate(self.results)
            if run.status != FINISHED
            or run.settings.get(RATE) in (None, best.get((run.objective, regime_key(run.settings))))
        )  # fmt: skip

    @cached_property
    def _places(self) -> dict[int, int]:
        return {id(run): place for place, run in enumerate(self.results)}


def regime_key(settings: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """The settings of a cell without the learning rate."""
    return tuple(sorted((name, value) for name, value in settings.items() if name != RATE))


_KNOWN = {
    "rollout_staleness": (0, "rollouts {} rounds old"),
    "num_iterations": (1, "{} epochs"),
    "sampler_noise": (0, "sampler noise {}"),
}
"""{setting: (its neutral value, what another one is called)}."""


def regime_name(settings: Mapping[str, Any], varied: set[str] | frozenset[str] = frozenset()) -> str:
    """A regime for people, by the settings in which it differs from others.

    >>> regime_name({"rollout_staleness": 8, "num_iterations": 1, "max_steps": 80}, {"max_steps"})
    'rollouts 8 rounds old, max_steps 80'
    >>> regime_name({"rollout_staleness": 0}), regime_name({})
    ('fresh', 'all runs')
    """
    said = [_KNOWN[n][1].format(value_text(v)) for n, v in settings.items() if n in _KNOWN and v != _KNOWN[n][0]]
    if not said and any(name in _KNOWN for name in settings):
        said = ["fresh"]
    said += [f"{n} {value_text(v)}" for n, v in settings.items() if n in varied and n not in _KNOWN]
    return ", ".join(said) or "all runs"


def value_text(value: Any) -> str:
    """A setting's value, short."""
    if isinstance(value, float):
        return number(value)
    return shortened(value if isinstance(value, str) else json.dumps(value, default=str), 40)


def cell_name(facts: StudyFacts, settings: Mapping[str, Any]) -> str:
    """A cell for people: its regime where there are several, and its learning rate; "" where neither varies."""
    parts = [facts.regime(settings).name] if len(facts.regimes) > 1 else []
    parts += [f"learning rate {number(float(settings[RATE]))}"] if RATE in settings else []
    return ", ".join(parts)


def is_study(path: Path) -> bool:
    """Whether the path is a study's folder or its results."""
    return path.suffix == ".jsonl" if path.is_file() else (path / RESULTS).is_file()


def read_study_facts(paths: Sequence[Path], *, baseline: str = "", target: float | None = None) -> StudyFacts:
    """A study from its folder or from its results alone; several are one whose runs stand in several places.

    Args:
        baseline, target: in the place of those of study.yaml, which may be missing.
    Raises: InputError for what cannot be read, a study without runs, and a baseline that no run is of.
    """
    folder, file = _places(paths[0])
    said = read_options(folder / STUDY) if (folder / STUDY).is_file() else {}
    found = [run for path in paths for run in _read(path, beside=folder)]
    if not found:
        raise InputError(f"{file} holds no run yet. Once a run of the study has ended, its row is there.")
    results = _ordered(found, said)
    labels = list(dict.fromkeys(run.objective for run in results))
    baseline = baseline or str(said.get("baseline") or ("grpo" if "grpo" in labels else labels[0]))
    if baseline not in labels:
        raise InputError(unknown_name("baseline", baseline, labels))
    target = target if target is not None else said.get("target")
    facts = StudyFacts(
        name=str(said.get("name") or (file.stem if paths[0].is_file() else folder.resolve().name)),
        results=results,
        baseline=baseline,
        target=0.0 if target is None else float(target),
        chosen_target=target is None,
        score=_SCORES.get(str(said.get("score")), "held-out score"),
        source=Source(_command(paths, folder, said), configuration_of(results)),
        folder=folder,
    )
    return facts if target is not None else replace(facts, target=_target(facts))


def _places(path: Path) -> tuple[Path, Path]:
    """The folder of a study and its results file."""
    return (path.parent, path) if path.is_file() else (path, path / RESULTS)


def _read(path: Path, beside: Path) -> list[RunResult]:
    """The runs of one place, their folders relative to another."""
    folder, file = _places(path)
    runs = read_results(file)
    if folder == beside:
        return runs
    return [replace(run, folder=str(folder.resolve() / run.folder)) if run.folder else run for run in runs]


def _ordered(found: Sequence[RunResult], said: Mapping[str, Any]) -> tuple[RunResult, ...]:
    """One row a run, the newest, in the order of the study, which is not that in which runs ended."""
    results = {(run.objective, run.cell, run.seed): run for run in found}.values()
    labels = list(dict.fromkeys([*map(str, said.get("objectives") or ()), *sorted({run.objective for run in results})]))
    cells = [cell for cell in said.get("cells") or () if isinstance(cell, Mapping)]
    regimes = list(
        dict.fromkeys([*map(regime_key, cells), *sorted({regime_key(run.settings) for run in results}, key=_plainest)])
    )
    return tuple(
        sorted(
            results,
            key=lambda run: (
                regimes.index(regime_key(run.settings)),
                float(run.settings.get(RATE, 0.0)),
                labels.index(run.objective),
                run.seed,
            ),
        )
    )


def _plainest(key: tuple[tuple[str, Any], ...]) -> tuple[int, str]:
    """Regimes with the fewest settings beyond their neutral values first."""
    changed = sum(value != _KNOWN[name][0] for name, value in key if name in _KNOWN)
    return changed, json.dumps([[name, value] for name, value in key], default=str)


def configuration_of(results: Sequence[RunResult]) -> str:
    """One hash of every run's configuration, whatever their order."""
    keys = sorted(json.dumps([r.objective, r.cell, r.seed, r.configuration], default=str) for r in results)
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()[:12]


def _command(paths: Sequence[Path], folder: Path, said: Mapping[str, Any]) -> str:
    """That makes the results again, or the page where that is not known."""
    if said and len(paths) == 1:
        return f"pmpo compare --study {folder / STUDY} --output_dir {folder}"
    return f"pmpo report {' '.join(map(str, paths))}"


def _target(facts: StudyFacts) -> float:
    """A share of the best mean score of the baseline, to two digits."""
    means = [row.mean.value for row in summarise_cells(facts.results) if row.objective == facts.baseline]
    return round(_TARGET_SHARE * max(means), 2)
