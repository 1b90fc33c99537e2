"""What the importance ratios say: how far the policy moves between the sample and the update."""

from __future__ import annotations

from statistics import median

from pmpo.engine.symptoms.configuration import one_update
from pmpo.engine.symptoms.rows import Found, Log, changed, is_number, mean

FAR_RATIO = 4.0
"""Nats (a ratio of 55, or 1/55) that the furthest log ratio of an event reaches time and again."""
FAR_KL = 0.1
"""Nats per token between the policy and the samples' own, all tokens taken together."""
FAR_AT_ONCE = 0.3
"""The same in a single log event: a mean over so many tokens is no chance."""
MOSTLY_CLIPPED = 0.7
"""Share of the tokens (with a sequence-level region: of the completions) that the trust region changed;
GSPO with its narrow range learns at 0.55."""
FEW_TOKENS = 0.25
"""Share of a completion's tokens that carry its gradient."""
NEAR = 0.02
"""Nats; a ratio this close to 1 is the same to every mean and within every clip."""


def exploding_ratios(log: Log) -> Found | None:
    """Tokens have become many times more or less probable than they were when sampled."""
    widest, kl, newest = _widest(log), log.numbers("kl_old"), log.rows[-1].get("kl_old")
    if is_number(newest) and newest >= FAR_AT_ONCE:
        shown = f"in this log event the policy moved {newest:.2g} nats per token on average away"
    elif widest and median(widest) >= FAR_RATIO:
        shown = f"in the last {log.events} log events the policy moved log ratios of {median(widest):.3g} nats away"
    elif kl and mean(kl) >= FAR_KL:
        shown = f"in the last {log.events} log events the policy moved {mean(kl):.2g} nats per token on average away"
    else:
        return None
    return Found(
        f"The ratios explode: {shown} from the one whose "
        "samples it learns from. Where the advantage is below 0, or the gradient passes the trust region, such tokens "
        "go on to move. A lower learning_rate, fewer updates per generation (steps_per_generation, num_iterations), or "
        "a trust region that stops the gradient (log_ratio, ratio).",
        changed(log.settings, "learning_rate", 0.5),
    )


def mostly_clipped(log: Log) -> Found | None:
    """Most of the batch is outside the trust region."""
    shares = log.numbers("clip_fraction/one_sided")
    if not shares or mean(shares) < MOSTLY_CLIPPED:
        return None
    return Found(
        f"The trust region clips {mean(shares):.0%} of what is learned from (last {log.events} log events), and a clip "
        "that stops the gradient leaves the rest to decide. A lower learning_rate, fewer updates per generation "
        "(steps_per_generation, num_iterations), or a wider trust region.",
        changed(log.settings, "learning_rate", 0.5),
    )


def few_tokens(log: Log) -> Found | None:
    """A few tokens carry the gradient of their completion."""
    shares = log.numbers("ess/mean")
    if not shares or mean(shares) > FEW_TOKENS:
        return None
    return Found(
        f"Few tokens decide: the effective sample size of the tokens' gradient weights was {mean(shares):.0%} of a "
        f"completion on average in the last {log.events} log events. An exponent p nearer to 0 shares the gradient "
        "more equally (exponent: clip_aware_ess, or 0), and a trust region holds the ratios that take it.",
        "exponent=0",
    )


def equal_ratios(log: Log) -> Found | None:
    """No ratio has left 1, so that all members of the family compute one gradient."""
    widest = _widest(log)
    if not widest or max(widest) > NEAR or one_update(log.settings) is not None:
        return None
    return Found(
        f"Every ratio is 1: in the last {log.events} log events no log ratio was further from 0 than "
        f"{max(widest):.2g} nats, so that no token is clipped, every exponent gives the same gradient, and the choice "
        "of the objective cannot matter. That is sound, and slow if the reward does not rise either: a higher "
        "learning_rate or more updates per generation.",
        changed(log.settings, "steps_per_generation", 2),
    )


def _widest(log: Log) -> list[float]:
    """The distance of the furthest log ratio from 0 in each of the newest events, nats."""
    largest, smallest = log.numbers("log_ratio/max"), log.numbers("log_ratio/min")
    return [max(high, -low) for high, low in zip(largest, smallest, strict=False)]
