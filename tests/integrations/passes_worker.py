"""Under torchrun: four updates with up to 1 and 4 passes a micro-batch; completions of rank 1 are all of one length."""

import json
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from pmpo.integrations.trl import passing
from support import config, parameters, trainer


def main() -> None:
    passing._OVERHEAD["cpu"] = 0
    weights, passes, wrapped = {}, {}, []
    for most in (1, 4):
        one = trainer(
            config(
                passes_per_micro_batch=most, per_device_train_batch_size=4, max_completion_length=24, objective="grpo",
                output_dir=f"{sys.argv[1]}/run-{most}", seed=3,
            )
        )  # fmt: skip
        rank = one.accelerator.process_index
        divide, counts = one._passes, []

        def counted(inputs, completions, divide=divide, counts=counts, rank=rank):
            if rank == 1:
                completions = passing.Completions([24] * 4, [True] * 4)
            found = divide(inputs, completions)
            counts.append(len(found))
            return found

        one._passes = counted
        compute = one._compute_loss
        one._compute_loss = lambda model, inputs, compute=compute: (
            wrapped.append(isinstance(model, DistributedDataParallel)) or compute(model, inputs)
        )
        one.train()
        weights[most], passes[most] = parameters(one).tolist(), counts
    found = {"weights": weights, "passes": passes[4], "wrapped": all(wrapped)}
    Path(sys.argv[1], f"rank-{rank}.json").write_text(json.dumps(found))
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":  # under torchrun only: doctest collection imports this file
    torch.manual_seed(0)
    main()
