"""Seconds and bytes sent of a round, stage by stage, from the counts and a few chosen efficiencies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise, product
from math import ceil

from scale_memory import fits, kv_bytes, kv_room, padded, shard
from scale_shapes import (
    BF16, FP32, Hardware, Layout, Model, Run, busiest, forward_flops, lengths, update_flops,
)  # fmt: skip


@dataclass(frozen=True)
class Chosen:
    """What no data sheet says: shares of the published rates that are reached, seconds of latency. Not measured here.

    Attributes:
        overlap: share of the shorter of computation and communication that hides behind the longer.
        step: launching a decoding step; `tp_reduce`: an all-reduce within it, two a layer.
        hop_inside, hop_between: one step of a ring, in a node and between nodes.
    """

    train: float = 0.40
    forward: float = 0.45
    decode_compute: float = 0.50
    hbm: float = 0.70
    link: float = 0.80
    overlap: float = 0.80
    step: float = 2e-3
    tp_reduce: float = 10e-6
    hop_inside: float = 1e-6
    hop_between: float = 5e-6


@dataclass(frozen=True)
class Plan:
    """Everything that the seconds depend on."""

    model: Model
    hardware: Hardware
    run: Run
    layout: Layout
    chosen: Chosen = Chosen()


EXTRA = "P3O's pass"


def collective_counts(model: Model, checkpointed_passes: int, forward_passes: int) -> dict[str, int]:
    """FSDP2's of a rank: every group is gathered once in a forward pass, once more in a backward pass unless it is the
    root, which stays, or the embedding, whose backward needs no weights but is gathered too; and reduced once."""
    groups = len(model.groups)
    return {
        "all-gather": checkpointed_passes * (2 * groups - 1) + forward_passes * groups,
        "reduce-scatter": checkpointed_passes * groups,
    }


def collective_bytes(model: Model, ranks: int, number: int = BF16) -> dict[str, float]:
    """Of a micro-batch with backward pass: whole tensors' bytes; a rank sends and receives (F−1)/F of them."""
    sizes = [sum(padded(shape, ranks) for shape in group) for group in model.groups]
    return {"all-gather": number * (2 * sum(sizes) - sizes[-1]), "reduce-scatter": FP32 * sum(sizes)}


def ring_seconds(whole: float, calls: int, ranks: int, plan: Plan) -> float:
    """Gathering or reducing `whole` bytes over ranks in `calls` collectives: the slower of NVLink and, between nodes,
    all links of a node together, and the latency of the rings."""
    h, c = plan.hardware, plan.chosen
    if ranks == 1:
        return 0.0
    nodes = ceil(ranks / h.per_node)
    inside = whole * (ranks - 1) / ranks / h.link_inside
    between = whole * (nodes - 1) / nodes / (h.link_between * min(ranks, h.per_node))
    hops = (ranks - nodes) * c.hop_inside + (nodes - 1) * c.hop_between
    return max(inside, between) / c.link + calls * hops


def replica_seconds(plan: Plan) -> float:
    """All-reduce of float32 gradients over the copies of the state, each shard over its own link."""
    copies = plan.layout.gpus // plan.layout.fsdp
    if copies == 1:
        return 0.0
    sent = 2 * (copies - 1) / copies * FP32 * shard(plan.model, plan.layout.fsdp)
    return sent / (plan.hardware.link_between * plan.chosen.link) + 2 * (copies - 1) * plan.chosen.hop_between


def exchange_seconds(plan: Plan, tokens: float) -> float:
    """Ulysses in a forward pass: q, k, v and the result of every layer, sent within the node once each."""
    model, sp = plan.model, plan.layout.sequence_parallel
    numbers = 2 * (model.heads + model.kv_heads) * model.head_dim
    sent = model.layers * tokens * numbers * BF16 * (sp - 1) / sp
    return sent / (plan.hardware.link_inside * plan.chosen.link)


