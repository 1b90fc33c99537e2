"""The statistics of a comparison beside rliable's own code, on the same scores.

    python -m venv .venv-rliable && .venv-rliable/bin/pip install rliable 'pandas<3'
    python benchmarks/against_rliable.py --rliable .venv-rliable/bin/python

rliable (archived since October 2025) needs packages that nothing here needs, so it runs in an environment of its own,
fed by this script; `arch`, which it draws with, does not import with pandas 3. Values must agree to rounding. Its
percentile intervals are compared with the ones here before they are stretched; both are drawn at random, and the last
two columns are the largest difference as a share of the width.
"""

import argparse
import json
import os
import subprocess
import sys
from functools import partial

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from scipy import stats

from pmpo.comparison.intervals import mean_of_means, middle, interquartile_mean, mean
from pmpo.comparison.paired import probability_of_improvement

THEIRS = """
import json, sys
import numpy as np
from rliable import library, metrics

given = json.load(sys.stdin)
found = []
np.random.seed(0)
for case in given:
    x, y = np.array(case["x"]), np.array(case["y"])
    one = {"improvement": float(metrics.probability_of_improvement(x, y))}
    for name, f in (("mean", metrics.aggregate_mean), ("iqm", metrics.aggregate_iqm)):
        value, ends = library.get_interval_estimates({"x": x}, lambda s: np.array([f(s)]), reps=case["reps"])
        one[name] = [float(value["x"][0]), *map(float, ends["x"].ravel())]
    found.append(one)
json.dump(found, sys.stdout)
"""
CASES = ((3, 1), (5, 1), (5, 4), (5, 20), (10, 1), (20, 8))


def cases(reps: int) -> list[dict]:
    """Scores [seeds, cells] of two objectives, rounded to 1/512 so that there are ties."""
    rng = np.random.default_rng(0)
    found = []
    for seeds, cells in CASES:
        levels = rng.uniform(0.2, 0.8, cells)
        x, y = (np.round(rng.normal(levels + shift, 0.05, (seeds, cells)) * 512) / 512 for shift in (0.02, 0.0))
        found.append({"x": x.tolist(), "y": y.tolist(), "reps": reps})
    return found


def plain(strata: list[np.ndarray], statistic, reps: int) -> np.ndarray:
    draw = partial(stats.bootstrap, method="percentile", vectorized=True, n_resamples=reps)
    return np.array(draw(strata, statistic, rng=np.random.default_rng(1)).confidence_interval)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rliable", required=True, help="Python of an environment with rliable")
    parser.add_argument("--reps", type=int, default=20_000)
    given = parser.parse_args()
    made = cases(given.reps)
    done = subprocess.run([given.rliable, "-c", THEIRS], input=json.dumps(made), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"rliable did not run:\n{done.stderr}")
    print("| seeds, cells | mean | interquartile mean | probability of improvement | interval: mean | interval: IQM |")
    print("|---|---|---|---|---|---|")
    worst = 0.0
    for case, theirs, shape in zip(made, json.loads(done.stdout), CASES, strict=True):
        x, y = np.array(case["x"]).T, np.array(case["y"]).T
        apart = [
            abs(mean(*x).value - theirs["mean"][0]),
            abs(interquartile_mean(*x).value - theirs["iqm"][0]),
            abs(probability_of_improvement(list(x), list(y)).value - theirs["improvement"]),
        ]
        worst = max(worst, *apart)
        widths = []
        for statistic, name in ((mean_of_means, "mean"), (middle, "iqm")):
            ends = np.array(theirs[name][1:])
            widths.append(np.abs(plain(list(x), statistic, given.reps) - ends).max() / (ends[1] - ends[0]))
        print(
            f"| {shape[0]}, {shape[1]} | {' | '.join(f'{a:.0e}' for a in apart)} | {widths[0]:.1%} | {widths[1]:.1%} |"
        )
    print(f"\nLargest difference of a value: {worst:.0e}.")
    return int(worst > 1e-12)


if __name__ == "__main__":
    sys.exit(main())
