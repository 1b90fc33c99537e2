"""Collectives and training state of FSDP2's updates of a tiny Qwen2, counted beside the model.

With two real processes over gloo, and as rank 0 of many that do not exist, whose collectives send nothing.
"""

from __future__ import annotations

import pickle
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.testing._internal.distributed.fake_pg import FakeStore
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from scale_counted import Row, built, checkpointed, tokens
from scale_memory import STATE, state_bytes
from scale_shapes import Model
from scale_time import collective_bytes, collective_counts

KINDS = {"_allgather_base_": "all-gather", "_reduce_scatter_base_": "reduce-scatter"}
"""c10d's operations that FSDP2 calls."""


class Collectives(TorchDispatchMode):
    """Calls and bytes of the whole (gathered or not yet reduced) tensors, by kind."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        if func.namespace == "c10d":
            kind = KINDS.get(func.overloadpacket.__name__, "others")
            self.calls[kind] += 1
            self.bytes[kind] += max((t.nbytes for t in tree_leaves(args) if isinstance(t, Tensor)), default=0)
        return func(*args, **(kwargs or {}))


def sharded(model: Model, ranks: int) -> nn.Module:
    """Under FSDP2, wrapped and with the types of verl: float32 masters, bf16 in use, gradients reduced in float32."""
    module = checkpointed(built(model))
    settings = {
        "mesh": init_device_mesh("cpu", (ranks,)),
        "mp_policy": MixedPrecisionPolicy(torch.bfloat16, torch.float32),
    }
    ends = [] if model.tied else [module.model.embed_tokens, module.lm_head]
    for part in (*module.model.layers, *ends, module):
        fully_shard(part, **settings)
    return module


def sharded_update(model: Model, ranks: int) -> tuple[Collectives, Collectives, dict[str, float]]:
    """A forward pass, then an update of two micro-batches; collectives of both, and this rank's training state."""
    module = sharded(model, ranks)
    adam = torch.optim.AdamW(module.parameters(), lr=1e-5, foreach=False)
    given = tokens(model)
    with Collectives() as forward, torch.no_grad():
        module(given)
    module.reshard()  # without a backward pass the root stays gathered
    with Collectives() as update:
        for _ in range(2):
            module(given).logits.float().mean().backward()
    adam.step()
    own = [p.to_local() for p in module.parameters()]
    moments = [state[name].to_local() for state in adam.state.values() for name in ("exp_avg", "exp_avg_sq")]
    kinds = zip(STATE, (own, [p.grad.to_local() for p in module.parameters()], moments), strict=True)
    return forward, update, {kind: float(sum(t.nbytes for t in each)) for kind, each in kinds}


@contextmanager
def fake_ranks(ranks: int) -> Iterator[None]:
    """Rank 0 of so many that do not exist: collectives are called and counted, and nothing is sent."""
    dist.init_process_group("fake", rank=0, world_size=ranks, store=FakeStore())
    try:
        yield
    finally:
        dist.destroy_process_group()


def collective_rows(model: Model, ranks: int, found: tuple[Collectives, Collectives, dict[str, float]]) -> list[Row]:
    """What `sharded_update` counted, beside the model."""
    forward, update, state = found
    name = f"{model.name}, {ranks} rank{'s' * (ranks > 1)}"
    held = [Row(f"{name}: {kind}", state[kind], each) for kind, each in state_bytes(model, ranks).items()]
    if ranks == 1:
        return held  # nothing is sent
    counts, whole = collective_counts(model, 2, 0), collective_bytes(model, ranks)
    sent = [
        Row(f"{name}: all-gathers, forward pass", forward.calls["all-gather"],
            collective_counts(model, 0, 1)["all-gather"], "calls"),
        *(Row(f"{name}: {kind}s, update of 2", update.calls[kind], counts[kind], "calls") for kind in counts),
        *(Row(f"{name}: {kind}s, update of 2", update.bytes[kind], 2 * whole[kind]) for kind in whole),
    ]  # fmt: skip
    return sent + held


def two_processes(model: Model) -> list[Row]:
    """`collective_rows` of rank 0 of two processes over gloo."""
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(_process, (model, folder), nprocs=2)
        return pickle.loads((Path(folder) / "rows").read_bytes())


def _process(rank: int, model: Model, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    rows = collective_rows(model, 2, sharded_update(model, 2))
    if rank == 0:
        (Path(folder) / "rows").write_bytes(pickle.dumps(rows))
    dist.destroy_process_group()
