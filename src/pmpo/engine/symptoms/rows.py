"""The log of a run, as the finders of symptoms ask it; a log event is a mapping as TRL logs it.

"step", "loss", "grad_norm", "entropy", and, where a generation came before it, "reward", "frac_reward_zero_std" and
"completions/clipped_ratio". Evaluations, which have no "loss", are no events here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, islice, pairwise
from statistics import median
from typing import Any, TypeGuard

Rows = Sequence[Mapping[str, Any]]

EVENTS = 5
"""Newest events with the number in question in which a symptom must show, so that one bad round is none."""
FEWEST_EVENTS = 3
"""The same at the end of a run that had no more."""
LOOK_BACK = 1000
"""Events; beyond them nothing is looked for."""


@dataclass(frozen=True)
class Found:
    """What a finder says.

    Attributes:
        sentence: what shows, with its number, the likely cause and what to try.
        setting: the setting to try first, with its value where one follows from the run's own.
    """

    sentence: str
    setting: str


@dataclass(frozen=True)
class Log:
    """The log events of a run so far.

    Attributes:
        rows: oldest first.
        events: newest events that must show a symptom.
        settings: of the run, by TRL's names; {} where they are not known.
    """

    rows: Rows
    events: int = EVENTS
    settings: Mapping[str, Any] = field(default_factory=dict)

    def newest(self, key: str) -> list[Any]:
        """The newest `events` values of a metric, oldest first; fewer where it has no more."""
        values = (self.rows[index][key] for index in self.backwards() if key in self.rows[index])
        return list(islice(values, self.events))[::-1]

    def numbers(self, key: str) -> list[float]:
        """The newest `events` values, [] where there are fewer or one is not a number."""
        values = self.newest(key)
        return values if len(values) == self.events and all(is_number(value) for value in values) else []

    def first(self, key: str) -> list[float]:
        """The first `events` numbers of a metric."""
        values = (row[key] for row in islice(self.rows, LOOK_BACK) if is_number(row.get(key)))
        return list(islice(values, self.events))

    def recent(self, key: str) -> list[float]:
        """Every number of a metric in the events that are looked back on, oldest first."""
        return [self.rows[index][key] for index in self.backwards() if is_number(self.rows[index].get(key))][::-1]

    def backwards(self) -> range:
        """Indices from the newest event on."""
        return range(len(self.rows) - 1, max(-1, len(self.rows) - 1 - LOOK_BACK), -1)


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a value is a number other than NaN."""
    return isinstance(value, int | float) and value == value


def mean(values: Sequence[float]) -> float:
    """The mean of one value or more."""
    return sum(values) / len(values)


def best_mean(values: Sequence[float], events: int) -> float:
    """The largest mean of so many values in a row, those of the newest ones left out."""
    sums = [0.0, *accumulate(values[:-events])]
    return max(high - low for low, high in zip(sums, sums[events:], strict=False)) / events


def scatter(values: Sequence[float]) -> float:
    """How far one value lies from the next by chance: 1.05 times the median difference, which is the standard
    deviation of a value where the values are normal, and which a trend or a step hardly moves."""
    return 1.05 * median(abs(b - a) for a, b in pairwise(values))


def changed(settings: Mapping[str, Any], name: str, factor: float) -> str:
    """A setting a factor higher or lower, with its value where the run's own is known.

    >>> changed({"learning_rate": 2e-4}, "learning_rate", 0.5)
    'learning_rate=0.0001 (now 0.0002)'
    >>> changed({}, "learning_rate", 0.5)
    'a lower learning_rate'
    """
    value = settings.get(name)
    if not is_number(value) or not value > 0:
        return f"a {'lower' if factor < 1 else 'higher'} {name}"
    return f"{name}={value * factor:g} (now {value:g})"
