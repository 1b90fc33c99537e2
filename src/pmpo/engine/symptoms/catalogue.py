"""Every symptom by name: what it is called, the figure that shows it, and how it is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pmpo.engine.symptoms import completions, configuration, policy, ratios, rewards
from pmpo.engine.symptoms.rows import EVENTS, Found, Log, Rows


@dataclass(frozen=True)
class Symptom:
    """Something that keeps a run from learning.

    Attributes:
        name: one of `KINDS`.
        step: the update it was found at; 0 for what the settings alone say.
        sentence: with its number, the likely cause and what to try.
        setting: the setting to try first: "learning_rate=0.0001 (now 0.0002)".
    """

    name: str
    step: int
    sentence: str
    setting: str = ""

    @property
    def title(self) -> str:
        """What it is called: "Entropy collapse"."""
        return KINDS[self.name].title

    @property
    def figure(self) -> str:
        """The figure of a run's page that shows it."""
        return KINDS[self.name].figure


@dataclass(frozen=True)
class Kind:
    """A symptom that there can be.

    Attributes:
        title: what it is called.
        figure: of a run's page, `pmpo.report.run_figures.FIGURES`.
        find: in the log events so far; None where the settings say it.
        find_in_settings: in a mapping of settings.
    """

    title: str
    figure: str
    find: Callable[[Log], Found | None] | None = None
    find_in_settings: Callable[[Mapping[str, Any]], Found | None] | None = None


KINDS: dict[str, Kind] = {
    "one_update": Kind("One update per generation", "log-ratios", find_in_settings=configuration.one_update),
    "truncated_sampling": Kind(
        "Truncated sampling with a ratio correction", "sampler", find_in_settings=configuration.truncated_sampling
    ),
    "uncorrected_rollouts": Kind(
        "Samples of another policy, not corrected", "sampler", find_in_settings=configuration.uncorrected_rollouts
    ),
    "no_rewards": Kind("No rewards", "reward", rewards.no_rewards),
    "no_signal": Kind("No learning signal", "signal", rewards.no_signal),
    "saturated": Kind("Saturated reward", "signal", rewards.saturated),
    "few_signals": Kind("Most groups without signal", "signal", rewards.few_signals),
    "truncated": Kind("Truncated completions", "truncated", completions.truncated),
    "short_completions": Kind("Completions that shrink", "lengths", completions.short_completions),
    "exploding_ratios": Kind("Exploding ratios", "log-ratios", ratios.exploding_ratios),
    "mostly_clipped": Kind("Most of the batch clipped", "clipping", ratios.mostly_clipped),
    "few_tokens": Kind("Few tokens carry the gradient", "ess", ratios.few_tokens),
    "equal_ratios": Kind("Every ratio is 1", "log-ratios", ratios.equal_ratios),
    "dead_gradients": Kind("Dead gradients", "gradient", policy.dead_gradients),
    "exploding_gradients": Kind("Exploding gradients", "gradient", policy.exploding_gradients),
    "skipped_updates": Kind("Updates that are not finite", "gradient", policy.skipped_updates),
    "entropy_collapse": Kind("Entropy collapse", "entropy", policy.entropy_collapse),
    "entropy_explosion": Kind("Entropy explosion", "entropy", policy.entropy_explosion),
    "far_from_reference": Kind("Far from the reference", "kl", policy.far_from_reference),
    "held_out_falls": Kind("Held-out score falls", "reward", rewards.held_out_falls),
    "reward_collapse": Kind("Reward collapse", "reward", rewards.reward_collapse),
}
"""Causes before what they lead to, which is the order of symptoms that show in one event."""


def symptoms(rows: Rows, events: int = EVENTS, settings: Mapping[str, Any] | None = None) -> list[Symptom]:
    """Every symptom that shows in the newest `events` of the log events, oldest first."""
    if not rows:
        return []
    log, step = Log(rows, events, settings or {}), int(rows[-1].get("step") or 0)
    found = ((name, kind.find(log)) for name, kind in KINDS.items() if kind.find is not None)
    return [Symptom(name, step, one.sentence, one.setting) for name, one in found if one is not None]


def settings_symptoms(settings: Mapping[str, Any]) -> list[Symptom]:
    """Every symptom that the settings of a run show, by TRL's names."""
    finders = ((name, kind.find_in_settings) for name, kind in KINDS.items() if kind.find_in_settings is not None)
    found = ((name, find(settings)) for name, find in finders)
    return [Symptom(name, 0, one.sentence, one.setting) for name, one in found if one is not None]
