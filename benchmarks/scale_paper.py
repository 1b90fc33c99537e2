"""The model carried on to 1,024 GPUs: memory, round time by stage, strong and weak scaling, what breaks first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from scale_memory import USABLE, kv_room, logits_bytes, training_bytes
from scale_shapes import Hardware, Layout, Model, Run, update_flops
from scale_time import EXTRA, Chosen, Plan, best_layout, decode_step_seconds, round_seconds

MODELS = (
    Model("Qwen2.5-Math-7B", 28, 3584, 18_944, 28, 4, 128, 152_064),
    Model("Qwen2.5-32B", 64, 5120, 27_648, 40, 8, 128, 152_064),
)
H100 = Hardware("H100 SXM", 80e9, 989.4e12, 3.35e12, 450e9, 50e9, 64e9)
RUNS = {"3,000 new tokens": Run(), "32k completions": Run(mean_length=10_000, max_length=32_768)}
COUNTS = (8, 16, 64, 256, 1024)
LAUNCH = 5e-6
"""Seconds to start an operation on a GPU."""
CONTROLLER_BYTES = 60
"""Of a token in a round's batch: ids, positions, mask, responses and their mask as int64, five float32."""
SERIALISED = 1e9
"""Bytes a second that one Python process packs or unpacks."""


@dataclass(frozen=True)
class Point:
    """A round on so many GPUs: the shortest layout, or None where nothing fits."""

    gpus: int
    plan: Plan | None
    seconds: dict[str, float]

    @property
    def round(self) -> float:
        return sum(self.seconds.values())

    @property
    def speed(self) -> float:
        """New tokens a second."""
        run = self.plan.run
        return run.completions * run.mean_length / self.round


def point(model: Model, run: Run, gpus: int) -> Point:
    plan = best_layout(Plan(model, H100, run, Layout(gpus, gpus)))
    return Point(gpus, plan, round_seconds(plan) if plan else {})


