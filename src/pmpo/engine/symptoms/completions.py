"""What becomes of the completions."""

from __future__ import annotations

from pmpo.engine.symptoms.rows import Found, Log, changed, mean

TRUNCATED = 0.5
"""Share of the completions that reach max_completion_length."""
SHORT = 0.25
"""Share of their first length that completions have kept when they have become too short."""


def truncated(log: Log) -> Found | None:
    """Completions reach the length limit."""
    shares = log.numbers("completions/clipped_ratio")
    if not shares or mean(shares) < TRUNCATED:
        return None
    return Found(
        f"{mean(shares):.0%} of the completions of the last {log.events} log events with a generation were cut off at "
        "max_completion_length, many of them before their answer. Raise it, ask for shorter answers, or look whether "
        "the model ends its answers at all (its end-of-sequence token); mask_truncated_completions leaves them out of "
        "the loss.",
        changed(log.settings, "max_completion_length", 2),
    )


def short_completions(log: Log) -> Found | None:
    """Completions have shrunk, and the rewards with them or not at all risen."""
    lengths, start = log.numbers("completions/mean_length"), log.first("completions/mean_length")
    rewards, before = log.numbers("reward"), log.first("reward")
    if not lengths or not rewards or mean(lengths) >= SHORT * mean(start) or mean(rewards) > mean(before):
        return None
    return Found(
        f"Completions have shrunk from {mean(start):.3g} to {mean(lengths):.3g} tokens, and the reward has not risen "
        f"({mean(before):.3g} at the start, {mean(rewards):.3g} now): the model has learned to stop early. Read some; "
        "look for a reward that punishes wrong answers harder than none, or one for brevity.",
        "the reward function",
    )
