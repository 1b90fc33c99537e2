"""How often the 95 % intervals of a comparison hold the truth, by simulation.

    python benchmarks/interval_coverage.py [--repeats 2000] [--output docs/measured/coverage.md]

Every number is the share of made-up studies, in percent, whose interval holds the value that the made-up runs were
drawn with. Of 2,000 studies with intervals that hold it 95 times of 100, one such share in twenty is outside 94 to 96.
In brackets: the plain percentile bootstrap. The functions are those of the tables, `pmpo.comparison`, with 1,000
resamples instead of 5,000.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from scipy import stats

from pmpo.comparison.estimate import Estimate
from pmpo.comparison.intervals import bounds, mean_of_means, middle, stretches
from pmpo.comparison.learning_rates import best_rate, tuning_seeds
from pmpo.comparison.paired import paired_improvement, probability_of_improvement
from pmpo.comparison.targets import median_time

SEEDS = (3, 5, 10, 20)
RESAMPLES = 1000
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


def percent(hits: Sequence[bool] | np.ndarray) -> str:
    return f"{100 * np.mean(hits):.1f}"


def bootstrapped(strata: np.ndarray, statistic: Callable, truth: float) -> tuple[np.ndarray, np.ndarray]:
    """Which of the studies [studies, strata, runs] hold the truth: as the tables do it, and by plain percentiles."""
    ours, plain = [], []
    block = max(1, 5_000_000 // (RESAMPLES * strata[0].size))
    for first in range(0, len(strata), block):
        some = [strata[first : first + block, k] for k in range(strata.shape[1])]
        value, stretch = statistic(*some), stretches(some)
        low, high = bounds(some, statistic, RESAMPLES, first)
        ours.append((low - 1e-12 <= truth) & (truth <= high + 1e-12))
        low, high = (value + (end - value) / stretch for end in (low, high))
        plain.append((low - 1e-12 <= truth) & (truth <= high + 1e-12))
    return np.concatenate(ours), np.concatenate(plain)


# ---- one table each -------------------------------------------------------------------------------------------------


def one_cell(repeats: int, statistic: Callable) -> Iterator[Row]:
    for name, draw in SCORES.items():
        truth = statistic(draw((1_000_000,)))
        found = [bootstrapped(draw((repeats, 1, n)), statistic, truth) for n in SEEDS]
        yield name, [f"{percent(ours)} ({percent(plain)})" for ours, plain in found]


def many_cells(repeats: int, statistic: Callable) -> Iterator[Row]:
    """Spreads of .02 to .08, levels all alike or far apart."""
    for cells, lowest in ((2, 0.3), (4, 0.7), (4, 0.3), (12, 0.3)):
        levels, spread = np.linspace(lowest, 0.7, cells)[:, None], np.linspace(0.02, 0.08, cells)[:, None]
        truth = statistic(*RNG.normal(levels, spread, (cells, 200_000)))
        studies = (RNG.normal(levels, spread, (repeats, cells, n)) for n in SEEDS)
        found = [bootstrapped(values, statistic, truth) for values in studies]
        name = f"{cells} cells, " + ("all at 0.7" if lowest == 0.7 else f"{lowest} to 0.7")
        yield name, [f"{percent(ours)} ({percent(plain)})" for ours, plain in found]


def pairs(repeats: int) -> Iterator[Row]:
    """Both objectives share half of the variance of a seed, and their scores are bounded and skewed."""
    for gap in (0.0, 0.05):
        row = []
        for n in SEEDS:
            shared = RNG.normal(0, 0.05, (repeats, 1, n))
            ours, theirs = (level + shared + RNG.beta(4, 12, (repeats, 1, n)) / 2 for level in (gap, 0.0))
            row.append(percent(bootstrapped(ours - theirs, mean_of_means, gap)[0]))
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
    """Whether a score's interval holds that of the chosen rate, and a margin's that of the two objectives it names."""
    for name, gap in (("of equal worth", 0.0), (".02 apart", 0.02), (".1 apart", 0.1)):
        levels = 0.5 - gap * np.arange(4)
        scores, margins = [], []
        for n in SEEDS:
            values = RNG.normal(levels[:, None], 0.05, (repeats, 4, n))
            split = len(tuning_seeds(range(n)))
            rate = [best_rate(one[:, :split]) for one in values]
            reported = values[np.arange(repeats), rate][:, None, split:]
            scores.append(percent(bootstrapped(reported - levels[rate][:, None, None], mean_of_means, 0.0)[0]))
            first, second = np.argsort(-values.mean(axis=2), axis=1)[:, :2].T
            lead = values[np.arange(repeats), first] - values[np.arange(repeats), second]
            truth = (levels[first] - levels[second])[:, None]
            margins.append(percent(bootstrapped((lead - truth)[:, None], mean_of_means, 0.0)[0]))
        yield f"tuned score, 4 rates {name}", scores
        yield f"margin of a winner, 4 objectives {name}", margins


def targets(repeats: int) -> Iterator[Row]:
    for name, horizon in (("nearly all runs reach it", 4.0), ("two of three reach it", 1.1)):
        medians, means = [], []
        for n in SEEDS:
            times = RNG.gamma(4, 0.25, (repeats, n))
            late, seen = times > horizon, np.minimum(times, horizon)
            found = [median_time(t, c) for t, c in zip(seen, late, strict=True)]
            medians.append(percent([holds(one, stats.gamma(4, scale=0.25).median()) for one in found]))
            truth = np.minimum(RNG.gamma(4, 0.25, 1_000_000), horizon).mean()
            means.append(percent(bootstrapped(seen[:, None], mean_of_means, truth)[0]))
        yield f"median, {name}", medians
        yield f"restricted mean, {name}", means


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=2000)
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    begin = time.perf_counter()
    tables = {
        "Mean of one cell": one_cell(given.repeats, mean_of_means),
        "Interquartile mean of one cell": one_cell(given.repeats, middle),
        "Mean over cells": many_cells(given.repeats, mean_of_means),
        "Interquartile mean over cells": many_cells(given.repeats, middle),
        "Paired difference": pairs(given.repeats),
        "Probability of improvement": improvements(given.repeats),
        "What is chosen": chosen(given.repeats),
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
