"""The batch numbers of a run: which cannot work together, and which near them can."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pmpo.foundation.errors import InputError
from pmpo.runs.settings import Settings


def check_processes(settings: Settings) -> int:
    """The number of processes to plan for; refuses to run on another number than the configuration is meant for."""
    wanted, actual = settings.run.num_processes, settings.training.world_size
    if wanted is None or wanted == actual:
        return actual
    if settings.run.dry_run:
        return wanted
    keep = "other batch numbers"
    if wanted % actual == 0:  # then more passes make the same batches
        args, factor = settings.training, wanted // actual
        keep = (
            f"--gradient_accumulation_steps {factor * args.gradient_accumulation_steps} --steps_per_generation "
            f"{factor * args.steps_per_generation}, which keep the batches"
        )
    raise InputError(
        f"The batch numbers of this configuration are meant for {wanted} processes (num_processes), but {actual} "
        f"{'is' if actual == 1 else 'are'} running. Start it with `accelerate launch --num_processes {wanted} -m pmpo "
        f"train …`, or write --num_processes {actual} with {keep}."
    )


def check_alignment(args: Any) -> None:
    """Refuse rounds that end in the middle of an optimiser step: it would mix completions of two policies.

    Args:
        args: with TRL's steps_per_generation, num_iterations (passes over a round) and gradient_accumulation_steps.
    """
    steps, accumulation = args.steps_per_generation, args.gradient_accumulation_steps
    if steps * args.num_iterations % accumulation:
        up = -(-steps // accumulation) * accumulation
        raise InputError(
            f"steps_per_generation={steps} is no multiple of gradient_accumulation_steps={accumulation}, so a round "
            f"would end in the middle of an optimiser step; write steps_per_generation={up} for "
            f"{up // accumulation * args.num_iterations} updates per round."
        )


@dataclass(frozen=True)
class Round:
    """One generation and the updates made from it, over all processes; passes over the round included."""

    prompts_per_round: int
    completions_per_prompt: int
    completions_per_round: int
    completions_per_update: int
    updates_per_round: int

    def total_updates(self, max_steps: int, epochs: float, problems: int | None) -> int | None:
        """Updates of the whole run; None where the number of training problems decides it and is not known."""
        if max_steps > 0:
            return max_steps
        if problems is None:
            return None
        rounds_per_epoch = problems // self.prompts_per_round  # the sampler leaves out a last round that is not full
        return int(-(-epochs * rounds_per_epoch * self.updates_per_round // 1))


def one_round(args: Any, processes: int) -> Round:
    """The numbers of one round.

    Args:
        args: the trainer's, made for args.world_size processes.
        processes: for which they are meant.
    """
    completions = args.generation_batch_size * processes // args.world_size
    return Round(
        prompts_per_round=completions // args.num_generations,
        completions_per_prompt=args.num_generations,
        completions_per_round=completions,
        completions_per_update=args.per_device_train_batch_size * processes * args.gradient_accumulation_steps,
        updates_per_round=args.steps_per_generation * args.num_iterations // args.gradient_accumulation_steps,
    )


def rows_to_stream(settings: Settings) -> int | None:
    """Training problems that max_steps updates need; None for a data set that is not streamed.

    Raises: InputError when it is streamed without an end.
    """
    args = settings.training
    if not settings.run.dataset_streaming:
        return None
    if args.max_steps <= 0:
        raise InputError("dataset_streaming is true, and a stream has no end; write max_steps.")
    round_ = one_round(args, args.world_size)
    return -(-args.max_steps // round_.updates_per_round) * round_.prompts_per_round


@dataclass(frozen=True)
class _Batch:
    """The batch numbers as they were given, each a whole number; `steps` and `whole` are None where left out.

    Attributes:
        device: completions of one forward pass of one process.
        accumulation: forward passes per update.
        group: completions per prompt.
        steps, whole: forward passes, and completions, of one round.
    """

    device: int
    accumulation: int
    group: int
    steps: int | None
    whole: int | None
    processes: int

    @property
    def step(self) -> int:
        """Completions of one forward pass of all processes."""
        return self.device * self.processes

    @property
    def width(self) -> str:
        several = "es" if self.processes > 1 else ""
        return f"per_device_train_batch_size={self.device} × {self.processes} process{several}"


def explain_batch_arithmetic(given: Mapping[str, Any]) -> str | None:
    """A sentence on why the batch numbers cannot work, with numbers that do; None when they are not what is wrong.

    Args:
        given: the arguments as parsed: per_device_train_batch_size, gradient_accumulation_steps, steps_per_generation,
            generation_batch_size, num_generations.
    """
    names = ("per_device_train_batch_size", "gradient_accumulation_steps", "num_generations")
    if not all(isinstance(given.get(name), int) for name in names):
        return None
    device, accumulation, group = (given[name] for name in names)
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    rounds = (given.get("steps_per_generation"), given.get("generation_batch_size"))
    batch = _Batch(device, accumulation, group, *rounds, processes)
    return _too_small(batch) or _not_one_round(batch) or _not_whole_groups(batch)


def _too_small(batch: _Batch) -> str | None:
    for name, number, least in (
        ("per_device_train_batch_size", batch.device, 1),
        ("gradient_accumulation_steps", batch.accumulation, 1),
        ("num_generations", batch.group, 2),
    ):
        if number < least:
            why = " (advantages compare completions of one prompt)" if least == 2 else ""
            return f"{name}={number} cannot work{why}; write at least {least}, for example {8 if least == 2 else 1}."
    return None


def _not_one_round(batch: _Batch) -> str | None:
    """Why the two ways to say how large a round is do not go together, or with the width of a forward pass."""
    step, steps, whole = batch.step, batch.steps, batch.whole
    if steps is not None and whole is not None and whole != step * steps:
        return (
            f"steps_per_generation={steps} and generation_batch_size={whole} contradict each other ({step} completions "
            f"of one forward pass × {steps} = {step * steps}); keep steps_per_generation."
        )
    if whole is not None and whole % step:
        return (
            f"generation_batch_size={whole} is no multiple of the {step} completions of one forward pass "
            f"({batch.width}); write generation_batch_size={-(-whole // step) * step}."
        )
    return None


def _not_whole_groups(batch: _Batch) -> str | None:
    from pmpo.integrations.trl.rounds import UPDATES_PER_GENERATION

    steps = batch.steps if batch.steps is not None else UPDATES_PER_GENERATION * batch.accumulation
    total = batch.whole if batch.whole is not None else batch.step * steps
    if total % batch.group == 0:
        return None
    factors = "" if batch.whole is not None else f" ({batch.width} × {steps} steps_per_generation)"
    return (
        f"One round makes {total} completions{factors}, which cannot be cut into groups of num_generations="
        f"{batch.group}. {_numbers_that_work(total, batch.group, batch.device, batch.whole is not None)}"
    )


def _numbers_that_work(total: int, group: int, device: int, whole_given: bool) -> str:
    divisors = [d for d in range(2, total + 1) if total % d == 0]
    near_group = min(divisors, key=lambda d: (abs(d - group), d), default=None)
    groups = f" or num_generations={near_group}" if near_group else ""
    if whole_given:
        return f"Write generation_batch_size={-(-total // group) * group}{groups}."
    others = total // device
    sizes = range(1, device + group + 1)
    near_device = min((d for d in sizes if d * others % group == 0), key=lambda d: (abs(d - device), -d))
    return f"Write per_device_train_batch_size={near_device}{groups}."
