"""What the settings of a run alone say, before its first update.

Settings are a plain mapping by TRL's names (`GRPOConfig.to_dict()`, a run's config.yaml); "objective" is the mapping of
the objective where it is known as one. A setting that is not there has TRL's default.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pmpo.engine.symptoms.rows import Found, is_number

Settings = Mapping[str, Any]

_ROUND = ("steps_per_generation", "num_iterations", "gradient_accumulation_steps")
_SAMPLERS = ("rollout_staleness", "sampler_noise", "use_vllm")
_WHOLE = {"top_p": (None, 1.0), "top_k": (None, 0, -1), "min_p": (None, 0.0), "repetition_penalty": (None, 1.0)}
"""Ways to sample from another distribution than the model's, with the values that do not."""


def one_update(settings: Settings) -> Found | None:
    """One update per generation, so that no exponent can matter."""
    if not all(is_number(settings.get(name)) for name in _ROUND):
        return None
    if _centred_at_sampler(settings) and _other_sampler(settings):  # ratios to it are not 1
        return None
    steps, iterations, accumulation = (settings[name] for name in _ROUND)
    if steps * iterations > accumulation:
        return None
    shown = ", ".join(f"{name}={settings[name]}" for name in _ROUND)
    return Found(
        f"This configuration makes one update per generation ({shown}): every importance ratio is 1, no token is "
        f"clipped, and the exponent cannot matter. Set steps_per_generation to {8 * accumulation} for 8 updates per "
        "generation, as the papers do.",
        f"steps_per_generation={8 * accumulation} (now {steps})",
    )


def truncated_sampling(settings: Settings) -> Found | None:
    """A ratio between trainer and sampler that compares a whole distribution with a truncated one."""
    sampling = {**settings, **(settings.get("generation_kwargs") or {})}
    truncated = {name: sampling[name] for name, whole in _WHOLE.items() if sampling.get(name) not in whole}
    uses_ratio = _corrects(settings) or _centred_at_sampler(settings)
    if not truncated or not uses_ratio or not _other_sampler(settings):
        return None
    shown = ", ".join(f"{name}={value}" for name, value in truncated.items())
    plain = ", ".join(f"{name}={_WHOLE[name][1]}" for name in truncated)
    why = "the sampler's log-probabilities are those before that, so the ratio knows nothing of it"
    if settings.get("use_vllm"):
        why = (
            "the sampler's probabilities are those of the truncated or penalised distribution, the trainer's those of "
            "the whole one, so the ratio says mismatch where there is none (below 1 on every token of a truncated "
            "distribution), and its product over a completion vanishes"
        )
    return Found(
        f"Completions are sampled with {shown}, and their ratios to the sampler are used: {why}. Sample from the whole "
        f"distribution: {plain}.",
        plain,
    )


def uncorrected_rollouts(settings: Settings) -> Found | None:
    """Samples of another policy than that of the start of the round, taken for its own."""
    stale, noise, vllm = (settings.get(name) for name in _SAMPLERS)
    causes = [f"rollouts are {stale} rounds old"] if _positive(stale) else []
    causes += [f"the sampler's logits carry noise of {noise}"] if _positive(noise) else []
    causes += ["vLLM samples, whose probabilities differ from the trainer's"] if vllm else []
    masked = settings.get("off_policy_mask_threshold") is not None
    if not causes or masked or _corrects(settings) or _centred_at_sampler(settings):
        return None
    switch = "vllm_importance_sampling_correction=true" if vllm else "correction=truncate:ratio_max=2"
    return Found(
        f"The samples are not those of the policy at the start of the round ({'; '.join(causes)}), and nothing "
        "corrects for it: the gradient is that of another objective, and its error grows with every token. Weigh the "
        "tokens by how probable they were when sampled, or centre the trust region at the sampler: "
        f"{switch}, or old_policy=sampler.",
        switch,
    )


def _other_sampler(settings: Settings) -> bool:
    """Whether completions come from another policy than that of the start of the round."""
    stale, noise, vllm = (settings.get(name) for name in _SAMPLERS)
    return _positive(stale) or _positive(noise) or bool(vllm)


def _objective(settings: Settings) -> Mapping[str, Any]:
    """Correction and centre, wherever the settings say them."""
    objective = settings.get("objective")
    said = dict(objective) if isinstance(objective, Mapping) else {}
    given = {name: settings[name] for name in ("correction", "old_policy") if settings.get(name) is not None}
    return {**said, **given}


def _corrects(settings: Settings) -> bool:
    """Whether ratios between the start of the round and the sampler weigh the tokens."""
    correction = _objective(settings).get("correction")
    vllm = settings.get("use_vllm") and settings.get("vllm_importance_sampling_correction", True)
    return bool(vllm) or correction not in (None, "none")


def _centred_at_sampler(settings: Settings) -> bool:
    return _objective(settings).get("old_policy") == "sampler"


def _positive(value: Any) -> bool:
    return is_number(value) and value > 0
