"""What the updates do to the policy: entropy, gradients and its distance from where it began."""

from __future__ import annotations

from statistics import median

from pmpo.engine.symptoms.rewards import no_rewards, no_signal, reward_collapse, saturated
from pmpo.engine.symptoms.rows import Found, Log, best_mean, changed, is_number, mean

COLLAPSED = 0.05
"""The entropy has collapsed below this share of its start and below this many nats per token."""
EXPLODED = 3.0
"""Times its start that the entropy has reached when it has exploded, and at least half a nat more."""
LOST = 0.2
"""Share of its best mean that the reward has lost meanwhile."""
SPIKED = 10.0
"""Times its usual size that the gradient norm has reached."""
SKIPPED = 0.05
"""Share of the updates that were skipped because they would not have been finite."""
FAR = 1.0
"""Nats per token from the reference."""


def entropy_collapse(log: Log) -> Found | None:
    """The model has stopped exploring."""
    newest, start = log.numbers("entropy"), log.first("entropy")
    if not newest or mean(newest) >= COLLAPSED or mean(newest) >= COLLAPSED * mean(start):
        return None
    return Found(
        f"The entropy has collapsed from {mean(start):.3g} to {mean(newest):.2g} nats per token: the model answers a "
        "prompt in one way only, and little more can be learned. If the reward is not where it should be: a lower "
        "learning_rate, beta above 0, an entropy_coef, or a higher temperature, from an earlier checkpoint.",
        changed(log.settings, "learning_rate", 0.5),
    )


def entropy_explosion(log: Log) -> Found | None:
    """The model has begun to write at random."""
    newest, start, rewards = log.numbers("entropy"), log.first("entropy"), log.recent("reward")
    if not newest or len(rewards) < 2 * log.events or mean(newest) < max(EXPLODED * mean(start), mean(start) + 0.5):
        return None
    now, best = mean(rewards[-log.events :]), best_mean(rewards, log.events)
    if best - now < LOST * abs(best):
        return None
    return Found(
        f"The entropy has risen from {mean(start):.3g} to {mean(newest):.3g} nats per token while the reward fell from "
        f"{best:.3g} to {now:.3g}: the model writes more and more at random. Large updates on samples that the policy "
        "has moved away from do this: a lower learning_rate, a trust region that stops the gradient (a log-ratio or "
        "ratio clip), fewer updates per generation, or a smaller entropy_coef.",
        changed(log.settings, "learning_rate", 0.5),
    )


def dead_gradients(log: Log) -> Found | None:
    """The gradient is 0 although rewards differ."""
    rows = log.rows
    places = [index for index in log.backwards() if "frac_reward_zero_std" in rows[index]][: log.events]
    if len(places) < log.events or any(silent(log) for silent in (no_signal, saturated, no_rewards, reward_collapse)):
        return None
    norms = [row["grad_norm"] for row in rows[places[-1] :] if is_number(row.get("grad_norm"))]
    if len(norms) < log.events or any(norm > 0.0 for norm in norms):
        return None
    active = log.recent("active_completions")
    cause, setting = "no weight is trained, every token is clipped, or its weight in the loss is 0", "trust_region"
    if active and active[-1] == 0.0:
        cause = "every advantage is 0, such as by a mask on all completions (mask_truncated_completions)"
        setting = "mask_truncated_completions=false"
    return Found(
        f"The gradient was 0 in the last {len(norms)} log events although rewards differ, so the weights do not move: "
        f"{cause}.",
        setting,
    )


def exploding_gradients(log: Log) -> Found | None:
    """The gradient has become many times what it was."""
    norms = [norm for norm in log.recent("grad_norm") if norm > 0.0]
    if len(norms) < 3 * log.events:
        return None
    now, usual = median(norms[-log.events :]), median(norms[: -log.events])
    if now < SPIKED * usual:
        return None
    return Found(
        f"The gradient norm has grown from {usual:.3g} to {now:.3g} (medians; before clipping): a few tokens or "
        "completions decide the updates, or the policy is leaving the region where its samples say something. Look at "
        "the log ratios and the clip fractions beside it; a lower learning_rate, a lower max_grad_norm, or a smaller "
        "exponent p.",
        changed(log.settings, "learning_rate", 0.5),
    )


def skipped_updates(log: Log) -> Found | None:
    """Many updates would not have been finite."""
    skipped, step = log.recent("nonfinite/skipped_steps"), log.rows[-1].get("step", 0)
    if not skipped or not step or skipped[-1] < max(log.events, SKIPPED * step):
        return None
    return Found(
        f"{skipped[-1]:.0f} of {step} updates were skipped because their loss or gradient was NaN or infinite. Train "
        "in bf16 or float32 instead of fp16, or lower learning_rate and max_grad_norm; nonfinite-* in the run's folder "
        "holds a batch that did it.",
        changed(log.settings, "learning_rate", 0.5),
    )


def far_from_reference(log: Log) -> Found | None:
    """The policy has left the reference model behind."""
    newest = log.numbers("kl")
    if not newest or median(newest) < FAR:
        return None
    return Found(
        f"The policy is {median(newest):.3g} nats per token away from the reference model, which KL penalties are to "
        "prevent: what the reference knew is largely gone. Raise beta, lower learning_rate, or take the reference "
        "along (sync_ref_model).",
        changed(log.settings, "beta", 4),
    )
