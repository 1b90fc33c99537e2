"""Under torchrun: a run of two ranks to be killed, and its resumption compared with the uninterrupted one.

kill_worker.py FOLDER start     a whole run; then one in FOLDER/killed that the caller kills by the ids in FOLDER/pid-*
kill_worker.py FOLDER resume    resumes that from its newest checkpoint and writes FOLDER/result.json
"""

import json
import os
import sys
from pathlib import Path

import torch
import torch.distributed as dist

from resuming import Shape, run
from support import parameters

SHAPE = Shape(4, 2)


def main() -> None:
    folder, rank = Path(sys.argv[1]), int(os.environ["RANK"])
    if sys.argv[2] == "start":
        torch.save(parameters(run(folder / "whole", SHAPE)), folder / f"whole-{rank}.pt")
        (folder / f"pid-{rank}").write_text(str(os.getpid()))
        run(folder / "killed", SHAPE)
    else:
        one = run(folder / "killed", SHAPE, resume=True)
        whole = torch.load(folder / f"whole-{rank}.pt", weights_only=True)
        difference = (parameters(one) - whole).abs().max()
        dist.all_reduce(difference, dist.ReduceOp.MAX)
        if rank == 0:
            steps = [row["step"] for row in one.state.log_history if "loss" in row]
            result = {"difference": difference.item(), "steps": steps, "since": one._initial_global_step}
            (folder / "result.json").write_text(json.dumps(result))
    dist.barrier()
    dist.destroy_process_group()  # left open, its threads can abort the process as it exits


if __name__ == "__main__":  # doctest collection imports this file
    main()
