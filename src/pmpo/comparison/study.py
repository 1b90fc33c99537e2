"""What a study compares: objectives × cells of settings × seeds, on one base of settings; as data, and as runs."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from pmpo.comparison.grid import Cell, cell_text, cells_of, number, value_text
from pmpo.foundation.errors import InputError, unknown_name
from pmpo.foundation.options import check_names, read_options

SCORES = ("pass_at_1", "reward")
_OWN = ("seed", "output_dir", "resume_from_checkpoint", "overwrite_output_dir", "dry_run", "progress")
"""Settings of a run that the study gives."""
_LONGEST_NAME = 120
"""Characters of a folder's name; file systems take 255 bytes."""


@dataclass(frozen=True)
class PlannedRun:
    """One run of a study, before it is made.

    Attributes:
        objective: its label.
        settings: its cell.
        options: all of the run's settings that are not the default, without its folder.
    """

    objective: str
    settings: Mapping[str, Any]
    seed: int
    options: Mapping[str, Any]

    @property
    def key(self) -> str:
        """The same for the same run, and for no other run of a study."""
        return run_key(self.objective, self.settings, self.seed)

    @property
    def name(self) -> str:
        """Of its folder."""
        parts = [self.objective, *(f"{n}={value_text(v)}" for n, v in self.settings.items()), f"seed={self.seed}"]
        said = "_".join(parts)
        plain = re.sub(r"[^\w.=+-]+", "-", said)[:_LONGEST_NAME]
        return plain if plain == said else f"{plain}-{_digest(self.key)[:6]}"

    @property
    def configuration(self) -> str:
        """A hash of the settings that decide its numbers."""
        return _digest(json.dumps(dict(self.options), sort_keys=True, default=str))

    def __str__(self) -> str:
        cell = f"{cell_text(self.settings)}, " if self.settings else ""
        return f"{self.objective}, {cell}seed {self.seed}"


def run_key(objective: str, settings: Mapping[str, Any], seed: int) -> str:
    """What tells a run of a study from its others."""
    return json.dumps([objective, sorted(settings.items()), seed], default=str)


@dataclass(frozen=True)
class Study:
    """A comparison as data.

    Attributes:
        name: of the file that it was read from.
        base: settings of `pmpo train` that every run has.
        objectives: by label, the settings that make a run one of that objective: {"gmpo": {"objective": "gmpo"}}.
        cells: of varied settings; one without any where nothing but the objective varies.
        seeds: of every objective in every cell.
        score: what is compared, one of `SCORES`.
        baseline: label of the objective that others are compared to; the first by default.
        target: score that a run should reach; None for none.
    """

    name: str
    base: Mapping[str, Any]
    objectives: Mapping[str, Mapping[str, Any]]
    cells: tuple[Cell, ...] = ({},)
    seeds: tuple[int, ...] = (0,)
    score: str = "pass_at_1"
    baseline: str = ""
    target: float | None = None

    def __post_init__(self) -> None:
        if not self.objectives:
            raise InputError("The study compares no objective; write objectives: [grpo, pmpo].")
        if not self.seeds or not all(isinstance(seed, int) and not isinstance(seed, bool) for seed in self.seeds):
            raise InputError(f"seeds is {list(self.seeds)}; write whole numbers, as seeds: [0, 1, 2].")
        if len(set(self.seeds)) < len(self.seeds):
            raise InputError(f"seeds names one twice: {list(self.seeds)}.")
        if self.score not in SCORES:
            raise InputError(unknown_name("score", self.score, SCORES))
        if self.baseline and self.baseline not in self.objectives:
            raise InputError(unknown_name("baseline", self.baseline, self.objectives))
        if self.target is not None and not isinstance(self.target, int | float):
            raise InputError(f"target is {self.target!r}; write a score, as target: 0.6.")
        self._check_settings()

    def _check_settings(self) -> None:
        varied = set().union(*self.cells)
        places = [("base", self.base), ("settings", dict.fromkeys(varied)), *self.objectives.items()]
        for place, settings in places:
            for name in settings:
                if name in _OWN:
                    instead = "seeds: [0, 1, 2] beside it" if name == "seed" else "nothing: the study gives it"
                    raise InputError(f"{place} sets {name}; write {instead}.")
        for label, settings in self.objectives.items():
            for name in settings.keys() & varied:
                raise InputError(f"The objective {label!r} sets {name}, which settings vary; keep one of them.")

    def runs(self) -> Iterator[PlannedRun]:
        """Every run; all of a seed before the next, so that a study cut short has compared everything once."""
        for seed in self.seeds:
            for cell in self.cells:
                for label, changes in self.objectives.items():
                    yield PlannedRun(label, cell, seed, {**self.base, **cell, **changes, "seed": seed})

    def to_mapping(self) -> dict[str, Any]:
        """As data; `study_from` makes it again."""
        return {"name": self.name, **_without_name(asdict(self))}

    def joined(self, earlier: Study) -> Study:
        """This study with the objectives, cells and seeds that an earlier one of the same base has more.

        Raises: InputError with the first difference that makes them two studies.
        """
        for name in ("base", "score"):
            then, now = getattr(earlier, name), getattr(self, name)
            if then != now:
                raise InputError(f"{name} was {_difference(then, now)}")
        for label in self.objectives.keys() & earlier.objectives.keys():
            then, now = earlier.objectives[label], self.objectives[label]
            if then != now:
                raise InputError(f"the objective {label!r} was {_difference(then, now)}")
        if set(earlier.cells[0]) != set(self.cells[0]):
            raise InputError(f"settings varied {_names(earlier.cells[0])} and now vary {_names(self.cells[0])}")
        return replace(
            self,
            objectives={**earlier.objectives, **self.objectives},
            cells=(*earlier.cells, *(cell for cell in self.cells if cell not in earlier.cells)),
            seeds=tuple(sorted({*earlier.seeds, *self.seeds})),
        )


