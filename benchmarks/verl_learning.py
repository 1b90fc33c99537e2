"""verl's main_ppo on CPU cores: its own vanilla loss beside objectives of the family, on a task of some seconds.

    .venv-verl/bin/python benchmarks/verl_learning.py --output docs/measured/verl.md

A model of a few thousand parameters learns to write sevens: 20 rounds of 8 prompts and 4 completions. One seed: this
shows that every part works together, not which objective is better.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "tests"), str(HERE.parent / "tests" / "verl_engine"), str(HERE)]

from engine import overrides as objective_overrides
from page import report
from support import make_inputs, overrides, run_main_ppo

OURS = ["trainer.v1.trainer_mode=pmpo", "algorithm.adv_estimator=pmpo/grpo"]
LOSSES = {
    "vanilla (verl's)": [],
    "pmpo": [*OURS, *objective_overrides("pmpo")],
    "apmpo": [*OURS, *objective_overrides("apmpo"), "actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu=8"],
}


def row(loss: str, ranks: int, updates: int) -> str:
    with tempfile.TemporaryDirectory(prefix="v") as folder:
        make_inputs(Path(folder))
        start = time.monotonic()
        arguments = [*overrides(Path(folder), ranks=ranks, updates=updates), *LOSSES[loss]]
        epochs = ["actor_rollout_ref.actor.ppo_epochs=2"]
        run = run_main_ppo(Path(folder), [*arguments, *epochs], timeout=900)
        seconds = time.monotonic() - start
    if run.status != 0:
        raise SystemExit(f"{loss} on {ranks} ranks ended with status {run.status}:\n{run.output[-3000:]}")
    rewards = run.rewards()
    first, last = sum(rewards[:3]) / 3, sum(rewards[-3:]) / 3
    exponents = [each["exponent/mean"] for each in run.metrics if each.get("exponent/mean") is not None]
    shown = f"{exponents[0]:.2f} to {exponents[-1]:.2f}" if exponents else "1"
    step = sorted(each["timing_s/step"] for each in run.metrics)[len(run.metrics) // 2]
    return f"| {loss} | {ranks} | {len(rewards)} | {first:.3f} | {last:.3f} | {shown} | {step:.2f} | {seconds:.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, help="a page in Markdown")
    parser.add_argument("--updates", type=int, default=20, help="rounds")
    given = parser.parse_args()
    lines = [
        "| loss | ranks | rounds | reward, first three | last three | p, first to last round | s a round | s in all |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for ranks in (1, 2):
        for loss in LOSSES:
            lines.append(row(loss, ranks, given.updates))
            print(lines[-1], flush=True)
    report("verl's main_ppo on two CPU cores", "verl_learning.py", lines, given.output)


if __name__ == "__main__":
    main()
