"""The ranks of `engine_run.py` started and awaited, and what the whole batch says that they must have seen."""

import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import pmpo
from pmpo.engine.window import Window
from pmpo.integrations.verl import metrics as windows
from pmpo.integrations.verl.checks import AGGREGATIONS
from rounds import REWARD_MEAN, REWARD_STD, log_probs_of, make_round, padded
from tiny import tiny_model

HERE = Path(__file__).parent
ACTOR = "actor_rollout_ref.actor"
LONGEST = 24
FACTS = {"reward_mean": REWARD_MEAN, "reward_std": REWARD_STD, "step": 3, "progress": 3 / 12}


def run_ranks(folder: Path, model: Path, ranks: int, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What rank 0 saw of every case."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    given = {"ranks": ranks, "port": port, "model": str(model), "cases": cases}
    (folder / f"cases{ranks}.json").write_text(json.dumps(given))
    out = folder / f"out{ranks}.pt"
    paths = os.pathsep.join([str(HERE.parent.parent / "src"), str(HERE.parent), str(HERE)])
    environment = {
        **os.environ, "PYTHONPATH": paths, "HF_HUB_OFFLINE": "1",
        "VERL_USE_EXTERNAL_MODULES": "pmpo.integrations.verl.cpu",
    }  # fmt: skip
    command = [sys.executable, str(HERE / "engine_run.py"), str(folder / f"cases{ranks}.json")]
    with ExitStack() as open_files:
        processes = []
        for rank in range(ranks):
            log = open_files.enter_context((folder / f"rank{ranks}.{rank}.txt").open("w"))
            started = subprocess.Popen(
                [*command, str(rank), str(out)], env=environment, stdout=log, stderr=subprocess.STDOUT
            )
            processes.append(started)
        statuses = [process.wait(timeout=900) for process in processes]
    said = (folder / f"rank{ranks}.0.txt").read_text()
    assert statuses == [0] * ranks, said[-4000:]
    return torch.load(out, weights_only=False)


def overrides(preset: str, *more: str) -> list[str]:
    """verl's configuration for a preset, as its checks ask for it."""
    objective = pmpo.objective(preset)
    longest = objective.max_completion_length or LONGEST
    return [
        f"{ACTOR}.policy_loss.loss_mode=pmpo/{preset}",
        f"{ACTOR}.loss_agg_mode={AGGREGATIONS[objective.sequence_weight]}",
        *([f"{ACTOR}.loss_scale_factor={longest}"] if objective.sequence_weight == "constant" else []),
        *([f"{ACTOR}.use_kl_loss=True", f"{ACTOR}.kl_loss_coef={objective.kl_coef}"] if objective.kl_coef else []),
        *more,
    ]


def expected(preset: str, *, weights: bool = False, entropy: float = 0.0) -> tuple[dict[str, Tensor], dict[str, float]]:
    """The gradient of every weight and the numbers to log, from the whole batch at once.

    Args:
        weights: with the round's importance weights.
        entropy: coefficient of an entropy bonus with the objective's sequence weights.
    """
    objective = pmpo.objective(preset)
    if objective.sequence_weight == "constant" and objective.max_completion_length is None:
        objective = pmpo.objective(preset, max_completion_length=LONGEST)
    model, made = tiny_model(seed=3), make_round()
    new_BT = padded(log_probs_of(model, made["prompts"], made["responses"]))
    mask_BT = padded(made["response_mask"]).bool()
    result = pmpo.policy_loss(
        new_BT,
        padded(made["old_log_probs"]),
        made["advantages"],
        mask_BT,
        objective,
        pmpo.BatchContext(**FACTS),
        loss_weights=padded(made["rollout_is_weights"]) if weights else None,
        ref_log_probs=padded(made["ref_log_prob"]) if objective.kl_coef else None,
        sampler_log_probs=padded(made["rollout_log_probs"]) if objective.uses_sampler else None,
    )
    loss = result.loss
    if entropy:
        counts_B = mask_BT.sum(dim=1)
        share_B = {"sequence": torch.ones_like(counts_B) / len(counts_B), "token": counts_B / counts_B.sum()}
        entropy_BT = padded(_entropies(model, made))
        mean_B = (entropy_BT * mask_BT).sum(dim=1) / counts_B
        loss = loss - entropy * (share_B[objective.sequence_weight] * mean_B).sum()
    loss.backward()
    window = Window()
    window.add_result(result, mask_BT, 1.0)
    return {name: weight.grad for name, weight in model.named_parameters()}, window.metrics()


def _entropies(model: Any, made: dict[str, Any]) -> list[Tensor]:
    found = []
    for prompt, response in zip(made["prompts"], made["responses"], strict=True):
        logits = model(torch.tensor([prompt + response])).logits[0, len(prompt) - 1 : -1]
        found.append(torch.distributions.Categorical(logits=logits).entropy())
    return found


def logged(seen: dict[str, Any]) -> dict[str, float]:
    """The catalogue's numbers as the trainer logs them."""
    reduced = {f"actor/{name}": np.mean(values) for name, values in seen["metrics"].items()}
    return windows.received(reduced, seen["ranks"])


def distance(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> float:
    """‖found − wanted‖ / ‖wanted‖ over all weights."""
    assert found.keys() == wanted.keys()
    off = sum(float((found[name] - wanted[name]).double().square().sum()) for name in wanted)
    size = sum(float(wanted[name].double().square().sum()) for name in wanted)
    return (off / max(size, 1e-30)) ** 0.5
