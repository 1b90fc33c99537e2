"""How often the 95 % intervals of a comparison hold the truth, by simulation.

    python benchmarks/interval_coverage.py [--repeats 2000] [--output docs/measured/coverage.md]

Every number is the share of made-up studies, in percent, whose interval holds the value that the made-up runs were
drawn with. Of 2,000 studies with intervals that hold it 95 times of 100, one such share in twenty is outside 94 to 96.
The functions are those of the tables, `pmpo.comparison`, with 1,000 resamples instead of 5,000.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from scipy import stats

from pmpo.comparison.estimate import Estimate
from pmpo.comparison.intervals import _stretch, interquartile_mean, mean
from pmpo.comparison.learning_rates import duel, tuned
from pmpo.comparison.paired import paired_difference, paired_improvement, probability_of_improvement
from pmpo.comparison.targets import median_time

SEEDS = (3, 5, 10, 20)
SHORT = {"resamples": 1000}
RNG = np.random.default_rng(0)
Row = tuple[str, list[str]]


# ---- made-up scores -------------------------------------------------------------------------------------------------


def with_collapses(share: float, size: tuple[int, ...]) -> np.ndarray:
    return np.where(RNG.random(size) < share, RNG.uniform(0, 0.02, size), RNG.normal(0.5, 0.05, size))


SCORES: dict[str, Callable[[tuple[int, ...]], np.ndarray]] = {
    "normal": lambda size: RNG.normal(0.5, 0.05, size),
    "pass@1 of 512 problems, runs differ by .03": lambda size: RNG.binomial(512, RNG.normal(0.7, 0.03, size)) / 512,
    "skewed (beta 2, 8)": lambda size: RNG.beta(2, 8, size),
    "near the ceiling (beta 40, 2)": lambda size: RNG.beta(40, 2, size),
    "1 run in 10 collapses": partial(with_collapses, 0.1),
    "4 runs in 10 collapse": partial(with_collapses, 0.4),
}


def holds(found: Estimate, truth: float) -> bool:
    return found.low - 1e-12 <= truth <= found.high + 1e-12


def percent(hits: list[bool]) -> str:
    return f"{100 * np.mean(hits):.1f}"


# ---- one table each -------------------------------------------------------------------------------------------------


def one_cell(repeats: int, statistic: Callable[..., Estimate]) -> Iterator[Row]:
    """Ours, and in brackets the percentile interval that is not stretched."""
    for name, draw in SCORES.items():
        many = draw((1_000_000,))
        truth = many.mean() if statistic is mean else stats.trim_mean(many, 0.25)
        cells = []
        for n in SEEDS:
            values = draw((repeats, n))
            found = [statistic(row, **SHORT) for row in values]
            plain = [narrowed(one, row) for one, row in zip(found, values, strict=True)]
            cells.append(
                f"{percent([holds(one, truth) for one in found])} ({percent([holds(p, truth) for p in plain])})"
            )
        yield name, cells


def narrowed(found: Estimate, values: np.ndarray) -> Estimate:
    stretch = _stretch([values])
    ends = (found.value + (end - found.value) / stretch for end in (found.low, found.high))
    return Estimate(found.value, *ends, found.n)


def many_cells(repeats: int, statistic: Callable[..., Estimate]) -> Iterator[Row]:
    """Spreads of .02 to .08, levels all alike or far apart."""
    for cells, lowest in ((2, 0.3), (4, 0.7), (4, 0.3), (12, 0.3)):
        levels, spread = np.linspace(lowest, 0.7, cells)[:, None], np.linspace(0.02, 0.08, cells)[:, None]
        many = RNG.normal(levels, spread, (cells, 100_000))
        truth = many.mean() if statistic is mean else stats.trim_mean(many, 0.25, axis=None)
        row = []
        for n in SEEDS:
            values = RNG.normal(levels, spread, (repeats, cells, n))
            row.append(percent([holds(statistic(*one, **SHORT), truth) for one in values]))
        yield f"{cells} cells, " + ("all at 0.7" if lowest == 0.7 else f"{lowest} to 0.7"), row


def pairs(repeats: int) -> Iterator[Row]:
    """Both objectives share half of the variance of a seed."""
    for gap in (0.0, 0.05):
        row = []
        for n in SEEDS:
            shared = RNG.normal(0, 0.05, (repeats, n))
            ours, theirs = (level + shared + RNG.normal(0, 0.05, (repeats, n)) for level in (0.5 + gap, 0.5))
            row.append(percent([holds(paired_difference(a, b), gap) for a, b in zip(ours, theirs, strict=True)]))
        yield f"difference of {gap}", row


def improvements(repeats: int) -> Iterator[Row]:
    for chance in (0.5, 0.7, 0.9):
        shift = stats.norm.ppf(chance) * np.sqrt(2)
        for cells in (1, 4):
            row = []
            for n in SEEDS:
                ours, theirs = RNG.normal(shift, 1, (repeats, cells, n)), RNG.normal(0, 1, (repeats, cells, n))
                found = [probability_of_improvement(a, b) for a, b in zip(ours, theirs, strict=True)]
                row.append(percent([holds(one, chance) for one in found]))
            yield f"independent, {chance}, {cells} cell{'s' * (cells > 1)}", row
    row = []
    for n in SEEDS:  # of one chance the coverage jumps with the few values that a share of n can have
        chances = RNG.uniform(0.5, 0.95, repeats)
        found = [paired_improvement(RNG.normal(stats.norm.ppf(chance), 1, n)) for chance in chances]
        row.append(percent([holds(one, chance) for one, chance in zip(found, chances, strict=True)]))
    yield "paired, any from 0.5 to 0.95", row


def chosen(repeats: int) -> Iterator[Row]:
    """What is estimated is the mean of the procedure itself, taken here over all studies."""
    for name, levels in (
        ("4 rates of equal worth", [0.5] * 4),
        ("4 rates, .02 apart", [0.44, 0.46, 0.48, 0.5]),
    ):
        yield f"tuned score, {name}", chosen_row(repeats, levels, lambda values: tuned(values)[1])
    for name, levels in (
        ("4 objectives of equal worth", [0.5] * 4),
        ("4 objectives, .02 apart", [0.5, 0.48, 0.46, 0.44]),
        ("4 objectives, .1 apart", [0.5, 0.4, 0.3, 0.2]),
    ):
        yield f"margin of a winner, {name}", chosen_row(repeats, levels, lambda values: duel(values)[0])


def chosen_row(repeats: int, levels: list[float], choose: Callable[[np.ndarray], np.ndarray]) -> list[str]:
    row = []
    for n in SEEDS:
        values = RNG.normal(np.array(levels)[:, None], 0.05, (repeats, len(levels), n))
        found = [mean(choose(one), **SHORT) for one in values]
        truth = float(np.mean([one.value for one in found]))
        row.append(percent([holds(one, truth) for one in found]))
    return row


def targets(repeats: int) -> Iterator[Row]:
    for name, horizon in (("nearly all runs reach it", 4.0), ("two of three reach it", 1.1)):
        medians, means = [], []
        for n in SEEDS:
            times = RNG.gamma(4, 0.25, (repeats, n))
            late, seen = times > horizon, np.minimum(times, horizon)
            found = [median_time(t, c) for t, c in zip(seen, late, strict=True)]
            medians.append(percent([holds(one, stats.gamma(4, scale=0.25).median()) for one in found]))
            truth = np.minimum(RNG.gamma(4, 0.25, 1_000_000), horizon).mean()
            means.append(percent([holds(mean(t, **SHORT), truth) for t in seen]))
        yield f"median, {name}", medians
        yield f"restricted mean, {name}", means


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=2000)
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    begin = time.perf_counter()
    tables = {
        "Mean of one cell (in brackets: plain percentile bootstrap)": one_cell(given.repeats, mean),
        "Interquartile mean of one cell": one_cell(given.repeats, interquartile_mean),
        "Mean over cells": many_cells(given.repeats, mean),
        "Interquartile mean over cells": many_cells(given.repeats, interquartile_mean),
        "Paired difference": pairs(given.repeats),
        "Probability of improvement": improvements(given.repeats),
        "What is chosen on other seeds": chosen(given.repeats),
        "Rollouts to a target": targets(given.repeats),
    }
    text = ""
    for title, rows in tables.items():
        text += f"| {title} | {' | '.join(f'{n} seeds' for n in SEEDS)} |\n|---|{'---|' * len(SEEDS)}\n"
        text += "".join(f"| {name} | {' | '.join(cells)} |\n" for name, cells in rows) + "\n"
        print(f"{title}: {time.perf_counter() - begin:.0f} s", flush=True)
    text += f"{given.repeats:,} made-up studies each, {time.perf_counter() - begin:.0f} s.\n"
    print(text)
    if given.output:
        given.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
