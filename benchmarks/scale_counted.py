"""FLOPs, bytes of tensors and time of a tiny Qwen2, and the operations of our loss, counted beside the model."""

from __future__ import annotations

import sys
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests")]

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

import pmpo
from scale_memory import activation_bytes, logits_bytes
from scale_shapes import Model, forward_flops, recomputed_flops
from tiny import tiny_model

SMALL = Model("small", 3, 64, 160, 4, 2, 16, 512)
ODD = Model("odd rows", 2, 60, 100, 3, 1, 16, 130)
LARGER = Model("for time", 4, 256, 1024, 4, 2, 64, 2048)
ROWS, LENGTH = 2, 128


@dataclass(frozen=True)
class Row:
    """One comparison of the table."""

    what: str
    counted: float
    model: float
    unit: str = "bytes"

    @property
    def ratio(self) -> float:
        return self.counted / self.model


def built(model: Model, dtype: torch.dtype = torch.float32, attention: str = "sdpa") -> nn.Module:
    """transformers' Qwen2 of a model's shape."""
    made = tiny_model(
        0, dtype, hidden_size=model.hidden, intermediate_size=model.intermediate, num_hidden_layers=model.layers,
        num_attention_heads=model.heads, num_key_value_heads=model.kv_heads, head_dim=model.head_dim,
        vocab_size=model.vocabulary, max_position_embeddings=512, tie_word_embeddings=model.tied, use_cache=False,
    )  # fmt: skip
    made.set_attn_implementation(attention)
    return made.train()


def tokens(model: Model) -> Tensor:
    return torch.randint(0, model.vocabulary, (ROWS, LENGTH), generator=torch.Generator().manual_seed(0))


def checkpointed(module: nn.Module) -> nn.Module:
    """The module with every layer under a non-reentrant checkpoint, as verl and TRL set it."""
    module.gradient_checkpointing_enable({"use_reentrant": False})
    return module


# ---- FLOPs ----------------------------------------------------------------------------------------------------------


def flops_of(work: Callable[[], Any]) -> tuple[Any, int]:
    with FlopCounterMode(display=False) as counter:
        result = work()
    return result, counter.get_total_flops()


def flop_rows(model: Model) -> list[Row]:
    """Attention unfused, since the fused kernel of a CPU is not counted; it multiplies the whole square."""
    module, given = built(model, attention="eager"), tokens(model)
    out, forward = flops_of(lambda: module(given).logits.sum())
    _, backward = flops_of(out.backward)
    checkpointed(module)
    _, whole = flops_of(lambda: module(given).logits.sum().backward())
    wanted = forward_flops(model, given.numel(), LENGTH)
    again = recomputed_flops(model, given.numel(), LENGTH)
    return [
        Row("forward", forward, wanted, "FLOPs"),
        Row("backward", backward, 2 * wanted, "FLOPs"),
        Row("forward, backward and recomputation", whole, 3 * wanted + again, "FLOPs"),
    ]


# ---- bytes of activations and logits --------------------------------------------------------------------------------


def saved_bytes(work: Callable[[], Any], module: nn.Module) -> int:
    """Of what autograd keeps for the backward pass, every storage once, parameters left out."""
    weights = {p.untyped_storage().data_ptr() for p in (*module.parameters(), *module.buffers())}
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        if (place := tensor.untyped_storage().data_ptr()) not in weights:
            kept[place] = tensor.detach()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        work()
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


