"""Which objective verl's configuration asks for.

actor_rollout_ref.actor.policy_loss.loss_mode=pmpo/gmpo            a preset, in one line
actor_rollout_ref.actor.policy_loss.loss_mode=pmpo                 the preset pmpo, or with the two lines
actor_rollout_ref.actor.policy_loss._target_=pmpo.integrations.verl.policy_loss_config.PolicyLossConfig
+actor_rollout_ref.actor.policy_loss.objective='{name: gmpo, exponent: signed}'          whatever the family has
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pmpo.foundation.errors import InputError, unknown_name
from pmpo.objective.advantages import ADVANTAGES
from pmpo.objective.presets import OBJECTIVES, Objective, objective

NAME = "pmpo"
MODES = (NAME, *(f"{NAME}/{preset}" for preset in OBJECTIVES))
"""What `policy_loss.loss_mode` can be. verl's own gspo, cispo, sapo and dppo stay verl's: ours have our name before."""
ESTIMATORS = {f"{NAME}/{kind}": kind for kind in ADVANTAGES}
"""What `algorithm.adv_estimator` can be, and the kind of advantage that it is."""
_OPTION = "actor_rollout_ref.actor.policy_loss.objective"


def is_ours(loss_mode: Any) -> bool:
    """Whether a loss mode is one of this package, an unknown one included."""
    return isinstance(loss_mode, str) and (loss_mode == NAME or loss_mode.startswith(f"{NAME}/"))


def objective_of(policy_loss: Any) -> Objective:
    """The objective of a `policy_loss` section: a dataclass of verl, or a mapping.

    Raises: InputError for an unknown preset, with the nearest, and for an objective named twice.
    """
    mode, given = policy_loss.get("loss_mode"), policy_loss.get("objective", None)
    if mode not in MODES:
        raise InputError(unknown_name("loss mode of pmpo", mode, MODES))
    if mode == NAME:
        return _read(json.dumps(_plain(given), sort_keys=True)) if given is not None else OBJECTIVES[NAME]
    if given is not None:
        raise InputError(
            f"loss_mode={mode} and {_OPTION}={given} both name the objective: write loss_mode={NAME} beside the latter."
        )
    return OBJECTIVES[mode.removeprefix(f"{NAME}/")]


@lru_cache(maxsize=8)
def _read(text: str) -> Objective:
    try:
        return objective(json.loads(text))
    except ValueError as fault:
        raise InputError(f"{_OPTION}: {fault}") from None


def _plain(value: Any) -> Any:
    """Hydra's mappings and lists as Python's."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    return [_plain(each) for each in value]
