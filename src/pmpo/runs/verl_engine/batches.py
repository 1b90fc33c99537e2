"""Rounds, updates and micro-batches. TRL counts completions and updates; verl counts prompts and rounds."""

from __future__ import annotations

import math

from pmpo.foundation.errors import InputError
from pmpo.runs.verl_engine.job import Job, says
from pmpo.runs.verl_engine.overrides import ACTOR, REFERENCE, ROLLOUT, Translation


@says("num_generations")
def group(job: Job, to: Translation) -> None:
    to.line("num_generations", f"{ROLLOUT}.n", job.options.num_generations)


@says("steps_per_generation", "generation_batch_size")
def prompts_of_a_round(job: Job, to: Translation) -> None:
    to.line("steps_per_generation", "data.train_batch_size", job.round.prompts_per_round)


@says("per_device_train_batch_size", "gradient_accumulation_steps")
def prompts_of_an_update(job: Job, to: Translation) -> None:
    """Raises: InputError for an update that is no whole number of prompts, or that GPUs cannot share evenly."""
    options, group_size = job.options, job.options.num_generations
    completions = job.round.completions_per_update
    if completions % group_size:
        fitting = math.lcm(completions, group_size) // completions
        raise InputError(
            f"An update has {completions} completions (per_device_train_batch_size × processes × "
            f"gradient_accumulation_steps), and verl cuts a round between prompts of num_generations={group_size}: "
            f"write gradient_accumulation_steps={fitting * options.gradient_accumulation_steps}, or num_generations="
            f"{math.gcd(completions, group_size)}."
        )
    source = "per_device_train_batch_size × gradient_accumulation_steps × processes"
    to.line(source, f"{ACTOR}.ppo_mini_batch_size", completions // group_size)
    size = options.per_device_train_batch_size
    to.line("per_device_train_batch_size", f"{ACTOR}.ppo_micro_batch_size_per_gpu", size)
    to.line("per_device_train_batch_size", f"{ROLLOUT}.log_prob_micro_batch_size_per_gpu", size)
    if options.resolved_objective.kl_coef:
        to.line("per_device_train_batch_size", f"{REFERENCE}.log_prob_micro_batch_size_per_gpu", size)
    # As in TRL, where the completions of a round are shuffled before they are cut into updates.
    to.line("steps_per_generation", f"{ACTOR}.shuffle", job.round.updates_per_round > 1)


@says("num_iterations")
def passes(job: Job, to: Translation) -> None:
    to.line("num_iterations", f"{ACTOR}.ppo_epochs", job.options.num_iterations)
    if job.options.num_iterations > 1:
        to.note("num_iterations: TRL passes over a round in one order, verl shuffles it for every pass")


@says("max_steps", "num_train_epochs")
def length(job: Job, to: Translation) -> None:
    """Raises: InputError for updates that end inside a round."""
    options, updates = job.options, job.round.updates_per_round
    if options.max_steps > 0 and options.max_steps % updates:
        near = [n for n in (options.max_steps // updates * updates, -(-options.max_steps // updates) * updates) if n]
        raise InputError(
            f"max_steps={options.max_steps} updates end inside a round of {updates}, and verl trains whole rounds: "
            f"write max_steps={' or '.join(map(str, near))}."
        )
    source = "max_steps" if options.max_steps > 0 else "num_train_epochs"
    rounds = job.rounds
    if rounds is not None:
        to.line(source, "trainer.total_training_steps", rounds)
        if updates > 1:
            to.note(f"{source}: verl counts rounds, {rounds} of {updates} updates each")
    problems, prompts = job.facts.train_problems, job.round.prompts_per_round
    epochs = options.num_train_epochs
    if rounds is not None and problems:
        epochs = rounds / max(1, problems // prompts)
    if rounds is not None and not problems:
        epochs = 1_000_000  # total_training_steps ends the run
    to.line(source, "trainer.total_epochs", math.ceil(epochs))


@says("num_processes")
def gpus(job: Job, to: Translation) -> None:
    """Raises: InputError for GPUs that the nodes cannot share evenly."""
    count, nodes = job.options.world_size, job.nodes
    if count % nodes:
        raise InputError(
            f"num_processes={count} GPUs on trainer.nnodes={nodes} nodes are no whole number each: write num_processes="
            f"{-(-count // nodes) * nodes}."
        )
    to.line("num_processes", "trainer.n_gpus_per_node", count // nodes)
