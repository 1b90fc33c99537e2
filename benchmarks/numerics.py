"""Loss, gradient and log-probabilities at their extremes, every preset, beside TRL's own on the same inputs.

    python benchmarks/numerics.py

Prints three tables. In the first a cell is "finite" when loss and gradient are, else it says what is not. One token of
one completion of a batch of 8 has the given log ratio; the last column puts it where the mask is 0 and compares loss
and gradient bit by bit with those of the undisturbed batch. The second does the same with the distance of the reference
model from the new one, with and without TRL's bias correction of the KL. The third has the largest and mean error, in
nats, of log-probabilities and entropies of models in 16 bits, against float64 from the same last hidden states.
"""

import contextlib
import functools
import io
import math
import os
import sys
import tempfile
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
warnings.simplefilter("ignore")
TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "objective"), str(TESTS / "integrations")]

import torch
from half_precision import COMPLETION, large_logit_model, tokens, truth
from support import config, loss_and_grads, loss_inputs, saved_model, trainer
from trl import GRPOConfig, GRPOTrainer
from trl.experimental.gmpo import GMPOConfig, GMPOTrainer

import pmpo
from pmpo.integrations.trl import PMPOConfig, PMPOTrainer

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


def kl_row(name: str, whose: str, make, corrected: bool) -> str:
    """One token's reference log-probability is `extreme` above the new one."""
    one = quiet(lambda: make(beta=0.1, use_bias_correction_kl=corrected))
    one.ref_model = None  # the inputs bring its log-probabilities
    cells = []
    for extreme in EXTREMES:
        found = []
        for sign in (1, -1):
            inputs = inputs_with(sign * 80.0, 1.0) if corrected else loss_inputs(spread=0.1)
            reference = inputs["old_per_token_logps"].clone()
            reference[0, 1] += sign * extreme + (sign * 80.0 if corrected else 0.0)
            loss, gradient = loss_and_grads(one, {**inputs, "ref_per_token_logps": reference})
            bad = [
                n for n, fine in (("loss", math.isfinite(loss)), ("gradient", gradient.isfinite().all())) if not fine
            ]
            found.append("finite" if not bad else f"**{' and '.join(bad)} not finite**")
        cells.append("; ".join(dict.fromkeys(found)))
    return f"| {name} | {whose} | {'on' if corrected else 'off'} | {' | '.join(cells)} |"


def kl_table() -> None:
    heads = [f"±{extreme:g} nats" for extreme in EXTREMES]
    print(f"\n| preset | whose | bias correction, at a ratio of ±80 nats | {' | '.join(heads)} |")
    print("|---" * 6 + "|")
    with tempfile.TemporaryDirectory() as folder:
        path = quiet(lambda: saved_model(folder))
        for corrected in (False, True):
            for name in pmpo.OBJECTIVES:
                ours = functools.partial(config, objective=name)
                print(kl_row(name, "pmpo", lambda c=ours, **k: trainer(c(**k), model=path), corrected), flush=True)
                if name in THEIRS and THEIRS[name][0] is GRPOTrainer:
                    _, cls, settings = THEIRS[name]
                    theirs = functools.partial(config, cls, **settings)
                    make = lambda c=theirs, **k: trainer(c(**k), GRPOTrainer, model=path)  # noqa: E731
                    print(kl_row(name, "TRL", make, corrected), flush=True)


def log_prob_row(dtype: torch.dtype, autocast: bool, whose: str) -> str:
    cls, config_cls = {"pmpo": (PMPOTrainer, PMPOConfig), "TRL": (GRPOTrainer, GRPOConfig)}[whose]
    one = quiet(lambda: trainer(config(config_cls, bf16=autocast), cls, model=large_logit_model(dtype)))
    ids, attention = tokens()
    with torch.no_grad():
        got, entropies, _ = one._get_per_token_logps_and_entropies(
            one.model, ids, attention, COMPLETION, compute_entropy=True
        )
    exact, exact_entropies = truth(one, one.model, ids, attention)
    error, entropy_error = (got - exact).abs(), (entropies - exact_entropies).abs()
    mode = f"{str(dtype).removeprefix('torch.')}{', bf16 autocast' if autocast else ''}"
    return f"| {mode} | {whose} | {error.max():.1e} | {error.mean():.1e} | {entropy_error.max():.1e} |"


def log_prob_table() -> None:
    print("\n| weights | whose | log-probability, largest error | mean error | entropy, largest error |")
    print("|---" * 5 + "|")
    for dtype, autocast in (
        (torch.bfloat16, False),
        (torch.float32, True),
        (torch.float16, False),
        (torch.float32, False),
    ):
        for whose in ("pmpo", "TRL"):
            print(log_prob_row(dtype, autocast, whose), flush=True)


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
    kl_table()
    log_prob_table()


if __name__ == "__main__":
    main()