def pass_seconds(plan: Plan, completions: int, backward: bool) -> float:
    """A pass of the sharded model over completions: the rank with most tokens, communication partly hidden."""
    model, run, sp, c = plan.model, plan.run, plan.layout.sequence_parallel, plan.chosen
    whole, context = busiest(run, completions, plan.layout.gpus // sp)
    tokens = whole / sp
    flops = (update_flops if backward else forward_flops)(model, tokens, context)
    compute = flops / (plan.hardware.flops * (c.train if backward else c.forward))
    micro = ceil(tokens / run.micro_batch_tokens)
    counts = collective_counts(model, micro * backward, micro * (not backward))
    bytes_of = collective_bytes(model, plan.layout.fsdp)
    gathered = bytes_of["all-gather"] / (1 if backward else 2)
    sent = ring_seconds(micro * gathered, counts["all-gather"], plan.layout.fsdp, plan)
    if backward:
        sent += ring_seconds(micro * bytes_of["reduce-scatter"], counts["reduce-scatter"], plan.layout.fsdp, plan)
        sent += micro * replica_seconds(plan)
    sent += exchange_seconds(plan, tokens) * (4 if backward else 1)
    return compute + sent - c.overlap * min(compute, sent)


def decode_step_seconds(plan: Plan, active: float, context: float) -> float:
    """One token for each active completion of a replica: the slower of bytes read and FLOPs, and what it waits for."""
    model, h, c, tp = plan.model, plan.hardware, plan.chosen, plan.layout.rollout_tp
    weights = model.layers * model.layer_matrices + model.head
    read = (BF16 * weights / tp + active * context * kv_bytes(model, tp)) / (h.hbm * c.hbm)
    compute = forward_flops(model, active, context) / tp / (h.flops * c.decode_compute)
    return max(read, compute) + c.step + (2 * model.layers * c.tp_reduce if tp > 1 else 0.0)


def rollout_seconds(plan: Plan) -> float:
    """Prefill of every prompt once, then decoding on the replica that has the longest completion."""
    model, run, layout = plan.model, plan.run, plan.layout
    replicas = layout.gpus // layout.rollout_tp
    own = lengths(run, run.completions)[::replicas]
    prompts = ceil(run.prompts / replicas)
    prefill = forward_flops(model, prompts * run.prompt_length, run.prompt_length / 2) / layout.rollout_tp
    seconds = prefill / (plan.hardware.flops * plan.chosen.forward)
    place = kv_bytes(model, layout.rollout_tp) * (run.prompt_length + run.mean_length)
    most = max(1, int(kv_room(model, plan.hardware, layout) / place))
    context = run.prompt_length + run.mean_length / 2
    if len(own) > most:  # the others wait for a place: all places are taken meanwhile
        waiting = sum(own) * (1 - most / len(own))
        seconds += waiting / most * decode_step_seconds(plan, most, context)
        own = own[:: ceil(len(own) / most)]
    ends = [0.0, *reversed(own)]
    for done, (start, end) in enumerate(pairwise(ends)):
        cost = decode_step_seconds(plan, len(own) - done, run.prompt_length + (start + end) / 2)
        seconds += (end - start) * cost
    return seconds


def round_seconds(plan: Plan) -> dict[str, float]:
    """All stages of a synchronous round. Grading, logging and checkpoints are not in it."""
    run, model, layout = plan.run, plan.model, plan.layout
    steps = run.updates * run.epochs
    forward = pass_seconds(plan, run.completions, backward=False)
    update = steps * pass_seconds(plan, run.mini_batch, backward=True)
    adam = steps * 7 * FP32 * shard(model, layout.fsdp) / (plan.hardware.hbm * plan.chosen.hbm)
    gather = ring_seconds(FP32 * model.parameters, 12 * model.layers, layout.fsdp, plan)
    moved = 2 * 3 * FP32 * shard(model, layout.fsdp) if layout.offload else 0.0
    return {
        "rollout": rollout_seconds(plan),
        "old log-probabilities": forward,
        "reference": forward if run.reference else 0.0,
        EXTRA: steps * pass_seconds(plan, run.mini_batch, backward=False) if run.extra_pass else 0.0,
        "update": update + adam,
        "weights to the sampler": gather + moved / (plan.hardware.link_host * plan.chosen.link),
    }


def best_layout(plan: Plan) -> Plan | None:
    """The layout of these GPUs whose round is shortest among those that fit; None where nothing fits."""
    found: list[tuple[float, Plan]] = []
    gpus, node = plan.layout.gpus, plan.hardware.per_node
    for fsdp in {min(gpus, node * 2**k) for k in range(8)}:
        for tp, sp, offload in product((1, 2, 4, 8), (1, 2, 4, 8), (False, True)):
            tried = replace(plan, layout=Layout(gpus, fsdp, tp, sp, offload))
            if fits(plan.model, plan.hardware, plan.run, tried.layout):
                found.append((sum(round_seconds(tried).values()), tried))
    return min(found, key=lambda pair: pair[0])[1] if found else None