class Live(TorchDispatchMode):
    """Bytes of the storages that operations made and that are still there, and the most of them at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: dict[int, int] = {}
        self.now = self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor) and (place := tensor.untyped_storage()._cdata) not in self.sizes:
                storage = tensor.untyped_storage()
                self.sizes[place] = storage.nbytes()
                self.now += storage.nbytes()
                weakref.finalize(storage, self._gone, place)
        self.peak = max(self.peak, self.now)
        return out

    def _gone(self, place: int) -> None:
        self.now -= self.sizes.pop(place)


def layers_of(module: nn.Module, given: Tensor) -> Tensor:
    """The decoder without embedding and head."""
    return module.model(inputs_embeds=given).last_hidden_state


def activation_rows(model: Model) -> list[Row]:
    """Differences between a model and one of a layer more: what a layer adds."""
    deeper = Model(**{**vars(model), "layers": model.layers + 1})
    rows = []
    for dtype in (torch.bfloat16, torch.float32):
        number = dtype.itemsize
        for what, prepare in (("kept by a layer", lambda m: m), ("kept by a layer, checkpointed", checkpointed)):
            found = []
            for each in (model, deeper):
                module = prepare(built(each, dtype))
                given = torch.randn(ROWS, LENGTH, model.hidden, dtype=dtype, requires_grad=True)
                found.append(saved_bytes(lambda m=module, x=given: layers_of(m, x), module))
            of = [activation_bytes(m, ROWS * LENGTH, "check" in what, number) for m in (model, deeper)]
            rows.append(Row(f"{what}, {str(dtype)[6:]}", found[1] - found[0], of[1] - of[0]))
    return rows


def log_probs(hidden: Tensor, head: Tensor, labels: Tensor) -> Tensor:
    """Of the labels, [T], through all logits at once."""
    logits = hidden @ head.t()
    return logits.float().log_softmax(-1).gather(-1, labels[:, None])[:, 0]


def logit_rows(vocabulary: int = 4000, count: int = 512, chunk: int = 64) -> list[Row]:
    """The peak in forward and backward above hidden states, the head and their gradients."""
    rows = []
    for size in (0, chunk):
        hidden, head = (torch.randn(n, 4, dtype=torch.bfloat16, requires_grad=True) for n in (count, vocabulary))
        labels = torch.randint(0, vocabulary, (count,))
        with Live() as live:
            _log_prob_sum(hidden, head, labels, size or count).backward()
        what = "logits at the peak" + (f", {size} of {count} tokens at once" if size else "")
        rows.append(Row(what, live.peak, logits_bytes(Model("", 0, 4, 0, 0, 0, 0, vocabulary), count, size)))
    return rows


def _log_prob_sum(hidden: Tensor, head: Tensor, labels: Tensor, size: int) -> Tensor:
    parts = zip(hidden.split(size), labels.split(size), strict=True)
    found = [
        checkpoint(log_probs, h, head, i, use_reentrant=False) if size < len(labels) else log_probs(h, head, i)
        for h, i in parts
    ]
    return torch.cat(found).sum()


# ---- time -----------------------------------------------------------------------------------------------------------


def time_rows(model: Model = LARGER, repeats: int = 5) -> list[Row]:
    """Ratios of processor time on one thread, the least of a few; the model's are those of FLOPs."""
    torch.set_num_threads(1)
    given, seconds = tokens(model), {}
    for name, module in (("plain", built(model)), ("checkpointed", checkpointed(built(model)))):
        forward, whole = [], []
        for _ in range(repeats):
            started = time.process_time()
            loss = module(given).logits.sum()
            forward.append(time.process_time() - started)
            loss.backward()
            whole.append(time.process_time() - started)
        seconds[name] = min(forward), min(whole)
    once = forward_flops(model, given.numel(), LENGTH)
    again = recomputed_flops(model, given.numel(), LENGTH)
    plain, kept = seconds["plain"], seconds["checkpointed"]
    return [
        Row("time of forward and backward by that of forward", plain[1] / plain[0], 3.0, ""),
        Row("time with checkpointing by that without", kept[1] / plain[1], (3 * once + again) / (3 * once), ""),
    ]


# ---- our loss -------------------------------------------------------------------------------------------------------


class Traffic(TorchDispatchMode):
    """Operations that compute, and the bytes that they read and write."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if not func.is_view and func.namespace == "aten" and "detach" not in func.__name__:
            self.operations += 1
            self.bytes += sum(t.nbytes for t in tree_leaves((args, out)) if isinstance(t, Tensor))
        return out


def loss_work(preset: str, completions: int, length: int) -> Callable[[], None]:
    """`pmpo.policy_loss`, forward and backward with all diagnostics, on made-up inputs."""
    torch.manual_seed(0)
    shape = (completions, length)
    old, mask = -torch.rand(shape), torch.ones(shape, dtype=torch.bool)
    new = (old + 0.3 * torch.randn(shape)).requires_grad_()
    batch = pmpo.BatchContext(reward_mean=0.5, reward_std=0.5, progress=0.5, num_sequences=completions)
    objective = pmpo.objective(preset, kl_coef=0.0)  # under verl, and by default in TRL, the KL term is another's
    advantages = torch.randn(completions)
    return lambda: pmpo.policy_loss(new, old, advantages, mask, objective, batch).loss.backward()


def loss_traffic(preset: str, completions: int = 8, length: int = 512) -> tuple[int, float]:
    """Operations of a call of the loss, and bytes a token."""
    work = loss_work(preset, completions, length)
    with Traffic() as counted:
        work()
    return counted.operations, counted.bytes / (completions * length)


def loss_bytes(preset: str, completions: int = 8, length: int = 512) -> float:
    """Bytes a token at the peak of the loss, above its inputs."""
    work = loss_work(preset, completions, length)
    with Live() as live:
        work()
    return live.peak / (completions * length)
