"""Run under torchrun: the loss's gradient on this rank's share of a fixed batch, averaged as DDP does."""

import json
import sys
from pathlib import Path

import torch
import torch.distributed as dist

from support import config, loss_inputs, trainer


def gradient_and_metrics(name):
    one = trainer(config(objective=name, per_device_train_batch_size=4, beta=0.0))
    rank, world = one.accelerator.process_index, one.accelerator.num_processes
    whole = loss_inputs(rows=8)
    size = 8 // world
    share = {k: (v[rank * size : (rank + 1) * size] if v.dim() else v) for k, v in whole.items()}
    one.model.train()
    one.current_gradient_accumulation_steps = 1
    one.args.steps_per_generation = 1
    one._buffered_inputs = [share]
    one._compute_loss(one.model, share).backward()
    gradient = torch.cat([p.grad.flatten() for p in one.model.parameters() if p.grad is not None])
    dist.all_reduce(gradient)
    one._settle("train")
    window = one._windows["train"]
    metrics = {"entropy": window.entropy, **window.metrics()}
    return {"gradient": (gradient / world).tolist(), "metrics": metrics, "world": world}


def main() -> None:
    results = {name: gradient_and_metrics(name) for name in sys.argv[2:]}
    if dist.get_rank() == 0:
        Path(sys.argv[1]).write_text(json.dumps(results))
    dist.barrier()
    dist.destroy_process_group()  # left open, its threads can abort the process as it exits


if __name__ == "__main__":  # under torchrun only: doctest collection imports this file
    main()
