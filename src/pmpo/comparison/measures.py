"""What of a run is compared, and when nothing came of it.

A run that diverged or crashed counts with score 0 and not at all as missing: to leave it out would reward an objective
for breaking where it does badly.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from pmpo.comparison.curves import area
from pmpo.comparison.results import FINISHED, RunResult
from pmpo.foundation.errors import InputError

Measure = Callable[[RunResult], float]

COLLAPSE = 0.5
"""A run that ends below this share of its own best measurement has lost what it had."""


def measure_named(name: str) -> Measure:
    """`score`, the last held-out measurement, or `area`, the mean height of the curve; 0 where it is not finite.

    Raises: InputError for another name.
    """
    known: dict[str, Measure] = {"score": lambda run: run.score, "area": area}
    if name not in known:
        raise InputError(f"Unknown measure of a run, {name!r}; write one of {', '.join(known)}.")
    take = known[name]

    def finite(run: RunResult) -> float:
        value = take(run)
        return value if math.isfinite(value) else 0.0

    return finite


def collapsed(run: RunResult) -> bool:
    """Whether nothing came of a run: it diverged, crashed, or lost more than half of the best score that it had."""
    scores = [point.score for point in run.curve if math.isfinite(point.score)]
    return run.status != FINISHED or not scores or not run.score >= COLLAPSE * max(scores)
