"""Loss and gradient of every preset at extreme log ratios, beside TRL's own losses on the same inputs.

    python benchmarks/numerics.py

Prints one table. A cell is "finite" when loss and gradient are, else it says what is not. One token of one completion
of a batch of 8 has the given log ratio; the last column puts it where the mask is 0 and compares loss and gradient bit
by bit with those of the undisturbed batch.
"""

import contextlib
import io
import math
import os
import sys
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
warnings.simplefilter("ignore")
TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "objective"), str(TESTS / "integrations")]

import torch
from support import config, loss_and_grads, loss_inputs, trainer
from trl import GRPOConfig, GRPOTrainer
from trl.experimental.gmpo import GMPOConfig, GMPOTrainer

import pmpo

EXTREMES = (50.0, 100.0, 1000.0)
THEIRS = {
    "grpo": (GRPOTrainer, GRPOConfig, {"loss_type": "grpo"}),
    "dr_grpo": (GRPOTrainer, GRPOConfig, {"loss_type": "dr_grpo"}),
    "dapo": (GRPOTrainer, GRPOConfig, {"loss_type": "dapo", "epsilon_high": 0.28}),
    "gspo": (GRPOTrainer, GRPOConfig, {"importance_sampling_level": "sequence", "epsilon": 3e-4, "epsilon_high": 4e-4}),
    "gmpo": (GMPOTrainer, GMPOConfig, {}),
}


def quiet(make):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return make()


def inputs_with(extreme: float, advantage: float, masked: bool = False) -> dict:
    """One token's log ratio is `extreme`; all advantages have one sign but for a counterweight in the last row."""
    inputs = loss_inputs(spread=0.1)
    old = inputs["old_per_token_logps"].clone()
    mask = inputs["completion_mask"].clone()
    if masked:
        mask[0, 1] = 0
        inputs["num_items_in_batch"] = mask.sum()
    old[0, 1] -= extreme
    advantages = torch.full((8,), advantage)
    advantages[-1] = -advantage
    return {**inputs, "old_per_token_logps": old, "completion_mask": mask, "advantages": advantages}


def verdict(one, extreme: float, advantage: float) -> str:
    loss, gradient = loss_and_grads(one, inputs_with(extreme, advantage))
    bad = [name for name, fine in (("loss", math.isfinite(loss)), ("gradient", gradient.isfinite().all())) if not fine]
    return "finite" if not bad else f"**{' and '.join(bad)} not finite**"


def masked(one) -> str:
    loss, gradient = loss_and_grads(one, inputs_with(0.0, 1.0, masked=True))
    for extreme in (1000.0, -1000.0, math.inf, -math.inf, math.nan):
        other_loss, other = loss_and_grads(one, inputs_with(extreme, 1.0, masked=True))
        if other_loss != loss or not torch.equal(other, gradient):
            return f"**changed by {extreme:g}**"
    return "unchanged, bit for bit"


def row(name: str, whose: str, one) -> str:
    cells = [
        "; ".join(
            dict.fromkeys(verdict(one, sign * extreme, advantage) for advantage in (1.0, -1.0) for sign in (1, -1))
        )
        for extreme in EXTREMES
    ]
    return f"| {name} | {whose} | {' | '.join(cells)} | {masked(one)} |"


def main() -> None:
    heads = [f"±{extreme:g} nats, A of both signs" for extreme in EXTREMES]
    print(f"| preset | whose | {' | '.join(heads)} | ±1000, ±inf, NaN at a masked place |")
    print("|---" * 6 + "|")
    for name in pmpo.OBJECTIVES:
        print(row(name, "pmpo", quiet(lambda name=name: trainer(config(objective=name, beta=0.0)))), flush=True)
        if name in THEIRS:
            cls, config_cls, settings = THEIRS[name]
            one = quiet(lambda c=cls, k=config_cls, s=settings: trainer(config(k, beta=0.0, **s), c))
            print(row(name, "TRL", one), flush=True)


if __name__ == "__main__":
    main()
