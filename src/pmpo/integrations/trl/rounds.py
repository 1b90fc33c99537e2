"""The size of a round: one generation, and the micro-batches and updates that it is cut into."""

from __future__ import annotations

UPDATES_PER_GENERATION = 8
"""Optimiser steps on one generation batch unless the user says otherwise; the papers' number."""


def largest_round(step: int, group: int, updates: int, problems: int) -> int | None:
    """The most updates, up to `updates`, that a round can have with a data set of `problems`; None where not even one.

    Args:
        step: completions of one update, over all processes.
        group: completions of one prompt; a round holds whole groups, each of another prompt.
    """
    fitting = [n for n in range(1, updates + 1) if step * n % group == 0 and step * n // group <= problems]
    return fitting[-1] if fitting else None


def check_round(steps: int | None, whole: int | None, micro_batch: int) -> None:
    """The size of a round as it was given: steps_per_generation, generation_batch_size, or both in agreement."""
    if whole is not None and whole % micro_batch:
        raise ValueError(
            f"generation_batch_size ({whole}) must be a multiple of the {micro_batch} completions of one forward pass "
            f"over all processes."
        )
    if steps is not None and whole is not None and whole != micro_batch * steps:
        raise ValueError(
            f"generation_batch_size={whole} and steps_per_generation={steps} contradict each other "
            f"({micro_batch} completions x {steps} = {micro_batch * steps}): give one, and None for the other."
        )


def check_groups(whole: int, group: int) -> None:
    """A round holds whole groups."""
    if whole % group:
        raise ValueError(f"generation_batch_size ({whole}) must be divisible by num_generations ({group}).")


def check_ratio_sums(generate_every: int, accumulation: int, entropy_quantile: float) -> None:
    """Sums over the ratios of an update are found by a pass over its micro-batches before the first is trained on.

    Args:
        generate_every: micro-batches between two generations, steps_per_generation x num_iterations.
        accumulation: gradient_accumulation_steps.
        entropy_quantile: top_entropy_quantile.
    """
    if generate_every % accumulation:
        raise ValueError(
            f"This objective needs the ratios of a whole update, and gradient_accumulation_steps={accumulation} ends "
            f"one inside a generation (steps_per_generation x num_iterations = {generate_every}): make it a divisor of "
            f"{generate_every}."
        )
    if accumulation > 1 and entropy_quantile < 1.0:
        raise ValueError(
            f"This objective needs the ratios of a whole update before its first micro-batch, and "
            f"top_entropy_quantile={entropy_quantile} weighs tokens by entropies that are known with each micro-batch "
            "alone: remove top_entropy_quantile, or write gradient_accumulation_steps: 1."
        )


def check_token_counts(generate_every: int, accumulation: int) -> None:
    """The token weight needs Σ n_j of the optimiser step: of one generation, or of several whole ones, of which each
    stands for the others, as in TRL.

    Args:
        generate_every: micro-batches between two generations, steps_per_generation x num_iterations.
        accumulation: gradient_accumulation_steps.
    """
    if generate_every % accumulation and accumulation % generate_every:
        raise ValueError(
            f"sequence_weight 'token' divides by the tokens of the whole optimiser step, and "
            f"gradient_accumulation_steps={accumulation} ends a step inside a generation "
            f"(steps_per_generation x num_iterations = {generate_every}): make it a divisor or a multiple of "
            f"{generate_every}."
        )
