"""The figures of a run that are lines over its updates, as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Panel:
    """A figure with lines over the updates.

    Attributes:
        title: what it shows.
        unit: at the vertical axis.
        lines: (metric, name in the legend).
        band: the same of the metrics below and above of a filled range; () for none.
        include: values that the axis holds.
        may_be_log: whether the axis is logarithmic where the values span much.
        note: how to read it.
    """

    title: str
    unit: str
    lines: tuple[tuple[str, str], ...]
    band: tuple[tuple[str, str], ...] = ()
    include: tuple[float, ...] = ()
    may_be_log: bool = False
    note: str = ""


PANELS = {
    "signal": Panel(
        "Groups without a signal",
        "share",
        (("frac_reward_zero_std", "prompts with equal rewards"), ("active_completions", "completions that teach")),
        include=(0.0, 1.0),
        note="All completions of such a prompt got one reward, so none of them moves the policy.",
    ),
    "truncated": Panel(
        "Completions without an end",
        "share of completions",
        (("completions/clipped_ratio", "cut off at max_completion_length"),),
        include=(0.0, 1.0),
    ),
    "lengths": Panel(
        "Length of the completions",
        "tokens",
        (("completions/mean_length", "mean"), ("completions/mean_terminated_length", "mean of those that end")),
        band=(("completions/min_length", "shortest"), ("completions/max_length", "longest")),
        include=(0.0,),
        note="The band reaches from the shortest to the longest.",
    ),
    "entropy": Panel("Entropy", "nats per token", (("entropy", "entropy"),), include=(0.0,), may_be_log=True),
    "kl": Panel(
        "KL divergence", "nats per token", (("kl_old", "to the samples' policy"), ("kl", "to the reference")),
        include=(0.0,), may_be_log=True,
    ),
    "gradient": Panel(
        "Gradient norm", "before clipping", (("grad_norm", "gradient norm"),), include=(0.0,), may_be_log=True
    ),
    "clipping": Panel(
        "Clip fractions",
        "share of tokens",
        (("clip_fraction/one_sided", "changed by the clip"), ("clip_fraction/two_sided", "outside the range")),
        include=(0.0,),
    ),
    "log-ratios": Panel(
        "Log-ratio envelope",
        "nats",
        (("log_ratio/max", "largest"), ("log_ratio/min", "smallest")),
        band=(("log_ratio/min", "smallest"), ("log_ratio/max", "largest")),
        include=(0.0,),
        note="log π_θ − log π_old of the two furthest tokens of each log event; 0 is no change.",
    ),
    "ess": Panel(
        "Effective sample size",
        "share of the tokens",
        (("ess/mean", "mean over completions"), ("ess/min", "smallest")),
        include=(0.0, 1.0),
        note="The share of a completion's tokens that carry its gradient.",
    ),
    "sampler": Panel(
        "Ratio of the start of the round to the sampler",
        "ratio",
        (
            ("sampling/importance_sampling_ratio/mean", "mean"),
            ("sampling/importance_sampling_ratio/max", "largest"),
            ("sampling/importance_sampling_ratio/min", "smallest"),
        ),
        may_be_log=True,
    ),
    "loss": Panel("Policy loss", "minus the surrogate", (("policy_loss", "policy loss"),), include=(0.0,)),
}  # fmt: skip
"""By name; `reward` and `exponents` are drawn by functions of their own."""
