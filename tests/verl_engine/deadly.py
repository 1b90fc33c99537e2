"""Sudden ends at chosen places of a run: a policy loss and a reward after which a process is gone, as by kill -9.

The loss "deadly" is verl's own until it has been called DEADLY_AT times in the process of rank DEADLY_RANK. The reward
is `sevens` until DEADLY_AT calls; then it kills the oldest process whose Ray title has DEADLY_TITLE in it, while
completions are being made. The file DEADLY_MARK gets the time.
"""

import os
import signal
import time
from collections import Counter
from pathlib import Path

from verl.trainer.ppo.core_algos import compute_policy_loss_vanilla, register_policy_loss

import sevens

_calls: Counter[str] = Counter()


def _kill(pid: int) -> None:
    Path(os.environ["DEADLY_MARK"]).write_text(str(time.time()))
    os.kill(pid, signal.SIGKILL)


@register_policy_loss("deadly")
def loss(*arguments, **named):
    _calls["loss"] += 1
    if _calls["loss"] == int(os.environ["DEADLY_AT"]) and os.environ["RANK"] == os.environ.get("DEADLY_RANK", "0"):
        _kill(os.getpid())
    return compute_policy_loss_vanilla(*arguments, **named)


def compute_score(data_source, solution_str, ground_truth, extra_info=None):
    _calls["reward"] += 1
    if _calls["reward"] == int(os.environ["DEADLY_AT"]):
        _kill(min(_processes(os.environ["DEADLY_TITLE"], os.environ["RAY_TMPDIR"])))
    return sevens.compute_score(data_source, solution_str, ground_truth, extra_info)


def _processes(title: str, ray_folder: str) -> list[int]:
    """This run's Ray processes with that title."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            ours = entry.name.isdigit() and f"RAY_TMPDIR={ray_folder}".encode() in (entry / "environ").read_bytes()
            if ours and title.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found
