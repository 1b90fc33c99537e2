"""Largest differences of resumed runs, case by case; by itself or on every rank under torchrun.

python resume_worker.py CASES.json RESULTS.jsonl

Each case is {"name", "shape", "kills", "how"} for `resuming.largest_difference`; "trl": true takes TRL's own trainer. A
line {"name", "difference"} is written after each, the largest over all ranks.
"""

import contextlib
import json
import logging
import os
import sys
import tempfile
import warnings
from pathlib import Path

import torch
import torch.distributed as dist
from accelerate import PartialState

from resuming import Shape, largest_difference


def whole_difference(case):
    """Of one case, the largest over the ranks."""
    from trl import GRPOConfig, GRPOTrainer

    state = PartialState(cpu=True)
    names = [tempfile.mkdtemp(prefix="pmpo-resume-") if state.is_main_process else None]
    if state.num_processes > 1:
        dist.broadcast_object_list(names)
    classes = (GRPOConfig, GRPOTrainer) if case.get("trl") else None
    shape = Shape(*case["shape"])
    found = largest_difference(names[0], shape, case.get("kills"), classes=classes, **case.get("how", {}))
    difference = torch.tensor(found)
    if state.num_processes > 1:
        dist.all_reduce(difference, dist.ReduceOp.MAX)
    return difference.item()


def main() -> None:
    os.environ["TQDM_DISABLE"] = "1"
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    cases = json.loads(Path(sys.argv[1]).read_text())
    for number, case in enumerate(cases, 1):
        with contextlib.redirect_stdout(None):  # the Trainer prints its logs
            difference = whole_difference(case)
        if PartialState(cpu=True).is_main_process:
            with Path(sys.argv[2]).open("a") as file:
                file.write(json.dumps({"name": case["name"], "difference": difference}) + "\n")
            print(f"{number}/{len(cases)} {case['name']}: {difference:g}", file=sys.stderr, flush=True)
    if dist.is_initialized():
        dist.barrier()
        dist.destroy_process_group()  # left open, its threads can abort the process as it exits


if __name__ == "__main__":  # doctest collection imports this file
    main()
