"""Run under torchrun: four updates, of which rank 1 spoils its part of the second; what each rank then has."""

import json
import math
import sys
from pathlib import Path

import torch.distributed as dist

from support import config, parameters, trainer


def main() -> None:
    one = trainer(config(per_device_train_batch_size=4, output_dir=f"{sys.argv[1]}/run"))
    rank = one.accelerator.process_index
    compute, micro_batches, seen = one._compute_loss, [], []

    def spoil(model, inputs):
        micro_batches.append(1)
        seen.append(parameters(one).clone())
        if rank == 1 and len(micro_batches) == 2:
            old = inputs["old_per_token_logps"].clone()
            old[0, 0] = math.nan
            inputs = {**inputs, "old_per_token_logps": old, "advantages": inputs["advantages"] + 0.1}
        return compute(model, inputs)

    one._compute_loss = spoil
    one.train()
    moved = [not before.equal(after) for before, after in zip(seen, [*seen[1:], parameters(one)], strict=True)]
    result = {"moved": moved, "skipped": one.skipped_steps, "weights": parameters(one).double().sum().item()}
    Path(sys.argv[1], f"rank-{rank}.json").write_text(json.dumps(result))
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":  # under torchrun only: doctest collection imports this file
    main()
