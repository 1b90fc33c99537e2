"""The rewards do not teach, or have gone."""

from __future__ import annotations

from dataclasses import dataclass

from pmpo.engine.symptoms.rows import Found, Log, best_mean, changed, is_number, mean, scatter

EQUAL_GROUPS = 0.98
"""Share of the prompts whose completions all got one reward, from which on there is nothing to learn."""
MOSTLY_EQUAL = 0.8
"""The same, from which on most of what is generated is of no use."""
FALLEN = 0.5
"""Share of its best mean that the reward has lost when it has collapsed."""
NOISE = 4.0
"""Scatters of a single event by which a fall must exceed chance."""
HELD_OUT_FALL = 0.1
"""Of pass@1; together with a quarter of the best."""


def no_rewards(log: Log) -> Found | None:
    """No completion has a reward."""
    rewards = log.newest("reward")
    if len(rewards) < log.events or any(is_number(reward) for reward in rewards):
        return None
    return Found(
        f"No completion got a reward in the last {log.events} log events with a generation. The reward functions "
        "raise, or return None or NaN for all of them: see the warnings before this one, and reward_failures/ and "
        "reward_nonfinite/ in the log.",
        "the reward function",
    )


def no_signal(log: Log) -> Found | None:
    """All completions of a prompt have one reward, which has not risen."""
    equal = _equal_rewards(log)
    if equal is None or equal.risen or reward_collapse(log) is not None:
        return None
    in_the_last = f"in the last {log.events} log events with a generation"
    more = changed(log.settings, "num_generations", 2)
    if all(reward == 0.0 for reward in log.numbers("reward")):
        cut = log.numbers("completions/clipped_ratio")
        cut_off = f" ({mean(cut):.0%} of the completions reach it)" if cut else ""
        return Found(
            f"No learning signal: {in_the_last} every reward was 0. Either the model solves none of the problems (take "
            "easier ones, a model that solves some, or more num_generations), or the grader does not find its answers "
            f"(read some completions), or max_completion_length cuts them off{cut_off}.",
            f"easier problems, or {more}",
        )
    return Found(
        f"No learning signal: {in_the_last} all completions of {equal.share:.0%} of the prompts got the same reward, "
        f"{equal.now:.3g} on average and {equal.start:.3g} at the start. Either the reward function does not tell them "
        "apart, or they are all alike (read some), or the problems are too easy or too hard: raise temperature or "
        "num_generations, or take others.",
        more,
    )


def saturated(log: Log) -> Found | None:
    """All completions of a prompt have one reward, after a rise."""
    equal = _equal_rewards(log)
    if equal is None or not equal.risen:
        return None
    return Found(
        f"The reward has saturated: it rose from {equal.start:.3g} to {equal.now:.3g}, and in the last {log.events} "
        f"log events with a generation all completions of {equal.share:.0%} of the prompts got the same one, so "
        "nothing more can be learned from them. Stop here, or take harder problems or a finer reward.",
        "harder problems",
    )


def few_signals(log: Log) -> Found | None:
    """Most prompts have completions of one reward."""
    shares, rewards = log.numbers("frac_reward_zero_std"), log.numbers("reward")
    if not shares or not rewards or min(shares) < MOSTLY_EQUAL or min(shares) >= EQUAL_GROUPS:
        return None
    return Found(
        f"Most of what is generated teaches nothing: in the last {log.events} log events with a generation all "
        f"completions of {mean(shares):.0%} of the prompts got the same reward ({mean(rewards):.3g} on average), so "
        f"that {1 - mean(shares):.0%} of the batch make the gradient. Take problems that the model solves sometimes "
        "(leave out those that it always or never does), or more num_generations.",
        f"problems of middle difficulty, or {changed(log.settings, 'num_generations', 2)}",
    )


def reward_collapse(log: Log) -> Found | None:
    """The reward has been much better."""
    rewards = log.recent("reward")
    if len(rewards) <= log.events or no_rewards(log) is not None:
        return None
    now, best = mean(rewards[-log.events :]), rewards[0]  # the first updates may have done it
    if len(rewards) >= 2 * log.events:
        best = max(best, best_mean(rewards, log.events))
    if best <= now or best - now < max(FALLEN * abs(best), NOISE * scatter(rewards)):
        return None
    return Found(
        f"The reward has collapsed: {now:.3g} on average in the last {log.events} log events with a generation, and "
        f"{best:.3g} at its best. The updates have been too large for what the samples say: go back to a checkpoint "
        "from before the fall with a lower learning_rate, fewer updates per generation (steps_per_generation, "
        "num_iterations), or beta above 0. The first of the other warnings is the likeliest cause.",
        changed(log.settings, "learning_rate", 0.5),
    )


def held_out_falls(log: Log) -> Found | None:
    """The training reward holds while held-out pass@1 falls."""
    scores, rewards = log.recent("held_out/pass_at_1"), log.recent("reward")
    if len(scores) < 4 or len(rewards) < 2 * log.events:
        return None
    best, newest = max(scores[:-2]), scores[-2:]
    if max(newest) > best - max(HELD_OUT_FALL, best / 4):
        return None
    now, before = mean(rewards[-log.events :]), best_mean(rewards, log.events)
    if before - now > 0.1 * abs(before):
        return None
    return Found(
        f"Held-out pass@1 has fallen from {best:.3g} to {newest[-1]:.3g} while the training reward held ({now:.3g}): "
        "the model learns what the reward or the training problems allow, and not the task. Read completions with a "
        "high reward, take more or other problems, and keep the checkpoint from before the fall.",
        "more or other problems, or beta above 0",
    )


@dataclass(frozen=True)
class _EqualRewards:
    """The share of prompts without a signal in the newest events, and the reward at the start and then."""

    share: float
    start: float
    now: float

    @property
    def risen(self) -> bool:
        return self.now > self.start + 0.01 * abs(self.now)


def _equal_rewards(log: Log) -> _EqualRewards | None:
    shares, rewards = log.numbers("frac_reward_zero_std"), log.numbers("reward")
    if not shares or not rewards or min(shares) < EQUAL_GROUPS:
        return None
    start = next(row["reward"] for row in log.rows if is_number(row.get("reward")))
    return _EqualRewards(mean(shares), start, mean(rewards))