def scaling(model: Model, run: Run, weak: bool) -> list[Point]:
    """The same batch on more GPUs; weak: a batch that grows with them from the first that hold the model."""
    points: list[Point] = []
    for gpus in COUNTS:
        first = next((p.gpus for p in points if p.plan), gpus)
        points.append(point(model, replace(run, prompts=run.prompts * gpus // first) if weak else run, gpus))
    return points


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(head)} |", "|" + "---|" * len(head), *(f"| {' | '.join(row)} |" for row in rows), ""]


def told(layout: Layout) -> str:
    words = f"{layout.fsdp}, {layout.sequence_parallel}, {layout.rollout_tp}"
    return words + (", offloaded" if layout.offload else "")


def memory_table(model: Model, run: Run) -> list[str]:
    """A row a number of GPUs, with the shortest layout; where nothing fits, with everything split as far as it goes."""
    rows = []
    for gpus in COUNTS:
        plan = point(model, run, gpus).plan
        layout = plan.layout if plan else Layout(gpus, gpus, 8, 4, offload=True)
        parts = training_bytes(model, run, layout)
        state = sum(parts[kind] for kind in ("weights", "gradients", "Adam"))
        tokens = max(run.micro_batch_tokens, (run.prompt_length + run.max_length) / layout.sequence_parallel)
        cells = [state, parts["whole layers"], parts["activations"], parts["logits"]]
        cells += [sum(parts.values()), logits_bytes(model, tokens), kv_room(model, H100, layout)]
        verdict = told(layout) if plan else f"does not fit in {USABLE * H100.memory / 1e9:.0f}"
        rows.append([f"{gpus:,}", verdict, *(f"{each / 1e9:.1f}" for each in cells)])
    head = ["GPUs", "FSDP, SP, TP", "state", "whole layers", "activations", "logits, chunked", "update, sum"]
    return table([*head, "logits at once", "room for KV cache"], rows)


def bound(one: Point) -> str:
    """The longest stage, and in the rollout how much of it the longest completion alone would take."""
    stage = max(one.seconds, key=one.seconds.__getitem__)
    text = f"{stage} {one.seconds[stage] / one.round:.0%}"
    if stage != "rollout":
        return text
    run = one.plan.run
    alone = run.max_length * decode_step_seconds(one.plan, 1, run.prompt_length + run.max_length / 2)
    return f"{text}; the longest alone {alone / one.seconds[stage]:.0%} of it"


def time_table(points: Sequence[Point]) -> list[str]:
    rows, base = [], next(p for p in points if p.plan)
    for one in points:
        if one.plan is None:
            rows.append([f"{one.gpus:,}", f"{Run().completions:,}", "does not fit", *[""] * 8])
            continue
        s = one.seconds
        rows.append([
            f"{one.gpus:,}", f"{one.plan.run.completions:,}", told(one.plan.layout), f"{s['rollout']:.1f}",
            f"{s['old log-probabilities']:.1f}", f"{s['update']:.1f}", f"{s['weights to the sampler']:.1f}",
            f"{one.round:.1f}", f"{one.speed:,.0f}",
            f"{one.speed / one.gpus / (base.speed / base.gpus):.0%}", bound(one),
        ])  # fmt: skip
    head = ["GPUs", "completions", "FSDP, SP, TP", "rollout, s", "old log-probs", "update", "weights", "round"]
    return table([*head, "new tokens/s", f"efficiency against {base.gpus}", "longest stage"], rows)


def variants(model: Model, run: Run) -> list[str]:
    """1,024 GPUs with one thing set otherwise at a time."""
    best = point(model, run, 1024).plan
    more = replace(run, prompts=64 * run.prompts)
    tried = {
        "one copy of the state over all, SP 1, TP 1": replace(best, layout=Layout(1024, 1024)),
        "the best layout": best,
        "the same, but one copy of the state over all": replace(best, layout=replace(best.layout, fsdp=1024)),
        "the best with 1 update a round instead of 8": point(model, replace(run, updates=1), 1024).plan,
        "the best with 8 times the prompts": point(model, replace(run, prompts=8 * run.prompts), 1024).plan,
        "the best with 64 times the prompts": point(model, more, 1024).plan,
        "the same with P3O's pass": point(model, replace(more, extra_pass=True), 1024).plan,
    }
    rows = []
    for name, plan in tried.items():
        one = Point(1024, plan, round_seconds(plan))
        busy = min(1.0, plan.run.mini_batch * plan.layout.sequence_parallel / 1024)
        update = one.seconds["update"] + one.seconds[EXTRA]
        cells = [f"{one.seconds['rollout']:.1f}", f"{update:.1f}", f"{one.round:.1f}", f"{one.speed:,.0f}"]
        rows.append([name, told(plan.layout), f"{busy:.0%}", *cells])
    head = ["", "FSDP, SP, TP", "GPUs with work in an update", "rollout, s", "update", "round", "new tokens/s"]
    return table(head, rows)


def loss_table(traffic: dict[str, tuple[int, float]]) -> list[str]:
    """Our loss beside the model's head, on a micro-batch: from counted operations and bytes."""
    model, tokens = MODELS[0], Run().micro_batch_tokens
    head = 3 * 2 * tokens * model.head / (H100.flops * Chosen().train)
    update = update_flops(model, tokens, 600) / (H100.flops * Chosen().train)
    rows = []
    for preset, (operations, moved) in traffic.items():
        seconds = operations * LAUNCH + tokens * moved / (H100.hbm * Chosen().hbm)
        cells = [f"{operations:,}", f"{moved:,.0f}", f"{1e3 * seconds:.2f} ms"]
        rows.append([preset, *cells, f"{seconds / head:.1%}", f"{seconds / update:.2%}"])
    return table(["", "operations", "bytes a token", "seconds", "of the head", "of the update"], rows)


def assumptions() -> str:
    """All numbers that are not counted."""
    chosen = ", ".join(f"{f.name} {getattr(Chosen(), f.name):g}" for f in fields(Chosen))
    return f"""- **{H100.name}, as published**: {H100.memory / 1e9:.0f} GB; {H100.flops / 1e12:.0f} TFLOP/s, dense bf16;
  {H100.hbm / 1e12:.2f} TB/s HBM; in one direction NVLink {H100.link_inside / 1e9:.0f} GB/s, one 400 Gb/s card a GPU
  ({H100.link_between / 1e9:.0f} GB/s), PCIe {H100.link_host / 1e9:.0f} GB/s; nodes of {H100.per_node}.
- **Chosen, not measured**: {chosen} (shares of published rates; seconds); {USABLE:.0%} of the memory is usable;
  {1e6 * LAUNCH:g} µs to start an operation. All seconds below are proportional to them.
- **Lengths**: exponential, cut at the limit: 3,000 with mean 1,000; 32,768 with mean 10,000. Prompts of 200 tokens,
  read once a group. Lengths lie at equal quantiles: no luck of sampling, and no slow node.
- **Training**: verl with FSDP2: float32 masters and Adam, bf16 in use, gradients reduced in float32 after every
  micro-batch of 16,384 tokens, copies of the state all-reduce theirs. Every layer is checkpointed, the head works in
  chunks of 512 tokens (`use_fused_kernels`), completions are dealt to ranks by length. Of computation and
  communication, {Chosen().overlap:.0%} of the shorter hides behind the longer.
- **Rollout**: colocated and synchronous, in bf16. A step reads all weights and the cache; the round waits for the
  longest completion. Weights travel in float32, as verl gathers them.
- **Layout**: the shortest round of those that fit, among FSDP 8 to all, SP and TP 1, 2, 4, 8 where they divide the
  heads, training state kept or offloaded during the rollout.
- **Not checked by a count**: bytes of whole layers, KV cache, and every second.
- **Left out**: grading (beside the rollout), logging, checkpoints, failures.
"""


def controller(run: Run) -> tuple[float, float]:
    """Bytes of a round's batch, and the seconds of one process that packs it."""
    whole = run.completions * (run.prompt_length + run.mean_length) * CONTROLLER_BYTES
    return whole, whole / SERIALISED
