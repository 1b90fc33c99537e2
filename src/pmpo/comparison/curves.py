"""Learning curves as one number: the area under them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pmpo.comparison.results import FINISHED, Point, RunResult


def area_under_curve(xs_P: Sequence[float], scores_P: Sequence[float]) -> float:
    """Mean height of a curve between its first and last point, by trapezoids; points may lie anywhere.

    Args:
        xs_P: steps or rollouts, rising.
        scores_P: NaN is left out.
    Returns: NaN without a point; the score of a single one.
    Raises: ValueError when the x do not rise.
    """
    xs, scores = np.asarray(xs_P, dtype=np.float64), np.asarray(scores_P, dtype=np.float64)
    if xs.shape != scores.shape or np.any(np.diff(xs) < 0):
        raise ValueError(f"A curve needs one score for each of its x, and x that rise; got {list(xs)}, {list(scores)}.")
    there = np.isfinite(scores)
    xs, scores = xs[there], scores[there]
    if xs.size < 2 or xs[-1] == xs[0]:
        return float(scores.mean()) if xs.size else math.nan
    return float(np.trapezoid(scores, xs) / (xs[-1] - xs[0]))


def area(run: RunResult) -> float:
    """Mean score of a run over its optimiser steps; after a run has diverged or crashed its score is 0."""
    points: tuple[Point, ...] = run.curve
    xs, scores = [float(point.step) for point in points], [point.score for point in points]
    if run.status != FINISHED:
        last = xs[-1] if xs else 0.0
        xs, scores = [*xs, last, max(last, float(run.steps))], [*scores, 0.0, 0.0]
    return area_under_curve(xs, scores)