def study_from(data: Mapping[str, Any], name: str = "study") -> Study:
    """A study from its YAML's content.

    Raises: InputError for what it cannot be made of.
    """
    known = [field.name for field in fields(Study)] + ["settings"]
    check_names("A study", data, known)
    base = {key: number(value) for key, value in _is_mapping("base", data.get("base") or {}).items()}
    if "settings" in data and "cells" in data:
        raise InputError("The study has settings and cells, which say the same; keep one of them.")
    seeds = data.get("seeds", [0])
    rest = {key: data[key] for key in ("score", "target") if data.get(key) is not None}
    return Study(
        name=str(data.get("name") or name),
        base=base,
        objectives=_objectives(data.get("objectives")),
        cells=cells_of(data.get("settings", data.get("cells")), base),
        seeds=tuple(seeds) if isinstance(seeds, list | tuple) else (seeds,),
        baseline=str(data.get("baseline") or ""),
        **rest,
    )


def read_study(path: Path) -> Study:
    """The study of a YAML file.

    Raises: InputError when it is not there or is none.
    """
    try:
        return study_from(read_options(path), path.stem)
    except InputError as error:
        raise error if str(path) in str(error) else InputError(f"{path}: {error}") from error


def _objectives(given: Any) -> dict[str, dict[str, Any]]:
    """{label: settings} of a list of texts, or of a mapping of labels to texts or settings."""
    if isinstance(given, list | tuple):
        given = {str(one): one for one in given}
    found = {}
    for label, said in _is_mapping("objectives", given or {}).items():
        if not isinstance(said, str | Mapping):
            raise InputError(
                f"objectives: {label} is {said!r}; write an objective as text (pmpo:exponent=0.5), or a mapping of "
                "settings: {objective: pmpo, exponent: 0.5}."
            )
        changes = {"objective": said} if isinstance(said, str) else {k: number(v) for k, v in said.items()}
        found[str(label)] = changes
    return found


def _is_mapping(what: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"{what} is {value!r}; write a mapping of names to values.")
    return value


def _without_name(data: dict[str, Any]) -> dict[str, Any]:
    data["cells"], data["seeds"] = list(data["cells"]), list(data["seeds"])
    return {key: value for key, value in data.items() if key != "name"}


def _difference(then: Any, now: Any) -> str:
    """What differs, of two mappings the first name alone."""
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        name = next(n for n in (*then, *now) if then.get(n) != now.get(n) or (n in then) != (n in now))
        return f"made with {name} = {then.get(name, 'its default')!r} and now has {now.get(name, 'its default')!r}"
    return f"{then!r} and is {now!r}"


def _names(cell: Mapping[str, Any]) -> str:
    return ", ".join(cell) or "nothing"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
